//! The daemon as a process, and what outlives it: its state directory, and the witness's list of launches.

use std::{fs, path::PathBuf, process::Command};

use secure9p_tokio::{Client, ConnectOptions, Root};
use tempfile::TempDir;
use tests_sim::Dice;
use tests_support::{running::Running, said::Said};

/// What outlives every daemon.
pub(crate) struct World {
    directory: TempDir,
    queen: String,
}

/// One life of the daemon.
pub(crate) struct Bridge(Running);

impl World {
    pub(crate) fn new() -> Self {
        let mut world = Self { directory: tempfile::tempdir().unwrap(), queen: String::new() };
        world.queen = world.mint(&["--role", "queen"]);
        world
    }

    fn state(&self) -> PathBuf {
        self.directory.path().join("state")
    }

    fn program(&self) -> Command {
        let mut program = Command::new(env!("CARGO_BIN_EXE_chaos-bridge"));
        program.env_clear().env("RUST_LOG", "error");
        program.env("RUST_CHAOS_LAUNCHES", self.directory.path().join("launches"));
        program
    }

    pub(crate) fn mint(&self, claims: &[&str]) -> String {
        let mut mint = self.program();
        mint.args(["ticket", "mint", "--state-dir"]).arg(self.state()).args(claims);
        Said::by(&mut mint).well().out.trim().to_owned()
    }

    pub(crate) fn start(&self) -> Bridge {
        let mut serve = self.program();
        serve.args(["serve", "--backend", "soft", "--listen", "tcp://127.0.0.1:0", "--state-dir"]);
        Bridge(Running::start(serve.arg(self.state()), 1))
    }

    pub(crate) async fn queen(&self, bridge: &Bridge) -> Root {
        bridge.attach("queen", &self.queen).await
    }

    /// Every kernel that was launched, in order.
    pub(crate) fn launches(&self) -> Vec<String> {
        let text = fs::read_to_string(self.directory.path().join("launches")).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// The log of what was done, from the first daemon to the last, has no gap and no line that was changed.
    pub(crate) fn verify_audit(&self) -> String {
        let mut verify = self.program();
        verify.args(["audit", "verify", "--state-dir"]).arg(self.state());
        Said::by(&mut verify).well().out.trim().to_owned()
    }
}

impl Bridge {
    pub(crate) async fn attach(&self, uname: &str, ticket: &str) -> Root {
        let uri = self.0.uri().parse().unwrap();
        let client = Client::connect(&uri, ConnectOptions::default()).await.unwrap();
        client.attach(uname, ticket).await.unwrap()
    }

    /// Ends it as a lack of memory would: at once, and with no word.
    pub(crate) fn kill(self) {
        drop(self.0);
    }

    pub(crate) fn kill_an_executor(&self, dice: &mut Dice) {
        let executors = self.executors();
        if executors.is_empty() {
            return;
        }
        let at = dice.between(0, executors.len() as u64 - 1);
        let pid = &executors[usize::try_from(at).unwrap()];
        // One that has gone by itself meanwhile is as good.
        let _ = Command::new("kill").args(["-KILL", pid]).output().unwrap();
    }

    fn executors(&self) -> Vec<String> {
        let threads = fs::read_dir(format!("/proc/{}/task", self.0.pid())).unwrap();
        let children = threads.map(|thread| {
            fs::read_to_string(thread.unwrap().path().join("children")).unwrap_or_default()
        });
        children
            .flat_map(|pids| pids.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
            .collect()
    }
}
