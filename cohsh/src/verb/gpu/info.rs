//! `gpu info`: every fact in one GPU's `info`.

use crate::ack::Done;
use crate::error::CommandError;
use crate::gpus;
use crate::render::Table;
use crate::shell::Shell;

/// Words of `gpu info`.
#[derive(Debug, clap::Args)]
pub(super) struct Info {
    /// Which, by id or UUID; the first usable one where it is left out.
    gpu: Option<String>,
}

impl Info {
    pub(super) async fn run(self, shell: &mut Shell) -> Result<Done, CommandError> {
        let hive = shell.hive().await?;
        let gpu = gpus::choose(&hive, self.gpu.as_deref()).await?;
        let mut table = Table::new(&["fact", "value"]);
        for (fact, value) in &gpu.info {
            table.row([fact.as_str().into(), value.clone()]);
        }
        shell.screen.table(&table)?;
        Ok(Done::plain().with("gpu", gpu.id))
    }
}
