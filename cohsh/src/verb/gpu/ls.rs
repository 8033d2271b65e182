//! `gpu ls`: one line a GPU.

use crate::ack::Done;
use crate::error::CommandError;
use crate::gpus::{self, Gpu};
use crate::render::Table;
use crate::shell::Shell;
use crate::verb::watch::Watch;

/// Words of `gpu ls`.
#[derive(Debug, clap::Args)]
pub(super) struct Ls {
    #[command(flatten)]
    watch: Watch,
}

impl Ls {
    pub(super) async fn run(self, shell: &mut Shell) -> Result<Done, CommandError> {
        self.watch.show(shell, async |hive| Ok(table(&gpus::all(hive).await?))).await
    }
}

fn table(gpus: &[Gpu]) -> Table {
    let mut table =
        Table::new(&["gpu", "name", "backend", "memory_mb", "sm_count", "state", "health", "uuid"]);
    for gpu in gpus {
        table.row([
            gpu.id.as_str().into(),
            gpu.fact("name"),
            gpu.fact("backend"),
            gpu.fact("memory_mb"),
            gpu.fact("sm_count"),
            gpu.state().into(),
            gpu.health().into(),
            gpu.fact("uuid"),
        ]);
    }
    table
}
