//! The audit log of a bridge: what is in it, that it outlives the daemon, and what `audit verify` says of it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod world;

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::Value;

use world::{World, ctl, end_of, inline_job, submit};

fn program() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_gpu-bridge-host"));
    program.env("RUST_LOG", "warn").env_remove("COHESIX_STATE_DIR");
    program
}

fn verify(state: &Path, more: &[&str]) -> Output {
    program().args(["audit", "verify", "--state-dir"]).arg(state).args(more).output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Every line of the log, in order, as JSON.
fn lines(state: &Path) -> Vec<Value> {
    let mut files: Vec<_> =
        fs::read_dir(state.join("audit")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.file_name().unwrap().to_str().unwrap().starts_with("audit-"));
    files.sort();
    let text: String = files.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The lines of one verb, as `outcome who code cause detail`.
fn of_verb(lines: &[Value], verb: &str) -> Vec<String> {
    let word = |line: &Value, key: &str| line[key].as_str().unwrap_or("-").to_owned();
    let said = |line: &Value| {
        ["outcome", "who", "code", "cause", "detail"].map(|key| word(line, key)).join(" ")
    };
    lines.iter().filter(|line| line["verb"] == verb).map(said).collect()
}

#[track_caller]
fn has(lines: &[Value], verb: &str, parts: &[&str]) {
    let said = of_verb(lines, verb);
    let found = said.iter().any(|line| parts.iter().all(|part| line.contains(part)));
    assert!(found, "no {verb} with {parts:?} in {said:#?}");
}

/// Proves AUDIT-10.
#[tokio::test(flavor = "multi_thread")]
async fn every_order_and_what_became_of_it_is_in_the_log_on_disk() {
    let world = World::mock().await;
    let (worker, queen) = (world.worker("w", &["GPU-0"]).await, world.queen().await);
    ctl(&worker, "GPU-0", "LEASE mem_mb=64 streams=1 ttl_s=60").await;
    ctl(&worker, "GPU-0", "LEASE mem_mb=99999999 streams=1 ttl_s=60").await;
    submit(&worker, "GPU-0", &inline_job("fine", "anything")).await;
    assert_eq!(end_of(&queen, "GPU-0", "fine").await, "OK");
    let mut wrong = inline_job("wrong", "anything");
    wrong["bytes_hash"] = format!("sha256:{}", "0".repeat(64)).into();
    submit(&worker, "GPU-0", &wrong).await;
    let status = ctl(&queen, "GPU-0", "TICKET worker=other ttl_s=60").await;
    let ticket = status.split("ticket=").nth(1).unwrap().to_owned();
    ctl(&queen, "GPU-0", "RESET").await;
    ctl(&worker, "GPU-0", "DRAIN").await;
    assert!(world.attach_with("queen", "cohesix-ticket-00").await.is_err());
    let state = world.state.clone();
    world.bridge.drain().await;
    world.bridge.stop().await;

    let log = lines(&state);
    has(&log, "START", &["OK bridge", "after=nothing"]);
    has(&log, "ATTACH", &["OK worker-gpu:w"]);
    has(&log, "ATTACH", &["ERR \"queen\""]);
    has(&log, "LEASE", &["OK worker-gpu:w", "gpu=GPU-0 id=lease-1 epoch="]);
    has(&log, "LEASE", &["OK bridge", "id=lease-1 gpu=GPU-0 worker=w state=ACTIVE"]);
    has(&log, "LEASE", &["ERR worker-gpu:w E", "99999999"]);
    has(&log, "JOB", &["OK worker-gpu:w", "job=fine lease=lease-1"]);
    has(&log, "JOB", &["ERR worker-gpu:w EINVAL bytes_hash: "]);
    has(&log, "END", &["OK bridge", "job=fine lease=lease-1 worker=w"]);
    has(&log, "WRITE", &["OK worker-gpu:w", "path=/gpu/GPU-0/job"]);
    has(&log, "TICKET", &["OK queen", "worker=other", "ticket="]);
    has(&log, "RESET", &["OK queen"]);
    has(&log, "DRAIN", &["ERR worker-gpu:w EPERM DRAIN is for the queen"]);
    has(&log, "DRAIN", &["OK bridge", "gpu=all"]);
    assert_eq!(log.last().unwrap()["verb"], "STOP");
    let written = log.iter().find(|line| line["verb"] == "JOB").unwrap();
    assert_eq!(written["ticket"].as_str().unwrap().len(), 8, "a ticket is named by its id");
    assert!(log.iter().all(|line| !line.to_string().contains(&ticket)));
    assert!(verify(&state, &[]).status.success());
}

/// Starts a bridge of its own process and waits until it listens.
fn serving(state: &Path) -> std::process::Child {
    let words = ["serve", "--mock", "--listen", "tcp://127.0.0.1:0", "--state-dir"];
    let mut child = program().args(words).arg(state).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    said.read_line(&mut String::new()).unwrap();
    child
}

/// Proves AUDIT-3.
#[test]
fn the_chain_goes_on_after_kill_9_and_says_so() {
    let place = tempfile::tempdir().unwrap();
    let state = place.path().join("state");
    for _ in 0..3 {
        let mut bridge = serving(&state);
        bridge.kill().unwrap();
        bridge.wait().unwrap();
        // As if the kill had come within a write.
        let file = state.join("audit/audit-00000001.jsonl");
        let was = fs::read_to_string(&file).unwrap_or_default();
        fs::write(&file, was + "{\"seq\":").unwrap();
    }
    let mut bridge = serving(&state);
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(bridge.id().cast_signed()).unwrap(),
        rustix::process::Signal::TERM,
    )
    .unwrap();
    bridge.wait().unwrap();
    let log = lines(&state);
    assert_eq!(of_verb(&log, "SEAL").len(), 3);
    assert!(of_verb(&log, "START").iter().skip(1).all(|line| line.contains("after=kill")));
    assert_eq!(log.last().unwrap()["verb"], "STOP");
    let found = verify(&state, &[]);
    assert!(found.status.success(), "{}", out(&found));
}

/// Proves AUDIT-6.
#[test]
fn a_ticket_that_was_minted_beside_the_bridge_is_in_the_log() {
    let place = tempfile::tempdir().unwrap();
    let state = place.path().join("state");
    let mut bridge = serving(&state);
    let words = ["ticket", "mint", "--role", "observer", "--subject", "eve", "--state-dir"];
    let minted = program().args(words).arg(&state).output().unwrap();
    assert!(minted.status.success());
    let id = ninedoor_abi::Ticket::parse(out(&minted).trim()).unwrap().id().to_string();
    let told = loop {
        let told = lines(&state).into_iter().find(|line| line["verb"] == "MINT");
        if let Some(told) = told {
            break told;
        }
        std::thread::yield_now();
    };
    bridge.kill().unwrap();
    bridge.wait().unwrap();
    assert_eq!(told["ticket"], id);
    assert_eq!(told["detail"], "role=observer subject=eve");
}

/// Proves AUDIT-11.
#[test]
fn verify_says_what_is_wrong_for_people_and_programs() {
    let place = tempfile::tempdir().unwrap();
    let state = place.path().join("state");
    let mut bridge = serving(&state);
    let head = loop {
        let head: Value =
            serde_json::from_slice(&verify(&state, &["-o", "json"]).stdout).unwrap_or_default();
        if head["files"][0]["lines"].as_u64() >= Some(2) && head["whole"] == true {
            break head["head"].as_str().unwrap().to_owned();
        }
    };
    bridge.kill().unwrap();
    bridge.wait().unwrap();
    let whole = verify(&state, &["--head", &head]);
    assert_eq!(whole.status.code(), Some(0), "{}", out(&whole));
    assert!(
        out(&whole).starts_with(
            "FILE                        LINES       FIRST        LAST\naudit-00000001.jsonl"
        ),
        "{}",
        out(&whole)
    );
    assert!(out(&whole).contains("whole, head "), "{}", out(&whole));

    let file = state.join("audit/audit-00000001.jsonl");
    let edited = fs::read_to_string(&file).unwrap().replacen("after=nothing", "after=heaven", 1);
    fs::write(&file, edited).unwrap();
    let found = verify(&state, &[]);
    assert_eq!(found.status.code(), Some(1));
    assert!(
        out(&found).contains("edited audit-00000001.jsonl line 2: line 2 has the hash sha256:"),
        "{}",
        out(&found)
    );
    let found = verify(&state, &["-o", "json"]);
    let document: Value = serde_json::from_slice(&found.stdout).unwrap();
    assert_eq!(document["whole"], false);
    assert_eq!(document["fault"]["kind"], "edited");
    assert_eq!(document["fault"]["line"], 2);
    assert_eq!(verify(&state, &["--head", "nonsense"]).status.code(), Some(2));
}
