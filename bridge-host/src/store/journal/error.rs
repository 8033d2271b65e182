//! Why a journal cannot be opened, and what to do about it.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::frame::VERSION;

/// Why a journal cannot be opened. Nothing in its directory was changed.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file system said no.
    #[error("journal: cannot {act} {path}: {error}")]
    World {
        /// What was tried.
        act: &'static str,
        /// On which file.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
    /// A file is not what was written.
    #[error(
        "journal: {path}: {damage}; start with a copy of the directory from before, or move it away to begin without leases and jobs"
    )]
    Damaged {
        /// Which.
        path: PathBuf,
        /// How it can be seen.
        damage: JournalDamage,
    },
}

impl JournalError {
    pub(super) fn world(act: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::World { act, path: path.to_owned(), error }
    }

    pub(super) fn damaged(path: &Path, damage: JournalDamage) -> Self {
        Self::Damaged { path: path.to_owned(), damage }
    }
}

/// How a file is not what was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalDamage {
    /// It does not begin as one of ours.
    #[error("it does not begin as a journal does")]
    NoHead,
    /// Another program's.
    #[error("it is of version {0}, this program reads {VERSION}")]
    Version(u32),
    /// Something in it was on the disk once, and is not any more.
    #[error("the row at byte {at} is damaged, and later rows show that it had been stored whole")]
    Row {
        /// Where in the file.
        at: usize,
    },
    /// A row that is whole says what cannot be.
    #[error("the row at byte {at} is whole and says what cannot be: {what}")]
    Meaning {
        /// Where in the file.
        at: usize,
        /// What is wrong with it.
        what: String,
    },
    /// A checkpoint that has no last row.
    #[error("it ends at byte {at} without its last row")]
    CutShort {
        /// Where in the file.
        at: usize,
    },
    /// A file that must be there is not.
    #[error("it is missing, and there are later ones")]
    Missing,
    /// Files that do not join.
    #[error("it begins at {seen}, and the one before it ends at {wanted}")]
    Gap {
        /// Where it says that it begins.
        seen: u64,
        /// Where the one before ends.
        wanted: u64,
    },
}
