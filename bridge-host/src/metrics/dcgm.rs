//! The names, units and labels of NVIDIA's dcgm-exporter, so that dashboards made for it work here.
//!
//! Only what a GPU can tell is served; DCGM's "blank" values never are.

use super::{
    family::{Facts, Family, Kind},
    figures::GpuFigures,
    page::Page,
};

/// One of DCGM's fields and where its value comes from.
struct Field {
    family: Family<7>,
    value: fn(&GpuFigures) -> Option<f64>,
}

const LABELS: [&str; 7] =
    ["gpu", "UUID", "pci_bus_id", "device", "modelName", "Hostname", "DCGM_FI_DRIVER_VERSION"];

const MIB: f64 = 1_048_576.0;

macro_rules! fields {
    ($($kind:ident $name:literal $help:literal $value:expr;)*) => {
        static FIELDS: &[Field] = &[$(Field {
            family: Family {
                name: concat!("DCGM_FI_DEV_", $name),
                kind: Kind::$kind,
                labels: LABELS,
                help: $help,
            },
            value: $value,
        },)*];

        /// Their rows in the catalogue.
        pub(super) const FACTS: &[Facts] = &[$(Facts {
            name: concat!("DCGM_FI_DEV_", $name),
            kind: Kind::$kind,
            labels: &LABELS,
            help: $help,
        },)*];
    };
}

fields! {
    Gauge "SM_CLOCK" "SM clock frequency (in MHz)." |gpu| gpu.sample.sm_clock_mhz.map(f64::from);
    Gauge "MEM_CLOCK" "Memory clock frequency (in MHz)." |gpu| gpu.sample.memory_clock_mhz.map(f64::from);
    Gauge "MEMORY_TEMP" "Memory temperature (in C)." |gpu| gpu.sample.memory_temperature_celsius.map(f64::from);
    Gauge "GPU_TEMP" "GPU temperature (in C)." |gpu| gpu.sample.temperature_celsius.map(f64::from);
    Gauge "POWER_USAGE" "Power draw (in W)." |gpu| gpu.sample.power_watts.map(f64::from);
    Counter "TOTAL_ENERGY_CONSUMPTION" "Total energy consumption since boot (in mJ)." |gpu| gpu.sample.energy_millijoules.map(float);
    Counter "PCIE_REPLAY_COUNTER" "Total number of PCIe retries." |gpu| gpu.sample.pcie_replays.map(float);
    Gauge "GPU_UTIL" "GPU utilization (in %)." |gpu| gpu.sample.utilization_ratio.map(percent);
    Gauge "MEM_COPY_UTIL" "Memory utilization (in %)." |gpu| gpu.sample.memory_utilization_ratio.map(percent);
    Gauge "ENC_UTIL" "Encoder utilization (in %)." |gpu| gpu.sample.encoder_utilization_ratio.map(percent);
    Gauge "DEC_UTIL" "Decoder utilization (in %)." |gpu| gpu.sample.decoder_utilization_ratio.map(percent);
    Gauge "XID_ERRORS" "Value of the last XID error encountered." |gpu| Some(gpu.xids.last.map_or(0.0, float));
    Gauge "FB_FREE" "Framebuffer memory free (in MiB)." |gpu| gpu.sample.memory_free_bytes.map(mib);
    Gauge "FB_USED" "Framebuffer memory used (in MiB)." |gpu| gpu.sample.memory_used_bytes.map(mib);
    Gauge "FB_RESERVED" "Framebuffer memory reserved (in MiB)." |gpu| gpu.sample.memory_reserved_bytes.map(mib);
}

/// Every field of every GPU.
pub(super) fn write(page: &mut Page, gpus: &[GpuFigures], host: &str) {
    for Field { family, value } in FIELDS {
        let mut samples = page.family(family);
        for gpu in gpus {
            let facts = &gpu.facts;
            let labels = [
                facts.index.as_str(),
                &facts.uuid,
                &facts.pci_bus_id,
                &facts.device,
                &facts.name,
                host,
                &facts.driver_version,
            ];
            samples.put_known(labels, value(gpu));
        }
    }
}

/// Whole percents, as DCGM has them.
fn percent(ratio: f32) -> f64 {
    (f64::from(ratio) * 100.0).round()
}

/// Whole MiB, as DCGM has them.
fn mib(bytes: u64) -> f64 {
    (float(bytes) / MIB).floor()
}

#[allow(clippy::cast_precision_loss, reason = "exact below 2^53")]
const fn float(number: u64) -> f64 {
    number as f64
}
