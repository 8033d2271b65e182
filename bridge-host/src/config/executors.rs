//! `[executors]`: the processes that run jobs.

use std::{path::PathBuf, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::read::{ConfigRefused, within};

/// The processes that run jobs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ExecutorSettings {
    /// Processes that wait, started, for a lease that needs one.
    pub spares: usize,
    /// Processes at once, spares included.
    pub max: usize,
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
            program: None,
            stderr: true,
            confinement: ConfinementChoice::default(),
        }
    }
}

impl ExecutorSettings {
    pub(super) fn check(&self) -> Result<(), ConfigRefused> {
        within("executors.spares", self.spares, 0..=64)?;
        within("executors.max", self.max, self.spares.max(1)..=4096)
    }

    /// The program to run: this very one, even when its file was replaced meanwhile.
    #[must_use]
    pub fn program(&self) -> PathBuf {
        self.program.clone().unwrap_or_else(|| PathBuf::from("/proc/self/exe"))
    }
}
