//! `gpu top`: `gpu stat`, every second.

use super::stat::Stat;
use crate::ack::Done;
use crate::error::CommandError;
use crate::shell::Shell;
use crate::verb::watch::Watch;

/// Words of `gpu top`.
#[derive(Debug, clap::Args)]
pub(super) struct Top {
    /// Shows it once and ends.
    #[arg(long)]
    once: bool,
}

impl Top {
    pub(super) async fn run(self, shell: &mut Shell) -> Result<Done, CommandError> {
        let watch = if self.once { Watch::default() } else { Watch::every_second() };
        Stat { watch }.run(shell).await
    }
}
