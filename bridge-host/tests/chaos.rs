//! Many jobs at once, most of them up to no good: every one ends exactly once, and the bridge is none the worse.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod world;

use serde_json::json;
use world::{World, ctl, end_of, inline_job, submit};

/// What a job of each kind may end as. One that shares its lease with others may be lost with their executor.
const KINDS: [(&str, &[&str]); 6] = [
    ("anything", &["OK", "LOST"]),
    ("mock_oom", &["OOM", "LOST"]),
    ("mock_fault", &["FAULT", "LOST"]),
    ("mock_dies", &["LOST"]),
    ("mock_waits", &["TIMEOUT", "LOST"]),
    ("mock_hangs", &["TIMEOUT", "LOST"]),
];

async fn misbehave(worker: secure9p_tokio::Root, name: String, gpu: &'static str) {
    let leased = ctl(&worker, gpu, "LEASE mem_mb=64 streams=2 ttl_s=600").await;
    assert!(leased.starts_with("OK LEASE"), "{leased}");
    for (kernel, _) in KINDS {
        let mut job = inline_job(&format!("{name}-{kernel}"), kernel);
        if matches!(kernel, "mock_waits" | "mock_hangs") {
            job["timeout_ms"] = json!(40);
        }
        let accepted = submit(&worker, gpu, &job).await;
        assert!(accepted.starts_with("OK JOB"), "{accepted}");
    }
    for (kernel, ends) in KINDS {
        let end = end_of(&worker, gpu, &format!("{name}-{kernel}")).await;
        assert!(
            ends.contains(&end.as_str()),
            "{name}-{kernel} ended {end}, wanted one of {ends:?}"
        );
    }
}

/// Proves EXEC-5.
#[tokio::test(flavor = "multi_thread")]
async fn every_job_of_a_bad_day_ends_exactly_once() {
    let world = World::mock().await;
    let mut workers = tokio::task::JoinSet::new();
    for (index, gpu) in ["GPU-0", "GPU-1", "GPU-0", "GPU-1"].into_iter().enumerate() {
        let name = format!("worker-{index}");
        let worker = world.worker(&name, &[gpu]).await;
        workers.spawn(misbehave(worker, name, gpu));
    }
    while let Some(done) = workers.join_next().await {
        done.unwrap();
    }
    let queen = world.queen().await;
    for gpu in ["GPU-0", "GPU-1"] {
        ctl(&queen, gpu, "LEASE mem_mb=64 streams=1 ttl_s=60").await;
        let id = format!("after-{gpu}");
        submit(&queen, gpu, &inline_job(&id, "anything")).await;
        assert_eq!(end_of(&queen, gpu, &id).await, "OK");
    }
}
