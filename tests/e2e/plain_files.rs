//! A job with nothing but files: no verb that knows what a job or a lease is.

use std::fs;

use tests_support::hive::Hive;
use tests_support::said::Said;

use crate::{example, reference, word};

/// Polls are separate programs; this many take longer than any job of ours.
const POLLS_MAX: usize = 2000;

/// Proves EX-5.
#[test]
fn a_job_runs_with_nothing_but_ls_cat_echo_and_stage() {
    let hive = Hive::start();
    for name in ["vadd.ptx", "vadd.a.f32", "vadd.b.f32"] {
        let _ = hive.says(&["stage", word(&example(name))]).well();
    }
    let bundles = hive.says(&["ls", "/bundles"]).well();
    assert_eq!(bundles.out, "vadd.a.f32\nvadd.b.f32\nvadd.ptx\n");

    let _ = write(&hive, "LEASE mem_mb=32 streams=1 ttl_s=60", "/gpu/GPU-0/ctl").well();
    let control = hive.says(&["cat", "/gpu/GPU-0/ctl"]).well();
    assert!(control.out.contains("OK LEASE id=lease-1 epoch="), "{control}");

    let job = fs::read_to_string(example("vadd.json")).unwrap().replace('\n', " ");
    let _ = write(&hive, &job, "/gpu/GPU-0/job").well();
    let stats = until(&hive, "/gpu/GPU-0/stats", r#""state":"OK""#);
    stats.in_order(&[r#""state":"QUEUED""#, r#""state":"RUNNING""#, r#""state":"OK""#]);

    let result = hive.directory().join("sum.f32");
    let _ = hive.says(&["cat", "/worker/vadd/sum.f32", "--out", word(&result)]).well();
    assert!(fs::read(result).unwrap() == reference::vadd());
}

fn write(hive: &Hive, text: &str, path: &str) -> Said {
    hive.says(&["echo", text, ">", path])
}

fn until(hive: &Hive, path: &str, text: &str) -> Said {
    let found = (0..POLLS_MAX)
        .map(|_| hive.says(&["cat", path]).well())
        .find(|said| said.out.contains(text));
    found.unwrap_or_else(|| panic!("{path} never says {text}"))
}
