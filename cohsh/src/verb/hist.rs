//! `hist`: how jobs ended, and where their time went.

use ninedoor_abi::record::JobStep;
use serde_json::Value;

use crate::ack::Done;
use crate::error::CommandError;
use crate::job::history::{self, Known};
use crate::quantity::utc;
use crate::render::Table;
use crate::shell::Shell;

/// Words of `hist`.
#[derive(Debug, clap::Args)]
pub struct Hist {
    #[command(flatten)]
    watch: super::watch::Watch,
}

impl Hist {
    pub(super) async fn run(self, shell: &mut Shell) -> Result<Done, CommandError> {
        self.watch.show(shell, async |hive| Ok(table(&history::all(hive).await?))).await
    }
}

fn table(known: &[Known]) -> Table {
    let mut table = Table::new(&[
        "job",
        "gpu",
        "lease",
        "state",
        "ended",
        "queue_us",
        "h2d_us",
        "kernel_us",
        "d2h_us",
        "why",
    ]);
    for job in known.iter().filter(|job| job.has_ended()) {
        let [queue, h2d, kernel, d2h] = times(&job.latest.step);
        table.row([
            job.latest.job.as_str().into(),
            job.gpu.as_str().into(),
            job.latest.lease.to_string().into(),
            history::state(&job.latest.step).into(),
            utc(job.latest.ts_ms).into(),
            queue,
            h2d,
            kernel,
            d2h,
            why(&job.latest.step),
        ]);
    }
    table
}

fn times(step: &JobStep) -> [Value; 4] {
    match step {
        JobStep::Ok { queue_us, h2d_us, kernel_us, d2h_us, .. } => {
            [*queue_us, *h2d_us, *kernel_us, *d2h_us].map(Value::from)
        }
        _ => [const { Value::Null }; 4],
    }
}

fn why(step: &JobStep) -> Value {
    match step {
        JobStep::Err { code, detail, .. } => format!("{code}: {detail}").into(),
        _ => Value::Null,
    }
}
