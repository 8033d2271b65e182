//! Large data goes through the daemon without staying in it. One test, in a process of its own: it looks at that process's memory.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod world;

use std::fs;

use secure9p::OpenFlags;
use serde_json::json;
use world::{World, ctl, end_of, inline_job, submit};

/// Of the artefact, and of the output that begins as it.
const BYTES: u64 = 128 << 20;
const PIECE_BYTES: usize = 1 << 20;

/// What the daemon, its client and the test may need beside it.
const BESIDE_BYTES: u64 = 48 << 20;
const _: () = assert!(BESIDE_BYTES < BYTES / 2);

/// The most memory that this process has had since the last time.
fn peak_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kib: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    fs::write("/proc/self/clear_refs", "5").unwrap();
    kib * 1024
}

/// Proves ART-15.
#[tokio::test(flavor = "multi_thread")]
async fn an_artefact_and_an_output_larger_than_its_memory_go_through_the_daemon() {
    let world = World::mock().await;
    let queen = world.queen().await;
    ctl(&queen, "GPU-0", "LEASE mem_mb=256 streams=1 ttl_s=600").await;
    peak_bytes();
    let before = peak_bytes();

    let staged = queen.create("/bundles/large", OpenFlags::WRONLY, 0o644).await.unwrap();
    let piece = vec![7; PIECE_BYTES];
    let mut at = 0;
    while at < BYTES {
        staged.write_at(at, &piece).await.unwrap();
        at += piece.len() as u64;
    }
    staged.close().await.unwrap();
    let mut job = inline_job("large", "anything");
    job["inputs"] = json!(["/bundles/large"]);
    job["timeout_ms"] = json!(60_000);
    job["params"][0] = json!({"inout": "/worker/large/result", "init": "/bundles/large"});
    submit(&queen, "GPU-0", &job).await;
    assert_eq!(end_of(&queen, "GPU-0", "large").await, "OK");
    let result = queen.open("/worker/large/result", OpenFlags::RDONLY).await.unwrap();
    let mut at = 0;
    loop {
        let bytes = result.read_at(at, PIECE_BYTES).await.unwrap();
        if bytes.is_empty() {
            break;
        }
        assert!(bytes == piece[..bytes.len()], "at {at}");
        at += bytes.len() as u64;
    }
    assert_eq!(at, BYTES);

    let grown = peak_bytes().saturating_sub(before);
    eprintln!("{grown} bytes more at the peak, of {BYTES} in and out");
    assert!(grown < BESIDE_BYTES, "{grown} bytes more at the peak");
}
