//! `lease get`: take a lease.

use ninedoor_abi::Subject;
use ninedoor_abi::ctl::LeaseAsk;

use super::Wanted;
use crate::ack::Done;
use crate::error::CommandError;
use crate::job::lease;
use crate::shell::Shell;

/// Words of `lease get`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without --mem, --streams and --ttl, the limits in the ticket hold; with some of them, the others are 64M, 1 and 60s.")]
pub(super) struct Get {
    #[command(flatten)]
    wanted: Wanted,
    /// For this worker instead of oneself (the queen may).
    #[arg(long)]
    worker: Option<Subject>,
}

impl Get {
    pub(super) async fn run(self, shell: &mut Shell) -> Result<Done, CommandError> {
        let hive = shell.hive().await?;
        let gpu = self.wanted.gpu(&hive).await?;
        let ask =
            LeaseAsk { size: self.wanted.whole_size(), worker: self.worker, ..self.wanted.ask() };
        let taken = lease::ask(&hive, &gpu.id, ask).await?;
        shell.borrowed.lease(&hive, &gpu.id, taken.id());
        let lease = lease::until_granted(&hive, taken).await?;
        shell.borrowed.keep_lease();
        shell.screen.line(&lease.id.to_string(), None)?;
        Ok(Done::plain()
            .with("id", lease.id)
            .with("epoch", lease.epoch.0)
            .with("gpu", lease.gpu)
            .with("mem_mb", lease.mem_mb)
            .with("streams", lease.streams)
            .with("ttl_s", lease.ttl_s))
    }
}
