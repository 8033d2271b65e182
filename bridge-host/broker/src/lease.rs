//! One lease, from the moment it is asked for until its memory is free again.

use alloc::{collections::BTreeSet, string::String};

use ninedoor_abi::{
    Epoch, GpuId, LeaseId, LeaseRecord, MonoUs, Now, Subject, TicketId, UnixMs,
    ctl::{LeaseGranted, LeaseSize},
    record::LeaseState,
};

use crate::{
    Account, ExecutorRef, JobNumber, Policy,
    queue::{AgedQueue, Waiting},
    throttle::Bucket,
};

#[derive(Debug, Clone)]
pub(crate) struct Lease {
    pub(crate) id: LeaseId,
    pub(crate) gpu: GpuId,
    pub(crate) holder: Subject,
    pub(crate) ticket: Option<TicketId>,
    pub(crate) size: LeaseSize,
    pub(crate) priority: u8,
    /// Zero while it waits.
    pub(crate) epoch: Epoch,
    pub(crate) phase: Phase,
    pub(crate) executor: Executor,
    /// Since when it wants an executor, while there is no place for one.
    pub(crate) seeking: Option<MonoUs>,
    /// When a job of it ended last.
    pub(crate) last_end: MonoUs,
    /// Executors in a row that ended before they were ready.
    pub(crate) false_starts: u32,
    /// Jobs that wait.
    pub(crate) queue: AgedQueue<JobNumber>,
    /// Jobs handed to the executor.
    pub(crate) running: BTreeSet<JobNumber>,
    /// Device memory that those take.
    pub(crate) running_bytes: u64,
    pub(crate) share: Share,
    pub(crate) throttle: Bucket,
    pub(crate) account: Account,
}

#[derive(Debug, Clone)]
pub(crate) enum Phase {
    /// For room.
    Waiting {
        /// Since when, by which it ages.
        since: MonoUs,
        /// Until when.
        until: UnixMs,
    },
    Active {
        deadline: UnixMs,
        /// It is to end earlier, for another.
        eviction: Option<Evicted>,
    },
    /// Over, and its executor still has its memory.
    Ending { state: LeaseState, at: UnixMs },
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Evicted {
    pub(crate) at: UnixMs,
    pub(crate) waiter: LeaseId,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Executor {
    /// There is none; so many in a row died since a job last ended OK.
    None {
        failures: u32,
    },
    /// There is none, and none may be spawned before its timer.
    Cooling {
        failures: u32,
    },
    Starting {
        failures: u32,
    },
    Ready {
        failures: u32,
    },
    /// It was killed, which may count as a failure; `overdue` once it takes too long over it.
    Dying {
        failures: u32,
        overdue: bool,
    },
}

impl Executor {
    pub(crate) const fn failures(&self) -> u32 {
        match self {
            Self::None { failures }
            | Self::Cooling { failures }
            | Self::Starting { failures }
            | Self::Ready { failures }
            | Self::Dying { failures, .. } => *failures,
        }
    }

    /// Whether a process may exist.
    pub(crate) const fn is_alive(&self) -> bool {
        matches!(self, Self::Starting { .. } | Self::Ready { .. } | Self::Dying { .. })
    }
}

/// How much of the GPU's time a lease had, weighted: the least goes next.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Share {
    /// Weighted use so far.
    pub(crate) used: u64,
    /// Up to when `used` is counted.
    pub(crate) settled_at: MonoUs,
    /// Its key in the GPU's order of runnable leases, while it is in there.
    pub(crate) queued_at: Option<u64>,
}

/// A microsecond of use by a lease of priority 0.
pub(crate) const SHARE_PER_US: u64 = 256;

/// What a lease is asked for with.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    pub(crate) gpu: GpuId,
    pub(crate) holder: Subject,
    pub(crate) ticket: Option<TicketId>,
    pub(crate) size: LeaseSize,
    pub(crate) priority: u8,
}

impl Lease {
    /// A lease that waits until then.
    pub(crate) fn waiting_for_room(
        id: LeaseId,
        terms: Terms,
        until: UnixMs,
        policy: &Policy,
        now: Now,
    ) -> Self {
        let Terms { gpu, holder, ticket, size, priority } = terms;
        Self {
            id,
            gpu,
            holder,
            ticket,
            size,
            priority,
            epoch: Epoch(0),
            phase: Phase::Waiting { since: now.mono_us, until },
            executor: Executor::None { failures: 0 },
            seeking: None,
            last_end: now.mono_us,
            false_starts: 0,
            queue: AgedQueue::new(policy.ageing_us()),
            running: BTreeSet::new(),
            running_bytes: 0,
            share: Share { settled_at: now.mono_us, ..Share::default() },
            throttle: Bucket::full(
                policy.lease_submits_per_s,
                policy.lease_submits_burst,
                now.mono_us,
            ),
            account: Account::default(),
        }
    }

    /// Priority is weight: one of priority 3 gets four times the time of one of priority 0.
    pub(crate) fn weight(&self) -> u64 {
        u64::from(self.priority) + 1
    }

    pub(crate) const fn is_active(&self) -> bool {
        matches!(self.phase, Phase::Active { .. })
    }

    pub(crate) const fn state(&self) -> LeaseState {
        match self.phase {
            Phase::Waiting { .. } => LeaseState::Queued,
            Phase::Active { .. } => LeaseState::Active,
            Phase::Ending { state, .. } => state,
        }
    }

    /// When it ends, or until when it waits, or when it ended.
    pub(crate) fn deadline(&self) -> UnixMs {
        match self.phase {
            Phase::Waiting { until, .. } => until,
            Phase::Active { deadline, eviction } => {
                eviction.map_or(deadline, |eviction| deadline.min(eviction.at))
            }
            Phase::Ending { at, .. } => at,
        }
    }

    pub(crate) fn memory_bytes(&self) -> u64 {
        u64::from(self.size.mem_mb) << 20
    }

    pub(crate) fn executor_ref(&self) -> ExecutorRef {
        ExecutorRef { gpu: self.gpu.clone(), lease: self.id, epoch: self.epoch }
    }

    /// Its entry in the queue of its GPU.
    pub(crate) const fn waiting(&self) -> Option<Waiting<LeaseId>> {
        match self.phase {
            Phase::Waiting { since, .. } => {
                Some(Waiting { priority: self.priority, since, what: self.id })
            }
            _ => None,
        }
    }

    pub(crate) fn record(&self) -> LeaseRecord {
        LeaseRecord {
            state: self.state(),
            gpu_id: self.gpu.clone(),
            worker_id: self.holder.clone(),
            mem_mb: self.size.mem_mb,
            streams: self.size.streams,
            ttl_s: self.size.ttl_s,
            priority: self.priority,
            lease: self.id,
            epoch: self.epoch,
            deadline_ms: self.deadline(),
        }
    }

    pub(crate) fn granted(&self) -> LeaseGranted {
        LeaseGranted {
            id: self.id,
            epoch: self.epoch,
            gpu: self.gpu.clone(),
            mem_mb: self.size.mem_mb,
            streams: self.size.streams,
            ttl_s: self.size.ttl_s,
            deadline_ms: self.deadline(),
        }
    }

    /// What it is for messages: `lease-7 of worker-7`.
    pub(crate) fn named(&self) -> String {
        alloc::format!("{} of {}", self.id, self.holder)
    }
}
