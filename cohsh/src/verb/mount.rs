//! `mount`: a service, by the name it was configured with, at a place of the namespace.

use ninedoor_abi::{PathName, QueenCommand, Subject};

use crate::ack::Done;
use crate::error::CommandError;
use crate::queen;
use crate::shell::Shell;

/// Words of `mount`.
#[derive(Debug, clap::Args)]
pub struct Mount {
    /// The service.
    service: Subject,
    /// Where.
    at: PathName,
}

impl Mount {
    pub(super) async fn run(self, shell: &mut Shell) -> Result<Done, CommandError> {
        let done = Done::plain().with("service", &self.service).with("at", &self.at);
        let service = self.service.to_string();
        queen::command(shell, &QueenCommand::Mount { service, at: self.at }).await?;
        Ok(done)
    }
}
