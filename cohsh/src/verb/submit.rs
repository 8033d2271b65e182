//! `submit`: hand a job over and come back.

use std::path::PathBuf;

use super::lease::Wanted;
use crate::ack::Done;
use crate::error::CommandError;
use crate::job::file::JobFile;
use crate::job::{stage, submit};
use crate::progress::Progress;
use crate::shell::Shell;

/// Words of `submit`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Prints the job's id alone. A lease that is taken for it is not given back: it ends at its deadline, or by `lease rm`.")]
pub struct Submit {
    /// The job file.
    job: PathBuf,
    #[command(flatten)]
    wanted: Wanted,
}

impl Submit {
    pub(super) async fn run(self, shell: &mut Shell) -> Result<Done, CommandError> {
        let job = JobFile::read(&self.job)?;
        let hive = shell.hive().await?;
        let mut progress = Progress::new(shell.screen.is_animated());
        stage::inputs(&hive, &job, &mut progress).await?;
        let (gpu, _) = self.wanted.lease_for(shell, &hive, &job.descriptor).await?;
        submit::submit(&hive, &gpu.id, &job).await?;
        shell.borrowed.keep_lease();
        let id = job.descriptor.job;
        shell.screen.line(id.as_str(), None)?;
        Ok(Done::plain().with("job", id).with("gpu", gpu.id))
    }
}
