//! What a command took for itself and must give back however it ends: a lease, and the job that runs under it.

use ninedoor_abi::{CtlLine, GpuId, JobId, LeaseId};

use crate::error::CommandError;
use crate::hive::Hive;
use crate::job::lease;
use crate::screen::Screen;

/// What is to be given back.
#[derive(Debug, Default)]
pub struct Borrowed {
    lease: Option<(Hive, GpuId, LeaseId)>,
    job: Option<(Hive, GpuId, JobId)>,
}

impl Borrowed {
    /// A lease was taken.
    pub fn lease(&mut self, hive: &Hive, gpu: &GpuId, lease: LeaseId) {
        self.lease = Some((hive.clone(), gpu.clone(), lease));
    }

    /// A job was submitted that nobody else waits for.
    pub fn job(&mut self, hive: &Hive, gpu: &GpuId, job: &JobId) {
        self.job = Some((hive.clone(), gpu.clone(), job.clone()));
    }

    /// The job ended.
    pub fn job_ended(&mut self) {
        self.job = None;
    }

    /// The lease shall outlive the command.
    pub fn keep_lease(&mut self) {
        self.lease = None;
    }

    /// Ends the job if it has not ended, then gives the lease back. What fails here is remarked, for the command's own
    /// outcome matters more; the lease ends by itself at its deadline.
    pub async fn give_back(&mut self, screen: &mut Screen) {
        if let Some((hive, gpu, job)) = self.job.take() {
            let ended = lease::order(&hive, &gpu, &CtlLine::Cancel(job)).await;
            remark(screen, "cancel the job", ended.map(drop));
        }
        if let Some((hive, gpu, lease)) = self.lease.take() {
            remark(screen, "give back the lease", lease::release(&hive, &gpu, lease).await);
        }
    }
}

fn remark(screen: &mut Screen, doing: &str, outcome: Result<(), CommandError>) {
    if let Err(error) = outcome {
        // Standard error being gone is no reason to stop giving back.
        let _ = screen.remark(&format!("could not {doing}: {error}"));
    }
}
