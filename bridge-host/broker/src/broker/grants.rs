//! Leases begin: asked for, queued, granted; and are changed while they last.

use alloc::string::String;

use ninedoor_abi::{
    Errno, GpuId, LeaseId, Now, Refusal, Subject,
    ctl::{LeaseAsk, LeaseQueued, LeaseSize},
};

use super::Broker;
use crate::{
    Answer, Caller, Effect, Grant,
    lease::{Lease, Phase, Terms},
    timers::Timer,
};

/// Grants remembered, of all workers.
const GRANTS_MAX: usize = 8_192;

impl Broker {
    pub(super) fn lease(
        &mut self,
        by: &Caller,
        gpu: &GpuId,
        ask: &LeaseAsk,
        now: Now,
    ) -> Result<Answer, Refusal> {
        self.gpu(gpu)?;
        let holder = self.holder_meant(by, ask)?;
        if let Some(&held) = self.holders.get(&(gpu.clone(), holder.clone())) {
            let answer = self.held_already(held, ask)?;
            self.bind_ticket(by, held);
            return Ok(answer);
        }
        let granted = self.grants.get(&(gpu.clone(), holder.clone())).cloned();
        let size =
            ask.size.or_else(|| granted.as_ref().map(|granted| granted.size)).ok_or_else(|| {
                Refusal::invalid(alloc::format!(
                    "{holder} was granted nothing on {gpu} before, wanted mem_mb, streams and ttl_s"
                ))
            })?;
        let priority = ask
            .priority
            .or_else(|| granted.as_ref().map(|granted| granted.priority))
            .unwrap_or(self.policy.priority_default);
        self.check_grant(by, gpu, &holder, size, priority)?;
        self.check_size(gpu, size)?;
        self.check_pause(gpu, ask.wait_s > 0)?;
        // A lease that the queen takes for a worker lives as long as the worker, not as the queen's ticket.
        let ticket = by.ticket.filter(|_| holder == by.holder());
        let terms = Terms { gpu: gpu.clone(), holder, ticket, size, priority };
        let until = now.unix_ms.plus_s(ask.wait_s.into());
        let lease =
            Lease::waiting_for_room(LeaseId(self.last_lease + 1), terms, until, &self.policy, now);
        let id = lease.id;
        let answer = self.admit(lease, ask.wait_s > 0, now)?;
        self.remember_grant(by, id);
        Ok(answer)
    }

    /// For whom: a worker asks for itself alone.
    fn holder_meant(&self, by: &Caller, ask: &LeaseAsk) -> Result<Subject, Refusal> {
        match &ask.worker {
            Some(worker) if by.is_queen() || *worker == by.holder() => Ok(worker.clone()),
            Some(worker) => Err(Refusal::new(
                Errno::EPERM,
                alloc::format!(
                    "worker={worker} is asked for by {}, wanted its own name or none",
                    by.holder()
                ),
            )),
            None => Ok(by.holder()),
        }
    }

    /// Bare `LEASE` of a holder that has one is answered with that one.
    fn held_already(&self, held: LeaseId, ask: &LeaseAsk) -> Result<Answer, Refusal> {
        let lease = self.lease_at(held);
        match (ask.size, &lease.phase) {
            (None, Phase::Waiting { .. }) => Ok(Answer::Waiting(self.queued(held))),
            (None, _) => Ok(Answer::Leased(lease.granted())),
            (Some(_), _) => Err(Refusal::new(
                Errno::EBUSY,
                alloc::format!(
                    "{} has {held} on {} already, RELEASE it first",
                    lease.holder,
                    lease.gpu
                ),
            )),
        }
    }

    /// A worker may have what the queen granted it, and no more; without a grant its priority alone is bounded, where it needs none.
    pub(super) fn check_grant(
        &self,
        by: &Caller,
        gpu: &GpuId,
        holder: &Subject,
        size: LeaseSize,
        priority: u8,
    ) -> Result<(), Refusal> {
        if by.is_queen() {
            return Ok(());
        }
        let granted = self.grants.get(&(gpu.clone(), holder.clone()));
        if granted.is_none() && self.policy.grants_required {
            let text = alloc::format!(
                "{holder} has no grant on {gpu}, and here one is required: the queen leases for it first"
            );
            return Err(Refusal::new(Errno::EPERM, text));
        }
        let most =
            granted.map_or((u32::MAX, u16::MAX, u32::MAX, self.policy.priority_max), |granted| {
                (granted.size.mem_mb, granted.size.streams, granted.size.ttl_s, granted.priority)
            });
        for (key, asked, most) in [
            ("mem_mb", size.mem_mb, most.0),
            ("streams", size.streams.into(), most.1.into()),
            ("ttl_s", size.ttl_s, most.2),
            ("priority", priority.into(), most.3.into()),
        ] {
            if asked > most {
                let text =
                    alloc::format!("{key} is {asked}, {holder} may have at most {most} on {gpu}");
                return Err(Refusal::new(Errno::EPERM, text));
            }
        }
        Ok(())
    }

    fn check_size(&self, gpu: &GpuId, size: LeaseSize) -> Result<(), Refusal> {
        let state = self.gpu(gpu)?;
        let most_mb = state.leasable_mb().saturating_sub(state.executor_mb.into());
        if u64::from(size.mem_mb) > most_mb {
            let executors = match state.executor_mb {
                0 => String::new(),
                executor_mb => alloc::format!(" and {executor_mb} for its executor"),
            };
            return Err(Refusal::invalid(alloc::format!(
                "mem_mb is {}, gpu {gpu} has {most_mb} for a lease{executors}",
                size.mem_mb
            )));
        }
        if size.streams > state.info.streams_max {
            return Err(Refusal::invalid(alloc::format!(
                "streams is {}, gpu {gpu} has {}",
                size.streams,
                state.info.streams_max
            )));
        }
        if size.ttl_s > self.policy.lease_ttl_s_max {
            return Err(Refusal::invalid(alloc::format!(
                "ttl_s is {}, wanted at most {}",
                size.ttl_s,
                self.policy.lease_ttl_s_max
            )));
        }
        if let Some(why) = state.unusable() {
            return Err(Refusal::new(Errno::ENODEV, why));
        }
        if state.drained {
            return Err(Refusal::new(
                Errno::EBUSY,
                alloc::format!("gpu {gpu} is drained, ask again after UNDRAIN"),
            ));
        }
        Ok(())
    }

    /// A GPU that is too hot may be waited for.
    fn check_pause(&self, gpu: &GpuId, may_wait: bool) -> Result<(), Refusal> {
        match self.gpu(gpu)?.paused() {
            Some(why) if !may_wait => {
                let text = alloc::format!("{why}; ask again later, or with wait_s");
                Err(Refusal::new(Errno::EBUSY, text))
            }
            _ => Ok(()),
        }
    }

    /// Grants it if it is its turn and there is room; else lets it wait, if it will.
    fn admit(&mut self, lease: Lease, may_wait: bool, now: Now) -> Result<Answer, Refusal> {
        let gpu = self.gpu(&lease.gpu)?;
        let waiting = lease.waiting().expect("a new lease waits");
        let first = gpu.waiting.ahead_of(waiting) == 0;
        let fits = self.fits(gpu, lease.size);
        if !(first && fits || self.may_go_before(gpu, &lease, now)) {
            if !may_wait {
                return Err(Refusal::new(Errno::EBUSY, self.no_room(gpu, lease.size, now)));
            }
            if gpu.waiting.len() >= self.policy.lease_waiters_max as usize {
                return Err(Refusal::new(
                    Errno::EBUSY,
                    alloc::format!(
                        "its queue has {} of {} leases; {}",
                        gpu.waiting.len(),
                        self.policy.lease_waiters_max,
                        self.no_room(gpu, lease.size, now)
                    ),
                ));
            }
        }
        let id = lease.id;
        self.last_lease = id.0;
        self.holders.insert((lease.gpu.clone(), lease.holder.clone()), id);
        self.timers.set_wall(Timer::Lease(id), lease.deadline());
        let gpu_id = lease.gpu.clone();
        self.leases.insert(id, lease);
        self.gpu_mut(&gpu_id)?.waiting.push(waiting);
        self.grant_waiting(&gpu_id, now);
        if self.lease_at(id).is_active() {
            return Ok(Answer::Leased(self.lease_at(id).granted()));
        }
        let why = self.gpu(&gpu_id)?.paused();
        self.lease_changed(id, why.unwrap_or_else(|| "waits for room".into()));
        Ok(Answer::Waiting(self.queued(id)))
    }

    /// Grants what can be granted, in order; ends leases for the first where the policy says so.
    pub(super) fn grant_waiting(&mut self, gpu: &GpuId, now: Now) {
        while let Some(next) = self.next_to_grant(gpu, now) {
            self.grant(next, now);
        }
        self.evict_for_first(gpu, now);
    }

    fn next_to_grant(&self, gpu: &GpuId, now: Now) -> Option<LeaseId> {
        let state = self.gpus.get(gpu)?;
        if state.drained || state.stopped().is_some() {
            return None;
        }
        let first = state.waiting.first()?;
        if self.fits(state, self.lease_at(first).size) {
            return Some(first);
        }
        state
            .waiting
            .iter()
            .skip(1)
            .find(|&other| self.may_go_before(state, self.lease_at(other), now))
    }

    fn grant(&mut self, id: LeaseId, now: Now) {
        let lease = self.leases.get_mut(&id).expect("its id comes from an index of leases");
        let gpu = self.gpus.get_mut(&lease.gpu).expect("a lease is on a gpu that is there");
        if let Some(waiting) = lease.waiting() {
            gpu.waiting.remove(waiting);
        }
        gpu.leases.insert(id);
        gpu.used_mb += gpu.cost_mb(lease.size.mem_mb);
        lease.epoch = gpu.next_epoch();
        lease.share.settled_at = now.mono_us;
        lease.phase =
            Phase::Active { deadline: now.unix_ms.plus_s(lease.size.ttl_s.into()), eviction: None };
        self.timers.set_wall(Timer::Lease(id), lease.deadline());
        self.lease_changed(id, "");
    }

    /// Remembers what the queen granted a worker. Old grants of workers that hold nothing make place.
    fn remember_grant(&mut self, by: &Caller, lease: LeaseId) {
        let lease = self.lease_at(lease);
        if !by.is_queen() || lease.holder == by.holder() {
            return;
        }
        let (gpu, holder) = (lease.gpu.clone(), lease.holder.clone());
        let grant = Grant { gpu, holder, size: lease.size, priority: lease.priority };
        let key = (grant.gpu.clone(), grant.holder.clone());
        if self.grants.len() >= GRANTS_MAX && !self.grants.contains_key(&key) {
            let idle = self.grants.keys().find(|key| !self.holders.contains_key(*key)).cloned();
            if let Some((gpu, holder)) = idle {
                self.forget_grant(gpu, holder);
            }
        }
        self.effects.push_back(Effect::GrantKept(grant.clone()));
        self.grants.insert(key, grant);
    }

    /// A worker whose lease was revoked may not have it again.
    pub(super) fn forget_grant(&mut self, gpu: GpuId, holder: Subject) {
        if self.grants.remove(&(gpu.clone(), holder.clone())).is_some() {
            self.effects.push_back(Effect::GrantForgotten { gpu, holder });
        }
    }

    pub(super) fn queued(&self, id: LeaseId) -> LeaseQueued {
        let lease = self.lease_at(id);
        let ahead = match (self.gpus.get(&lease.gpu), lease.waiting()) {
            (Some(gpu), Some(waiting)) => gpu.waiting.ahead_of(waiting),
            _ => 0,
        };
        LeaseQueued {
            id,
            gpu: lease.gpu.clone(),
            pos: u32::try_from(ahead).unwrap_or(u32::MAX).saturating_add(1),
            wait_until_ms: lease.deadline(),
        }
    }
}
