//! Effects on their way out: none that tells or launches anything is carried out before what it says is stored.
//!
//! ```text
//!   Broker ─Effect─▶ [rows] ─append─▶ journal
//!                       └── stored ──▶ carried out, in order
//!                       └── not stored: only what stops work goes on; the rest waits for another try
//! ```

use std::collections::VecDeque;

use bridge_host_broker::{Effect, JobNumber};
use ninedoor_abi::{GpuId, JobRecord, Now, Refusal, Subject, record::JobStep};

use super::{Dispatcher, launch::Prepared};
use crate::store::{AcceptedJob, Position, Row, Stage, Step};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    due: VecDeque<Effect>,
    rows: Vec<Row>,
}

impl Outbox {
    /// The next effect that may be carried out.
    fn take(&mut self, stored: bool) -> Option<Effect> {
        if stored {
            return self.due.pop_front();
        }
        let at = self.due.iter().position(needs_no_store)?;
        self.due.remove(at)
    }

    /// Whether something waits for another try.
    pub(super) fn is_stuck(&self) -> bool {
        !self.due.is_empty()
    }
}

/// A GPU must be stopped whether or not that can be written down.
const fn needs_no_store(effect: &Effect) -> bool {
    matches!(
        effect,
        Effect::SpawnExecutor { .. }
            | Effect::SoftStop { .. }
            | Effect::Kill { .. }
            | Effect::ResetGpu { .. }
            | Effect::CloseFids { .. }
    )
}

impl Dispatcher {
    /// Carries out everything that the broker wants done by now, as far as it can be stored.
    pub(super) fn carry_out_all(&mut self, now: Now) {
        loop {
            while let Some(effect) = self.broker.poll_effect() {
                self.put_rows(&effect);
                self.outbox.due.push_back(effect);
            }
            let stored = self.store_rows();
            let mut idle = true;
            while let Some(effect) = self.outbox.take(stored) {
                idle = false;
                self.carry_out(effect, now);
            }
            if idle {
                return;
            }
        }
    }

    /// Whether everything that was to be stored is.
    fn store_rows(&mut self) -> bool {
        if self.outbox.rows.is_empty() {
            return true;
        }
        match self.journal.append(&mut self.outbox.rows) {
            Ok(_) => true,
            Err(error) => {
                tracing::error!(%error, rows = self.outbox.rows.len(), "store: cannot write; will be tried again");
                false
            }
        }
    }

    fn put_rows(&mut self, effect: &Effect) {
        let rows = &mut self.outbox.rows;
        match effect {
            Effect::LeaseChanged { record, ticket, .. } => {
                rows.push(Row::Lease { record: record.clone(), ticket: *ticket });
            }
            Effect::GrantKept(grant) => rows.push(Row::Grant(grant.clone())),
            Effect::GrantForgotten { gpu, holder } => {
                rows.push(Row::GrantForgotten { gpu: gpu.clone(), holder: holder.clone() });
            }
            // A daemon that shuts down drains its GPUs; the next one uses them.
            Effect::Drained { gpu, drained } if !self.draining => {
                rows.push(Row::Drained { gpu: gpu.clone(), drained: *drained });
            }
            Effect::Record { gpu, holder, job, record } => {
                if let JobStep::Queued { .. } = record.step
                    && let Some(prepared) = self.jobs.get_mut(job)
                {
                    rows.extend(prepared.accepted(*job, holder, record));
                }
                rows.push(step(*job, gpu, holder, record));
            }
            Effect::Drained { .. }
            | Effect::SpawnExecutor { .. }
            | Effect::Launch { .. }
            | Effect::SoftStop { .. }
            | Effect::Kill { .. }
            | Effect::ResetGpu { .. }
            | Effect::CloseFids { .. } => {}
        }
    }

    /// Whether new work may be taken on, as far as the store goes.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn check_store(&self) -> Result<(), Refusal> {
        self.journal.check_room()
    }

    /// Whether what was just decided is stored.
    ///
    /// # Errors
    /// Why not. It goes on in memory, and is stored once that is possible again.
    pub(super) fn check_stored(&self) -> Result<(), Refusal> {
        if self.outbox.is_stuck() { self.journal.check_room() } else { Ok(()) }
    }

    /// Up to where rows have been appended: an answer that was given now must wait until that is on the disk.
    pub(crate) const fn stored_up_to(&self) -> Position {
        self.journal.end()
    }
}

fn step(number: JobNumber, gpu: &GpuId, holder: &Subject, record: &JobRecord) -> Row {
    let stage = match record.step {
        JobStep::Queued { .. } => Stage::Queued,
        JobStep::Running => Stage::Running,
        JobStep::Ok { .. } | JobStep::Err { .. } => Stage::Ended,
    };
    let (gpu, holder) = (gpu.clone(), holder.clone());
    Row::Step(Step { number, stage, gpu, holder, line: record.to_line() })
}

impl Prepared {
    /// What is stored of it, once.
    fn accepted(&mut self, number: JobNumber, holder: &Subject, record: &JobRecord) -> Option<Row> {
        let kept = self.kept.take()?;
        Some(Row::Accepted(Box::new(AcceptedJob {
            number,
            gpu: self.gpu.clone(),
            lease: record.lease,
            holder: holder.clone(),
            owner: self.owner.clone(),
            job: self.job.clone(),
            accepted_ms: record.ts_ms,
            running: false,
            descriptor: kept.descriptor,
            format: self.format,
            static_shared_bytes: kept.static_shared_bytes,
            inputs: kept.inputs,
        })))
    }
}
