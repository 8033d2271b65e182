//! How much may be staged, and what is said to whoever wants more: which bound it is, and what frees room.

use ninedoor_abi::{Errno, Refusal};

/// How much may be staged, and how long what nobody uses stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ArtefactQuota {
    /// Bytes of one artefact.
    pub(crate) artefact_bytes_max: u64,
    /// Bytes of all names of one owner.
    pub(crate) owner_bytes_max: u64,
    /// Names of one owner.
    pub(crate) owner_names_max: usize,
    /// Bytes of all contents, each counted once.
    pub(crate) store_bytes_max: u64,
    /// Milliseconds after its last use that a content stays; 0 is for ever.
    pub(crate) keep_ms: u64,
}

impl ArtefactQuota {
    pub(super) fn check_artefact(&self, name: &str, bytes: u64) -> Result<(), Refusal> {
        let most = self.artefact_bytes_max;
        if bytes <= most {
            return Ok(());
        }
        let text = format!(
            "artefact {name} grows to {bytes} bytes, at most {most} (artefacts.artefact_mb_max)"
        );
        Err(Refusal::new(Errno::EFBIG, text))
    }

    pub(super) fn check_names(&self, names: usize) -> Result<(), Refusal> {
        let most = self.owner_names_max;
        if names < most {
            return Ok(());
        }
        let text = format!(
            "{names} artefacts staged or being written, at most {most} (artefacts.owner_names_max); remove some of /bundles"
        );
        Err(Refusal::new(Errno::EDQUOT, text))
    }

    /// `largest` is what its owner would free most by removing.
    pub(super) fn check_owner(
        &self,
        owned: u64,
        more: u64,
        largest: Option<(&str, u64)>,
    ) -> Result<(), Refusal> {
        let most = self.owner_bytes_max;
        if owned.saturating_add(more) <= most {
            return Ok(());
        }
        let hint = largest.map_or_else(String::new, |(name, bytes)| {
            format!("; removing /bundles/{name} frees {bytes}")
        });
        let text = format!(
            "{more} bytes more than the {owned} staged; at most {most} per owner (artefacts.owner_mb_max){hint}"
        );
        Err(Refusal::new(Errno::EDQUOT, text))
    }

    pub(super) fn check_store(&self, stored: u64, more: u64) -> Result<(), Refusal> {
        let most = self.store_bytes_max;
        if stored.saturating_add(more) <= most {
            return Ok(());
        }
        let age = match self.keep_ms {
            0 => String::new(),
            keep_ms => format!(", or nobody has used them for {} s", keep_ms / 1000),
        };
        let text = format!(
            "store has {stored} of {most} bytes, {more} more do not fit (artefacts.store_mb_max); room comes when artefacts are removed{age}"
        );
        Err(Refusal::new(Errno::ENOSPC, text))
    }
}
