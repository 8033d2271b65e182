//! One client submits a job with the largest module there may be, which nobody has seen before: how long do others wait meanwhile?

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use secure9p::{Fid, OpenFlags, Rmessage, Tmessage};

use super::{Bench, Column, Measure, Row};
use crate::{bridge::GPU, client::Client, figures::Times, kernels, report::Name, worker::SMALL};

pub(super) const ROW: Row = Row {
    names: &[
        Name { what: "a new module of 16 MiB: write of its job to the answer, ms", goal: "" },
        Name { what: "… reads of 64 bytes by another client meanwhile, p50 µs", goal: "" },
        Name { what: "… the longest of them, µs", goal: "≤ 10 000" },
    ],
    rounds_max: usize::MAX,
    measure: Measure::Bridge(measure),
};

/// What the other client reads.
const READ: Tmessage = Tmessage::Read { fid: INFO, offset: 0, count: 64 };
const INFO: Fid = Fid(50);

fn measure(bench: &Bench, column: Column) -> Result<Vec<f64>> {
    let bridge = bench.bridge(column)?;
    let module = kernels::large_module();
    bridge.queen()?.stage(kernels::LARGE_MODULE, module.as_bytes())?;
    let mut worker = bridge.worker("worker-1")?;
    worker.lease(SMALL)?;
    let mut other = bridge.queen()?;
    other.open(INFO, &format!("/gpu/{GPU}/info"), OpenFlags::RDONLY)?;
    let submitting = thread::spawn(move || {
        let started = Instant::now();
        worker.submit_unknown(&kernels::of_large_module(&module))?;
        Ok::<_, anyhow::Error>(started.elapsed())
    });
    let mut reads = Vec::new();
    while !submitting.is_finished() {
        reads.push(read(&mut other)?);
    }
    let Ok(written) = submitting.join() else { bail!("the submitting thread panicked") };
    let longest = reads.iter().max().copied().unwrap_or_default();
    let p50 = Times::new(reads).percentile_us(0.5);
    Ok(vec![written?.as_secs_f64() * 1e3, p50, longest.as_secs_f64() * 1e6])
}

fn read(client: &mut Client) -> Result<Duration> {
    let started = Instant::now();
    match client.call(&READ)? {
        Rmessage::Read { data } if data.as_slice().len() == 64 => Ok(started.elapsed()),
        other => bail!("the bridge answers {other:?} to Tread"),
    }
}
