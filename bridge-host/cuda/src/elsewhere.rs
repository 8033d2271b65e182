//! Where there is no Linux: the same names, of which none can be had. Each way in answers `NoDriver` and says what to use.
//!
//! NVIDIA's driver is for Linux here, and GPUs of macOS are Metal's, which nothing here speaks. The types are empty: what could be
//! asked of a GPU compiles, and is never reached.

use bridge_host_gpu::{
    DeviceLimits, ErrorKind, GpuBackend, GpuDevice, GpuDiscovery, GpuError, GpuEvent, GpuEvents,
    GpuInfo, GpuSample,
};

fn not_served(doing: &str) -> GpuError {
    let detail = "GPUs are served on Linux only: those of macOS (Metal) are not, and none is listed; \
                  use the software GPU (--backend soft)";
    GpuError::new(ErrorKind::NoDriver, doing, detail)
}

/// NVML, which is not here.
#[derive(Debug)]
pub enum NvmlDiscovery {}

impl NvmlDiscovery {
    /// Finds nothing.
    ///
    /// # Errors
    /// `NoDriver`, always.
    pub fn new() -> Result<Self, GpuError> {
        Err(not_served("load NVML"))
    }
}

impl GpuDiscovery for NvmlDiscovery {
    fn inventory(&mut self) -> Result<Vec<GpuInfo>, GpuError> {
        match *self {}
    }

    fn sample(&mut self, _: &str) -> Result<GpuSample, GpuError> {
        match *self {}
    }

    fn events(&mut self) -> Result<Option<Box<dyn GpuEvents>>, GpuError> {
        match *self {}
    }
}

/// The events of GPUs, of which there are none.
#[derive(Debug)]
pub enum NvmlEvents {}

impl NvmlEvents {
    /// Hears nothing.
    ///
    /// # Errors
    /// `NoDriver`, always.
    pub fn subscribe() -> Result<Option<Self>, GpuError> {
        Err(not_served("listen to the driver"))
    }
}

impl GpuEvents for NvmlEvents {
    fn wait(&mut self, _: u32) -> Result<Option<GpuEvent>, GpuError> {
        match *self {}
    }
}

/// CUDA, which is not here; so there is no `CudaDevice` either.
#[derive(Debug)]
pub enum CudaBackend {}

impl CudaBackend {
    /// Loads nothing.
    ///
    /// # Errors
    /// `NoDriver`, always.
    pub fn new() -> Result<Self, GpuError> {
        Err(not_served("load the CUDA driver"))
    }

    /// The driver's CUDA version.
    ///
    /// # Errors
    /// None: nobody can ask.
    pub fn version(&self) -> Result<String, GpuError> {
        match *self {}
    }
}

impl GpuBackend for CudaBackend {
    fn open(&mut self, _: &str, _: DeviceLimits) -> Result<Box<dyn GpuDevice>, GpuError> {
        match *self {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_in_says_that_metal_is_not_served_and_what_to_use() {
        let ways = [
            NvmlDiscovery::new().and_then(|mut nvml| nvml.inventory()).unwrap_err(),
            NvmlEvents::subscribe().unwrap_err(),
            CudaBackend::new().and_then(|driver| driver.version()).unwrap_err(),
        ];
        for error in ways {
            assert_eq!(error.kind, ErrorKind::NoDriver);
            let text = error.to_string();
            assert!(text.contains("macOS (Metal)") && text.ends_with("(--backend soft)"), "{text}");
        }
    }
}
