//! The rules, seen from outside: by what was carried out. When the power fails it forgets what the disk had not got, as all do.

use std::collections::{BTreeMap, BTreeSet};

use bridge_host_broker::{Effect, ExecutorRef, JobNumber};
use ninedoor_abi::{
    GpuId, LeaseId, LeaseRecord,
    record::{JobCode, JobStep, LeaseState},
};

use crate::daemon::GPU_MB;

/// From the moment a revocation is stored to the moment nothing of the lease runs: the time a killed executor takes to die.
const REVOKED_WITHIN_US: u64 = 9_000_000;

#[derive(Debug, Clone, Default)]
pub(crate) struct Checker {
    leases: BTreeMap<LeaseId, LeaseRecord>,
    alive: BTreeSet<ExecutorRef>,
    killed: BTreeSet<ExecutorRef>,
    launched: BTreeMap<JobNumber, ExecutorRef>,
    ended: BTreeSet<JobNumber>,
    accepted: BTreeSet<JobNumber>,
    /// Leases that are over and when, until their executors have died.
    going: BTreeMap<LeaseId, u64>,
    pub(crate) jobs_ok: u64,
    pub(crate) jobs_err: u64,
    pub(crate) jobs_lost: u64,
    pub(crate) leases_granted: u64,
}

impl Checker {
    pub(crate) fn carried_out(&mut self, effect: &Effect, now_us: u64) {
        match effect {
            Effect::LeaseChanged { record, .. } => self.lease_changed(record, now_us),
            Effect::SpawnExecutor { executor, .. } => {
                let twin = self.alive.iter().find(|other| other.lease == executor.lease);
                assert!(twin.is_none(), "{executor:?} beside {twin:?}");
                self.alive.insert(executor.clone());
            }
            Effect::Launch { executor, job, .. } => self.launch(executor, *job),
            Effect::Kill { executor, .. } => {
                assert!(self.killed.insert(executor.clone()), "{executor:?} is killed twice");
            }
            Effect::Record { job, record, .. } => self.recorded(*job, &record.step),
            Effect::ResetGpu { gpu } => {
                assert!(
                    !self.alive.iter().any(|executor| executor.gpu == *gpu),
                    "{gpu} is reset under its executors"
                );
            }
            Effect::SoftStop { .. }
            | Effect::CloseFids { .. }
            | Effect::Drained { .. }
            | Effect::GrantKept(_)
            | Effect::GrantForgotten { .. } => {}
        }
    }

    fn lease_changed(&mut self, record: &LeaseRecord, now_us: u64) {
        if let Some(before) = self.leases.get(&record.lease) {
            assert!(!before.state.is_over(), "{} changes after its end", record.lease);
            assert!(record.epoch >= before.epoch, "{} goes back an epoch", record.lease);
        }
        let first =
            self.leases.get(&record.lease).is_none_or(|before| before.state == LeaseState::Queued);
        self.leases_granted += u64::from(first && record.state == LeaseState::Active);
        self.leases.insert(record.lease, record.clone());
        if record.state.is_over()
            && self.alive.iter().any(|executor| executor.lease == record.lease)
        {
            self.going.insert(record.lease, now_us);
        }
        let held = self.leases.values().filter(|lease| lease.state == LeaseState::Active);
        let twins = held
            .filter(|lease| lease.gpu_id == record.gpu_id && lease.worker_id == record.worker_id);
        assert!(twins.count() <= 1, "{} has two leases on {}", record.worker_id, record.gpu_id);
        self.check_memory(&record.gpu_id);
    }

    fn check_memory(&self, gpu: &GpuId) {
        let holds = |lease: &&LeaseRecord| {
            lease.gpu_id == *gpu
                && (lease.state == LeaseState::Active
                    || self.alive.iter().any(|executor| executor.lease == lease.lease))
        };
        let held_mb: u64 =
            self.leases.values().filter(holds).map(|lease| u64::from(lease.mem_mb)).sum();
        assert!(held_mb <= GPU_MB.into(), "{gpu} has {GPU_MB} MiB and {held_mb} are held");
    }

    fn launch(&mut self, executor: &ExecutorRef, job: JobNumber) {
        let lease = &self.leases[&executor.lease];
        assert_eq!(
            (lease.state, lease.epoch),
            (LeaseState::Active, executor.epoch),
            "a launch of an old epoch"
        );
        // It may have died while this was being stored: then nobody is there to launch it.
        assert!(!self.killed.contains(executor), "a launch into {executor:?}, which was killed");
        assert!(!self.ended.contains(&job), "{job:?} is launched after its end");
        assert!(self.launched.insert(job, executor.clone()).is_none(), "{job:?} is launched twice");
    }

    fn recorded(&mut self, job: JobNumber, step: &JobStep) {
        assert!(!self.ended.contains(&job), "{job:?} goes on after its end: {step:?}");
        match step {
            JobStep::Queued { .. } => {
                assert!(self.accepted.insert(job), "{job:?} is accepted twice")
            }
            JobStep::Running => assert!(!self.launched.contains_key(&job), "{job:?} runs twice"),
            JobStep::Ok { .. } => {
                assert!(self.launched.contains_key(&job), "{job:?} is done and was never launched");
                self.jobs_ok += 1;
            }
            JobStep::Err { code, .. } => {
                self.jobs_err += 1;
                self.jobs_lost += u64::from(*code == JobCode::Lost);
            }
        }
        if step.is_end() {
            self.ended.insert(job);
        }
    }

    pub(crate) fn executor_died(&mut self, executor: &ExecutorRef, now_us: u64) {
        self.alive.remove(executor);
        if let Some(since_us) = self.going.remove(&executor.lease) {
            let took_us = now_us - since_us;
            assert!(
                took_us <= REVOKED_WITHIN_US,
                "{} was over for {took_us} us and still ran",
                executor.lease
            );
        }
    }

    pub(crate) fn daemon_crashed(&mut self) {
        self.alive.clear();
        self.going.clear();
    }

    /// At the end of all things.
    pub(crate) fn at_rest(&self) {
        let open: Vec<_> = self.accepted.difference(&self.ended).collect();
        assert!(open.is_empty(), "never ended: {open:?}");
        let held: Vec<_> = self.leases.values().filter(|lease| !lease.state.is_over()).collect();
        assert!(held.is_empty(), "never ended: {held:?}");
    }
}
