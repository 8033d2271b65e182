//! Leases begin: asked for, queued, granted; and are changed while they last.

use alloc::{string::String, vec::Vec};

use ninedoor_abi::{
    Errno, GpuId, LeaseId, Now, Refusal, Subject, UnixMs,
    ctl::{LeaseAsk, LeaseQueued, LeaseSize},
};

use super::Broker;
use crate::{
    Answer, Caller, Effect, Eviction, Grant,
    gpu::Gpu,
    lease::{Evicted, Lease, Phase, Terms},
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
            return self.held_already(held, ask);
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
        if !by.is_queen() {
            within_grant(&holder, gpu, granted.as_ref(), size, priority)?;
        }
        self.check_size(gpu, size)?;
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

    fn check_size(&self, gpu: &GpuId, size: LeaseSize) -> Result<(), Refusal> {
        let state = self.gpu(gpu)?;
        let most_mb = state.leasable_mb().saturating_sub(state.executor_mb.into());
        if u64::from(size.mem_mb) > most_mb {
            return Err(Refusal::invalid(alloc::format!(
                "mem_mb is {}, gpu {gpu} has {most_mb} for a lease",
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
                        "{} leases wait for gpu {} already; {}",
                        gpu.waiting.len(),
                        gpu.id,
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
        self.lease_changed(id, "waits for room");
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
        if state.drained || state.unusable().is_some() {
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

    /// Whether it would be over before the first could begin anyway.
    fn may_go_before(&self, gpu: &Gpu, lease: &Lease, now: Now) -> bool {
        let Some(first) = gpu.waiting.first() else { return false };
        let over_at = now.unix_ms.plus_s(lease.size.ttl_s.into());
        self.fits(gpu, lease.size)
            && self.room_at(gpu, self.lease_at(first).size).is_some_and(|room| over_at <= room.at)
    }

    fn fits(&self, gpu: &Gpu, size: LeaseSize) -> bool {
        gpu.cost_mb(size.mem_mb) <= gpu.free_mb()
            && gpu.leases.len() < self.policy.leases_max as usize
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

    /// Gives notice to leases of lower priority, as many as the first needs to end.
    fn evict_for_first(&mut self, gpu: &GpuId, now: Now) {
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
        if let (Some(granted), false) =
            (self.grants.get(&(gpu.clone(), lease.holder.clone())), by.is_queen())
        {
            within_grant(
                &lease.holder,
                gpu,
                Some(granted),
                LeaseSize { ttl_s, ..lease.size },
                lease.priority.min(granted.priority),
            )?;
        }
        if let Some(why) = self.cannot_renew(lease, eviction, now) {
            return Err(Refusal::new(Errno::EBUSY, why));
        }
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
        let holder = self.lease_at(id).holder.clone();
        if let (Some(granted), false) =
            (self.grants.get(&(gpu.clone(), holder.clone())), by.is_queen())
        {
            within_grant(&holder, gpu, Some(granted), granted.size, priority)?;
        }
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

    fn queued(&self, id: LeaseId) -> LeaseQueued {
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

    /// `gpu GPU-0 has 2048 of 4096 MiB free; lease-5 frees 4096 MiB in 37 s`.
    fn no_room(&self, gpu: &Gpu, size: LeaseSize, now: Now) -> String {
        let mut text = alloc::format!(
            "gpu {} has {} of {} MiB free",
            gpu.id,
            gpu.free_mb(),
            gpu.leasable_mb()
        );
        if gpu.leases.len() >= self.policy.leases_max as usize {
            text = alloc::format!(
                "gpu {} has {} leases, wanted less than {}",
                gpu.id,
                gpu.leases.len(),
                self.policy.leases_max
            );
        }
        if !gpu.waiting.is_empty() {
            text += &alloc::format!("; {} wait before you", gpu.waiting.len());
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

/// A worker may have what the queen granted it, and no more.
fn within_grant(
    holder: &Subject,
    gpu: &GpuId,
    granted: Option<&Grant>,
    size: LeaseSize,
    priority: u8,
) -> Result<(), Refusal> {
    let Some(granted) = granted else { return Ok(()) };
    for (key, asked, most) in [
        ("mem_mb", size.mem_mb, granted.size.mem_mb),
        ("streams", size.streams.into(), granted.size.streams.into()),
        ("ttl_s", size.ttl_s, granted.size.ttl_s),
        ("priority", priority.into(), granted.priority.into()),
    ] {
        if asked > most {
            return Err(Refusal::new(
                Errno::EPERM,
                alloc::format!("{key} is {asked}, {holder} was granted at most {most} on {gpu}"),
            ));
        }
    }
    Ok(())
}
