//! A daemon that is killed, and the one that takes up what it left.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod world;

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use secure9p_tokio::{Client, ConnectOptions, Root};
use serde_json::json;
use tempfile::TempDir;
use world::{ctl, end_of, field, inline_job, records, submit, until_running};

/// What outlives the daemon.
struct Estate {
    directory: TempDir,
}

/// The program, with scripted devices; killed when it is dropped.
struct Daemon {
    child: Child,
    uri: String,
}

impl Estate {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn state(&self) -> PathBuf {
        self.directory.path().join("state")
    }

    fn start(&self) -> Daemon {
        let mut serve = program();
        serve.args(["serve", "--mock", "--listen", "tcp://127.0.0.1:0", "--state-dir"]);
        Daemon::start(serve.arg(self.state())).expect("where it listens")
    }

    /// The same with its journal on a small disk, most of which a file called `filler` takes. `None` where one may not mount.
    fn start_on_a_small_disk(&self) -> Option<Daemon> {
        let script = "mkdir -m 700 \"$1\" && mkdir \"$1/journal\" && mount -t tmpfs -o size=12m none \"$1/journal\" \
             && head -c 6M /dev/zero > \"$1/journal/filler\" \
             && exec \"$0\" serve --mock --listen tcp://127.0.0.1:0 --state-dir \"$1\"";
        let mut serve = Command::new("unshare");
        serve.args(["--map-root-user", "--mount", "sh", "-c", script]);
        serve.arg(env!("CARGO_BIN_EXE_gpu-bridge-host")).arg(self.state()).env("RUST_LOG", "off");
        Daemon::start(&mut serve)
    }

    fn mint(&self, claims: &[&str]) -> String {
        let mut mint = program();
        mint.args(["ticket", "mint", "--state-dir"]).arg(self.state()).args(claims);
        String::from_utf8(mint.output().unwrap().stdout).unwrap().trim().to_owned()
    }

    async fn queen(&self, daemon: &Daemon) -> Root {
        daemon.attach("queen", &self.mint(&["--role", "queen"])).await
    }

    async fn worker(&self, daemon: &Daemon) -> Root {
        let claims = ["--role", "worker-gpu", "--subject", "w", "--gpu", "GPU-0"];
        daemon.attach("worker-gpu:w", &self.mint(&claims)).await
    }
}

impl Daemon {
    fn start(serve: &mut Command) -> Option<Self> {
        let mut child = serve.stdout(Stdio::piped()).spawn().ok()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let uri = line.trim_end().strip_prefix("listening ").map(str::to_owned);
        let uri = uri.or_else(|| {
            child.wait().unwrap();
            None
        })?;
        Some(Self { child, uri })
    }

    async fn attach(&self, uname: &str, ticket: &str) -> Root {
        let uri = self.uri.parse().unwrap();
        let client = Client::connect(&uri, ConnectOptions::default()).await.unwrap();
        client.attach(uname, ticket).await.unwrap()
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn executors(&self) -> Vec<String> {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let children = threads.map(|thread| {
            std::fs::read_to_string(thread.unwrap().path().join("children")).unwrap_or_default()
        });
        children
            .flat_map(|pids| pids.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
            .collect()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_gpu-bridge-host"));
    program.env("RUST_LOG", "error").env_remove("COHESIX_STATE_DIR");
    program
}

/// Proves BR-27, BR-32, JOB-20, LEASE-19.
#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_takes_up_what_one_that_was_killed_left() {
    let estate = Estate::new();
    let first = estate.start();
    let (worker, queen) = (estate.worker(&first).await, estate.queen(&first).await);
    let leased = ctl(&worker, "GPU-0", "LEASE mem_mb=64 streams=1 ttl_s=600").await;
    assert_eq!(ctl(&queen, "GPU-1", "DRAIN").await, "OK DRAIN");
    submit(&worker, "GPU-0", &inline_job("done", "anything")).await;
    let done = records(&worker, "GPU-0", "done").await;
    let mut ran = inline_job("ran", "mock_waits");
    ran["timeout_ms"] = json!(60_000);
    submit(&worker, "GPU-0", &ran).await;
    until_running(&worker, "GPU-0", "ran").await;
    let waited = submit(&worker, "GPU-0", &inline_job("waited", "anything")).await;
    assert!(waited.starts_with("OK JOB job=waited"), "{waited}");
    first.kill();

    let second = estate.start();
    let (worker, queen) = (estate.worker(&second).await, estate.queen(&second).await);
    let held = ctl(&worker, "GPU-0", "LEASE").await;
    for key in ["id", "mem_mb", "streams", "ttl_s", "deadline_ms"] {
        assert_eq!(field(&held, key), field(&leased, key), "{held}");
    }
    let epoch = |status: &str| field(status, "epoch").parse::<u64>().unwrap();
    assert!(epoch(&held) > epoch(&leased), "{held} after {leased}");
    assert_eq!(records(&worker, "GPU-0", "done").await, done, "what was shown is shown");
    assert_eq!(end_of(&worker, "GPU-0", "ran").await, "LOST");
    assert_eq!(end_of(&worker, "GPU-0", "waited").await, "OK");
    assert_eq!(worker.read("/worker/waited/result").await.unwrap().len(), 4);
    let refused = ctl(&queen, "GPU-1", "LEASE mem_mb=64 streams=1 ttl_s=60").await;
    assert!(refused.contains("gpu GPU-1 is drained"), "{refused}");
    let other = ctl(&queen, "GPU-0", "LEASE mem_mb=64 streams=1 ttl_s=60").await;
    assert_ne!(field(&other, "id"), field(&leased, "id"), "ids go on");
}

/// Proves BR-30.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_new_work_until_there_is_room_and_what_was_taken_on_goes_on() {
    let estate = Estate::new();
    let Some(daemon) = estate.start_on_a_small_disk() else {
        eprintln!("skipped: this user may not mount a disk in a namespace of its own");
        return;
    };
    let worker = estate.worker(&daemon).await;
    assert!(ctl(&worker, "GPU-0", "LEASE mem_mb=64 streams=1 ttl_s=600").await.starts_with("OK"));
    let mut taken_on = Vec::new();
    let refused = loop {
        let name = format!("j{}", taken_on.len());
        let status = submit(&worker, "GPU-0", &inline_job(&name, "anything")).await;
        if status.starts_with("ERR") {
            break status;
        }
        taken_on.push(name);
    };
    assert!(
        refused.starts_with("ERR JOB ENOSPC store: journal: cannot set room aside"),
        "{refused}"
    );
    assert!(refused.contains("nothing new is taken on until there is room"), "{refused}");
    for name in &taken_on {
        assert_eq!(end_of(&worker, "GPU-0", name).await, "OK", "{name}");
    }
    let inside = format!("/proc/{}/root{}", daemon.child.id(), estate.state().display());
    std::fs::remove_file(Path::new(&inside).join("journal/filler")).unwrap();
    while submit(&worker, "GPU-0", &inline_job("after", "anything")).await.starts_with("ERR") {
        tokio::task::yield_now().await;
    }
    assert_eq!(end_of(&worker, "GPU-0", "after").await, "OK");
}

/// Proves BR-33.
#[test]
fn executors_are_on_the_list_that_the_next_daemon_waits_for() {
    let estate = Estate::new();
    let daemon = estate.start();
    let listed = || {
        let list = std::fs::read_to_string(estate.state().join("executors")).unwrap();
        let pids = list.lines().skip(1).filter_map(|line| line.split(' ').next());
        pids.map(str::to_owned).collect::<Vec<_>>()
    };
    while listed().is_empty() {
        std::thread::yield_now();
    }
    let executors = listed();
    let children = daemon.executors();
    assert!(executors.iter().all(|pid| children.contains(pid)), "{executors:?} {children:?}");
    daemon.kill();
    let next = estate.start();
    let alive: Vec<_> = executors.iter().filter(|pid| is_alive(pid)).collect();
    assert!(alive.is_empty(), "{alive:?} live on beside the next daemon");
    next.kill();
}

/// One that has ended, and that nobody has asked for, has nothing any more.
fn is_alive(pid: &str) -> bool {
    let status = std::fs::read_to_string(Path::new("/proc").join(pid).join("status"));
    let ended = |line: &str| line.starts_with("State:\tZ") || line.starts_with("State:\tX");
    status.is_ok_and(|status| !status.lines().any(ended))
}
