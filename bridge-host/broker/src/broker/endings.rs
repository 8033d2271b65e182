//! Leases end: given back, over, revoked, evicted. Memory is free once the executor has died.

use alloc::{string::String, vec::Vec};

use ninedoor_abi::{
    Errno, GpuId, LeaseId, Now, Refusal, TicketId,
    record::{JobCode, LeaseState},
};

use super::Broker;
use crate::{Answer, Caller, Effect, KillReason, job::Stop, lease::Phase, timers::Timer};

impl Broker {
    pub(super) fn release(
        &mut self,
        by: &Caller,
        gpu: &GpuId,
        lease: Option<LeaseId>,
        now: Now,
    ) -> Result<Answer, Refusal> {
        let lease = self.lease_meant(by, gpu, lease)?;
        self.end_lease(lease, LeaseState::Released, "given back".into(), now);
        Ok(Answer::Done)
    }

    /// The queen takes a lease back, and with it what she granted its holder.
    pub(super) fn revoke(
        &mut self,
        gpu: &GpuId,
        lease: LeaseId,
        now: Now,
    ) -> Result<Answer, Refusal> {
        let there =
            self.leases.get(&lease).filter(|there| there.gpu == *gpu && !there.state().is_over());
        let there = there.ok_or_else(|| {
            Refusal::new(Errno::ENOENT, alloc::format!("no live {lease} on {gpu}"))
        })?;
        let holder = there.holder.clone();
        self.forget_grant(gpu.clone(), holder);
        self.end_lease(lease, LeaseState::Revoked, "revoked by the queen".into(), now);
        Ok(Answer::Done)
    }

    /// Every lease had by the ticket ends.
    pub(super) fn revoke_ticket(&mut self, ticket: TicketId, now: Now) -> Answer {
        let had: Vec<LeaseId> = self
            .leases
            .values()
            .filter(|lease| lease.ticket == Some(ticket) && !lease.state().is_over())
            .map(|lease| lease.id)
            .collect();
        for lease in had {
            let there = self.lease_at(lease);
            let (gpu, holder) = (there.gpu.clone(), there.holder.clone());
            self.forget_grant(gpu, holder);
            self.end_lease(
                lease,
                LeaseState::Revoked,
                alloc::format!("ticket {ticket} was revoked"),
                now,
            );
        }
        Answer::Done
    }

    /// A lease's deadline by the wall: no room came in time, it is over, or it makes room.
    pub(super) fn lease_due(&mut self, id: LeaseId, now: Now) {
        let Some(lease) = self.leases.get(&id) else { return };
        match lease.phase {
            Phase::Waiting { .. } => {
                self.end_lease(id, LeaseState::Expired, "no room in time".into(), now)
            }
            Phase::Active { deadline, .. } if deadline <= now.unix_ms => {
                self.end_lease(id, LeaseState::Expired, "its time is over".into(), now);
            }
            Phase::Active { deadline, eviction } => {
                let waiter = eviction.map(|eviction| eviction.waiter);
                let still = waiter.filter(|waiter| {
                    self.leases.get(waiter).is_some_and(|w| w.waiting().is_some())
                });
                match still {
                    Some(waiter) => self.end_lease(
                        id,
                        LeaseState::Revoked,
                        alloc::format!("evicted for {waiter}"),
                        now,
                    ),
                    None => {
                        self.lease_mut(id).phase = Phase::Active { deadline, eviction: None };
                        self.timers.set_wall(Timer::Lease(id), deadline);
                        self.lease_changed(id, "need not make room");
                    }
                }
            }
            Phase::Ending { .. } => {}
        }
    }

    /// Ends a lease that waits or is active. What waits in it ends at once; what runs ends with its executor.
    pub(super) fn end_lease(&mut self, id: LeaseId, state: LeaseState, detail: String, now: Now) {
        let lease = self.lease_mut(id);
        let (gpu, holder) = (lease.gpu.clone(), lease.holder.clone());
        let (waiting, was_active) = (lease.waiting(), lease.is_active());
        lease.phase = Phase::Ending { state, at: now.unix_ms };
        self.timers.clear(Timer::Lease(id));
        self.holders.remove(&(gpu.clone(), holder.clone()));
        if let Some(waiting) = waiting {
            self.gpu_of(id).waiting.remove(waiting);
        }
        self.stop_seeking(id);
        let stop = job_stop(id, state, &detail);
        self.drop_queued(id, &stop, now);
        self.lease_changed(id, detail);
        if was_active {
            self.effects.push_back(Effect::CloseFids {
                lease: id,
                gpu: gpu.clone(),
                holder,
                state,
            });
            self.stop_running(id, &stop);
            self.kill(id, KillReason::LeaseOver, now);
            self.refresh(id);
        }
        self.bury(id);
        self.grant_waiting(&gpu, now);
        self.dispatch(&gpu, now);
    }

    /// Forgets a lease that is over, once nothing of it is left.
    pub(super) fn bury(&mut self, id: LeaseId) {
        let lease = self.lease_at(id);
        if !matches!(lease.phase, Phase::Ending { .. })
            || lease.executor.is_alive()
            || !lease.running.is_empty()
        {
            return;
        }
        self.timers.clear(Timer::Executor(id));
        let lease = self.leases.remove(&id).expect("it was there just now");
        if let Some(ticket) = lease.ticket {
            self.ledger.add(ticket, &lease.account);
        }
        let Some(gpu) = self.gpus.get_mut(&lease.gpu) else { return };
        if gpu.leases.remove(&id) {
            gpu.used_mb = gpu.used_mb.saturating_sub(gpu.cost_mb(lease.size.mem_mb));
        }
        if gpu.turn == Some(id) {
            gpu.turn = None;
        }
    }
}

/// How the jobs of a lease end that ends so.
fn job_stop(lease: LeaseId, state: LeaseState, detail: &str) -> Stop {
    let code = if state == LeaseState::Revoked { JobCode::Revoked } else { JobCode::LeaseExpired };
    Stop::new(code, alloc::format!("{lease} is {state}: {detail}"))
}
