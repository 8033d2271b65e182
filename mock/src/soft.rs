//! The software GPU behind the port: runs PTX on this machine's processor.
//!
//! Decides nothing: it turns the port's words into the engine's and the engine's errors into the port's.

use std::collections::BTreeMap;
use std::time::Instant;

use bridge_host_gpu::{
    BackendKind, ComputeCapability, DeviceLimits, DevicePtr, Dim3, ErrorKind, GpuBackend,
    GpuDevice, GpuDiscovery, GpuError, GpuInfo, GpuSample, Health, KernelSignature, LaunchSpec,
    LaunchTimes, MemoryEnforcement, ModuleFormat, ModuleId, ModuleImage, ParameterSlot, StopSignal,
};
use mock_ptx::ir::Kernel;
pub use mock_soft::Atomics;
use mock_soft::{DeviceMemory, Launch, LaunchError, MemoryError, Options, Program, limits};

/// How many software GPUs there are, and what each has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SoftConfig {
    /// GPUs; `GPU-0`, `GPU-1` and so on.
    pub devices: u32,
    /// Memory of each, MiB.
    pub memory_mb: u32,
    /// Host threads that one launch may use; 0 means all there are.
    pub workers: u32,
    /// In which order blocks come to atomics that show it.
    pub atomics: Atomics,
}

impl Default for SoftConfig {
    fn default() -> Self {
        Self { devices: 1, memory_mb: 4096, workers: 0, atomics: Atomics::InOrder }
    }
}

impl SoftConfig {
    fn workers(&self) -> usize {
        let all = || std::thread::available_parallelism().map_or(1, usize::from);
        if self.workers == 0 { all() } else { self.workers as usize }
    }

    fn uuid(index: u32) -> String {
        format!("GPU-soft-{index}")
    }

    fn has(&self, uuid: &str) -> bool {
        (0..self.devices).any(|index| Self::uuid(index) == uuid)
    }

    fn no_gpu(&self, doing: &str, uuid: &str) -> GpuError {
        let known: Vec<_> = (0..self.devices).map(Self::uuid).collect();
        let detail = format!("no software GPU {uuid}; there are {}", known.join(", "));
        GpuError::new(ErrorKind::NoGpu, doing, detail)
    }
}

/// The daemon's side: the software GPUs of a configuration. They never break.
#[derive(Debug, Clone)]
pub struct SoftDiscovery {
    config: SoftConfig,
}

impl SoftDiscovery {
    /// Those of `config`.
    #[must_use]
    pub const fn new(config: SoftConfig) -> Self {
        Self { config }
    }

    fn info(&self, index: u32) -> GpuInfo {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        GpuInfo {
            uuid: SoftConfig::uuid(index),
            name: "Software GPU".into(),
            vendor: "Cohesix".into(),
            backend: BackendKind::Soft,
            memory_mb: self.config.memory_mb,
            memory_reserved_mb: 0,
            sm_count: u32::try_from(self.config.workers()).unwrap_or(u32::MAX),
            compute_capability: ComputeCapability { major: 8, minor: 0 },
            runtime_version: match self.config.atomics {
                Atomics::InOrder => version.clone(),
                Atomics::AsTheyCome => format!("{version}+atomics-as-they-come"),
            },
            driver_version: version,
            pci_bus_id: None,
            streams_max: 32,
            block_threads_max: limits::BLOCK_THREADS_MAX,
            block_max: limits::BLOCK_MAX,
            grid_max: limits::GRID_MAX,
            shared_bytes_max: limits::SHARED_BYTES_MAX,
            memory_enforcement: MemoryEnforcement::Accounting,
            topology: bridge_host_gpu::Topology::default(),
            mig: None,
            health: Health::Ok,
        }
    }
}

impl GpuDiscovery for SoftDiscovery {
    fn inventory(&mut self) -> Result<Vec<GpuInfo>, GpuError> {
        Ok((0..self.config.devices).map(|index| self.info(index)).collect())
    }

    /// Executors run elsewhere, and a processor has no counters of its own for them: nothing is made up.
    fn sample(&mut self, uuid: &str) -> Result<GpuSample, GpuError> {
        if self.config.has(uuid) {
            return Ok(GpuSample::default());
        }
        Err(self.config.no_gpu("sample", uuid))
    }
}

/// The executor's side.
#[derive(Debug, Clone)]
pub struct SoftBackend {
    config: SoftConfig,
}

impl SoftBackend {
    /// Opens GPUs of `config`.
    #[must_use]
    pub const fn new(config: SoftConfig) -> Self {
        Self { config }
    }
}

impl GpuBackend for SoftBackend {
    fn open(&mut self, uuid: &str, limits: DeviceLimits) -> Result<Box<dyn GpuDevice>, GpuError> {
        if !self.config.has(uuid) {
            return Err(self.config.no_gpu("open", uuid));
        }
        let own_bytes = u64::from(self.config.memory_mb) << 20;
        if limits.memory_bytes > own_bytes {
            let asked = limits.memory_bytes;
            let detail = format!("asked for {asked} bytes of memory, {uuid} has {own_bytes}");
            return Err(GpuError::new(ErrorKind::OutOfMemory, "open", detail));
        }
        Ok(Box::new(SoftDevice::new(limits, &self.config)))
    }
}

/// One software GPU, opened.
#[derive(Debug)]
pub struct SoftDevice {
    memory: DeviceMemory,
    programs: BTreeMap<u32, Program>,
    /// Kernels that cannot run here, by module: they are refused when they are asked for, the others run.
    refused: BTreeMap<u32, Vec<mock_ptx::Refused>>,
    next_module: u32,
    options: Options,
    printed: String,
}

impl SoftDevice {
    /// Empty memory within `limits`.
    #[must_use]
    pub fn new(limits: DeviceLimits, config: &SoftConfig) -> Self {
        let options = Options {
            workers: config.workers(),
            atomics: config.atomics,
            printf_bytes: limits.printf_bytes as usize,
            ..Options::default()
        };
        let memory = DeviceMemory::new(limits.memory_bytes);
        Self {
            memory,
            programs: BTreeMap::new(),
            refused: BTreeMap::new(),
            next_module: 1,
            options,
            printed: String::new(),
        }
    }

    fn check_not_refused(&self, module: ModuleId, name: &str) -> Result<(), GpuError> {
        let refused = self.refused.get(&module.0).into_iter().flatten();
        match refused.into_iter().find(|refused| refused.kernel == name) {
            Some(refused) => Err(of_ptx(&refused.error)),
            None => Ok(()),
        }
    }

    fn program(&self, doing: &str, module: ModuleId) -> Result<&Program, GpuError> {
        self.programs.get(&module.0).ok_or_else(|| no_module(doing, module))
    }
}

fn no_module(doing: &str, ModuleId(id): ModuleId) -> GpuError {
    GpuError::new(ErrorKind::InvalidArgument, doing, format!("no module {id} is loaded here"))
}

/// The text of a PTX image, without the zero that C strings end with.
fn ptx_text(image: ModuleImage<'_>) -> Result<&str, GpuError> {
    let format = match image.format {
        ModuleFormat::Ptx => None,
        ModuleFormat::Cubin => Some("a cubin"),
        ModuleFormat::Fatbin => Some("a fat binary"),
    };
    if let Some(format) = format {
        let detail =
            format!("{format} holds machine code for NVIDIA hardware; give the module's PTX");
        return Err(GpuError::new(ErrorKind::Unsupported, "load module", detail));
    }
    let text = image.bytes.strip_suffix(&[0]).unwrap_or(image.bytes);
    std::str::from_utf8(text).map_err(|error| {
        let detail = format!("PTX must be text: {error}");
        GpuError::new(ErrorKind::InvalidModule, "load module", detail)
    })
}

fn of_ptx(error: &mock_ptx::PtxError) -> GpuError {
    let kind = match error.fault {
        mock_ptx::Fault::Unsupported => ErrorKind::Unsupported,
        mock_ptx::Fault::Malformed | mock_ptx::Fault::TooLarge => ErrorKind::InvalidModule,
    };
    GpuError::new(kind, "load module", error.to_string())
}

fn of_memory(doing: &str, error: &MemoryError) -> GpuError {
    let kind = match error {
        MemoryError::OutOfMemory { .. }
        | MemoryError::HostExhausted { .. }
        | MemoryError::NoRoomToRun => ErrorKind::OutOfMemory,
        MemoryError::NotAllocated { .. } | MemoryError::Access(_) => ErrorKind::InvalidArgument,
    };
    GpuError::new(kind, doing, error.to_string())
}

fn of_launch(kernel: &str, error: &LaunchError) -> GpuError {
    let doing = format!("launch {kernel}");
    let kind = match error {
        LaunchError::UnknownKernel { .. } => ErrorKind::UnknownKernel,
        LaunchError::Invalid(_) => ErrorKind::InvalidLaunch,
        LaunchError::Memory(error) => return of_memory(&doing, error),
        LaunchError::Fault(_) => ErrorKind::Fault,
        LaunchError::Stopped | LaunchError::OutOfFuel { .. } => ErrorKind::Stopped,
    };
    GpuError::new(kind, doing, error.to_string())
}

fn signature(kernel: &Kernel) -> KernelSignature {
    let slot = |parameter: &mock_ptx::ir::Parameter| ParameterSlot {
        offset: parameter.offset,
        bytes: parameter.bytes,
    };
    KernelSignature {
        name: kernel.name.clone(),
        parameters: kernel.parameters.iter().map(slot).collect(),
        static_shared_bytes: kernel.shared.static_bytes,
        block_threads_max: kernel.bounds.block_threads_max,
        block_required: kernel.bounds.block_required.map(|[x, y, z]| Dim3 { x, y, z }),
    }
}

impl GpuDevice for SoftDevice {
    fn load(&mut self, image: ModuleImage<'_>) -> Result<ModuleId, GpuError> {
        let (module, refused) =
            mock_ptx::compile_each(ptx_text(image)?).map_err(|error| of_ptx(&error))?;
        if let (true, Some(first)) = (module.kernels.is_empty(), refused.first()) {
            return Err(of_ptx(&first.error));
        }
        let program = Program::load(module, &mut self.memory)
            .map_err(|error| of_memory("load module", &error))?;
        let id = self.next_module;
        self.next_module += 1;
        self.programs.insert(id, program);
        self.refused.insert(id, refused);
        Ok(ModuleId(id))
    }

    fn unload(&mut self, module: ModuleId) -> Result<(), GpuError> {
        let program =
            self.programs.remove(&module.0).ok_or_else(|| no_module("unload module", module))?;
        program.unload(&mut self.memory);
        self.refused.remove(&module.0);
        Ok(())
    }

    fn kernel(&self, module: ModuleId, name: &str) -> Result<KernelSignature, GpuError> {
        let program = self.program("look up kernel", module)?;
        self.check_not_refused(module, name)?;
        program.kernel(name).map(signature).ok_or_else(|| {
            let known: Vec<_> =
                program.kernels().iter().map(|kernel| kernel.name.as_str()).collect();
            let detail = format!("no kernel {name}; the module has {}", known.join(", "));
            GpuError::new(ErrorKind::UnknownKernel, "look up kernel", detail)
        })
    }

    fn alloc(&mut self, bytes: u64) -> Result<DevicePtr, GpuError> {
        self.memory.allocate(bytes).map(DevicePtr).map_err(|error| of_memory("allocate", &error))
    }

    fn free(&mut self, pointer: DevicePtr) -> Result<(), GpuError> {
        self.memory.free(pointer.0).map_err(|error| of_memory("free", &error))
    }

    fn write(&mut self, to: DevicePtr, bytes: &[u8]) -> Result<(), GpuError> {
        self.memory.write(to.0, bytes).map_err(|error| of_memory("copy to the device", &error))
    }

    fn read(&mut self, from: DevicePtr, bytes: &mut [u8]) -> Result<(), GpuError> {
        self.memory.read(from.0, bytes).map_err(|error| of_memory("copy from the device", &error))
    }

    fn launch(&mut self, launch: &LaunchSpec, stop: &StopSignal) -> Result<LaunchTimes, GpuError> {
        let doing = format!("launch {}", launch.kernel);
        self.check_not_refused(launch.module, &launch.kernel)?;
        let program =
            self.programs.get(&launch.module.0).ok_or_else(|| no_module(&doing, launch.module))?;
        let asked = Launch {
            kernel: &launch.kernel,
            grid: [launch.grid.x, launch.grid.y, launch.grid.z],
            block: [launch.block.x, launch.block.y, launch.block.z],
            shared_bytes: launch.shared_bytes,
            parameters: &launch.parameters,
        };
        program.renew(&mut self.memory).map_err(|error| of_memory(&doing, &error))?;
        let start = Instant::now();
        let stop = || stop.is_raised();
        let outcome = mock_soft::launch(program, &mut self.memory, &asked, &self.options, &stop);
        let kernel_us = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
        let room = self.options.printf_bytes.saturating_sub(self.printed.len());
        self.printed.push_str(cut(&outcome.printed, room));
        outcome.ended.map_err(|error| of_launch(&launch.kernel, &error))?;
        Ok(LaunchTimes { kernel_us })
    }

    fn take_printf(&mut self) -> String {
        std::mem::take(&mut self.printed)
    }

    fn memory_used(&self) -> u64 {
        self.memory.used_bytes()
    }
}

fn cut(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or(text)
}
