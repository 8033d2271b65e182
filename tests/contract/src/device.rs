//! An opened GPU in the words of the clauses: what goes wrong is a sentence.

use bridge_host_gpu::{
    DeviceLimits, DevicePtr, Dim3, ErrorKind, GpuDevice, GpuError, LaunchSpec, ModuleFormat,
    ModuleId, ModuleImage, StopSignal,
};

use crate::Subject;

/// Memory that a clause may have.
pub(crate) const MEMORY_BYTES: u64 = 8 << 20;

pub(crate) type Outcome<T = ()> = Result<T, String>;

/// One GPU, opened for one clause.
pub(crate) struct Opened(Box<dyn GpuDevice>);

pub(crate) fn open(subject: &mut Subject<'_>) -> Outcome<Opened> {
    let limits = DeviceLimits { memory_bytes: MEMORY_BYTES, streams: 1, printf_bytes: 4096 };
    let uuid = subject.uuid.clone();
    subject.backend.open(&uuid, limits).map(Opened).map_err(|error| format!("open: {error}"))
}

/// Fails with a sentence.
pub(crate) fn want(holds: bool, sentence: impl FnOnce() -> String) -> Outcome {
    if holds { Ok(()) } else { Err(sentence()) }
}

/// The error that must have come, of one of these kinds.
pub(crate) fn refused<T>(
    what: &str,
    got: Result<T, GpuError>,
    kinds: &[ErrorKind],
) -> Outcome<GpuError> {
    match got {
        Ok(_) => Err(format!("{what} was not refused")),
        Err(error) if kinds.contains(&error.kind) => Ok(error),
        Err(error) => Err(format!("{what}: {error}, as {:?}, wanted {kinds:?}", error.kind)),
    }
}

/// What must have gone well.
pub(crate) fn well<T>(got: Result<T, GpuError>) -> Outcome<T> {
    got.map_err(|error| error.to_string())
}

impl std::ops::Deref for Opened {
    type Target = dyn GpuDevice;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl std::ops::DerefMut for Opened {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut *self.0
    }
}

impl Opened {
    pub(crate) fn load_text(&mut self, text: &str) -> Result<ModuleId, GpuError> {
        self.load(ModuleImage { format: ModuleFormat::Ptx, bytes: text.as_bytes() })
    }

    /// An allocation that begins as these bytes.
    pub(crate) fn place(&mut self, bytes: &[u8]) -> Outcome<DevicePtr> {
        let pointer = well(self.alloc(bytes.len() as u64))?;
        well(self.write(pointer, bytes))?;
        Ok(pointer)
    }

    pub(crate) fn fetch(&mut self, from: DevicePtr, bytes: usize) -> Outcome<Vec<u8>> {
        let mut copy = vec![0xee; bytes];
        well(self.read(from, &mut copy))?;
        Ok(copy)
    }

    pub(crate) fn run(
        &mut self,
        module: ModuleId,
        kernel: &str,
        (blocks, threads): (u32, u32),
        parameters: &[u8],
    ) -> Result<(), GpuError> {
        self.run_until(module, kernel, (blocks, threads), parameters, &StopSignal::new())
    }

    pub(crate) fn run_until(
        &mut self,
        module: ModuleId,
        kernel: &str,
        (blocks, threads): (u32, u32),
        parameters: &[u8],
        stop: &StopSignal,
    ) -> Result<(), GpuError> {
        let launch = LaunchSpec {
            module,
            kernel: kernel.to_owned(),
            grid: Dim3 { x: blocks, y: 1, z: 1 },
            block: Dim3 { x: threads, y: 1, z: 1 },
            shared_bytes: 0,
            parameters: parameters.to_vec(),
        };
        self.launch(&launch, stop).map(|_| ())
    }
}
