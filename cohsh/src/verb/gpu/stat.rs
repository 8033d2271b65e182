//! `gpu stat`: how busy the GPUs are.

use serde_json::Value;

use crate::ack::Done;
use crate::error::CommandError;
use crate::gpus;
use crate::hive::Hive;
use crate::render::Table;
use crate::shell::Shell;
use crate::verb::watch::Watch;

/// Words of `gpu stat`.
#[derive(Debug, clap::Args)]
pub(super) struct Stat {
    #[command(flatten)]
    pub(super) watch: Watch,
}

/// What is shown of a sample as it is, after the name and the share of time in use.
const FIGURES: [&str; 7] = [
    "memory_used_mb",
    "memory_total_mb",
    "memory_leased_mb",
    "leases_active",
    "leases_queued",
    "jobs_live",
    "temperature_celsius",
];

impl Stat {
    pub(super) async fn run(self, shell: &mut Shell) -> Result<Done, CommandError> {
        self.watch.show(shell, table).await
    }
}

async fn table(hive: &Hive) -> Result<Table, CommandError> {
    let [used, total, leased, active, queued, jobs, temperature] = FIGURES;
    let mut table = Table::new(&[
        "gpu",
        "name",
        "used_percent",
        used,
        total,
        leased,
        active,
        queued,
        jobs,
        temperature,
        "state",
        "health",
    ]);
    for gpu in gpus::all(hive).await? {
        let sample = gpus::sample(hive, &gpu.id).await?;
        let figure = |key: &str| sample.get(key).cloned().unwrap_or_default();
        table.row([
            gpu.id.as_str().into(),
            gpu.fact("name"),
            percent(&figure("utilization_ratio")),
            figure(used),
            figure(total),
            figure(leased),
            figure(active),
            figure(queued),
            figure(jobs),
            figure(temperature),
            gpu.state().into(),
            gpu.health().into(),
        ]);
    }
    Ok(table)
}

/// Null where it is not known.
fn percent(ratio: &Value) -> Value {
    ratio.as_f64().map_or(Value::Null, |ratio| (ratio * 100.0).round().into())
}
