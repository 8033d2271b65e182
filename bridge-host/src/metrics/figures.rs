//! What a page of metrics is made of: figures as they were at one moment, copied out of the daemon while its lock was held.
//!
//! Knows the counters, not who counts; nothing here asks a driver, a clock or a disk.

use std::{collections::BTreeMap, sync::Arc};

use bridge_host_broker::{GpuView, KillReason};
use bridge_host_gpu::{GpuInfo, GpuSample, Health};
use ninedoor::Traffic;
use ninedoor_abi::{
    GpuId, StatusLine, UnixMs,
    ctl::{Outcome, Verb},
    record::{JobCode, JobStep, LeaseState},
};

use super::histogram::Histogram;

/// Everything that the dispatcher knows in figures.
#[derive(Debug)]
pub(crate) struct Figures {
    pub(crate) gpus: Vec<GpuFigures>,
    pub(crate) draining: bool,
    pub(crate) executors: ExecutorFigures,
    pub(crate) stores: StoreFigures,
    /// Lines of the log that found no room on their way to disk.
    pub(crate) audit_lost: u64,
    /// Whether the file system refuses them.
    pub(crate) audit_trouble: bool,
    pub(crate) traffic: Traffic,
}

/// One GPU.
#[derive(Debug)]
pub(crate) struct GpuFigures {
    pub(crate) facts: Arc<GpuFacts>,
    pub(crate) sample: GpuSample,
    pub(crate) sampled_at: Option<UnixMs>,
    pub(crate) sample_errors: u64,
    pub(crate) health: Health,
    pub(crate) state: &'static str,
    pub(crate) view: GpuView,
    pub(crate) work: WorkCounts,
    pub(crate) xids: Xids,
}

/// What a GPU is, as labels.
#[derive(Debug)]
pub(crate) struct GpuFacts {
    pub(crate) id: GpuId,
    /// Its place in the driver's list.
    pub(crate) index: String,
    pub(crate) uuid: String,
    pub(crate) name: String,
    pub(crate) driver_version: String,
    pub(crate) pci_bus_id: String,
    /// The name of its device file, or what would be that.
    pub(crate) device: String,
    pub(crate) backend: &'static str,
    pub(crate) memory_bytes: u64,
}

impl GpuFacts {
    pub(crate) fn of(id: GpuId, index: usize, info: &GpuInfo) -> Self {
        let backend = info.backend.as_str();
        Self {
            id,
            index: index.to_string(),
            uuid: info.uuid.clone(),
            name: info.name.clone(),
            driver_version: info.driver_version.clone(),
            pci_bus_id: info.pci_bus_id.clone().unwrap_or_default(),
            device: format!("{backend}{index}"),
            backend,
            memory_bytes: u64::from(info.memory_mb) << 20,
        }
    }
}

/// What the work on one GPU has come to.
#[derive(Debug, Clone, Default)]
pub(crate) struct WorkCounts {
    /// By `OK` or the code of the error.
    pub(crate) ended: BTreeMap<&'static str, u64>,
    pub(crate) queue: Histogram,
    pub(crate) h2d: Histogram,
    pub(crate) kernel: Histogram,
    pub(crate) d2h: Histogram,
    pub(crate) output_bytes: u64,
    pub(crate) grants: u64,
    pub(crate) lease_ends: BTreeMap<&'static str, u64>,
    /// By verb, and by `OK` or the errno.
    pub(crate) orders: BTreeMap<(&'static str, &'static str), u64>,
    pub(crate) kills: BTreeMap<&'static str, u64>,
}

impl WorkCounts {
    /// Nothing has happened yet; what is certain to be asked for is there, as zero.
    pub(crate) fn none() -> Self {
        let codes = JobCode::ALL.iter().map(|code| code.as_str());
        let ends = [LeaseState::Released, LeaseState::Expired, LeaseState::Revoked];
        Self {
            ended: codes.chain(["OK"]).map(|result| (result, 0)).collect(),
            lease_ends: ends.iter().map(|state| (state_word(*state), 0)).collect(),
            orders: [((Verb::Lease.as_str(), "OK"), 0), ((Verb::Job.as_str(), "OK"), 0)].into(),
            kills: KillReason::ALL.iter().map(|reason| (reason.as_str(), 0)).collect(),
            ..Self::default()
        }
    }

    /// A step of a job; only ends count.
    pub(crate) fn step(&mut self, step: &JobStep) {
        match step {
            JobStep::Ok { queue_us, h2d_us, kernel_us, d2h_us, outputs } => {
                *self.ended.entry("OK").or_default() += 1;
                self.queue.observe(*queue_us);
                self.h2d.observe(*h2d_us);
                self.kernel.observe(*kernel_us);
                self.d2h.observe(*d2h_us);
                self.output_bytes += outputs.iter().map(|output| output.bytes).sum::<u64>();
            }
            JobStep::Err { code, .. } => *self.ended.entry(code.as_str()).or_default() += 1,
            JobStep::Queued { .. } | JobStep::Running => {}
        }
    }

    /// A lease was `was` and is `is` now.
    pub(crate) fn lease(&mut self, was: Option<LeaseState>, is: LeaseState) {
        if was == Some(is) {
            return;
        }
        match is {
            LeaseState::Queued => {}
            LeaseState::Active => self.grants += 1,
            _ => *self.lease_ends.entry(state_word(is)).or_default() += 1,
        }
    }

    /// A line was obeyed or refused.
    pub(crate) fn order(&mut self, status: &StatusLine) {
        let result = match &status.outcome {
            Outcome::Ok(_) => "OK",
            Outcome::Err(refusal) => refusal.errno.name().unwrap_or("other"),
        };
        *self.orders.entry((status.verb.as_str(), result)).or_default() += 1;
    }

    pub(crate) fn kill(&mut self, reason: KillReason) {
        *self.kills.entry(reason.as_str()).or_default() += 1;
    }
}

/// The word of a state as a label.
pub(crate) const fn state_word(state: LeaseState) -> &'static str {
    match state {
        LeaseState::Queued => "queued",
        LeaseState::Active => "active",
        LeaseState::Released => "released",
        LeaseState::Expired => "expired",
        LeaseState::Revoked => "revoked",
    }
}

/// Different Xids of one GPU that have a sample of their own.
const XIDS_MAX: usize = 32;

/// The errors that the driver told of one GPU.
#[derive(Debug, Clone, Default)]
pub(crate) struct Xids {
    /// How often each was told.
    pub(crate) counts: BTreeMap<u64, u64>,
    pub(crate) last: Option<u64>,
}

impl Xids {
    /// Each and how often; those past the bound together.
    pub(crate) fn bounded(&self) -> impl Iterator<Item = (String, u64)> {
        let each = self.counts.iter().take(XIDS_MAX);
        let others: u64 = self.counts.values().skip(XIDS_MAX).sum();
        let others = (others > 0).then(|| ("other".to_owned(), others));
        each.map(|(xid, count)| (xid.to_string(), *count)).chain(others)
    }
}

/// Executor processes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ExecutorFigures {
    pub(crate) bound: usize,
    pub(crate) spare: usize,
    pub(crate) max: usize,
    pub(crate) starts: u64,
    pub(crate) crashes: u64,
}

/// What is on disk.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct StoreFigures {
    pub(crate) artefacts: usize,
    pub(crate) artefact_bytes: u64,
    pub(crate) artefact_bytes_max: u64,
    pub(crate) output_jobs: usize,
    pub(crate) output_bytes: u64,
    pub(crate) output_bytes_max: u64,
    pub(crate) journal_bytes: u64,
    pub(crate) journal_unsynced_bytes: u64,
    pub(crate) journal_trouble: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves MET-3.
    #[test]
    fn a_driver_that_invents_numbers_makes_no_more_labels_than_the_bound() {
        let counts = (0..1000).map(|xid| (xid, xid + 1)).collect();
        let xids = Xids { counts, last: Some(999) };
        let counts: Vec<_> = xids.bounded().collect();
        assert_eq!(counts.len(), XIDS_MAX + 1);
        assert!(counts.contains(&("3".to_owned(), 4)));
        let others = (33..=1000).sum();
        assert_eq!(counts.last(), Some(&("other".to_owned(), others)));
    }

    #[test]
    fn a_lease_is_granted_and_ends_once_however_often_it_changes() {
        let mut work = WorkCounts::none();
        let mut was = None;
        for is in [
            LeaseState::Queued,
            LeaseState::Active,
            LeaseState::Active,
            LeaseState::Expired,
            LeaseState::Expired,
        ] {
            work.lease(was, is);
            was = Some(is);
        }
        assert_eq!((work.grants, work.lease_ends["expired"]), (1, 1));
    }
}
