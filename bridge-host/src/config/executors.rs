//! `[executors]`: the processes that run jobs.

use std::{path::PathBuf, str::FromStr};

use bridge_host_gpu::BackendKind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::read::{ConfigRefused, within};

/// What a CUDA context, its module code, printf buffer and local memory are taken to cost, in MiB.
const CUDA_CONTEXT_MB: u32 = 512;

/// The processes that run jobs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ExecutorSettings {
    /// Processes that wait, started, for a lease that needs one.
    pub spares: usize,
    /// Processes at once, spares included. Leases with work that find no place wait their turn.
    pub max: usize,
    /// How many processes of a lease may end, one after the other, before they are ready, until its waiting jobs end with that.
    pub starts_max: u32,
    /// Device memory that a process takes besides its lease's, in MiB: what a context costs. Where it is not set, 512 on
    /// NVIDIA GPUs and nothing elsewhere.
    pub context_mb: Option<u32>,
    /// The program to run; this one where it is not set.
    pub program: Option<PathBuf>,
    /// Whether what they write to their standard error goes to ours.
    pub stderr: bool,
    /// Whether an executor that cannot be confined in every way runs jobs all the same.
    pub confinement: ConfinementChoice,
}

/// What becomes of an executor that could not give up all that it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ConfinementChoice {
    /// It runs jobs; `info` says what is missing.
    #[default]
    BestEffort,
    /// It refuses its lease, and says what is missing.
    Required,
}

impl ConfinementChoice {
    /// The word in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BestEffort => "best-effort",
            Self::Required => "required",
        }
    }

    pub(crate) fn is_required(self) -> bool {
        self == Self::Required
    }
}

impl FromStr for ConfinementChoice {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        [Self::BestEffort, Self::Required]
            .into_iter()
            .find(|choice| choice.as_str() == word)
            .ok_or_else(|| format!("confinement {word}: wanted best-effort or required"))
    }
}

impl Default for ExecutorSettings {
    fn default() -> Self {
        Self {
            spares: 1,
            max: 256,
            starts_max: 8,
            context_mb: None,
            program: None,
            stderr: true,
            confinement: ConfinementChoice::default(),
        }
    }
}

impl ExecutorSettings {
    pub(super) fn check(&self) -> Result<(), ConfigRefused> {
        within("executors.spares", self.spares, 0..=64)?;
        within("executors.max", self.max, self.spares.max(1)..=4096)?;
        within("executors.starts_max", self.starts_max, 1..=1000)?;
        within("executors.context_mb", self.context_mb.unwrap_or(0), 0..=65_536)
    }

    /// Device memory, in MiB, that is kept for each process on a GPU of this kind.
    pub(crate) fn context_mb(&self, kind: BackendKind) -> u32 {
        let usual = if kind == BackendKind::Nvidia { CUDA_CONTEXT_MB } else { 0 };
        self.context_mb.unwrap_or(usual)
    }

    /// The program to run: this very one, even when its file was replaced meanwhile.
    #[must_use]
    pub fn program(&self) -> PathBuf {
        self.program.clone().unwrap_or_else(|| PathBuf::from("/proc/self/exe"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves LEASE-23.
    #[test]
    fn a_context_costs_what_is_set_else_512_mib_on_nvidia_gpus_and_nothing_elsewhere() {
        let unset = ExecutorSettings::default();
        let set = ExecutorSettings { context_mb: Some(700), ..unset.clone() };
        let of = |settings: &ExecutorSettings| {
            [BackendKind::Nvidia, BackendKind::Soft].map(|kind| settings.context_mb(kind))
        };
        assert_eq!((of(&unset), of(&set)), ([512, 0], [700, 700]));
    }
}
