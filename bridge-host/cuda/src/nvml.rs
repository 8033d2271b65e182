//! Discovery through NVML: which NVIDIA GPUs are there and how they are, without a CUDA context.

use bridge_host_gpu::{
    BackendKind, ComputeCapability, EccErrors, ErrorKind, GpuDiscovery, GpuError, GpuEvents,
    GpuInfo, GpuSample, Health, MemoryEnforcement, MigState, Peer, ProcessMemory, Throttle,
    Topology,
};
use nvml_wrapper::{
    Device, Nvml,
    enum_wrappers::device::{Clock, EccCounter, MemoryError, TemperatureSensor, TopologyLevel},
    enums::device::{SampleValue, UsedGpuMemory},
    error::NvmlError,
    structs::device::FieldId,
};

use crate::{
    architecture::{cores_per_sm, shared_bytes_max, streams_max},
    driver::searched,
    events::NvmlEvents,
    health::Slowdowns,
    xid,
};

const MIB: u64 = 1024 * 1024;

/// From this CUDA version on the driver's memory pools have a bound of their own.
const BOUNDED_POOLS_SINCE: i32 = 12_020;

/// Direct links that one GPU may have.
const LINKS_MAX: u32 = 18;

// Field numbers of nvml.h.
const FIELD_MEMORY_TEMPERATURE: FieldId = FieldId(82);
const FIELD_RECOVERY_ACTION: FieldId = FieldId(230);

/// NVML, open for as long as this lives.
#[derive(Debug)]
pub struct NvmlDiscovery {
    nvml: Nvml,
    slowdowns: Slowdowns,
}

impl NvmlDiscovery {
    /// Loads `libnvidia-ml.so.1` and initialises it.
    ///
    /// # Errors
    /// `NoDriver`, saying what was looked for or what is wrong with the driver.
    pub fn new() -> Result<Self, GpuError> {
        let nvml = Nvml::init().map_err(|error| failure("load NVML", &error))?;
        Ok(Self { nvml, slowdowns: Slowdowns::default() })
    }

    fn info(&self, index: u32) -> Result<GpuInfo, NvmlError> {
        let device = self.nvml.device_by_index(index)?;
        let memory = device.memory_info()?;
        let capability = capability(&device)?;
        let cuda = self.nvml.sys_cuda_driver_version()?;
        Ok(GpuInfo {
            uuid: device.uuid()?,
            name: device.name()?,
            vendor: "NVIDIA".to_owned(),
            backend: BackendKind::Nvidia,
            memory_mb: mib(memory.total),
            memory_reserved_mb: mib(memory.reserved.next_multiple_of(MIB)),
            sm_count: sm_count(&device, capability),
            compute_capability: capability,
            driver_version: self.nvml.sys_driver_version()?,
            runtime_version: cuda_version(cuda),
            pci_bus_id: device.pci_info().ok().map(|pci| pci.bus_id),
            streams_max: streams_max(capability),
            block_threads_max: 1024,
            block_max: [1024, 1024, 64],
            grid_max: [0x7fff_ffff, 65_535, 65_535],
            shared_bytes_max: shared_bytes_max(capability),
            memory_enforcement: enforcement(cuda),
            topology: self.topology(index, &device)?,
            mig: told(device.mig_mode())?
                .map(|mode| MigState { current: mode.current != 0, pending: mode.pending != 0 }),
            health: Health::Ok,
        })
    }

    fn topology(&self, index: u32, device: &Device<'_>) -> Result<Topology, NvmlError> {
        let links = links(device)?;
        let others = (0..self.nvml.device_count()?).filter(|other| *other != index);
        let peers = others.map(|other| {
            let other = self.nvml.device_by_index(other)?;
            let place = told(other.pci_info())?.map(|pci| pci.bus_id);
            let to_it = links.iter().filter(|end| Some(*end) == place.as_ref()).count();
            Ok(Peer {
                uuid: other.uuid()?,
                ancestor: ancestor(device.topology_common_ancestor(other))?,
                links: u32::try_from(to_it).unwrap_or(LINKS_MAX),
            })
        });
        let peers = peers.collect::<Result<_, NvmlError>>()?;
        Ok(Topology { numa_node: told(device.numa_node_id())?, peers })
    }

    fn counters(device: &Device<'_>) -> Result<GpuSample, NvmlError> {
        let rates = told(device.utilization_rates())?;
        let memory = told(device.memory_info())?;
        let ecc = |kind| told(device.total_ecc_errors(kind, EccCounter::Volatile));
        let (corrected, uncorrected) =
            (ecc(MemoryError::Corrected)?, ecc(MemoryError::Uncorrected)?);
        Ok(GpuSample {
            utilization_ratio: rates.as_ref().map(|rates| percent(rates.gpu)),
            memory_utilization_ratio: rates.map(|rates| percent(rates.memory)),
            encoder_utilization_ratio: told(device.encoder_utilization())?
                .map(|encoder| percent(encoder.utilization)),
            decoder_utilization_ratio: told(device.decoder_utilization())?
                .map(|decoder| percent(decoder.utilization)),
            memory_used_bytes: memory.as_ref().map(|memory| memory.used),
            memory_free_bytes: memory.as_ref().map(|memory| memory.free),
            memory_reserved_bytes: memory.map(|memory| memory.reserved),
            temperature_celsius: told(device.temperature(TemperatureSensor::Gpu))?.map(whole),
            memory_temperature_celsius: field(device, FIELD_MEMORY_TEMPERATURE).map(whole),
            power_watts: told(device.power_usage())?.map(|milliwatts| whole(milliwatts) / 1000.0),
            energy_millijoules: told(device.total_energy_consumption())?,
            sm_clock_mhz: told(device.clock_info(Clock::SM))?,
            memory_clock_mhz: told(device.clock_info(Clock::Memory))?,
            pcie_replays: told(device.pcie_replay_counter())?.map(u64::from),
            ecc: corrected
                .zip(uncorrected)
                .map(|(corrected, uncorrected)| EccErrors { corrected, uncorrected }),
            throttle: told(device.current_throttle_reasons())?
                .map(|reasons| Throttle(reasons.bits())),
            processes: processes(device)?,
            health: None,
        })
    }
}

/// Memory by process. No process at all, and no samples, are the same to NVML and to us.
fn processes(device: &Device<'_>) -> Result<Vec<ProcessMemory>, NvmlError> {
    let processes = told(device.running_compute_processes())?.unwrap_or_default();
    let memory = |used| match used {
        UsedGpuMemory::Used(bytes) => Some(bytes),
        UsedGpuMemory::Unavailable => None,
    };
    Ok(processes
        .into_iter()
        .map(|process| ProcessMemory { pid: process.pid, bytes: memory(process.used_gpu_memory) })
        .collect())
}

/// Where the direct links of a GPU lead, by PCI id, each link that is up once.
fn links(device: &Device<'_>) -> Result<Vec<String>, NvmlError> {
    let mut ends = Vec::new();
    for link in 0..LINKS_MAX {
        let link = device.link_wrapper_for(link);
        match link.is_active() {
            Ok(true) => ends.extend(told(link.remote_pci_info())?.map(|pci| pci.bus_id)),
            Ok(false) => {}
            // No such link: no later one either.
            Err(NvmlError::InvalidArg) => break,
            Err(error) => {
                if told::<bool>(Err(error))?.is_none() {
                    break;
                }
            }
        }
    }
    Ok(ends)
}

/// In words of our own; a level that is not known stays the number that it is.
fn ancestor(level: Result<TopologyLevel, NvmlError>) -> Result<Option<String>, NvmlError> {
    let word = match level {
        Ok(TopologyLevel::Internal) => "board",
        Ok(TopologyLevel::Single) => "switch",
        Ok(TopologyLevel::Multiple) => "switches",
        Ok(TopologyLevel::HostBridge) => "bridge",
        Ok(TopologyLevel::Node) => "node",
        Ok(TopologyLevel::System) => "system",
        Err(NvmlError::UnexpectedVariant(number)) => return Ok(Some(number.to_string())),
        Err(error) => return told(Err(error)),
    };
    Ok(Some(word.to_owned()))
}

/// One field as a number; fields fail one by one.
fn field(device: &Device<'_>, id: FieldId) -> Option<u32> {
    let values = device.field_values_for(&[id]).ok()?;
    match values.into_iter().next()?.ok()?.value.ok()? {
        SampleValue::U32(value) => Some(value),
        SampleValue::U64(value) => u32::try_from(value).ok(),
        SampleValue::I64(value) => u32::try_from(value).ok(),
        SampleValue::F64(_) => None,
    }
}

/// What the driver itself wants done, as its number; `None` where it does not say.
pub(crate) fn recovery_action(device: &Device<'_>) -> Option<u32> {
    field(device, FIELD_RECOVERY_ACTION)
}

/// `580` of `580.159.03`; 0 of what is none.
pub(crate) fn driver_branch(version: &str) -> u32 {
    version.split('.').next().and_then(|branch| branch.parse().ok()).unwrap_or(0)
}

const fn enforcement(cuda: i32) -> MemoryEnforcement {
    if cuda >= BOUNDED_POOLS_SINCE {
        MemoryEnforcement::Pool
    } else {
        MemoryEnforcement::Accounting
    }
}

impl GpuDiscovery for NvmlDiscovery {
    fn inventory(&mut self) -> Result<Vec<GpuInfo>, GpuError> {
        let count = self.nvml.device_count().map_err(|error| failure("count GPUs", &error))?;
        (0..count)
            .map(|index| {
                self.info(index)
                    .map_err(|error| failure(&format!("read facts of GPU {index}"), &error))
            })
            .collect()
    }

    fn sample(&mut self, uuid: &str) -> Result<GpuSample, GpuError> {
        let device = self
            .nvml
            .device_by_uuid(uuid)
            .map_err(|error| failure(&format!("find GPU {uuid}"), &error))?;
        let mut sample = Self::counters(&device)
            .map_err(|error| failure(&format!("read counters of GPU {uuid}"), &error))?;
        let wanted = recovery_action(&device).and_then(xid::of_driver);
        sample.health = Some(self.slowdowns.judge(uuid, &sample, wanted));
        Ok(sample)
    }

    fn events(&mut self) -> Result<Option<Box<dyn GpuEvents>>, GpuError> {
        Ok(NvmlEvents::subscribe()?.map(|events| Box::new(events) as Box<dyn GpuEvents>))
    }
}

/// `None` for what this GPU cannot tell; an error for a GPU that is not well.
fn told<T>(reading: Result<T, NvmlError>) -> Result<Option<T>, NvmlError> {
    match reading {
        Ok(value) => Ok(Some(value)),
        Err(
            NvmlError::NotSupported
            | NvmlError::NoPermission
            | NvmlError::NotFound
            | NvmlError::FunctionNotFound
            | NvmlError::UnexpectedVariant(_)
            | NvmlError::FailedToLoadSymbol(_),
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

pub(crate) fn failure(doing: &str, error: &NvmlError) -> GpuError {
    let (kind, detail) = match error {
        NvmlError::LibloadingError(_) | NvmlError::LibraryNotFound => (
            ErrorKind::NoDriver,
            format!("libnvidia-ml.so.1 is not on this machine; {}", searched()),
        ),
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
        NvmlError::FailedToLoadSymbol(symbol) => (
            ErrorKind::NoDriver,
            format!("libnvidia-ml lacks a function; update the driver: {symbol}"),
        ),
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
