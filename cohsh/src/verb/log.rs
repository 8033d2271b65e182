//! `log`: what the hive did and refused, by whom.

use crate::ack::Done;
use crate::error::CommandError;
use crate::shell::Shell;

/// NineDoor's log, and that of a bridge that is talked to directly.
const LOGS: [&str; 2] = ["/log/queen.log", "/log/bridge.log"];

/// Words of `log`.
#[derive(Debug, clap::Args)]
pub struct Log {
    /// How many lines of what is there.
    #[arg(short = 'n', long, default_value_t = 20)]
    lines: usize,
    /// Goes on as the log grows, until Ctrl-C.
    #[arg(short, long)]
    follow: bool,
}

impl Log {
    pub(super) async fn run(self, shell: &mut Shell) -> Result<Done, CommandError> {
        let hive = shell.hive().await?;
        let mut path = LOGS[0];
        if hive.facts(path).await?.is_none() {
            path = LOGS[1];
        }
        super::tail::show(shell, path, self.lines, self.follow).await
    }
}
