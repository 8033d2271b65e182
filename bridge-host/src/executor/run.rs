//! One run on one device: hash, load, copy in, launch, copy out, hash.
//!
//! Knows the port and open files. Whatever happens in the middle, the device has its memory back at the end.

use std::{fs::File, io::Write, os::fd::OwnedFd, time::Instant};

use bridge_host_gpu::{
    DevicePtr, Dim3, ErrorKind, GpuDevice, GpuError, KernelSignature, LaunchSpec, ModuleFormat,
    ModuleId, ModuleImage, StopSignal,
};
use ninedoor_abi::job::{LaunchPlan, PlanParameter, TableEntry};

use super::{
    mapping::{ReadMapping, WriteMapping},
    protocol::{Argument, Buffer, Failure, Finished, Format, Run},
};
use crate::{
    digest::sha256_of,
    limits::{DETAIL_BYTES_MAX, EXECUTOR_MODULES_MAX},
};

/// A device and the modules loaded in it.
pub(super) struct Workbench {
    device: Box<dyn GpuDevice>,
    /// Oldest first.
    modules: Vec<Loaded>,
}

struct Loaded {
    sha256: String,
    module: ModuleId,
}

/// The files of one run, in the order that [`Run`] promises.
struct Files {
    module: File,
    buffers: Vec<BufferFiles>,
    printf: Option<File>,
}

struct BufferFiles {
    buffer: Buffer,
    initial: Option<File>,
    output: Option<File>,
}

impl Workbench {
    pub(super) fn new(device: Box<dyn GpuDevice>) -> Self {
        Self { device, modules: Vec::new() }
    }

    /// Performs one run.
    ///
    /// # Errors
    /// What the job record will say; after a sticky failure this workbench is good for nothing.
    pub(super) fn perform(
        &mut self,
        run: &Run,
        files: Vec<OwnedFd>,
        stop: &StopSignal,
    ) -> Result<Finished, Failure> {
        let mut files = Files::sort(run, files)?;
        let started = Instant::now();
        let module = self.module(run, &files.module)?;
        let signature = self.device.kernel(module, &run.kernel)?;
        let load_us = micros_since(started);

        let mut memory = Vec::new();
        let outcome = self.launch(run, module, &signature, &mut files, &mut memory, stop);
        self.release(memory)?;
        Ok(Finished { load_us, ..outcome? })
    }

    /// The module, loaded now or by an earlier run. The hash is of the very bytes that are loaded.
    fn module(&mut self, run: &Run, file: &File) -> Result<ModuleId, Failure> {
        if let Some(found) =
            self.modules.iter().position(|loaded| loaded.sha256 == run.module_sha256)
        {
            self.modules[found..].rotate_left(1);
            return Ok(self.modules[self.modules.len() - 1].module);
        }
        let mapping = ReadMapping::of(file).map_err(|error| world("map the module", &error))?;
        check_hash(mapping.bytes(), &run.module_sha256)?;
        if self.modules.len() == EXECUTOR_MODULES_MAX {
            self.device.unload(self.modules.remove(0).module)?;
        }
        let module =
            self.device.load(ModuleImage { format: run.format.into(), bytes: mapping.bytes() })?;
        self.modules.push(Loaded { sha256: run.module_sha256.clone(), module });
        Ok(module)
    }

    fn launch(
        &mut self,
        run: &Run,
        module: ModuleId,
        signature: &KernelSignature,
        files: &mut Files,
        memory: &mut Vec<DevicePtr>,
        stop: &StopSignal,
    ) -> Result<Finished, Failure> {
        let copying_in = Instant::now();
        for buffer in &files.buffers {
            memory.push(self.copy_in(buffer)?);
        }
        let h2d_us = micros_since(copying_in);

        let spec = LaunchSpec {
            module,
            kernel: run.kernel.clone(),
            grid: dim3(run.grid),
            block: dim3(run.block),
            shared_bytes: run.shared_bytes,
            parameters: parameter_block(run, signature, memory)?,
        };
        let launched = self.device.launch(&spec, stop);
        let printf_bytes = keep_printf(&self.device.take_printf(), files.printf.as_mut())?;
        let kernel_us = launched?.kernel_us;

        let copying_out = Instant::now();
        let outputs_sha256 = self.copy_out(&files.buffers, memory)?;
        Ok(Finished {
            run: run.run,
            load_us: 0,
            h2d_us,
            kernel_us,
            d2h_us: micros_since(copying_out),
            outputs_sha256,
            printf_bytes,
        })
    }

    fn copy_in(&mut self, files: &BufferFiles) -> Result<DevicePtr, Failure> {
        let pointer = self.device.alloc(files.buffer.bytes)?;
        if let Some(initial) = &files.initial {
            let mapping =
                ReadMapping::of(initial).map_err(|error| world("map an input", &error))?;
            self.device.write(pointer, mapping.bytes())?;
        }
        Ok(pointer)
    }

    fn copy_out(
        &mut self,
        buffers: &[BufferFiles],
        memory: &[DevicePtr],
    ) -> Result<Vec<String>, Failure> {
        let mut hashes = Vec::new();
        for (files, pointer) in buffers.iter().zip(memory) {
            let Some(output) = &files.output else { continue };
            let mut mapping =
                WriteMapping::of(output).map_err(|error| world("map an output", &error))?;
            self.device.read(*pointer, mapping.bytes_mut())?;
            hashes.push(sha256_of(mapping.bytes_mut()).hex());
        }
        Ok(hashes)
    }

    fn release(&mut self, memory: Vec<DevicePtr>) -> Result<(), Failure> {
        for pointer in memory {
            self.device.free(pointer)?;
        }
        Ok(())
    }
}

impl Files {
    fn sort(run: &Run, files: Vec<OwnedFd>) -> Result<Self, Failure> {
        if files.len() != run.files() {
            let detail = format!(
                "{} files came with the order, its text needs {}",
                files.len(),
                run.files()
            );
            return Err(Failure::of("INTERNAL", detail));
        }
        let mut files = files.into_iter().map(File::from);
        let mut next = |wanted: bool| if wanted { files.next() } else { None };
        let module = next(true)
            .ok_or_else(|| Failure::of("INTERNAL", "no module came with the order".to_owned()))?;
        let buffers = run
            .buffers
            .iter()
            .map(|&buffer| BufferFiles {
                buffer,
                initial: next(buffer.initial),
                output: next(buffer.output),
            })
            .collect();
        let printf = next(run.printf);
        Ok(Self { module, buffers, printf })
    }
}

fn check_hash(bytes: &[u8], wanted: &str) -> Result<(), Failure> {
    let seen = sha256_of(bytes).hex();
    if seen == wanted {
        return Ok(());
    }
    Err(Failure::of("HASH", format!("module has sha256:{seen}, the job says sha256:{wanted}")))
}

/// The parameter block, laid out as the loaded module's own table says: the last word on what the daemon checked before.
fn parameter_block(
    run: &Run,
    signature: &KernelSignature,
    memory: &[DevicePtr],
) -> Result<Vec<u8>, Failure> {
    let parameters = run.arguments.iter().map(PlanParameter::from).collect();
    let table: Vec<_> = signature
        .parameters
        .iter()
        .map(|slot| TableEntry { offset: slot.offset, bytes: slot.bytes })
        .collect();
    let block = LaunchPlan { buffers: Vec::new(), parameters }
        .lay_out(&run.kernel, &table)
        .map_err(|refusal| Failure::of("INVALID", refusal.text))?;
    Ok(block.fill(|buffer| memory.get(buffer).map_or(0, |pointer| pointer.0)))
}

impl From<&Argument> for PlanParameter {
    fn from(argument: &Argument) -> Self {
        match argument {
            Argument::Buffer(index) => Self::Buffer(usize::from(*index)),
            Argument::Bytes(bytes) => Self::Value { kind: "by value", bytes: bytes.clone() },
        }
    }
}

fn keep_printf(text: &str, file: Option<&mut File>) -> Result<u32, Failure> {
    let Some(file) = file else { return Ok(0) };
    file.write_all(text.as_bytes())
        .map_err(|error| world("keep what the kernel printed", &error))?;
    Ok(u32::try_from(text.len()).unwrap_or(u32::MAX))
}

const fn dim3([x, y, z]: [u32; 3]) -> Dim3 {
    Dim3 { x, y, z }
}

fn micros_since(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// A failure of this machine, not of the job.
fn world(doing: &str, error: &std::io::Error) -> Failure {
    Failure::of("INTERNAL", format!("{doing}: {error}"))
}

impl Failure {
    pub(super) fn of(code: &str, detail: String) -> Self {
        Self { code: code.to_owned(), detail, vendor_code: None, sticky: false }
    }
}

impl From<GpuError> for Failure {
    fn from(error: GpuError) -> Self {
        let mut detail = error.to_string();
        if let Some(cut) = (0..=DETAIL_BYTES_MAX).rev().find(|&at| detail.is_char_boundary(at)) {
            detail.truncate(cut);
        }
        let lost = matches!(error.kind, ErrorKind::NoDriver | ErrorKind::NoGpu);
        Self {
            code: error.kind.record_code().to_owned(),
            detail,
            vendor_code: error.code,
            sticky: error.sticky || lost,
        }
    }
}

impl From<Format> for ModuleFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Ptx => Self::Ptx,
            Format::Cubin => Self::Cubin,
            Format::Fatbin => Self::Fatbin,
        }
    }
}
