//! The port: what a GPU can be asked, in the words of CUDA, without NVIDIA's names.
//!
//! Two traits, for two processes. [`GpuDiscovery`] is for the daemon, which never holds a context: which GPUs are there, how are
//! they. [`GpuDevice`] is for an executor, which holds one and may die with it: memory, modules, launches.
//! Knows no leases, no 9P, no files.
//!
//! ```text
//! daemon:    GpuDiscovery::inventory ─▶ Vec<GpuInfo>      GpuDiscovery::sample ─▶ GpuSample      GpuEvents::wait ─▶ GpuEvent
//! executor:  GpuBackend::open ─▶ GpuDevice:  load ─▶ alloc/write ─▶ launch ─▶ read ─▶ free      (any error may be sticky: the
//!                                                                                               process then exits)
//! ```
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;

mod device;
mod error;
mod health;
mod info;
mod launch;

pub use device::{
    DeviceLimits, DevicePtr, GpuBackend, GpuDevice, GpuDiscovery, GpuEvents, ModuleId, StopSignal,
};
pub use error::{ErrorKind, GpuError};
pub use health::{EccErrors, GpuEvent, GpuSample, Health, ProcessMemory, Remedy, Throttle};
pub use info::{
    BackendKind, ComputeCapability, GpuInfo, MemoryEnforcement, MigState, Peer, Topology,
};
pub use launch::{
    Dim3, KernelSignature, LaunchSpec, LaunchTimes, ModuleFormat, ModuleImage, ParameterSlot,
};
