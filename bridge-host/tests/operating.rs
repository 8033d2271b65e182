//! What an operator does to a bridge that runs: new settings, a service manager that watches it, a look at what is wrong.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod world;

use std::{
    fs,
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
    process::{Child, Command, Output},
    time::Duration,
};

use bridge_host::BackendChoice;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use world::{World, ctl};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

fn program() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_gpu-bridge-host"));
    program.env("RUST_LOG", "off").env_remove("COHESIX_STATE_DIR");
    program
}

fn run(words: &[&str]) -> Output {
    program().args(words).output().unwrap()
}

/// A bridge under a service manager: this test.
struct Managed {
    child: Child,
    socket: UnixDatagram,
    settings: PathBuf,
    state: PathBuf,
    _place: TempDir,
}

impl Managed {
    fn start(settings: &str) -> Self {
        let place = tempfile::tempdir().unwrap();
        let (notify, state) = (place.path().join("notify"), place.path().join("state"));
        let file = place.path().join("bridge.toml");
        fs::write(&file, settings).unwrap();
        let socket = UnixDatagram::bind(&notify).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let child = program()
            .args(["serve", "--mock", "--listen", "tcp://127.0.0.1:0", "--config"])
            .arg(&file)
            .arg("--state-dir")
            .arg(&state)
            .env("NOTIFY_SOCKET", &notify)
            .env("WATCHDOG_USEC", "100000")
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        Self { child, socket, settings: file, state, _place: place }
    }

    /// The next word to the service manager with this in it; what comes before is skipped.
    fn until(&self, wanted: &str) -> String {
        let mut bytes = [0; 4096];
        loop {
            let count = self.socket.recv(&mut bytes).expect(wanted);
            let said = String::from_utf8_lossy(&bytes[..count]).into_owned();
            if said.lines().any(|line| line.starts_with(wanted)) {
                return said;
            }
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.child.id().cast_signed()).unwrap(), signal).unwrap();
    }

    fn reload(&self, settings: &str) {
        fs::write(&self.settings, settings).unwrap();
        self.signal(Signal::HUP);
        assert!(self.until("RELOADING=1").contains("MONOTONIC_USEC="));
        self.until("READY=1");
    }

    /// The audit log's last line about new settings.
    fn told(&self) -> Value {
        loop {
            let text = fs::read_to_string(self.state.join("audit/audit-00000001.jsonl")).unwrap();
            let mut lines =
                text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            if let Some(line) = lines.rfind(|line| line["verb"] == "RELOAD") {
                return line;
            }
            std::thread::yield_now();
        }
    }
}

impl Drop for Managed {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Proves CONF-5, CONF-6.
#[test]
fn a_service_manager_hears_of_readiness_life_and_the_end() {
    let mut bridge = Managed::start("");
    let ready = bridge.until("READY=1");
    assert!(ready.contains("STATUS=serving mock GPUs on tcp://127.0.0.1:"), "{ready}");
    bridge.until("WATCHDOG=1");
    bridge.until("WATCHDOG=1");
    bridge.signal(Signal::TERM);
    bridge.until("STOPPING=1");
    assert_eq!(bridge.child.wait().unwrap().code(), Some(0));
}

/// Proves CONF-3, CONF-5.
#[test]
fn sighup_applies_what_can_change_and_names_what_cannot() {
    let bridge = Managed::start("name = \"one\"\n");
    bridge.until("READY=1");
    bridge.reload("name = \"two\"\n[leases]\nttl_s_max = 60\n");
    let told = bridge.told();
    assert_eq!(
        (told["outcome"].as_str(), told["detail"].as_str()),
        (Some("OK"), Some("applied=leases.ttl_s_max left=name"))
    );
}

/// Proves CONF-4.
#[test]
fn a_wrong_file_changes_nothing_and_is_refused_with_the_reason() {
    let mut bridge = Managed::start("");
    bridge.until("READY=1");
    bridge.reload("[leases]\nttl_s_max = 0\n");
    let told = bridge.told();
    assert_eq!((told["outcome"].as_str(), told["code"].as_str()), (Some("ERR"), Some("EINVAL")));
    let cause = told["cause"].as_str().unwrap();
    assert!(cause.ends_with("line 2: leases.ttl_s_max: got 0, wanted 1 to 31536000"), "{cause}");
    assert!(bridge.child.try_wait().unwrap().is_none(), "it goes on");
}

/// Proves CONF-3.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_bound_holds_for_the_next_lease() {
    let mut wanted = None;
    let world = World::with(BackendChoice::Mock, |config| wanted = Some(config.clone())).await;
    let queen = world.queen().await;
    let mut wanted = wanted.unwrap();
    wanted.leases.ttl_s_max = 30;
    let reloaded = world.bridge.reload(&wanted).unwrap();
    assert_eq!((reloaded.applied, reloaded.left.len()), (vec!["leases.ttl_s_max".to_owned()], 0));
    let status = ctl(&queen, "GPU-0", "LEASE mem_mb=64 streams=1 ttl_s=60").await;
    assert!(status.starts_with("ERR LEASE ") && status.contains("30"), "{status}");
    wanted.leases.ttl_s_max = 0;
    assert!(world.bridge.reload(&wanted).is_err());
    let status = ctl(&queen, "GPU-0", "LEASE mem_mb=64 streams=1 ttl_s=20").await;
    assert!(status.starts_with("OK LEASE "), "{status}");
}

fn findings(state: &Path) -> (Option<i32>, Vec<Value>) {
    let state = state.to_str().unwrap();
    let words =
        ["doctor", "--mock", "--listen", "tcp://127.0.0.1:0", "--state-dir", state, "-o", "json"];
    let output = run(&words);
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap())
}

fn grade<'a>(findings: &'a [Value], what: &str) -> (&'a str, &'a str) {
    let finding = findings.iter().find(|finding| finding["what"] == what).expect(what);
    (finding["grade"].as_str().unwrap(), finding["seen"].as_str().unwrap())
}

/// Proves CONF-7.
#[test]
fn doctor_looks_at_state_log_addresses_kernel_and_limits() {
    let place = tempfile::tempdir().unwrap();
    let state = place.path().join("state");
    let (code, well) = findings(&state);
    assert_eq!(code, Some(0), "{well:#?}");
    for what in ["gpus", "state directory", "audit log", "listeners", "executor", "clock"] {
        assert_eq!(grade(&well, what).0, "ok", "{well:#?}");
    }
    for what in ["confinement", "cgroup", "descriptors"] {
        assert!(!grade(&well, what).1.is_empty());
    }

    fs::create_dir(state.join("audit")).unwrap();
    fs::write(state.join("audit/audit-00000001.jsonl"), "not a line\n").unwrap();
    let (code, spoiled) = findings(&state);
    assert_eq!(code, Some(1));
    let (grade_seen, seen) = grade(&spoiled, "audit log");
    assert_eq!(grade_seen, "fail");
    assert!(seen.starts_with("edited audit-00000001.jsonl line 1: "), "{seen}");
    fs::remove_dir_all(state.join("audit")).unwrap();

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("tcp://{}", taken.local_addr().unwrap());
    let output =
        run(&["doctor", "--mock", "--listen", &uri, "--state-dir", state.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains(&format!("warn  listeners: {uri}: Address already in use")), "{text}");
}

/// Proves CONF-1, CONF-2.
#[test]
fn config_schema_prints_what_is_published_and_check_names_line_and_bounds() {
    let printed = run(&["config", "schema"]);
    let published = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/bridge.schema.json");
    assert_eq!(printed.stdout, fs::read(published).unwrap());
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("bridge.toml");
    fs::write(&file, "backend = \"mock\"\n\n[audit]\nfiles_max = 1\n").unwrap();
    let refused = run(&["config", "check", file.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(refused.stderr).unwrap(),
        format!(
            "gpu-bridge-host: config {} line 4: audit.files_max: got 1, wanted 2 to 65536\n",
            file.display()
        )
    );
}
