//! NVIDIA GPUs behind the port: NVML discovery, CUDA launch.
