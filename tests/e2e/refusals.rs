//! What must be refused: with the documented error, nothing launched, and the servers alive afterwards.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};
use tests_support::hive::Hive;
use tests_support::said::Said;

use crate::{example, word};

/// A hive where everything for `vadd` is staged and a lease is held, and its descriptor to be spoilt.
struct Prepared {
    hive: Hive,
    job: Value,
}

impl Prepared {
    fn new() -> Self {
        let hive = Hive::start();
        for name in ["vadd.ptx", "vadd.a.f32", "vadd.b.f32"] {
            let _ = hive.says(&["stage", word(&example(name))]).well();
        }
        let _ = hive.says(&["lease", "get", "--mem", "32M"]).well();
        let job = fs::read(example("vadd.json")).unwrap();
        Self { hive, job: serde_json::from_slice(&job).unwrap() }
    }

    /// Submits the spoilt job: it must be refused with this exit code and text, and nothing may come of it.
    #[track_caller]
    fn must_be_refused(self, code: i32, text: &str) {
        let record = self.job.to_string();
        let said = self.hive.says(&["echo", &record, ">", "/gpu/GPU-0/job"]).with_code(code);
        assert!(said.err.contains(text), "{text:?} is not said\n{said}");
        let stats = self.hive.says(&["cat", "/gpu/GPU-0/stats"]).well();
        assert!(!stats.out.contains(r#""job":"vadd""#), "something came of it\n{stats}");
        assert_alive(&self.hive);
    }
}

/// A whole job still goes through.
#[track_caller]
fn assert_alive(hive: &Hive) {
    let said = hive.says(&["run", word(&example("vadd.json"))]).well();
    said.in_order(&["OK", "0, 3, 6, 9"]);
}

/// Proves EX-8.
#[test]
fn a_module_with_another_hash_must_be_refused() {
    let mut prepared = Prepared::new();
    prepared.job["bytes_hash"] = format!("sha256:{}", "00".repeat(32)).into();
    prepared.must_be_refused(6, "bytes_hash");
}

/// Proves EX-8.
#[test]
fn an_artefact_that_is_not_staged_must_be_refused() {
    let mut prepared = Prepared::new();
    prepared.job["inputs"][1] = "/bundles/nothing.f32".into();
    prepared.job["params"][0] = json!({ "in": "/bundles/nothing.f32" });
    prepared.must_be_refused(3, "/bundles/nothing.f32");
}

/// Proves EX-8.
#[test]
fn a_kernel_that_the_module_does_not_have_must_be_refused() {
    let mut prepared = Prepared::new();
    prepared.job["kernel"] = "vsub".into();
    prepared.must_be_refused(6, "vsub");
}

/// Proves EX-8.
#[test]
fn a_block_beyond_the_gpu_must_be_refused() {
    let mut prepared = Prepared::new();
    prepared.job["block"] = json!([4096, 1, 1]);
    prepared.must_be_refused(6, "block");
}

/// Proves EX-8.
#[test]
fn parameters_that_the_kernel_does_not_take_are_refused() {
    let mut prepared = Prepared::new();
    prepared.job["params"][3] = json!({ "i64": 32768 });
    prepared.must_be_refused(6, "params[3]: kernel takes 4 bytes at offset 24, got 8 (i64)");
}

/// Proves EX-8.
#[test]
fn more_memory_than_the_lease_has_must_be_refused() {
    let mut prepared = Prepared::new();
    prepared.job["params"][2]["bytes"] = (64_u64 << 20).into();
    prepared.must_be_refused(3, "32");
}

/// Proves EX-8.
#[test]
fn a_ticket_whose_time_is_over_must_be_refused() {
    let hive = Hive::start();
    let ticket = hive.mint(&["--role", "queen", "--ttl", "1s"]);
    let says = || Said::by(hive.shell_with(&ticket).args(["ls", "/gpu"]));
    // It holds for a second; each question takes some of it, and one may be cut short by its end.
    std::iter::repeat_with(says).find(|said| said.code != Some(0)).unwrap();
    let refused = says().with_code(3);
    assert!(refused.err.contains("cannot attach to"), "{refused}");
    assert_alive(&hive);
}

/// Proves EX-8.
#[test]
fn a_malformed_frame_ends_that_connection_only() {
    let mut hive = Hive::start();
    for server in [hive.ninedoor.uri(), hive.bridge.uri()] {
        let address = server.strip_prefix("tcp://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: gpu\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        // Closed or reset, as the system likes; what matters is that it ends.
        let _ = stream.read_to_end(&mut answer);
        assert!(answer.is_empty(), "{answer:?}");
    }
    assert!(hive.bridge.is_alive() && hive.ninedoor.is_alive());
    assert_alive(&hive);
}
