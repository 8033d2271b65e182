//! One client, one lease, one job after the other: an empty kernel, from the write of its descriptor to its OK record, read.

use std::time::Instant;

use anyhow::Result;

use super::{Bench, Column, Measure, Row};
use crate::{figures::Times, peers::Slurm, report::Name, worker::SMALL};

pub(super) const ROW: Row = Row {
    names: &[
        Name { what: "one empty kernel: write to OK record read, p50 µs", goal: "≤ 300" },
        Name { what: "… p99 µs", goal: "" },
        Name { what: "… write to its answer (the job is durable), p50 µs", goal: "" },
        Name { what: "… p99 µs", goal: "" },
        Name { what: "… reads of `stats` for each job", goal: "" },
        Name { what: "… daemon's CPU for each job, reads included, µs", goal: "" },
        Name { what: "… executor's CPU for each job, µs", goal: "" },
        Name { what: "… sleeps and wakes of both for each job", goal: "" },
    ],
    rounds_max: usize::MAX,
    measure: Measure::BridgeAndSlurm(measure, slurm),
};

/// Jobs before the first that counts.
const WARM_UP: usize = 50;

fn measure(bench: &Bench, column: Column) -> Result<Vec<f64>> {
    let bridge = bench.bridge(column)?;
    let mut worker = bridge.worker("worker-1")?;
    worker.lease(SMALL)?;
    for number in 0..WARM_UP {
        worker.run_empty(&format!("w-{number}"))?;
    }
    worker.reads = 0;
    let before = bridge.used();
    let end = Instant::now() + bench.duration();
    let (mut acknowledged, mut ended) = (Vec::new(), Vec::new());
    while Instant::now() < end {
        let seen = worker.run_empty(&format!("j-{}", ended.len()))?;
        acknowledged.push(seen.acknowledged);
        ended.push(seen.ended);
    }
    let used = bridge.used().since(before);
    let jobs = ended.len() as f64;
    let (acknowledged, ended) = (Times::new(acknowledged), Times::new(ended));
    Ok(vec![
        ended.percentile_us(0.5),
        ended.percentile_us(0.99),
        acknowledged.percentile_us(0.5),
        acknowledged.percentile_us(0.99),
        worker.reads as f64 / jobs,
        used.daemon.as_secs_f64() * 1e6 / jobs,
        used.executors.as_secs_f64() * 1e6 / jobs,
        used.switches as f64 / jobs,
    ])
}

fn slurm(bench: &Bench, slurm: &Slurm) -> Result<Vec<f64>> {
    let times = slurm.latency(bench.duration() * 2)?;
    Ok(vec![times.percentile_us(0.5), times.percentile_us(0.99)])
}
