//! One NVIDIA GPU, opened: the primary context of this process, its memory, modules and one stream.
//!
//! ```text
//! CudaBackend::open ─▶ CudaDevice ─▶ (any sticky error) ─▶ the process exits, and the driver frees what it held
//! ```
//! Memory is bounded by `pool`. What a module's globals take the driver does not tell, and is not counted.
#![allow(unsafe_code, reason = "calls into libcuda: ARCHITECTURE, invariant 8")]

use std::{
    collections::BTreeMap,
    ffi::{CStr, CString, c_int, c_void},
    ptr,
};

use bridge_host_gpu::{
    DeviceLimits, DevicePtr, ErrorKind, GpuBackend, GpuDevice, GpuError, KernelSignature,
    LaunchSpec, LaunchTimes, MemoryEnforcement, ModuleFormat, ModuleId, ModuleImage, ParameterSlot,
    StopSignal,
};
use cudarc::driver::sys::{CUcontext, CUdevice, CUevent, CUfunction, CUmodule, CUstream, CUuuid};

use crate::{code::Code, driver::Driver, pool::Ledger, printed::Printed};

/// Bytes of compiler log kept for the job record.
const LOG_BYTES_MAX: usize = 4096;

// Values of cuda.h, as integers: see `code`.
const CU_JIT_ERROR_LOG_BUFFER: c_int = 5;
const CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES: c_int = 6;
const CU_LIMIT_STACK_SIZE: c_int = 0;
const CU_LIMIT_PRINTF_FIFO_SIZE: c_int = 1;
const CU_LIMIT_MALLOC_HEAP_SIZE: c_int = 2;
const CU_MEMHOSTREGISTER_READ_ONLY: u32 = 8;
const CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK: c_int = 0;
const CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES: c_int = 1;
const CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES: c_int = 8;
const CU_STREAM_NON_BLOCKING: u32 = 1;
const CU_LAUNCH_PARAM_BUFFER_POINTER: usize = 1;
const CU_LAUNCH_PARAM_BUFFER_SIZE: usize = 2;

/// Dynamic shared memory that a kernel gets without asking for more.
const SHARED_BYTES_DEFAULT: u32 = 48 * 1024;

/// Stack of a thread, and memory that kernels may `malloc` in all: what CUDA gives where nobody asks, said so that it is the same
/// with every driver.
const STACK_BYTES: usize = 1024;
const HEAP_BYTES: usize = 8 << 20;

/// The least a kernel's `printf` can have.
const PRINTF_BYTES_MIN: usize = 1024;

/// Copies from here on are worth pinning what they read.
const PIN_BYTES_MIN: usize = 1 << 20;
const PAGE_BYTES: usize = 4096;

/// CUDA, initialised in this process.
#[derive(Debug)]
pub struct CudaBackend(&'static Driver);

impl CudaBackend {
    /// Loads and initialises the driver; makes no context.
    ///
    /// # Errors
    /// `NoDriver`, saying what was looked for.
    pub fn new() -> Result<Self, GpuError> {
        Driver::of_this_machine().map(Self)
    }

    /// The driver's CUDA version, as NVIDIA writes it.
    ///
    /// # Errors
    /// What the driver says.
    pub fn version(&self) -> Result<String, GpuError> {
        self.0.version().map(|version| format!("{}.{}", version / 1000, version % 1000 / 10))
    }

    fn device(&self, uuid: &str) -> Result<CUdevice, GpuError> {
        let driver = self.0;
        let mut count = 0;
        // SAFETY: an out parameter of the right type, as in each call below.
        driver.check("count GPUs", unsafe { (driver.cuDeviceGetCount)(&raw mut count) })?;
        for ordinal in 0..count {
            let mut device: CUdevice = 0;
            let mut seen = CUuuid { bytes: [0; 16] };
            // SAFETY: as above.
            driver.check("get a GPU", unsafe { (driver.cuDeviceGet)(&raw mut device, ordinal) })?;
            // SAFETY: as above.
            driver.check("read a GPU's uuid", unsafe {
                (driver.cuDeviceGetUuid)(&raw mut seen, device)
            })?;
            if uuid_text(seen) == uuid {
                return Ok(device);
            }
        }
        let detail =
            format!("CUDA shows {count} GPUs, none with this uuid; see CUDA_VISIBLE_DEVICES");
        Err(GpuError::new(ErrorKind::NoGpu, format!("open GPU {uuid}"), detail))
    }
}

impl GpuBackend for CudaBackend {
    fn open(&mut self, uuid: &str, limits: DeviceLimits) -> Result<Box<dyn GpuDevice>, GpuError> {
        let device = self.device(uuid)?;
        let driver = self.0;
        let mut context: CUcontext = ptr::null_mut();
        // SAFETY: out parameters of the right types; the context is this process's own and lives as long as it.
        driver.check("make a context", unsafe {
            (driver.cuDevicePrimaryCtxRetain)(&raw mut context, device)
        })?;
        // SAFETY: a context just made.
        driver.check("use the context", unsafe { (driver.cuCtxSetCurrent)(context) })?;
        let printf_bytes = (limits.printf_bytes as usize).max(PRINTF_BYTES_MIN);
        for (limit, bytes) in [
            (CU_LIMIT_PRINTF_FIFO_SIZE, printf_bytes),
            (CU_LIMIT_MALLOC_HEAP_SIZE, HEAP_BYTES),
            (CU_LIMIT_STACK_SIZE, STACK_BYTES),
        ] {
            // SAFETY: plain numbers.
            driver.check("bound the context", unsafe { (driver.cuCtxSetLimit)(limit, bytes) })?;
        }
        let mut stream: CUstream = ptr::null_mut();
        // SAFETY: an out parameter of the right type.
        let number = unsafe { (driver.cuStreamCreate)(&raw mut stream, CU_STREAM_NON_BLOCKING) };
        driver.check("make a stream", number)?;
        let printed = Printed::capture(limits.printf_bytes).map_err(|error| {
            GpuError::new(ErrorKind::Device, "capture what kernels print", error.to_string())
        })?;
        Ok(Box::new(CudaDevice {
            driver,
            context,
            stream,
            clock: Clock::new(driver)?,
            memory: Ledger::new(driver, device, limits.memory_bytes)?,
            modules: BTreeMap::new(),
            modules_loaded: 0,
            printed,
        }))
    }
}

/// One GPU, opened.
#[derive(Debug)]
pub struct CudaDevice {
    driver: &'static Driver,
    context: CUcontext,
    stream: CUstream,
    clock: Clock,
    memory: Ledger,
    modules: BTreeMap<ModuleId, CUmodule>,
    modules_loaded: u32,
    printed: Printed,
}

// SAFETY: the driver's handles may be used from any thread that has made the context current, which `bind` does before each use.
unsafe impl Send for CudaDevice {}

/// Two events around a launch: the device's own clock.
#[derive(Debug)]
struct Clock {
    start: CUevent,
    end: CUevent,
}

impl Clock {
    fn new(driver: &Driver) -> Result<Self, GpuError> {
        let mut clock = Self { start: ptr::null_mut(), end: ptr::null_mut() };
        for event in [&raw mut clock.start, &raw mut clock.end] {
            // SAFETY: an out parameter of the right type.
            driver.check("make an event", unsafe { (driver.cuEventCreate)(event, 0) })?;
        }
        Ok(clock)
    }
}

impl CudaDevice {
    /// Work may come from another thread than the last one did.
    fn bind(&self) -> Result<(), GpuError> {
        // SAFETY: a context that lives as long as this process.
        self.driver.check("use the context", unsafe { (self.driver.cuCtxSetCurrent)(self.context) })
    }

    fn module(&self, id: ModuleId) -> Result<CUmodule, GpuError> {
        self.modules.get(&id).copied().ok_or_else(|| {
            GpuError::new(
                ErrorKind::InvalidArgument,
                "use a module",
                format!("module {} is not loaded", id.0),
            )
        })
    }

    fn function(&self, id: ModuleId, name: &str) -> Result<CUfunction, GpuError> {
        let module = self.module(id)?;
        let doing = format!("find kernel {name}");
        let c_name = CString::new(name).map_err(|_| {
            GpuError::new(ErrorKind::UnknownKernel, &*doing, "its name has a NUL in it")
        })?;
        let mut function: CUfunction = ptr::null_mut();
        // SAFETY: a loaded module, a NUL-terminated name, an out parameter of the right type.
        match unsafe {
            (self.driver.cuModuleGetFunction)(&raw mut function, module, c_name.as_ptr())
        } {
            Code::NOT_FOUND => Err(Code(Code::NOT_FOUND)
                .error(doing, format_args!("the module has {}", self.kernel_names(module)))),
            number => self.driver.check(&doing, number).map(|()| function),
        }
    }

    fn kernel_names(&self, module: CUmodule) -> String {
        let (Some(count_of), Some(enumerate), Some(name_of)) = (
            self.driver.cuModuleGetFunctionCount,
            self.driver.cuModuleEnumerateFunctions,
            self.driver.cuFuncGetName,
        ) else {
            return "no kernel of that name".to_owned();
        };
        let mut count = 0;
        // SAFETY: a loaded module and an out parameter.
        if unsafe { count_of(&raw mut count, module) } != 0 {
            return "no kernel of that name".to_owned();
        }
        let mut functions: Vec<CUfunction> = vec![ptr::null_mut(); count as usize];
        // SAFETY: room for as many as the module said it has.
        if unsafe { enumerate(functions.as_mut_ptr(), count, module) } != 0 {
            return "no kernel of that name".to_owned();
        }
        let names = functions.into_iter().filter_map(|function| {
            let mut name = ptr::null();
            // SAFETY: a function of a loaded module; the name lives as long as the module.
            let known = unsafe { name_of(&raw mut name, function) } == 0 && !name.is_null();
            // SAFETY: not null, NUL-terminated by the driver's contract.
            known.then(|| unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned())
        });
        names.collect::<Vec<_>>().join(", ")
    }

    fn parameters(&self, function: CUfunction) -> Result<Vec<ParameterSlot>, GpuError> {
        let Some(info) = self.driver.cuFuncGetParamInfo else {
            let detail =
                "this driver cannot tell (cuFuncGetParamInfo came with CUDA 12.4); update it";
            return Err(GpuError::new(
                ErrorKind::Unsupported,
                "read the kernel's parameter table",
                detail,
            ));
        };
        let mut slots = Vec::new();
        loop {
            let (mut offset, mut bytes) = (0_usize, 0_usize);
            // SAFETY: a function of a loaded module and two out parameters; past the last parameter it says "invalid value".
            match unsafe { info(function, slots.len(), &raw mut offset, &raw mut bytes) } {
                0 => slots.push(ParameterSlot { offset: narrow(offset), bytes: narrow(bytes) }),
                Code::INVALID_VALUE => return Ok(slots),
                number => self.driver.check("read the kernel's parameter table", number)?,
            }
        }
    }

    fn attribute(&self, function: CUfunction, attribute: c_int) -> Result<u32, GpuError> {
        let mut value = 0;
        // SAFETY: an out parameter of the right type.
        let number =
            unsafe { (self.driver.cuFuncGetAttribute)(&raw mut value, attribute, function) };
        self.driver.check("read the kernel's attributes", number)?;
        Ok(u32::try_from(value).unwrap_or(0))
    }

    /// Waits for everything that was asked of the stream; what went wrong in it is told here.
    fn wait(&self, doing: &str) -> Result<(), GpuError> {
        // SAFETY: a stream of this context.
        self.driver.check(doing, unsafe { (self.driver.cuStreamSynchronize)(self.stream) })
    }

    /// Memory of the driver's, from the pool where there is one.
    fn take_memory(&self, size: usize) -> Result<u64, GpuError> {
        let mut pointer = 0;
        let number = match (self.memory.pool, self.driver.cuMemAllocFromPoolAsync) {
            // SAFETY: an out parameter, a pool and a stream of this context.
            (Some(pool), Some(take)) => unsafe { take(&raw mut pointer, size, pool, self.stream) },
            // SAFETY: an out parameter of the right type.
            _ => unsafe { (self.driver.cuMemAlloc_v2)(&raw mut pointer, size) },
        };
        self.driver.check("allocate", number)?;
        Ok(pointer)
    }

    fn give_memory_back(&self, pointer: u64) -> u32 {
        match (self.memory.pool, self.driver.cuMemFreeAsync) {
            // SAFETY: a live allocation of the pool, which nobody uses after this.
            (Some(_), Some(free)) => unsafe { free(pointer, self.stream) },
            // SAFETY: a live allocation, which nobody uses after this.
            _ => unsafe { (self.driver.cuMemFree_v2)(pointer) },
        }
    }

    /// Pins what a large copy reads or writes while `copy` runs, where the driver can and it begins at a page: then the device
    /// copies by itself. A driver that will not pin copies all the same, with a buffer of its own.
    fn pinned(
        &self,
        bytes: (*mut c_void, usize),
        flags: u32,
        copy: impl FnOnce() -> Result<(), GpuError>,
    ) -> Result<(), GpuError> {
        let (start, size) = bytes;
        let (Some(pin), Some(unpin)) =
            (self.driver.cuMemHostRegister_v2, self.driver.cuMemHostUnregister)
        else {
            return copy();
        };
        if size < PIN_BYTES_MIN || !(start as usize).is_multiple_of(PAGE_BYTES) {
            return copy();
        }
        // SAFETY: memory of this process that stays mapped until it is unpinned below.
        let number = unsafe { pin(start, size, flags) };
        if Code(number).is_sticky() {
            return self.driver.check("pin memory", number);
        }
        let copied = copy();
        if number == 0 {
            // SAFETY: pinned above.
            self.driver.check("unpin memory", unsafe { unpin(start) })?;
        }
        copied
    }

    fn enqueue(&self, function: CUfunction, launch: &LaunchSpec) -> u32 {
        let mut parameters = launch.parameters.clone();
        let mut parameters_bytes = parameters.len();
        let mut extra: [*mut c_void; 5] = [
            CU_LAUNCH_PARAM_BUFFER_POINTER as *mut c_void,
            parameters.as_mut_ptr().cast(),
            CU_LAUNCH_PARAM_BUFFER_SIZE as *mut c_void,
            (&raw mut parameters_bytes).cast(),
            ptr::null_mut(),
        ];
        let (grid, block) = (launch.grid, launch.block);
        // SAFETY: the parameter block has the size it says and outlives the call, which copies it. What the kernel does with the
        // addresses in it is confined to this process's context.
        unsafe {
            (self.driver.cuLaunchKernel)(
                function,
                grid.x,
                grid.y,
                grid.z,
                block.x,
                block.y,
                block.z,
                launch.shared_bytes,
                self.stream,
                ptr::null_mut(),
                extra.as_mut_ptr(),
            )
        }
    }
}

impl GpuDevice for CudaDevice {
    fn load(&mut self, image: ModuleImage<'_>) -> Result<ModuleId, GpuError> {
        self.bind()?;
        let mut bytes = image.bytes.to_vec();
        if image.format == ModuleFormat::Ptx {
            bytes.push(0);
        }
        let mut log = vec![0_u8; LOG_BYTES_MAX];
        let mut options = [CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES];
        let mut values: [*mut c_void; 2] = [log.as_mut_ptr().cast(), LOG_BYTES_MAX as *mut c_void];
        let mut module: CUmodule = ptr::null_mut();
        // SAFETY: PTX is NUL-terminated, binary images say their own length; two options with their two values, the log as large
        // as its size says.
        let number = unsafe {
            (self.driver.cuModuleLoadDataEx)(
                &raw mut module,
                bytes.as_ptr().cast(),
                2,
                options.as_mut_ptr(),
                values.as_mut_ptr(),
            )
        };
        self.driver.check("load module", number).map_err(|error| with_log(error, &log))?;
        let id = ModuleId(self.modules_loaded);
        self.modules_loaded += 1;
        self.modules.insert(id, module);
        Ok(id)
    }

    fn unload(&mut self, id: ModuleId) -> Result<(), GpuError> {
        self.bind()?;
        let module = self.module(id)?;
        self.modules.remove(&id);
        // SAFETY: loaded, and forgotten by us.
        self.driver.check("unload module", unsafe { (self.driver.cuModuleUnload)(module) })
    }

    fn kernel(&self, module: ModuleId, name: &str) -> Result<KernelSignature, GpuError> {
        self.bind()?;
        let function = self.function(module, name)?;
        Ok(KernelSignature {
            name: name.to_owned(),
            parameters: self.parameters(function)?,
            static_shared_bytes: self.attribute(function, CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES)?,
            block_threads_max: Some(
                self.attribute(function, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK)?,
            ),
            block_required: None,
        })
    }

    fn alloc(&mut self, bytes: u64) -> Result<DevicePtr, GpuError> {
        self.bind()?;
        self.memory.admit(bytes)?;
        // An empty allocation has an address too.
        let size = usize::try_from(bytes.max(1)).unwrap_or(usize::MAX);
        let pointer = self.take_memory(size)?;
        // SAFETY: a live allocation of this size.
        let number = unsafe { (self.driver.cuMemsetD8Async)(pointer, 0, size, self.stream) };
        let zeroed =
            self.driver.check("zero memory", number).and_then(|()| self.wait("zero memory"));
        if let Err(error) = zeroed {
            if !error.sticky {
                self.give_memory_back(pointer);
            }
            return Err(error);
        }
        self.memory.note(pointer, bytes);
        Ok(DevicePtr(pointer))
    }

    fn free(&mut self, pointer: DevicePtr) -> Result<(), GpuError> {
        self.bind()?;
        self.memory.remove(pointer)?;
        self.driver.check("free", self.give_memory_back(pointer.0))?;
        let (Some(pool), Some(trim), 0) =
            (self.memory.pool, self.driver.cuMemPoolTrimTo, self.memory.used())
        else {
            return Ok(());
        };
        // Nothing is in use: what the pool keeps goes back to the other leases.
        self.wait("free")?;
        // SAFETY: a pool of this context.
        self.driver.check("give memory back", unsafe { trim(pool, 0) })
    }

    fn write(&mut self, to: DevicePtr, bytes: &[u8]) -> Result<(), GpuError> {
        let doing = "copy to the device";
        self.bind()?;
        self.memory.check_range(doing, to, bytes.len())?;
        let from = bytes.as_ptr().cast::<c_void>();
        self.pinned((from.cast_mut(), bytes.len()), CU_MEMHOSTREGISTER_READ_ONLY, || {
            // SAFETY: the device range is inside one allocation; the host range is the slice, which outlives the wait.
            let number =
                unsafe { (self.driver.cuMemcpyHtoDAsync_v2)(to.0, from, bytes.len(), self.stream) };
            self.driver.check(doing, number)?;
            self.wait(doing)
        })
    }

    fn read(&mut self, from: DevicePtr, bytes: &mut [u8]) -> Result<(), GpuError> {
        let doing = "copy from the device";
        self.bind()?;
        self.memory.check_range(doing, from, bytes.len())?;
        let (to, size) = (bytes.as_mut_ptr().cast::<c_void>(), bytes.len());
        self.pinned((to, size), 0, || {
            // SAFETY: as above.
            let number =
                unsafe { (self.driver.cuMemcpyDtoHAsync_v2)(to, from.0, size, self.stream) };
            self.driver.check(doing, number)?;
            self.wait(doing)
        })
    }

    /// A running CUDA kernel cannot be stopped from outside of it: `stop` is looked at before the launch only, and the daemon's
    /// kill does the rest.
    fn launch(&mut self, launch: &LaunchSpec, stop: &StopSignal) -> Result<LaunchTimes, GpuError> {
        self.bind()?;
        let doing = format!("launch {}", launch.kernel);
        if stop.is_raised() {
            return Err(GpuError::new(ErrorKind::Stopped, doing, "stopped before it began"));
        }
        let function = self.function(launch.module, &launch.kernel)?;
        if launch.shared_bytes > SHARED_BYTES_DEFAULT {
            let bytes = c_int::try_from(launch.shared_bytes).unwrap_or(c_int::MAX);
            let attribute = CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
            // SAFETY: a function of a loaded module and plain numbers.
            let number = unsafe { (self.driver.cuFuncSetAttribute)(function, attribute, bytes) };
            self.driver.check("ask for more shared memory", number)?;
        }
        let Clock { start, end } = self.clock;
        // SAFETY: events and stream of this context; the same for the next calls.
        self.driver.check(&doing, unsafe { (self.driver.cuEventRecord)(start, self.stream) })?;
        self.driver.check(&doing, self.enqueue(function, launch))?;
        // SAFETY: as above.
        self.driver.check(&doing, unsafe { (self.driver.cuEventRecord)(end, self.stream) })?;
        self.wait(&doing)?;
        let mut milliseconds = 0.0_f32;
        // SAFETY: both events are done; an out parameter of the right type.
        let number = unsafe { (self.driver.cuEventElapsedTime)(&raw mut milliseconds, start, end) };
        self.driver.check("read the launch's time", number)?;
        Ok(LaunchTimes { kernel_us: micros(milliseconds) })
    }

    fn take_printf(&mut self) -> String {
        self.printed.take()
    }

    fn memory_used(&self) -> u64 {
        self.memory.used()
    }

    fn memory_enforcement(&self) -> MemoryEnforcement {
        self.memory.enforcement()
    }
}

/// As NVML writes it: `GPU-` and the sixteen bytes in groups.
fn uuid_text(uuid: CUuuid) -> String {
    let mut text = String::from("GPU");
    for (index, byte) in uuid.bytes.iter().enumerate() {
        if matches!(index, 0 | 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

/// The compiler's own words, where it left some.
fn with_log(mut error: GpuError, log: &[u8]) -> GpuError {
    let text = CStr::from_bytes_until_nul(log).map(CStr::to_string_lossy).unwrap_or_default();
    if !text.trim().is_empty() {
        error.detail = format!("{}: {}", error.detail, text.trim());
    }
    error
}

/// Offsets and sizes in a parameter block, which has at most 32 764 bytes.
fn narrow(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float to integer cast saturates"
)]
fn micros(milliseconds: f32) -> u64 {
    (f64::from(milliseconds) * 1000.0).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_reads_as_nvml_writes_it() {
        let bytes = [0x1d, 0x2b, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0xa, 0xb, 0xc, 0x7f]
            .map(|byte: u8| byte.cast_signed());
        assert_eq!(uuid_text(CUuuid { bytes }), "GPU-1d2b0001-0203-0405-0607-08090a0b0c7f");
    }

    #[test]
    fn the_compilers_log_follows_the_drivers_sentence() {
        let error = Code(218).error("load module", "a PTX JIT compilation failed");
        let error = with_log(error, b"ptxas error: syntax\n\0\0\0");
        assert_eq!(
            error.to_string(),
            "load module: a PTX JIT compilation failed (CUresult 218): ptxas error: syntax"
        );
    }

    #[test]
    fn times_round_to_the_nearest_microsecond_and_never_wrap() {
        assert_eq!((micros(1.2346), micros(-1.0), micros(f32::NAN)), (1235, 0, 0));
    }
}
