//! The lease that a job runs under: found, taken, renewed, given back.

use std::time::Duration;

use ninedoor_abi::ctl::{LeaseAsk, LeaseGranted, LeaseQueued, LeaseSize, RenewLine};
use ninedoor_abi::job::LaunchPlan;
use ninedoor_abi::record::LeaseState;
use ninedoor_abi::{CtlLine, GpuId, JobDescriptor, LeaseId, LeaseRecord, PathName, StatusLine};

use crate::error::{CommandError, ErrorKind};
use crate::hive::Hive;
use crate::limits::LEASE_MB_MIN;

/// Beyond what a job may run: staging, waiting for a turn, reading results.
const TTL_MARGIN_S: u32 = 60;
/// Between two looks at a lease that waits for room.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Every lease of a GPU that one may see, as it stands now.
///
/// # Errors
/// When it cannot be read, or is none of the documented lines.
pub async fn all(hive: &Hive, gpu: &GpuId) -> Result<Vec<LeaseRecord>, CommandError> {
    let path = format!("/gpu/{gpu}/lease");
    let text = hive.text(&path).await?;
    text.lines()
        .map(|line| {
            line.parse().map_err(|_| CommandError::unexpected(&path, "a gpu-lease/v1 record", line))
        })
        .collect()
}

/// The lease that the caller itself holds on a GPU.
///
/// # Errors
/// As [`all`].
pub async fn held(hive: &Hive, gpu: &GpuId) -> Result<Option<LeaseRecord>, CommandError> {
    let holder = hive.holder();
    let mut leases = all(hive, gpu).await?.into_iter();
    Ok(leases.find(|it| it.state == LeaseState::Active && it.worker_id.as_str() == holder))
}

/// What a job needs: its buffers and some room beside them, one stream, its time and some more.
///
/// # Errors
/// An output whose size nothing tells, or more memory than a lease can name.
pub async fn need(hive: &Hive, job: &JobDescriptor) -> Result<LeaseSize, CommandError> {
    let mut staged = Vec::new();
    for input in &job.inputs {
        staged.push((input.clone(), hive.facts(input.as_str()).await?.map(|facts| facts.bytes)));
    }
    let bytes_of = |path: &PathName| staged.iter().find(|(input, _)| input == path)?.1;
    let plan = LaunchPlan::of(job, module(job, &staged), bytes_of)
        .map_err(|refusal| CommandError::payload(refusal.text))?;
    Ok(LeaseSize {
        mem_mb: lease_mb(plan.buffer_bytes())?,
        streams: 1,
        ttl_s: job.timeout_ms.div_ceil(1000).saturating_add(TTL_MARGIN_S),
    })
}

/// Where the parameters are implied, the module among the inputs is told by its name: only its owner can hash it.
fn module<'a>(job: &JobDescriptor, staged: &'a [(PathName, Option<u64>)]) -> Option<&'a PathName> {
    let is_module = |path: &PathName| {
        let name = path.last().unwrap_or_default();
        [".ptx", ".cubin", ".fatbin"].iter().any(|suffix| name.ends_with(suffix))
    };
    let inline = job.payload.is_some();
    staged.iter().map(|(path, _)| path).find(|path| !inline && is_module(path))
}

fn lease_mb(buffer_bytes: u64) -> Result<u32, CommandError> {
    let mb = buffer_bytes.div_ceil(1024 * 1024).saturating_add(LEASE_MB_MIN);
    u32::try_from(mb)
        .map_err(|_| CommandError::payload(format!("the buffers need {mb} MiB, beyond every GPU")))
}

/// What became of a `LEASE` line that was not refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// The lease is held.
    Granted(LeaseGranted),
    /// The lease waits for room.
    Queued(LeaseQueued),
}

impl Taken {
    /// Which lease.
    #[must_use]
    pub const fn id(&self) -> LeaseId {
        match self {
            Self::Granted(granted) => granted.id,
            Self::Queued(queued) => queued.id,
        }
    }
}

/// Asks for a lease.
///
/// # Errors
/// When the hive refuses it.
pub async fn ask(hive: &Hive, gpu: &GpuId, ask: LeaseAsk) -> Result<Taken, CommandError> {
    let status = order(hive, gpu, &CtlLine::Lease(ask)).await?;
    let granted = LeaseGranted::of_status(&status).map(Taken::Granted);
    granted
        .or_else(|| LeaseQueued::of_status(&status).map(Taken::Queued))
        .ok_or_else(|| CommandError::unexpected("ctl", "OK LEASE id=…", &status.for_log()))
}

/// Waits until a lease that was asked for is held.
///
/// # Errors
/// When its wait is over before there is room.
pub async fn until_granted(hive: &Hive, taken: Taken) -> Result<LeaseGranted, CommandError> {
    let queued = match taken {
        Taken::Granted(granted) => return Ok(granted),
        Taken::Queued(queued) => queued,
    };
    loop {
        let leases = all(hive, &queued.gpu).await?;
        let ours = leases.iter().find(|lease| lease.lease == queued.id);
        match ours.map(|lease| lease.state) {
            Some(LeaseState::Queued) => tokio::time::sleep(LOOK_AGAIN).await,
            Some(LeaseState::Active) => return Ok(granted(ours.expect("it has a state"))),
            state => return Err(never_granted(&queued, state)),
        }
    }
}

fn granted(lease: &LeaseRecord) -> LeaseGranted {
    LeaseGranted {
        id: lease.lease,
        epoch: lease.epoch,
        gpu: lease.gpu_id.clone(),
        mem_mb: lease.mem_mb,
        streams: lease.streams,
        ttl_s: lease.ttl_s,
        deadline_ms: lease.deadline_ms,
    }
}

fn never_granted(queued: &LeaseQueued, state: Option<LeaseState>) -> CommandError {
    let state = state.map_or("gone", LeaseState::as_str);
    let text = format!("{} on {} waited for room and is {state}", queued.id, queued.gpu);
    CommandError::new(ErrorKind::Timeout, text)
        .hint("wait longer: --wait; `lease ls` shows who is there")
}

/// Gives a lease back.
///
/// # Errors
/// When the hive refuses: it is not the caller's, or not there any more.
pub async fn release(hive: &Hive, gpu: &GpuId, lease: LeaseId) -> Result<(), CommandError> {
    order(hive, gpu, &CtlLine::Release(Some(lease))).await.map(drop)
}

/// Moves a lease's deadline.
///
/// # Errors
/// When the hive refuses it.
pub async fn renew(hive: &Hive, gpu: &GpuId, line: RenewLine) -> Result<StatusLine, CommandError> {
    hive.order(&format!("/gpu/{gpu}/lease"), &line.to_string()).await
}

/// Writes one line to a GPU's `ctl`.
///
/// # Errors
/// When the hive refuses it; the text is the status line's.
pub async fn order(hive: &Hive, gpu: &GpuId, line: &CtlLine) -> Result<StatusLine, CommandError> {
    hive.order(&format!("/gpu/{gpu}/ctl"), &line.to_string()).await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves SH-14.
    #[test]
    fn a_lease_has_room_for_the_buffers_and_some_more() {
        assert_eq!(lease_mb(0).unwrap(), 16);
        assert_eq!(lease_mb(1).unwrap(), 17);
        assert_eq!(lease_mb(64 << 20).unwrap(), 80);
        let error = lease_mb(u64::MAX).unwrap_err();
        assert!(error.text.ends_with("MiB, beyond every GPU"), "{}", error.text);
    }
}
