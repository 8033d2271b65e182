//! The first line of `stats`: how a GPU is at the moment. A figure that is not known is left out, never made up.

use bridge_host_gpu::GpuSample;
use ninedoor::ring::LogRing;
use ninedoor_abi::{GpuId, Now, Refusal, record::LeaseState};
use serde::Serialize;

use super::{Board, Dispatcher};
use crate::store::Owner;

#[derive(Debug, Serialize)]
struct SampleText<'a> {
    schema: &'static str,
    ts_ms: u64,
    gpu: &'a str,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    throttle: Option<Vec<&'static str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    utilization_ratio: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_used_mb: Option<u64>,
    memory_total_mb: u32,
    memory_leased_mb: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature_celsius: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    power_watts: Option<f32>,
    health: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    health_detail: Option<&'a str>,
    leases_active: usize,
    leases_queued: usize,
    jobs_live: usize,
}

impl Dispatcher {
    /// The line, as it is now.
    ///
    /// # Errors
    /// `ENODEV` when there is no such GPU.
    pub(crate) fn sample_line(&self, id: &GpuId, now: Now) -> Result<String, Refusal> {
        let gpu = self.gpu(id)?;
        let in_state = |state| {
            self.leases.values().filter(move |lease| lease.gpu_id == *id && lease.state == state)
        };
        let active = in_state(LeaseState::Active);
        let text = SampleText {
            schema: "gpu-sample/v1",
            ts_ms: now.unix_ms.0,
            gpu: id.as_str(),
            state: self.gpu_state(id)?.word,
            throttle: gpu.sample.throttle.map(|throttle| throttle.reasons().collect()),
            utilization_ratio: gpu.sample.utilization_ratio,
            memory_used_mb: gpu.sample.memory_used_bytes.map(|bytes| bytes >> 20),
            memory_total_mb: gpu.info.memory_mb,
            memory_leased_mb: in_state(LeaseState::Active)
                .map(|lease| u64::from(lease.mem_mb))
                .sum(),
            temperature_celsius: gpu.sample.temperature_celsius,
            power_watts: gpu.sample.power_watts,
            health: gpu.info.health.state(),
            health_detail: gpu.info.health.detail(),
            leases_active: active.count(),
            leases_queued: in_state(LeaseState::Queued).count(),
            jobs_live: self.jobs.values().filter(|job| job.gpu == *id).count(),
        };
        Ok(serde_json::to_string(&text).expect("strings and numbers are always JSON") + "\n")
    }

    /// A new reading of a GPU's counters.
    pub(crate) fn put_sample(&mut self, id: &GpuId, sample: GpuSample, now: Now) {
        if let Some(gpu) = self.gpus.get_mut(id) {
            gpu.sample = sample;
            gpu.sampled_at = Some(now.unix_ms);
        }
    }

    /// A GPU's counters could not be read: what they were before is not how they are.
    pub(crate) fn no_sample(&mut self, id: &GpuId) {
        if let Some(gpu) = self.gpus.get_mut(id) {
            gpu.sample = GpuSample::default();
            gpu.sample_errors += 1;
        }
    }

    /// The records that a viewer sees.
    ///
    /// # Errors
    /// `ENODEV` when there is no such GPU.
    pub(crate) fn board(&self, id: &GpuId) -> Result<&Board, Refusal> {
        Ok(&self.gpu(id)?.board)
    }

    /// What a viewer sees of the records of a GPU.
    pub(crate) fn records(&self, id: &GpuId, viewer: &Owner) -> Result<&LogRing, Refusal> {
        Ok(self.board(id)?.seen_by(viewer))
    }
}
