//! `bind`: a part of the namespace at a second place.

use ninedoor_abi::{PathName, QueenCommand};

use crate::ack::Done;
use crate::error::CommandError;
use crate::queen;
use crate::shell::Shell;

/// Words of `bind`.
#[derive(Debug, clap::Args)]
pub struct Bind {
    /// What is there.
    from: PathName,
    /// Where it is to be seen as well.
    to: PathName,
}

impl Bind {
    pub(super) async fn run(self, shell: &mut Shell) -> Result<Done, CommandError> {
        let done = Done::plain().with("from", &self.from).with("to", &self.to);
        queen::command(shell, &QueenCommand::Bind { from: self.from, to: self.to }).await?;
        Ok(done)
    }
}
