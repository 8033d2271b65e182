//! Resource limits: what one executor may take of its machine, whatever it runs.

use bridge_host_gpu::BackendKind;
use ninedoor_abi::limits::LEASE_STREAMS_MAX;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::super::channel::PACKET_FILES_MAX;
use crate::limits::PRINTF_BYTES_MAX;

/// Open files: those of as many packets as a lease has streams, the GPU driver's device nodes, room to spare.
const OPEN_FILES_MAX: u64 = 32_768;
const _: () = assert!(LEASE_STREAMS_MAX as u64 * PACKET_FILES_MAX as u64 * 3 / 2 < OPEN_FILES_MAX);

/// Threads of this user, for the kernel counts them by user: far above what executors need, far below what harms the machine.
const USER_THREADS_MAX: u64 = 16_384;

/// Bytes of a file that NVIDIA's driver may write: it makes files in memory for itself.
const DRIVER_FILE_BYTES_MAX: u64 = 4 << 30;

/// Memory of an executor beside the buffers of its lease: modules, the engine, stacks.
const OWN_BYTES_MAX: u64 = 1 << 30;

/// The same for each stream and processor: a stack, and what the threads of blocks keep.
const THREAD_BYTES_MAX: u64 = 8 << 20;

/// Bounds what every executor has in common.
pub(super) fn bound(backend: BackendKind) -> rustix::io::Result<()> {
    limit(Resource::Core, 0)?;
    limit(Resource::Nofile, OPEN_FILES_MAX)?;
    limit(Resource::Nproc, USER_THREADS_MAX)?;
    // Outputs have their size before they come here and are written as memory: only what kernels print is written as a file.
    limit(
        Resource::Fsize,
        match backend {
            BackendKind::Nvidia => DRIVER_FILE_BYTES_MAX,
            BackendKind::Soft | BackendKind::Mock => u64::from(PRINTF_BYTES_MAX),
        },
    )
}

/// Bounds private memory once the lease is known: where device memory is this process's own, to that of the lease and what an
/// engine needs. NVIDIA's driver maps more than any such bound; there the cgroup holds.
pub(in super::super) fn bound_memory(
    backend: BackendKind,
    memory_bytes: u64,
    streams: u16,
    processors: usize,
) -> rustix::io::Result<()> {
    match backend {
        BackendKind::Nvidia => Ok(()),
        BackendKind::Soft | BackendKind::Mock => {
            let threads = u64::from(streams).saturating_mul(processors as u64 + 1);
            let beside = OWN_BYTES_MAX.saturating_add(threads.saturating_mul(THREAD_BYTES_MAX));
            limit(Resource::Data, memory_bytes.saturating_add(beside))
        }
    }
}

/// Never above what the daemon itself may.
fn limit(resource: Resource, maximum: u64) -> rustix::io::Result<()> {
    let now = getrlimit(resource);
    let maximum = now.maximum.map_or(maximum, |hard| hard.min(maximum));
    setrlimit(resource, Rlimit { current: Some(maximum), maximum: Some(maximum) })
}
