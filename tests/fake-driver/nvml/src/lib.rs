//! `libnvidia-ml.so.1` as a script says: what the daemon's NVML discovery, sampling and event thread call.
//!
//! Structures and numbers are those of nvml.h. Arguments are checked as a driver would: a caller that passes nonsense is told so.
#![allow(unsafe_code, reason = "a C library: ARCHITECTURE, invariant 8 (test-only)")]
#![allow(non_snake_case, reason = "NVIDIA's names")]
#![allow(clippy::missing_safety_doc, reason = "as nvml.h says")]
#![allow(missing_docs, reason = "as nvml.h says")]
#![allow(unreachable_pub, reason = "found by name, with dlsym")]

use std::{
    ffi::{CStr, c_char, c_int, c_uint, c_ulonglong, c_void},
    fs,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use tests_fake_driver::{Device, Script, script::directory};

type Return = u32;
/// A device's place in the script, from 1, as a pointer.
type Handle = *mut c_void;

const SUCCESS: Return = 0;
const INVALID_ARGUMENT: Return = 2;
const NOT_SUPPORTED: Return = 3;
const NOT_FOUND: Return = 6;
const INSUFFICIENT_SIZE: Return = 7;
const TIMEOUT: Return = 10;
const GPU_IS_LOST: Return = 15;

/// What this call does by the script, or goes on.
macro_rules! enter {
    ($function:expr) => {{
        let script = Script::of_this_process();
        match script.enter($function) {
            Err(code) => return code,
            Ok(()) => script,
        }
    }};
}

fn place(handle: Handle) -> Option<usize> {
    (handle as usize).checked_sub(1)
}

fn device(script: &Script, handle: Handle) -> Result<&Device, Return> {
    let device = place(handle).and_then(|at| script.devices.get(at)).ok_or(INVALID_ARGUMENT)?;
    if device.value("lost") == Some(1) { Err(GPU_IS_LOST) } else { Ok(device) }
}

fn narrow(value: u64) -> c_uint {
    c_uint::try_from(value).unwrap_or(c_uint::MAX)
}

/// # Safety
/// `to` is null or takes a `T`.
unsafe fn put<T>(to: *mut T, value: T) -> Return {
    if to.is_null() {
        return INVALID_ARGUMENT;
    }
    // SAFETY: as the caller promises.
    unsafe { to.write(value) };
    SUCCESS
}

/// # Safety
/// `to` is null or takes `length` bytes.
unsafe fn put_text(to: *mut c_char, length: c_uint, text: &str) -> Return {
    if to.is_null() || text.len() >= length as usize {
        return if to.is_null() { INVALID_ARGUMENT } else { INSUFFICIENT_SIZE };
    }
    for (at, byte) in text.bytes().chain([0]).enumerate() {
        // SAFETY: at most `length` bytes, as was looked at.
        unsafe { to.add(at).write(byte.cast_signed().cast_unsigned() as c_char) };
    }
    SUCCESS
}

/// Functions that give one number of a device.
macro_rules! numbers {
    ($($name:ident, $type:ty, $key:literal;)*) => {$(
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(handle: Handle, to: *mut $type) -> Return {
            let script = enter!(stringify!($name));
            match device(&script, handle).map(|device| device.value($key)) {
                Err(code) => code,
                Ok(None) => NOT_SUPPORTED,
                // SAFETY: nvml.h gives the pointer this type.
                Ok(Some(value)) => unsafe { put(to, <$type>::try_from(value).unwrap_or(<$type>::MAX)) },
            }
        }
    )*};
}

numbers! {
    nvmlDeviceGetPowerUsage, c_uint, "power_mw";
    nvmlDeviceGetTotalEnergyConsumption, c_ulonglong, "energy_mj";
    nvmlDeviceGetNumGpuCores, c_uint, "cores";
    nvmlDeviceGetPcieReplayCounter, c_uint, "pcie_replays";
    nvmlDeviceGetCurrentClocksThrottleReasons, c_ulonglong, "throttle";
    nvmlDeviceGetNumaNodeId, c_uint, "numa";
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlInit_v2() -> Return {
    let _ = enter!("nvmlInit_v2");
    SUCCESS
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlShutdown() -> Return {
    SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlSystemGetDriverVersion(to: *mut c_char, length: c_uint) -> Return {
    let script = enter!("nvmlSystemGetDriverVersion");
    // SAFETY: nvml.h: `length` bytes.
    unsafe { put_text(to, length, &script.driver) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlSystemGetCudaDriverVersion_v2(to: *mut c_int) -> Return {
    let script = enter!("nvmlSystemGetCudaDriverVersion_v2");
    // SAFETY: nvml.h gives the pointer this type, as in every function below.
    unsafe { put(to, script.cuda) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetCount_v2(to: *mut c_uint) -> Return {
    let script = enter!("nvmlDeviceGetCount_v2");
    // SAFETY: as above.
    unsafe { put(to, narrow(script.devices.len() as u64)) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetHandleByIndex_v2(index: c_uint, to: *mut Handle) -> Return {
    let script = enter!("nvmlDeviceGetHandleByIndex_v2");
    if index as usize >= script.devices.len() {
        return INVALID_ARGUMENT;
    }
    // SAFETY: as above.
    unsafe { put(to, (index as usize + 1) as Handle) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetHandleByUUID(uuid: *const c_char, to: *mut Handle) -> Return {
    let script = enter!("nvmlDeviceGetHandleByUUID");
    if uuid.is_null() {
        return INVALID_ARGUMENT;
    }
    // SAFETY: nvml.h: a NUL-terminated string.
    let uuid = unsafe { CStr::from_ptr(uuid) }.to_string_lossy();
    match script.devices.iter().position(|device| device.uuid == uuid) {
        None => NOT_FOUND,
        Some(at) if script.devices[at].value("lost") == Some(1) => GPU_IS_LOST,
        // SAFETY: as above.
        Some(at) => unsafe { put(to, (at + 1) as Handle) },
    }
}

macro_rules! texts {
    ($($name:ident, $field:ident;)*) => {$(
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(handle: Handle, to: *mut c_char, length: c_uint) -> Return {
            let script = enter!(stringify!($name));
            match device(&script, handle) {
                Err(code) => code,
                // SAFETY: nvml.h: `length` bytes.
                Ok(device) => unsafe { put_text(to, length, &device.$field.replace('_', " ")) },
            }
        }
    )*};
}

texts! {
    nvmlDeviceGetName, name;
    nvmlDeviceGetUUID, uuid;
}

#[repr(C)]
#[derive(Debug)]
pub struct Memory {
    version: c_uint,
    total: c_ulonglong,
    reserved: c_ulonglong,
    free: c_ulonglong,
    used: c_ulonglong,
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetMemoryInfo_v2(handle: Handle, to: *mut Memory) -> Return {
    let script = enter!("nvmlDeviceGetMemoryInfo_v2");
    let device = match device(&script, handle) {
        Ok(device) => device,
        Err(code) => return code,
    };
    // SAFETY: nvml.h: a structure whose version the caller has filled in.
    let version = if to.is_null() { 0 } else { unsafe { (*to).version } };
    if version != 2 << 24 | 40 {
        return INVALID_ARGUMENT;
    }
    let bytes = |key| device.value(key).map(|mib| mib << 20);
    let (Some(total), Some(reserved), Some(used)) =
        (bytes("memory_mb"), bytes("reserved_mb"), bytes("used_mb"))
    else {
        return NOT_SUPPORTED;
    };
    let free = total.saturating_sub(reserved + used);
    // SAFETY: as above.
    unsafe { put(to, Memory { version, total, reserved, free, used }) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetCudaComputeCapability(
    handle: Handle,
    major: *mut c_int,
    minor: *mut c_int,
) -> Return {
    let script = enter!("nvmlDeviceGetCudaComputeCapability");
    let part = |key| {
        let value = device(&script, handle)?.value(key).ok_or(NOT_SUPPORTED)?;
        Ok(c_int::try_from(value).unwrap_or(c_int::MAX))
    };
    match (part("cc_major"), part("cc_minor")) {
        // SAFETY: as above.
        (Ok(one), Ok(other)) => unsafe { put(major, one).max(put(minor, other)) },
        (Err(code), _) | (_, Err(code)) => code,
    }
}

#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Pci {
    legacy: [c_char; 16],
    domain: c_uint,
    bus: c_uint,
    device: c_uint,
    device_id: c_uint,
    subsystem_id: c_uint,
    id: [c_char; 32],
}

fn pci(at: usize) -> Pci {
    let bus = c_uint::try_from(at + 1).unwrap_or(c_uint::MAX);
    let mut pci = Pci {
        legacy: [0; 16],
        domain: 0,
        bus,
        device: 0,
        device_id: 0,
        subsystem_id: 0,
        id: [0; 32],
    };
    for (to, from) in pci.id.iter_mut().zip(format!("00000000:{bus:02X}:00.0").bytes()) {
        *to = from as c_char;
    }
    for (to, from) in pci.legacy.iter_mut().zip(format!("0000:{bus:02X}:00.0").bytes()) {
        *to = from as c_char;
    }
    pci
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetPciInfo_v3(handle: Handle, to: *mut Pci) -> Return {
    let script = enter!("nvmlDeviceGetPciInfo_v3");
    match (device(&script, handle), place(handle)) {
        // SAFETY: as above.
        (Ok(_), Some(at)) => unsafe { put(to, pci(at)) },
        (Err(code), _) => code,
        _ => INVALID_ARGUMENT,
    }
}

#[repr(C)]
#[derive(Debug)]
pub struct Utilization {
    gpu: c_uint,
    memory: c_uint,
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetUtilizationRates(
    handle: Handle,
    to: *mut Utilization,
) -> Return {
    let script = enter!("nvmlDeviceGetUtilizationRates");
    let rate = |key| device(&script, handle)?.value(key).map(narrow).ok_or(NOT_SUPPORTED);
    match (rate("gpu_util"), rate("memory_util")) {
        // SAFETY: as above.
        (Ok(gpu), Ok(memory)) => unsafe { put(to, Utilization { gpu, memory }) },
        (Err(code), _) | (_, Err(code)) => code,
    }
}

macro_rules! codecs {
    ($($name:ident, $key:literal;)*) => {$(
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(handle: Handle, to: *mut c_uint, period_us: *mut c_uint) -> Return {
            let script = enter!(stringify!($name));
            match device(&script, handle).and_then(|device| device.value($key).ok_or(NOT_SUPPORTED)) {
                // SAFETY: as above.
                Ok(value) => unsafe { put(to, narrow(value)).max(put(period_us, 167_000)) },
                Err(code) => code,
            }
        }
    )*};
}

codecs! {
    nvmlDeviceGetEncoderUtilization, "encoder_util";
    nvmlDeviceGetDecoderUtilization, "decoder_util";
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetTemperature(
    handle: Handle,
    sensor: c_uint,
    to: *mut c_uint,
) -> Return {
    let script = enter!("nvmlDeviceGetTemperature");
    if sensor != 0 {
        return INVALID_ARGUMENT;
    }
    match device(&script, handle)
        .and_then(|device| device.value("temperature").ok_or(NOT_SUPPORTED))
    {
        // SAFETY: as above.
        Ok(value) => unsafe { put(to, narrow(value)) },
        Err(code) => code,
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetClockInfo(
    handle: Handle,
    clock: c_uint,
    to: *mut c_uint,
) -> Return {
    let script = enter!("nvmlDeviceGetClockInfo");
    let key = match clock {
        0 | 1 => "sm_clock",
        2 => "memory_clock",
        _ => return INVALID_ARGUMENT,
    };
    match device(&script, handle).and_then(|device| device.value(key).ok_or(NOT_SUPPORTED)) {
        // SAFETY: as above.
        Ok(value) => unsafe { put(to, narrow(value)) },
        Err(code) => code,
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetTotalEccErrors(
    handle: Handle,
    kind: c_uint,
    _counter: c_uint,
    to: *mut c_ulonglong,
) -> Return {
    let script = enter!("nvmlDeviceGetTotalEccErrors");
    let key = if kind == 0 { "ecc_corrected" } else { "ecc_uncorrected" };
    match device(&script, handle).and_then(|device| device.value(key).ok_or(NOT_SUPPORTED)) {
        // SAFETY: as above.
        Ok(value) => unsafe { put(to, value) },
        Err(code) => code,
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetMigMode(
    handle: Handle,
    current: *mut c_uint,
    pending: *mut c_uint,
) -> Return {
    let script = enter!("nvmlDeviceGetMigMode");
    match device(&script, handle).and_then(|device| device.value("mig").ok_or(NOT_SUPPORTED)) {
        // SAFETY: as above.
        Ok(mode) => unsafe { put(current, narrow(mode)).max(put(pending, narrow(mode))) },
        Err(code) => code,
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetTopologyCommonAncestor(
    one: Handle,
    other: Handle,
    to: *mut c_uint,
) -> Return {
    let script = enter!("nvmlDeviceGetTopologyCommonAncestor");
    match (device(&script, one), device(&script, other)) {
        (Ok(one), Ok(_)) => match one.value("ancestor") {
            // SAFETY: as above.
            Some(level) => unsafe { put(to, narrow(level)) },
            None => NOT_SUPPORTED,
        },
        (Err(code), _) | (_, Err(code)) => code,
    }
}

/// Every device has its links to the next one, and the last to the first.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetNvLinkState(
    handle: Handle,
    link: c_uint,
    to: *mut c_uint,
) -> Return {
    let script = enter!("nvmlDeviceGetNvLinkState");
    match device(&script, handle).map(|device| device.value("nvlinks").unwrap_or(0)) {
        Ok(0) => NOT_SUPPORTED,
        // SAFETY: as above.
        Ok(links) if u64::from(link) < 18 => unsafe {
            put(to, c_uint::from(u64::from(link) < links))
        },
        Ok(_) => INVALID_ARGUMENT,
        Err(code) => code,
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetNvLinkRemotePciInfo_v2(
    handle: Handle,
    _link: c_uint,
    to: *mut Pci,
) -> Return {
    let script = enter!("nvmlDeviceGetNvLinkRemotePciInfo_v2");
    match (device(&script, handle), place(handle)) {
        // SAFETY: as above.
        (Ok(_), Some(at)) => unsafe { put(to, pci((at + 1) % script.devices.len())) },
        (Err(code), _) => code,
        _ => INVALID_ARGUMENT,
    }
}

#[repr(C)]
#[derive(Debug)]
pub struct FieldValue {
    field: c_uint,
    scope: c_uint,
    timestamp: i64,
    latency_us: i64,
    kind: c_uint,
    status: Return,
    value: u64,
}

const FIELD_MEMORY_TEMP: c_uint = 82;
const FIELD_RECOVERY_ACTION: c_uint = 230;

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetFieldValues(
    handle: Handle,
    count: c_int,
    values: *mut FieldValue,
) -> Return {
    let script = enter!("nvmlDeviceGetFieldValues");
    let device = match device(&script, handle) {
        Ok(device) => device,
        Err(code) => return code,
    };
    let Ok(count) = usize::try_from(count) else { return INVALID_ARGUMENT };
    for at in 0..count {
        // SAFETY: nvml.h: `count` structures.
        let value = unsafe { &mut *values.add(at) };
        let known = match value.field {
            FIELD_MEMORY_TEMP => device.value("memory_temperature"),
            FIELD_RECOVERY_ACTION => device.value("recovery"),
            _ => None,
        };
        value.kind = 1; // unsigned int
        value.status = if known.is_some() { SUCCESS } else { NOT_SUPPORTED };
        value.value = known.unwrap_or(0);
    }
    SUCCESS
}

/// As a driver that has no samples answers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetComputeRunningProcesses_v3(
    handle: Handle,
    count: *mut c_uint,
    _processes: *mut c_void,
) -> Return {
    let script = enter!("nvmlDeviceGetComputeRunningProcesses_v3");
    match device(&script, handle) {
        // SAFETY: as above.
        Ok(_) => unsafe { put(count, 0) },
        Err(code) => code,
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlEventSetCreate(to: *mut *mut c_void) -> Return {
    let _ = enter!("nvmlEventSetCreate");
    // SAFETY: as above.
    unsafe { put(to, 0x5e7_usize as *mut c_void) }
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlEventSetFree(_set: *mut c_void) -> Return {
    SUCCESS
}

/// Single and double bit errors, Xids, and a type of the future.
const EVENTS_SUPPORTED: c_ulonglong = 1 | 2 | 8 | 0x8000;

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetSupportedEventTypes(
    handle: Handle,
    to: *mut c_ulonglong,
) -> Return {
    let script = enter!("nvmlDeviceGetSupportedEventTypes");
    match device(&script, handle) {
        // SAFETY: as above.
        Ok(_) => unsafe { put(to, EVENTS_SUPPORTED) },
        Err(code) => code,
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceRegisterEvents(
    handle: Handle,
    mask: c_ulonglong,
    _set: *mut c_void,
) -> Return {
    let script = enter!("nvmlDeviceRegisterEvents");
    match device(&script, handle) {
        Ok(_) if mask & !EVENTS_SUPPORTED == 0 => SUCCESS,
        Ok(_) => NOT_SUPPORTED,
        Err(code) => code,
    }
}

#[repr(C)]
#[derive(Debug)]
pub struct EventData {
    device: Handle,
    kind: c_ulonglong,
    data: c_ulonglong,
    gpu_instance: c_uint,
    compute_instance: c_uint,
}

/// Between two looks for an event.
const LOOK: Duration = Duration::from_millis(2);

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlEventSetWait_v2(
    _set: *mut c_void,
    to: *mut EventData,
    timeout_ms: c_uint,
) -> Return {
    static TAKEN: AtomicUsize = AtomicUsize::new(0);
    let _ = enter!("nvmlEventSetWait_v2");
    let end = Instant::now() + Duration::from_millis(timeout_ms.into());
    loop {
        let told = fs::read_to_string(directory().join("events")).unwrap_or_default();
        let whole = told.rfind('\n').map_or("", |end| &told[..end]);
        if let Some(line) = whole.lines().nth(TAKEN.load(Ordering::Relaxed)) {
            TAKEN.fetch_add(1, Ordering::Relaxed);
            let words: Vec<u64> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
            let [kind, data, at] = words[..] else { return INVALID_ARGUMENT };
            let device = (usize::try_from(at).unwrap_or(usize::MAX - 1) + 1) as Handle;
            let instance = c_uint::MAX;
            let event = EventData {
                device,
                kind,
                data,
                gpu_instance: instance,
                compute_instance: instance,
            };
            // SAFETY: as above.
            return unsafe { put(to, event) };
        }
        if Instant::now() >= end {
            return TIMEOUT;
        }
        std::thread::park_timeout(LOOK);
    }
}
