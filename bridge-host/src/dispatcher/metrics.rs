//! The dispatcher in figures, copied for a page of metrics: quick, for its caller holds the hive's lock.

use ninedoor::Traffic;
use ninedoor_abi::GpuId;

use super::{Dispatcher, Gpu, state::GpuState};
use crate::metrics::figures::{ExecutorFigures, Figures, GpuFigures, StoreFigures, Xids};

impl Dispatcher {
    /// As things are.
    pub(crate) fn figures(&self, traffic: Traffic) -> Figures {
        let audit = self.audit.state();
        Figures {
            gpus: self.gpus.iter().filter_map(|(id, gpu)| self.gpu_figures(id, gpu)).collect(),
            draining: self.draining,
            executors: ExecutorFigures {
                bound: self.fleet.bound(),
                spare: self.fleet.len() - self.fleet.bound(),
                max: self.fleet.executors_max(),
                starts: self.fleet.started(),
                crashes: self.fleet.crashed(),
            },
            stores: StoreFigures {
                artefacts: self.artefacts.contents(),
                artefact_bytes: self.artefacts.bytes(),
                artefact_bytes_max: self.artefacts.bytes_max(),
                output_jobs: self.outputs.jobs_kept(),
                output_bytes: self.outputs.bytes(),
                output_bytes_max: self.outputs.bytes_max(),
                journal_bytes: self.journal.written_bytes(),
                journal_unsynced_bytes: self.journal.unsynced_bytes(),
                journal_trouble: self.journal.check_room().is_err(),
            },
            audit_lost: audit.lost,
            audit_trouble: audit.trouble.is_some(),
            traffic,
        }
    }

    /// Whether nothing new is taken any more.
    pub(crate) const fn is_draining(&self) -> bool {
        self.draining
    }

    fn gpu_figures(&self, id: &GpuId, gpu: &Gpu) -> Option<GpuFigures> {
        let view = self.broker.gpu_view(id)?;
        Some(GpuFigures {
            facts: gpu.facts.clone(),
            sample: gpu.sample.clone(),
            sampled_at: gpu.sampled_at,
            sample_errors: gpu.sample_errors,
            health: view.health.clone(),
            state: GpuState::of(gpu, &view).word,
            view,
            work: gpu.work.clone(),
            xids: Xids { counts: gpu.condition.events.clone(), last: gpu.condition.event_last },
        })
    }
}
