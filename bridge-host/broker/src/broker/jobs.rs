//! Jobs: accepted or refused, cancelled, timed out, ended.

use alloc::{string::String, vec::Vec};

use ninedoor_abi::{
    Errno, GpuId, JobId, LeaseId, Now, Refusal,
    job::Extent,
    record::{JobCode, JobStep, QueueReason},
};

use super::Broker;
use crate::{
    Answer, Caller, Effect, JobNumber, JobRequest, KillReason,
    gpu::Gpu,
    job::{Job, JobPhase, Stop},
    lease::{Executor, Lease},
    timers::Timer,
};

impl Broker {
    pub(super) fn submit(
        &mut self,
        by: &Caller,
        gpu: &GpuId,
        request: JobRequest,
        now: Now,
    ) -> Result<Answer, Refusal> {
        let id = self.lease_meant(by, gpu, None)?;
        let (lease, state) = (self.lease_at(id), self.gpu(gpu)?);
        if !lease.is_active() {
            return Err(Refusal::new(
                Errno::EPERM,
                alloc::format!("{} still waits for room on {gpu}", lease.named()),
            ));
        }
        self.check_name(by, &request.job)?;
        check_launch(state, &request)?;
        check_memory(lease, &request)?;
        if let Some(why) = state.unusable() {
            return Err(Refusal::new(Errno::ENODEV, why));
        }
        self.check_room(state, lease, now)?;
        self.throttle(id, now)?;
        self.bind_ticket(by, id);
        Ok(self.accept(id, request, now))
    }

    /// Names are everybody's: `docs/adr/0006-job-names.md`. Whose it is, is told to who may know.
    fn check_name(&self, by: &Caller, job: &JobId) -> Result<(), Refusal> {
        let Some(live) = self.names.get(job) else { return Ok(()) };
        let lease = self.lease_at(self.job_at(*live).lease);
        let text = if lease.holder == by.holder() || by.is_queen() {
            alloc::format!(
                "job: {job} is live in {}, choose another name or wait for its end",
                lease.id
            )
        } else {
            alloc::format!("job: {job} is the name of another worker's job, take another")
        };
        Err(Refusal::new(Errno::EEXIST, text))
    }

    fn check_room(&self, gpu: &Gpu, lease: &Lease, now: Now) -> Result<(), Refusal> {
        let full = |whose: &str, seen: usize, most: u32| {
            let retry_ms = self.retry_ms(lease, now);
            let text = alloc::format!(
                "{whose} has {seen} of {most} jobs waiting, try again in {retry_ms} ms"
            );
            Err(Refusal::new(Errno::EBUSY, text))
        };
        if lease.queue.len() >= self.policy.lease_jobs_max as usize {
            return full(
                &alloc::format!("{}", lease.id),
                lease.queue.len(),
                self.policy.lease_jobs_max,
            );
        }
        if gpu.queued >= self.policy.gpu_jobs_max {
            return full(
                &alloc::format!("gpu {}", gpu.id),
                gpu.queued as usize,
                self.policy.gpu_jobs_max,
            );
        }
        Ok(())
    }

    /// When a place should be free: what a job took on average, else when the first that runs must end.
    fn retry_ms(&self, lease: &Lease, now: Now) -> u64 {
        let account = &lease.account;
        let ended = account.jobs_ok + account.jobs_err;
        if let Some(average_us) = account.running_us.checked_div(ended).filter(|us| *us > 0) {
            return average_us.div_ceil(1000);
        }
        let ends =
            lease.running.iter().map(|&job| self.job_at(job)).filter_map(|job| match &job.phase {
                JobPhase::Running { since, .. } => {
                    Some(since.mono_us.plus_ms(job.request.timeout_ms.into()))
                }
                JobPhase::Queued => None,
            });
        ends.min().map_or(1_000, |end| end.us_since(now.mono_us).div_ceil(1000).max(1))
    }

    fn throttle(&mut self, id: LeaseId, now: Now) -> Result<(), Refusal> {
        let per_s = self.policy.lease_submits_per_s;
        self.lease_mut(id).throttle.take(now.mono_us).map_err(|wait_us| {
            let retry_ms = wait_us.div_ceil(1000);
            Refusal::new(
                Errno::EBUSY,
                alloc::format!("{id} may submit {per_s} jobs a second, try again in {retry_ms} ms"),
            )
        })
    }

    fn accept(&mut self, id: LeaseId, request: JobRequest, now: Now) -> Answer {
        let number = JobNumber(self.last_job + 1);
        self.last_job = number.0;
        let priority = request.priority.unwrap_or(self.policy.priority_default);
        let job =
            Job { number, lease: id, priority, accepted: now, phase: JobPhase::Queued, request };
        let (pos, reason) = self.enqueue(job, now);
        self.lease_mut(id).account.jobs_accepted += 1;
        self.record(number, JobStep::Queued { pos, reason }, now);
        self.ensure_executor(id, now);
        let gpu = self.lease_at(id).gpu.clone();
        self.dispatch(&gpu, now);
        Answer::Accepted { job: number, lease: id, pos }
    }

    /// Puts a job into the queue of its lease; its place, and for what it waits.
    pub(super) fn enqueue(&mut self, job: Job, now: Now) -> (u32, QueueReason) {
        let (number, id, waiting) = (job.number, job.lease, job.waiting());
        if let Some(timeout_ms) = job.request.queue_timeout_ms {
            self.timers
                .set_mono(Timer::Job(number), job.accepted.mono_us.plus_ms(timeout_ms.into()));
        }
        self.names.insert(job.request.job.clone(), number);
        self.jobs.insert(number, job);
        self.gpu_of(id).queued += 1;
        self.wake(id, now);
        let lease = self.lease_mut(id);
        lease.queue.push(waiting);
        let ahead = lease.queue.ahead_of(waiting);
        self.refresh(id);
        (u32::try_from(ahead).unwrap_or(u32::MAX).saturating_add(1), self.queue_reason(id, ahead))
    }

    fn queue_reason(&self, id: LeaseId, ahead: usize) -> QueueReason {
        let lease = self.lease_at(id);
        let Some(gpu) = self.gpus.get(&lease.gpu) else { return QueueReason::Gpu };
        if gpu.stopped().is_some() {
            QueueReason::Gpu
        } else if !matches!(lease.executor, Executor::Ready { .. }) {
            QueueReason::Executor
        } else if ahead > 0 {
            QueueReason::Priority
        } else if lease.running.len() >= usize::from(lease.size.streams) {
            QueueReason::Streams
        } else if lease.share.queued_at.is_none() {
            QueueReason::Memory
        } else if self.next_turn(gpu) == Some(id) {
            QueueReason::Next
        } else {
            QueueReason::Share
        }
    }

    pub(super) fn cancel(
        &mut self,
        by: &Caller,
        gpu: &GpuId,
        job: &JobId,
        now: Now,
    ) -> Result<Answer, Refusal> {
        self.gpu(gpu)?;
        let there = self.names.get(job).map(|&number| self.job_at(number));
        let there = there.filter(|there| self.lease_at(there.lease).gpu == *gpu);
        let there = there.ok_or_else(|| {
            Refusal::new(Errno::ENOENT, alloc::format!("no live job {job} on {gpu}"))
        })?;
        let lease = self.lease_at(there.lease);
        if lease.holder != by.holder() && !by.is_queen() {
            return Err(Refusal::new(
                Errno::EPERM,
                alloc::format!("job {job} is not {}'s", by.holder()),
            ));
        }
        let number = there.number;
        self.stop(
            number,
            Stop::new(JobCode::Cancelled, alloc::format!("cancelled by {}", by.holder())),
            now,
        );
        self.dispatch(gpu, now);
        Ok(Answer::Done)
    }

    /// Ends a job that waits; asks one that runs to end, unless it was asked before.
    fn stop(&mut self, number: JobNumber, why: Stop, now: Now) {
        let job = self.jobs.get_mut(&number).expect("its number comes from an index of jobs");
        match &mut job.phase {
            JobPhase::Queued => self.end_job(number, failed(why), now),
            JobPhase::Running { stop: Some(_), .. } => {}
            JobPhase::Running { stop, .. } => {
                *stop = Some(why);
                let executor = self.lease_at(self.job_at(number).lease).executor_ref();
                let kill_at = now.mono_us.plus_ms(self.policy.stop_grace_ms.into());
                self.timers.set_mono(Timer::Job(number), kill_at);
                self.effects.push_back(Effect::SoftStop { executor, job: number });
            }
        }
    }

    /// A job's timer: it waited too long, ran too long, or did not stop.
    pub(super) fn job_due(&mut self, number: JobNumber, now: Now) {
        let Some(job) = self.jobs.get(&number) else { return };
        let (lease, request) = (job.lease, &job.request);
        match &job.phase {
            JobPhase::Queued => {
                let waited_ms = request.queue_timeout_ms.unwrap_or(0);
                let why = Stop::new(
                    JobCode::QueueTimeout,
                    alloc::format!("waited {waited_ms} ms, its queue_timeout_ms"),
                );
                self.stop(number, why, now);
            }
            JobPhase::Running { stop: None, .. } => {
                let why = Stop::new(
                    JobCode::Timeout,
                    alloc::format!("ran {} ms, its timeout_ms", request.timeout_ms),
                );
                self.stop(number, why, now);
            }
            JobPhase::Running { stop: Some(_), .. } => {
                self.kill(lease, KillReason::Unstoppable, now);
                self.refresh(lease);
            }
        }
        let gpu = self.lease_at(lease).gpu.clone();
        self.dispatch(&gpu, now);
    }

    /// Says of every running job of a lease how it will have ended, unless that was said before.
    pub(super) fn stop_running(&mut self, id: LeaseId, why: &Stop) {
        let running: Vec<JobNumber> = self.lease_at(id).running.iter().copied().collect();
        for number in running {
            let job = self.jobs.get_mut(&number).expect("its number comes from an index of jobs");
            if let JobPhase::Running { stop, .. } = &mut job.phase {
                stop.get_or_insert_with(|| why.clone());
            }
        }
    }

    /// Ends every waiting job of a lease.
    pub(super) fn drop_queued(&mut self, id: LeaseId, why: &Stop, now: Now) {
        while let Some(number) = self.lease_at(id).queue.first() {
            self.end_job(number, failed(why.clone()), now);
        }
    }

    /// The one end of a job: recorded, and forgotten.
    pub(super) fn end_job(&mut self, number: JobNumber, step: JobStep, now: Now) {
        self.timers.clear(Timer::Job(number));
        let ok = matches!(step, JobStep::Ok { .. });
        self.record(number, step, now);
        let job = self.jobs.remove(&number).expect("its number comes from an index of jobs");
        self.names.remove(&job.request.job);
        self.settle(job.lease, now);
        match job.phase {
            JobPhase::Queued => self.gpu_of(job.lease).queued -= 1,
            JobPhase::Running { .. } => self.gpu_of(job.lease).running -= 1,
        }
        let lease = self.lease_mut(job.lease);
        match job.phase {
            JobPhase::Queued => {
                lease.queue.remove(job.waiting());
                lease.account.queue_us += now.mono_us.us_since(job.accepted.mono_us);
            }
            JobPhase::Running { since, .. } => {
                lease.running.remove(&number);
                lease.running_bytes -= job.request.memory_bytes;
                lease.last_end = now.mono_us;
                lease.account.running_us += now.mono_us.us_since(since.mono_us);
            }
        }
        let count = if ok { &mut lease.account.jobs_ok } else { &mut lease.account.jobs_err };
        *count += 1;
        self.refresh(job.lease);
    }
}

/// The end of a job that was told to stop.
pub(super) fn failed(stop: Stop) -> JobStep {
    JobStep::Err { code: stop.code, detail: stop.detail, sticky: false }
}

fn check_launch(gpu: &Gpu, request: &JobRequest) -> Result<(), Refusal> {
    check_extent("grid", request.grid, gpu.info.grid_max, &gpu.id)?;
    check_extent("block", request.block, gpu.info.block_max, &gpu.id)?;
    let threads =
        u128::from(request.block.x) * u128::from(request.block.y) * u128::from(request.block.z);
    if threads > gpu.info.block_threads_max.into() {
        return Err(over("block", threads, "threads", gpu.info.block_threads_max, &gpu.id));
    }
    if request.shared_bytes > gpu.info.shared_bytes_max.into() {
        return Err(over(
            "shared_bytes",
            request.shared_bytes.into(),
            "bytes",
            gpu.info.shared_bytes_max,
            &gpu.id,
        ));
    }
    Ok(())
}

fn check_extent(field: &str, asked: Extent, most: [u32; 3], gpu: &GpuId) -> Result<(), Refusal> {
    let [x, y, z] = most;
    for (axis, asked, most) in [(0, asked.x, x), (1, asked.y, y), (2, asked.z, z)] {
        if asked > most {
            return Err(Refusal::invalid(alloc::format!(
                "{field}[{axis}]: got {asked}, {gpu} takes at most {most}"
            )));
        }
    }
    Ok(())
}

fn over(field: &str, asked: u128, unit: &str, most: u32, gpu: &GpuId) -> Refusal {
    Refusal::invalid(alloc::format!("{field}: got {asked} {unit}, {gpu} takes at most {most}"))
}

fn check_memory(lease: &Lease, request: &JobRequest) -> Result<(), Refusal> {
    if request.memory_bytes <= lease.memory_bytes() {
        return Ok(());
    }
    let text: String = alloc::format!(
        "job takes {} bytes of device memory, {} has {} ({} MiB)",
        request.memory_bytes,
        lease.id,
        lease.memory_bytes(),
        lease.size.mem_mb
    );
    Err(Refusal::new(Errno::ENOMEM, text))
}
