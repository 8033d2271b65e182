//! Every promise of `docs/INTERFACES.md` has a test, and every test that names a promise names one that exists.

use std::collections::{BTreeMap, BTreeSet};

use crate::{assert_none, read, sources};

/// `WIRE-3`, and nothing else.
fn is_id(word: &str) -> bool {
    word.split_once('-').is_some_and(|(prefix, number)| {
        prefix.len() >= 2
            && prefix.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
            && !number.is_empty()
            && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// The ids after `Proves`, up to the full stop: in a doc comment, or in a comment of a script or a transcript.
fn proved(line: &str) -> Vec<String> {
    let Some((_, list)) = line.split_once("Proves ") else { return Vec::new() };
    list.split([',', ' ', '.'])
        .map(str::trim)
        .filter(|word| is_id(word))
        .map(str::to_owned)
        .collect()
}

fn promised() -> Vec<String> {
    read("docs/INTERFACES.md")
        .lines()
        .filter_map(|line| line.trim_start_matches("- ").strip_prefix("**"))
        .filter_map(|line| line.split_once("**"))
        .map(|(id, _)| id.to_owned())
        .filter(|id| is_id(id))
        .collect()
}

/// Proves HOUSE-2.
#[test]
fn every_promise_has_a_test_and_every_named_promise_exists() {
    let promised = promised();
    let mut complaints = Vec::new();

    let unique: BTreeSet<_> = promised.iter().collect();
    if unique.len() != promised.len() {
        let doubles =
            promised.iter().filter(|id| promised.iter().filter(|other| other == id).count() > 1);
        complaints.extend(doubles.map(|id| format!("{id} is promised twice")));
    }

    let mut tests = BTreeMap::<String, Vec<String>>::new();
    for (path, text) in sources::files(&["rs", "coh", "9p", "sh"]) {
        for (number, line) in text.lines().enumerate() {
            for id in proved(line) {
                tests.entry(id).or_default().push(format!("{path}:{}", number + 1));
            }
        }
    }
    complaints.extend(
        promised.iter().filter(|id| !tests.contains_key(*id)).map(|id| format!("{id} has no test")),
    );
    for (id, places) in &tests {
        if !unique.contains(id) {
            complaints.push(format!(
                "{} proves {id}, which is not in docs/INTERFACES.md",
                places.join(", ")
            ));
        }
    }
    assert_none(&complaints, "docs/INTERFACES.md and the tests disagree");
    assert!(
        promised.len() > 20,
        "only {} promises found: has the form of the page changed?",
        promised.len()
    );
}
