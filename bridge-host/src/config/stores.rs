//! `[artefacts]`, `[outputs]` and `[audit]`: what may be staged, and what is kept of results and of the log.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::read::{ConfigRefused, within};
use crate::{
    audit::ChainBounds,
    store::{ArtefactQuota, OutputQuota},
};

const MIB: u64 = 1 << 20;

/// What may be staged, in MiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ArtefactSettings {
    /// Of one artefact.
    pub artefact_mb_max: u64,
    /// Of all names of one owner.
    pub owner_mb_max: u64,
    /// Names of one owner.
    pub owner_names_max: usize,
    /// Of all contents, each counted once.
    pub store_mb_max: u64,
    /// Days without use after which an artefact goes; 0 is never.
    pub keep_days: u64,
}

impl Default for ArtefactSettings {
    fn default() -> Self {
        Self {
            artefact_mb_max: 4096,
            owner_mb_max: 16_384,
            owner_names_max: 4096,
            store_mb_max: 65_536,
            keep_days: 30,
        }
    }
}

impl ArtefactSettings {
    pub(super) fn check(&self) -> Result<(), ConfigRefused> {
        within("artefacts.artefact_mb_max", self.artefact_mb_max, 1..=MB_MAX)?;
        within("artefacts.owner_mb_max", self.owner_mb_max, 1..=MB_MAX)?;
        within("artefacts.owner_names_max", self.owner_names_max, 1..=1_048_576)?;
        within("artefacts.store_mb_max", self.store_mb_max, 1..=MB_MAX)?;
        within("artefacts.keep_days", self.keep_days, 0..=3650)
    }

    /// For the store.
    #[must_use]
    pub(crate) const fn quota(&self) -> ArtefactQuota {
        ArtefactQuota {
            artefact_bytes_max: self.artefact_mb_max * MIB,
            owner_bytes_max: self.owner_mb_max * MIB,
            owner_names_max: self.owner_names_max,
            store_bytes_max: self.store_mb_max * MIB,
            keep_ms: self.keep_days * 86_400_000,
        }
    }
}

/// What is kept of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OutputSettings {
    /// MiB of all outputs; the oldest of whoever has most go first.
    pub store_mb_max: u64,
    /// Jobs whose outputs are kept.
    pub jobs_max: usize,
    /// MiB of one owner's outputs; its oldest go first.
    pub owner_mb_max: u64,
    /// Jobs of one owner whose outputs are kept.
    pub owner_jobs_max: usize,
    /// Seconds that they are kept.
    pub keep_s: u64,
}

impl Default for OutputSettings {
    fn default() -> Self {
        Self {
            store_mb_max: 65_536,
            jobs_max: 65_536,
            owner_mb_max: 32_768,
            owner_jobs_max: 16_384,
            keep_s: 7 * 86_400,
        }
    }
}

impl OutputSettings {
    pub(super) fn check(&self) -> Result<(), ConfigRefused> {
        within("outputs.store_mb_max", self.store_mb_max, 1..=MB_MAX)?;
        within("outputs.jobs_max", self.jobs_max, 1..=1_048_576)?;
        within("outputs.owner_mb_max", self.owner_mb_max, 1..=MB_MAX)?;
        within("outputs.owner_jobs_max", self.owner_jobs_max, 1..=1_048_576)?;
        within("outputs.keep_s", self.keep_s, 1..=31_536_000)
    }

    /// For the store.
    #[must_use]
    pub(crate) const fn quota(&self) -> OutputQuota {
        OutputQuota {
            store_bytes_max: self.store_mb_max * MIB,
            jobs_max: self.jobs_max,
            owner_bytes_max: self.owner_mb_max * MIB,
            owner_jobs_max: self.owner_jobs_max,
            keep_ms: self.keep_s * 1000,
        }
    }
}

/// What is kept of the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AuditSettings {
    /// MiB of one file; then the next is begun.
    pub file_mb_max: u64,
    /// Files; the oldest go first.
    pub files_max: u64,
}

impl Default for AuditSettings {
    fn default() -> Self {
        Self { file_mb_max: 16, files_max: 64 }
    }
}

impl AuditSettings {
    pub(super) fn check(&self) -> Result<(), ConfigRefused> {
        within("audit.file_mb_max", self.file_mb_max, 1..=1024)?;
        within("audit.files_max", self.files_max, 2..=65_536)
    }

    /// For the log.
    #[must_use]
    pub(crate) const fn bounds(&self) -> ChainBounds {
        ChainBounds { file_bytes_max: self.file_mb_max * MIB, files_max: self.files_max }
    }
}

/// 16 TiB, in MiB.
const MB_MAX: u64 = 16 << 20;
