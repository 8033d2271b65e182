//! `attach`: who the shell is from now on.

use crate::ack::Done;
use crate::error::CommandError;
use crate::shell::Shell;

/// Words of `attach`.
#[derive(Debug, clap::Args)]
pub struct Attach {
    /// Who to be: queen, worker-gpu:NAME, worker-heartbeat:NAME, observer:NAME. Whom the ticket is for, where it is `-`;
    /// as before, where it is left out.
    role: Option<String>,
    /// The ticket, or @FILE that holds it.
    ticket: Option<String>,
}

impl Attach {
    pub(super) async fn run(self, shell: &mut Shell) -> Result<Done, CommandError> {
        if let Some(role) = self.role {
            let role = Some(role).filter(|role| role != "-");
            shell.target().become_someone(role.as_deref(), self.ticket.as_deref())?;
        }
        let hive = shell.attach().await?;
        Ok(Done::plain().with("role", hive.identity()).with("at", hive.address()))
    }
}
