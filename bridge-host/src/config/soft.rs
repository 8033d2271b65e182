//! `[soft]`: what the software GPU is.

use mock::soft::{Atomics, SoftConfig};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::read::{ConfigRefused, within};

/// The software GPUs of this machine, all alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SoftSettings {
    /// How many.
    pub gpus: u32,
    /// Memory of each, MiB; taken from the machine's as jobs use it.
    pub memory_mb: u32,
    /// Processors that one launch may use; 0 is all there are.
    pub cores: u32,
    /// In which order blocks come to atomics that show it.
    pub atomics: AtomicsChoice,
}

/// In which order blocks come to atomics that show it: sums of floats, exchanges, old values that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AtomicsChoice {
    /// In the order of blocks: the same job leaves the same bytes every time.
    #[default]
    InOrder,
    /// As they come, as on a GPU: faster, and another run may round otherwise.
    AsTheyCome,
}

impl Default for SoftSettings {
    fn default() -> Self {
        let SoftConfig { devices, memory_mb, workers, .. } = SoftConfig::default();
        Self { gpus: devices, memory_mb, cores: workers, atomics: AtomicsChoice::default() }
    }
}

impl SoftSettings {
    pub(super) fn check(&self) -> Result<(), ConfigRefused> {
        within("soft.gpus", self.gpus, 1..=64)?;
        within("soft.memory_mb", self.memory_mb, 16..=16_777_216)?;
        within("soft.cores", self.cores, 0..=1024)
    }
}

impl From<SoftSettings> for SoftConfig {
    fn from(settings: SoftSettings) -> Self {
        let atomics = match settings.atomics {
            AtomicsChoice::InOrder => Atomics::InOrder,
            AtomicsChoice::AsTheyCome => Atomics::AsTheyCome,
        };
        let SoftSettings { gpus: devices, memory_mb, cores: workers, .. } = settings;
        Self { devices, memory_mb, workers, atomics }
    }
}
