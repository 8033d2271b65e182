//! Scripted devices: an inventory that never changes and launches that end as a script says. Nothing is computed.
//!
//! Knows the port and nothing behind it. Memory is counted as a real device would, modules are read as a real loader would (their
//! parameter tables are true), and only the launch is theatre:
//!
//! | kernel named | ends |
//! | --- | --- |
//! | `mock_fault` | with an illegal address; the context is lost |
//! | `mock_oom` | out of memory |
//! | `mock_waits` | when its stop signal is raised |
//! | `mock_hangs` | never: only a kill ends it |
//! | `mock_dies` | with its whole process |
//! | anything else | well, after the next time of [`KERNEL_US`] |
//!
//! Outputs keep the bytes that the buffers began with: zeroes, or a copy of the input for `inout`.

use std::{collections::BTreeMap, thread, time::Duration};

use bridge_host_gpu::{
    DeviceLimits, DevicePtr, ErrorKind, GpuBackend, GpuDevice, GpuDiscovery, GpuError, GpuInfo,
    GpuSample, KernelSignature, LaunchSpec, LaunchTimes, ModuleFormat, ModuleId, ModuleImage,
    StopSignal,
};

use crate::machines::Machine;

/// How long launches say they took, over and over.
pub const KERNEL_US: [u64; 4] = [120, 80, 200, 95];

/// The utilisation that successive samples show, over and over.
pub const UTILIZATION_RATIO: [f32; 5] = [0.0, 0.35, 0.8, 0.95, 0.4];

/// Between two looks at a stop signal.
const STOP_LOOK: Duration = Duration::from_millis(1);

/// Where device memory begins. Not 0, which is null.
const MEMORY_START: u64 = 0x7f00_0000_0000;

/// The daemon's side of a scripted machine.
#[derive(Debug, Clone)]
pub struct ScriptedDiscovery {
    machine: Machine,
    samples_taken: BTreeMap<String, usize>,
}

impl ScriptedDiscovery {
    /// Of this machine.
    #[must_use]
    pub const fn new(machine: Machine) -> Self {
        Self { machine, samples_taken: BTreeMap::new() }
    }
}

impl GpuDiscovery for ScriptedDiscovery {
    fn inventory(&mut self) -> Result<Vec<GpuInfo>, GpuError> {
        Ok(self.machine.gpus.clone())
    }

    fn sample(&mut self, uuid: &str) -> Result<GpuSample, GpuError> {
        let gpu = find(&self.machine, uuid, "sample")?;
        let taken = self.samples_taken.entry(gpu.uuid.clone()).or_default();
        let utilization = UTILIZATION_RATIO[*taken % UTILIZATION_RATIO.len()];
        *taken += 1;
        Ok(GpuSample {
            utilization_ratio: Some(utilization),
            memory_used_bytes: None,
            temperature_celsius: Some(40.0 + 30.0 * utilization),
            power_watts: Some(50.0 + 250.0 * utilization),
            ..GpuSample::default()
        })
    }
}

/// The executor's side of a scripted machine.
#[derive(Debug, Clone)]
pub struct ScriptedBackend(Machine);

impl ScriptedBackend {
    /// Of this machine.
    #[must_use]
    pub const fn new(machine: Machine) -> Self {
        Self(machine)
    }
}

impl GpuBackend for ScriptedBackend {
    fn open(&mut self, uuid: &str, limits: DeviceLimits) -> Result<Box<dyn GpuDevice>, GpuError> {
        let gpu = find(&self.0, uuid, "open")?;
        let whole = u64::from(gpu.memory_mb) * 1024 * 1024;
        Ok(Box::new(ScriptedDevice::new(limits.memory_bytes.min(whole))))
    }
}

fn find<'a>(machine: &'a Machine, uuid: &str, doing: &str) -> Result<&'a GpuInfo, GpuError> {
    machine.gpus.iter().find(|gpu| gpu.uuid == uuid).ok_or_else(|| {
        let detail = format!("{} has no GPU {uuid}", machine.name);
        GpuError::new(ErrorKind::NoGpu, format!("{doing} GPU {uuid}"), detail)
    })
}

/// One scripted device, opened.
#[derive(Debug)]
pub struct ScriptedDevice {
    memory_bytes_max: u64,
    memory: BTreeMap<u64, Vec<u8>>,
    memory_end: u64,
    modules: BTreeMap<ModuleId, Vec<KernelSignature>>,
    modules_loaded: u32,
    launches: usize,
}

impl ScriptedDevice {
    fn new(memory_bytes_max: u64) -> Self {
        Self {
            memory_bytes_max,
            memory: BTreeMap::new(),
            memory_end: MEMORY_START,
            modules: BTreeMap::new(),
            modules_loaded: 0,
            launches: 0,
        }
    }

    /// The bytes of one allocation from `at` on, `count` of them.
    fn range(&mut self, doing: &str, at: DevicePtr, count: usize) -> Result<&mut [u8], GpuError> {
        self.memory
            .range_mut(..=at.0)
            .next_back()
            .and_then(|(start, bytes)| {
                let from = usize::try_from(at.0 - start).ok()?;
                bytes.get_mut(from..from.checked_add(count)?)
            })
            .ok_or_else(|| {
                let detail = format!("{count} bytes at {:#x} are not inside one allocation", at.0);
                GpuError::new(ErrorKind::InvalidArgument, doing, detail)
            })
    }
}

impl GpuDevice for ScriptedDevice {
    fn load(&mut self, image: ModuleImage<'_>) -> Result<ModuleId, GpuError> {
        let kernels = read_module(image)?;
        let id = ModuleId(self.modules_loaded);
        self.modules_loaded += 1;
        self.modules.insert(id, kernels);
        Ok(id)
    }

    fn unload(&mut self, module: ModuleId) -> Result<(), GpuError> {
        self.modules.remove(&module).map(|_| ()).ok_or_else(|| not_loaded("unload module", module))
    }

    fn kernel(&self, module: ModuleId, name: &str) -> Result<KernelSignature, GpuError> {
        let doing = format!("find kernel {name}");
        let kernels = self.modules.get(&module).ok_or_else(|| not_loaded(&doing, module))?;
        kernels.iter().find(|kernel| kernel.name == name).cloned().ok_or_else(|| {
            let names: Vec<_> = kernels.iter().map(|kernel| kernel.name.as_str()).collect();
            GpuError::new(
                ErrorKind::UnknownKernel,
                doing,
                format!("the module has {}", names.join(", ")),
            )
        })
    }

    fn alloc(&mut self, bytes: u64) -> Result<DevicePtr, GpuError> {
        let (used, limit) = (self.memory_used(), self.memory_bytes_max);
        let host_bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        if used.saturating_add(bytes) > limit {
            let detail = format!("{bytes} bytes asked, {used} of {limit} in use");
            return Err(GpuError::new(ErrorKind::OutOfMemory, "allocate", detail));
        }
        let start = self.memory_end;
        self.memory_end += bytes.max(1).next_multiple_of(256);
        self.memory.insert(start, vec![0; host_bytes]);
        Ok(DevicePtr(start))
    }

    fn free(&mut self, pointer: DevicePtr) -> Result<(), GpuError> {
        self.memory.remove(&pointer.0).map(|_| ()).ok_or_else(|| {
            let detail = format!("{:#x} is not the start of an allocation", pointer.0);
            GpuError::new(ErrorKind::InvalidArgument, "free", detail)
        })
    }

    fn write(&mut self, to: DevicePtr, bytes: &[u8]) -> Result<(), GpuError> {
        self.range("copy to the device", to, bytes.len())?.copy_from_slice(bytes);
        Ok(())
    }

    fn read(&mut self, from: DevicePtr, bytes: &mut [u8]) -> Result<(), GpuError> {
        bytes.copy_from_slice(self.range("copy from the device", from, bytes.len())?);
        Ok(())
    }

    fn launch(&mut self, launch: &LaunchSpec, stop: &StopSignal) -> Result<LaunchTimes, GpuError> {
        let doing = format!("launch {}", launch.kernel);
        self.kernel(launch.module, &launch.kernel)?;
        match launch.kernel.as_str() {
            "mock_fault" => {
                let detail = "scripted fault: illegal address 0xdead0000 at mock_fault:1";
                Err(GpuError::new(ErrorKind::Fault, doing, detail).sticky())
            }
            "mock_oom" => {
                Err(GpuError::new(ErrorKind::OutOfMemory, doing, "scripted: out of memory"))
            }
            "mock_waits" => {
                while !stop.is_raised() {
                    thread::sleep(STOP_LOOK);
                }
                Err(GpuError::new(ErrorKind::Stopped, doing, "stopped on request"))
            }
            "mock_hangs" => loop {
                thread::park(); // returns now and then for no reason, hence the loop
            },
            "mock_dies" => std::process::abort(),
            _ => {
                let kernel_us = KERNEL_US[self.launches % KERNEL_US.len()];
                self.launches += 1;
                Ok(LaunchTimes { kernel_us })
            }
        }
    }

    fn take_printf(&mut self) -> String {
        String::new()
    }

    fn memory_used(&self) -> u64 {
        self.memory.values().map(|bytes| bytes.len() as u64).sum()
    }
}

fn not_loaded(doing: &str, module: ModuleId) -> GpuError {
    GpuError::new(ErrorKind::InvalidArgument, doing, format!("module {} is not loaded", module.0))
}

fn read_module(image: ModuleImage<'_>) -> Result<Vec<KernelSignature>, GpuError> {
    let doing = "load module";
    if image.format != ModuleFormat::Ptx {
        return Err(GpuError::new(
            ErrorKind::Unsupported,
            doing,
            "a scripted device reads PTX only",
        ));
    }
    let text = std::str::from_utf8(image.bytes).map_err(|error| {
        GpuError::new(ErrorKind::InvalidModule, doing, format!("not text: {error}"))
    })?;
    crate::signatures(text)
}

#[cfg(test)]
mod tests {
    use bridge_host_gpu::Dim3;

    use super::*;
    use crate::machines::workstation;

    const MIB: u64 = 1024 * 1024;

    fn device(memory_bytes: u64) -> Box<dyn GpuDevice> {
        let machine = workstation();
        let uuid = machine.gpus[0].uuid.clone();
        let limits = DeviceLimits { memory_bytes, streams: 1, printf_bytes: 0 };
        ScriptedBackend::new(machine).open(&uuid, limits).unwrap()
    }

    fn launched(kernel: &str, stop: &StopSignal) -> Result<LaunchTimes, GpuError> {
        let mut device = device(MIB);
        let ptx = format!(
            ".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry {kernel}(.param .u64 p, .param .u32 n) {{ ret; }}\n"
        );
        let module =
            device.load(ModuleImage { format: ModuleFormat::Ptx, bytes: ptx.as_bytes() })?;
        let one = Dim3 { x: 1, y: 1, z: 1 };
        let spec = LaunchSpec {
            module,
            kernel: kernel.to_owned(),
            grid: one,
            block: one,
            shared_bytes: 0,
            parameters: vec![0; 12],
        };
        device.launch(&spec, stop)
    }

    #[test]
    fn samples_repeat_the_script_for_each_gpu_apart() {
        let machine = workstation();
        let uuids: Vec<_> = machine.gpus.iter().map(|gpu| gpu.uuid.clone()).collect();
        let mut discovery = ScriptedDiscovery::new(machine);
        let mut seen = |uuid: &str| discovery.sample(uuid).unwrap().utilization_ratio.unwrap();
        let first: Vec<_> = (0..6).map(|_| seen(&uuids[0])).collect();
        assert_eq!(first, [0.0, 0.35, 0.8, 0.95, 0.4, 0.0]);
        assert!(seen(&uuids[1]).abs() < f32::EPSILON);
    }

    #[test]
    fn a_gpu_that_is_not_in_the_machine_cannot_be_opened() {
        let limits = DeviceLimits { memory_bytes: 1, streams: 1, printf_bytes: 0 };
        let error =
            ScriptedBackend::new(workstation()).open("GPU-x", limits).map(|_| ()).unwrap_err();
        assert_eq!(error.to_string(), "open GPU GPU-x: mock-workstation has no GPU GPU-x");
    }

    #[test]
    fn kernels_end_as_their_names_say() {
        let stop = StopSignal::new();
        stop.raise();
        assert_eq!(launched("anything", &stop), Ok(LaunchTimes { kernel_us: 120 }));
        let fault = launched("mock_fault", &stop).unwrap_err();
        assert!(fault.sticky && fault.kind == ErrorKind::Fault);
        assert_eq!(launched("mock_oom", &stop).unwrap_err().kind, ErrorKind::OutOfMemory);
        assert_eq!(launched("mock_waits", &stop).unwrap_err().kind, ErrorKind::Stopped);
    }

    #[test]
    fn memory_is_counted_and_ranges_are_checked() {
        let mut device = device(1024);
        let a = device.alloc(1000).unwrap();
        assert_eq!(
            device.alloc(25).unwrap_err().to_string(),
            "allocate: 25 bytes asked, 1000 of 1024 in use"
        );
        device.write(DevicePtr(a.0 + 996), b"tail").unwrap();
        let error = device.write(DevicePtr(a.0 + 997), b"tail").unwrap_err();
        assert!(error.to_string().ends_with("are not inside one allocation"), "{error}");
        let mut tail = [0; 4];
        device.read(DevicePtr(a.0 + 996), &mut tail).unwrap();
        assert_eq!(&tail, b"tail");
        device.free(a).unwrap();
        assert_eq!(device.memory_used(), 0);
        assert!(device.free(a).is_err());
    }

    #[test]
    fn a_kernel_that_is_not_there_is_answered_with_those_that_are() {
        let mut device = device(1);
        let ptx = ".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry a() { ret; }\n.visible .entry b() { ret; }\n";
        let module =
            device.load(ModuleImage { format: ModuleFormat::Ptx, bytes: ptx.as_bytes() }).unwrap();
        let error = device.kernel(module, "c").unwrap_err();
        assert_eq!(error.to_string(), "find kernel c: the module has a, b");
    }
}
