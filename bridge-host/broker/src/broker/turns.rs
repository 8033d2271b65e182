//! Who launches next: the lease that had least of the GPU's time, by weight.
//!
//! A lease's `used` grows with the time its jobs run, divided by its weight. Those that could launch at once are kept in order of it.
//! One that was idle begins at the floor, the `used` of the one that went last, so that rest earns no credit.

use ninedoor_abi::{GpuId, LeaseId, Now, record::JobStep};

use super::Broker;
use crate::{
    Effect, Sharing,
    gpu::Gpu,
    job::JobPhase,
    lease::{Executor, Lease, SHARE_PER_US},
    timers::Timer,
};

impl Broker {
    /// Launches what can be launched; an executor that has nothing to do then may have to make room.
    pub(super) fn dispatch(&mut self, gpu: &GpuId, now: Now) {
        self.launch_all(gpu, now);
        self.give_places(now);
    }

    fn launch_all(&mut self, gpu: &GpuId, now: Now) {
        loop {
            let Some(state) = self.gpus.get(gpu) else { return };
            if let Some(turn) = state.turn {
                self.settle(turn, now);
                self.refresh(turn);
            }
            let Some(next) = self.gpus.get(gpu).and_then(|state| self.next_turn(state)) else {
                return;
            };
            self.launch(next, now);
        }
    }

    /// The lease that may launch a job now.
    pub(super) fn next_turn(&self, gpu: &Gpu) -> Option<LeaseId> {
        if gpu.stopped().is_some() {
            return None;
        }
        let &(least_used, first) = gpu.runnable.first()?;
        match self.policy.sharing {
            Sharing::Together => (gpu.running < u32::from(gpu.info.streams_max)).then_some(first),
            Sharing::Turns => {
                let held = gpu.turn.map(|turn| self.lease_at(turn));
                let keeps = |lease: &&Lease| {
                    let ahead_max = self.policy.turn_us.saturating_mul(SHARE_PER_US);
                    lease
                        .share
                        .queued_at
                        .is_some_and(|used| used <= least_used.saturating_add(ahead_max))
                };
                match held.filter(keeps) {
                    Some(holder) => Some(holder.id),
                    None => (gpu.running == 0).then_some(first),
                }
            }
        }
    }

    fn launch(&mut self, id: LeaseId, now: Now) {
        self.settle(id, now);
        let lease = self.leases.get_mut(&id).expect("its id comes from an index of leases");
        let number = lease.queue.first().expect("a runnable lease has a job that waits");
        let job = self.jobs.get_mut(&number).expect("its number comes from an index of jobs");
        lease.queue.remove(job.waiting());
        lease.running.insert(number);
        lease.running_bytes += job.request.memory_bytes;
        lease.account.queue_us += now.mono_us.us_since(job.accepted.mono_us);
        job.phase = JobPhase::Running { since: now, stop: None };
        let launch = Effect::Launch {
            executor: lease.executor_ref(),
            job: number,
            id: job.request.job.clone(),
        };
        self.timers
            .set_mono(Timer::Job(number), now.mono_us.plus_ms(job.request.timeout_ms.into()));

        let used = lease.share.used;
        let gpu = self.gpu_of(id);
        gpu.queued -= 1;
        gpu.running += 1;
        gpu.turn = Some(id);
        gpu.share_floor = gpu.share_floor.max(used);
        self.record(number, JobStep::Running, now);
        self.effects.push_back(launch);
        self.refresh(id);
    }

    /// Counts what a lease used up to now.
    pub(super) fn settle(&mut self, id: LeaseId, now: Now) {
        let alone = self.policy.sharing == Sharing::Turns;
        let lease = self.lease_mut(id);
        // Within its turn a lease has the whole GPU, however many jobs it runs.
        let streams = if alone { lease.running.len().min(1) } else { lease.running.len() } as u64;
        let elapsed_us = now.mono_us.us_since(lease.share.settled_at);
        let used = elapsed_us.saturating_mul(streams).saturating_mul(SHARE_PER_US) / lease.weight();
        lease.share.used = lease.share.used.saturating_add(used);
        lease.share.settled_at = now.mono_us;
    }

    /// A lease that had nothing to do gets work: it begins no lower than the floor.
    pub(super) fn wake(&mut self, id: LeaseId, now: Now) {
        let floor = self.gpu_of(id).share_floor;
        let lease = self.lease_mut(id);
        if lease.queue.is_empty() && lease.running.is_empty() {
            lease.share.used = lease.share.used.max(floor);
            lease.share.settled_at = now.mono_us;
        }
    }

    /// Puts a lease into the order of those that could launch at once, or takes it out.
    pub(super) fn refresh(&mut self, id: LeaseId) {
        let runnable = self.is_runnable(self.lease_at(id));
        let lease = self.leases.get_mut(&id).expect("its id comes from an index of leases");
        let gpu = self.gpus.get_mut(&lease.gpu).expect("a lease is on a gpu that is there");
        let wanted = runnable.then_some(lease.share.used);
        if wanted == lease.share.queued_at {
            return;
        }
        if let Some(used) = lease.share.queued_at {
            gpu.runnable.remove(&(used, id));
        }
        if let Some(used) = wanted {
            gpu.runnable.insert((used, id));
        }
        lease.share.queued_at = wanted;
    }

    fn is_runnable(&self, lease: &Lease) -> bool {
        let ready = lease.is_active() && matches!(lease.executor, Executor::Ready { .. });
        let stream = lease.running.len() < usize::from(lease.size.streams);
        let fits = |job: &crate::job::Job| {
            lease.running_bytes + job.request.memory_bytes <= lease.memory_bytes()
        };
        ready && stream && lease.queue.first().is_some_and(|next| fits(self.job_at(next)))
    }
}
