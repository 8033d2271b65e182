//! NVIDIA GPUs behind the port: NVML tells the daemon what is there, the CUDA driver runs jobs in executors.
//!
//! Knows NVIDIA's libraries, no leases and no 9P. Both libraries are found at run time; on a machine without them everything
//! here answers with an error of kind [`bridge_host_gpu::ErrorKind::NoDriver`] that says what was looked for.
//!
//! ```text
//! daemon:    NvmlDiscovery ─▶ libnvidia-ml.so.1     no CUDA context, ever
//! executor:  CudaBackend ─▶ Driver (libcuda.so.1) ─▶ CudaDevice: one primary context, gone with the process
//! ```

mod architecture;
mod code;
mod device;
mod driver;
mod events;
#[cfg(feature = "floor")]
pub mod floor;
mod health;
mod nvml;
mod pool;
mod printed;
mod xid;

pub use code::{ERRORS, ERRORS_VERSION, ErrorClass, ErrorRow};
pub use device::{CudaBackend, CudaDevice};
pub use events::NvmlEvents;
pub use nvml::NvmlDiscovery;
pub use xid::{XIDS, XIDS_VERSION, XidRow};
