//! One live job.

use alloc::string::String;

use ninedoor_abi::{LeaseId, Now, record::JobCode};

use crate::{JobNumber, JobRequest, queue::Waiting};

#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) number: JobNumber,
    pub(crate) request: JobRequest,
    pub(crate) lease: LeaseId,
    pub(crate) priority: u8,
    /// When it was accepted.
    pub(crate) accepted: Now,
    pub(crate) phase: JobPhase,
}

#[derive(Debug, Clone)]
pub(crate) enum JobPhase {
    Queued,
    Running {
        /// Since when.
        since: Now,
        /// Why it is to end, once it was told to.
        stop: Option<Stop>,
    },
}

/// Why a job is to end, which is how it will have ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stop {
    pub(crate) code: JobCode,
    pub(crate) detail: String,
}

impl Stop {
    pub(crate) fn new(code: JobCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }
}

impl Job {
    /// Its entry in the queue of its lease.
    pub(crate) fn waiting(&self) -> Waiting<JobNumber> {
        Waiting { priority: self.priority, since: self.accepted.mono_us, what: self.number }
    }
}
