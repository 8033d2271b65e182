//! Leases are changed while they last: renewed, and given another priority.

use alloc::string::String;

use ninedoor_abi::{Errno, GpuId, LeaseId, Now, Refusal, ctl::LeaseSize};

use super::Broker;
use crate::{
    Answer, Caller,
    lease::{Evicted, Lease, Phase},
    timers::Timer,
};

impl Broker {
    pub(super) fn renew(
        &mut self,
        by: &Caller,
        gpu: &GpuId,
        lease: Option<LeaseId>,
        ttl_s: Option<u32>,
        now: Now,
    ) -> Result<Answer, Refusal> {
        let id = self.lease_meant(by, gpu, lease)?;
        let lease = self.lease_at(id);
        let Phase::Active { deadline, eviction } = lease.phase else {
            return Err(Refusal::invalid(alloc::format!(
                "{id} still waits for room, renew it once it is ACTIVE"
            )));
        };
        let ttl_s = ttl_s.unwrap_or(lease.size.ttl_s);
        if ttl_s > self.policy.lease_ttl_s_max {
            return Err(Refusal::invalid(alloc::format!(
                "ttl_s is {ttl_s}, wanted at most {}",
                self.policy.lease_ttl_s_max
            )));
        }
        let asked = LeaseSize { mem_mb: 0, streams: 0, ttl_s };
        self.check_grant(by, gpu, &lease.holder, asked, 0)?;
        if let Some(why) = self.cannot_renew(lease, eviction, now) {
            return Err(Refusal::new(Errno::EBUSY, why));
        }
        self.bind_ticket(by, id);
        let renewed = now.unix_ms.plus_s(ttl_s.into()).max(deadline);
        let lease = self.lease_mut(id);
        lease.size.ttl_s = ttl_s;
        lease.phase = Phase::Active { deadline: renewed, eviction: None };
        let granted = lease.granted();
        self.timers.set_wall(Timer::Lease(id), renewed);
        self.lease_changed(id, "renewed");
        // What waits behind the first may fit in before it now.
        self.grant_waiting(gpu, now);
        Ok(Answer::Leased(granted))
    }

    /// One that waits comes before one that holds, once it counts for more.
    fn cannot_renew(&self, lease: &Lease, eviction: Option<Evicted>, now: Now) -> Option<String> {
        let gpu = self.gpus.get(&lease.gpu)?;
        if gpu.drained {
            return Some(alloc::format!(
                "gpu {} is drained, {} ends at its deadline",
                gpu.id,
                lease.id
            ));
        }
        if let Some(eviction) = eviction {
            return Some(alloc::format!("{} makes room for {}", lease.id, eviction.waiter));
        }
        let first = self.lease_at(gpu.waiting.first()?);
        let waited_us = first.waiting().map_or(0, |waiting| now.mono_us.us_since(waiting.since));
        let aged = u64::from(first.priority) + waited_us / self.policy.ageing_us();
        (aged > lease.priority.into()).then(|| {
            alloc::format!(
                "{} has waited {} s for gpu {} and comes first, {} ends at its deadline",
                first.id,
                waited_us / 1_000_000,
                gpu.id,
                lease.id
            )
        })
    }

    pub(super) fn set_priority(
        &mut self,
        by: &Caller,
        gpu: &GpuId,
        priority: u8,
        now: Now,
    ) -> Result<Answer, Refusal> {
        let id = self.lease_meant(by, gpu, None)?;
        let asked = LeaseSize { mem_mb: 0, streams: 0, ttl_s: 0 };
        self.check_grant(by, gpu, &self.lease_at(id).holder, asked, priority)?;
        self.settle(id, now);
        let lease = self.leases.get_mut(&id).expect("its id comes from an index of leases");
        let state = self.gpus.get_mut(gpu).ok_or_else(|| super::no_gpu(gpu))?;
        if let Some(waiting) = lease.waiting() {
            state.waiting.remove(waiting);
        }
        lease.priority = priority;
        if let Some(waiting) = lease.waiting() {
            state.waiting.push(waiting);
        }
        self.refresh(id);
        self.lease_changed(id, "priority changed");
        self.grant_waiting(gpu, now);
        let lease = self.lease_at(id);
        Ok(if lease.is_active() {
            Answer::Leased(lease.granted())
        } else {
            Answer::Waiting(self.queued(id))
        })
    }
}
