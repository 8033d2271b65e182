//! Other people's work: each has a reason in `docs/DEPENDENCIES.md` and a licence that `deny.toml` allows.

use std::collections::BTreeSet;

use crate::{assert_none, quoted, read, rooms, table};

/// Proves HOUSE-7.
#[test]
fn every_direct_dependency_has_a_written_reason() {
    let metadata = rooms::metadata();
    let members = metadata.workspace_packages();
    let ours: BTreeSet<_> = members.iter().map(|package| package.name.to_string()).collect();
    let used: BTreeSet<_> = members
        .iter()
        .flat_map(|package| &package.dependencies)
        .map(|dependency| dependency.name.clone())
        .filter(|name| !ours.contains(name))
        .collect();
    let explained: BTreeSet<String> = table(&read("docs/DEPENDENCIES.md"), "# Dependencies")
        .iter()
        .flat_map(|row| quoted(&row[0]))
        .collect();

    let mut complaints: Vec<_> = used
        .difference(&explained)
        .map(|name| format!("{name} is used and not explained"))
        .collect();
    complaints.extend(
        explained.difference(&used).map(|name| format!("{name} is explained and not used")),
    );
    assert_none(&complaints, "docs/DEPENDENCIES.md and the manifests disagree");
}

/// Proves HOUSE-8.
#[test]
fn every_licence_is_permissive() {
    let deny: toml::Table = read("deny.toml").parse().expect("deny.toml is TOML");
    let allowed: Vec<spdx::Licensee> = deny["licenses"]["allow"]
        .as_array()
        .expect("licenses.allow is a list")
        .iter()
        .map(|name| spdx::Licensee::parse(name.as_str().expect("text")).expect("an SPDX licence"))
        .collect();

    let mut complaints = Vec::new();
    for package in rooms::metadata().packages {
        let written = package.license.clone().unwrap_or_default().replace('/', " OR ");
        let permitted = spdx::Expression::parse(&written).is_ok_and(|expression| {
            expression.evaluate(|wanted| allowed.iter().any(|licence| licence.satisfies(wanted)))
        });
        if !permitted {
            complaints.push(format!("{} {}: {written:?}", package.name, package.version));
        }
    }
    assert_none(&complaints, "licences that deny.toml does not allow");
}
