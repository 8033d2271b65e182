//! `.coh` scripts against a hive.

use std::fs;

use tempfile::TempDir;
use tests_support::program::command;
use tests_support::said::Said;

use crate::{example, word};

fn run_script(option: &str, text: &str) -> Said {
    let directory = TempDir::new().unwrap();
    let script = directory.path().join("test.coh");
    fs::write(&script, text).unwrap();
    Said::by(command("cohsh").args([option, word(&script)]))
}

/// Proves SH-4, SH-7.
#[test]
fn a_script_that_goes_well_shows_every_acknowledgement() {
    let job = example("vadd.json");
    let text = format!(
        "# a whole job\nping\nEXPECT OK\nrun {}\nEXPECT SUBSTR 0, 3, 6, 9\nEXPECT NOT ERR\n\
         cat /nowhere\nEXPECT ERR\nEXPECT SUBSTR ENOENT\nWAIT 1\n",
        word(&job)
    );
    let said = run_script("--script", &text).well();
    said.in_order(&["OK PING", "OK RUN job=vadd gpu=GPU-0", "ERR CAT reason=policy"]);
}

/// Proves SH-7.
#[test]
fn a_script_stops_at_the_first_failure_and_says_where() {
    let said = run_script("--script", "ls /\nls /gpu\n\ncat /nowhere\nls /never\n").with_code(3);
    let report = &said.err;
    assert!(report.contains("script stopped at line 4: "), "{said}");
    assert!(report.contains("last command: cat /nowhere"), "{said}");
    assert!(report.contains("  OK LS path=/gpu entries=1"), "{said}");
    assert!(!said.out.contains("/never"), "{said}");
}

/// Proves SH-7.
#[test]
fn an_expectation_that_is_not_met_fails_the_script() {
    let said = run_script("--script", "ls /gpu\nEXPECT SUBSTR GPU-9\n").with_code(1);
    let wanted = "line 2: expected \"GPU-9\" in the answer, got OK LS path=/gpu entries=1";
    assert!(said.err.contains(wanted), "{said}");
}

/// Proves SH-7.
#[test]
fn a_check_runs_nothing() {
    assert_eq!(run_script("--check", "run /nowhere/job.json\n").well().out, "");
    let said = run_script("--check", "ls /\nfly\n").with_code(2);
    assert!(said.err.contains("line 2: unrecognized subcommand 'fly'"), "{said}");
}
