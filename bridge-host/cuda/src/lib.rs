//! NVIDIA GPUs behind the port: NVML tells the daemon what is there, the CUDA driver runs jobs in executors.
//!
//! Knows NVIDIA's libraries, no leases and no 9P. Both libraries are found at run time; on a machine without them everything
//! here answers with an error of kind [`bridge_host_gpu::ErrorKind::NoDriver`] that says what was looked for. On anything but Linux
//! (macOS, whose GPUs are Metal's) it compiles, and every way in answers so.
//!
//! ```text
//! daemon:    NvmlDiscovery ─▶ libnvidia-ml.so.1     no CUDA context, ever
//! executor:  CudaBackend ─▶ Driver (libcuda.so.1) ─▶ CudaDevice: one primary context, gone with the process
//! ```

#[cfg(target_os = "linux")]
mod architecture;
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "a table, read by Linux modules"))]
mod code;
#[cfg(target_os = "linux")]
mod device;
#[cfg(target_os = "linux")]
mod driver;
#[cfg(any(not(target_os = "linux"), test))]
#[cfg_attr(target_os = "linux", allow(unreachable_pub, reason = "on Linux only its own test"))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod events;
#[cfg(all(target_os = "linux", feature = "floor"))]
pub mod floor;
#[cfg(target_os = "linux")]
mod health;
#[cfg(target_os = "linux")]
mod nvml;
#[cfg(target_os = "linux")]
mod pool;
#[cfg(target_os = "linux")]
mod printed;
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "a table, read by Linux modules"))]
mod xid;

pub use code::{ERRORS, ERRORS_VERSION, ErrorClass, ErrorRow};
#[cfg(target_os = "linux")]
pub use device::{CudaBackend, CudaDevice};
#[cfg(not(target_os = "linux"))]
pub use elsewhere::{CudaBackend, NvmlDiscovery, NvmlEvents};
#[cfg(target_os = "linux")]
pub use events::NvmlEvents;
#[cfg(target_os = "linux")]
pub use nvml::NvmlDiscovery;
pub use xid::{XIDS, XIDS_VERSION, XidRow};
