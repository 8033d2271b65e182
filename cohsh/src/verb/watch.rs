//! `--watch`: the same table again and again, until Ctrl-C.

use std::time::Duration;

use crate::ack::Done;
use crate::error::CommandError;
use crate::hive::Hive;
use crate::quantity::duration;
use crate::render::Table;
use crate::shell::Shell;

/// `--watch` and its period.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(super) struct Watch {
    /// Shows it again, every second or as often as is said, until Ctrl-C.
    #[arg(short, long, value_name = "PERIOD", value_parser = duration, num_args = 0..=1, default_missing_value = "1s")]
    watch: Option<Duration>,
}

impl Watch {
    /// Every second.
    pub(super) const fn every_second() -> Self {
        Self { watch: Some(Duration::from_secs(1)) }
    }

    /// Shows the table that `make` makes, once or for as long as is asked.
    pub(super) async fn show(
        self,
        shell: &mut Shell,
        make: impl AsyncFn(&Hive) -> Result<Table, CommandError>,
    ) -> Result<Done, CommandError> {
        let hive = shell.hive().await?;
        let Some(period) = self.watch else {
            let table = make(&hive).await?;
            shell.screen.table(&table)?;
            return Ok(Done::plain().with("rows", table.len()));
        };
        loop {
            shell.screen.table_again(&make(&hive).await?)?;
            tokio::time::sleep(period).await;
        }
    }
}
