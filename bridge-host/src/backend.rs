//! Which kind of GPU this daemon works with, and how to reach it: the one place where adapters are named.

use std::{fmt, str::FromStr};

use bridge_host_gpu::{BackendKind, GpuBackend, GpuDiscovery, GpuError};
use mock::soft::{Atomics, SoftConfig};

/// A backend that was chosen, or found by `auto`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Backend {
    /// Which kind.
    pub kind: BackendKind,
    /// What the software GPU is, where it is that.
    pub soft: SoftConfig,
}

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
    pub fn named(self, auto: BackendKind) -> Backend {
        Backend::from(match self {
            Self::Auto => auto,
            Self::Nvidia => BackendKind::Nvidia,
            Self::Soft => BackendKind::Soft,
            Self::Mock => BackendKind::Mock,
        })
    }
}

/// The backends that command lines can name.
pub const BACKENDS: [BackendKind; 3] = [BackendKind::Nvidia, BackendKind::Soft, BackendKind::Mock];

impl From<BackendKind> for Backend {
    fn from(kind: BackendKind) -> Self {
        Self { kind, soft: SoftConfig::default() }
    }
}

impl Backend {
    /// The daemon's side: which GPUs are there.
    ///
    /// # Errors
    /// When the backend's driver is not there.
    pub fn discovery(self) -> Result<Box<dyn GpuDiscovery>, GpuError> {
        Ok(match self.kind {
            BackendKind::Nvidia => Box::new(bridge_host_cuda::NvmlDiscovery::new()?),
            BackendKind::Soft => Box::new(mock::soft::SoftDiscovery::new(self.soft)),
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
        Ok(match self.kind {
            BackendKind::Nvidia => Box::new(bridge_host_cuda::CudaBackend::new()?),
            BackendKind::Soft => Box::new(mock::soft::SoftBackend::new(self.soft)),
            BackendKind::Mock => {
                // Mock GPUs have the same names in every machine; a lease is never larger than its GPU.
                Box::new(mock::scripted::ScriptedBackend::new(mock::machines::rack(u8::MAX)))
            }
        })
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.kind.as_str())
    }
}

impl Backend {
    /// The word for an executor's command line, which [`Backend::from_str`] reads: the kind, and for the software GPU what it is.
    #[must_use]
    pub fn word(&self) -> String {
        let SoftConfig { devices, memory_mb, workers, atomics } = self.soft;
        match self.kind {
            BackendKind::Soft => format!(
                "{self},{devices},{memory_mb},{workers},{}",
                if atomics == Atomics::InOrder { IN_ORDER } else { AS_THEY_COME }
            ),
            BackendKind::Nvidia | BackendKind::Mock => self.to_string(),
        }
    }
}

const IN_ORDER: &str = "in-order";
const AS_THEY_COME: &str = "as-they-come";

impl FromStr for Backend {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let mut words = word.split(',');
        let name = words.next().unwrap_or_default();
        let kind = BACKENDS.into_iter().find(|kind| kind.as_str() == name);
        let kind = kind.ok_or_else(|| format!("backend {name}: wanted nvidia, soft or mock"))?;
        let words: Vec<_> = words.collect();
        let soft = match (kind, &words[..]) {
            (_, []) => Some(SoftConfig::default()),
            (BackendKind::Soft, words) => soft_of(words),
            _ => None,
        };
        let soft =
            soft.ok_or_else(|| format!("backend {word}: wanted soft,GPUS,MB,CORES,ATOMICS"))?;
        Ok(Self { kind, soft })
    }
}

fn soft_of(words: &[&str]) -> Option<SoftConfig> {
    let [devices, memory_mb, workers, atomics] = words else { return None };
    let atomics = match *atomics {
        IN_ORDER => Atomics::InOrder,
        AS_THEY_COME => Atomics::AsTheyCome,
        _ => return None,
    };
    let number = |word: &str| word.parse().ok();
    Some(SoftConfig {
        devices: number(devices)?,
        memory_mb: number(memory_mb)?,
        workers: number(workers)?,
        atomics,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_executor_reads_what_the_daemon_wrote() {
        let atomics = Atomics::AsTheyCome;
        let soft = SoftConfig { devices: 3, memory_mb: 64, workers: 2, atomics };
        let backend = Backend { soft, ..Backend::from(BackendKind::Soft) };
        assert_eq!(backend.word(), "soft,3,64,2,as-they-come");
        for backend in BACKENDS.map(Backend::from).into_iter().chain([backend]) {
            assert_eq!(backend.word().parse(), Ok(backend));
        }
        let refused = |word: &str| word.parse::<Backend>().unwrap_err();
        assert_eq!(refused("quantum"), "backend quantum: wanted nvidia, soft or mock");
        for word in ["soft,1", "soft,1,64,2,sideways", "mock,1,64,2,in-order"] {
            assert!(refused(word).ends_with("wanted soft,GPUS,MB,CORES,ATOMICS"), "{word}");
        }
    }
}
