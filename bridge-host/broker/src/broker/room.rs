//! Room for a lease: whether there is, when there will be, and who must make it.

use alloc::{string::String, vec::Vec};

use ninedoor_abi::{GpuId, LeaseId, Now, UnixMs, ctl::LeaseSize};

use super::Broker;
use crate::{
    Eviction,
    gpu::Gpu,
    lease::{Evicted, Lease, Phase},
    timers::Timer,
};

impl Broker {
    /// Whether it would be over before the first could begin anyway.
    pub(super) fn may_go_before(&self, gpu: &Gpu, lease: &Lease, now: Now) -> bool {
        let Some(first) = gpu.waiting.first() else { return false };
        let over_at = now.unix_ms.plus_s(lease.size.ttl_s.into());
        self.fits(gpu, lease.size)
            && self.room_at(gpu, self.lease_at(first).size).is_some_and(|room| over_at <= room.at)
    }

    pub(super) fn fits(&self, gpu: &Gpu, size: LeaseSize) -> bool {
        gpu.cost_mb(size.mem_mb) <= gpu.free_mb()
            && gpu.leases.len() < self.policy.leases_max as usize
    }

    /// Gives notice to leases of lower priority, as many as the first needs to end.
    pub(super) fn evict_for_first(&mut self, gpu: &GpuId, now: Now) {
        let Some(state) = self.gpus.get(gpu).filter(|state| !state.drained) else { return };
        let Some(first) =
            state.waiting.first().filter(|_| self.policy.eviction == Eviction::LowerPriority)
        else {
            return;
        };
        let at = now.unix_ms.plus_s(self.policy.eviction_grace_s.into());
        for victim in self.victims(state, self.lease_at(first), at) {
            let lease = self.lease_mut(victim);
            if let Phase::Active { eviction, .. } = &mut lease.phase {
                *eviction = Some(Evicted { at, waiter: first });
            }
            let deadline = lease.deadline();
            self.timers.set_wall(Timer::Lease(victim), deadline);
            self.lease_changed(victim, alloc::format!("makes room for {first}"));
        }
    }

    /// Which leases must end for it: the lowest priority first, the latest first; none when even all of them would not do.
    fn victims(&self, gpu: &Gpu, waiter: &Lease, at: UnixMs) -> Vec<LeaseId> {
        let ends_soon = |lease: &&Lease| lease.deadline() <= at;
        let leases = || gpu.leases.iter().map(|&lease| self.lease_at(lease));
        let coming_mb: u64 =
            leases().filter(ends_soon).map(|lease| gpu.cost_mb(lease.size.mem_mb)).sum();
        let wanted_mb = gpu.cost_mb(waiter.size.mem_mb);
        let mut free_mb = gpu.free_mb() + coming_mb;
        let mut lower: Vec<&Lease> = leases()
            .filter(|lease| !ends_soon(lease) && lease.priority < waiter.priority)
            .collect();
        lower.sort_by_key(|lease| (lease.priority, core::cmp::Reverse(lease.id)));
        let mut victims = Vec::new();
        for lease in lower {
            if free_mb >= wanted_mb {
                break;
            }
            free_mb += gpu.cost_mb(lease.size.mem_mb);
            victims.push(lease.id);
        }
        if free_mb >= wanted_mb { victims } else { Vec::new() }
    }

    /// `gpu GPU-0 has 2048 of 4096 MiB free; lease-5 frees 4096 MiB in 37 s`.
    pub(super) fn no_room(&self, gpu: &Gpu, size: LeaseSize, now: Now) -> String {
        let mut text = alloc::format!(
            "gpu {} has {} of {} MiB free",
            gpu.id,
            gpu.free_mb(),
            gpu.leasable_mb()
        );
        if gpu.executor_mb > 0 {
            text += &alloc::format!(", of which an executor takes {}", gpu.executor_mb);
        }
        if gpu.leases.len() >= self.policy.leases_max as usize {
            text = alloc::format!(
                "gpu {} has {} leases, wanted less than {}",
                gpu.id,
                gpu.leases.len(),
                self.policy.leases_max
            );
        }
        if !gpu.waiting.is_empty() {
            text += &alloc::format!("; {} in the queue", gpu.waiting.len());
        }
        if let Some(room) = self.room_at(gpu, size) {
            let in_s = room.at.ms_since(now.unix_ms).div_ceil(1000);
            text += &match room.ends.as_slice() {
                [one] => alloc::format!("; {one} frees {} MiB in {in_s} s", room.freed_mb),
                many => {
                    alloc::format!("; {} leases free {} MiB in {in_s} s", many.len(), room.freed_mb)
                }
            };
        }
        text
    }

    /// When there will be room for this size, if leases end at their deadlines and at least one must.
    fn room_at(&self, gpu: &Gpu, size: LeaseSize) -> Option<Room> {
        let mut leases: Vec<&Lease> =
            gpu.leases.iter().map(|&lease| self.lease_at(lease)).collect();
        leases.sort_by_key(|lease| (lease.deadline(), lease.id));
        let wanted_mb = gpu.cost_mb(size.mem_mb);
        let mut room = Room { at: UnixMs(0), ends: Vec::new(), freed_mb: 0 };
        for lease in leases {
            room.at = lease.deadline();
            room.ends.push(lease.id);
            room.freed_mb += u64::from(lease.size.mem_mb);
            let freed_mb =
                gpu.free_mb() + room.freed_mb + u64::from(gpu.executor_mb) * room.ends.len() as u64;
            if freed_mb >= wanted_mb {
                return Some(room);
            }
        }
        None
    }
}

/// What has to end for a lease to begin.
struct Room {
    at: UnixMs,
    ends: Vec<LeaseId>,
    freed_mb: u64,
}
