//! All rows that count, taken together: what a checkpoint holds, and what the next daemon begins with.
//!
//! Bounded by what the broker bounds (leases, grants, jobs that have not ended) and, for what is over, by the constants here.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bridge_host_broker::{Grant, JobNumber};
use ninedoor_abi::{Epoch, GpuId, LeaseId, LeaseRecord, Subject, TicketId};

use super::row::{AcceptedJob, Row, Stage, Step};
use crate::limits::LEASES_OVER_MAX;

/// Bytes of job records kept for each GPU; the oldest go first.
const RECORD_BYTES_MAX: usize = 1 << 20;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Rows {
    pub(crate) last_lease: LeaseIds,
    pub(crate) last_job: JobNumbers,
    pub(crate) epochs: BTreeMap<GpuId, Epoch>,
    pub(crate) drained: BTreeSet<GpuId>,
    pub(crate) leases: BTreeMap<LeaseId, KeptLease>,
    /// Leases that are over, in the order in which they ended.
    over: VecDeque<LeaseId>,
    pub(crate) grants: BTreeMap<(GpuId, Subject), Grant>,
    /// Jobs that have not ended.
    pub(crate) jobs: BTreeMap<JobNumber, AcceptedJob>,
    pub(crate) records: BTreeMap<GpuId, Records>,
}

/// The last lease id given.
type LeaseIds = u64;
/// The last job number given.
type JobNumbers = u64;

/// A lease as it was last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeptLease {
    pub(crate) record: LeaseRecord,
    pub(crate) ticket: Option<TicketId>,
}

/// The latest records of one GPU's jobs, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Records {
    pub(crate) steps: VecDeque<Step>,
    bytes: usize,
}

impl Rows {
    /// Takes one row in.
    ///
    /// # Errors
    /// In a sentence, when it does not follow from what is there.
    pub(super) fn apply(&mut self, row: Row) -> Result<(), String> {
        match row {
            Row::Counters { last_lease, last_job } => {
                self.last_lease = self.last_lease.max(last_lease.0);
                self.last_job = self.last_job.max(last_job.0);
            }
            Row::Epoch { gpu, epoch } => self.drawn(&gpu, epoch),
            Row::Drained { gpu, drained: true } => drop(self.drained.insert(gpu)),
            Row::Drained { gpu, drained: false } => drop(self.drained.remove(&gpu)),
            Row::Lease { record, ticket } => self.lease(KeptLease { record, ticket }),
            Row::Grant(grant) => {
                self.grants.insert((grant.gpu.clone(), grant.holder.clone()), grant);
            }
            Row::GrantForgotten { gpu, holder } => drop(self.grants.remove(&(gpu, holder))),
            Row::Accepted(job) => {
                self.last_job = self.last_job.max(job.number.0);
                if let Some(twin) = self.jobs.insert(job.number, *job) {
                    return Err(format!("job {} was accepted before", twin.number.0));
                }
            }
            Row::Step(step) => self.step(step)?,
        }
        Ok(())
    }

    fn drawn(&mut self, gpu: &GpuId, epoch: Epoch) {
        let last = self.epochs.entry(gpu.clone()).or_insert(Epoch(0));
        *last = epoch.max(*last);
    }

    fn lease(&mut self, lease: KeptLease) {
        let record = &lease.record;
        self.last_lease = self.last_lease.max(record.lease.0);
        self.drawn(&record.gpu_id.clone(), record.epoch);
        let id = record.lease;
        if record.state.is_over() {
            self.over.push_back(id);
        }
        self.leases.insert(id, lease);
        if self.over.len() > LEASES_OVER_MAX
            && let Some(oldest) = self.over.pop_front()
        {
            self.leases.remove(&oldest);
        }
    }

    fn step(&mut self, step: Step) -> Result<(), String> {
        match step.stage {
            Stage::Queued => {}
            Stage::Running => match self.jobs.get_mut(&step.number) {
                Some(job) => job.running = true,
                None => return Err(format!("job {} runs and was never accepted", step.number.0)),
            },
            Stage::Ended => drop(self.jobs.remove(&step.number)),
        }
        self.records.entry(step.gpu.clone()).or_default().push(step);
        Ok(())
    }

    /// The rows that make the same again.
    pub(super) fn rows(&self) -> impl Iterator<Item = Row> {
        let counters = Row::Counters {
            last_lease: LeaseId(self.last_lease),
            last_job: JobNumber(self.last_job),
        };
        let epochs =
            self.epochs.iter().map(|(gpu, epoch)| Row::Epoch { gpu: gpu.clone(), epoch: *epoch });
        let drained =
            self.drained.iter().map(|gpu| Row::Drained { gpu: gpu.clone(), drained: true });
        let live = self.leases.values().filter(|lease| !lease.record.state.is_over());
        let over = self.over.iter().filter_map(|lease| self.leases.get(lease));
        let leases = over
            .chain(live)
            .map(|lease| Row::Lease { record: lease.record.clone(), ticket: lease.ticket });
        let grants = self.grants.values().cloned().map(Row::Grant);
        let jobs = self.jobs.values().map(|job| Row::Accepted(Box::new(job.clone())));
        // Only what they say: the jobs above know how far they have come.
        let records = self.records.values().flat_map(|records| {
            records
                .steps
                .iter()
                .map(|step| Row::Step(Step { stage: Stage::Queued, ..step.clone() }))
        });
        [counters]
            .into_iter()
            .chain(epochs)
            .chain(drained)
            .chain(leases)
            .chain(grants)
            .chain(jobs)
            .chain(records)
    }
}

impl Records {
    fn push(&mut self, step: Step) {
        self.bytes += step.line.len();
        self.steps.push_back(step);
        while self.bytes > RECORD_BYTES_MAX {
            let Some(oldest) = self.steps.pop_front() else { return };
            self.bytes -= oldest.line.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use ninedoor_abi::record::LeaseState;

    use super::{
        super::row::tests::{accepted, grant, lease, step},
        *,
    };

    fn rows(all: impl IntoIterator<Item = Row>) -> Rows {
        let mut rows = Rows::default();
        all.into_iter().for_each(|row| rows.apply(row).unwrap());
        rows
    }

    #[test]
    fn a_job_is_kept_until_its_end_and_its_records_longer() {
        let rows = rows([
            accepted(1),
            step(1, Stage::Queued),
            accepted(2),
            step(2, Stage::Queued),
            step(1, Stage::Running),
            step(2, Stage::Running),
            step(1, Stage::Ended),
        ]);
        assert_eq!(rows.jobs.keys().collect::<Vec<_>>(), [&JobNumber(2)]);
        assert!(rows.jobs[&JobNumber(2)].running);
        assert_eq!(rows.records.values().next().unwrap().steps.len(), 5);
        assert_eq!(rows.last_job, 2);
    }

    #[test]
    fn what_a_checkpoint_says_makes_the_same_again() {
        let before = rows([
            lease(1, LeaseState::Active, 1),
            lease(2, LeaseState::Queued, 0),
            lease(3, LeaseState::Released, 4),
            Row::Drained { gpu: "GPU-1".parse().unwrap(), drained: true },
            grant("w"),
            accepted(1),
            accepted(2),
            step(1, Stage::Running),
            step(1, Stage::Ended),
            step(2, Stage::Running),
        ]);
        let mut after = rows(before.rows());
        for records in after.records.values_mut() {
            let stages = [Stage::Running, Stage::Ended, Stage::Running];
            records.steps.iter_mut().zip(stages).for_each(|(step, stage)| step.stage = stage);
        }
        assert_eq!(after, before);
        assert_eq!((after.last_lease, after.epochs[&"GPU-0".parse().unwrap()]), (3, Epoch(4)));
    }

    #[test]
    fn what_is_over_is_bounded() {
        let kept = rows((1..=1_000).map(|n| lease(n, LeaseState::Released, n)));
        assert_eq!(kept.leases.len(), LEASES_OVER_MAX);
        assert_eq!(kept.leases.keys().next(), Some(&LeaseId(1_001 - LEASES_OVER_MAX as u64)));
        let long = |n: u64| match step(n, Stage::Ended) {
            Row::Step(step) => Row::Step(Step { line: "x".repeat(100_000), ..step }),
            other => other,
        };
        let kept = rows((0..100).map(long));
        assert_eq!(kept.records.values().next().unwrap().steps.len(), 10);
    }

    #[test]
    fn a_row_that_cannot_follow_is_told() {
        let mut rows = rows([accepted(1)]);
        assert_eq!(rows.apply(accepted(1)).unwrap_err(), "job 1 was accepted before");
        let text = rows.apply(step(9, Stage::Running)).unwrap_err();
        assert_eq!(text, "job 9 runs and was never accepted");
    }
}
