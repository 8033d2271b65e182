//! `lease ls`: every lease that one may see.

use std::time::{SystemTime, UNIX_EPOCH};

use ninedoor_abi::{LeaseRecord, UnixMs};
use serde_json::Value;

use crate::ack::Done;
use crate::error::CommandError;
use crate::render::Table;
use crate::shell::Shell;
use crate::verb::watch::Watch;

/// Words of `lease ls`.
#[derive(Debug, clap::Args)]
pub(super) struct Ls {
    #[command(flatten)]
    watch: Watch,
}

impl Ls {
    pub(super) async fn run(self, shell: &mut Shell) -> Result<Done, CommandError> {
        self.watch.show(shell, async |hive| Ok(table(&super::all(hive).await?, now()))).await
    }
}

fn now() -> UnixMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMs(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

fn table(leases: &[LeaseRecord], now: UnixMs) -> Table {
    let mut table = Table::new(&[
        "lease", "gpu", "state", "worker", "mem_mb", "streams", "priority", "epoch", "left_s",
    ]);
    for lease in leases {
        let left_s = lease.deadline_ms.ms_since(now).div_ceil(1000);
        table.row([
            lease.lease.to_string().into(),
            lease.gpu_id.as_str().into(),
            lease.state.as_str().into(),
            lease.worker_id.as_str().into(),
            lease.mem_mb.into(),
            lease.streams.into(),
            lease.priority.into(),
            lease.epoch.0.into(),
            if lease.state.is_over() { Value::Null } else { left_s.into() },
        ]);
    }
    table
}
