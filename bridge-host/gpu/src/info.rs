//! What a GPU is, and how it is at the moment.

use alloc::{string::String, vec::Vec};

use crate::Health;

/// Where a GPU's work is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BackendKind {
    /// A real NVIDIA GPU.
    Nvidia,
    /// The software GPU: the same PTX, on this machine's processor.
    Soft,
    /// A scripted device: nothing is computed, and every name says so.
    Mock,
}

impl BackendKind {
    /// The word in `info` and on command lines.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nvidia => "nvidia",
            Self::Soft => "soft",
            Self::Mock => "mock",
        }
    }
}

/// `major.minor`, as in sm_80 = 8.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ComputeCapability {
    /// The architecture.
    pub major: u8,
    /// The variant within it.
    pub minor: u8,
}

/// Facts about one GPU that do not change while it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GpuInfo {
    /// The hardware's identity, `GPU-…` or, for MIG, `MIG-…`.
    pub uuid: String,
    /// The product's name.
    pub name: String,
    /// Who made it.
    pub vendor: String,
    /// Where its work is done.
    pub backend: BackendKind,
    /// All of its memory, in MiB.
    pub memory_mb: u32,
    /// Memory that no lease can have (the driver's own), in MiB.
    pub memory_reserved_mb: u32,
    /// Streaming multiprocessors; for the software GPU, the cores it may use.
    pub sm_count: u32,
    /// What PTX it accepts.
    pub compute_capability: ComputeCapability,
    /// The driver's version, as the driver writes it.
    pub driver_version: String,
    /// The CUDA (or software GPU) runtime version.
    pub runtime_version: String,
    /// `domain:bus:device.function`, where there is one.
    pub pci_bus_id: Option<String>,
    /// Concurrent launches that it supports.
    pub streams_max: u16,
    /// Threads in one block, at most.
    pub block_threads_max: u32,
    /// Extent of a block in x, y, z, at most.
    pub block_max: [u32; 3],
    /// Extent of a grid in x, y, z, at most.
    pub grid_max: [u32; 3],
    /// Shared memory of one block, static and dynamic together, in bytes.
    pub shared_bytes_max: u32,
    /// How a lease's memory bound is enforced.
    pub memory_enforcement: MemoryEnforcement,
    /// Where it sits in the machine, and what joins it to the others.
    pub topology: Topology,
    /// Whether it is cut into instances; `None` where it cannot be, or cannot tell.
    pub mig: Option<MigState>,
    /// Whether it may be given work.
    pub health: Health,
}

/// Where a GPU sits in its machine. What is not known is not there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Topology {
    /// The memory node of the machine that is nearest.
    pub numa_node: Option<u32>,
    /// The other GPUs, in the order of the inventory.
    pub peers: Vec<Peer>,
}

/// What joins two GPUs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Peer {
    /// The other one.
    pub uuid: String,
    /// Their nearest common ancestor: `board`, `switch`, `switches`, `bridge`, `node`, `system`, or the driver's own number
    /// where it is none of these.
    pub ancestor: Option<String>,
    /// Direct links between the two that are up.
    pub links: u32,
}

/// Whether a GPU is cut into instances (MIG).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MigState {
    /// Now.
    pub current: bool,
    /// After the next reset.
    pub pending: bool,
}

/// By whom a lease's memory bound is enforced, strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MemoryEnforcement {
    /// The operating system's device-memory controller.
    Kernel,
    /// The driver's memory pool with a maximum size.
    Pool,
    /// Every allocation is ours and counted.
    Accounting,
}

impl MemoryEnforcement {
    /// The word in `info`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Pool => "pool",
            Self::Accounting => "accounting",
        }
    }
}
