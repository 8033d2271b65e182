//! The store: rows made of effects alone, and the snapshot made of the rows. What is not in here did not happen.

use std::collections::{BTreeMap, BTreeSet};

use bridge_host_broker::{
    Effect, Grant, JobNumber, JobRequest, JobSnapshot, LeaseSnapshot, Prospect, Snapshot,
};
use ninedoor_abi::{Epoch, GpuId, JobId, LeaseId, LeaseRecord, Subject, TicketId, record::JobStep};

#[derive(Debug, Clone, Default)]
pub(crate) struct Store {
    leases: BTreeMap<LeaseId, LeaseSnapshot>,
    jobs: BTreeMap<JobNumber, JobSnapshot>,
    ended: BTreeSet<JobId>,
    grants: BTreeMap<(GpuId, Subject), Grant>,
    epochs: BTreeMap<GpuId, Epoch>,
    drained: BTreeSet<GpuId>,
    last_lease: u64,
    last_job: u64,
}

impl Store {
    /// Takes in one effect; `request` is that of the job it is about, which the daemon has from its descriptor.
    pub(crate) fn apply(&mut self, effect: &Effect, request: Option<&JobRequest>) {
        match effect {
            Effect::LeaseChanged { record, ticket, .. } => self.lease_changed(record, *ticket),
            Effect::Record { gpu, holder, job, record } => match &record.step {
                JobStep::Queued { .. } => {
                    self.last_job = self.last_job.max(job.0);
                    let row = JobSnapshot {
                        number: *job,
                        gpu: gpu.clone(),
                        lease: record.lease,
                        holder: holder.clone(),
                        job: record.job.clone(),
                        accepted_ms: record.ts_ms,
                        prospect: Prospect::Waits(
                            request.expect("the daemon knows what it accepted").clone(),
                        ),
                    };
                    self.ended.remove(&record.job);
                    self.jobs.insert(*job, row);
                }
                JobStep::Running => {
                    let row = self.jobs.get_mut(job).expect("it was accepted");
                    row.prospect = Prospect::Lost("the daemon died while it ran".into());
                }
                JobStep::Ok { .. } | JobStep::Err { .. } => {
                    self.jobs.remove(job);
                    self.ended.insert(record.job.clone());
                }
            },
            Effect::GrantKept(grant) => {
                self.grants.insert((grant.gpu.clone(), grant.holder.clone()), grant.clone());
            }
            Effect::GrantForgotten { gpu, holder } => {
                self.grants.remove(&(gpu.clone(), holder.clone()));
            }
            Effect::Drained { gpu, drained: true } => drop(self.drained.insert(gpu.clone())),
            Effect::Drained { gpu, drained: false } => drop(self.drained.remove(gpu)),
            Effect::SpawnExecutor { .. }
            | Effect::Launch { .. }
            | Effect::SoftStop { .. }
            | Effect::Kill { .. }
            | Effect::ResetGpu { .. }
            | Effect::CloseFids { .. } => {}
        }
    }

    fn lease_changed(&mut self, record: &LeaseRecord, ticket: Option<TicketId>) {
        self.last_lease = self.last_lease.max(record.lease.0);
        let epoch = self.epochs.entry(record.gpu_id.clone()).or_insert(Epoch(0));
        *epoch = record.epoch.max(*epoch);
        if record.state.is_over() {
            self.leases.remove(&record.lease);
        } else {
            let row = LeaseSnapshot { record: record.clone(), ticket };
            self.leases.insert(record.lease, row);
        }
    }

    pub(crate) fn has_ended(&self, job: &JobId) -> bool {
        self.ended.contains(job)
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot {
            last_lease: self.last_lease,
            last_job: self.last_job,
            epochs: self.epochs.iter().map(|(gpu, epoch)| (gpu.clone(), *epoch)).collect(),
            drained: self.drained.iter().cloned().collect(),
            leases: self.leases.values().cloned().collect(),
            grants: self.grants.values().cloned().collect(),
            jobs: self.jobs.values().cloned().collect(),
        }
    }
}
