//! The rules, checked from outside.

use std::collections::{BTreeMap, BTreeSet};

use bridge_host_broker::{Effect, ExecutorRef, JobNumber};
use ninedoor_abi::{
    Epoch, GpuId, LeaseId, LeaseRecord,
    record::{JobStep, LeaseState},
};

use crate::run::EXECUTORS_MAX;

#[derive(Debug, Default)]
pub(crate) struct Checker {
    leasable_mb: BTreeMap<GpuId, u64>,
    leases: BTreeMap<LeaseId, LeaseRecord>,
    /// Executors that were spawned and have not died.
    alive: BTreeSet<ExecutorRef>,
    ready: BTreeSet<ExecutorRef>,
    killed: BTreeSet<ExecutorRef>,
    epochs_spawned: BTreeSet<(GpuId, Epoch)>,
    jobs: BTreeMap<JobNumber, JobSeen>,
    accepted: BTreeSet<JobNumber>,
}

#[derive(Debug, Default)]
struct JobSeen {
    queued: bool,
    running: bool,
    launched: Option<ExecutorRef>,
    ended: bool,
}

impl Checker {
    pub(crate) fn gpu(&mut self, gpu: GpuId, leasable_mb: u64) {
        self.leasable_mb.insert(gpu, leasable_mb);
    }

    pub(crate) fn accepted(&mut self, job: JobNumber) {
        assert!(self.accepted.insert(job), "{job:?} was accepted twice");
        assert!(self.jobs[&job].queued, "an accepted job is recorded before the answer");
    }

    pub(crate) fn effect(&mut self, effect: &Effect) {
        match effect {
            Effect::LeaseChanged { record, .. } => self.lease_changed(record),
            Effect::SpawnExecutor { executor, .. } => self.spawned(executor),
            Effect::Launch { executor, job, .. } => self.launched(executor, *job),
            Effect::SoftStop { executor, job } => {
                let seen = &self.jobs[job];
                assert!(seen.running && !seen.ended, "{job:?} is stopped, which does not run");
                assert_eq!(seen.launched.as_ref(), Some(executor));
            }
            Effect::Kill { executor, .. } => {
                assert!(
                    self.alive.contains(executor),
                    "{executor:?} is killed, which does not live"
                );
                assert!(self.killed.insert(executor.clone()), "{executor:?} is killed twice");
            }
            Effect::Record { job, record, .. } => self.recorded(*job, &record.step),
            Effect::ResetGpu { gpu } => {
                assert!(
                    !self.alive.iter().any(|executor| executor.gpu == *gpu),
                    "{gpu} is reset under its executors"
                );
            }
            Effect::CloseFids { lease, state, .. } => {
                assert!(state.is_over() && self.leases[lease].state.is_over());
            }
            Effect::GrantKept(_) | Effect::GrantForgotten { .. } | Effect::Drained { .. } => {}
        }
    }

    fn lease_changed(&mut self, record: &LeaseRecord) {
        if let Some(before) = self.leases.get(&record.lease) {
            assert!(!before.state.is_over(), "{} changes after its end", record.lease);
            assert!(
                before.state == LeaseState::Queued || record.state != LeaseState::Queued,
                "{} waits again",
                record.lease
            );
            assert!(record.epoch >= before.epoch, "{} goes back an epoch", record.lease);
        }
        self.leases.insert(record.lease, record.clone());
        if record.state == LeaseState::Active {
            let twins = self.leases.values().filter(|other| {
                other.state == LeaseState::Active
                    && other.gpu_id == record.gpu_id
                    && other.worker_id == record.worker_id
            });
            assert_eq!(twins.count(), 1, "{} has two leases", record.worker_id);
        }
    }

    fn spawned(&mut self, executor: &ExecutorRef) {
        let lease = &self.leases[&executor.lease];
        assert_eq!(
            (lease.state, lease.epoch),
            (LeaseState::Active, executor.epoch),
            "{executor:?}"
        );
        assert!(
            self.epochs_spawned.insert((executor.gpu.clone(), executor.epoch)),
            "{executor:?} a second time"
        );
        assert!(
            !self.alive.iter().any(|other| other.lease == executor.lease),
            "two executors of {}",
            executor.lease
        );
        self.alive.insert(executor.clone());
        assert!(self.alive.len() <= EXECUTORS_MAX as usize, "more executors than there may be");
    }

    pub(crate) fn became_ready(&mut self, executor: &ExecutorRef) {
        self.ready.insert(executor.clone());
    }

    /// Its process is gone; the broker does not know it yet.
    pub(crate) fn dies(&mut self, executor: &ExecutorRef) {
        self.alive.remove(executor);
    }

    /// The broker knows.
    pub(crate) fn died(&self, executor: &ExecutorRef) {
        let running =
            self.jobs.values().any(|job| !job.ended && job.launched.as_ref() == Some(executor));
        assert!(!running, "a job runs on in {executor:?}, which died");
    }

    fn launched(&mut self, executor: &ExecutorRef, number: JobNumber) {
        let lease = self.leases[&executor.lease].clone();
        assert_eq!(
            (lease.state, lease.epoch),
            (LeaseState::Active, executor.epoch),
            "launch by a lease that is not held"
        );
        assert!(
            self.alive.contains(executor)
                && self.ready.contains(executor)
                && !self.killed.contains(executor)
        );
        let job = self.jobs.get_mut(&number).unwrap();
        assert!(
            job.running && !job.ended && job.launched.is_none(),
            "{number:?} is launched out of order"
        );
        job.launched = Some(executor.clone());
        let running =
            || self.jobs.values().filter(|job| !job.ended).filter_map(|job| job.launched.as_ref());
        let own = running().filter(|other| *other == executor).count();
        assert!(
            own <= usize::from(lease.streams),
            "{} runs {own} jobs on {} streams",
            lease.lease,
            lease.streams
        );
        let others = running()
            .filter(|other| other.gpu == executor.gpu && other.lease != executor.lease)
            .count();
        assert_eq!(others, 0, "two leases have the turn on {}", executor.gpu);
    }

    fn recorded(&mut self, number: JobNumber, step: &JobStep) {
        let job = self.jobs.entry(number).or_default();
        assert!(!job.ended, "{number:?} goes on after its end: {step:?}");
        match step {
            JobStep::Queued { .. } => {
                assert!(!core::mem::replace(&mut job.queued, true), "{number:?} is queued twice")
            }
            JobStep::Running => {
                assert!(!core::mem::replace(&mut job.running, true), "{number:?} runs twice")
            }
            JobStep::Ok { .. } => {
                assert!(job.launched.is_some(), "{number:?} is done and was never launched");
                job.ended = true;
            }
            JobStep::Err { .. } => job.ended = true,
        }
    }

    /// What holds between any two steps.
    pub(crate) fn check(&self) {
        for (gpu, leasable_mb) in &self.leasable_mb {
            let held = self
                .leases
                .values()
                .filter(|lease| lease.gpu_id == *gpu && self.holds_memory(lease));
            let held_mb: u64 = held.map(|lease| u64::from(lease.mem_mb)).sum();
            assert!(held_mb <= *leasable_mb, "{gpu} has {leasable_mb} MiB and {held_mb} are held");
        }
    }

    fn holds_memory(&self, lease: &LeaseRecord) -> bool {
        lease.state == LeaseState::Active
            || self.alive.iter().any(|executor| executor.lease == lease.lease)
    }

    /// The daemon died: its executors with it.
    pub(crate) fn restarted(&mut self) {
        self.alive.clear();
    }

    /// After a restart nothing runs: what was launched has ended.
    pub(crate) fn nothing_runs(&self) {
        let running = self.jobs.iter().find(|(_, job)| job.running && !job.ended);
        assert!(running.is_none(), "{running:?} runs after a restart");
    }

    /// Nothing is left.
    pub(crate) fn at_rest(&self) {
        for job in &self.accepted {
            assert!(self.jobs[job].ended, "{job:?} never ended");
        }
        for lease in self.leases.values() {
            assert!(lease.state.is_over(), "{} never ended", lease.lease);
        }
        assert!(self.alive.is_empty(), "{:?} live on", self.alive);
    }
}
