//! A whole hive of real processes: a bridge with the software GPU, a NineDoor that mounts it, and shells that talk to it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::program::command;
use crate::running::Running;
use crate::said::Said;

/// Two servers, and the queen's ticket for the second.
#[derive(Debug)]
pub struct Hive {
    /// The bridge.
    pub bridge: Running,
    /// NineDoor.
    pub ninedoor: Running,
    ticket: PathBuf,
    state: PathBuf,
    directory: TempDir,
}

impl Hive {
    /// Starts both over TCP, on ports that the system chooses, with the software GPU.
    ///
    /// # Panics
    /// When one of them does not start.
    #[track_caller]
    #[must_use]
    pub fn start() -> Self {
        Self::start_with("soft")
    }

    /// The same, with GPUs of this backend.
    ///
    /// # Panics
    /// When one of them does not start.
    #[track_caller]
    #[must_use]
    pub fn start_with(backend: &str) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let (bridge_state, state) =
            (directory.path().join("bridge"), directory.path().join("ninedoor"));
        let bridge = start_bridge(backend, &bridge_state);
        let bridge_ticket = directory.path().join("bridge.ticket");
        mint("gpu-bridge-host", &bridge_state, &["--role", "queen"], &bridge_ticket);

        let mut ninedoor = command("ninedoor");
        ninedoor
            .args(["serve", "--bridge", bridge.uri(), "--listen", "tcp://127.0.0.1:0"])
            .arg("--bridge-ticket")
            .arg(format!("@{}", bridge_ticket.display()))
            .arg("--state-dir")
            .arg(&state);
        let ninedoor = Running::start(&mut ninedoor, 1);
        let ticket = directory.path().join("queen.ticket");
        mint("ninedoor", &state, &["--role", "queen"], &ticket);
        Self { bridge, ninedoor, ticket, state, directory }
    }

    /// A place for files of the test, removed at its end.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// A shell that is attached as the queen.
    #[must_use]
    pub fn shell(&self) -> Command {
        let mut shell = self.shell_without_ticket();
        shell.arg("--ticket").arg(format!("@{}", self.ticket.display()));
        shell
    }

    /// A shell that has nothing to show.
    #[must_use]
    pub fn shell_without_ticket(&self) -> Command {
        let mut shell = command("cohsh");
        shell.args(["--connect", self.ninedoor.uri()]);
        shell
    }

    /// The queen's ticket.
    ///
    /// # Panics
    /// When somebody took it away.
    #[must_use]
    pub fn ticket(&self) -> String {
        fs::read_to_string(&self.ticket).expect("the ticket that was minted")
    }

    /// A shell that shows this ticket.
    #[must_use]
    pub fn shell_with(&self, ticket: &str) -> Command {
        let mut shell = self.shell_without_ticket();
        shell.args(["--ticket", ticket]);
        shell
    }

    /// Mints a ticket with NineDoor's secrets.
    ///
    /// # Panics
    /// When the program refuses.
    #[track_caller]
    #[must_use]
    pub fn mint(&self, claims: &[&str]) -> String {
        let mut mint = command("ninedoor");
        mint.args(["ticket", "mint", "--state-dir"]).arg(&self.state).args(claims);
        Said::by(&mut mint).well().out.trim().to_owned()
    }

    /// What the queen's shell says to these words.
    #[must_use]
    pub fn says(&self, words: &[&str]) -> Said {
        Said::by(self.shell().args(words))
    }
}

/// A bridge with GPUs of this backend, over TCP.
///
/// # Panics
/// When it does not start.
#[track_caller]
#[must_use]
pub fn start_bridge(backend: &str, state: &Path) -> Running {
    Running::start(&mut configured_bridge(backend, state, "tcp://127.0.0.1:0"), 1)
}

/// The command that starts a bridge with GPUs of this backend, listening there; more words may follow.
#[must_use]
pub fn configured_bridge(backend: &str, state: &Path, listen: &str) -> Command {
    let mut bridge = command("gpu-bridge-host");
    bridge.args(["serve", "--backend", backend, "--listen", listen, "--state-dir"]).arg(state);
    bridge
}

/// Mints a ticket with a server's own secrets, and leaves it in a file.
///
/// # Panics
/// When the program refuses.
#[track_caller]
pub fn mint(program: &str, state: &Path, claims: &[&str], file: &Path) {
    let mut mint = command(program);
    mint.args(["ticket", "mint", "--state-dir"]).arg(state).args(claims);
    let minted = Said::by(&mut mint).well();
    fs::write(file, minted.out.trim()).expect("a file for the ticket");
}
