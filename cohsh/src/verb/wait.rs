//! `wait`: until a job ends, whoever submitted it.

use std::time::Duration;

use ninedoor_abi::JobId;

use super::run;
use crate::ack::Done;
use crate::error::{CommandError, ErrorKind};
use crate::job::follow::Follower;
use crate::job::{history, outcome, report};
use crate::quantity::duration;
use crate::shell::Shell;

/// Words of `wait`.
#[derive(Debug, clap::Args)]
pub struct Wait {
    /// Which job.
    job: JobId,
    /// How long at most: 250ms, 30s, 10m.
    #[arg(long, value_parser = duration)]
    timeout: Option<Duration>,
}

impl Wait {
    pub(super) async fn run(self, shell: &mut Shell) -> Result<Done, CommandError> {
        let job = self.job.clone();
        match self.timeout {
            None => until_the_end(shell, &job).await,
            Some(limit) => tokio::time::timeout(limit, until_the_end(shell, &job))
                .await
                .unwrap_or_else(|_| Err(too_long(&job, limit))),
        }
    }
}

fn too_long(job: &JobId, limit: Duration) -> CommandError {
    let text = format!("job {job} has not ended after {} ms", limit.as_millis());
    CommandError::new(ErrorKind::Timeout, text)
        .hint(format!("it goes on; end it with `cancel {job}`"))
}

async fn until_the_end(shell: &mut Shell, job: &JobId) -> Result<Done, CommandError> {
    let hive = shell.hive().await?;
    let known = history::find(&hive, job).await?;
    let end = if known.has_ended() {
        report::record(&mut shell.screen, &known.latest)?;
        known.latest
    } else {
        let mut follower = Follower::from_the_start(&hive, &known.gpu).await?;
        run::follow(shell, &hive, &mut follower, job, None).await?
    };
    match outcome::failure(&end) {
        Some(failure) => Err(failure),
        None => Ok(Done::plain().with("job", job)),
    }
}
