//! Which kind of GPU this daemon works with, and how to reach it: the one place where adapters are named.

use std::{fmt, str::FromStr};

use bridge_host_gpu::{BackendKind, GpuBackend, GpuDiscovery, GpuError};
use mock::soft::SoftConfig;

/// A backend that was chosen, or found by `auto`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Backend(pub BackendKind);

/// What a command line or a configuration asks for.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Default,
    clap::ValueEnum,
    serde::Deserialize,
    serde::Serialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum BackendChoice {
    /// NVIDIA where there is a driver, else the software GPU.
    #[default]
    Auto,
    /// Real hardware, or an error.
    Nvidia,
    /// The same PTX on this machine's processor.
    Soft,
    /// Scripted devices: nothing is computed.
    Mock,
}

impl BackendChoice {
    /// The backend of this name; `auto` for what has none.
    #[must_use]
    pub const fn named(self, auto: BackendKind) -> Backend {
        Backend(match self {
            Self::Auto => auto,
            Self::Nvidia => BackendKind::Nvidia,
            Self::Soft => BackendKind::Soft,
            Self::Mock => BackendKind::Mock,
        })
    }
}

/// The backends by the names that command lines use.
pub const BACKENDS: [Backend; 3] =
    [Backend(BackendKind::Nvidia), Backend(BackendKind::Soft), Backend(BackendKind::Mock)];

impl Backend {
    /// The daemon's side: which GPUs are there.
    ///
    /// # Errors
    /// When the backend's driver is not there.
    pub fn discovery(self) -> Result<Box<dyn GpuDiscovery>, GpuError> {
        Ok(match self.0 {
            BackendKind::Nvidia => Box::new(bridge_host_cuda::NvmlDiscovery::new()?),
            BackendKind::Soft => Box::new(mock::soft::SoftDiscovery::new(SoftConfig::default())),
            BackendKind::Mock => {
                Box::new(mock::scripted::ScriptedDiscovery::new(mock::machines::workstation()))
            }
        })
    }

    /// The executor's side: a way to open one of them.
    ///
    /// # Errors
    /// When the backend's driver is not there.
    pub fn load(self) -> Result<Box<dyn GpuBackend>, GpuError> {
        Ok(match self.0 {
            BackendKind::Nvidia => Box::new(bridge_host_cuda::CudaBackend::new()?),
            BackendKind::Soft => Box::new(mock::soft::SoftBackend::new(SoftConfig::default())),
            BackendKind::Mock => {
                // Mock GPUs have the same names in every machine; a lease is never larger than its GPU.
                Box::new(mock::scripted::ScriptedBackend::new(mock::machines::rack(u8::MAX)))
            }
        })
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.as_str())
    }
}

impl FromStr for Backend {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        BACKENDS
            .into_iter()
            .find(|backend| backend.0.as_str() == name)
            .ok_or_else(|| format!("backend {name}: wanted nvidia, soft or mock"))
    }
}
