//! Discovery through NVML: which NVIDIA GPUs are there and how they are, without a CUDA context.

use bridge_host_gpu::{
    BackendKind, ComputeCapability, ErrorKind, GpuDiscovery, GpuError, GpuInfo, GpuSample, Health,
    MemoryEnforcement,
};
use nvml_wrapper::{Device, Nvml, enum_wrappers::device::TemperatureSensor, error::NvmlError};

use crate::architecture::{cores_per_sm, shared_bytes_max, streams_max};

const MIB: u64 = 1024 * 1024;

/// NVML, open for as long as this lives.
#[derive(Debug)]
pub struct NvmlDiscovery(Nvml);

impl NvmlDiscovery {
    /// Loads `libnvidia-ml.so.1` and initialises it.
    ///
    /// # Errors
    /// `NoDriver`, saying what was looked for or what is wrong with the driver.
    pub fn new() -> Result<Self, GpuError> {
        Nvml::init().map(Self).map_err(|error| failure("load NVML", &error))
    }

    fn info(&self, index: u32) -> Result<GpuInfo, NvmlError> {
        let device = self.0.device_by_index(index)?;
        let memory = device.memory_info()?;
        let capability = capability(&device)?;
        Ok(GpuInfo {
            uuid: device.uuid()?,
            name: device.name()?,
            vendor: "NVIDIA".to_owned(),
            backend: BackendKind::Nvidia,
            memory_mb: mib(memory.total),
            memory_reserved_mb: mib(memory.reserved.next_multiple_of(MIB)),
            sm_count: sm_count(&device, capability),
            compute_capability: capability,
            driver_version: self.0.sys_driver_version()?,
            runtime_version: cuda_version(self.0.sys_cuda_driver_version()?),
            pci_bus_id: device.pci_info().ok().map(|pci| pci.bus_id),
            streams_max: streams_max(capability),
            block_threads_max: 1024,
            block_max: [1024, 1024, 64],
            grid_max: [0x7fff_ffff, 65_535, 65_535],
            shared_bytes_max: shared_bytes_max(capability),
            memory_enforcement: MemoryEnforcement::Accounting,
            topology: bridge_host_gpu::Topology::default(),
            mig: None,
            health: Health::Ok,
        })
    }
}

impl GpuDiscovery for NvmlDiscovery {
    fn inventory(&mut self) -> Result<Vec<GpuInfo>, GpuError> {
        let count = self.0.device_count().map_err(|error| failure("count GPUs", &error))?;
        (0..count)
            .map(|index| {
                self.info(index)
                    .map_err(|error| failure(&format!("read facts of GPU {index}"), &error))
            })
            .collect()
    }

    fn sample(&mut self, uuid: &str) -> Result<GpuSample, GpuError> {
        let device = self
            .0
            .device_by_uuid(uuid)
            .map_err(|error| failure(&format!("find GPU {uuid}"), &error))?;
        let read = |error| failure(&format!("read counters of GPU {uuid}"), &error);
        Ok(GpuSample {
            utilization_ratio: told(device.utilization_rates())
                .map_err(read)?
                .map(|rates| percent(rates.gpu)),
            memory_used_bytes: told(device.memory_info()).map_err(read)?.map(|memory| memory.used),
            temperature_celsius: told(device.temperature(TemperatureSensor::Gpu))
                .map_err(read)?
                .map(whole),
            power_watts: told(device.power_usage())
                .map_err(read)?
                .map(|milliwatts| whole(milliwatts) / 1000.0),
            ..GpuSample::default()
        })
    }
}

/// `None` for what this GPU cannot tell; an error for a GPU that is not well.
fn told<T>(reading: Result<T, NvmlError>) -> Result<Option<T>, NvmlError> {
    match reading {
        Ok(value) => Ok(Some(value)),
        Err(
            NvmlError::NotSupported | NvmlError::NoPermission | NvmlError::FailedToLoadSymbol(_),
        ) => Ok(None),
        Err(error) => Err(error),
    }
}

fn capability(device: &Device<'_>) -> Result<ComputeCapability, NvmlError> {
    let capability = device.cuda_compute_capability()?;
    let part = |number: i32| u8::try_from(number).map_err(|_| NvmlError::Unknown);
    Ok(ComputeCapability { major: part(capability.major)?, minor: part(capability.minor)? })
}

/// 0 where neither NVML nor the table knows: shown as unknown, used for nothing.
fn sm_count(device: &Device<'_>, capability: ComputeCapability) -> u32 {
    match (device.num_cores(), cores_per_sm(capability)) {
        (Ok(cores), Some(per_sm)) => cores / per_sm,
        _ => 0,
    }
}

fn cuda_version(version: i32) -> String {
    format!("{}.{}", version / 1000, version % 1000 / 10)
}

fn mib(bytes: u64) -> u32 {
    u32::try_from(bytes / MIB).unwrap_or(u32::MAX)
}

fn percent(value: u32) -> f32 {
    whole(value) / 100.0
}

/// Readings are far below 2^24, where `f32` is exact.
#[allow(clippy::cast_precision_loss, reason = "watts, degrees, percent")]
fn whole(value: u32) -> f32 {
    value as f32
}

fn failure(doing: &str, error: &NvmlError) -> GpuError {
    let (kind, detail) = match error {
        NvmlError::LibloadingError(_) | NvmlError::LibraryNotFound => {
            (ErrorKind::NoDriver, "libnvidia-ml.so.1 is not on this machine".to_owned())
        }
        NvmlError::DriverNotLoaded => (
            ErrorKind::NoDriver,
            "the NVIDIA kernel module is not loaded; try: nvidia-smi".to_owned(),
        ),
        NvmlError::LibRmVersionMismatch => (
            ErrorKind::NoDriver,
            "the driver was updated and its kernel module was not; reboot".to_owned(),
        ),
        NvmlError::GpuLost | NvmlError::ResetRequired | NvmlError::NotFound => {
            (ErrorKind::NoGpu, error.to_string())
        }
        _ => (ErrorKind::Device, error.to_string()),
    };
    GpuError::new(kind, doing, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_nvml_is_told_what_was_looked_for() {
        match NvmlDiscovery::new() {
            Err(error) => {
                assert_eq!(error.kind, ErrorKind::NoDriver);
                assert!(error.to_string().starts_with("load NVML: "), "{error}");
            }
            Ok(_) => eprintln!("skipped: this machine has NVML"),
        }
    }

    #[test]
    fn a_driver_updated_under_us_says_reboot() {
        let error = failure("count GPUs", &NvmlError::LibRmVersionMismatch);
        assert_eq!(
            error.to_string(),
            "count GPUs: the driver was updated and its kernel module was not; reboot"
        );
    }

    #[test]
    fn what_a_gpu_cannot_tell_is_nothing_and_a_lost_gpu_is_an_error() {
        assert!(matches!(told::<u32>(Err(NvmlError::NotSupported)), Ok(None)));
        assert!(matches!(told::<u32>(Err(NvmlError::GpuLost)), Err(NvmlError::GpuLost)));
    }

    #[test]
    fn versions_read_as_nvidia_writes_them() {
        assert_eq!(cuda_version(12_040), "12.4");
        assert_eq!(cuda_version(13_000), "13.0");
    }
}
