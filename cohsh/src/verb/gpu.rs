//! `gpu`: what GPUs there are, and how they are.

mod info;
mod ls;
mod stat;
mod top;

use crate::ack::Done;
use crate::error::CommandError;
use crate::shell::Shell;

/// Words of `gpu`.
#[derive(Debug, clap::Args)]
#[command(disable_help_subcommand = true)]
pub struct Gpu {
    #[command(subcommand)]
    part: Part,
}

#[derive(Debug, clap::Subcommand)]
enum Part {
    /// List GPUs
    Ls(ls::Ls),
    /// Show all facts about one
    Info(info::Info),
    /// Show how busy they are
    Stat(stat::Stat),
    /// The same again and again, until Ctrl-C
    Top(top::Top),
}

impl Gpu {
    pub(super) async fn run(self, shell: &mut Shell) -> Result<Done, CommandError> {
        match self.part {
            Part::Ls(ls) => ls.run(shell).await,
            Part::Info(info) => info.run(shell).await,
            Part::Stat(stat) => stat.run(shell).await,
            Part::Top(top) => top.run(shell).await,
        }
    }
}
