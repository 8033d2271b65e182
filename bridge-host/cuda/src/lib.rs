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
mod nvml;
mod printed;

pub use device::{CudaBackend, CudaDevice};
pub use nvml::NvmlDiscovery;
