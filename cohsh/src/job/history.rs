//! What became of each job, as far as the GPUs' `stats` still know.

use std::collections::BTreeMap;

use ninedoor_abi::record::{JobRecord, JobStep};
use ninedoor_abi::{GpuId, JobId, UnixMs};

use super::follow::Follower;
use crate::error::{CommandError, ErrorKind};
use crate::gpus;
use crate::hive::Hive;

/// One job: where, since when, and its latest record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// On which GPU.
    pub gpu: GpuId,
    /// Its first record that is still known.
    pub since: UnixMs,
    /// Its latest.
    pub latest: JobRecord,
}

impl Known {
    /// Whether nothing more will become of it.
    #[must_use]
    pub const fn has_ended(&self) -> bool {
        self.latest.step.is_end()
    }
}

/// Every job that is known, on every GPU, oldest first.
///
/// # Errors
/// When a GPU's `stats` cannot be read.
pub async fn all(hive: &Hive) -> Result<Vec<Known>, CommandError> {
    let mut known = Vec::new();
    for gpu in gpus::all(hive).await? {
        let records = Follower::from_the_start(hive, &gpu.id).await?.present().await?;
        known.extend(latest_of_each(&gpu.id, records));
    }
    known.sort_by_key(|job| job.since);
    Ok(known)
}

/// The latest job of that id.
///
/// # Errors
/// When no GPU knows it.
pub async fn find(hive: &Hive, job: &JobId) -> Result<Known, CommandError> {
    let known = all(hive).await?;
    known.into_iter().rev().find(|known| known.latest.job == *job).ok_or_else(|| {
        CommandError::new(ErrorKind::Policy, format!("no GPU knows a job {job}"))
            .hint("`jobs` and `hist` show those that are known; old ones are forgotten")
    })
}

/// What the records of one GPU say of each job. A job id may be used again once its job has ended: what comes after an end is another job.
fn latest_of_each(gpu: &GpuId, records: Vec<JobRecord>) -> Vec<Known> {
    let mut ended = Vec::new();
    let mut live: BTreeMap<JobId, Known> = BTreeMap::new();
    for record in records {
        let since = live.get(&record.job).map_or(record.ts_ms, |known| known.since);
        let job = record.job.clone();
        let known = Known { gpu: gpu.clone(), since, latest: record };
        if known.has_ended() {
            live.remove(&job);
            ended.push(known);
        } else {
            live.insert(job, known);
        }
    }
    ended.into_iter().chain(live.into_values()).collect()
}

/// The state's word, as in the record.
#[must_use]
pub const fn state(step: &JobStep) -> &'static str {
    match step {
        JobStep::Queued { .. } => "QUEUED",
        JobStep::Running => "RUNNING",
        JobStep::Ok { .. } => "OK",
        JobStep::Err { .. } => "ERR",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ninedoor_abi::LeaseId;
    use ninedoor_abi::record::{JobCode, QueueReason};

    fn record(ts_ms: u64, job: &str, step: JobStep) -> JobRecord {
        JobRecord { ts_ms: UnixMs(ts_ms), job: job.parse().unwrap(), lease: LeaseId(1), step }
    }

    /// Proves SH-15.
    #[test]
    fn a_job_id_that_is_used_again_is_another_job() {
        let queued = || JobStep::Queued { pos: 1, reason: QueueReason::Next };
        let lost = || JobStep::Err { code: JobCode::Lost, detail: String::new(), sticky: false };
        let gpu: GpuId = "GPU-0".parse().unwrap();
        let records = vec![
            record(1, "a", queued()),
            record(2, "b", queued()),
            record(3, "a", JobStep::Running),
            record(4, "a", lost()),
            record(5, "a", queued()),
        ];
        let known: Vec<(u64, String, &str)> = latest_of_each(&gpu, records)
            .iter()
            .map(|known| (known.since.0, known.latest.job.to_string(), state(&known.latest.step)))
            .collect();
        assert_eq!(
            known,
            [(1, "a".into(), "ERR"), (5, "a".into(), "QUEUED"), (2, "b".into(), "QUEUED")]
        );
    }
}
