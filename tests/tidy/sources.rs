//! Rules about the text of the sources that no lint knows.

use std::{fs, path::Path};

use crate::{assert_none, root};

/// A file longer than this is about more than one noun, or a table that should be two.
const FILE_LINES_MAX: usize = 1000;

/// Where `unsafe` may stand (ARCHITECTURE, invariant 8).
const UNSAFE_ROOMS: [&str; 5] = [
    "bridge-host/cuda/",
    "mock/soft/src/raw/",
    "mock/soft/benches/pocl/",
    "bridge-host/src/executor/",
    "tests/fake-driver/",
];

/// Crates that must build without an operating system.
const CORES: [&str; 5] =
    ["secure9p", "ninedoor/abi", "ninedoor", "bridge-host/gpu", "bridge-host/broker"];

/// Path (from the root) and text of every file of ours with one of these endings.
pub(crate) fn files(endings: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    collect(&root(), endings, &mut found);
    found.sort();
    found
}

fn collect(folder: &Path, endings: &[&str], found: &mut Vec<(String, String)>) {
    for entry in
        fs::read_dir(folder).expect("a readable folder").map(|entry| entry.expect("an entry"))
    {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() {
            if name != "target" && name != ".git" {
                collect(&path, endings, found);
            }
        } else if path
            .extension()
            .is_some_and(|ending| endings.iter().any(|wanted| ending == *wanted))
        {
            let place = path.strip_prefix(root()).expect("in the root").display().to_string();
            found.push((place, fs::read_to_string(&path).expect("UTF-8 text")));
        }
    }
}

/// Code without its line comments: enough to look for a word.
fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or("")
}

/// Proves HOUSE-3.
#[test]
fn every_file_says_what_it_is_for_and_is_about_one_noun() {
    let mut complaints = Vec::new();
    for (path, text) in files(&["rs"]) {
        let opens_with_words = text
            .lines()
            .find(|line| !line.starts_with("#!"))
            .is_some_and(|line| line.starts_with("//!"));
        if !opens_with_words {
            complaints.push(format!("{path} does not open with `//!`"));
        }
        let lines = text.lines().count();
        if lines > FILE_LINES_MAX {
            complaints
                .push(format!("{path} has {lines} lines, at most {FILE_LINES_MAX} are wanted"));
        }
    }
    assert_none(&complaints, "files that a stranger cannot read in one sitting");
}

/// Proves HOUSE-4.
#[test]
fn unsafe_stays_in_its_rooms() {
    let mut complaints = Vec::new();
    for (path, text) in files(&["rs"]) {
        if UNSAFE_ROOMS.iter().any(|room| path.starts_with(room)) || path.starts_with("tests/tidy/")
        {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            let code = code(line);
            if code.contains("unsafe {")
                || code.contains("unsafe fn")
                || code.contains("unsafe impl")
            {
                complaints.push(format!("{path}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    assert_none(&complaints, "unsafe outside of its rooms (ARCHITECTURE, invariant 8)");
}

/// Proves HOUSE-5.
#[test]
fn cores_know_no_operating_system() {
    let mut complaints = Vec::new();
    for core in CORES {
        let text = crate::read(&format!("{core}/src/lib.rs"));
        for line in ["#![no_std]", "#![forbid(unsafe_code)]"] {
            if !text.lines().any(|found| found == line) {
                complaints.push(format!("{core}/src/lib.rs lacks {line}"));
            }
        }
        for (path, text) in
            files(&["rs"]).iter().filter(|(path, _)| path.starts_with(&format!("{core}/src/")))
        {
            for (number, line) in text.lines().enumerate() {
                if ["HashMap", "Instant::now", "SystemTime"]
                    .iter()
                    .any(|word| code(line).contains(word))
                {
                    complaints.push(format!("{path}:{}: {}", number + 1, line.trim()));
                }
            }
        }
    }
    assert_none(&complaints, "cores take bytes, commands and `now`, and iterate in one order");
}

/// Proves HOUSE-6.
#[test]
fn nothing_is_left_for_later() {
    let mut complaints = Vec::new();
    for (path, text) in files(&["rs"]) {
        if path.starts_with("tests/tidy/") {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            let unfinished = ["todo!(", "unimplemented!(", "FIXME", "XXX", "HACK"]
                .iter()
                .any(|word| line.contains(word));
            let ignored = line.trim() == "#[ignore]";
            let in_test = path.contains("/tests/")
                || path.starts_with("tests/") && !path.starts_with("tests/bench/");
            let sleeps = in_test && line.contains("thread::sleep(");
            if unfinished || ignored || sleeps {
                complaints.push(format!("{path}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    assert_none(&complaints, "unfinished work, tests skipped without a reason, tests that sleep");
}
