//! One connection: its session, its fids, and what it waits for.

use alloc::{boxed::Box, string::String, vec::Vec};

use secure9p::server::ServerSession;

use crate::{
    fid::{Fid, FidKey},
    peer::Peer,
    slab::{Key, Slab},
};

/// Names a connection; never given out twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub(crate) Key);

/// Why a connection has to end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Closed {
    /// For the log, in one line.
    pub why: String,
}

#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) id: ConnectionId,
    pub(crate) session: ServerSession<FidKey>,
    pub(crate) fids: Slab<Fid>,
    pub(crate) peer: Peer,
    /// Requests that a provider, an upstream or the desk has not answered yet.
    pub(crate) errands: Vec<Key>,
    /// Orders at the desk.
    pub(crate) orders: usize,
    /// Attaches that are live or ended, but not forgotten.
    pub(crate) attaches: usize,
    /// Whether a `Wake` for it lies in the event queue.
    pub(crate) woken: bool,
    /// Whether it has been told to end.
    pub(crate) closing: bool,
}

impl Connection {
    pub(crate) fn new(id: ConnectionId, session: ServerSession<FidKey>, peer: Peer) -> Box<Self> {
        let (fids, errands) = (Slab::new(), Vec::new());
        Box::new(Self {
            id,
            session,
            fids,
            peer,
            errands,
            orders: 0,
            attaches: 0,
            woken: false,
            closing: false,
        })
    }

    /// Whether it waits for nobody.
    pub(crate) fn is_idle(&self) -> bool {
        self.errands.is_empty() && self.orders == 0 && self.session.transmit().is_empty()
    }

    /// Whether it may ask for more.
    pub(crate) fn wants_read(&self) -> bool {
        !self.closing && self.session.wants_read()
    }
}
