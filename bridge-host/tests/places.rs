//! Executors that cannot be had: too few for all leases, or none that starts.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod world;

use bridge_host::BackendChoice;
use secure9p_tokio::Root;

use world::{World, ctl, end_of, inline_job, records, submit};

const GPU: &str = "GPU-0";
const LEASE: &str = "LEASE mem_mb=64 streams=1 ttl_s=60";

async fn worker_with_lease(world: &World, name: &str) -> Root {
    let worker = world.worker(name, &[GPU]).await;
    assert!(ctl(&worker, GPU, LEASE).await.starts_with("OK LEASE"));
    worker
}

/// Proves JOB-26.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_ends_when_the_program_of_executors_is_not_there() {
    let world = World::with(BackendChoice::Mock, |config| {
        config.executors.program = Some("/nowhere/executor".into());
        config.executors.starts_max = 2;
    })
    .await;
    let worker = worker_with_lease(&world, "w").await;
    assert!(submit(&worker, GPU, &inline_job("j", "k")).await.starts_with("OK JOB"));
    let records = records(&worker, GPU, "j").await;
    let end = records.last().unwrap();
    assert_eq!((&end["state"], &end["code"]), (&"ERR".into(), &"EXECUTOR".into()));
    let detail = end["detail"].as_str().unwrap();
    assert!(detail.starts_with("no executor was ready after 2 tries in a row; "), "{detail}");
    assert!(detail.contains("/nowhere/executor"), "{detail}");
    let log = world.queen().await.read("/log/bridge.log").await.unwrap();
    let log = String::from_utf8(log).unwrap();
    assert!(log.lines().any(|line| line.contains("ERR END EXECUTOR")), "{log}");
}

/// Proves JOB-27.
#[tokio::test(flavor = "multi_thread")]
async fn more_leases_than_executors_all_get_their_jobs_done() {
    let world = World::with(BackendChoice::Mock, |config| {
        config.executors.max = 2;
        config.executors.spares = 1;
    })
    .await;
    let mut workers = Vec::new();
    for name in ["a", "b", "c", "d", "e"] {
        workers.push((name, worker_with_lease(&world, name).await));
    }
    for round in 0..2 {
        for (name, worker) in &workers {
            let status = submit(worker, GPU, &inline_job(&format!("{name}-{round}"), "k")).await;
            assert!(status.starts_with("OK JOB"), "{status}");
        }
        for (name, worker) in &workers {
            assert_eq!(end_of(worker, GPU, &format!("{name}-{round}")).await, "OK");
        }
    }
}
