//! `[executors]`: the processes that run jobs.

use std::path::PathBuf;

use serde::Deserialize;

use super::read::{ConfigRefused, within};

/// The processes that run jobs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
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
}

impl Default for ExecutorSettings {
    fn default() -> Self {
        Self { spares: 1, max: 256, program: None, stderr: true }
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
