//! What an earlier daemon left, taken up: records are read again, leases held on, jobs that waited wait again.

use bridge_host_broker::{JobRequest, JobSnapshot, LeaseSnapshot, Prospect, Snapshot};
use ninedoor_abi::{JobDescriptor, Now, PathName, Refusal, job::LaunchPlan};

use super::{Dispatcher, launch::Prepared};
use crate::store::{AcceptedJob, Input, Rows};

impl Dispatcher {
    /// To be called once, when the GPUs are there and nothing else has happened.
    pub(crate) fn restore(&mut self, rows: Rows, now: Now) {
        for (gpu, records) in &rows.records {
            if let Some(gpu) = self.gpus.get_mut(gpu) {
                records.steps.iter().for_each(|step| gpu.board.append(&step.holder, &step.line));
            }
        }
        let over = rows.leases.values().filter(|lease| lease.record.state.is_over());
        self.leases.extend(over.map(|lease| (lease.record.lease, lease.record.clone())));
        let live = rows.leases.values().filter(|lease| !lease.record.state.is_over());
        let leases = live
            .map(|lease| LeaseSnapshot { record: lease.record.clone(), ticket: lease.ticket })
            .collect();
        let jobs = rows.jobs.values().map(|job| self.job_snapshot(job)).collect();
        let snapshot = Snapshot {
            last_lease: rows.last_lease,
            last_job: rows.last_job,
            epochs: rows.epochs.into_iter().collect(),
            drained: rows.drained.into_iter().collect(),
            leases,
            grants: rows.grants.into_values().collect(),
            jobs,
        };
        tracing::info!(
            leases = snapshot.leases.len(),
            jobs = snapshot.jobs.len(),
            "taking up what was left"
        );
        self.broker.restore(snapshot, now);
        self.settle(now);
        self.artefacts.drop_unneeded();
        self.journal.want(self.journal.end());
    }

    fn job_snapshot(&mut self, job: &AcceptedJob) -> JobSnapshot {
        let prospect = if job.running {
            self.outputs.withdraw(&job.owner, &job.job, job.accepted_ms);
            Prospect::Lost("the daemon died while it ran".to_owned())
        } else {
            match self.prepare_again(job) {
                Ok((prepared, request)) => {
                    self.jobs.insert(job.number, prepared);
                    Prospect::Waits(request)
                }
                Err(refusal) => Prospect::Lost(format!("the daemon died, and {refusal}")),
            }
        };
        JobSnapshot {
            number: job.number,
            gpu: job.gpu.clone(),
            lease: job.lease,
            holder: job.holder.clone(),
            job: job.job.clone(),
            accepted_ms: job.accepted_ms,
            prospect,
        }
    }

    /// What was checked when it was accepted holds still; its artefacts are those of then, whatever their names stand for now.
    fn prepare_again(&mut self, job: &AcceptedJob) -> Result<(Prepared, JobRequest), Refusal> {
        let descriptor = JobDescriptor::parse(job.descriptor.as_bytes())?;
        let input = |path: &PathName| job.inputs.iter().find(|input| input.path == *path);
        let module = job.inputs.iter().find(|input| input.digest == descriptor.bytes_hash);
        let module = module.map(|module: &Input| &module.path);
        let plan = LaunchPlan::of(&descriptor, module, |path| Some(input(path)?.bytes))?;
        let request = JobRequest::of(&descriptor, plan.buffer_bytes(), job.static_shared_bytes);
        let sources: Vec<_> =
            plan.buffers.iter().map(|buffer| Some(input(buffer.usage.source()?)?.digest)).collect();
        let mut held = Vec::new();
        for digest in [descriptor.bytes_hash].iter().chain(sources.iter().flatten()) {
            if let Err(refusal) = self.artefacts.hold(digest) {
                held.iter().for_each(|digest| self.artefacts.release(digest));
                return Err(refusal);
            }
            held.push(*digest);
        }
        let (gpu, owner) = (job.gpu.clone(), job.owner.clone());
        let prepared = Prepared::new(gpu, owner, descriptor, job.format, plan, sources, held);
        Ok((prepared, request))
    }
}
