//! A whole bridge in this process, with executors of its own, and the people who use it.
#![allow(dead_code, reason = "each test file uses its own part of the world")]

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use bridge_host::{BackendChoice, Bridge, BridgeHandle, Config, Inventory};
use ninedoor_abi::{Claims, Role, Scope, ScopeVerb, UnixMs};
use ninedoor_host::Keeper;
use secure9p::OpenFlags;
use secure9p_tokio::{Client, ClientError, ConnectOptions, Root, Uri};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Longer than anything here takes, on a machine that builds something else at the same time.
const PATIENCE: Duration = Duration::from_secs(20);

/// A bridge that runs.
pub(crate) struct World {
    pub(crate) bridge: BridgeHandle,
    pub(crate) state: PathBuf,
    _directory: TempDir,
}

impl World {
    /// A bridge with scripted devices.
    pub(crate) async fn mock() -> Self {
        Self::with(BackendChoice::Mock, |_| ()).await
    }

    /// A bridge with the software GPU.
    pub(crate) async fn soft() -> Self {
        Self::with(BackendChoice::Soft, |_| ()).await
    }

    pub(crate) async fn with(backend: BackendChoice, change: impl FnOnce(&mut Config)) -> Self {
        let (directory, config) = settings(backend, change);
        let state = config.state_dir.clone();
        Self { bridge: Bridge::start(config).await.unwrap(), state, _directory: directory }
    }

    /// A bridge on GPUs that the test has at hand.
    pub(crate) async fn on(inventory: Inventory, change: impl FnOnce(&mut Config)) -> Self {
        let (directory, config) = settings(BackendChoice::Auto, change);
        let state = config.state_dir.clone();
        let bridge = Bridge::start_on(inventory, config).await.unwrap();
        Self { bridge, state, _directory: directory }
    }

    /// A connection, to be made in whatever runtime awaits it.
    pub(crate) fn client(&self) -> impl Future<Output = Client> + Send + 'static {
        let options =
            ConnectOptions { embedded: self.bridge.dialer().cloned(), ..ConnectOptions::default() };
        async { Client::connect(&Uri::Embedded, options).await.unwrap() }
    }

    async fn attach(&self, uname: &str, aname: &str) -> Result<Root, ClientError> {
        self.client().await.attach(uname, aname).await
    }

    /// The owner of this process needs no ticket to be the queen.
    pub(crate) async fn queen(&self) -> Root {
        self.attach("queen", "").await.unwrap()
    }

    /// A worker with a ticket for some GPUs.
    pub(crate) async fn worker(&self, name: &str, gpus: &[&str]) -> Root {
        let scopes = gpus.iter().map(|gpu| Scope {
            path: format!("/gpu/{gpu}").parse().unwrap(),
            verb: ScopeVerb::Both,
            rate_per_s: 0,
        });
        let mut claims = Claims::new(Role::WorkerGpu, Some(name.parse().unwrap()), UnixMs(0));
        claims.scopes = scopes.collect();
        let secret = Keeper::open(&self.state).unwrap().secret(Role::WorkerGpu).unwrap();
        let ticket = claims.mint(&secret).unwrap();
        self.attach(&format!("worker-gpu:{name}"), &ticket.expose()).await.unwrap()
    }

    pub(crate) async fn attach_with(&self, uname: &str, ticket: &str) -> Result<Root, ClientError> {
        self.attach(uname, ticket).await
    }
}

fn settings(backend: BackendChoice, change: impl FnOnce(&mut Config)) -> (TempDir, Config) {
    let directory = tempfile::tempdir().unwrap();
    let state_dir = directory.path().join("state");
    let mut config =
        Config { backend, listen: vec![Uri::Embedded], state_dir, ..Config::default() };
    config.executors.program = Some(PathBuf::from(env!("CARGO_BIN_EXE_gpu-bridge-host")));
    change(&mut config);
    (directory, config)
}

/// Writes one control line and reads its status line on the same fid.
pub(crate) async fn ctl(root: &Root, gpu: &str, line: &str) -> String {
    order(root, &format!("/gpu/{gpu}/ctl"), line).await
}

/// Writes one record to a control file and reads its status line on the same fid.
pub(crate) async fn order(root: &Root, path: &str, record: &str) -> String {
    let file = root.open(path, OpenFlags::RDWR).await.unwrap();
    let written = file.write_at(0, format!("{record}\n").as_bytes()).await;
    let status = String::from_utf8(file.read_to_end(0).await.unwrap()).unwrap();
    assert_eq!(
        written.is_err(),
        status.starts_with("ERR"),
        "the write and {status:?} say different things"
    );
    status.trim_end().to_owned()
}

/// Submits a job and gives its status line.
pub(crate) async fn submit(root: &Root, gpu: &str, job: &Value) -> String {
    order(root, &format!("/gpu/{gpu}/job"), &job.to_string()).await
}

/// Reads `stats` until the job has ended; gives its records.
pub(crate) async fn records(root: &Root, gpu: &str, job: &str) -> Vec<Value> {
    let reading = async {
        let file = root.open(&format!("/gpu/{gpu}/stats"), OpenFlags::RDONLY).await.unwrap();
        let mut text = Vec::new();
        loop {
            text.extend(file.read_at(text.len() as u64, 64 * 1024).await.unwrap());
            let records = records_of(&text, job);
            if records
                .last()
                .is_some_and(|record| record["state"] == "OK" || record["state"] == "ERR")
            {
                return records;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("the job ends")
}

/// Reads `stats` until the job runs.
pub(crate) async fn until_running(root: &Root, gpu: &str, job: &str) {
    let reading = async {
        loop {
            let text = root.read(&format!("/gpu/{gpu}/stats")).await.unwrap();
            if records_of(&text, job).iter().any(|record| record["state"] == "RUNNING") {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("the job runs");
}

fn records_of(text: &[u8], job: &str) -> Vec<Value> {
    let complete = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let lines = std::str::from_utf8(&text[..complete]).unwrap().lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|record: &Value| record["job"] == job)
        .collect()
}

/// How a job ended: `OK`, or the code of its `ERR`.
pub(crate) async fn end_of(root: &Root, gpu: &str, job: &str) -> String {
    let records = records(root, gpu, job).await;
    let last = records.last().unwrap();
    let ends =
        records.iter().filter(|record| record["state"] == "OK" || record["state"] == "ERR").count();
    assert_eq!(ends, 1, "a job ends once: {records:?}");
    last["code"].as_str().unwrap_or("OK").to_owned()
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// PTX whose entries have these names, a pointer and a number for parameters, and nothing to do.
pub(crate) fn ptx(kernels: &[&str]) -> String {
    let entries = kernels.iter().map(|kernel| {
        format!(".visible .entry {kernel}(.param .u64 {kernel}_p, .param .u32 {kernel}_n)\n{{\n\tret;\n}}\n")
    });
    format!(".version 8.0\n.target sm_80\n.address_size 64\n\n{}", entries.collect::<String>())
}

/// A job that runs one kernel of an inline module and has one output of 4 bytes.
pub(crate) fn inline_job(id: &str, kernel: &str) -> Value {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let module = ptx(&[kernel]);
    let output = format!("/worker/{id}/result");
    json!({
        "job": id, "kernel": kernel, "grid": [1], "block": [32], "timeout_ms": 10_000,
        "bytes_hash": sha256(module.as_bytes()), "payload_b64": BASE64_STANDARD.encode(&module),
        "outputs": [output], "params": [{"out": output, "bytes": 4}, {"u32": 1}],
    })
}

/// What the metrics server answers.
pub(crate) async fn scraped(at: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(at).await.unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// Scrapes until the page has that line; gives the page.
pub(crate) async fn until_scraped(at: SocketAddr, line: &str) -> String {
    let scraping = async {
        loop {
            let page = scraped(at, "/metrics").await;
            if page.lines().any(|seen| seen == line) {
                return page;
            }
            tokio::task::yield_now().await;
        }
    };
    let page = tokio::time::timeout(PATIENCE, scraping).await;
    page.unwrap_or_else(|_| panic!("no page had the line {line}"))
}

/// The first blank-separated `key=value` of a status line.
pub(crate) fn field<'a>(status: &'a str, key: &str) -> &'a str {
    let found = status.split(' ').find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
    found.unwrap_or_else(|| panic!("no {key} in {status:?}"))
}
