//! The dispatcher in figures, for scrapers: native names in base units, and DCGM's names for dashboards that are there already.
//!
//! No label without a bound: GPUs, states and codes, never jobs or workers.

use std::collections::BTreeMap;

use bridge_host_broker::GpuView;
use ninedoor_abi::{GpuId, record::JobStep};

use super::{Dispatcher, Gpu};
use crate::metrics::Page;

/// How many jobs of one GPU have ended how.
#[derive(Debug, Default)]
pub(super) struct JobsEnded(BTreeMap<&'static str, u64>);

impl JobsEnded {
    /// Counts the end of a job; other steps are no end.
    pub(super) fn count(&mut self, step: &JobStep) {
        let result = match step {
            JobStep::Ok { .. } => "OK",
            JobStep::Err { code, .. } => code.as_str(),
            JobStep::Queued { .. } | JobStep::Running => return,
        };
        *self.0.entry(result).or_default() += 1;
    }
}

const MIB: u64 = 1 << 20;

impl Dispatcher {
    /// One page of metrics.
    pub(crate) fn metrics(&self) -> String {
        let mut page = Page::default();
        self.facts(&mut page);
        self.readings(&mut page);
        self.leases_and_jobs(&mut page);
        self.dcgm(&mut page);
        page.family("cohgpu_executors", "gauge", "Executor processes, spares included.");
        page.sample("cohgpu_executors", &[], self.fleet.len());
        page.family(
            "cohgpu_artefact_bytes",
            "gauge",
            "Bytes of staged artefacts, each content once.",
        );
        page.sample("cohgpu_artefact_bytes", &[], self.artefacts.bytes());
        page.family("cohgpu_output_bytes", "gauge", "Bytes of outputs that are kept.");
        page.sample("cohgpu_output_bytes", &[], self.outputs.bytes());
        page.finish()
    }

    /// Whether nothing new is taken any more.
    pub(crate) const fn is_draining(&self) -> bool {
        self.draining
    }

    fn facts(&self, page: &mut Page) {
        page.family("cohgpu_info", "gauge", "A GPU and what it is.");
        for (id, gpu) in &self.gpus {
            let labels = [
                ("gpu", id.as_str()),
                ("uuid", &gpu.info.uuid),
                ("name", &gpu.info.name),
                ("driver_version", &gpu.info.driver_version),
                ("backend", gpu.info.backend.as_str()),
            ];
            page.sample("cohgpu_info", &labels, 1);
        }
        page.family("cohgpu_memory_total_bytes", "gauge", "Device memory.");
        for (id, gpu) in &self.gpus {
            let bytes = u64::from(gpu.info.memory_mb) * MIB;
            page.sample("cohgpu_memory_total_bytes", &[("gpu", id.as_str())], bytes);
        }
    }

    /// What the driver tells; a GPU that cannot tell has no sample.
    fn readings(&self, page: &mut Page) {
        type Reading = fn(&Gpu) -> Option<f64>;
        let families: [(&str, &str, Reading); 4] = [
            ("cohgpu_utilization_ratio", "Time with a kernel running.", |gpu| {
                gpu.sample.utilization_ratio.map(f64::from)
            }),
            ("cohgpu_memory_used_bytes", "Device memory in use.", |gpu| {
                gpu.sample.memory_used_bytes.map(as_float)
            }),
            ("cohgpu_temperature_celsius", "Temperature.", |gpu| {
                gpu.sample.temperature_celsius.map(f64::from)
            }),
            ("cohgpu_power_watts", "Power drawn.", |gpu| gpu.sample.power_watts.map(f64::from)),
        ];
        for (name, help, reading) in families {
            self.gauge(page, name, help, reading);
        }
    }

    fn leases_and_jobs(&self, page: &mut Page) {
        type Count = fn(&GpuView) -> u64;
        let families: [(&str, &str, &str, Count); 5] = [
            ("cohgpu_leases", "Leases, by state.", "active", |view| view.leases_active as u64),
            ("cohgpu_leases", "", "queued", |view| view.leases_waiting as u64),
            ("cohgpu_jobs", "Jobs that have not ended, by state.", "queued", |view| {
                u64::from(view.jobs_queued)
            }),
            ("cohgpu_jobs", "", "running", |view| u64::from(view.jobs_running)),
            ("cohgpu_memory_leased_bytes", "Device memory that leases have.", "", |view| {
                view.leased_mb * MIB
            }),
        ];
        for (name, help, state, count) in families {
            if !help.is_empty() {
                page.family(name, "gauge", help);
            }
            for (id, view) in self.views() {
                let labels = [("gpu", id.as_str()), ("state", state)];
                let labels = if state.is_empty() { &labels[..1] } else { &labels[..] };
                page.sample(name, labels, count(&view));
            }
        }
        page.family("cohgpu_jobs_total", "counter", "Jobs that have ended, by result.");
        for (id, gpu) in &self.gpus {
            for (result, count) in &gpu.ended.0 {
                page.sample(
                    "cohgpu_jobs_total",
                    &[("gpu", id.as_str()), ("result", result)],
                    count,
                );
            }
        }
    }

    fn dcgm(&self, page: &mut Page) {
        type Reading = fn(&Gpu) -> Option<f64>;
        let families: [(&str, &str, Reading); 4] = [
            ("DCGM_FI_DEV_GPU_UTIL", "GPU utilization (in %).", |gpu| {
                gpu.sample.utilization_ratio.map(|ratio| f64::from(ratio) * 100.0)
            }),
            ("DCGM_FI_DEV_FB_USED", "Framebuffer memory used (in MiB).", |gpu| {
                gpu.sample.memory_used_bytes.map(|bytes| as_float(bytes / MIB))
            }),
            ("DCGM_FI_DEV_GPU_TEMP", "GPU temperature (in C).", |gpu| {
                gpu.sample.temperature_celsius.map(f64::from)
            }),
            ("DCGM_FI_DEV_POWER_USAGE", "Power draw (in W).", |gpu| {
                gpu.sample.power_watts.map(f64::from)
            }),
        ];
        for (name, help, reading) in families {
            self.gauge(page, name, help, reading);
        }
    }

    fn gauge(&self, page: &mut Page, name: &str, help: &str, reading: fn(&Gpu) -> Option<f64>) {
        page.family(name, "gauge", help);
        for (id, gpu) in &self.gpus {
            if let Some(value) = reading(gpu) {
                let labels =
                    [("gpu", id.as_str()), ("UUID", &gpu.info.uuid), ("modelName", &gpu.info.name)];
                let labels = if name.starts_with("DCGM") { &labels[..] } else { &labels[..1] };
                page.sample(name, labels, value);
            }
        }
    }

    fn views(&self) -> impl Iterator<Item = (&GpuId, GpuView)> {
        self.gpus.keys().filter_map(|id| Some((id, self.broker.gpu_view(id)?)))
    }
}

#[allow(clippy::cast_precision_loss, reason = "exact below 2^53 bytes, which is 8 PiB")]
fn as_float(bytes: u64) -> f64 {
    bytes as f64
}
