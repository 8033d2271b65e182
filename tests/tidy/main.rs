//! Keeps the house tidy: what the documents say of the code is compared with the code.
//!
//! Each check is one file: it reads documents and sources, and lists every place that is not as promised.

#![allow(clippy::panic, reason = "helpers of tests: a panic is how a check fails")]

mod contract;
mod dependencies;
mod failures;
mod rooms;
mod sources;

use std::path::{Path, PathBuf};

/// The repository's root.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the root").to_owned()
}

/// The text of a file of the repository.
fn read(path: &str) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Fails with the whole list, so that one run shows everything that is to be done.
#[track_caller]
fn assert_none(complaints: &[String], rule: &str) {
    assert!(complaints.is_empty(), "{rule}:\n  {}", complaints.join("\n  "));
}

/// The rows of the Markdown table that follows `heading`, cells trimmed, without the header.
fn table(document: &str, heading: &str) -> Vec<Vec<String>> {
    document
        .split_once(heading)
        .unwrap_or_else(|| panic!("no heading {heading:?}"))
        .1
        .lines()
        .skip_while(|line| !line.starts_with('|'))
        .take_while(|line| line.starts_with('|'))
        .skip(2)
        .map(|line| {
            line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()
        })
        .collect()
}

/// The words between backticks.
fn quoted(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}
