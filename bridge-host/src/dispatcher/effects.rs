//! What the broker wants done, done.

use bridge_host_broker::{Effect, Event, ExecutorRef, JobNumber, JobOutcome, KillReason};
use bridge_host_gpu::BackendKind;
use ninedoor::AuditLine;
use ninedoor_abi::{
    GpuId, JobRecord, LeaseRecord, Now, Subject,
    record::{JobCode, JobStep, LeaseState},
};

use super::{Dispatcher, Wish};
use crate::{
    executor::protocol::{Bind, RunId},
    limits::{LEASES_OVER_MAX, PRINTF_BYTES_MAX},
};

/// Who the log says it was, where it was this daemon itself.
const BRIDGE: &str = "bridge";

impl Dispatcher {
    /// Carries out everything that the broker wants done by now.
    pub(crate) fn settle(&mut self, now: Now) {
        self.carry_out_all(now);
        if let Err(error) = self.fleet.keep_spares(now.mono_us) {
            tracing::warn!(%error, "cannot start a spare executor");
        }
        if self.fleet.has_births() {
            self.bell.wake();
        }
    }

    pub(super) fn carry_out(&mut self, effect: Effect, now: Now) {
        match effect {
            Effect::SpawnExecutor { executor, memory_bytes, streams } => {
                self.spawn(executor, memory_bytes, streams, now);
            }
            Effect::Launch { executor, job, id } => {
                tracing::debug!(job = job.0, %id, lease = %executor.lease, "launching a job");
                self.launch_or_tell(executor, job, now);
            }
            Effect::SoftStop { executor, job } => {
                tracing::debug!(job = job.0, lease = %executor.lease, "asking a job to stop");
                self.fleet.stop(&executor, RunId(job.0));
            }
            Effect::Kill { executor, reason } => self.kill(executor, reason, now),
            Effect::ResetGpu { gpu } => self.reset(gpu, now),
            Effect::Record { gpu, holder, job, record } => self.record(&gpu, &holder, job, &record),
            // What there is to do about these is to store them.
            Effect::GrantKept(_) | Effect::GrantForgotten { .. } | Effect::Drained { .. } => {}
            Effect::LeaseChanged { record, detail, .. } => self.lease_changed(record, &detail),
            Effect::CloseFids { gpu, holder, state, .. } => {
                // Whoever gave the lease back knows, and may be about to ask for another.
                if state != LeaseState::Released {
                    self.wishes.push_back(Wish::CloseOrders { worker: holder, gpu });
                }
            }
        }
    }

    fn spawn(&mut self, executor: ExecutorRef, memory_bytes: u64, streams: u16, now: Now) {
        let Ok(uuid) = self.gpu(&executor.gpu).map(|gpu| gpu.info.uuid.clone()) else { return };
        let bind = Bind { uuid, memory_bytes, streams, printf_bytes: PRINTF_BYTES_MAX };
        if let Err(error) = self.fleet.bind(&executor, &bind) {
            self.observe(
                Event::Died { executor, detail: format!("could not be spawned: {error}") },
                now,
            );
        }
    }

    fn launch_or_tell(&mut self, executor: ExecutorRef, job: JobNumber, now: Now) {
        if let Err(detail) = self.launch(&executor, job) {
            let outcome = JobOutcome::Err { code: JobCode::Lost, detail, sticky: false };
            self.observe(Event::Finished { executor, job, outcome }, now);
        }
    }

    fn kill(&mut self, executor: ExecutorRef, reason: KillReason, now: Now) {
        tracing::info!(lease = %executor.lease, epoch = %executor.epoch, %reason, "killing an executor");
        if let Some(gpu) = self.gpus.get_mut(&executor.gpu) {
            gpu.work.kill(reason);
        }
        if !self.fleet.kill(&executor) {
            self.observe(Event::Died { executor, detail: "was gone already".to_owned() }, now);
        }
    }

    /// Where the GPU is a program, or a script, it is new with its next executor.
    fn reset(&mut self, gpu: GpuId, now: Now) {
        let failed = match self.gpu(&gpu).map(|gpu| (gpu.info.backend, gpu.info.uuid.clone())) {
            Ok((BackendKind::Nvidia, uuid)) => Some(format!(
                "every executor was ended; the hardware itself is reset with: nvidia-smi --gpu-reset -i {uuid}"
            )),
            _ => None,
        };
        self.observe(Event::GpuReset { gpu: gpu.clone(), failed: failed.clone() }, now);
        // What the broker made of it is not how the GPU is: an event's own reason says more.
        match failed {
            Some(why) => self.fail_gpu(&gpu, why, now),
            None => self.show_health(&gpu, now),
        }
    }

    fn record(&mut self, gpu: &GpuId, holder: &Subject, job: JobNumber, record: &JobRecord) {
        if let Some(gpu) = self.gpus.get_mut(gpu) {
            gpu.board.append(holder, &record.to_line());
            gpu.work.step(&record.step);
        }
        self.wishes.extend(end_of(holder, record).map(Wish::Audit));
        if record.step.is_end()
            && let Some(prepared) = self.jobs.remove(&job)
        {
            self.let_go(prepared);
        }
    }

    fn lease_changed(&mut self, record: LeaseRecord, detail: &str) {
        let LeaseRecord { lease, state, gpu_id, worker_id, .. } = &record;
        let why = if detail.is_empty() { String::new() } else { format!(" detail={detail:?}") };
        self.wishes.push_back(Wish::Audit(AuditLine::by(BRIDGE).done(
            "LEASE",
            format!(
                "id={lease} gpu={gpu_id} worker={worker_id} state={state} mem_mb={} deadline_ms={}{why}",
                record.mem_mb, record.deadline_ms
            ),
        )));
        let was = self.leases.get(lease).map(|before| before.state);
        if let Some(gpu) = self.gpus.get_mut(gpu_id) {
            gpu.work.lease(was, *state);
        }
        self.leases.insert(*lease, record);
        self.forget_old_leases();
    }

    /// Leases that are over stay readable for a while: the newest of them.
    fn forget_old_leases(&mut self) {
        let over: Vec<_> = self
            .leases
            .values()
            .filter(|lease| lease.state.is_over())
            .map(|lease| lease.lease)
            .collect();
        let surplus = over.len().saturating_sub(LEASES_OVER_MAX);
        for lease in over.into_iter().take(surplus) {
            self.leases.remove(&lease);
        }
    }

    /// Tells the broker; an event that does not count any more is no fault of anybody.
    pub(super) fn observe(&mut self, event: Event, now: Now) {
        if let Err(refused) = self.broker.observe(event, now) {
            tracing::debug!(%refused, "the broker takes no notice");
        }
    }
}

/// What the log says of a job's end.
fn end_of(holder: &Subject, record: &JobRecord) -> Option<AuditLine> {
    let what = format!("job={} lease={} worker={holder}", record.job, record.lease);
    let line = AuditLine::by(BRIDGE);
    match &record.step {
        JobStep::Ok { .. } => Some(line.done("END", what)),
        JobStep::Err { code, detail, .. } => {
            Some(line.failed("END", code.as_str(), detail.clone(), what))
        }
        _ => None,
    }
}
