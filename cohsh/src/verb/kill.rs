//! `kill`: the end of a worker, and of all it holds.

use ninedoor_abi::{QueenCommand, WorkerId};

use crate::ack::Done;
use crate::error::CommandError;
use crate::queen;
use crate::shell::Shell;

/// Words of `kill`.
#[derive(Debug, clap::Args)]
pub struct Kill {
    /// Which: worker-7.
    worker: WorkerId,
}

impl Kill {
    pub(super) async fn run(self, shell: &mut Shell) -> Result<Done, CommandError> {
        queen::command(shell, &QueenCommand::Kill(self.worker)).await?;
        Ok(Done::plain().with("id", self.worker))
    }
}
