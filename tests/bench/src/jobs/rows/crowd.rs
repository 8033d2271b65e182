//! Many clients that ask for a lease at the same moment: when there is room for all, and when most must wait.
//!
//! Who waits learns of its grant from the `lease` file. The clients look in the order in which they stand in the queue, and give
//! their lease back as soon as they see it.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use secure9p::Rmessage;

use super::{Bench, Column, Measure, Row};
use crate::{
    report::Name,
    worker::{SMALL, Worker},
};

pub(super) const ROW: Row = Row {
    names: &[
        Name { what: "30 clients ask at once, room for all: for each client, µs", goal: "" },
        Name { what: "300 clients, the same", goal: "" },
        Name { what: "… growth", goal: "≤ 2" },
        Name {
            what: "30 clients ask at once, room for 16: wait, get, give back, for each client, ms",
            goal: "",
        },
        Name { what: "300 clients, the same", goal: "" },
        Name { what: "… growth", goal: "≤ 2" },
    ],
    rounds_max: 1,
    measure: Measure::Bridge(measure),
};

const FEW: usize = 30;
const MANY: usize = 300;

/// Sixteen of these are all that the GPU has.
const LARGE: &str = "LEASE mem_mb=256 streams=1 ttl_s=600 wait_s=600";

/// Between two looks at the lease file.
const PAUSE: Duration = Duration::from_micros(500);

/// Longer than this no grant takes.
const PATIENCE: Duration = Duration::from_secs(20);

fn measure(bench: &Bench, column: Column) -> Result<Vec<f64>> {
    let mut figures = Vec::new();
    for (line, unit) in [(SMALL, 1e6), (LARGE, 1e3)] {
        let of = |clients| {
            crowd(bench, column, clients, line).with_context(|| format!("{clients} × {line}"))
        };
        let (few, many) = (of(FEW)?, of(MANY)?);
        figures.extend([few * unit, many * unit, many / few]);
    }
    Ok(figures)
}

/// Seconds for each client, from the first question until the last client has had its lease.
fn crowd(bench: &Bench, column: Column, clients: usize, line: &str) -> Result<f64> {
    let bridge = bench.bridge(column)?;
    let names = (0..clients).map(|number| format!("worker-{number}"));
    let mut workers: Vec<_> = names.map(|name| bridge.worker(&name)).collect::<Result<_>>()?;
    let started = Instant::now();
    for worker in &mut workers {
        worker.queue_order(line)?;
        worker.client.send()?;
    }
    let mut asked = Vec::new();
    for worker in &mut workers {
        asked.push((answer(worker)?, worker));
    }
    asked.sort_by_key(|(answer, _)| answer.lease);
    for (Answer { is_granted, .. }, worker) in asked {
        if !is_granted {
            wait(worker)?;
        }
        if line == LARGE {
            worker.order("RELEASE")?;
        }
    }
    Ok(started.elapsed().as_secs_f64() / clients as f64)
}

/// What became of a question for a lease.
struct Answer {
    /// Its number: those who wait are granted in this order.
    lease: u64,
    is_granted: bool,
}

/// Takes the answer to a question that was sent.
fn answer(worker: &mut Worker) -> Result<Answer> {
    let written = worker.client.hear()?.1.into_result();
    ensure!(
        matches!(written, Ok(Rmessage::Write { .. })),
        "the bridge answers {written:?} to LEASE"
    );
    let status = worker.status()?;
    let number = status.strip_prefix("OK LEASE id=lease-").and_then(|rest| rest.split(' ').next());
    let lease = number.with_context(|| status.clone())?.parse()?;
    Ok(Answer { lease, is_granted: !status.contains(" state=QUEUED ") })
}

fn wait(worker: &mut Worker) -> Result<()> {
    let started = Instant::now();
    while !worker.leases().context("look for the lease")?.contains(r#""state":"ACTIVE""#) {
        if started.elapsed() > PATIENCE {
            bail!("no grant in {PATIENCE:?}: {}", worker.leases()?);
        }
        thread::sleep(PAUSE);
    }
    Ok(())
}
