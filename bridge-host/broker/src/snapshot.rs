//! What the store keeps of a broker, and what a broker is made of again.

use alloc::{string::String, vec::Vec};

use ninedoor_abi::{
    Epoch, GpuId, JobId, LeaseId, LeaseRecord, Subject, TicketId, UnixMs, ctl::LeaseSize,
};

use crate::{JobNumber, JobRequest};

/// All that must outlive the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Snapshot {
    /// The last lease id given, whatever became of it.
    pub last_lease: u64,
    /// The last job number given.
    pub last_job: u64,
    /// The last epoch drawn, by GPU.
    pub epochs: Vec<(GpuId, Epoch)>,
    /// GPUs that were drained.
    pub drained: Vec<GpuId>,
    /// Leases, active or waiting; others are skipped.
    pub leases: Vec<LeaseSnapshot>,
    /// What the queen granted workers.
    pub grants: Vec<Grant>,
    /// Jobs that were accepted and have not ended.
    pub jobs: Vec<JobSnapshot>,
}

/// One lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseSnapshot {
    /// As it was last published.
    pub record: LeaseRecord,
    /// What it was had by.
    pub ticket: Option<TicketId>,
}

/// What the queen granted a worker on a GPU: it may ask for that again, and for no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// On which GPU.
    pub gpu: GpuId,
    /// Whose.
    pub holder: Subject,
    /// How much, for how long.
    pub size: LeaseSize,
    /// The priority it may have.
    pub priority: u8,
}

/// One job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobSnapshot {
    /// Its number.
    pub number: JobNumber,
    /// On which GPU.
    pub gpu: GpuId,
    /// By which lease.
    pub lease: LeaseId,
    /// Whose.
    pub holder: Subject,
    /// Its name.
    pub job: JobId,
    /// When it was accepted.
    pub accepted_ms: UnixMs,
    /// What can become of it.
    pub prospect: Prospect,
}

/// What can become of a job that an earlier daemon accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prospect {
    /// It was never launched, and runs if its lease is still held.
    Waits(JobRequest),
    /// RUNNING was stored, so that it may have been launched and must not be again; or something that it needs is gone. Why, in a
    /// sentence.
    Lost(String),
}
