//! `help`: the verbs, or how to use one.

use crate::ack::Done;
use crate::args;
use crate::error::CommandError;
use crate::shell::Shell;

/// Words of `help`.
#[derive(Debug, clap::Args)]
pub struct Help {
    /// The verb to explain, and its part if it has parts: help lease get
    verb: Vec<String>,
}

impl Help {
    pub(super) async fn run(self, shell: &mut Shell) -> Result<Done, CommandError> {
        let text = args::help_text(&self.verb)?;
        shell.screen.data(text.as_bytes())?;
        Ok(Done::plain())
    }
}
