//! The broker: its state, its four verbs, and what is due.
//!
//! What it does with each noun is in the modules below, each an `impl Broker` of its own: [`gpus`], [`grants`] (leases begin), [`room`] (whether they can),
//! [`renewals`],
//! [`endings`] (leases end), [`jobs`], [`executors`], [`places`] (who gets one), [`turns`] (who launches next), [`recovery`], [`views`].

mod endings;
mod executors;
mod gpus;
mod grants;
mod jobs;
mod places;
mod recovery;
mod renewals;
mod room;
mod turns;
mod views;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};

use ninedoor_abi::{
    Errno, GpuId, JobId, LeaseId, LeaseRecord, MonoUs, Now, Refusal, Subject, record::JobStep,
};

pub use views::{GpuView, LeaseView};

use crate::{
    Answer, Caller, Command, Effect, Event, EventRefused, Grant, JobNumber, Policy,
    account::Ledger,
    gpu::Gpu,
    job::Job,
    lease::{Executor, Lease},
    timers::{Timer, Timers},
};

/// See the crate's documentation.
#[derive(Debug, Clone)]
pub struct Broker {
    policy: Policy,
    gpus: BTreeMap<GpuId, Gpu>,
    /// Every lease that waits, is active, or is ending.
    leases: BTreeMap<LeaseId, Lease>,
    /// The lease that a holder has on a GPU, waiting or active.
    holders: BTreeMap<(GpuId, Subject), LeaseId>,
    /// What the queen granted a worker: it may ask for that again, and for no more.
    grants: BTreeMap<(GpuId, Subject), Grant>,
    /// Every job that has not ended.
    jobs: BTreeMap<JobNumber, Job>,
    names: BTreeMap<JobId, JobNumber>,
    /// Leases that want an executor, by since when.
    seeking: BTreeSet<(MonoUs, LeaseId)>,
    last_lease: u64,
    last_job: u64,
    ledger: Ledger,
    timers: Timers,
    effects: VecDeque<Effect>,
}

impl Broker {
    /// A broker without GPUs.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            gpus: BTreeMap::new(),
            leases: BTreeMap::new(),
            holders: BTreeMap::new(),
            grants: BTreeMap::new(),
            jobs: BTreeMap::new(),
            names: BTreeMap::new(),
            seeking: BTreeSet::new(),
            last_lease: 0,
            last_job: 0,
            ledger: Ledger::default(),
            timers: Timers::default(),
            effects: VecDeque::new(),
        }
    }

    /// Does one thing on a caller's behalf. What was due before is done first.
    ///
    /// # Errors
    /// A refusal that says why, and when it may be worth asking again; nothing was changed.
    pub fn handle(&mut self, command: Command, now: Now) -> Result<Answer, Refusal> {
        self.tick(now);
        match command {
            Command::AddGpu { gpu, info, executor_mb } => self.add_gpu(gpu, info, executor_mb, now),
            Command::SetHealth { gpu, health } => self.set_health(&gpu, health, now),
            Command::Lease { by, gpu, ask } => self.lease(&by, &gpu, &ask, now),
            Command::Release { by, gpu, lease } => self.release(&by, &gpu, lease, now),
            Command::Renew { by, gpu, lease, ttl_s } => self.renew(&by, &gpu, lease, ttl_s, now),
            Command::Priority { by, gpu, priority } => self.set_priority(&by, &gpu, priority, now),
            Command::Submit { by, gpu, request } => self.submit(&by, &gpu, request, now),
            Command::Cancel { by, gpu, job } => self.cancel(&by, &gpu, &job, now),
            Command::Reset { gpu } => self.reset(&gpu, now),
            Command::Drain { gpu } => self.drain(&gpu, true, now),
            Command::Undrain { gpu } => self.drain(&gpu, false, now),
            Command::Revoke { gpu, lease } => self.revoke(&gpu, lease, now),
            Command::RevokeTicket { ticket } => Ok(self.revoke_ticket(ticket, now)),
        }
    }

    /// Takes note of what an executor did. What was due before is done first.
    ///
    /// # Errors
    /// The event changed nothing: it is stale, or a lie for which the executor is killed.
    pub fn observe(&mut self, event: Event, now: Now) -> Result<(), EventRefused> {
        self.tick(now);
        match event {
            Event::Ready(executor) => self.ready(&executor, now),
            Event::Finished { executor, job, outcome } => {
                self.finished(&executor, job, outcome, now)
            }
            Event::Died { executor, detail } => self.died(&executor, &detail, now),
            Event::GpuReset { gpu, failed } => self.gpu_reset(&gpu, failed, now),
        }
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Now) {
        while let Some(timer) = self.timers.pop_due(now) {
            match timer {
                Timer::Lease(lease) => self.lease_due(lease, now),
                Timer::Job(job) => self.job_due(job, now),
                Timer::Executor(lease) => self.executor_due(lease, now),
            }
        }
    }

    /// When [`Self::tick`] is next to be called, by the monotonic clock; sooner does no harm. Wall-clock deadlines are converted
    /// by `now`, so ask again when the wall clock was set.
    #[must_use]
    pub fn next_deadline(&self, now: Now) -> Option<MonoUs> {
        self.timers.next(now)
    }

    /// The next thing to be done, in order.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Replaces the policy. Leases and jobs that are there stay; bounds apply to what comes, and queues that are there age as before.
    pub fn set_policy(&mut self, policy: Policy) {
        self.policy = policy;
    }

    fn gpu_mut(&mut self, gpu: &GpuId) -> Result<&mut Gpu, Refusal> {
        self.gpus.get_mut(gpu).ok_or_else(|| no_gpu(gpu))
    }

    fn gpu(&self, gpu: &GpuId) -> Result<&Gpu, Refusal> {
        self.gpus.get(gpu).ok_or_else(|| no_gpu(gpu))
    }

    /// The GPU of a lease that is there.
    fn gpu_of(&mut self, lease: LeaseId) -> &mut Gpu {
        let gpu = &self.leases.get(&lease).expect("its id comes from an index of leases").gpu;
        self.gpus.get_mut(gpu).expect("a lease is on a gpu that is there")
    }

    fn lease_at(&self, lease: LeaseId) -> &Lease {
        self.leases.get(&lease).expect("its id comes from an index of leases")
    }

    fn lease_mut(&mut self, lease: LeaseId) -> &mut Lease {
        self.leases.get_mut(&lease).expect("its id comes from an index of leases")
    }

    fn job_at(&self, job: JobNumber) -> &Job {
        self.jobs.get(&job).expect("its number comes from an index of jobs")
    }

    /// A lease that the queen took for a worker is had by the ticket that the worker first uses it with.
    fn bind_ticket(&mut self, by: &Caller, lease: LeaseId) {
        let lease = self.lease_mut(lease);
        if lease.ticket.is_none() && by.ticket.is_some() && lease.holder == by.holder() {
            lease.ticket = by.ticket;
            let id = lease.id;
            self.lease_changed(id, "taken up by its holder");
        }
    }

    /// The lease that a command is about: the one named, which must be the caller's unless it is a queen; else the caller's own.
    fn lease_meant(
        &self,
        by: &Caller,
        gpu: &GpuId,
        lease: Option<LeaseId>,
    ) -> Result<LeaseId, Refusal> {
        self.gpu(gpu)?;
        let holder = by.holder();
        let Some(lease) = lease else {
            return self.holders.get(&(gpu.clone(), holder.clone())).copied().ok_or_else(|| {
                Refusal::new(
                    Errno::EPERM,
                    alloc::format!("{holder} holds no lease on {gpu}, ask for one with LEASE"),
                )
            });
        };
        let there =
            self.leases.get(&lease).filter(|there| there.gpu == *gpu && !there.state().is_over());
        let there = there.ok_or_else(|| {
            Refusal::new(
                Errno::ENOENT,
                alloc::format!("no live {lease} on {gpu}, read the lease file for those there are"),
            )
        })?;
        if there.holder != holder && !by.is_queen() {
            return Err(Refusal::new(Errno::EPERM, alloc::format!("{lease} is not {holder}'s")));
        }
        Ok(lease)
    }

    fn lease_changed(&mut self, lease: LeaseId, detail: impl Into<alloc::string::String>) {
        let lease = self.lease_at(lease);
        let (record, ticket): (LeaseRecord, _) = (lease.record(), lease.ticket);
        self.effects.push_back(Effect::LeaseChanged { record, ticket, detail: detail.into() });
    }

    fn record(&mut self, job: JobNumber, step: JobStep, now: Now) {
        let job = self.job_at(job);
        let lease = self.lease_at(job.lease);
        let record = ninedoor_abi::JobRecord {
            ts_ms: now.unix_ms,
            job: job.request.job.clone(),
            lease: lease.id,
            step,
        };
        let (gpu, holder, job) = (lease.gpu.clone(), lease.holder.clone(), job.number);
        self.effects.push_back(Effect::Record { gpu, holder, job, record });
    }

    fn executor_state(&self, lease: LeaseId) -> &Executor {
        &self.lease_at(lease).executor
    }
}

fn no_gpu(gpu: &GpuId) -> Refusal {
    Refusal::new(Errno::ENODEV, alloc::format!("no gpu {gpu} here, list /gpu for those there are"))
}
