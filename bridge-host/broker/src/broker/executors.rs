//! Executors: spawned when a lease has work, killed when they must, replaced when they died.

use alloc::{string::String, vec::Vec};

use ninedoor_abi::{
    LeaseId, Now,
    record::{JobCode, JobStep},
};

use super::{Broker, jobs::failed};
use crate::{
    Effect, EventRefused, ExecutorRef, JobNumber, JobOutcome, KillReason,
    job::{JobPhase, Stop},
    lease::Executor,
    timers::Timer,
};

impl Broker {
    /// Has an executor spawned for a lease that has work and none, once there is a place for it.
    pub(super) fn ensure_executor(&mut self, id: LeaseId, now: Now) {
        if self.wants_executor(id) {
            self.seek_place(id, now);
        }
    }

    pub(super) fn wants_executor(&self, id: LeaseId) -> bool {
        let lease = self.lease_at(id);
        let is_stopped = self.gpus.get(&lease.gpu).is_none_or(|gpu| gpu.stopped().is_some());
        let has_none = matches!(lease.executor, Executor::None { .. });
        has_none && !lease.queue.is_empty() && lease.is_active() && !is_stopped
    }

    /// Spawns the executor of a lease that wants one.
    pub(super) fn spawn(&mut self, id: LeaseId, now: Now) {
        self.gpu_of(id).executors += 1;
        let lease = self.lease_mut(id);
        lease.executor = Executor::Starting { failures: lease.executor.failures() };
        let effect = Effect::SpawnExecutor {
            executor: lease.executor_ref(),
            memory_bytes: lease.memory_bytes(),
            streams: lease.size.streams,
        };
        self.effects.push_back(effect);
        let ready_by = now.mono_us.plus_ms(self.policy.executor_start_ms.into());
        self.timers.set_mono(Timer::Executor(id), ready_by);
    }

    pub(super) fn ready(&mut self, executor: &ExecutorRef, now: Now) -> Result<(), EventRefused> {
        let id = self.in_charge(executor)?;
        let lease = self.lease_mut(id);
        match lease.executor {
            Executor::Starting { failures } => lease.executor = Executor::Ready { failures },
            // It was killed before it could say so.
            Executor::Dying { .. } => return Ok(()),
            _ => return self.lie(executor, "it is ready twice".into(), now),
        }
        lease.false_starts = 0;
        self.timers.clear(Timer::Executor(id));
        self.refresh(id);
        self.dispatch(&executor.gpu, now);
        Ok(())
    }

    /// Whether the end of this job, told by this executor, would be how it ends: it runs there and was not told to stop.
    #[must_use]
    pub fn awaits(&self, executor: &ExecutorRef, number: JobNumber) -> bool {
        let runs = |id| self.lease_at(id).running.contains(&number);
        self.in_charge(executor).is_ok_and(runs)
            && matches!(self.job_at(number).phase, JobPhase::Running { stop: None, .. })
    }

    pub(super) fn finished(
        &mut self,
        executor: &ExecutorRef,
        number: JobNumber,
        outcome: JobOutcome,
        now: Now,
    ) -> Result<(), EventRefused> {
        let id = self.in_charge(executor)?;
        if !self.lease_at(id).running.contains(&number) {
            return self.lie(
                executor,
                alloc::format!("job {} ended, which it does not run", number.0),
                now,
            );
        }
        let sticky = matches!(outcome, JobOutcome::Err { sticky: true, .. });
        let step = self.step_of(number, outcome);
        if matches!(step, JobStep::Ok { .. }) {
            self.forgive(id);
        }
        self.end_job(number, step, now);
        if sticky {
            self.kill(id, KillReason::Sticky, now);
        }
        self.refresh(id);
        self.dispatch(&executor.gpu, now);
        Ok(())
    }

    /// What the record says: a job that was told to stop ended by that.
    fn step_of(&self, number: JobNumber, outcome: JobOutcome) -> JobStep {
        let job = self.job_at(number);
        let JobPhase::Running { since, stop } = &job.phase else {
            return failed(Stop::new(JobCode::Lost, "it was not running"));
        };
        match (stop, outcome) {
            (Some(stop), JobOutcome::Err { sticky, .. }) => {
                JobStep::Err { code: stop.code, detail: stop.detail.clone(), sticky }
            }
            (Some(stop), JobOutcome::Ok { .. }) => failed(stop.clone()),
            (None, JobOutcome::Err { code, detail, sticky }) => {
                JobStep::Err { code, detail, sticky }
            }
            (None, JobOutcome::Ok { h2d_us, kernel_us, d2h_us, outputs }) => {
                let queue_us = since.mono_us.us_since(job.accepted.mono_us);
                JobStep::Ok { queue_us, h2d_us, kernel_us, d2h_us, outputs }
            }
        }
    }

    /// An executor that did a job well may fail again without a pause.
    fn forgive(&mut self, id: LeaseId) {
        match &mut self.lease_mut(id).executor {
            Executor::Ready { failures } => *failures = 0,
            // Its own end counts.
            Executor::Dying { failures, .. } => *failures = (*failures).min(1),
            Executor::None { .. } | Executor::Cooling { .. } | Executor::Starting { .. } => {}
        }
    }

    pub(super) fn died(
        &mut self,
        executor: &ExecutorRef,
        detail: &str,
        now: Now,
    ) -> Result<(), EventRefused> {
        let id = self.in_charge(executor)?;
        self.lose_running(id, detail, now);
        let was_starting = matches!(self.executor_state(id), Executor::Starting { .. });
        let (failures, overdue, expected) = match self.executor_state(id) {
            Executor::Dying { failures, overdue } => (*failures, *overdue, true),
            other => (other.failures().saturating_add(1), false, false),
        };
        let gpu = self.gpu_of(id);
        gpu.executors -= 1;
        gpu.executors_overdue -= u32::from(overdue);
        self.timers.clear(Timer::Executor(id));
        let lease = self.lease_mut(id);
        lease.executor = Executor::None { failures };
        lease.account.executors_lost += u64::from(!expected);
        lease.false_starts = lease.false_starts.saturating_add(u32::from(was_starting));
        self.refresh(id);
        if self.lease_at(id).is_active() {
            self.replace(id, detail, now);
            self.give_up(id, detail, now);
        }
        self.bury(id);
        self.reset_if_still(&executor.gpu);
        self.resume(&executor.gpu, now);
        Ok(())
    }

    /// Where no executor can be started, the jobs that wait for one end. A job that comes later is one more try.
    fn give_up(&mut self, id: LeaseId, detail: &str, now: Now) {
        let tries = self.lease_at(id).false_starts;
        if tries < self.policy.executor_starts_max {
            return;
        }
        let text = alloc::format!(
            "no executor was ready after {tries} tries in a row; the last: {detail}"
        );
        self.drop_queued(id, &Stop::new(JobCode::Executor, text), now);
    }

    /// A new epoch, and after repeated failures a pause, before the next executor.
    fn replace(&mut self, id: LeaseId, detail: &str, now: Now) {
        let epoch = self.gpu_of(id).next_epoch();
        let (first_ms, most_ms) = (self.policy.respawn_ms, self.policy.respawn_ms_max);
        let lease = self.lease_mut(id);
        lease.epoch = epoch;
        let failures = lease.executor.failures();
        if let Some(doublings) = failures.checked_sub(2) {
            let pause_ms = first_ms
                .saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX))
                .min(most_ms);
            lease.executor = Executor::Cooling { failures };
            self.timers.set_mono(Timer::Executor(id), now.mono_us.plus_ms(pause_ms.into()));
        }
        self.lease_changed(id, alloc::format!("its executor is replaced: {detail}"));
    }

    /// What ran in an executor that is gone ended by what it was told to stop for, or is lost.
    fn lose_running(&mut self, id: LeaseId, detail: &str, now: Now) {
        let running: Vec<JobNumber> = self.lease_at(id).running.iter().copied().collect();
        for number in running {
            let stop = match &self.job_at(number).phase {
                JobPhase::Running { stop: Some(stop), .. } => stop.clone(),
                _ => Stop::new(JobCode::Lost, alloc::format!("its executor {detail}")),
            };
            self.end_job(number, failed(stop), now);
        }
    }

    /// Kills the executor, if there is one that was not killed yet.
    pub(super) fn kill(&mut self, id: LeaseId, reason: KillReason, now: Now) {
        let lease = self.lease_mut(id);
        let failures = lease.executor.failures();
        match lease.executor {
            Executor::Starting { .. } | Executor::Ready { .. } => {}
            Executor::Cooling { .. } => {
                lease.executor = Executor::None { failures };
                self.timers.clear(Timer::Executor(id));
                return;
            }
            Executor::None { .. } | Executor::Dying { .. } => return,
        }
        let is_failure = reason != KillReason::Place;
        let failures = failures.saturating_add(u32::from(is_failure));
        lease.executor = Executor::Dying { failures, overdue: false };
        let executor = lease.executor_ref();
        self.effects.push_back(Effect::Kill { executor, reason });
        let dead_by = now.mono_us.plus_ms(self.policy.executor_death_ms.into());
        self.timers.set_mono(Timer::Executor(id), dead_by);
    }

    /// An executor's timer: the pause is over, it was not ready in time, it does not die, or there was no place for it for long.
    pub(super) fn executor_due(&mut self, id: LeaseId, now: Now) {
        let Some(lease) = self.leases.get_mut(&id) else { return };
        match &mut lease.executor {
            Executor::Cooling { failures } => {
                lease.executor = Executor::None { failures: *failures };
                self.ensure_executor(id, now);
            }
            Executor::Starting { .. } => {
                lease.false_starts = lease.false_starts.saturating_add(1);
                self.kill(id, KillReason::NotReady, now);
            }
            Executor::Dying { overdue, .. } if !*overdue => {
                *overdue = true;
                self.gpu_of(id).executors_overdue += 1;
                self.lose_running(id, "was killed and does not die", now);
            }
            Executor::None { .. } => self.give_places(now),
            Executor::Ready { .. } | Executor::Dying { .. } => {}
        }
    }

    /// The lease whose executor this is, now.
    fn in_charge(&self, executor: &ExecutorRef) -> Result<LeaseId, EventRefused> {
        let lease = self.leases.get(&executor.lease).filter(|lease| {
            lease.gpu == executor.gpu && lease.epoch == executor.epoch && lease.executor.is_alive()
        });
        lease
            .map(|lease| lease.id)
            .ok_or(EventRefused::Stale { lease: executor.lease, epoch: executor.epoch })
    }

    /// It cannot be trusted with anything any more.
    fn lie(
        &mut self,
        executor: &ExecutorRef,
        detail: String,
        now: Now,
    ) -> Result<(), EventRefused> {
        self.kill(executor.lease, KillReason::Lie, now);
        self.refresh(executor.lease);
        Err(EventRefused::Lie { lease: executor.lease, epoch: executor.epoch, detail })
    }
}
