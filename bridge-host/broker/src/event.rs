//! What executors do, as the daemon saw it.

use alloc::{string::String, vec::Vec};

use ninedoor_abi::{
    Epoch, GpuId, LeaseId,
    record::{JobCode, OutputRecord},
};

use crate::JobNumber;

/// One executor, for good: a replacement has a later epoch.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExecutorRef {
    /// On which GPU.
    pub gpu: GpuId,
    /// For which lease.
    pub lease: LeaseId,
    /// The lease's epoch while this executor lives.
    pub epoch: Epoch,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The executor has its context and takes jobs.
    Ready(ExecutorRef),
    /// A job ended in the executor.
    Finished {
        /// In which.
        executor: ExecutorRef,
        /// Which.
        job: JobNumber,
        /// How.
        outcome: JobOutcome,
    },
    /// The executor's process is gone and was reaped; its device memory is free.
    Died {
        /// Which.
        executor: ExecutorRef,
        /// How, in a sentence: `exited with 70`, `killed by signal 9`, `could not be spawned: …`.
        detail: String,
    },
    /// The GPU was reset, after [`crate::Effect::ResetGpu`].
    GpuReset {
        /// Which.
        gpu: GpuId,
        /// What went wrong, if anything did.
        failed: Option<String>,
    },
}

/// How a job ended in its executor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobOutcome {
    /// With a result.
    Ok {
        /// Copying to the device.
        h2d_us: u64,
        /// The kernel itself.
        kernel_us: u64,
        /// Copying back.
        d2h_us: u64,
        /// What it wrote.
        outputs: Vec<OutputRecord>,
    },
    /// Without.
    Err {
        /// Why, in one word.
        code: JobCode,
        /// Why, in a sentence.
        detail: String,
        /// Whether the executor must end with it.
        sticky: bool,
    },
}

/// An event that changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventRefused {
    /// It comes from an executor that was replaced, or whose lease is over.
    #[error("executor of {lease} epoch {epoch} is not the one that counts, its event is dropped")]
    Stale {
        /// The lease it says.
        lease: LeaseId,
        /// The epoch it says.
        epoch: Epoch,
    },
    /// The executor in charge said something that cannot be; it will be killed.
    #[error("executor of {lease} epoch {epoch} lies: {detail}")]
    Lie {
        /// Whose.
        lease: LeaseId,
        /// Which.
        epoch: Epoch,
        /// What it said.
        detail: String,
    },
    /// There is no such GPU.
    #[error("no gpu {0} here")]
    NoGpu(GpuId),
}
