//! The disk alone: no job that is durable can be faster than this.

use anyhow::Result;

use super::{Bench, Column, Measure, Row};
use crate::{disk, report::Name};

pub(super) const ROW: Row = Row {
    names: &[
        Name { what: "append of 512 bytes and fdatasync, p50 µs", goal: "" },
        Name { what: "… p99 µs", goal: "" },
    ],
    rounds_max: usize::MAX,
    measure: Measure::Bridge(measure),
};

fn measure(bench: &Bench, column: Column) -> Result<Vec<f64>> {
    let times = disk::append_and_sync(bench.directory(column), bench.duration() / 4)?;
    Ok(vec![times.percentile_us(0.5), times.percentile_us(0.99)])
}
