//! Opening on first use, for clients of 9P2000 that never send Topen (pyroute2 is one).
//!
//! The first Tread or Twrite on a fid that is not open asks the tree for an open, with the same checks as any other, and waits in the fid
//! until the tree has answered. A Twrite asks for reading too, so that the status of a command can be read where it was written; where that
//! is refused it asks for writing alone. 9P2000.L has no such clients, and answers EBADF.

use super::{
    fids::Handle,
    owed::{Duty, Owed, OwedId},
    queue::Queued,
    request::{Reply, Request},
    session::ServerSession,
};
use crate::{
    dialect::Dialect,
    errno::Errno,
    ids::Fid,
    message::Tmessage,
    open::{Access, OpenFlags},
};

/// An open that nobody asked for by name.
#[derive(Debug, Clone, Copy)]
pub(super) struct FirstUse {
    pub(super) fid: Fid,
    access: Access,
    /// The request that waits for it, unless it is flushed meanwhile.
    needed_by: OwedId,
}

impl FirstUse {
    fn flags(self) -> OpenFlags {
        match self.access {
            Access::Read => OpenFlags::RDONLY,
            Access::Write => OpenFlags::WRONLY,
            Access::ReadWrite => OpenFlags::RDWR,
        }
    }
}

impl<N: Clone> ServerSession<N> {
    /// Whether a request is the first use of its fid.
    pub(super) fn first_use(&self, queued: &Queued) -> Option<FirstUse> {
        if self.dialect() == Dialect::Linux {
            return None;
        }
        let (Tmessage::Read { fid, .. } | Tmessage::Write { fid, .. }) = queued.message else {
            return None;
        };
        let handle = self.fids.handle(fid).ok().filter(|handle| handle.open.is_none())?;
        let access = match queued.message {
            Tmessage::Read { .. } => Access::Read,
            _ if handle.writes_only => Access::Write,
            _ => Access::ReadWrite,
        };
        Some(FirstUse { fid, access, needed_by: queued.id })
    }

    /// Asks for the open; the request that needs it waits.
    pub(super) fn open_first(
        &mut self,
        first_use: FirstUse,
        queued: Queued,
    ) -> Option<(Owed, Request<N>)> {
        let node = self.fids.handle(first_use.fid).ok()?.node.clone();
        let (tag, id) = (queued.tag, self.new_id());
        self.fids.change(first_use.fid, id, true);
        let waits = self.fids.wait_for(first_use.fid, queued);
        debug_assert!(waits.is_none(), "a fid that is changing takes what waits");
        let owed = Owed { tag, id, reserved_bytes: 0, duty: Duty::FirstUse(first_use) };
        Some((owed, Request::Open { node, flags: first_use.flags() }))
    }

    /// The tree has answered the open.
    pub(super) fn opened_first(
        &mut self,
        id: OwedId,
        first_use: FirstUse,
        outcome: Result<Reply<N>, Errno>,
    ) {
        let FirstUse { fid, access, .. } = first_use;
        if !self.fids.is_changed_by(fid, id) {
            return self.drop_answer(id, outcome);
        }
        match outcome {
            Ok(Reply::Open { node, qid, .. }) => {
                let path = self.fids.path_before(fid);
                self.settle_open(fid, id, access, Handle::closed(node, qid, path));
            }
            Ok(misfit) => {
                debug_assert!(false, "the tree's reply does not fit its request");
                self.released.extend(misfit.into_node());
                self.first_use_refused(first_use, Errno::EIO);
            }
            Err(_) if access == Access::ReadWrite => {
                let waiting = self.fids.revert(fid);
                if let Some(handle) = self.fids.handle_mut(fid) {
                    handle.writes_only = true;
                }
                self.resume(waiting);
            }
            Err(errno) => self.first_use_refused(first_use, errno),
        }
    }

    /// The request that needed the open is refused with its errno; those behind it go on as if it had not been.
    fn first_use_refused(&mut self, first_use: FirstUse, errno: Errno) {
        let mut waiting = self.fids.revert(first_use.fid);
        let needed = waiting.pop_front_if(|queued| queued.id == first_use.needed_by);
        if let Some(Queued { tag, id, held_bytes, .. }) = needed {
            self.let_go(tag, id, held_bytes);
            self.refuse(tag, errno);
        }
        self.resume(waiting);
    }
}
