//! Prometheus' own tools, and Prometheus itself, at a real bridge that has leases and jobs.
//!
//! Wants Debian's package `prometheus`: `.ci/run promtool`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tests_support::hive::mint;
use tests_support::program::{command, root};
use tests_support::running::Running;
use tests_support::said::Said;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A bridge with the software GPU that has done a job and holds a lease.
struct Bridge {
    _running: Running,
    at: String,
    directory: TempDir,
}

impl Bridge {
    fn at_work() -> Self {
        let directory = TempDir::new().unwrap();
        let state = directory.path().join("state");
        let mut serve = command("gpu-bridge-host");
        serve
            .args(["serve", "--backend", "soft", "--listen", "tcp://127.0.0.1:0"])
            .args(["--metrics", "127.0.0.1:0", "--state-dir"])
            .arg(&state);
        let running = Running::start(&mut serve, 1);
        let line = running.until_line("metrics http://");
        let at = line.strip_prefix("metrics http://").unwrap().strip_suffix("/metrics").unwrap();
        let ticket = directory.path().join("queen.ticket");
        mint("gpu-bridge-host", &state, &["--role", "queen"], &ticket);
        let shell = |words: &[&str]| {
            let mut shell = command("cohsh");
            shell.args(["--connect", running.uri(), "--ticket"]);
            shell.arg(format!("@{}", ticket.display())).args(words);
            let _ = Said::by(&mut shell).well();
        };
        shell(&["run", "docs/examples/vadd.json"]);
        shell(&["lease", "get", "--mem", "64M", "--ttl", "10m"]);
        Self { at: at.to_owned(), _running: running, directory }
    }

    fn scrape(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.at).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.at).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }

    /// Once the job and the lease are on the page.
    fn page(&self) -> String {
        let began = Instant::now();
        loop {
            let page = self.scrape("/metrics/native");
            let has = |line: &str| page.lines().any(|seen| seen == line);
            if has("cohgpu_jobs_total{gpu=\"GPU-0\",result=\"OK\"} 1")
                && has("cohgpu_leases{gpu=\"GPU-0\",state=\"active\"} 1")
            {
                return page;
            }
            assert!(began.elapsed() < PATIENCE, "{page}");
        }
    }
}

fn promtool(words: &[&str]) -> Command {
    let mut promtool = Command::new("promtool");
    promtool.args(words).current_dir(root().join("docs/ops/prometheus"));
    promtool
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// What `promtool check metrics` has against a page, line by line.
fn complaints(directory: &Path, page: &str) -> Vec<String> {
    let file = directory.join("page.txt");
    fs::write(&file, page).unwrap();
    let checked =
        promtool(&["check", "metrics"]).stdin(File::open(file).unwrap()).output().unwrap();
    said(&checked).lines().map(str::to_owned).collect()
}

/// Proves MET-7.
#[test]
fn a_real_scrape_is_without_fault_but_for_the_names_that_dcgm_chose() {
    let bridge = Bridge::at_work();
    let native = bridge.page();
    assert_eq!(complaints(bridge.directory.path(), &native), [""; 0]);
    let all = complaints(bridge.directory.path(), &bridge.scrape("/metrics"));
    let others: Vec<_> = all.iter().filter(|line| !line.starts_with("DCGM_FI_DEV_")).collect();
    assert_eq!(others, [""; 0]);
}

/// Proves MET-7.
#[test]
fn rules_their_tests_and_the_configuration_are_without_fault() {
    for words in [
        &["check", "rules", "cohesix-gpu.rules.yml"][..],
        &["test", "rules", "cohesix-gpu.rules.test.yml"],
        &["check", "config", "prometheus.yml"],
    ] {
        let checked = promtool(words).output().unwrap();
        assert!(checked.status.success(), "{words:?}: {}", said(&checked));
    }
}

/// A Prometheus that runs; killed when it is dropped.
struct Prometheus {
    child: Child,
    url: String,
}

impl Prometheus {
    /// Reads our own configuration, with this bridge in the place of the one that it names, and more often.
    fn of(bridge: &Bridge) -> Self {
        let folder = bridge.directory.path();
        let ours = root().join("docs/ops/prometheus");
        fs::copy(ours.join("cohesix-gpu.rules.yml"), folder.join("cohesix-gpu.rules.yml")).unwrap();
        let config = fs::read_to_string(ours.join("prometheus.yml")).unwrap();
        let config = config.replace("127.0.0.1:9464", &bridge.at).replace("15s", "1s");
        assert!(config.contains(&bridge.at), "the configuration names no bridge at the usual port");
        let file: PathBuf = folder.join("prometheus.yml");
        fs::write(&file, config).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut child = Command::new("prometheus")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let ready = log.any(|line| line.contains("Server is ready to receive web requests"));
        assert!(ready, "Prometheus did not start");
        std::thread::spawn(move || log.for_each(drop)); // so that it never waits to be read
        Self { child, url: format!("http://127.0.0.1:{port}") }
    }

    fn answer(&self, query: &str) -> String {
        said(&promtool(&["query", "instant", &self.url, query]).output().unwrap())
    }

    fn until_answer(&self, query: &str, wanted: &str) {
        let began = Instant::now();
        loop {
            let answer = self.answer(query);
            if answer.contains(wanted) {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "{query} is answered {answer:?}, wanted {wanted}");
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Proves MET-7.
#[test]
fn a_real_prometheus_scrapes_a_bridge_and_answers_about_its_jobs() {
    let bridge = Bridge::at_work();
    let prometheus = Prometheus::of(&bridge);
    prometheus.until_answer("up{job=\"gpu-bridge-host\"}", "=> 1 ");
    prometheus.until_answer("cohgpu_jobs_total{result=\"OK\"}", "=> 1 ");
    prometheus.until_answer("cohgpu_job_kernel_seconds_count", "=> 1 ");
    prometheus.until_answer("count(DCGM_FI_DEV_XID_ERRORS)", "=> 1 ");
}
