//! Bridge, NineDoor and shell as three processes over TCP.

use std::fs;

use tests_support::hive::Hive;

use crate::{example, reference, word};

/// Proves EX-4.
#[test]
fn the_same_job_runs_through_three_processes() {
    let hive = Hive::start();
    let out = hive.directory().join("out");
    let said = hive.says(&["run", word(&example("vadd.json")), "--out", word(&out)]).well();
    said.in_order(&[
        "staged",
        "lease",
        "QUEUED",
        "RUNNING",
        "OK",
        "output   sum.f32, 131072 bytes: 0, 3, 6, 9",
    ]);
    assert!(fs::read(out.join("sum.f32")).unwrap() == reference::vadd());

    let history = hive.says(&["hist", "-o", "json"]).well();
    let jobs: serde_json::Value = serde_json::from_str(&history.out).unwrap();
    assert_eq!((&jobs[0]["job"], &jobs[0]["state"]), (&"vadd".into(), &"OK".into()), "{history}");
    let leases = hive.says(&["lease", "ls", "-o", "json"]).well();
    assert!(!leases.out.contains("ACTIVE"), "the lease was given back\n{leases}");
}

/// Proves SH-13.
#[test]
fn an_input_that_is_staged_is_used_and_one_that_changed_is_refused() {
    let hive = Hive::start();
    let job = hive.directory().join("vadd.json");
    for name in ["vadd.json", "vadd.ptx", "vadd.a.f32", "vadd.b.f32"] {
        fs::copy(example(name), hive.directory().join(name)).unwrap();
    }
    let first = hive.says(&["run", word(&job)]).well();
    assert!(first.out.contains("staged"), "{first}");
    let again = hive.says(&["run", word(&job)]).well();
    assert!(!again.out.contains("staged"), "{again}");

    fs::write(hive.directory().join("vadd.a.f32"), [0; 131_072]).unwrap();
    let changed = hive.says(&["run", word(&job)]).with_code(6);
    assert!(
        changed.err.contains("/bundles/vadd.a.f32 is staged with other content than"),
        "{changed}"
    );
}

/// Proves SH-19.
#[test]
fn the_same_file_may_be_staged_twice_and_another_may_not_take_its_name() {
    let hive = Hive::start();
    let ptx = example("vadd.ptx");
    let first = hive.says(&["stage", word(&ptx)]).well();
    let again = hive.says(&["stage", word(&ptx)]).well();
    assert_eq!(first.out, again.out);
    let other = hive.says(&["stage", word(&example("matmul.ptx")), "vadd.ptx"]).with_code(6);
    assert!(other.err.contains("/bundles/vadd.ptx is staged with other content than"), "{other}");
}
