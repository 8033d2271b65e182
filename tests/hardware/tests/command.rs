//! The command itself, on a machine without a GPU and on one with a fake driver.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::process::Command;

use tests_fake_driver::{Machine, Script};

/// Proves GPU-16.
#[test]
fn without_a_gpu_nothing_is_measured_and_the_exit_code_says_so() {
    let machine = Machine::with(&Script::default(), &[]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_tests-hardware"));
    let said = machine.around(command.args(["--out", "/nonexistent"])).output().unwrap();
    assert_eq!(said.status.code(), Some(3));
    let text = String::from_utf8(said.stderr).unwrap();
    let start = "tests-hardware: no NVIDIA GPU here, and nothing was measured: load NVML: libnvidia-ml.so.1 is not on this machine";
    assert!(text.starts_with(start), "{text}");
    assert_eq!(
        Command::new(env!("CARGO_BIN_EXE_tests-hardware"))
            .arg("--help")
            .output()
            .unwrap()
            .status
            .code(),
        Some(2)
    );
}

/// Proves GPU-16.
#[test]
fn on_a_fake_driver_everything_is_run_and_the_report_says_fake() {
    let machine = Machine::new(&Script::default());
    let out = machine.path().join("out");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tests-hardware"));
    let said = machine
        .around(command.arg("--out").arg(&out).current_dir(tests_support::program::root()))
        .output()
        .unwrap();
    let page = std::fs::read_to_string(out.join("report.md")).unwrap_or_default();
    assert!(said.status.success(), "{page}{}", String::from_utf8_lossy(&said.stderr));
    assert!(page.contains("**FAKE: this was run on a fake driver"), "{page}");
    assert!(page.ends_with("All as wanted: yes\n"), "{page}");
    let report: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(out.join("report.json")).unwrap()).unwrap();
    assert_eq!((&report["fake"], &report["well"]), (&true.into(), &true.into()));
    assert_eq!(report["daemon"]["kill_to_usable_us"]["count"], 3);
}
