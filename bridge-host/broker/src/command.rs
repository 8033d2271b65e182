//! What the daemon asks the broker to do on a caller's behalf, and what the broker answers.

use bridge_host_gpu::{GpuInfo, Health};
use ninedoor_abi::{
    GpuId, JobDescriptor, JobId, LeaseId, Role, Subject, TicketId,
    ctl::{LeaseAsk, LeaseGranted, LeaseQueued},
    job::Extent,
};

/// One thing to do. Who may see a GPU or use a verb was checked by the namespace; whose lease and job it is, is checked here.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// A GPU is there, or what is known of it changed. Leases that it has stay.
    AddGpu {
        /// How the namespace names it.
        gpu: GpuId,
        /// What it is.
        info: GpuInfo,
        /// MiB that each executor takes besides its lease's memory (its context).
        executor_mb: u32,
    },
    /// How a GPU is.
    SetHealth {
        /// Which.
        gpu: GpuId,
        /// How.
        health: Health,
    },
    /// `LEASE …`.
    Lease {
        /// Who asks.
        by: Caller,
        /// On which GPU.
        gpu: GpuId,
        /// For what. Bare, and nothing held: what the queen granted this worker before.
        ask: LeaseAsk,
    },
    /// `RELEASE [lease-id]`.
    Release {
        /// Who asks.
        by: Caller,
        /// On which GPU.
        gpu: GpuId,
        /// Which; the caller's own where none is given.
        lease: Option<LeaseId>,
    },
    /// `RENEW [lease-id] [ttl_s=n]`.
    Renew {
        /// Who asks.
        by: Caller,
        /// On which GPU.
        gpu: GpuId,
        /// Which; the caller's own where none is given.
        lease: Option<LeaseId>,
        /// Seconds from now; the lease's own ttl where none is given.
        ttl_s: Option<u32>,
    },
    /// `PRIORITY <n>`, of the caller's own lease.
    Priority {
        /// Who asks.
        by: Caller,
        /// On which GPU.
        gpu: GpuId,
        /// To what.
        priority: u8,
    },
    /// A job descriptor, checked as far as it can be without the GPU.
    Submit {
        /// Who asks.
        by: Caller,
        /// On which GPU.
        gpu: GpuId,
        /// What.
        request: JobRequest,
    },
    /// `CANCEL <job>`.
    Cancel {
        /// Who asks.
        by: Caller,
        /// On which GPU.
        gpu: GpuId,
        /// Which.
        job: JobId,
    },
    /// `RESET`: stop every job and executor on the GPU; leases and what is queued stay.
    Reset {
        /// Which.
        gpu: GpuId,
    },
    /// `DRAIN`: grant and renew nothing; what is held goes on.
    Drain {
        /// Which.
        gpu: GpuId,
    },
    /// `UNDRAIN`: grant again.
    Undrain {
        /// Which.
        gpu: GpuId,
    },
    /// `REVOKE <lease-id>`.
    Revoke {
        /// On which GPU.
        gpu: GpuId,
        /// Which.
        lease: LeaseId,
    },
    /// A ticket was revoked: every lease that was had by it ends.
    RevokeTicket {
        /// Which.
        ticket: TicketId,
    },
}

/// On whose behalf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Queens may act on anybody's leases and jobs.
    pub role: Role,
    /// Whom it speaks for; a queen's own leases are held by `queen`.
    pub subject: Option<Subject>,
    /// What it attached with.
    pub ticket: Option<TicketId>,
}

impl Caller {
    /// Whose leases and jobs are its own.
    #[must_use]
    pub fn holder(&self) -> Subject {
        let queen = || "queen".parse().expect("a plain name");
        self.subject.clone().unwrap_or_else(queen)
    }

    /// Whether it may act on anybody's leases and jobs.
    #[must_use]
    pub fn is_queen(&self) -> bool {
        self.role == Role::Queen
    }
}

/// What the broker needs to know of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRequest {
    /// Its name; no live job may have it.
    pub job: JobId,
    /// Blocks.
    pub grid: Extent,
    /// Threads in a block.
    pub block: Extent,
    /// Shared memory of one block, static and dynamic.
    pub shared_bytes: u64,
    /// Device memory: buffers and module globals.
    pub memory_bytes: u64,
    /// From RUNNING to its stop.
    pub timeout_ms: u32,
    /// From acceptance to RUNNING, if that is bounded.
    pub queue_timeout_ms: Option<u32>,
    /// Among the jobs of its lease; the policy's default where none is given.
    pub priority: Option<u8>,
}

impl JobRequest {
    /// What a descriptor asks for, given what its buffers and its module take.
    #[must_use]
    pub fn of(descriptor: &JobDescriptor, memory_bytes: u64, static_shared_bytes: u32) -> Self {
        Self {
            job: descriptor.job.clone(),
            grid: descriptor.grid,
            block: descriptor.block,
            shared_bytes: u64::from(descriptor.shared_bytes) + u64::from(static_shared_bytes),
            memory_bytes,
            timeout_ms: descriptor.timeout_ms,
            queue_timeout_ms: descriptor.queue_timeout_ms,
            priority: descriptor.priority,
        }
    }
}

/// An accepted job, by a number that is never used again, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobNumber(pub u64);

/// What a command led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Done, and nothing to tell.
    Done,
    /// The lease is active: `LEASE`, `RENEW`, `PRIORITY`.
    Leased(LeaseGranted),
    /// The lease waits for room.
    Waiting(LeaseQueued),
    /// The job will end exactly once.
    Accepted {
        /// Its number.
        job: JobNumber,
        /// The lease it will run by.
        lease: LeaseId,
        /// Its place among the lease's waiting jobs, from 1, when it came.
        pos: u32,
    },
}
