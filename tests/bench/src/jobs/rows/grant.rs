//! One client asks for a lease where there is room and a warm spare: until it has it, and until its first job is done.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

use super::{Bench, Column, Measure, Row};
use crate::{
    bridge::{Bridge, of_process},
    figures::Times,
    report::Name,
    worker::SMALL,
};

pub(super) const ROW: Row = Row {
    names: &[
        Name { what: "warm grant: LEASE to its status line read, p50 µs", goal: "" },
        Name { what: "… p99 µs", goal: "≤ 5000" },
        Name { what: "… and on to the OK record of the first job, p50 µs", goal: "" },
        Name { what: "… p99 µs", goal: "" },
    ],
    rounds_max: usize::MAX,
    measure: Measure::Bridge(measure),
};

/// How long to look for a spare, and how often.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(3);

fn measure(bench: &Bench, column: Column) -> Result<Vec<f64>> {
    let bridge = bench.bridge(column)?;
    let mut worker = bridge.worker("worker-1")?;
    let (mut granted, mut used) = (Vec::new(), Vec::new());
    let end = Instant::now() + bench.duration();
    let mut number = 0;
    while Instant::now() < end || number < 2 {
        wait_for_spare(&bridge)?;
        let job = format!("j-{number}");
        number += 1;
        let started = Instant::now();
        worker.lease(SMALL)?;
        granted.push(started.elapsed());
        worker.submit_empty(&job)?;
        worker.until_end(&job)?;
        used.push(started.elapsed());
        worker.order("RELEASE")?;
    }
    let (granted, used) = (Times::new(granted), Times::new(used));
    let both = [granted, used];
    Ok(both.iter().flat_map(|times| [0.5, 0.99].map(|share| times.percentile_us(share))).collect())
}

/// Until the executor of the lease before is gone, and the spare sleeps, waiting for its first order.
fn wait_for_spare(bridge: &Bridge) -> Result<()> {
    let started = Instant::now();
    let mut before = None;
    while started.elapsed() < PATIENCE {
        thread::sleep(LOOK);
        let executors = bridge.executors();
        let now: Vec<_> = executors.iter().map(|pid| (*pid, of_process(*pid))).collect();
        if executors.len() == 1 && before.replace(now.clone()) == Some(now) {
            return Ok(());
        }
    }
    bail!("no spare came to be in {PATIENCE:?}")
}
