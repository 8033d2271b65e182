//! `quit`: leave the shell, or end the script here.

use crate::ack::Done;
use crate::error::CommandError;
use crate::shell::Shell;

/// `quit` has no words.
#[derive(Debug, clap::Args)]
pub struct Quit {}

impl Quit {
    pub(super) async fn run(self, shell: &mut Shell) -> Result<Done, CommandError> {
        shell.quit();
        Ok(Done::plain())
    }
}
