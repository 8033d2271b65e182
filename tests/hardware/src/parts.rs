//! What runs on a context of its own, each in a process of its own: the contract, and launches against their floor.

use std::{
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};

use bridge_host_cuda::{CudaBackend, floor::bare_launches};
use bridge_host_gpu::{
    DeviceLimits, Dim3, GpuBackend, GpuError, LaunchSpec, ModuleFormat, ModuleImage, StopSignal,
};
use serde_json::{Value, json};
use tests_contract::{KERNELS, Subject, check};

/// Launches that are measured, each way, after as many that are not.
const LAUNCHES: usize = 1000;

pub(crate) fn run(name: &str, uuid: &str, out: &Path) -> ExitCode {
    let found = match name {
        "contract" => contract(uuid),
        "launches" => launches(uuid),
        other => Ok(json!({ "failed": format!("no part {other}") })),
    };
    let found = found.unwrap_or_else(|error| json!({ "failed": error.to_string() }));
    match std::fs::write(out, found.to_string()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn contract(uuid: &str) -> Result<Value, GpuError> {
    let mut backend = CudaBackend::new()?;
    let mut subject = Subject::computing(&mut backend, uuid);
    subject.fault_is_final = true;
    let verdicts = check(&mut subject);
    let said = verdicts.iter().map(|verdict| {
        json!({ "clause": verdict.clause, "kept": verdict.outcome.is_ok(), "why": verdict.outcome.clone().err() })
    });
    Ok(json!({ "clauses": said.collect::<Vec<_>>() }))
}

/// Ours and bare ones, in turns, so that both see the same machine.
fn launches(uuid: &str) -> Result<Value, GpuError> {
    let limits = DeviceLimits { memory_bytes: 8 << 20, streams: 1, printf_bytes: 4096 };
    let started = Instant::now();
    let mut device = CudaBackend::new()?.open(uuid, limits)?;
    let context = started.elapsed();
    let image = ModuleImage { format: ModuleFormat::Ptx, bytes: KERNELS.as_bytes() };
    let module = device.load(image)?;
    let one = Dim3 { x: 1, y: 1, z: 1 };
    let launch = LaunchSpec {
        module,
        kernel: "nothing".to_owned(),
        grid: one,
        block: one,
        shared_bytes: 0,
        parameters: Vec::new(),
    };
    let stop = StopSignal::new();
    let mut ours = || -> Result<Vec<Duration>, GpuError> {
        (0..LAUNCHES)
            .map(|_| {
                let start = Instant::now();
                device.launch(&launch, &stop)?;
                Ok(start.elapsed())
            })
            .collect()
    };
    ours()?;
    bare_launches(KERNELS, "nothing", LAUNCHES)?;
    let (ours, bare) = (ours()?, bare_launches(KERNELS, "nothing", LAUNCHES)?);
    Ok(
        json!({ "context_ms": context.as_secs_f64() * 1e3, "ours_us": percentiles(ours), "bare_us": percentiles(bare) }),
    )
}

pub(crate) fn percentiles(mut times: Vec<Duration>) -> Value {
    times.sort_unstable();
    let at = |share: usize| {
        let index = (times.len() * share / 100).min(times.len().saturating_sub(1));
        times.get(index).map(|time| time.as_secs_f64() * 1e6)
    };
    json!({ "count": times.len(), "p50": at(50), "p99": at(99), "max": at(100) })
}
