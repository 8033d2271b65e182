//! Many clients at once, each with a lease and a number of jobs in flight: jobs whose OK record their client has read, by the
//! second. Every job is acknowledged by itself, and what is acknowledged is durable where the state is.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use secure9p::Tag;

use super::{Bench, Column, Measure, Row};
use crate::{
    bridge::Bridge,
    peers::Slurm,
    report::Name,
    worker::{SMALL, Worker},
};

pub(super) const ROW: Row = Row {
    names: &[
        Name {
            what: "16 clients, 32 jobs in flight each: OK records read, jobs/s",
            goal: "≥ 2000",
        },
        Name { what: "… daemon's CPU for each job, µs", goal: "" },
        Name { what: "… executors' CPU for each job, µs", goal: "" },
        Name { what: "… sleeps and wakes of both for each job", goal: "" },
    ],
    rounds_max: usize::MAX,
    measure: Measure::BridgeAndSlurm(measure, slurm),
};

const CLIENTS: usize = 16;
const IN_FLIGHT: usize = 32;

/// Between two reads of `stats` that brought nothing.
const PAUSE: Duration = Duration::from_millis(1);

fn measure(bench: &Bench, column: Column) -> Result<Vec<f64>> {
    let bridge = bench.bridge(column)?;
    let mut workers = Vec::new();
    for number in 0..CLIENTS {
        workers.push(ready(&bridge, number)?);
    }
    let before = bridge.used();
    let started = Instant::now();
    let until = started + bench.duration();
    let jobs: usize = thread::scope(|scope| {
        let running: Vec<_> = workers
            .iter_mut()
            .enumerate()
            .map(|(number, worker)| scope.spawn(move || stream(worker, number, until)))
            .collect();
        let joined = running.into_iter().map(|thread| match thread.join() {
            Ok(jobs) => jobs,
            Err(_) => bail!("a client panicked"),
        });
        joined.sum::<Result<usize>>()
    })?;
    let took = started.elapsed();
    let used = bridge.used().since(before);
    let jobs = jobs as f64;
    Ok(vec![
        jobs / took.as_secs_f64(),
        used.daemon.as_secs_f64() * 1e6 / jobs,
        used.executors.as_secs_f64() * 1e6 / jobs,
        used.switches as f64 / jobs,
    ])
}

/// A client with a lease whose executor has the module loaded.
fn ready(bridge: &Bridge, number: usize) -> Result<Worker> {
    let mut worker = bridge.worker(&format!("worker-{number}"))?;
    worker.lease(SMALL)?;
    let job = format!("w-{number}");
    worker.submit_empty(&job)?;
    worker.until_end(&job)?;
    Ok(worker)
}

/// Keeps jobs in flight until the time is over, then waits for the last; how many ended well.
fn stream(worker: &mut Worker, client: usize, until: Instant) -> Result<usize> {
    let (mut submitted, mut ended) = (0, 0);
    loop {
        let goes_on = Instant::now() < until;
        if !goes_on && ended == submitted {
            return Ok(ended);
        }
        let more = if goes_on { IN_FLIGHT - (submitted - ended) } else { 0 };
        for tag in 0..more {
            let tag = Tag(u16::try_from(tag)?);
            worker.queue_empty(tag, &format!("c{client}-{submitted}"))?;
            submitted += 1;
        }
        worker.client.send()?;
        for _ in 0..more {
            Worker::acknowledged(worker.client.hear()?.1)?;
        }
        let before = ended;
        let mut failed = None;
        worker.follow(|record| match record.state {
            Some("OK") => ended += 1,
            Some("ERR") => failed = Some(format!("{record:?}")),
            _ => {}
        })?;
        if let Some(record) = failed {
            bail!("a job failed: {record}");
        }
        if ended == before {
            thread::sleep(PAUSE);
        }
    }
}

fn slurm(_: &Bench, slurm: &Slurm) -> Result<Vec<f64>> {
    Ok(vec![slurm.rate()?])
}
