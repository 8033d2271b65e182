//! What NVML tells without being asked: Xids, memory errors, what the driver wants done. For a thread of the daemon.
#![allow(unsafe_code, reason = "waits through libnvidia-ml itself: ARCHITECTURE, invariant 8")]

use bridge_host_gpu::{ErrorKind, GpuError, GpuEvent, GpuEvents, Remedy};
use nvml_wrapper::{Device, EventSet, Nvml, bitmasks::event::EventTypes, error::NvmlError};

use crate::{
    health::in_words,
    nvml::{driver_branch, failure, recovery_action},
    xid,
};

/// Single-bit errors are put right and many: the counters tell them.
const DOUBLE_BIT_ERROR: u64 = 0x2;
const XID: u64 = 0x8;
const RECOVERY_ACTION: u64 = 0x8000;

const NVML_SUCCESS: u32 = 0;
const NVML_ERROR_TIMEOUT: u32 = 10;

/// The events of all GPUs of this machine.
#[derive(Debug)]
pub struct NvmlEvents {
    /// For good: the set borrows it, and the thread that waits lives as long as the daemon.
    nvml: &'static Nvml,
    set: EventSet<'static>,
    driver_branch: u32,
}

impl NvmlEvents {
    /// Listens to every GPU that tells anything; `None` where none does.
    ///
    /// # Errors
    /// When the driver cannot be asked.
    pub fn subscribe() -> Result<Option<Self>, GpuError> {
        let failed = |error| failure("listen to the driver", &error);
        let nvml: &'static Nvml = Box::leak(Box::new(Nvml::init().map_err(failed)?));
        let driver_branch = driver_branch(&nvml.sys_driver_version().map_err(failed)?);
        let mut set = nvml.create_event_set().map_err(failed)?;
        let mut heard = false;
        for index in 0..nvml.device_count().map_err(failed)? {
            let device = nvml.device_by_index(index).map_err(failed)?;
            let Ok(supported) = supported(nvml, &device) else { continue };
            let wanted = supported & (DOUBLE_BIT_ERROR | XID | RECOVERY_ACTION);
            if wanted == 0 {
                continue;
            }
            // On failure the set is gone, and with it what was registered: nothing is heard half.
            set = device
                .register_events(EventTypes::from_bits_retain(wanted), set)
                .map_err(|error| failed(error.error))?;
            heard = true;
        }
        Ok(heard.then_some(Self { nvml, set, driver_branch }))
    }

    fn describe(&self, device: Option<&Device<'_>>, kind: u64, data: u64) -> GpuEvent {
        let uuid = device.and_then(|device| device.uuid().ok());
        // The driver's own word, where it has one, counts more than the table's.
        let wanted = device.and_then(recovery_action).and_then(xid::of_driver);
        let (code, what, remedy) = match kind {
            XID => {
                let remedy = wanted.unwrap_or_else(|| xid::of_table(data, self.driver_branch));
                (Some(data), format!("xid {data}"), remedy)
            }
            DOUBLE_BIT_ERROR => {
                let remedy = wanted.unwrap_or(Remedy::DrainAndReset);
                (None, "double-bit memory error".to_owned(), remedy)
            }
            RECOVERY_ACTION => (
                None,
                "the driver changed what it wants done".to_owned(),
                wanted.unwrap_or(Remedy::Log),
            ),
            other => {
                (None, format!("event {other:#x} with data {data}"), wanted.unwrap_or(Remedy::Log))
            }
        };
        let whose = if wanted.is_some() { "the driver wants" } else { "to do" };
        GpuEvent { uuid, code, what: format!("{what}; {whose}: {}", in_words(remedy)), remedy }
    }
}

impl GpuEvents for NvmlEvents {
    /// Not through the wrapper, which drops the bits that it does not know.
    fn wait(&mut self, timeout_ms: u32) -> Result<Option<GpuEvent>, GpuError> {
        let Ok(wait) = &self.nvml.lib().nvmlEventSetWait_v2 else {
            let detail = "libnvidia-ml lacks nvmlEventSetWait_v2; update the driver";
            return Err(GpuError::new(ErrorKind::NoDriver, "wait for events", detail));
        };
        // SAFETY: a structure of integers and a pointer, all of which may be zero.
        let mut data = unsafe { std::mem::zeroed() };
        // SAFETY: a set of this library and an out parameter of its own type.
        match unsafe { wait(self.set.handle(), &raw mut data, timeout_ms) } {
            NVML_SUCCESS => {
                // SAFETY: the handle is the library's own, and is only used with it.
                let device = (!data.device.is_null())
                    .then(|| unsafe { Device::new(data.device, self.nvml) });
                Ok(Some(self.describe(device.as_ref(), data.eventType, data.eventData)))
            }
            NVML_ERROR_TIMEOUT => Ok(None),
            code => {
                let detail = format!("nvmlReturn {code}: every GPU is suspect");
                Err(GpuError::new(ErrorKind::Device, "wait for events", detail).with_code(code))
            }
        }
    }
}

/// With the bits that the wrapper does not know.
fn supported(nvml: &Nvml, device: &Device<'_>) -> Result<u64, NvmlError> {
    let Ok(ask) = &nvml.lib().nvmlDeviceGetSupportedEventTypes else {
        return Err(NvmlError::NotSupported);
    };
    let mut bits = 0;
    // SAFETY: a handle of this library and an out parameter of the right type.
    match unsafe { ask(device.handle(), &raw mut bits) } {
        NVML_SUCCESS => Ok(bits),
        _ => Err(NvmlError::NotSupported),
    }
}
