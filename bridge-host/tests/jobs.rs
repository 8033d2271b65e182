//! Jobs from the write to the result, on a bridge with real executor processes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod world;

use bridge_host::{AtomicsChoice, BackendChoice, SoftSettings};
use serde_json::{Value, json};
use world::{
    World, ctl, end_of, field, inline_job, order, ptx, records, sha256, submit, until_running,
};

const LEASE: &str = "LEASE mem_mb=64 streams=1 ttl_s=60";

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect()
}

fn bytes(floats: &[f32]) -> Vec<u8> {
    floats.iter().flat_map(|float| float.to_le_bytes()).collect()
}

fn example(name: &str) -> Vec<u8> {
    let path = format!("{}/../docs/examples/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Proves BR-10, BR-11.
#[tokio::test(flavor = "multi_thread")]
async fn vadd_is_staged_leased_run_and_read_back() {
    let world = World::soft().await;
    let worker = world.worker("worker-1", &["GPU-0"]).await;
    let module = example("vadd.ptx");
    let (a, b): (Vec<f32>, Vec<f32>) =
        (0..1000_u16).map(|i| (f32::from(i), 0.5 * f32::from(i))).unzip();
    worker.put("/bundles/vadd.ptx", &module).await.unwrap();
    worker.put("/bundles/a.f32", &bytes(&a)).await.unwrap();
    worker.put("/bundles/b.f32", &bytes(&b)).await.unwrap();
    let leased = ctl(&worker, "GPU-0", LEASE).await;
    assert!(leased.starts_with("OK LEASE id=lease-1 epoch="), "{leased}");

    let job = json!({
        "job": "jid-42", "kernel": "vadd", "grid": [4, 1, 1], "block": [256, 1, 1],
        "bytes_hash": sha256(&module), "inputs": ["/bundles/vadd.ptx", "/bundles/a.f32", "/bundles/b.f32"],
        "outputs": ["/worker/jid-42/result"], "timeout_ms": 10_000,
        "params": [{"in": "/bundles/a.f32"}, {"in": "/bundles/b.f32"},
                   {"out": "/worker/jid-42/result", "bytes": 4000}, {"u32": 1000}],
    });
    assert_eq!(submit(&worker, "GPU-0", &job).await, "OK JOB job=jid-42 lease=lease-1 pos=1");

    let records = records(&worker, "GPU-0", "jid-42").await;
    let states: Vec<_> = records.iter().map(|record| record["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["QUEUED", "RUNNING", "OK"]);
    let result = worker.read("/worker/jid-42/result").await.unwrap();
    let sums: Vec<f32> = a.iter().zip(&b).map(|(a, b)| a + b).collect();
    assert_eq!(floats(&result), sums);
    let ok = &records[2];
    assert_eq!(ok["outputs"][0]["path"], "/worker/jid-42/result");
    assert_eq!(format!("sha256:{}", ok["outputs"][0]["sha256"].as_str().unwrap()), sha256(&result));
    for time in ["queue_us", "h2d_us", "kernel_us", "d2h_us"] {
        assert!(ok[time].is_u64(), "{time} of {ok}");
    }
}

/// Proves BR-12.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_cannot_be_is_refused_at_the_write_and_nothing_is_launched() {
    let world = World::mock().await;
    let queen = world.queen().await;
    let module = ptx(&["k"]);
    queen.put("/bundles/k.ptx", module.as_bytes()).await.unwrap();
    queen.put("/bundles/a", &[0; 16]).await.unwrap();
    ctl(&queen, "GPU-0", LEASE).await;
    let good = json!({
        "job": "j", "kernel": "k", "grid": [1], "block": [32], "timeout_ms": 1000,
        "bytes_hash": sha256(module.as_bytes()), "inputs": ["/bundles/k.ptx", "/bundles/a"],
        "outputs": ["/worker/j/r"], "params": [{"out": "/worker/j/r", "bytes": 4}, {"u32": 1}],
    });
    let zeroes = format!("sha256:{}", "0".repeat(64));
    let cases = [
        (
            "bytes_hash",
            json!(zeroes),
            format!(
                "ERR JOB EINVAL bytes_hash: none of 2 inputs has {zeroes}, and there is no payload_b64"
            ),
        ),
        (
            "inputs",
            json!(["/bundles/gone"]),
            "ERR JOB ENOENT inputs[0]: /bundles/gone is not staged, write it first".into(),
        ),
        ("kernel", json!("l"), "ERR JOB EINVAL kernel: module has k, got l".into()),
        (
            "params",
            json!([{"out": "/worker/j/r", "bytes": 4}, {"i64": 1}]),
            "ERR JOB EINVAL params[1]: kernel takes 4 bytes at offset 8, got 8 (i64)".into(),
        ),
        (
            "params",
            json!([{"out": "/worker/j/r", "bytes": 4}]),
            "ERR JOB EINVAL params: kernel k takes 2, got 1".into(),
        ),
        (
            "format",
            json!("cubin"),
            "ERR JOB EINVAL format: the job says Cubin, the module is Ptx".into(),
        ),
        (
            "outputs",
            json!(["/worker/j/r", "/worker/j/s"]),
            "ERR JOB EINVAL outputs[1]: no parameter writes /worker/j/s".into(),
        ),
    ];
    for (key, value, status) in cases {
        let mut job = good.clone();
        job[key] = value;
        assert_eq!(submit(&queen, "GPU-0", &job).await, status);
    }
    for (key, value) in [
        ("grid", json!([0])),
        ("block", json!([2048])),
        ("nonsense", json!(1)),
        ("timeout_ms", Value::Null),
    ] {
        let mut job = good.clone();
        job[key] = value;
        let status = submit(&queen, "GPU-0", &job).await;
        assert!(status.starts_with("ERR JOB E") && status.contains(key), "{key}: {status}");
    }
    let mut big = good.clone();
    big["params"][0]["bytes"] = json!(65 << 20);
    let status = submit(&queen, "GPU-0", &big).await;
    assert!(status.starts_with("ERR JOB E"), "{status}");
    let stats = queen.read("/gpu/GPU-0/stats").await.unwrap();
    assert_eq!(
        stats.iter().filter(|byte| **byte == b'\n').count(),
        1,
        "only the sample: nothing was accepted"
    );
    assert!(submit(&queen, "GPU-0", &good).await.starts_with("OK JOB"));
}

/// Proves BR-12.
#[tokio::test(flavor = "multi_thread")]
async fn an_inline_module_with_another_hash_is_refused_and_the_right_one_runs() {
    let world = World::mock().await;
    let queen = world.queen().await;
    ctl(&queen, "GPU-0", LEASE).await;
    let mut job = inline_job("j", "anything");
    let right = job["bytes_hash"].clone();
    job["bytes_hash"] = json!(format!("sha256:{}", "1".repeat(64)));
    let status = submit(&queen, "GPU-0", &job).await;
    assert!(status.starts_with("ERR JOB EINVAL bytes_hash: payload_b64 has sha256:"), "{status}");
    job["bytes_hash"] = right;
    submit(&queen, "GPU-0", &job).await;
    assert_eq!(end_of(&queen, "GPU-0", "j").await, "OK");
    assert_eq!(queen.read("/worker/j/result").await.unwrap(), [0; 4]);
}

/// Proves EXEC-1.
#[tokio::test(flavor = "multi_thread")]
async fn a_kernel_that_will_not_stop_is_killed_and_the_next_job_runs() {
    let world = World::mock().await;
    let queen = world.queen().await;
    ctl(&queen, "GPU-0", LEASE).await;
    let mut hangs = inline_job("hangs", "mock_hangs");
    hangs["timeout_ms"] = json!(50);
    submit(&queen, "GPU-0", &hangs).await;
    submit(&queen, "GPU-0", &inline_job("next", "anything")).await;
    assert_eq!(end_of(&queen, "GPU-0", "hangs").await, "TIMEOUT");
    assert_eq!(end_of(&queen, "GPU-0", "next").await, "OK");
    assert!(queen.read("/worker/hangs/result").await.is_err(), "a job that failed has no outputs");
}

/// Proves EXEC-1.
#[tokio::test(flavor = "multi_thread")]
async fn a_kernel_that_listens_is_stopped_without_a_kill() {
    let world = World::mock().await;
    let queen = world.queen().await;
    ctl(&queen, "GPU-0", LEASE).await;
    submit(&queen, "GPU-0", &inline_job("waits", "mock_waits")).await;
    until_running(&queen, "GPU-0", "waits").await;
    assert_eq!(ctl(&queen, "GPU-0", "CANCEL waits").await, "OK CANCEL");
    assert_eq!(end_of(&queen, "GPU-0", "waits").await, "CANCELLED");
}

/// Proves EXEC-2.
#[tokio::test(flavor = "multi_thread")]
async fn an_executor_that_dies_or_faults_harms_one_lease_only() {
    let world = World::mock().await;
    let (victim, bystander) =
        (world.worker("victim", &["GPU-0"]).await, world.worker("bystander", &["GPU-1"]).await);
    ctl(&victim, "GPU-0", LEASE).await;
    ctl(&bystander, "GPU-1", LEASE).await;
    submit(&bystander, "GPU-1", &inline_job("calm", "mock_waits")).await;
    until_running(&bystander, "GPU-1", "calm").await;
    for (id, kernel, code) in [
        ("dies", "mock_dies", "LOST"),
        ("faults", "mock_fault", "FAULT"),
        ("oom", "mock_oom", "OOM"),
    ] {
        submit(&victim, "GPU-0", &inline_job(id, kernel)).await;
        assert_eq!(end_of(&victim, "GPU-0", id).await, code);
    }
    submit(&victim, "GPU-0", &inline_job("again", "anything")).await;
    assert_eq!(end_of(&victim, "GPU-0", "again").await, "OK");
    ctl(&bystander, "GPU-1", "CANCEL calm").await;
    assert_eq!(end_of(&bystander, "GPU-1", "calm").await, "CANCELLED");
}

/// Proves BR-13.
#[tokio::test(flavor = "multi_thread")]
async fn a_descriptor_larger_than_a_message_arrives_in_many_writes() {
    let world = World::mock().await;
    let queen = world.queen().await;
    ctl(&queen, "GPU-0", LEASE).await;
    let mut job = inline_job("large", "anything");
    // Blanks between tokens are JSON too: a record of more than half a megabyte, and then one without a newline at its end.
    let padded = format!("{}{}", " ".repeat(600_000), job);
    assert_eq!(field(&order(&queen, "/gpu/GPU-0/job", &padded).await, "job"), "large");
    assert_eq!(end_of(&queen, "GPU-0", "large").await, "OK");
    job = inline_job("unterminated", "anything");
    queen.append("/gpu/GPU-0/job", job.to_string().as_bytes()).await.unwrap();
    assert_eq!(end_of(&queen, "GPU-0", "unterminated").await, "OK");
}

/// Proves BR-14.
#[tokio::test(flavor = "multi_thread")]
async fn inout_starts_as_its_artefact_and_is_written_back() {
    let world = World::mock().await;
    let queen = world.queen().await;
    queen.put("/bundles/seed", b"seed").await.unwrap();
    ctl(&queen, "GPU-0", LEASE).await;
    let mut job = inline_job("io", "anything");
    job["inputs"] = json!(["/bundles/seed"]);
    job["params"][0] = json!({"inout": "/worker/io/result", "init": "/bundles/seed"});
    submit(&queen, "GPU-0", &job).await;
    assert_eq!(end_of(&queen, "GPU-0", "io").await, "OK");
    assert_eq!(queen.read("/worker/io/result").await.unwrap(), b"seed");
}

/// Proves EXEC-4.
#[tokio::test(flavor = "multi_thread")]
async fn a_lease_of_two_streams_runs_two_jobs_at_once() {
    let world = World::mock().await;
    let queen = world.queen().await;
    ctl(&queen, "GPU-0", "LEASE mem_mb=64 streams=2 ttl_s=60").await;
    submit(&queen, "GPU-0", &inline_job("waits", "mock_waits")).await;
    until_running(&queen, "GPU-0", "waits").await;
    submit(&queen, "GPU-0", &inline_job("beside", "anything")).await;
    assert_eq!(end_of(&queen, "GPU-0", "beside").await, "OK", "while the other still runs");
    ctl(&queen, "GPU-0", "CANCEL waits").await;
    assert_eq!(end_of(&queen, "GPU-0", "waits").await, "CANCELLED");
}

/// In each of 16 blocks thread 0 draws two tickets, one after the other.
const TICKETS: &str = r"
.version 8.0
.target sm_80
.address_size 64
.visible .entry tickets(.param .u64 drawn, .param .u64 out)
{
    .reg .b64 %rd<5>; .reg .b32 %r<5>; .reg .pred %p<2>;
    ld.param.u64 %rd1, [drawn];
    ld.param.u64 %rd2, [out];
    mov.u32 %r1, %tid.x;
    setp.ne.s32 %p1, %r1, 0;
    @%p1 bra $E;
    mov.u32 %r2, %ctaid.x;
    mul.wide.u32 %rd3, %r2, 8;
    add.s64 %rd4, %rd2, %rd3;
    atom.global.add.u32 %r3, [%rd1], 1;
    atom.global.add.u32 %r4, [%rd1], 1;
    st.global.v2.u32 [%rd4], {%r3, %r4};
$E: ret;
}
";

/// Proves CONF-8.
#[tokio::test(flavor = "multi_thread")]
async fn the_software_gpu_is_what_the_settings_say() {
    for (atomics, version, in_order) in [
        (AtomicsChoice::InOrder, "", true),
        (AtomicsChoice::AsTheyCome, "+atomics-as-they-come", false),
    ] {
        let world = World::with(BackendChoice::Soft, |config| {
            config.soft = SoftSettings { gpus: 2, memory_mb: 256, cores: 1, atomics };
        })
        .await;
        let queen = world.queen().await;
        let info: Value =
            serde_json::from_slice(&queen.read("/gpu/GPU-1/info").await.unwrap()).unwrap();
        let runtime = info["runtime_version"].as_str().unwrap();
        assert_eq!(info["memory_mb"], 256);
        assert_eq!(info["sm_count"], 1);
        assert_eq!(runtime.trim_start_matches(info["driver_version"].as_str().unwrap()), version);

        queen.put("/bundles/tickets.ptx", TICKETS.as_bytes()).await.unwrap();
        queen.put("/bundles/zero", &[0; 4]).await.unwrap();
        assert!(ctl(&queen, "GPU-1", LEASE).await.starts_with("OK LEASE"));
        let job = json!({
            "job": "t", "kernel": "tickets", "grid": [16], "block": [32], "timeout_ms": 10_000,
            "bytes_hash": sha256(TICKETS.as_bytes()), "inputs": ["/bundles/tickets.ptx", "/bundles/zero"],
            "outputs": ["/worker/t/drawn"],
            "params": [{"in": "/bundles/zero"}, {"out": "/worker/t/drawn", "bytes": 128}],
        });
        assert!(submit(&queen, "GPU-1", &job).await.starts_with("OK JOB"));
        assert_eq!(records(&queen, "GPU-1", "t").await.last().unwrap()["state"], "OK");
        let drawn = queen.read("/worker/t/drawn").await.unwrap();
        let tickets: Vec<_> = drawn
            .chunks_exact(4)
            .map(|four| u32::from_le_bytes(four.try_into().unwrap()))
            .collect();
        let wanted: Vec<_> = (0..32).collect();
        // where order is of no account, several blocks draw side by side
        assert_eq!(tickets == wanted, in_order, "{tickets:?}");
        let mut all = tickets;
        all.sort_unstable();
        assert_eq!(all, wanted);
    }
}
