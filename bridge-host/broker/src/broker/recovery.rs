//! After the daemon died: accepted jobs run or end ERR LOST, leases keep their wall-clock deadlines, nothing runs twice.

use alloc::vec::Vec;

use ninedoor_abi::{
    GpuId, JobRecord, LeaseId, LeaseRecord, Now, TicketId, UnixMs,
    ctl::LeaseSize,
    record::{JobCode, LeaseState},
};

use super::{Broker, jobs::failed};
use crate::{
    Effect, JobNumber, JobRequest, JobSnapshot, LeaseSnapshot, Prospect, Snapshot,
    job::{Job, JobPhase, Stop},
    lease::{Lease, Phase, Terms},
    timers::Timer,
};

impl Broker {
    /// All that must outlive the daemon.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let live = self.leases.values().filter(|lease| !lease.state().is_over());
        Snapshot {
            last_lease: self.last_lease,
            last_job: self.last_job,
            epochs: self.gpus.values().map(|gpu| (gpu.id.clone(), gpu.epoch)).collect(),
            drained: self
                .gpus
                .values()
                .filter(|gpu| gpu.drained)
                .map(|gpu| gpu.id.clone())
                .collect(),
            leases: live
                .map(|lease| LeaseSnapshot { record: lease.record(), ticket: lease.ticket })
                .collect(),
            grants: self.grants.values().cloned().collect(),
            jobs: self.jobs.values().map(|job| job_snapshot(self, job)).collect(),
        }
    }

    /// Takes up what an earlier daemon left, of which no executor lives any more. To be called once, after the GPUs were added and
    /// before anything else; what it led to is in the effects.
    pub fn restore(&mut self, snapshot: Snapshot, now: Now) {
        self.last_lease = self.last_lease.max(snapshot.last_lease);
        self.last_job = self.last_job.max(snapshot.last_job);
        for (gpu, epoch) in snapshot.epochs {
            if let Some(state) = self.gpus.get_mut(&gpu) {
                state.epoch = state.epoch.max(epoch);
            }
        }
        for gpu in snapshot.drained {
            if let Some(state) = self.gpus.get_mut(&gpu) {
                state.drained = true;
            }
        }
        for grant in snapshot.grants {
            self.grants.insert((grant.gpu.clone(), grant.holder.clone()), grant);
        }
        for lease in snapshot.leases {
            self.restore_lease(lease, now);
        }
        for job in snapshot.jobs {
            self.restore_job(job, now);
        }
        self.tick(now);
        let gpus: Vec<GpuId> = self.gpus.keys().cloned().collect();
        for gpu in gpus {
            self.end_oversold(&gpu, now);
            self.resume(&gpu, now);
        }
    }

    fn restore_lease(&mut self, snapshot: LeaseSnapshot, now: Now) {
        let LeaseSnapshot { record, ticket } = snapshot;
        self.last_lease = self.last_lease.max(record.lease.0);
        let Some(gpu) = self.gpus.get_mut(&record.gpu_id).filter(|_| !record.state.is_over())
        else {
            return self.give_up_lease(record, ticket, now);
        };
        let terms = Terms {
            gpu: record.gpu_id.clone(),
            holder: record.worker_id.clone(),
            ticket,
            size: LeaseSize { mem_mb: record.mem_mb, streams: record.streams, ttl_s: record.ttl_s },
            priority: record.priority,
        };
        let (id, deadline) = (record.lease, record.deadline_ms);
        let mut lease = Lease::waiting_for_room(id, terms, deadline, &self.policy, now);
        match lease.waiting().filter(|_| record.state == LeaseState::Queued) {
            Some(waiting) => gpu.waiting.push(waiting),
            None => {
                gpu.leases.insert(id);
                gpu.used_mb += gpu.cost_mb(lease.size.mem_mb);
                // The executor that the old epoch named is gone.
                lease.epoch = gpu.next_epoch();
                lease.phase = Phase::Active { deadline, eviction: None };
            }
        }
        self.holders.insert((record.gpu_id, record.worker_id), id);
        self.timers.set_wall(Timer::Lease(id), deadline);
        self.leases.insert(id, lease);
        self.lease_changed(id, "taken up again");
    }

    /// A lease on a GPU that is no longer there.
    fn give_up_lease(&mut self, record: LeaseRecord, ticket: Option<TicketId>, now: Now) {
        if !record.state.is_over() {
            let record =
                LeaseRecord { state: LeaseState::Revoked, deadline_ms: now.unix_ms, ..record };
            self.effects.push_back(Effect::LeaseChanged {
                record,
                ticket,
                detail: "its gpu is gone".into(),
            });
        }
    }

    fn restore_job(&mut self, snapshot: JobSnapshot, now: Now) {
        self.last_job = self.last_job.max(snapshot.number.0);
        let active = self.leases.get(&snapshot.lease).is_some_and(Lease::is_active);
        let JobSnapshot { gpu, holder, number, lease, job, accepted_ms, prospect } = snapshot;
        let lost = match prospect {
            Prospect::Lost(why) => Stop::new(JobCode::Lost, why),
            Prospect::Waits(_) if !active => {
                Stop::new(JobCode::LeaseExpired, alloc::format!("{lease} is over"))
            }
            Prospect::Waits(request) => {
                return self.requeue(number, lease, request, accepted_ms, now);
            }
        };
        let record = JobRecord { ts_ms: now.unix_ms, job, lease, step: failed(lost) };
        self.effects.push_back(Effect::Record { gpu, holder, job: number, record });
    }

    /// It was never launched: it waits again, and what it waited before counts.
    fn requeue(
        &mut self,
        number: JobNumber,
        lease: LeaseId,
        mut request: JobRequest,
        accepted_ms: UnixMs,
        now: Now,
    ) {
        let waited_ms = now.unix_ms.ms_since(accepted_ms);
        let left = |timeout_ms: u32| {
            timeout_ms.saturating_sub(u32::try_from(waited_ms).unwrap_or(u32::MAX))
        };
        request.queue_timeout_ms = request.queue_timeout_ms.map(left);
        let priority = request.priority.unwrap_or(self.policy.priority_default);
        self.enqueue(
            Job { number, lease, priority, accepted: now, phase: JobPhase::Queued, request },
            now,
        );
    }

    /// A GPU may have less memory than it had: the latest leases have to go.
    fn end_oversold(&mut self, gpu: &GpuId, now: Now) {
        while let Some(state) =
            self.gpus.get(gpu).filter(|state| state.used_mb > state.leasable_mb())
        {
            let Some(&latest) = state.leases.last() else { return };
            self.end_lease(
                latest,
                LeaseState::Revoked,
                alloc::format!("gpu {gpu} has less memory than it had"),
                now,
            );
        }
    }
}

fn job_snapshot(broker: &Broker, job: &Job) -> JobSnapshot {
    let lease = broker.lease_at(job.lease);
    JobSnapshot {
        number: job.number,
        gpu: lease.gpu.clone(),
        lease: lease.id,
        holder: lease.holder.clone(),
        job: job.request.job.clone(),
        accepted_ms: job.accepted.unix_ms,
        prospect: match job.phase {
            JobPhase::Queued => Prospect::Waits(job.request.clone()),
            JobPhase::Running { .. } => Prospect::Lost("the daemon died while it ran".into()),
        },
    }
}
