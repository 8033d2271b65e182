//! Fids whose record waits until its module has been read: what is asked of them meanwhile waits too, in order.
//!
//! ```text
//!   write or clunk ─▶ record of an unread module ─▶ held ─ read ─▶ the record goes on ─▶ answered ─▶ what was asked meanwhile
//!                                                     └── the fid goes: nothing of it is carried out
//! ```

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use ninedoor::{Ask, AskId, Caller, ProviderNode};
use ninedoor_abi::job::Sha256;
use secure9p::server::{Reply, Request};

/// Every one of them.
#[derive(Debug, Default)]
pub(super) struct Held(BTreeMap<ProviderNode, HeldFid>);

/// One.
#[derive(Debug)]
pub(super) struct HeldFid {
    /// What is answered when its records have been carried out, to whom.
    pub(super) id: AskId,
    pub(super) reply: Reply<ProviderNode>,
    pub(super) caller: Arc<Caller>,
    /// Whether the fid is gone with that.
    pub(super) is_last: bool,
    /// The module that is being read.
    pub(super) module: Sha256,
    /// What was asked of the fid since.
    pub(super) asked: VecDeque<Ask>,
}

impl Held {
    pub(super) fn hold(&mut self, node: ProviderNode, fid: HeldFid) {
        self.0.insert(node, fid);
    }

    /// Lets go of a fid, if it was held.
    pub(super) fn take(&mut self, node: ProviderNode) -> Option<HeldFid> {
        self.0.remove(&node)
    }

    /// The fids that wait for this module.
    pub(super) fn waiting_for(&self, module: &Sha256) -> Vec<ProviderNode> {
        let waiting = self.0.iter().filter(|(_, fid)| fid.module == *module);
        waiting.map(|(node, _)| *node).collect()
    }

    /// Takes a question about a held fid along; gives back any other.
    pub(super) fn put(&mut self, ask: Ask) -> Option<Ask> {
        if self.0.is_empty() {
            return Some(ask);
        }
        match node_of(&ask.request).and_then(|node| self.0.get_mut(&node)) {
            Some(fid) => {
                fid.asked.push_back(ask);
                None
            }
            None => Some(ask),
        }
    }
}

impl HeldFid {
    /// Everybody who waits for an answer about this fid.
    pub(super) fn everybody(self) -> impl Iterator<Item = AskId> {
        std::iter::once(self.id).chain(self.asked.into_iter().map(|ask| ask.id))
    }
}

/// Whose order matters: what an open fid writes, reads and ends with.
const fn node_of(request: &Request<ProviderNode>) -> Option<ProviderNode> {
    match request {
        Request::Write { node, .. }
        | Request::Read { node, .. }
        | Request::Fsync { node }
        | Request::Clunk { node }
        | Request::Remove { node } => Some(*node),
        _ => None,
    }
}
