//! The real program on machines with NVIDIA GPUs, as far as it can tell: what it does when the driver, a GPU or a job goes wrong.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod world;

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use secure9p_tokio::{Client, ConnectOptions, Root, Uri};
use serde_json::{Value, json};
use tempfile::TempDir;
use tests_fake_driver::{Device, Library, Machine, Script};
use world::{ctl, end_of, inline_job, records, submit, until_running};

const LEASE: &str = "LEASE mem_mb=64 streams=1 ttl_s=600";

/// Longer than anything here takes, on a machine that builds something else at the same time.
const PATIENCE: Duration = Duration::from_secs(120);

fn program() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_gpu-bridge-host"));
    program.env("RUST_LOG", "warn").env_remove("COHESIX_STATE_DIR");
    program
}

fn run(machine: &Machine, words: &[&str]) -> Output {
    machine.around(program().args(words)).output().unwrap()
}

/// A bridge on a machine; killed when it is dropped.
struct Bridge {
    machine: Machine,
    child: Child,
    uri: Uri,
    _state: TempDir,
}

impl Bridge {
    fn on(script: &Script) -> Self {
        Self::start(Machine::new(script), &["--backend", "nvidia"])
    }

    fn start(machine: Machine, words: &[&str]) -> Self {
        let state = tempfile::tempdir().unwrap();
        let socket = format!("unix://{}/socket", state.path().display());
        let mut command = program();
        command
            .args(["serve", "--listen", &socket, "--state-dir"])
            .arg(state.path().join("state"))
            .args(words);
        let mut child = machine.around(&mut command).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let uri =
            line.trim_end().strip_prefix("listening ").expect("where it listens").parse().unwrap();
        Self { machine, child, uri, _state: state }
    }

    /// The server's own user needs no ticket.
    async fn queen(&self) -> Root {
        let client = Client::connect(&self.uri, ConnectOptions::default()).await.unwrap();
        client.attach("queen", "").await.unwrap()
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn info(root: &Root, gpu: &str) -> Value {
    let text = root.read(&format!("/gpu/{gpu}/info")).await.unwrap();
    serde_json::from_slice(&text).unwrap()
}

/// Waits until a GPU's health is as wanted; gives what is said of it.
async fn until_health(root: &Root, gpu: &str, state: &str) -> String {
    let looking = async {
        loop {
            let health = info(root, gpu).await["health"].take();
            if health["state"] == state {
                return health["detail"].as_str().unwrap_or("").to_owned();
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.unwrap_or_else(|_| panic!("{gpu} is not {state}"))
}

/// Runs one kernel of the fake device; `OK`, or the code of its `ERR`.
async fn run_job(root: &Root, gpu: &str, id: &str, kernel: &str) -> String {
    let status = submit(root, gpu, &inline_job(id, kernel)).await;
    assert!(status.starts_with("OK"), "{status}");
    end_of(root, gpu, id).await
}

async fn last_record(root: &Root, gpu: &str, id: &str) -> Value {
    records(root, gpu, id).await.pop().unwrap()
}

/// Proves LEASE-23.
#[tokio::test(flavor = "multi_thread")]
async fn leases_leave_room_for_the_contexts_of_their_executors() {
    let bridge = Bridge::on(&Script::default());
    let queen = bridge.queen().await;
    let facts = info(&queen, "GPU-0").await;
    let of = |key: &str| facts[key].as_u64().unwrap();
    assert_eq!((of("memory_mb"), of("memory_reserved_mb"), of("executor_mb")), (4096, 256, 512));
    let lease = async |worker: &str, mem_mb: u32| {
        let line = format!("LEASE mem_mb={mem_mb} streams=1 ttl_s=60 worker={worker}");
        ctl(&queen, "GPU-0", &line).await
    };
    assert_eq!(
        lease("a", 3329).await,
        "ERR LEASE EINVAL mem_mb is 3329, gpu GPU-0 has 3328 for a lease and 512 for its executor"
    );
    assert!(lease("a", 1408).await.starts_with("OK LEASE id=lease-1 "));
    let refused = lease("b", 1409).await;
    let why = "ERR LEASE EBUSY gpu GPU-0 has 1920 of 3840 MiB free, of which an executor takes 512";
    assert!(refused.starts_with(why), "{refused}");
    assert!(lease("b", 1408).await.starts_with("OK LEASE id=lease-2 "));
}

/// Proves GPU-11.
#[tokio::test(flavor = "multi_thread")]
async fn errors_of_a_job_cost_its_executor_at_most_and_the_next_job_runs() {
    let bridge = Bridge::on(&Script::default());
    let queen = bridge.queen().await;
    assert!(ctl(&queen, "GPU-0", LEASE).await.starts_with("OK"));
    assert_eq!(run_job(&queen, "GPU-0", "first", "nothing").await, "OK");
    for (code, end) in [
        (700, "FAULT"),
        (716, "FAULT"),
        (719, "FAULT"),
        (214, "DEVICE"),
        (999, "DEVICE"),
        (9999, "DEVICE"),
    ] {
        let id = format!("bad-{code}");
        assert_eq!(run_job(&queen, "GPU-0", &id, &format!("code_{code}")).await, end);
        let record = last_record(&queen, "GPU-0", &id).await;
        assert_eq!(record["sticky"], true, "{record}");
        assert!(
            record["detail"].as_str().unwrap().contains(&format!("(CUresult {code})")),
            "{record}"
        );
        assert_eq!(run_job(&queen, "GPU-0", &format!("after-{code}"), "nothing").await, "OK");
    }
    assert_eq!(info(&queen, "GPU-0").await["health"]["state"], "ok");
}

/// Proves GPU-11.
#[tokio::test(flavor = "multi_thread")]
async fn a_kernel_that_never_ends_is_ended_and_the_next_job_runs() {
    let bridge = Bridge::on(&Script::default());
    let queen = bridge.queen().await;
    ctl(&queen, "GPU-0", LEASE).await;
    let mut job = inline_job("endless", "forever");
    job["timeout_ms"] = json!(300);
    submit(&queen, "GPU-0", &job).await;
    assert_eq!(end_of(&queen, "GPU-0", "endless").await, "TIMEOUT");
    assert_eq!(run_job(&queen, "GPU-0", "after", "nothing").await, "OK");
}

/// Proves GPU-11.
#[tokio::test(flavor = "multi_thread")]
async fn memory_that_the_driver_has_not_is_the_jobs_trouble_alone() {
    let bridge = Bridge::on(&Script::default());
    let queen = bridge.queen().await;
    ctl(&queen, "GPU-0", LEASE).await;
    assert_eq!(run_job(&queen, "GPU-0", "first", "nothing").await, "OK");
    bridge.machine.rewrite(&Script::default().fail("cuMemAllocFromPoolAsync", 0, 2));
    assert_eq!(run_job(&queen, "GPU-0", "hungry", "nothing").await, "OOM");
    assert_eq!(last_record(&queen, "GPU-0", "hungry").await["sticky"], false);
    bridge.machine.rewrite(&Script::default());
    assert_eq!(run_job(&queen, "GPU-0", "after", "nothing").await, "OK");
}

/// Proves GPU-12, GPU-14.
#[tokio::test(flavor = "multi_thread")]
async fn an_xid_that_wants_a_reset_ends_what_runs_and_a_passed_self_test_brings_the_gpu_back() {
    let bridge = Bridge::on(&Script::default());
    let queen = bridge.queen().await;
    ctl(&queen, "GPU-0", LEASE).await;
    submit(&queen, "GPU-0", &inline_job("running", "forever")).await;
    until_running(&queen, "GPU-0", "running").await;
    bridge.machine.tell(8, 95, 0);
    let why = until_health(&queen, "GPU-0", "unusable").await;
    assert_eq!(why, "xid 95; to do: reset it, with nvidia-smi --gpu-reset, then UNDRAIN");
    assert_eq!(end_of(&queen, "GPU-0", "running").await, "RESET");
    let refused = submit(&queen, "GPU-0", &inline_job("later", "nothing")).await;
    assert!(refused.starts_with("ERR JOB") && refused.contains("xid 95"), "{refused}");
    let stats = String::from_utf8(queen.read("/gpu/GPU-0/stats").await.unwrap()).unwrap();
    assert!(stats.lines().next().unwrap().contains(r#""health":"unusable""#), "{stats}");

    assert_eq!(ctl(&queen, "GPU-0", "UNDRAIN").await, "OK UNDRAIN self_test=running");
    until_health(&queen, "GPU-0", "ok").await;
    assert_eq!(run_job(&queen, "GPU-0", "after", "nothing").await, "OK");
    let log = String::from_utf8(queen.read("/log/bridge.log").await.unwrap()).unwrap();
    for words in [
        "EVENT gpu=GPU-0 remedy=drain_and_reset",
        "HEALTH gpu=GPU-0 state=unusable",
        "HEALTH gpu=GPU-0 state=ok",
    ] {
        assert!(log.contains(words), "no {words:?} in {log}");
    }
}

/// Proves GPU-14.
#[tokio::test(flavor = "multi_thread")]
async fn a_gpu_that_computes_wrongly_or_fails_stays_out_of_use() {
    let bridge = Bridge::on(&Script::default());
    let queen = bridge.queen().await;
    assert_eq!(ctl(&queen, "GPU-0", "DRAIN").await, "OK DRAIN");
    bridge.machine.rewrite(&Script::default().fail("cuStreamSynchronize", 0, 719));
    ctl(&queen, "GPU-0", "UNDRAIN").await;
    let why = until_health(&queen, "GPU-0", "unusable").await;
    assert!(why.starts_with("self-test failed: "), "{why}");
    let refused = ctl(&queen, "GPU-0", LEASE).await;
    assert!(refused.starts_with("ERR LEASE"), "{refused}");
    bridge.machine.rewrite(&Script::default());
    ctl(&queen, "GPU-0", "UNDRAIN").await;
    until_health(&queen, "GPU-0", "ok").await;
    assert!(ctl(&queen, "GPU-0", LEASE).await.starts_with("OK LEASE"));
}

/// Proves GPU-12.
#[tokio::test(flavor = "multi_thread")]
async fn an_xid_about_an_application_ends_the_executor_that_does_not_end_itself() {
    let bridge = Bridge::on(&Script::default());
    let queen = bridge.queen().await;
    ctl(&queen, "GPU-0", LEASE).await;
    let mut job = inline_job("stuck", "forever");
    job["timeout_ms"] = json!(600_000);
    submit(&queen, "GPU-0", &job).await;
    until_running(&queen, "GPU-0", "stuck").await;
    bridge.machine.tell(8, 13, 0);
    assert_eq!(end_of(&queen, "GPU-0", "stuck").await, "LOST");
    let record = last_record(&queen, "GPU-0", "stuck").await;
    assert!(record["detail"].as_str().unwrap().contains("xid 13"), "{record}");
    assert_eq!(info(&queen, "GPU-0").await["health"]["state"], "ok");
    assert_eq!(run_job(&queen, "GPU-0", "after", "nothing").await, "OK");
}

fn two() -> Script {
    Script { devices: vec![Device::fake(0), Device::fake(1)], ..Script::default() }
}

/// Proves GPU-8, GPU-12, MET-8.
#[tokio::test(flavor = "multi_thread")]
async fn a_hot_gpu_takes_nothing_new_and_goes_on_when_it_has_cooled() {
    let bridge = Bridge::on(&Script::default());
    let queen = bridge.queen().await;
    let hot = Device::fake(0).with("throttle", 0x40).with("temperature", 95);
    bridge.machine.rewrite(&Script { devices: vec![hot], ..Script::default() });
    let why = until_health(&queen, "GPU-0", "paused").await;
    assert!(why.contains("too hot at 95 C"), "{why}");
    let refused = ctl(&queen, "GPU-0", LEASE).await;
    assert!(
        refused.starts_with("ERR LEASE EBUSY") && refused.contains("is paused: the hardware slows"),
        "{refused}"
    );
    bridge.machine.rewrite(&Script::default());
    until_health(&queen, "GPU-0", "ok").await;
    assert!(ctl(&queen, "GPU-0", LEASE).await.starts_with("OK"));
    assert_eq!(run_job(&queen, "GPU-0", "later", "nothing").await, "OK");
}

/// Proves GPU-12, GPU-13.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_gpu_is_out_of_use_and_the_other_works() {
    let bridge = Bridge::on(&two());
    let queen = bridge.queen().await;
    ctl(&queen, "GPU-1", LEASE).await;
    bridge.machine.rewrite(&Script {
        devices: vec![Device::fake(0).with("lost", 1), Device::fake(1)],
        ..Script::default()
    });
    let why = until_health(&queen, "GPU-0", "unusable").await;
    assert!(why.contains("fell off the bus"), "{why}");
    assert_eq!(run_job(&queen, "GPU-1", "elsewhere", "nothing").await, "OK");
    let refused = ctl(&queen, "GPU-0", LEASE).await;
    assert!(refused.starts_with("ERR LEASE") && refused.contains("fell off the bus"), "{refused}");
}

/// Proves GPU-13.
#[tokio::test(flavor = "multi_thread")]
async fn a_driver_that_does_not_come_back_from_a_call_holds_up_nothing_but_its_figures() {
    let bridge = Bridge::on(&Script::default().gate("nvmlDeviceGetPowerUsage", 2));
    let machine = &bridge.machine;
    // Whoever makes the second call stands there until this is dropped.
    let held = machine.until_at("nvmlDeviceGetPowerUsage");
    let queen = bridge.queen().await;
    assert_eq!(info(&queen, "GPU-0").await["name"], "Fake H200");
    assert!(ctl(&queen, "GPU-0", LEASE).await.starts_with("OK LEASE"));
    assert_eq!(run_job(&queen, "GPU-0", "meanwhile", "nothing").await, "OK");
    bridge.machine.tell(8, 79, 0);
    let why = until_health(&queen, "GPU-0", "unusable").await;
    assert!(why.contains("start the machine again"), "{why}");
    drop(held);
}

/// Proves GPU-13.
#[tokio::test(flavor = "multi_thread")]
async fn a_driver_without_samples_and_with_codes_of_the_future_is_served() {
    let mut script = Script::default().fail("nvmlEventSetWait_v2", 0, 4711);
    for (function, code) in [
        ("nvmlDeviceGetUtilizationRates", 6),
        ("nvmlDeviceGetTemperature", 4711),
        ("nvmlDeviceGetPowerUsage", 3),
    ] {
        script = script.fail(function, 0, code);
    }
    let bridge = Bridge::on(&script);
    let queen = bridge.queen().await;
    ctl(&queen, "GPU-0", LEASE).await;
    assert_eq!(run_job(&queen, "GPU-0", "all-the-same", "nothing").await, "OK");
    let looking = async {
        loop {
            let stats = String::from_utf8(queen.read("/gpu/GPU-0/stats").await.unwrap()).unwrap();
            let sample: Value = serde_json::from_str(stats.lines().next().unwrap()).unwrap();
            if sample["memory_used_mb"].is_u64() {
                return sample;
            }
        }
    };
    let sample = tokio::time::timeout(PATIENCE, looking).await.unwrap();
    assert!(sample["utilization_ratio"].is_null() && sample["power_watts"].is_null(), "{sample}");
}

/// Proves GPU-15.
#[test]
fn nvidia_without_its_library_fails_with_what_was_looked_for_and_where() {
    let machine = Machine::with(&Script::default(), &[]);
    let said = run(&machine, &["--backend", "nvidia", "--list"]);
    assert_eq!(said.status.code(), Some(1));
    let text = String::from_utf8(said.stderr).unwrap();
    assert!(text.starts_with("gpu-bridge-host: load NVML: libnvidia-ml.so.1 is not on this machine; looked in LD_LIBRARY_PATH ("), "{text}");
    assert!(text.contains(&machine.path().display().to_string()), "{text}");
}

/// Proves GPU-15.
#[tokio::test(flavor = "multi_thread")]
async fn auto_takes_the_software_gpu_where_there_is_no_driver_and_nvidia_where_there_is() {
    let bridge = Bridge::start(Machine::with(&Script::default(), &[]), &["--backend", "auto"]);
    let soft = info(&bridge.queen().await, "GPU-0").await;
    assert_eq!((&soft["backend"], &soft["name"]), (&json!("soft"), &json!("Software GPU")));
    let bridge = Bridge::start(Machine::new(&Script::default()), &["--backend", "auto"]);
    let nvidia = info(&bridge.queen().await, "GPU-0").await;
    assert_eq!((&nvidia["backend"], &nvidia["name"]), (&json!("nvidia"), &json!("Fake H200")));
    assert_eq!((&nvidia["memory_enforcement"], &nvidia["mig"]), (&json!("pool"), &json!("off")));
}

fn doctor(machine: &Machine, state: &Path) -> String {
    let said =
        run(machine, &["doctor", "--backend", "auto", "--state-dir", state.to_str().unwrap()]);
    String::from_utf8(said.stdout).unwrap()
}

/// Proves GPU-15.
#[test]
fn doctor_says_which_library_is_missing() {
    let state = tempfile::tempdir().unwrap();
    let path = state.path().join("state");
    let none = doctor(&Machine::with(&Script::default(), &[]), &path);
    assert!(
        none.contains("libnvidia-ml.so.1 is not on this machine; looked in LD_LIBRARY_PATH ("),
        "{none}"
    );
    let whole = doctor(&Machine::new(&Script::default()), &path);
    assert!(whole.contains("GPU-0 Fake H200"), "{whole}");
    let half = doctor(&Machine::with(&Script::default(), &[Library::Nvml]), &path);
    assert!(half.contains("libcuda.so.1 (also libcuda.so) is not on this machine"), "{half}");
}
