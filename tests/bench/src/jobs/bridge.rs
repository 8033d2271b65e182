//! A real `gpu-bridge-host` with the software GPU, as a process of its own, on a port that the system chooses.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, anyhow};
use ninedoor_abi::{Claims, Role, Scope, ScopeVerb, UnixMs};
use ninedoor_host::Keeper;
use tempfile::TempDir;

use crate::{client::Client, kernels, log::Log, worker::Worker};

/// The one GPU there is.
pub(crate) const GPU: &str = "GPU-0";

/// What a bridge of the bench has other than everybody's: room for a crowd.
const SETTINGS: &str = "\
[executors]
max = 512
stderr = false
";

/// A bridge that runs; ended with the value.
pub(crate) struct Bridge {
    child: Child,
    address: SocketAddr,
    state: TempDir,
    /// What it says, where somebody listens.
    pub(crate) log: Option<Log>,
}

/// Processor time, and how often something went to sleep and was woken for it, up to now.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Use {
    pub(crate) daemon: Duration,
    pub(crate) executors: Duration,
    pub(crate) switches: u64,
}

impl Bridge {
    /// Starts one with its state somewhere below `directory`, and stages the module of the bench. With a filter it logs.
    pub(crate) fn start(program: &Path, directory: &Path, filter: Option<&str>) -> Result<Self> {
        let state = tempfile::Builder::new().prefix("bench-jobs-").tempdir_in(directory)?;
        let settings = state.path().join("bridge.toml");
        fs::write(&settings, SETTINGS)?;
        let mut command = Command::new(program);
        command
            .args(["serve", "--backend", "soft", "--listen", "tcp://127.0.0.1:0", "--config"])
            .arg(&settings)
            .arg("--state-dir")
            .arg(state.path().join("state"))
            .env("RUST_LOG", filter.unwrap_or("error"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(if filter.is_some() { Stdio::piped() } else { Stdio::inherit() });
        let mut child = command.spawn().with_context(|| format!("start {}", program.display()))?;
        let log = child.stderr.take().map(Log::of);
        let address = listens_at(&mut child)?;
        let bridge = Self { child, address, state, log };
        bridge.queen()?.stage(kernels::MODULE, kernels::PTX.as_bytes())?;
        Ok(bridge)
    }

    /// The queen, attached.
    pub(crate) fn queen(&self) -> Result<Client> {
        Client::attach(self.address, "queen", &self.ticket(Role::Queen, None)?)
    }

    /// A worker of this name, attached, with its files open.
    pub(crate) fn worker(&self, name: &str) -> Result<Worker> {
        let ticket = self.ticket(Role::WorkerGpu, Some(name))?;
        Worker::new(Client::attach(self.address, &format!("worker-gpu:{name}"), &ticket)?)
    }

    fn ticket(&self, role: Role, subject: Option<&str>) -> Result<String> {
        let issued_at = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
        let subject = subject.map(str::parse).transpose().map_err(refused)?;
        let mut claims = Claims::new(role, subject, UnixMs(u64::try_from(issued_at)?));
        if role.is_worker() {
            let path = format!("/gpu/{GPU}").parse().map_err(refused)?;
            claims.scopes = vec![Scope { path, verb: ScopeVerb::Both, rate_per_s: 0 }];
        }
        let secret = Keeper::open(&self.state.path().join("state"))?.secret(role)?;
        Ok(claims.mint(&secret).map_err(refused)?.expose())
    }

    /// What it and its executors have used up to now.
    pub(crate) fn used(&self) -> Use {
        let mut used = Use::default();
        let (daemon, switches) = of_process(self.child.id());
        used.daemon = daemon;
        used.switches = switches;
        for executor in self.executors() {
            let (time, switches) = of_process(executor);
            used.executors += time;
            used.switches += switches;
        }
        used
    }

    /// Its executors' process ids, in the order of their birth: one thread starts them all.
    pub(crate) fn executors(&self) -> Vec<u32> {
        let children = threads(self.child.id()).filter_map(|thread| {
            let children = fs::read_to_string(thread.join("children")).ok()?;
            Some(children.split(' ').filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>())
        });
        children.flatten().collect()
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended already, which is as well
        let _ = self.child.wait();
    }
}

impl Use {
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            daemon: self.daemon.saturating_sub(before.daemon),
            executors: self.executors.saturating_sub(before.executors),
            switches: self.switches.saturating_sub(before.switches),
        }
    }
}

fn listens_at(child: &mut Child) -> Result<SocketAddr> {
    let said = child.stdout.take().context("its output is piped")?;
    let mut line = String::new();
    BufReader::new(said).read_line(&mut line)?;
    let address = line.trim_end().strip_prefix("listening tcp://");
    address.with_context(|| format!("the bridge says {line:?}"))?.parse().context("its address")
}

/// Time on a processor and number of switches of all threads of a process; nothing for one that is gone.
pub(crate) fn of_process(pid: u32) -> (Duration, u64) {
    let (mut ran_ns, mut switches) = (0, 0);
    for thread in threads(pid) {
        let read = |file| fs::read_to_string(thread.join(file)).unwrap_or_default();
        let ran = read("schedstat");
        ran_ns += ran.split(' ').next().and_then(|ns| ns.parse::<u64>().ok()).unwrap_or(0);
        let status = read("status");
        let lines = status.lines().filter_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        switches += lines.filter_map(|count| count.trim().parse::<u64>().ok()).sum::<u64>();
    }
    (Duration::from_nanos(ran_ns), switches)
}

fn threads(pid: u32) -> impl Iterator<Item = std::path::PathBuf> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task"));
    tasks.into_iter().flatten().filter_map(|task| Some(task.ok()?.path()))
}

fn refused(refusal: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("{refusal}")
}
