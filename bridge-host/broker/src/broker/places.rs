//! Places for executors: there may be fewer than leases with work, so whoever has wanted one longest gets the next.
//!
//! ```text
//!   has work and no executor ─▶ seeking ─ a place is free ─▶ spawned
//!                                  └── none is: an executor without work is killed, the one that had none for longest;
//!                                      after `ageing_ms` also one with work that runs nothing: its lease seeks in its turn
//! ```

use alloc::vec::Vec;

use ninedoor_abi::{LeaseId, MonoUs, Now};

use super::Broker;
use crate::{
    KillReason,
    lease::{Executor, Lease},
    timers::Timer,
};

impl Broker {
    /// A lease wants an executor.
    pub(super) fn seek_place(&mut self, id: LeaseId, now: Now) {
        let lease = self.lease_mut(id);
        if lease.seeking.is_none() {
            lease.seeking = Some(now.mono_us);
            self.seeking.insert((now.mono_us, id));
            self.timers.set_mono(Timer::Executor(id), self.impatient_at(now.mono_us));
        }
        self.give_places(now);
    }

    /// Gives places to those who have wanted one longest, and has executors make room for the rest.
    pub(super) fn give_places(&mut self, now: Now) {
        if self.seeking.is_empty() {
            return;
        }
        let is_dying = |lease: &&Lease| matches!(lease.executor, Executor::Dying { .. });
        let mut coming = self.leases.values().filter(is_dying).count();
        for (since, id) in self.seeking.iter().copied().collect::<Vec<_>>() {
            if !self.wants_executor(id) {
                self.stop_seeking(id);
            } else if self.executors() < self.policy.executors_max {
                self.stop_seeking(id);
                self.spawn(id, now);
            } else if coming > 0 {
                coming -= 1;
            } else if !self.make_place(self.impatient_at(since) <= now.mono_us, now) {
                return;
            }
        }
    }

    /// A lease does not want an executor any more, or gets one.
    pub(super) fn stop_seeking(&mut self, id: LeaseId) {
        if let Some(since) = self.lease_mut(id).seeking.take() {
            self.seeking.remove(&(since, id));
            self.timers.clear(Timer::Executor(id));
        }
    }

    /// Whether an executor is killed for its place.
    fn make_place(&mut self, is_impatient: bool, now: Now) -> bool {
        let rests = |lease: &&Lease| {
            matches!(lease.executor, Executor::Ready { .. }) && lease.running.is_empty()
        };
        let resting = || self.leases.values().filter(rests);
        let last_used = |lease: &&Lease| (lease.last_end, lease.id);
        let idle = resting().filter(|lease| lease.queue.is_empty()).min_by_key(last_used);
        // Of those with work, one that had its turn just now will wait longest for the next.
        let busy = || is_impatient.then(|| resting().max_by_key(last_used)).flatten();
        let Some(id) = idle.or_else(busy).map(|lease| lease.id) else { return false };
        self.kill(id, KillReason::Place, now);
        self.refresh(id);
        true
    }

    fn impatient_at(&self, since: MonoUs) -> MonoUs {
        since.plus_ms(self.policy.ageing_ms.into())
    }

    fn executors(&self) -> u32 {
        self.gpus.values().map(|gpu| gpu.executors).sum()
    }
}
