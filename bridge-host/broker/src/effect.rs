//! What the daemon is to do, in this order. What a batch of effects says of leases, grants and jobs is stored before any of it is
//! carried out: a job whose RUNNING was not stored must not have been launched.

use alloc::string::String;
use core::fmt;

use ninedoor_abi::{
    GpuId, JobId, JobRecord, LeaseId, LeaseRecord, Subject, TicketId, record::LeaseState,
};

use crate::{ExecutorRef, Grant, JobNumber};

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Start (or take the spare as) the executor of a lease; answered by `Ready` or `Died`.
    SpawnExecutor {
        /// Which.
        executor: ExecutorRef,
        /// Device memory for buffers and module globals.
        memory_bytes: u64,
        /// Jobs at once.
        streams: u16,
    },
    /// Hand a job to its executor; answered by `Finished` or `Died`.
    Launch {
        /// To which.
        executor: ExecutorRef,
        /// Which.
        job: JobNumber,
        /// Its name.
        id: JobId,
    },
    /// Ask the executor to end one job.
    SoftStop {
        /// Which executor.
        executor: ExecutorRef,
        /// Which job.
        job: JobNumber,
    },
    /// Kill the executor and reap it; answered by `Died`.
    Kill {
        /// Which.
        executor: ExecutorRef,
        /// For the log and the metrics.
        reason: KillReason,
    },
    /// Reset the GPU, on which no executor lives any more; answered by `GpuReset`.
    ResetGpu {
        /// Which.
        gpu: GpuId,
    },
    /// Store a record, and append it to the GPU's `stats`. With QUEUED the job is stored too.
    Record {
        /// On which GPU.
        gpu: GpuId,
        /// Whose job.
        holder: Subject,
        /// Its number.
        job: JobNumber,
        /// What happened.
        record: JobRecord,
    },
    /// A lease changed: publish and store it.
    LeaseChanged {
        /// As it is now.
        record: LeaseRecord,
        /// What it was had by.
        ticket: Option<TicketId>,
        /// Why, in a sentence; empty for a grant.
        detail: String,
    },
    /// The queen granted a worker so much of a GPU: store it in place of what she granted it there before.
    GrantKept(Grant),
    /// The worker may not have it again: drop it from the store.
    GrantForgotten {
        /// On which GPU.
        gpu: GpuId,
        /// Whose.
        holder: Subject,
    },
    /// A GPU grants and renews nothing from here on, or does again: store it.
    Drained {
        /// Which.
        gpu: GpuId,
        /// Whether it is drained.
        drained: bool,
    },
    /// The lease is over: close the fids its holder has on the GPU's `ctl`, `lease` and `job`.
    CloseFids {
        /// Which lease.
        lease: LeaseId,
        /// On which GPU.
        gpu: GpuId,
        /// Whose.
        holder: Subject,
        /// How it ended.
        state: LeaseState,
    },
}

/// Why an executor is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KillReason {
    /// A job did not end within the grace after its soft stop.
    Unstoppable,
    /// Its lease is over.
    LeaseOver,
    /// A sticky error poisoned its context.
    Sticky,
    /// It said something that cannot be.
    Lie,
    /// It was not ready in time.
    NotReady,
    /// The GPU is being reset.
    Reset,
    /// It runs nothing, and another lease wants its place.
    Place,
}

impl KillReason {
    /// Every reason.
    pub const ALL: [Self; 7] = [
        Self::Unstoppable,
        Self::LeaseOver,
        Self::Sticky,
        Self::Lie,
        Self::NotReady,
        Self::Reset,
        Self::Place,
    ];

    /// The word in logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unstoppable => "unstoppable",
            Self::LeaseOver => "lease_over",
            Self::Sticky => "sticky",
            Self::Lie => "lie",
            Self::NotReady => "not_ready",
            Self::Reset => "reset",
            Self::Place => "place",
        }
    }
}

impl fmt::Display for KillReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
