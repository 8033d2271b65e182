//! `cancel`: the end of a job that waits or runs.

use ninedoor_abi::{CtlLine, JobId};

use crate::ack::Done;
use crate::error::CommandError;
use crate::job::{history, lease};
use crate::shell::Shell;

/// Words of `cancel`.
#[derive(Debug, clap::Args)]
pub struct Cancel {
    /// Which job.
    job: JobId,
}

impl Cancel {
    pub(super) async fn run(self, shell: &mut Shell) -> Result<Done, CommandError> {
        let hive = shell.hive().await?;
        let gpu = history::find(&hive, &self.job).await?.gpu;
        lease::order(&hive, &gpu, &CtlLine::Cancel(self.job.clone())).await?;
        Ok(Done::plain().with("job", self.job).with("gpu", gpu))
    }
}
