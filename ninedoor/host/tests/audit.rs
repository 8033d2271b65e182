//! The audit log of a hive: what is in it, that it outlives the program, and what `audit verify` says of it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that goes wrong ends")]

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use secure9p_tokio::{Client, ConnectOptions, Root, Uri};

/// Longer than anything here takes, on a machine that builds something else at the same time.
const PATIENCE: Duration = Duration::from_secs(60);

fn program() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_ninedoor"));
    program.env("RUST_LOG", "error").env_remove("COHESIX_STATE_DIR").env_remove("COHESIX_TICKET");
    program
}

fn run(words: &[&str], state: &Path) -> Output {
    program().args(words).arg("--state-dir").arg(state).output().unwrap()
}

/// A hive without bridges.
struct Hive {
    child: Child,
    uri: Uri,
}

impl Hive {
    fn on(state: &Path) -> Self {
        let socket = format!("unix://{}", state.with_extension("sock").display());
        let mut command = program();
        command.args(["serve", "--listen", &socket, "--state-dir"]).arg(state);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let uri = line.trim_end().strip_prefix("listening ").expect("where it listens");
        Self { child, uri: uri.parse().unwrap() }
    }

    /// The server's own user needs no ticket.
    async fn queen(&self) -> Root {
        let client = Client::connect(&self.uri, ConnectOptions::default()).await.unwrap();
        client.attach("queen", "").await.unwrap()
    }

    fn end(mut self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
        self.child.wait().unwrap();
    }
}

fn text(state: &Path) -> String {
    fs::read_to_string(state.join("audit/audit-00000001.jsonl")).unwrap_or_default()
}

/// Looks until the log has a line with these parts.
fn until_logged(state: &Path, parts: &[&str]) {
    let began = Instant::now();
    let is_there =
        |text: &str| text.lines().any(|line| parts.iter().all(|part| line.contains(part)));
    while !is_there(&text(state)) {
        assert!(began.elapsed() < PATIENCE, "no line with {parts:?} in {}", text(state));
        thread::yield_now();
    }
}

/// Proves AUDIT-12, AUDIT-3, AUDIT-6, AUDIT-8.
#[tokio::test]
async fn orders_attaches_and_tickets_of_a_hive_are_kept_through_kill_9_and_can_be_verified() {
    let place = tempfile::tempdir().unwrap();
    let state = place.path().join("hive");
    let hive = Hive::on(&state);
    let queen = hive.queen().await;
    queen.append("/queen/ctl", b"{\"spawn\":\"heartbeat\",\"ticks\":5}\n").await.unwrap();
    queen.append("/queen/ctl", b"{\"kill\":\"worker-9\"}\n").await.unwrap_err();
    until_logged(&state, &["\"verb\":\"SPAWN\"", "\"outcome\":\"OK\"", "worker-1"]);
    until_logged(&state, &["\"verb\":\"KILL\"", "\"outcome\":\"ERR\"", "worker-9"]);
    hive.end(Signal::KILL);

    let hive = Hive::on(&state);
    let minted = run(&["ticket", "mint", "--role", "queen"], &state);
    let ticket = String::from_utf8(minted.stdout).unwrap();
    assert!(ticket.starts_with("cohesix-ticket-"));
    until_logged(&state, &["\"verb\":\"MINT\"", "role=queen"]);
    hive.end(Signal::TERM);

    let log = text(&state);
    assert!(!log.contains(ticket.trim()), "by its id alone");
    for after in ["after=nothing", "after=kill"] {
        assert!(
            log.lines().any(|line| line.contains("\"verb\":\"START\"") && line.contains(after))
        );
    }
    assert!(log.lines().last().unwrap().contains("\"verb\":\"STOP\""));
    let whole = run(&["audit", "verify"], &state);
    assert!(whole.status.success(), "{whole:?}");

    let file = state.join("audit/audit-00000001.jsonl");
    fs::write(&file, log.replace("worker-9", "worker-8")).unwrap();
    let changed = run(&["audit", "verify"], &state);
    assert_eq!(changed.status.code(), Some(1));
    assert!(String::from_utf8(changed.stdout).unwrap().contains("edited audit-00000001.jsonl"));
}
