//! `detach`: leave the hive; the next command that needs one attaches again.

use crate::ack::Done;
use crate::error::CommandError;
use crate::shell::Shell;

/// `detach` has no words.
#[derive(Debug, clap::Args)]
pub struct Detach {}

impl Detach {
    pub(super) async fn run(self, shell: &mut Shell) -> Result<Done, CommandError> {
        let was_attached = shell.detach();
        Ok(if was_attached { Done::plain() } else { Done::plain().with("note", "not attached") })
    }
}
