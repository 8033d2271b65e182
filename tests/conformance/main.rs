//! Clients that others wrote, against the real bridge: Debian's diod tools speak 9P2000.L, PyPI's pyroute2 speaks 9P2000.
//!
//! A named step (`.ci/run foreign`), because it needs Debian's packages and PyPI. Both clients can show a ticket as `aname`;
//! diod's have no `uname` but a uid, so they attach as whom the ticket is for.

use std::{path::PathBuf, process::Command};

use serde_json::Value;
use tempfile::TempDir;
use tests_support::{
    hive::{mint, start_bridge},
    program::root,
    running::Running,
    said::Said,
};

const TREE: [&str; 5] = ["bundles", "gpu", "log", "proc", "worker"];
const GPU: [&str; 5] = ["ctl", "info", "job", "lease", "stats"];

/// A bridge with the software GPU, and the queen's ticket for it.
struct Bridge {
    server: Running,
    ticket: String,
    directory: TempDir,
}

impl Bridge {
    fn start() -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let state = directory.path().join("bridge");
        let server = start_bridge("soft", &state);
        let file = directory.path().join("ticket");
        mint("gpu-bridge-host", &state, &["--role", "queen"], &file);
        let ticket = std::fs::read_to_string(file).expect("the ticket that was minted");
        Self { server, ticket, directory }
    }

    /// `127.0.0.1:PORT`.
    fn address(&self) -> &str {
        self.server.uri().trim_start_matches("tcp://")
    }

    /// What `diodls` or `diodcat` says, showing this ticket.
    fn diod(&self, tool: &str, ticket: &str, path: &str) -> Said {
        // Where Debian has them, which is not on everybody's PATH.
        let mut tool = Command::new(format!("/usr/sbin/{tool}"));
        Said::by(tool.args(["--timeout", "30", "-s", self.address(), "-a", ticket, path]))
    }
}

/// pyroute2 in a Python environment of its own.
struct Plan9<'a> {
    bridge: &'a Bridge,
    python: PathBuf,
}

impl<'a> Plan9<'a> {
    /// Installs it, at its pinned version, in the bridge's temporary directory.
    fn against(bridge: &'a Bridge) -> Self {
        let environment = bridge.directory.path().join("python");
        let python = environment.join("bin/python");
        let _ = Said::by(Command::new("python3").args(["-m", "venv"]).arg(environment)).well();
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "--quiet", "--require-hashes", "--requirement"]);
        let _ = Said::by(pip.arg(root().join("tests/conformance/requirements.txt"))).well();
        Self { bridge, python }
    }

    /// What `plan9.py` says, attached as the queen.
    fn says(&self, words: &[&str]) -> Said {
        self.says_with(&self.bridge.ticket, words)
    }

    fn says_with(&self, ticket: &str, words: &[&str]) -> Said {
        let (_, port) = self.bridge.address().rsplit_once(':').expect("an address has a port");
        let mut client = Command::new(&self.python);
        client.arg(root().join("tests/conformance/plan9.py")).args([port, "queen"]).args(words);
        Said::by(client.env("TICKET", ticket))
    }
}

#[track_caller]
fn assert_lists(said: &Said, wanted: &[&str]) {
    let mut names: Vec<_> = said.out.lines().collect();
    names.sort_unstable();
    assert_eq!(names, wanted, "{said}");
}

#[track_caller]
fn assert_describes_the_gpu(said: &Said) {
    let info: Value = serde_json::from_str(&said.out).expect("info is JSON");
    assert_eq!(info["id"], "GPU-0", "{said}");
}

#[track_caller]
fn assert_refused(said: &Said, reason: &str) {
    assert!(said.err.contains(reason) && said.out.is_empty(), "wanted {reason:?}\n{said}");
    assert_eq!(said.code, Some(1), "{said}");
}

/// Proves HOUSE-12.
#[test]
fn diods_tools_list_and_read_the_bridge() {
    let bridge = Bridge::start();
    let queen = &bridge.ticket;
    assert_lists(&bridge.diod("diodls", queen, "/").well(), &TREE);
    assert_lists(&bridge.diod("diodls", queen, "/gpu/GPU-0").well(), &GPU);
    assert_describes_the_gpu(&bridge.diod("diodcat", queen, "/gpu/GPU-0/info").well());

    let absent = bridge.diod("diodcat", queen, "/gpu/GPU-7/info");
    assert_refused(&absent, "/gpu/GPU-7/info: No such file or directory");
}

/// Proves HOUSE-12.
#[test]
fn diods_tools_are_refused_without_a_ticket() {
    let bridge = Bridge::start();
    assert_refused(&bridge.diod("diodls", "", "/"), "attaching to aname='': Permission denied");
    // Theirs, when none is given.
    assert_refused(&bridge.diod("diodls", "ctl", "/"), "aname='ctl': Invalid argument");
    assert_lists(&bridge.diod("diodls", &bridge.ticket, "/").well(), &TREE);
}

/// Proves HOUSE-13.
#[test]
fn pyroute2_lists_reads_and_takes_a_lease() {
    let bridge = Bridge::start();
    let plan9 = Plan9::against(&bridge);
    assert_lists(&plan9.says(&["ls", "/"]).well(), &TREE);
    assert_lists(&plan9.says(&["ls", "gpu/GPU-0"]).well(), &GPU);
    assert_describes_the_gpu(&plan9.says(&["cat", "gpu/GPU-0/info"]).well());

    let lease = ["ask", "gpu/GPU-0/ctl", "LEASE mem_mb=32 streams=1 ttl_s=60"];
    let granted = plan9.says(&lease).well();
    assert!(
        granted.out.starts_with("OK LEASE id=lease-1 epoch=1 gpu=GPU-0 mem_mb=32 "),
        "{granted}"
    );
    // Both dialects see one tree.
    let seen = bridge.diod("diodcat", &bridge.ticket, "/gpu/GPU-0/ctl").well();
    assert!(seen.out.contains(granted.out.trim()), "{seen}");
}

/// Proves HOUSE-13.
#[test]
fn pyroute2_is_refused_in_words() {
    let bridge = Bridge::start();
    let plan9 = Plan9::against(&bridge);
    assert_refused(&plan9.says_with("", &["ls", "/"]), "permission denied");
    assert_refused(&plan9.says(&["cat", "nothing"]), "no such file or directory");
    assert_refused(&plan9.says(&["ask", "gpu/GPU-0/info", "LEASE"]), "permission denied");
    assert_refused(&plan9.says(&["ask", "gpu/GPU-0/ctl", "LEASE mem_mb=lots"]), "invalid argument");
    let status = plan9.says(&["cat", "gpu/GPU-0/ctl"]).well();
    assert!(status.out.contains("ERR LEASE") && status.out.contains("mem_mb"), "{status}");
}
