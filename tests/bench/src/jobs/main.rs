//! Jobs end to end: from the write of a descriptor to the OK record that its client reads, on a real bridge over TCP.
//!
//! `cargo run --release -p tests-bench --bin bench-jobs` prints one table; `docs/BENCHMARKS.md` has one that was kept, and says
//! what the rows mean. Every figure is taken by a client through 9P, or read from the bridge's own log with its stamps; nothing
//! looks into the bridge.

mod bridge;
mod client;
mod disk;
#[path = "../figures.rs"]
mod figures;
mod kernels;
mod log;
mod peers;
mod report;
mod rows;
mod worker;

use std::{fs, num::NonZeroU64, path::PathBuf};

use anyhow::{Context, Result};
use clap::Parser;
use rustix::thread::set_current_timer_slack;

use crate::{
    peers::Slurm,
    rows::{Bench, Column},
};

#[derive(Parser)]
#[command(about)]
struct Arguments {
    /// Rounds; each measures every column once, and the table shows medians.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds of one measurement of latency or rate.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Only rows whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// Only the columns named.
    #[arg(long, value_delimiter = ',')]
    columns: Vec<Column>,
    /// The bridge to measure; by default the `gpu-bridge-host` beside this program, built if it is missing or stale.
    #[arg(long)]
    bridge: Option<PathBuf>,
    /// Where the state directories on disk are made.
    #[arg(long, default_value = "/var/tmp")]
    disk: PathBuf,
    /// Also leave the figures here, as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    secure9p_tokio::raise_descriptor_limit();
    sleep_exactly();
    let program =
        arguments.bridge.unwrap_or_else(|| tests_support::program::program("gpu-bridge-host"));
    let mut columns = match arguments.columns.is_empty() {
        true => Column::ALL.to_vec(),
        false => arguments.columns,
    };
    if columns.contains(&Column::Slurm) && !Slurm::is_installed() {
        eprintln!("Slurm is left out: apt-get install slurm-wlm munge");
        columns.retain(|column| *column != Column::Slurm);
    }
    let bench = Bench { program, disk: arguments.disk, seconds: arguments.seconds, columns };
    let report = bench.run(arguments.rounds, &arguments.only);
    println!("{}", report.table());
    if let Some(file) = arguments.json {
        fs::write(&file, report.json()?).with_context(|| file.display().to_string())?;
    }
    report.check()
}

/// A sleep ends when it was to end, not up to 50 µs later.
fn sleep_exactly() {
    let _ = set_current_timer_slack(NonZeroU64::new(1)); // refused: pauses are longer, and nothing else changes
}
