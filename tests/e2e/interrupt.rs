//! Jobs that nobody waits for: their leases are kept alive, and given back at Ctrl-C.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tests_support::hive::Hive;
use tests_support::program::command;
use tests_support::running::Running;

use crate::{example, word};

/// The Mandelbrot set with so many steps that nobody waits for it.
fn long_job(directory: &Path) -> PathBuf {
    let job = fs::read_to_string(example("mandelbrot.json")).unwrap();
    let job = job.replace(r#"{"i32": 256}"#, r#"{"i32": 2000000000}"#);
    fs::copy(example("mandelbrot.ptx"), directory.join("mandelbrot.ptx")).unwrap();
    let file = directory.join("mandelbrot.json");
    fs::write(&file, job).unwrap();
    file
}

/// Proves SH-3, SH-14.
#[test]
fn ctrl_c_cancels_the_job_and_gives_the_lease_back() {
    let hive = Hive::start();
    let job = long_job(hive.directory());
    let mut running = Running::follow(hive.shell().args(["run", word(&job)]));
    running.until_line("RUNNING");
    running.interrupt();
    assert_eq!(running.until_end(), Some(130));

    let jobs = hive.says(&["hist", "-o", "csv", "--no-header"]).well();
    assert!(jobs.out.contains("CANCELLED"), "{jobs}");
    let leases = hive.says(&["lease", "ls", "-o", "csv"]).well();
    assert!(leases.out.contains("RELEASED") && !leases.out.contains("ACTIVE"), "{leases}");
}

/// Proves SH-14.
#[test]
fn ctrl_c_reaches_the_shell_before_the_executor_of_its_own_hive() {
    let directory = TempDir::new().unwrap();
    let job = long_job(directory.path());
    let report = directory.path().join("stderr");
    let stderr = fs::File::create(&report).unwrap();
    let mut running = Running::follow(command("cohsh").args(["run", word(&job)]).stderr(stderr));
    running.until_line("RUNNING");
    running.interrupt();
    assert_eq!(running.until_end(), Some(130));
    assert_eq!(fs::read_to_string(report).unwrap(), "ERR RUN reason=interrupt interrupted\n");
}

/// Proves SH-14.
#[test]
fn a_lease_is_renewed_while_the_job_goes_on() {
    let hive = Hive::start();
    let job = long_job(hive.directory());
    let running = Running::follow(hive.shell().args(["run", word(&job), "--ttl", "1s"]));
    running.until_line("RUNNING");
    let deadline_ms = || {
        let lease = hive.says(&["cat", "/gpu/GPU-0/lease"]).well();
        let record: serde_json::Value =
            serde_json::from_str(lease.out.lines().next().unwrap()).unwrap();
        assert_eq!(record["state"], "ACTIVE", "{lease}");
        record["deadline_ms"].as_u64().unwrap()
    };
    let first_ms = deadline_ms();
    // Twice the term: without renewal it would have ended by then.
    std::iter::repeat_with(deadline_ms).find(|now_ms| *now_ms > first_ms + 2000).unwrap();
}
