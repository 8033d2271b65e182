//! What a daemon with 8 GPUs and 100 leases costs, and how long a scrape of it takes: `cargo bench -p bridge-host --bench metrics`.
//!
//! The daemon is the program itself, in a process of its own, with scripted GPUs. Memory and processor time are the kernel's figures
//! of that process; executors are processes beside it and are shown apart.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a benchmark fails by panicking")]

#[path = "../tests/world/mod.rs"]
mod world;

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use secure9p_tokio::{Client, ConnectOptions, Root};
use tempfile::TempDir;
use world::{ctl, end_of, field, inline_job, submit};

const GPUS: usize = 8;
const LEASES: usize = 100;
const SCRAPES: usize = 2000;
const WATCHED: Duration = Duration::from_secs(20);

struct Daemon {
    child: Child,
    uri: String,
    metrics: String,
    _directory: TempDir,
}

impl Daemon {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name).display().to_string();
        let settings = format!("backend = \"mock\"\nmock_gpus = {GPUS}\n");
        fs::write(path("bridge.toml"), settings).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_gpu-bridge-host"))
            .args(["serve", "--metrics", "127.0.0.1:0", "--config", &path("bridge.toml")])
            .args(["--state-dir", &path("state")])
            .args(["--listen", &format!("unix://{}", path("socket"))])
            .env("RUST_LOG", "warn")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines: Vec<String> = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .take(2)
            .map(Result::unwrap)
            .collect();
        let after = |prefix: &str| {
            lines.iter().find_map(|line| line.strip_prefix(prefix)).unwrap().to_owned()
        };
        let metrics = after("metrics http://").trim_end_matches("/metrics").to_owned();
        Self { child, uri: after("listening "), metrics, _directory: directory }
    }

    async fn attach(&self, uname: &str, aname: &str) -> Root {
        let uri = self.uri.parse().unwrap();
        let client = Client::connect(&uri, ConnectOptions::default()).await.unwrap();
        client.attach(uname, aname).await.unwrap()
    }

    fn scrape(&self) -> (Duration, usize) {
        let began = Instant::now();
        let mut stream = TcpStream::connect(&self.metrics).unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        (began.elapsed(), answer.len())
    }

    fn resident_kib(&self) -> u64 {
        kib_of(self.child.id(), "status", "VmRSS:")
    }

    fn threads(&self) -> u64 {
        kib_of(self.child.id(), "status", "Threads:")
    }

    /// Processor time of all its threads.
    fn used(&self) -> Duration {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let of_task = |task: Result<fs::DirEntry, _>| -> Option<u64> {
            let text = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
            text.split(' ').next()?.parse().ok()
        };
        Duration::from_nanos(tasks.filter_map(of_task).sum())
    }

    fn executors(&self) -> Vec<u32> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let children = tasks.map(|task| {
            fs::read_to_string(task.unwrap().path().join("children")).unwrap_or_default()
        });
        let pids: String = children.collect();
        pids.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn kib_of(pid: u32, file: &str, key: &str) -> u64 {
    let text = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join(file));
    let text = text.unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(key));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

fn mib(kib: u64) -> String {
    #[allow(clippy::cast_precision_loss, reason = "a few MiB")]
    let mib = kib as f64 / 1024.0;
    format!("{mib:.1} MiB")
}

fn gpu(lease: usize) -> String {
    format!("GPU-{}", lease % GPUS)
}

async fn take_leases(daemon: &Daemon) {
    let queen = daemon.attach("queen", "").await;
    for lease in 0..LEASES {
        let line = format!("LEASE mem_mb=256 streams=1 ttl_s=3600 worker=w-{lease}");
        let status = ctl(&queen, &gpu(lease), &line).await;
        assert!(status.starts_with("OK LEASE"), "{status}");
    }
}

/// One job by every lease, so that each has its executor.
async fn work(daemon: &Daemon) {
    let queen = daemon.attach("queen", "").await;
    for lease in 0..LEASES {
        let gpu = gpu(lease);
        let status = ctl(&queen, &gpu, &format!("TICKET worker=w-{lease} ttl_s=3600")).await;
        let ticket = field(&status, "ticket").to_owned();
        let worker = daemon.attach(&format!("worker-gpu:w-{lease}"), &ticket).await;
        let id = format!("j-{lease}");
        let status = submit(&worker, &gpu, &inline_job(&id, "anything")).await;
        assert!(status.starts_with("OK JOB"), "{status}");
        assert_eq!(end_of(&worker, &gpu, &id).await, "OK");
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let daemon = Daemon::start();
    std::thread::sleep(Duration::from_secs(2)); // the first pages and samples
    let row = |what: &str, figure: String| println!("| {what} | {figure} |");
    println!("| | |\n| --- | --- |");
    row(&format!("resident, {GPUS} GPUs, idle"), mib(daemon.resident_kib()));

    runtime.block_on(take_leases(&daemon));
    std::thread::sleep(Duration::from_secs(2));
    row(&format!("resident, {GPUS} GPUs and {LEASES} leases, idle"), mib(daemon.resident_kib()));
    row("… threads", daemon.threads().to_string());

    let mut times: Vec<(Duration, usize)> = (0..SCRAPES).map(|_| daemon.scrape()).collect();
    times.sort_unstable();
    row("bytes of a page", times[0].1.to_string());
    row("scrape p50", format!("{:?}", times[SCRAPES / 2].0));
    row("scrape p99", format!("{:?}", times[SCRAPES * 99 / 100].0));

    let (began, used) = (Instant::now(), daemon.used());
    while began.elapsed() < WATCHED {
        daemon.scrape();
        std::thread::sleep(Duration::from_secs(1));
    }
    let share = (daemon.used() - used).as_secs_f64() / began.elapsed().as_secs_f64() * 100.0;
    row(&format!("of one core, scraped every second, {WATCHED:?}"), format!("{share:.2} %"));

    runtime.block_on(work(&daemon));
    let executors = daemon.executors();
    row(
        &format!("resident after {LEASES} jobs, {} executors alive", executors.len()),
        mib(daemon.resident_kib()),
    );
    let shares = executors.iter().map(|pid| kib_of(*pid, "smaps_rollup", "Pss:"));
    row("… all executors, proportional share", mib(shares.sum()));
}
