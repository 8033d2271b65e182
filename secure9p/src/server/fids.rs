//! The fids of one session and what each stands for.
//!
//! ```text
//!               Tattach, Twalk                 Ok
//!  (not there) ────────────────▶ changing ───────────▶ settled ──Tclunk, Tremove──▶ (not there)
//!       ▲                          │  ▲                   │
//!       └──────────Err─────────────┘  └─Topen, Tcreate,───┘
//!                                       Twalk in place
//! ```
//!
//! Requests on a fid that is changing wait in it, in order. Knows nothing of tags and messages' layouts.

use alloc::{
    collections::{BTreeMap, VecDeque, btree_map::Entry},
    vec::Vec,
};

use super::{owed::OwedId, queue::Queued};
use crate::{errno::Errno, ids::Fid, ids::Qid, name::Name, open::Access};

/// What a settled fid stands for.
#[derive(Debug)]
pub(super) struct Handle<N> {
    pub(super) node: N,
    pub(super) qid: Qid,
    pub(super) open: Option<Opened>,
    /// The names below the attach root; kept in 9P2000 only, where Rstat needs the last.
    pub(super) path: Vec<Name>,
    /// An open for both reading and writing has been refused (see `first_use`).
    pub(super) writes_only: bool,
}

impl<N> Handle<N> {
    /// A fid that is not open.
    pub(super) fn closed(node: N, qid: Qid, path: Vec<Name>) -> Self {
        Self { node, qid, open: None, path, writes_only: false }
    }
}

/// A fid that is open for I/O.
#[derive(Debug, Clone, Copy)]
pub(super) struct Opened {
    pub(super) by: OwedId,
    pub(super) access: Access,
    pub(super) cursor: Cursor,
}

/// How far a directory has been read in 9P2000, where offsets are bytes and entries have cookies.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cursor {
    pub(super) offset: u64,
    pub(super) cookie: u64,
}

#[derive(Debug)]
enum Slot<N> {
    Settled(Handle<N>),
    Changing(Change<N>),
}

/// A fid whose next state the tree still owes.
#[derive(Debug)]
struct Change<N> {
    by: OwedId,
    before: Option<Handle<N>>,
    /// Whether the tree, by answering, takes the node before for its own (open and create do).
    consumes: bool,
    waiting: VecDeque<Queued>,
}

/// What is left over when every fid goes at once.
#[derive(Debug)]
pub(super) enum Leftover<N> {
    /// A node nobody refers to any more.
    Released(N),
    /// A node whose open or create is still with the tree.
    Orphan(OwedId, N),
}

#[derive(Debug)]
pub(super) struct Fids<N> {
    slots: BTreeMap<Fid, Slot<N>>,
    fids_max: usize,
}

impl<N> Fids<N> {
    pub(super) fn new(fids_max: usize) -> Self {
        Self { slots: BTreeMap::new(), fids_max }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Bytes of one entry, near enough: B-tree nodes are at least half full.
    pub(super) const ENTRY_BYTES: usize = 2 * (size_of::<Fid>() + size_of::<Slot<N>>());

    pub(super) fn handle(&self, fid: Fid) -> Result<&Handle<N>, Errno> {
        match self.slots.get(&fid) {
            Some(Slot::Settled(handle)) => Ok(handle),
            Some(Slot::Changing(_)) | None => Err(Errno::EBADF),
        }
    }

    pub(super) fn handle_mut(&mut self, fid: Fid) -> Option<&mut Handle<N>> {
        match self.slots.get_mut(&fid) {
            Some(Slot::Settled(handle)) => Some(handle),
            Some(Slot::Changing(_)) | None => None,
        }
    }

    /// Has a request wait if the fid is changing; gives it back if not.
    pub(super) fn wait_for(&mut self, fid: Fid, queued: Queued) -> Option<Queued> {
        match self.slots.get_mut(&fid) {
            Some(Slot::Changing(change)) => {
                change.waiting.push_back(queued);
                None
            }
            Some(Slot::Settled(_)) | None => Some(queued),
        }
    }

    pub(super) fn is_changing(&self, fid: Fid) -> bool {
        matches!(self.slots.get(&fid), Some(Slot::Changing(_)))
    }

    /// Whether the fid waits for this answer.
    pub(super) fn is_changed_by(&self, fid: Fid, id: OwedId) -> bool {
        matches!(self.slots.get(&fid), Some(Slot::Changing(change)) if change.by == id)
    }

    /// The names of a fid that is changing.
    pub(super) fn path_before(&self, fid: Fid) -> Vec<Name> {
        match self.slots.get(&fid) {
            Some(Slot::Changing(Change { before: Some(handle), .. })) => handle.path.clone(),
            _ => Vec::new(),
        }
    }

    /// Whether a new fid may have this number.
    pub(super) fn vacancy(&self, fid: Fid) -> Result<(), Errno> {
        match self.slots.contains_key(&fid) {
            _ if fid == Fid::NOFID => Err(Errno::EINVAL),
            true => Err(Errno::EINVAL),
            false if self.slots.len() >= self.fids_max => Err(Errno::EMFILE),
            false => Ok(()),
        }
    }

    /// Has the fid wait for an answer of the tree.
    pub(super) fn change(&mut self, fid: Fid, by: OwedId, consumes: bool) {
        let before = match self.slots.remove(&fid) {
            Some(Slot::Settled(handle)) => Some(handle),
            Some(Slot::Changing(change)) => change.before,
            None => None,
        };
        let change = Change { by, before, consumes, waiting: VecDeque::new() };
        self.slots.insert(fid, Slot::Changing(change));
    }

    /// Ends the change with a new handle, and gives back the old one and those who waited.
    pub(super) fn settle(
        &mut self,
        fid: Fid,
        handle: Handle<N>,
    ) -> (Option<Handle<N>>, VecDeque<Queued>) {
        match self.slots.insert(fid, Slot::Settled(handle)) {
            Some(Slot::Changing(change)) => (change.before, change.waiting),
            Some(Slot::Settled(before)) => (Some(before), VecDeque::new()),
            None => (None, VecDeque::new()),
        }
    }

    /// Ends the change without effect, and gives back those who waited.
    pub(super) fn revert(&mut self, fid: Fid) -> VecDeque<Queued> {
        let Entry::Occupied(mut entry) = self.slots.entry(fid) else { return VecDeque::new() };
        let Slot::Changing(change) = entry.get_mut() else { return VecDeque::new() };
        let waiting = core::mem::take(&mut change.waiting);
        match change.before.take() {
            Some(handle) => drop(entry.insert(Slot::Settled(handle))),
            None => drop(entry.remove()),
        }
        waiting
    }

    /// Lets go of a fid.
    pub(super) fn remove(&mut self, fid: Fid) -> Option<Handle<N>> {
        match self.slots.remove(&fid)? {
            Slot::Settled(handle) => Some(handle),
            changing @ Slot::Changing(_) => {
                self.slots.insert(fid, changing);
                None
            }
        }
    }

    /// Takes the request with this tag's number out of whichever fid it waits in.
    pub(super) fn unwait(&mut self, by: OwedId) -> Option<Queued> {
        self.slots.values_mut().find_map(|slot| match slot {
            Slot::Changing(change) => {
                let at = change.waiting.iter().position(|queued| queued.id == by)?;
                change.waiting.remove(at)
            }
            Slot::Settled(_) => None,
        })
    }

    /// Lets go of every fid.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Leftover<N>> + use<N> {
        core::mem::take(&mut self.slots).into_values().filter_map(|slot| match slot {
            Slot::Settled(handle) => Some(Leftover::Released(handle.node)),
            Slot::Changing(Change { by, before, consumes, .. }) => match before?.node {
                node if consumes => Some(Leftover::Orphan(by, node)),
                node => Some(Leftover::Released(node)),
            },
        })
    }
}
