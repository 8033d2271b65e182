//! The program as people and scripts start it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Output, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use secure9p_tokio::{Client, ConnectOptions};

fn program() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_gpu-bridge-host"));
    program.env("RUST_LOG", "warn").env_remove("COHESIX_STATE_DIR");
    program
}

fn run(words: &[&str]) -> Output {
    program().args(words).output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Proves BR-7.
#[test]
fn mock_list_prints_one_json_document_the_same_on_every_run() {
    let (first, second) = (run(&["--mock", "--list"]), run(&["--mock", "--list"]));
    assert_eq!((first.status.code(), first.stdout.as_slice()), (Some(0), second.stdout.as_slice()));
    assert!(first.stderr.is_empty(), "{}", err(&first));
    let document: serde_json::Value = serde_json::from_slice(&first.stdout).unwrap();
    assert_eq!(document["gpus"].as_array().unwrap().len(), 2);
}

#[test]
fn usage_is_two_and_failure_is_one() {
    assert_eq!(run(&["--nonsense"]).status.code(), Some(2));
    let no_driver = run(&["--backend", "nvidia", "--list"]);
    if no_driver.status.success() {
        eprintln!("skipped: this machine has an NVIDIA GPU");
        return;
    }
    assert_eq!(no_driver.status.code(), Some(1));
    assert!(err(&no_driver).starts_with("gpu-bridge-host: load NVML: "), "{}", err(&no_driver));
}

#[test]
fn an_executor_without_a_daemon_says_that_it_is_internal() {
    let alone = program().args(["executor", "quantum"]).stdin(Stdio::null()).output().unwrap();
    assert_eq!(alone.status.code(), Some(2));
    assert!(err(&alone).starts_with("executor: internal command"), "{}", err(&alone));
}

/// Proves BR-9.
#[test]
fn config_check_names_the_key_that_is_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("bridge.toml");
    std::fs::write(&file, "[executors]\nspares = 900\n").unwrap();
    let refused = run(&["config", "check", file.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(
        err(&refused),
        format!(
            "gpu-bridge-host: config {} line 2: executors.spares: got 900, wanted 0 to 64\n",
            file.display()
        )
    );
    std::fs::write(&file, "backend = \"mock\"\n").unwrap();
    assert_eq!(run(&["config", "check", file.to_str().unwrap()]).status.code(), Some(0));
}

#[test]
fn doctor_finds_nothing_wrong_with_a_fresh_state_directory() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    let found = run(&["doctor", "--mock", "--state-dir", state.to_str().unwrap()]);
    assert_eq!(found.status.code(), Some(0), "{}{}", out(&found), err(&found));
    assert!(
        out(&found).contains("ok    gpus: GPU-0 Mock 4090, GPU-1 Mock 4060"),
        "{}",
        out(&found)
    );
}

#[test]
fn tls_init_makes_certificates_that_a_bridge_can_serve_with() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let made = run(&["tls", "init", "--dir", &path("tls"), "--host", "localhost"]);
    assert_eq!(made.status.code(), Some(0), "{}", err(&made));
    let settings = format!(
        "backend = \"mock\"\nlisten = [\"tls://127.0.0.1:0\"]\n[tls]\ncertificate = {:?}\nkey = {:?}\n",
        path("tls/server.pem"),
        path("tls/server.key")
    );
    std::fs::write(path("bridge.toml"), settings).unwrap();
    let found = run(&["doctor", "--config", &path("bridge.toml"), "--state-dir", &path("state")]);
    assert_eq!(found.status.code(), Some(0), "{}", out(&found));
}

/// A bridge as a process of its own; killed when it is dropped.
struct Serving {
    child: Child,
    uri: String,
}

impl Serving {
    fn start(state: &std::path::Path) -> Self {
        let words = ["serve", "--mock", "--listen", "tcp://127.0.0.1:0", "--state-dir"];
        let mut child = program().args(words).arg(state).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        said.read_line(&mut line).unwrap();
        let uri = line.trim_end().strip_prefix("listening ").expect("where it listens").to_owned();
        Self { child, uri }
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    fn executors(&self) -> Vec<u32> {
        let children = format!("/proc/{0}/task", self.child.id());
        let tasks = std::fs::read_dir(children).unwrap();
        let of_task = |task: std::fs::DirEntry| {
            std::fs::read_to_string(task.path().join("children")).unwrap_or_default()
        };
        let pids: Vec<String> = tasks.map(|task| of_task(task.unwrap())).collect();
        pids.join(" ").split_whitespace().map(|pid| pid.parse().unwrap()).collect()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_alive(pid: u32) -> bool {
    let mut state = String::new();
    let Ok(mut file) = std::fs::File::open(format!("/proc/{pid}/stat")) else { return false };
    file.read_to_string(&mut state).is_ok() && !state.contains(") Z ")
}

/// Proves BR-22.
#[tokio::test]
async fn it_serves_tcp_and_ends_on_sigterm() {
    let directory = tempfile::tempdir().unwrap();
    let mut bridge = Serving::start(&directory.path().join("state"));
    let client =
        Client::connect(&bridge.uri.parse().unwrap(), ConnectOptions::default()).await.unwrap();
    let refused = client.attach("queen", "").await.unwrap_err();
    assert!(refused.errno().is_some(), "over TCP nobody is the queen without a ticket: {refused}");
    bridge.signal(Signal::TERM);
    assert_eq!(bridge.child.wait().unwrap().code(), Some(0));
}

/// Proves BR-23.
#[tokio::test]
async fn a_minted_ticket_opens_the_door_until_it_is_revoked() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    let bridge = Serving::start(&state);
    let state = state.to_str().unwrap();
    let minted = run(&["ticket", "mint", "--state-dir", state, "--role", "queen", "--ttl", "10m"]);
    assert_eq!(minted.status.code(), Some(0), "{}", err(&minted));
    let ticket = out(&minted).trim_end().to_owned();
    let uri = bridge.uri.parse().unwrap();
    let attach = || async {
        let client = Client::connect(&uri, ConnectOptions::default()).await.unwrap();
        client.attach("queen", &ticket).await
    };
    let queen = attach().await.unwrap();
    assert_eq!(queen.list("/gpu").await.unwrap().len(), 2);
    assert_eq!(run(&["ticket", "revoke", "--state-dir", state, &ticket]).status.code(), Some(0));
    while queen.list("/gpu").await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(attach().await.is_err());
}

/// Proves EXEC-3.
#[test]
fn executors_die_with_the_daemon_that_is_killed() {
    let directory = tempfile::tempdir().unwrap();
    let mut bridge = Serving::start(&directory.path().join("state"));
    let executors = loop {
        let executors = bridge.executors();
        if !executors.is_empty() {
            break executors;
        }
        std::thread::yield_now();
    };
    bridge.child.kill().unwrap();
    bridge.child.wait().unwrap();
    while executors.iter().any(|pid| is_alive(*pid)) {
        std::thread::yield_now();
    }
}

/// Proves BR-2.
#[test]
fn a_second_daemon_on_the_same_state_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    let _first = Serving::start(&state);
    let second = run(&[
        "serve",
        "--mock",
        "--listen",
        "tcp://127.0.0.1:0",
        "--state-dir",
        state.to_str().unwrap(),
    ]);
    assert_eq!(second.status.code(), Some(1));
    assert!(err(&second).contains("is in use by another gpu-bridge-host"), "{}", err(&second));
}
