//! One GPU: its room, its queue of leases, whose turn it is.

use alloc::{collections::BTreeSet, string::String};

use bridge_host_gpu::{GpuInfo, Health};
use ninedoor_abi::{Epoch, GpuId, LeaseId};

use crate::queue::AgedQueue;

#[derive(Debug, Clone)]
pub(crate) struct Gpu {
    pub(crate) id: GpuId,
    pub(crate) info: GpuInfo,
    /// What each executor takes besides its lease's memory.
    pub(crate) executor_mb: u32,
    pub(crate) drained: bool,
    pub(crate) reset: Reset,
    /// Leases that have memory, active and ending.
    pub(crate) leases: BTreeSet<LeaseId>,
    /// What those have, with their executors.
    pub(crate) used_mb: u64,
    /// Leases that wait for room.
    pub(crate) waiting: AgedQueue<LeaseId>,
    /// The last epoch drawn.
    pub(crate) epoch: Epoch,
    /// Leases that could launch a job at once, by weighted use.
    pub(crate) runnable: BTreeSet<(u64, LeaseId)>,
    /// Weighted use of the one that went last: a lease that was idle begins no lower.
    pub(crate) share_floor: u64,
    /// Who went last.
    pub(crate) turn: Option<LeaseId>,
    /// Jobs running, of all leases.
    pub(crate) running: u32,
    /// Jobs waiting, of all leases.
    pub(crate) queued: u32,
    /// Executors that may exist.
    pub(crate) executors: u32,
    /// Executors that were killed and take too long to die.
    pub(crate) executors_overdue: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reset {
    No,
    /// Its executors are being killed.
    Stopping,
    /// The daemon was told to reset it.
    Resetting,
}

impl Gpu {
    pub(crate) fn new(id: GpuId, info: GpuInfo, executor_mb: u32, ageing_us: u64) -> Self {
        Self {
            id,
            info,
            executor_mb,
            drained: false,
            reset: Reset::No,
            leases: BTreeSet::new(),
            used_mb: 0,
            waiting: AgedQueue::new(ageing_us),
            epoch: Epoch(0),
            runnable: BTreeSet::new(),
            share_floor: 0,
            turn: None,
            running: 0,
            queued: 0,
            executors: 0,
            executors_overdue: 0,
        }
    }

    pub(crate) fn next_epoch(&mut self) -> Epoch {
        self.epoch = Epoch(self.epoch.0 + 1);
        self.epoch
    }

    /// MiB that leases can have in all.
    pub(crate) fn leasable_mb(&self) -> u64 {
        u64::from(self.info.memory_mb).saturating_sub(self.info.memory_reserved_mb.into())
    }

    pub(crate) fn free_mb(&self) -> u64 {
        self.leasable_mb().saturating_sub(self.used_mb)
    }

    /// What a lease of this size takes, with its executor.
    pub(crate) fn cost_mb(&self, mem_mb: u32) -> u64 {
        u64::from(mem_mb) + u64::from(self.executor_mb)
    }

    /// Why nothing may be begun for now, if so.
    pub(crate) fn paused(&self) -> Option<String> {
        match &self.info.health {
            Health::Paused(why) => Some(alloc::format!("gpu {} is paused: {why}", self.id)),
            _ => None,
        }
    }

    /// Why nothing may be launched, if so.
    pub(crate) fn stopped(&self) -> Option<String> {
        self.unusable().or_else(|| self.paused())
    }

    /// Why nothing may be asked of it, if so.
    pub(crate) fn unusable(&self) -> Option<String> {
        match (&self.info.health, self.reset) {
            (Health::Unusable(why), _) => {
                Some(alloc::format!("gpu {} is unusable: {why}", self.id))
            }
            (_, Reset::Stopping | Reset::Resetting) => {
                Some(alloc::format!("gpu {} is being reset", self.id))
            }
            _ if self.executors_overdue > 0 => Some(alloc::format!(
                "gpu {} is stuck: killed executors that have not died: {}",
                self.id,
                self.executors_overdue
            )),
            _ => None,
        }
    }
}
