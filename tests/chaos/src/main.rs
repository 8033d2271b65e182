//! `gpu-bridge-host`, but for one thing: its executors write down every kernel that they launch, before they launch it.
//!
//! So the test that kills them knows what ran from the one who ran it, and not from the daemon that may have forgotten.

use std::{
    env,
    fs::File,
    io::{self, Write},
    process::ExitCode,
};

use bridge_host::Backend;
use bridge_host_gpu::{
    DeviceLimits, DevicePtr, ErrorKind, GpuBackend, GpuDevice, GpuError, KernelSignature,
    LaunchSpec, LaunchTimes, MemoryEnforcement, ModuleId, ModuleImage, StopSignal,
};

/// Where launches are written down; executors are told only what begins like this.
const LAUNCHES: &str = "RUST_CHAOS_LAUNCHES";

fn main() -> ExitCode {
    bridge_host::executor_main_with(|backend| Ok(Box::new(Witnessed::load(backend)?)));
    bridge_host::cli::main()
}

/// A way to GPUs that have a witness.
struct Witnessed {
    inner: Box<dyn GpuBackend>,
    launches: File,
}

impl Witnessed {
    fn load(backend: Backend) -> Result<Self, GpuError> {
        let path = env::var_os(LAUNCHES).ok_or_else(|| world(&format!("{LAUNCHES} is not set")))?;
        let launches = File::options().create(true).append(true).open(path);
        Ok(Self { inner: backend.load()?, launches: launches.map_err(|error| world(&error))? })
    }
}

fn world(error: &dyn std::fmt::Display) -> GpuError {
    GpuError::new(ErrorKind::Device, "write a launch down", error.to_string())
}

impl GpuBackend for Witnessed {
    fn open(&mut self, uuid: &str, limits: DeviceLimits) -> Result<Box<dyn GpuDevice>, GpuError> {
        let launches = self.launches.try_clone().map_err(|error| world(&error))?;
        Ok(Box::new(Witness { inner: self.inner.open(uuid, limits)?, launches }))
    }
}

/// A GPU that has a witness.
struct Witness {
    inner: Box<dyn GpuDevice>,
    launches: File,
}

impl Witness {
    /// One write to a file that is appended to: whole, and in the system's hands when the launch begins.
    fn write_down(&mut self, kernel: &str) -> io::Result<()> {
        self.launches.write_all(format!("{kernel}\n").as_bytes())
    }
}

impl GpuDevice for Witness {
    fn launch(&mut self, launch: &LaunchSpec, stop: &StopSignal) -> Result<LaunchTimes, GpuError> {
        self.write_down(&launch.kernel).map_err(|error| world(&error))?;
        self.inner.launch(launch, stop)
    }

    fn load(&mut self, image: ModuleImage<'_>) -> Result<ModuleId, GpuError> {
        self.inner.load(image)
    }

    fn unload(&mut self, module: ModuleId) -> Result<(), GpuError> {
        self.inner.unload(module)
    }

    fn kernel(&self, module: ModuleId, name: &str) -> Result<KernelSignature, GpuError> {
        self.inner.kernel(module, name)
    }

    fn alloc(&mut self, bytes: u64) -> Result<DevicePtr, GpuError> {
        self.inner.alloc(bytes)
    }

    fn free(&mut self, pointer: DevicePtr) -> Result<(), GpuError> {
        self.inner.free(pointer)
    }

    fn write(&mut self, to: DevicePtr, bytes: &[u8]) -> Result<(), GpuError> {
        self.inner.write(to, bytes)
    }

    fn read(&mut self, from: DevicePtr, bytes: &mut [u8]) -> Result<(), GpuError> {
        self.inner.read(from, bytes)
    }

    fn take_printf(&mut self) -> String {
        self.inner.take_printf()
    }

    fn memory_used(&self) -> u64 {
        self.inner.memory_used()
    }

    fn memory_enforcement(&self) -> MemoryEnforcement {
        self.inner.memory_enforcement()
    }
}
