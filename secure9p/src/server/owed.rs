//! The promise to answer one request, and what the session must do when the answer comes.
//!
//! Knows fids and tags; whoever holds an [`Owed`] knows neither.

use alloc::vec::Vec;

use super::first_use::FirstUse;
use crate::{
    ids::{Fid, Qid, Tag},
    name::Name,
    open::Access,
};

/// An answer that is owed to a peer. Hand it back to [`super::ServerSession::answer`], now or later; there is one of it.
#[derive(Debug)]
#[must_use = "the peer waits for this answer, and its tag and fids stay taken until it comes"]
pub struct Owed {
    pub(super) tag: Tag,
    pub(super) id: OwedId,
    /// Room in the transmit buffer that is kept for the answer.
    pub(super) reserved_bytes: usize,
    pub(super) duty: Duty,
}

impl Owed {
    /// A number by which to find it again, unique within its session.
    #[must_use]
    pub fn id(&self) -> OwedId {
        self.id
    }
}

/// The number of an [`Owed`]: never used twice within a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OwedId(pub(super) u64);

/// What follows from an answer.
#[derive(Debug)]
pub(super) enum Duty {
    Attach {
        fid: Fid,
    },
    Walk {
        newfid: Fid,
        from: Qid,
        names: usize,
        path: Vec<Name>,
    },
    Open {
        fid: Fid,
        access: Access,
        path: Vec<Name>,
    },
    /// An open of our own: no message of the peer answers to it.
    FirstUse(FirstUse),
    Create {
        fid: Fid,
        access: Access,
        path: Vec<Name>,
    },
    Read {
        count: u32,
    },
    ReadDirectory {
        fid: Fid,
        opened: OwedId,
        offset: u64,
        count: u32,
    },
    Readdir {
        count: u32,
    },
    Write {
        count: usize,
    },
    Getattr,
    Stat {
        name: Option<Name>,
    },
    Setattr,
    Wstat,
    Statfs,
    Fsync,
    Clunk,
    Remove,
    Mkdir,
    Symlink,
    Mknod,
    Unlinkat,
    Rename,
    Renameat,
    Link,
    Readlink,
    Lock,
    Getlock,
}

impl Duty {
    /// Whether the request changes nothing, so that a flush need not wait for its answer.
    pub(super) fn only_looks(&self) -> bool {
        matches!(
            self,
            Self::Read { .. }
                | Self::ReadDirectory { .. }
                | Self::Readdir { .. }
                | Self::Getattr
                | Self::Stat { .. }
                | Self::Statfs
                | Self::Readlink
                | Self::Getlock
        )
    }
}
