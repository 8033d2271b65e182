//! The traits an adapter implements.

use alloc::{boxed::Box, string::String, sync::Arc, vec::Vec};
use core::sync::atomic::{AtomicBool, Ordering};

use crate::{
    GpuError, GpuEvent, GpuInfo, GpuSample, KernelSignature, LaunchSpec, LaunchTimes,
    MemoryEnforcement, ModuleImage,
};

/// The daemon's side: which GPUs are there and how they are. Holds no context, runs no kernel.
pub trait GpuDiscovery: Send {
    /// Every GPU seen, in a stable order; called again after a change of hardware.
    ///
    /// # Errors
    /// When the vendor's library is missing or broken: the error says what was looked for and where.
    fn inventory(&mut self) -> Result<Vec<GpuInfo>, GpuError>;

    /// The present utilisation and health of one GPU, by its uuid.
    ///
    /// # Errors
    /// When the GPU is gone or its driver will not answer.
    fn sample(&mut self, uuid: &str) -> Result<GpuSample, GpuError>;

    /// What the driver tells without being asked, for a thread of its own; `None` where it tells nothing.
    ///
    /// # Errors
    /// When the driver tells things, and will not do so now.
    fn events(&mut self) -> Result<Option<Box<dyn GpuEvents>>, GpuError> {
        Ok(None)
    }
}

/// What a driver tells without being asked.
pub trait GpuEvents: Send {
    /// The next event, or `None` when none came within `timeout_ms`.
    ///
    /// # Errors
    /// When the driver cannot be listened to any more: every GPU is suspect then.
    fn wait(&mut self, timeout_ms: u32) -> Result<Option<GpuEvent>, GpuError>;
}

/// The executor's side: a way to open one GPU.
pub trait GpuBackend: Send {
    /// Opens the GPU and makes a context on it, bounded by `limits`.
    ///
    /// # Errors
    /// Unknown uuid, no memory for the context, driver refusal.
    fn open(&mut self, uuid: &str, limits: DeviceLimits) -> Result<Box<dyn GpuDevice>, GpuError>;
}

/// What one context may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceLimits {
    /// Bytes of device memory for buffers and module globals together.
    pub memory_bytes: u64,
    /// Launches that may be in flight at once.
    pub streams: u16,
    /// Bytes that device-side `printf` may keep per launch.
    pub printf_bytes: u32,
}

/// An address in the device's memory; 0 is null.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct DevicePtr(pub u64);

/// A module loaded in one device; means nothing in another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModuleId(pub u32);

/// One GPU, opened. Every method may fail with an error whose kind is sticky: after that nothing more can be asked of it.
pub trait GpuDevice: Send {
    /// Loads a module (PTX, cubin or fat binary) and compiles it where the device must.
    ///
    /// # Errors
    /// `InvalidModule` with the compiler's own log; `Unsupported` naming instruction and line; `OutOfMemory` for its globals.
    fn load(&mut self, image: ModuleImage<'_>) -> Result<ModuleId, GpuError>;

    /// Forgets a module and frees its globals.
    ///
    /// # Errors
    /// An id that this device did not give.
    fn unload(&mut self, module: ModuleId) -> Result<(), GpuError>;

    /// The parameter table and limits of one kernel of a module.
    ///
    /// # Errors
    /// `UnknownKernel`, listing those the module has.
    fn kernel(&self, module: ModuleId, name: &str) -> Result<KernelSignature, GpuError>;

    /// Allocates `bytes` of zeroed device memory, aligned to at least 256.
    ///
    /// # Errors
    /// `OutOfMemory`, with what was asked, used and allowed.
    fn alloc(&mut self, bytes: u64) -> Result<DevicePtr, GpuError>;

    /// Frees one allocation.
    ///
    /// # Errors
    /// A pointer that is not the start of a live allocation.
    fn free(&mut self, pointer: DevicePtr) -> Result<(), GpuError>;

    /// Copies host bytes to the device (h2d).
    ///
    /// # Errors
    /// A range outside of one allocation.
    fn write(&mut self, to: DevicePtr, bytes: &[u8]) -> Result<(), GpuError>;

    /// Copies device bytes to the host (d2h).
    ///
    /// # Errors
    /// A range outside of one allocation.
    fn read(&mut self, from: DevicePtr, bytes: &mut [u8]) -> Result<(), GpuError>;

    /// Launches one kernel and waits for its end.
    ///
    /// # Errors
    /// `Stopped` when `stop` was raised; `Fault` with place and address; and what a launch can be refused for.
    fn launch(&mut self, launch: &LaunchSpec, stop: &StopSignal) -> Result<LaunchTimes, GpuError>;

    /// What device-side `printf` wrote since it was last taken, cut at the limit.
    fn take_printf(&mut self) -> String;

    /// Bytes of device memory in use now, by buffers and module globals.
    fn memory_used(&self) -> u64;

    /// By whom this context's memory bound is enforced.
    fn memory_enforcement(&self) -> MemoryEnforcement {
        MemoryEnforcement::Accounting
    }
}

/// A wish, from another thread, that a launch end soon. An adapter that cannot stop a running kernel ignores it; the
/// daemon's kill is the stop that always works.
#[derive(Debug, Clone, Default)]
pub struct StopSignal(Arc<AtomicBool>);

impl StopSignal {
    /// A signal not yet raised.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the launch to end. Never taken back.
    pub fn raise(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether an end was asked for.
    #[must_use]
    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
