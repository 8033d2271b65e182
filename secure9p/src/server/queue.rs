//! Requests that have come and that the tree has not seen yet.

use alloc::collections::VecDeque;

use super::owed::OwedId;
use crate::{
    ids::{Fid, Tag},
    message::Tmessage,
};

/// A request that waits for its turn.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) tag: Tag,
    pub(super) id: OwedId,
    pub(super) message: Tmessage,
    /// Length of its frame: what holding it costs.
    pub(super) held_bytes: usize,
}

/// Places an empty queue keeps.
const IDLE_MAX: usize = 32;

/// First come, first served.
#[derive(Debug, Default)]
pub(super) struct Queue {
    ready: VecDeque<Queued>,
}

impl Queue {
    pub(super) const ENTRY_BYTES: usize = size_of::<Queued>();

    pub(super) fn push(&mut self, queued: Queued) {
        self.ready.push_back(queued);
    }

    /// Those who waited for a fid go before those who came later.
    pub(super) fn push_front(&mut self, waiting: VecDeque<Queued>) {
        for queued in waiting.into_iter().rev() {
            self.ready.push_front(queued);
        }
    }

    pub(super) fn front(&self) -> Option<&Queued> {
        self.ready.front()
    }

    pub(super) fn pop(&mut self) -> Option<Queued> {
        let queued = self.ready.pop_front();
        if self.ready.is_empty() && self.ready.capacity() > IDLE_MAX {
            self.ready = VecDeque::new();
        }
        queued
    }

    pub(super) fn remove(&mut self, id: OwedId) -> Option<Queued> {
        let at = self.ready.iter().position(|queued| queued.id == id)?;
        self.ready.remove(at)
    }

    pub(super) fn clear(&mut self) {
        self.ready = VecDeque::new();
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.ready.capacity() * Self::ENTRY_BYTES
    }
}

/// The fids a request refers to: as many as two.
pub(super) fn fids_of(message: &Tmessage) -> [Option<Fid>; 2] {
    match *message {
        Tmessage::Version { .. } | Tmessage::Auth { .. } | Tmessage::Flush { .. } => [None, None],
        Tmessage::Walk { fid, newfid, .. } | Tmessage::Xattrwalk { fid, newfid, .. } => {
            [Some(fid), Some(newfid)]
        }
        Tmessage::Rename { fid, dfid, .. } | Tmessage::Link { fid, dfid, .. } => {
            [Some(fid), Some(dfid)]
        }
        Tmessage::Renameat { olddirfid, newdirfid, .. } => [Some(olddirfid), Some(newdirfid)],
        Tmessage::Mknod { dfid: fid, .. }
        | Tmessage::Mkdir { dfid: fid, .. }
        | Tmessage::Unlinkat { dirfd: fid, .. }
        | Tmessage::Attach { fid, .. }
        | Tmessage::Read { fid, .. }
        | Tmessage::Write { fid, .. }
        | Tmessage::Clunk { fid }
        | Tmessage::Remove { fid }
        | Tmessage::Statfs { fid }
        | Tmessage::Lopen { fid, .. }
        | Tmessage::Lcreate { fid, .. }
        | Tmessage::Symlink { fid, .. }
        | Tmessage::Readlink { fid }
        | Tmessage::Getattr { fid, .. }
        | Tmessage::Setattr { fid, .. }
        | Tmessage::Xattrcreate { fid, .. }
        | Tmessage::Readdir { fid, .. }
        | Tmessage::Fsync { fid, .. }
        | Tmessage::Lock { fid, .. }
        | Tmessage::Getlock { fid, .. }
        | Tmessage::Open { fid, .. }
        | Tmessage::Create { fid, .. }
        | Tmessage::Stat { fid }
        | Tmessage::Wstat { fid, .. } => [Some(fid), None],
    }
}
