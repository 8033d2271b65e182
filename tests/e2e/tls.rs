//! A hive that speaks TLS on every way: the bridge, NineDoor and the shell trust one small authority, and nobody else.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tests_support::hive::{configured_bridge, mint};
use tests_support::program::command;
use tests_support::running::Running;
use tests_support::said::Said;

use crate::{example, reference, word};

/// What `tls init` leaves in a directory.
struct Authority(PathBuf);

impl Authority {
    fn made_in(directory: PathBuf) -> Self {
        let mut init = command("gpu-bridge-host");
        init.args(["tls", "init", "--host", "127.0.0.1", "--dir"]).arg(&directory);
        let _said = Said::by(&mut init).well();
        Self(directory)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

/// A bridge with the software GPU that listens for TLS alone, and the queen's ticket for it.
fn bridge(directory: &Path, authority: &Authority) -> (Running, PathBuf) {
    let (state, config) = (directory.join("bridge"), directory.join("bridge.toml"));
    let (certificate, key) = (authority.file("server.pem"), authority.file("server.key"));
    fs::write(&config, format!("[tls]\ncertificate = {certificate:?}\nkey = {key:?}\n")).unwrap();
    let mut serve = configured_bridge("soft", &state, "tls://127.0.0.1:0");
    let bridge = Running::start(serve.arg("--config").arg(&config), 1);
    let ticket = directory.join("bridge.ticket");
    mint("gpu-bridge-host", &state, &["--role", "queen"], &ticket);
    (bridge, ticket)
}

fn shell(uri: &str, ticket: &Path) -> Command {
    let mut shell = command("cohsh");
    shell.args(["--connect", uri, "--ticket"]).arg(format!("@{}", ticket.display()));
    shell
}

/// Proves EX-9.
#[test]
fn the_main_job_runs_over_tls_from_shell_to_bridge() {
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::made_in(directory.path().join("tls"));
    let (bridge, bridge_ticket) = bridge(directory.path(), &authority);

    let state = directory.path().join("ninedoor");
    let mut serve = command("ninedoor");
    serve.args(["serve", "--bridge", bridge.uri(), "--listen", "tls://127.0.0.1:0"]);
    serve.arg("--bridge-ticket").arg(format!("@{}", bridge_ticket.display()));
    serve.arg("--bridge-ca").arg(authority.file("ca.pem"));
    serve.arg("--tls-cert").arg(authority.file("server.pem"));
    serve.arg("--tls-key").arg(authority.file("server.key"));
    let ninedoor = Running::start(serve.arg("--state-dir").arg(&state), 1);
    let ticket = directory.path().join("queen.ticket");
    mint("ninedoor", &state, &["--role", "queen"], &ticket);

    let out = directory.path().join("out");
    let mut run = shell(ninedoor.uri(), &ticket);
    run.arg("--tls-ca").arg(authority.file("ca.pem"));
    let said = Said::by(run.args(["run", word(&example("vadd.json")), "--out", word(&out)])).well();
    said.in_order(&["staged", "lease", "QUEUED", "RUNNING", "OK"]);
    assert!(fs::read(out.join("sum.f32")).unwrap() == reference::vadd());
}

/// Proves EX-9.
#[test]
fn a_server_that_another_authority_vouches_for_is_not_trusted() {
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::made_in(directory.path().join("tls"));
    let stranger = Authority::made_in(directory.path().join("stranger"));
    let (bridge, ticket) = bridge(directory.path(), &authority);

    let mut ls = shell(bridge.uri(), &ticket);
    let said = Said::by(ls.arg("--tls-ca").arg(stranger.file("ca.pem")).arg("ls")).with_code(3);
    assert!(said.err.contains("reason=policy"), "{said}");
    assert!(said.err.contains("--tls-ca"), "what to do next is said\n{said}");
}

/// Proves SH-18.
#[test]
fn a_proxy_lets_plain_clients_use_a_tls_server() {
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::made_in(directory.path().join("tls"));
    let (bridge, ticket) = bridge(directory.path(), &authority);

    let mut proxy = command("cohsh");
    proxy.arg("--tls-ca").arg(authority.file("ca.pem"));
    proxy.args(["proxy", "--listen", "tcp://127.0.0.1:0", "--to", bridge.uri()]);
    let proxy = Running::start(&mut proxy, 1);
    let said = Said::by(shell(proxy.uri(), &ticket).args(["ls", "/gpu"])).well();
    assert_eq!(said.out, "GPU-0/\n");
}
