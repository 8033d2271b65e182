//! What is measured: the rows of the table, and the rounds that bring their figures.

mod crowd;
mod deadline;
mod grant;
mod latency;
mod module;
mod rate;
mod sync;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::{
    bridge::Bridge,
    peers::Slurm,
    report::{Name, Report},
};

/// What is measured beside each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Column {
    /// A bridge with its state directory on disk.
    Disk,
    /// A bridge with its state directory in memory: the same path without the disk's time.
    Memory,
    /// Debian's Slurm.
    Slurm,
}

impl Column {
    pub(crate) const ALL: [Self; 3] = [Self::Disk, Self::Memory, Self::Slurm];

    const fn rounds_max(self) -> usize {
        match self {
            Self::Disk | Self::Memory => usize::MAX,
            Self::Slurm => 1,
        }
    }

    pub(crate) const fn head(self) -> &'static str {
        match self {
            Self::Disk => "state on disk",
            Self::Memory => "state in memory",
            Self::Slurm => "Slurm",
        }
    }
}

/// One measurement, which may bring several figures.
pub(crate) struct Row {
    names: &'static [Name],
    /// Most rounds it is measured in: what takes long, and counts many events by itself, needs few.
    rounds_max: usize,
    measure: Measure,
}

enum Measure {
    /// On a bridge that is used for nothing else.
    Bridge(fn(&Bench, Column) -> Result<Vec<f64>>),
    /// The same, where only the disk column makes sense of the time it takes.
    BridgeOnDisk(fn(&Bench, Column) -> Result<Vec<f64>>),
    /// The same, and Slurm does the like.
    BridgeAndSlurm(fn(&Bench, Column) -> Result<Vec<f64>>, fn(&Bench, &Slurm) -> Result<Vec<f64>>),
}

const ROWS: &[Row] =
    &[sync::ROW, latency::ROW, rate::ROW, module::ROW, grant::ROW, crowd::ROW, deadline::ROW];

/// What to measure, and how long.
pub(crate) struct Bench {
    pub(crate) program: PathBuf,
    pub(crate) disk: PathBuf,
    pub(crate) seconds: f64,
    pub(crate) columns: Vec<Column>,
}

impl Bench {
    /// Measures every row in every round, one column after the other; Slurm, which takes long, in the first round only.
    pub(crate) fn run(&self, rounds: usize, only: &str) -> Report {
        let wanted = |row: &&Row| row.names.iter().any(|name| name.what.contains(only));
        let rows: Vec<_> = ROWS.iter().filter(wanted).collect();
        let mut report = Report::default();
        for round in 0..rounds {
            for row in rows.iter().filter(|row| round < row.rounds_max) {
                for column in self.columns.iter().filter(|column| column.rounds_max() > round) {
                    eprintln!("round {} of {rounds}: {}", round + 1, about(row, *column));
                    match row.measure(self, *column).with_context(|| about(row, *column)) {
                        Ok(Some(figures)) => report.add(row.names, *column, figures),
                        Ok(None) => {}
                        Err(error) => report.fail(error),
                    }
                }
            }
        }
        report
    }

    pub(crate) fn duration(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }

    /// Where a bridge of this column keeps its state.
    pub(crate) fn directory(&self, column: Column) -> &Path {
        match column {
            Column::Memory => Path::new("/dev/shm"),
            _ => &self.disk,
        }
    }

    /// A bridge that nobody has used yet.
    pub(crate) fn bridge(&self, column: Column) -> Result<Bridge> {
        Bridge::start(&self.program, self.directory(column), None)
    }

    /// The same; what it logs by this filter is heard.
    pub(crate) fn bridge_that_logs(&self, column: Column, filter: &str) -> Result<Bridge> {
        Bridge::start(&self.program, self.directory(column), Some(filter))
    }
}

impl Row {
    /// `None` where the column cannot do it.
    fn measure(&self, bench: &Bench, column: Column) -> Result<Option<Vec<f64>>> {
        match (&self.measure, column) {
            (Measure::BridgeAndSlurm(_, slurm), Column::Slurm) => {
                Slurm::start().and_then(|running| slurm(bench, &running)).map(Some)
            }
            (Measure::Bridge(_) | Measure::BridgeOnDisk(_), Column::Slurm)
            | (Measure::BridgeOnDisk(_), Column::Memory) => Ok(None),
            (
                Measure::Bridge(measure)
                | Measure::BridgeOnDisk(measure)
                | Measure::BridgeAndSlurm(measure, _),
                _,
            ) => measure(bench, column).map(Some),
        }
    }
}

fn about(row: &Row, column: Column) -> String {
    format!("{}, {}", row.names[0].what, column.head())
}
