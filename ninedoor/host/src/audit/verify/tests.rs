//! Each way of tampering with a log, and what is said of it.

use std::collections::VecDeque;

use ninedoor::AuditLine;
use ninedoor_abi::UnixMs;
use tempfile::TempDir;

use super::*;
use crate::audit::{
    chain::{Chain, ChainBounds},
    line::Entry,
};

/// A log of three files, with 12 lines and more, synced and let go.
struct Tampered {
    directory: AuditDir,
    _place: TempDir,
}

impl Tampered {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let directory = AuditDir::of(place.path());
        let bounds = ChainBounds { file_bytes_max: 900, files_max: 9 };
        let (mut chain, _) = Chain::open(directory.clone(), bounds, "bridge").unwrap();
        let line = |number| AuditLine::by("tester").done("COUNT", format!("number={number}"));
        let mut entries: VecDeque<_> =
            (0..14).map(|number| Entry { at: UnixMs(number), line: line(number) }).collect();
        chain.append(&mut entries).unwrap();
        chain.sync().unwrap();
        let made = Self { directory, _place: place };
        assert_eq!(made.directory.numbers().unwrap(), [1, 2, 3]);
        assert_eq!(made.report().fault, None);
        made
    }

    fn report(&self) -> Report {
        verify(&self.directory, None).unwrap()
    }

    fn lines(&self, number: u64) -> Vec<String> {
        let text = fs::read_to_string(self.directory.file(number)).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    fn put(&self, number: u64, lines: &[String]) {
        let text: String = lines.iter().map(|line| line.clone() + "\n").collect();
        fs::write(self.directory.file(number), text).unwrap();
    }

    fn tamper(&self, number: u64, change: impl FnOnce(&mut Vec<String>)) {
        let mut lines = self.lines(number);
        change(&mut lines);
        self.put(number, &lines);
    }

    #[track_caller]
    fn found(&self, file: &str, line: u64, kind: FaultKind, what: &str) {
        let fault = self.report().fault.expect("something is wrong");
        assert_eq!((fault.file.as_str(), fault.line, fault.kind), (file, line, kind), "{fault:?}");
        assert!(fault.what.contains(what), "{}", fault.what);
    }
}

const SECOND: &str = "audit-00000002.jsonl";

/// Proves AUDIT-8.
#[test]
fn an_edited_line_is_found_in_the_middle_and_at_the_end() {
    let log = Tampered::new();
    log.tamper(2, |lines| lines[1] = lines[1].replace("tester", "nobody"));
    log.found(SECOND, 2, FaultKind::Edited, "has the hash");

    let log = Tampered::new();
    let last = log.lines(3).len() as u64;
    log.tamper(3, |lines| {
        let line = lines.last_mut().unwrap();
        *line = line.replace("tester", "nobody");
    });
    log.found("audit-00000003.jsonl", last, FaultKind::Edited, "the head says");
}

/// Proves AUDIT-8.
#[test]
fn a_line_whose_link_was_edited_is_found_itself() {
    let log = Tampered::new();
    log.tamper(2, |lines| lines[1] = lines[1].replace("sha256:", "sha256:0"));
    log.found(SECOND, 2, FaultKind::Edited, "it is no line of this log: hash is");
    let log = Tampered::new();
    log.tamper(2, |lines| {
        let prev = lines[1].split("sha256:").nth(1).unwrap()[..64].to_owned();
        lines[1] = lines[1].replace(&prev, &"0".repeat(64));
    });
    log.found(SECOND, 2, FaultKind::Edited, "was written after sha256:0000");
}

/// Proves AUDIT-8.
#[test]
fn a_line_that_is_none_is_found() {
    let log = Tampered::new();
    log.tamper(1, |lines| lines[2] = "{}".to_owned());
    log.found("audit-00000001.jsonl", 3, FaultKind::Edited, "missing field `seq`");
}

/// Proves AUDIT-8.
#[test]
fn removed_lines_are_found_wherever_they_stood() {
    let log = Tampered::new();
    log.tamper(2, |lines| drop(lines.remove(1)));
    log.found(SECOND, 2, FaultKind::Removed, "are missing before it");

    let log = Tampered::new();
    log.tamper(2, |lines| drop(lines.remove(0)));
    log.found(SECOND, 1, FaultKind::Removed, "the first line of the file is missing");

    let log = Tampered::new();
    log.tamper(2, |lines| drop(lines.pop()));
    log.found("audit-00000003.jsonl", 1, FaultKind::Removed, "are missing before it");

    let log = Tampered::new();
    log.tamper(3, |lines| drop(lines.pop()));
    let left = log.lines(3).len() as u64;
    log.found("audit-00000003.jsonl", left, FaultKind::Truncated, "is the last, the head says");
}

/// Proves AUDIT-8.
#[test]
fn reordered_and_repeated_lines_are_found() {
    let log = Tampered::new();
    log.tamper(2, |lines| lines.swap(1, 2));
    log.found(SECOND, 2, FaultKind::Reordered, "stands where line");

    let log = Tampered::new();
    log.tamper(2, |lines| lines.insert(2, lines[1].clone()));
    log.found(SECOND, 3, FaultKind::Reordered, "stands where line");
}

/// Proves AUDIT-8.
#[test]
fn missing_and_swapped_files_are_found() {
    for (number, name) in [(1, "audit-00000001.jsonl"), (2, SECOND)] {
        let log = Tampered::new();
        fs::remove_file(log.directory.file(number)).unwrap();
        log.found(name, 0, FaultKind::Removed, "the file is missing");
    }
    let log = Tampered::new();
    fs::remove_file(log.directory.file(3)).unwrap();
    let left = log.lines(2).len() as u64;
    log.found(SECOND, left, FaultKind::Truncated, "is the last, the head says");

    let log = Tampered::new();
    let (first, second) = (log.lines(1), log.lines(2));
    log.put(1, &second);
    log.put(2, &first);
    log.found(
        "audit-00000001.jsonl",
        1,
        FaultKind::Swapped,
        "says that it is audit-00000002.jsonl",
    );
}

/// Proves AUDIT-8.
#[test]
fn a_head_that_is_missing_or_garbled_is_found() {
    let log = Tampered::new();
    let head = log.directory.path().join("head.json");
    fs::write(&head, "{").unwrap();
    log.found("head.json", 0, FaultKind::Edited, "head.json: ");
    fs::remove_file(&head).unwrap();
    log.found("head.json", 0, FaultKind::Removed, "the head is missing");
}

/// Proves AUDIT-9.
#[test]
fn a_log_that_was_written_anew_is_found_out_by_a_head_noted_elsewhere() {
    let (log, other) = (Tampered::new(), Tampered::new());
    let noted = log.report().last;
    assert_eq!(verify(&log.directory, Some(noted)).unwrap().fault, None);
    // The same count of lines, another story: everything in it fits.
    let bounds = ChainBounds { file_bytes_max: 900, files_max: 9 };
    fs::remove_dir_all(other.directory.path()).unwrap();
    let (mut chain, _) = Chain::open(other.directory.clone(), bounds, "bridge").unwrap();
    let line = AuditLine::by("forger").done("COUNT", "number=1".to_owned());
    let mut entries: VecDeque<_> =
        (0..20).map(|_| Entry { at: UnixMs(1), line: line.clone() }).collect();
    chain.append(&mut entries).unwrap();
    chain.sync().unwrap();
    assert_eq!(other.report().fault, None);
    let fault = verify(&other.directory, Some(noted)).unwrap().fault.unwrap();
    assert_eq!(fault.kind, FaultKind::Edited);
    assert!(fault.what.contains("the head that was noted says"), "{}", fault.what);
}

#[test]
fn a_line_that_is_being_written_is_no_fault() {
    let log = Tampered::new();
    let mut text = fs::read_to_string(log.directory.file(3)).unwrap();
    text.push_str("{\"seq\":");
    fs::write(log.directory.file(3), text).unwrap();
    let report = log.report();
    assert_eq!(report.fault, None);
    assert!(report.notes[0].contains("ends with 7 bytes of a line"), "{:?}", report.notes);
}

#[test]
fn a_state_directory_without_a_log_is_well() {
    let place = tempfile::tempdir().unwrap();
    let report = verify(&AuditDir::of(place.path()), None).unwrap();
    assert_eq!((report.fault, report.notes), (None, vec!["there is no audit log yet".to_owned()]));
}
