//! `jobs`: what waits or runs, and what it waits for.

use ninedoor_abi::record::JobStep;
use serde_json::Value;

use crate::ack::Done;
use crate::error::CommandError;
use crate::job::history::{self, Known};
use crate::quantity::utc;
use crate::render::Table;
use crate::shell::Shell;

/// Words of `jobs`.
#[derive(Debug, clap::Args)]
pub struct Jobs {
    #[command(flatten)]
    watch: super::watch::Watch,
}

impl Jobs {
    pub(super) async fn run(self, shell: &mut Shell) -> Result<Done, CommandError> {
        self.watch.show(shell, async |hive| Ok(table(&history::all(hive).await?))).await
    }
}

fn table(known: &[Known]) -> Table {
    let mut table = Table::new(&["job", "gpu", "lease", "state", "place", "waits_for", "since"]);
    for job in known.iter().filter(|job| !job.has_ended()) {
        let (place, reason) = match &job.latest.step {
            JobStep::Queued { pos, reason } => (Value::from(*pos), Value::from(reason.as_str())),
            _ => (Value::Null, Value::Null),
        };
        table.row([
            job.latest.job.as_str().into(),
            job.gpu.as_str().into(),
            job.latest.lease.to_string().into(),
            history::state(&job.latest.step).into(),
            place,
            reason,
            utc(job.since).into(),
        ]);
    }
    table
}
