//! Modules, kernels and launches.

use alloc::{string::String, vec::Vec};

use crate::ModuleId;

/// An extent in x, y, z; each at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Dim3 {
    /// Fastest.
    pub x: u32,
    /// Second.
    pub y: u32,
    /// Slowest.
    pub z: u32,
}

impl Dim3 {
    /// All elements, as a number that cannot overflow.
    #[must_use]
    pub const fn volume(self) -> u128 {
        self.x as u128 * self.y as u128 * self.z as u128
    }
}

/// The three forms a module comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ModuleFormat {
    /// Text in NVIDIA's virtual instruction set.
    Ptx,
    /// One ELF image for one real architecture.
    Cubin,
    /// Several images in one file.
    Fatbin,
}

/// A module as bytes, its hash already checked by whoever launches it.
#[derive(Debug, Clone, Copy)]
pub struct ModuleImage<'a> {
    /// What the bytes are.
    pub format: ModuleFormat,
    /// The bytes.
    pub bytes: &'a [u8],
}

/// One parameter of a kernel: its place in the parameter block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ParameterSlot {
    /// Bytes from the block's start.
    pub offset: u32,
    /// Bytes it takes.
    pub bytes: u32,
}

/// What a module says of one of its kernels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelSignature {
    /// The entry's name, mangled where it is.
    pub name: String,
    /// In kernel order.
    pub parameters: Vec<ParameterSlot>,
    /// Shared memory it takes whatever the launch says, bytes.
    pub static_shared_bytes: u32,
    /// `.maxntid`: the largest block it was compiled for, in threads.
    pub block_threads_max: Option<u32>,
    /// `.reqntid`: the only block it accepts.
    pub block_required: Option<Dim3>,
}

/// One launch: everything `cuLaunchKernel` needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaunchSpec {
    /// From [`crate::GpuDevice::load`].
    pub module: ModuleId,
    /// The entry's name.
    pub kernel: String,
    /// Blocks.
    pub grid: Dim3,
    /// Threads in a block.
    pub block: Dim3,
    /// Dynamic shared memory, bytes.
    pub shared_bytes: u32,
    /// The parameter block, laid out as the kernel's signature says.
    pub parameters: Vec<u8>,
}

/// How long a launch took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LaunchTimes {
    /// From the kernel's start to its end, microseconds, by the device's own clock where it has one.
    pub kernel_us: u64,
}
