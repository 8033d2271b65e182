//! The real daemon on this machine's GPU: the examples, jobs that go wrong, and how soon the GPU is usable again.

use std::time::{Duration, Instant};

use base64::{Engine, prelude::BASE64_STANDARD};
use secure9p::OpenFlags;
use secure9p_tokio::{Client, ClientError, ConnectOptions, Root, Uri};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tests_contract::KERNELS;
use tests_support::{
    program::{command, root},
    running::Running,
};

use crate::parts::percentiles;

const GPU: &str = "/gpu/GPU-0";
const LEASE: &str = "LEASE mem_mb=256 streams=1 ttl_s=3600";
const EXAMPLES: [&str; 3] = ["vadd", "matmul", "mandelbrot"];

/// Longer than any job here takes.
const PATIENCE: Duration = Duration::from_secs(120);

type Outcome<T = ()> = Result<T, String>;

pub(crate) fn measure(rounds: usize) -> Value {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let socket = format!("unix://{}/socket", directory.path().display());
    let mut serve = command("gpu-bridge-host");
    serve.args(["serve", "--backend", "nvidia", "--listen", &socket, "--state-dir"]);
    serve.arg(directory.path().join("state"));
    if let Some(machine) = std::env::var_os("CUDA_FAKE_MACHINE") {
        serve.env("CUDA_FAKE_MACHINE", machine);
    }
    let bridge = Running::start(&mut serve, 1);
    let examples: Vec<Value> =
        EXAMPLES.iter().map(|name| said(name, example(&bridge, name, directory.path()))).collect();
    let runtime = tokio::runtime::Runtime::new().expect("threads for a client");
    let cases = runtime.block_on(async {
        match attach(bridge.uri()).await {
            Ok(root) => cases(&root, rounds).await,
            Err(error) => json!({ "failed": error.to_string() }),
        }
    });
    json!({ "examples": examples, "cases": cases["cases"], "kill_to_usable_us": cases["kill_to_usable_us"], "failed": cases["failed"] })
}

fn said(name: &str, outcome: Outcome) -> Value {
    json!({ "name": name, "well": outcome.is_ok(), "why": outcome.err() })
}

/// As a newcomer runs it.
fn example(bridge: &Running, name: &str, out: &std::path::Path) -> Outcome {
    let job = format!("docs/examples/{name}.json");
    let out = out.join(name);
    let mut run = command("cohsh");
    run.args(["--connect", bridge.uri(), "run", &job, "--out"]).arg(&out);
    let output = run.output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{}: {}", output.status, why.trim()));
    }
    if name == "vadd" { sums(&out) } else { Ok(()) }
}

/// The one example whose result is known to the last bit.
fn sums(out: &std::path::Path) -> Outcome {
    let examples = root().join("docs/examples");
    let floats = |path: std::path::PathBuf| -> Outcome<Vec<f32>> {
        let bytes = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let four = |bytes: &[u8]| bytes.try_into().map(f32::from_le_bytes).unwrap_or(f32::NAN);
        Ok(bytes.chunks(4).map(four).collect())
    };
    let (a, b) = (floats(examples.join("vadd.a.f32"))?, floats(examples.join("vadd.b.f32"))?);
    let wanted: Vec<f32> = a.iter().zip(&b).map(|(a, b)| a + b).collect();
    if floats(out.join("sum.f32"))? == wanted {
        Ok(())
    } else {
        Err("the sums are wrong".to_owned())
    }
}

async fn attach(uri: &str) -> Result<Root, ClientError> {
    let uri: Uri = uri.parse().expect("a server says where it listens");
    Client::connect(&uri, ConnectOptions::default()).await?.attach("queen", "").await
}

async fn cases(root: &Root, rounds: usize) -> Value {
    let leased = order(root, "ctl", LEASE).await;
    if !leased.starts_with("OK") {
        return json!({ "failed": leased });
    }
    let mut cases = vec![
        said(
            "a kernel that never ends: TIMEOUT, then the next job runs",
            ends(root, "late", "forever", "TIMEOUT").await,
        ),
        said(
            "a kernel that writes where it must not: FAULT, then the next job runs",
            ends(root, "wild", "wild", "FAULT").await,
        ),
        said("a job that is cancelled: CANCELLED, then the next job runs", cancelled(root).await),
        said("a job past its lease's memory is refused", too_large(root).await),
    ];
    let mut times = Vec::new();
    for round in 0..rounds {
        match kill_to_usable(root, round).await {
            Ok(time) => times.push(time),
            Err(why) => {
                cases.push(said("from a kill to the next result", Err(why)));
                break;
            }
        }
    }
    json!({ "cases": cases, "kill_to_usable_us": percentiles(times) })
}

async fn order(root: &Root, file: &str, line: &str) -> String {
    let asking = async {
        let file = root.open(&format!("{GPU}/{file}"), OpenFlags::RDWR).await?;
        let written = file.write_at(0, format!("{line}\n").as_bytes()).await;
        let status = file.read_to_end(0).await?;
        Ok::<_, ClientError>((written, status))
    };
    match asking.await {
        Ok((_, status)) => String::from_utf8_lossy(&status).trim_end().to_owned(),
        Err(error) => format!("ERR {error}"),
    }
}

fn job(id: &str, kernel: &str, bytes: u64) -> Value {
    let digest = Sha256::digest(KERNELS.as_bytes());
    let hash = digest.iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"));
    let mut job = json!({
        "job": id, "kernel": kernel, "grid": [1], "block": [1], "timeout_ms": 300,
        "bytes_hash": hash, "payload_b64": BASE64_STANDARD.encode(KERNELS), "outputs": [], "params": [],
    });
    if kernel == "wild" {
        job["params"] = json!([{ "u64": 16 }]);
    }
    if bytes > 0 {
        let path = format!("/worker/{id}/out");
        job["kernel"] = json!("vadd");
        job["outputs"] = json!([path]);
        job["params"] = json!([{ "out": path, "bytes": bytes }, { "null": true }, { "null": true }, { "u32": 0 }]);
    }
    job
}

async fn submit(root: &Root, id: &str, kernel: &str) -> Outcome {
    let status = order(root, "job", &job(id, kernel, 0).to_string()).await;
    if status.starts_with("OK") { Ok(()) } else { Err(status) }
}

/// The state or code that ends a job; `wanted` may also be RUNNING.
async fn until(root: &Root, id: &str, wanted: impl Fn(&Value) -> bool) -> Outcome<Value> {
    let looking = async {
        loop {
            let text =
                root.read(&format!("{GPU}/stats")).await.map_err(|error| error.to_string())?;
            let text = String::from_utf8_lossy(&text).into_owned();
            let records = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let mut of_job = records.filter(|record| record["job"] == id);
            if let Some(record) = of_job.find(|record| wanted(record)) {
                return Ok(record);
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.map_err(|_| format!("job {id} does not end"))?
}

async fn end(root: &Root, id: &str) -> Outcome<String> {
    let record =
        until(root, id, |record| record["state"] == "OK" || record["state"] == "ERR").await?;
    Ok(record["code"].as_str().unwrap_or("OK").to_owned())
}

async fn works(root: &Root, id: &str) -> Outcome {
    submit(root, id, "nothing").await?;
    match end(root, id).await?.as_str() {
        "OK" => Ok(()),
        other => Err(format!("the next job ended {other}")),
    }
}

async fn ends(root: &Root, id: &str, kernel: &str, wanted: &str) -> Outcome {
    submit(root, id, kernel).await?;
    let ended = end(root, id).await?;
    if ended != wanted {
        return Err(format!("it ended {ended}"));
    }
    works(root, &format!("after-{id}")).await
}

async fn cancelled(root: &Root) -> Outcome {
    submit(root, "unwanted", "forever").await?;
    until(root, "unwanted", |record| record["state"] == "RUNNING").await?;
    order(root, "ctl", "CANCEL unwanted").await;
    match end(root, "unwanted").await?.as_str() {
        "CANCELLED" => works(root, "after-unwanted").await,
        other => Err(format!("it ended {other}")),
    }
}

async fn too_large(root: &Root) -> Outcome {
    let status = order(root, "job", &job("large", "vadd", 300 << 20).to_string()).await;
    if status.starts_with("ERR JOB") { Ok(()) } else { Err(status) }
}

/// From the record that a killed job has ended to the result of the next.
async fn kill_to_usable(root: &Root, round: usize) -> Outcome<Duration> {
    let id = format!("killed-{round}");
    submit(root, &id, "forever").await?;
    end(root, &id).await?;
    let killed = Instant::now();
    works(root, &format!("usable-{round}")).await?;
    Ok(killed.elapsed())
}
