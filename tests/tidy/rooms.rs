//! The room table of `docs/ARCHITECTURE.md` is the truth about which crate may name which.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, PackageId};

use crate::{assert_none, quoted, read, root, table};

/// One row of the table.
struct Room {
    package: String,
    may_use: Option<BTreeSet<String>>,
    never: BTreeSet<String>,
}

fn rooms() -> Vec<Room> {
    table(&read("docs/ARCHITECTURE.md"), "## The rooms")
        .iter()
        .map(|row| Room {
            package: row[0].trim_matches('`').replace('/', "-"),
            may_use: (row[2] != "anything").then(|| quoted(&row[2]).into_iter().collect()),
            never: quoted(&row[3]).into_iter().collect(),
        })
        .collect()
}

pub(crate) fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .other_options(
            ["--filter-platform", "x86_64-unknown-linux-gnu", "--locked"].map(str::to_owned),
        )
        .exec()
        .expect("cargo metadata answers")
}

/// Names of all packages below `from`, over normal and build edges.
fn below(metadata: &Metadata, from: &PackageId) -> BTreeSet<String> {
    let nodes: BTreeMap<_, _> = metadata
        .resolve
        .as_ref()
        .expect("resolved")
        .nodes
        .iter()
        .map(|node| (&node.id, node))
        .collect();
    let mut seen = BTreeSet::new();
    let mut open = vec![from];
    while let Some(id) = open.pop() {
        for edge in &nodes[id].deps {
            let outside_tests =
                edge.dep_kinds.iter().any(|kind| kind.kind != DependencyKind::Development);
            if outside_tests && seen.insert(&edge.pkg) {
                open.push(&edge.pkg);
            }
        }
    }
    seen.into_iter().map(|id| metadata[id].name.to_string()).collect()
}

/// Proves HOUSE-1.
#[test]
fn the_room_table_is_true() {
    let metadata = metadata();
    let members = metadata.workspace_packages();
    let names: BTreeSet<String> = members.iter().map(|package| package.name.to_string()).collect();
    let mut complaints = Vec::new();

    let rooms = rooms();
    let described: BTreeSet<_> = rooms.iter().map(|room| room.package.clone()).collect();
    complaints.extend(
        names.difference(&described).map(|name| format!("package {name} has no row in the table")),
    );
    complaints.extend(
        described.difference(&names).map(|name| format!("the table's {name} is no package")),
    );

    for package in &members {
        let Some(room) = rooms.iter().find(|room| room.package == *package.name) else { continue };
        let place = package
            .manifest_path
            .parent()
            .expect("a folder")
            .strip_prefix(root())
            .expect("in the root");
        if place.as_str().replace('/', "-") != *package.name {
            complaints.push(format!(
                "package {} lives in {place}: its name should be its path",
                package.name
            ));
        }
        for dependency in
            package.dependencies.iter().filter(|edge| edge.kind != DependencyKind::Development)
        {
            let allowed = room.may_use.as_ref().is_none_or(|may| may.contains(&dependency.name));
            if names.contains(&dependency.name) && !allowed {
                complaints.push(format!(
                    "{} uses {}, which the table does not allow",
                    package.name, dependency.name
                ));
            }
        }
        let below = below(&metadata, &package.id);
        complaints.extend(room.never.intersection(&below).map(|name| {
            format!("{} must never see {name}, and {name} is somewhere below it", package.name)
        }));
    }
    assert_none(&complaints, "docs/ARCHITECTURE.md and cargo metadata disagree");
}
