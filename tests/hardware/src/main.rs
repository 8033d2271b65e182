//! One command that, on a machine with an NVIDIA GPU, runs everything that only hardware can show, and reports.
//!
//! ```text
//! cargo run --release -p tests-hardware -- [--out DIR]      report.json and report.md in DIR (target/hardware by default)
//!
//!   discovery ─▶ contract (own process: its last clause ends the context)
//!             ─▶ launches (own process): ours against a bare loop
//!             ─▶ a real daemon: examples, timeout, cancel, fault, too much memory; from a kill to the next result
//! ```
//! Exit codes: 0 all as wanted, 1 something was not, 2 usage, 3 no GPU here. On a fake driver the report says FAKE.
#![allow(clippy::panic, reason = "a harness says what is wrong by panicking")]

mod daemon;
mod parts;
mod report;

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use bridge_host_cuda::NvmlDiscovery;
use bridge_host_gpu::{GpuDiscovery, GpuInfo};
use serde_json::{Value, json};

/// The hidden first argument of the processes that this one starts.
const PART: &str = "part";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        [PART, name, uuid, out] => parts::run(name, uuid, Path::new(out)),
        [] => measure(Path::new("target/hardware")),
        ["--out", directory] => measure(Path::new(directory)),
        _ => {
            eprintln!("usage: tests-hardware [--out DIR]");
            ExitCode::from(2)
        }
    }
}

fn measure(out: &Path) -> ExitCode {
    let gpus = match NvmlDiscovery::new().and_then(|mut discovery| discovery.inventory()) {
        Ok(gpus) if !gpus.is_empty() => gpus,
        Ok(_) => return none_here("the NVIDIA driver works and finds no GPU"),
        Err(error) => return none_here(&error.to_string()),
    };
    let gpu = &gpus[0];
    // The fakes call themselves so.
    let fake = gpu.name.starts_with("Fake");
    std::fs::create_dir_all(out).unwrap_or_else(|error| panic!("{}: {error}", out.display()));
    let mut report = json!({
        "schema": "gpu-hardware/v1",
        "fake": fake,
        "gpus": gpus.iter().map(facts).collect::<Vec<_>>(),
        "contract": part("contract", gpu, out),
        "launches": part("launches", gpu, out),
    });
    let rounds = if fake { 3 } else { 100 };
    report["daemon"] = daemon::measure(rounds);
    let well = report::is_well(&report);
    report["well"] = json!(well);
    let text = serde_json::to_string_pretty(&report).expect("a report is JSON");
    write(&out.join("report.json"), &text);
    let page = report::page(&report);
    write(&out.join("report.md"), &page);
    println!("{page}");
    println!("written: {0}/report.json, {0}/report.md", out.display());
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn none_here(why: &str) -> ExitCode {
    eprintln!("tests-hardware: no NVIDIA GPU here, and nothing was measured: {why}");
    ExitCode::from(3)
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

fn facts(gpu: &GpuInfo) -> Value {
    json!({
        "uuid": gpu.uuid, "name": gpu.name, "memory_mb": gpu.memory_mb, "sm_count": gpu.sm_count,
        "compute_capability": format!("{}.{}", gpu.compute_capability.major, gpu.compute_capability.minor),
        "driver": gpu.driver_version, "cuda": gpu.runtime_version, "pci": gpu.pci_bus_id,
        "memory_enforcement": gpu.memory_enforcement.as_str(), "numa_node": gpu.topology.numa_node,
    })
}

/// What a part found, in a process of its own: kernels print to its standard output, and a fault ends its context.
fn part(name: &str, gpu: &GpuInfo, out: &Path) -> Value {
    let file: PathBuf = out.join(format!("{name}.json"));
    let program = std::env::current_exe().expect("a running program has a path");
    let ended = Command::new(program).args([PART, name, &gpu.uuid]).arg(&file).status();
    match ended {
        Ok(status) if status.success() => std::fs::read_to_string(&file)
            .ok()
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_else(|| json!({ "failed": format!("{} says nothing", file.display()) })),
        Ok(status) => json!({ "failed": status.to_string() }),
        Err(error) => json!({ "failed": error.to_string() }),
    }
}
