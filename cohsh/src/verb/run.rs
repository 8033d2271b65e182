//! `run`: a job from its file to its results, in one command.

use std::path::PathBuf;

use ninedoor_abi::JobId;
use ninedoor_abi::record::{JobRecord, JobStep};

use super::lease::Wanted;
use crate::ack::Done;
use crate::error::CommandError;
use crate::hive::Hive;
use crate::job::file::JobFile;
use crate::job::follow::Follower;
use crate::job::renewal::Renewal;
use crate::job::results::Wishes;
use crate::job::{history, outcome, report, stage, submit};
use crate::progress::Progress;
use crate::shell::Shell;

/// Words of `run`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
An input /bundles/NAME that is not staged is staged from the file NAME beside the job file. A lease is taken where none
is held, renewed while the job runs, and given back. Outputs are shown by their type: that of their name (sum.f32), or
the label \"type.NAME\". With --out, the label \"picture.NAME\": \"u32 768x512 log\" saves NAME as a PNG too.
Ctrl-C cancels the job.")]
pub struct Run {
    /// The job file.
    job: PathBuf,
    /// Saves the outputs in this directory, by the last element of their paths.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    wanted: Wanted,
}

impl Run {
    pub(super) async fn run(self, shell: &mut Shell) -> Result<Done, CommandError> {
        let job = JobFile::read(&self.job)?;
        let wishes = Wishes::of(&job.descriptor, self.out.as_deref())?;
        let hive = shell.hive().await?;
        let mut progress = Progress::new(shell.screen.is_animated());
        for staged in stage::inputs(&hive, &job, &mut progress).await? {
            report::staged(&mut shell.screen, &staged)?;
        }
        progress.begin_wait("lease");
        let (gpu, lease) = self.wanted.lease_for(shell, &hive, &job.descriptor).await?;
        progress.end();
        if let Some(lease) = &lease {
            report::leased(&mut shell.screen, &gpu, lease)?;
        }
        let mut follower = Follower::from_now(&hive, &gpu.id).await?;
        submit::submit(&hive, &gpu.id, &job).await?;
        let id = &job.descriptor.job;
        shell.borrowed.job(&hive, &gpu.id, id);
        let end = follow(shell, &hive, &mut follower, id, lease.map(Renewal::of)).await?;
        shell.borrowed.job_ended();

        if let Some(failure) = outcome::failure(&end) {
            return Err(failure);
        }
        if let JobStep::Ok { outputs, .. } = &end.step {
            wishes.fulfil(&hive, &mut shell.screen, outputs).await?;
        }
        Ok(Done::plain().with("job", id).with("gpu", &gpu.id).with("lease", end.lease))
    }
}

/// Shows every record of a job until its end.
pub(super) async fn follow(
    shell: &mut Shell,
    hive: &Hive,
    follower: &mut Follower,
    job: &JobId,
    mut renewal: Option<Renewal>,
) -> Result<JobRecord, CommandError> {
    let mut progress = Progress::new(shell.screen.is_animated());
    loop {
        for record in next_records(hive, follower, job, &mut renewal).await? {
            progress.end();
            report::record(&mut shell.screen, &record)?;
            if record.step.is_end() {
                return Ok(record);
            }
            progress.begin_wait(&format!("{} {job}", history::state(&record.step)));
        }
    }
}

async fn next_records(
    hive: &Hive,
    follower: &mut Follower,
    job: &JobId,
    renewal: &mut Option<Renewal>,
) -> Result<Vec<JobRecord>, CommandError> {
    let Some(renewal) = renewal else { return follower.of_job(job).await };
    let records = follower.of_job(job);
    tokio::pin!(records);
    loop {
        tokio::select! {
            records = &mut records => return records,
            renewed = renewal.next(hive) => renewed?,
        }
    }
}
