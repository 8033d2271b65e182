//! What is known about files, and what may be changed about them: next to nothing.
//!
//! Everything local is made up as it is read, so its size is 0 and its times are none (a size larger than the content hangs
//! newer kernels for good). `echo x > file` truncates before it writes: on control and telemetry files that succeeds, and
//! truncates nothing. Locks are always granted and keep nobody out.

use ninedoor_abi::Now;
use secure9p::{
    Errno,
    message::{Attributes, FileSystemStatistics, Lock, LockKind, LockStatus, SetAttributes},
    server::{Reply, Request},
};

use crate::{
    authority::Acts,
    connection::Connection,
    errand::{Dispatch, Then, Turn},
    fid::{At, FidKey},
    serve::done,
    server::Server,
    tree::Kind,
};

impl Server {
    /// Tgetattr.
    pub(crate) fn getattr(
        &mut self,
        connection: &Connection,
        key: FidKey,
        now: Now,
    ) -> Result<Turn, Errno> {
        let (attachment, here) = self.usable(connection, key, now)?;
        match &here.at {
            At::Local(node) => {
                let mode = self.tree.get(*node).ok_or(Errno::ENOENT)?.kind.mode();
                let attributes = Attributes::synthetic(self.tree.qid(*node), mode);
                Ok(Turn::Reply(Reply::Getattr { attributes }))
            }
            At::Mounted(mounted) => {
                let request = Request::Getattr { node: mounted.node.ok_or(Errno::EIO)? };
                Ok(Turn::Errand(Dispatch {
                    hook: mounted.hook,
                    attachment,
                    request,
                    then: Then::Relay,
                }))
            }
        }
    }

    /// Tsetattr.
    pub(crate) fn setattr(
        &mut self,
        connection: &Connection,
        key: FidKey,
        attributes: SetAttributes,
        now: Now,
    ) -> Result<Turn, Errno> {
        let (attachment, here) = self.usable(connection, key, now)?;
        if !here.rights.acts.allow(Acts::WRITE) {
            return Err(Errno::EPERM);
        }
        match &here.at {
            At::Mounted(mounted) => {
                let request =
                    Request::Setattr { node: mounted.node.ok_or(Errno::EIO)?, attributes };
                Ok(Turn::Errand(Dispatch {
                    hook: mounted.hook,
                    attachment,
                    request,
                    then: Then::Relay,
                }))
            }
            At::Local(node) => match self.tree.get(*node).map(|node| &node.kind) {
                Some(Kind::Control(..) | Kind::Telemetry(..)) if is_truncation(&attributes) => {
                    Ok(done())
                }
                _ => Err(Errno::EPERM),
            },
        }
    }

    /// Tstatfs.
    pub(crate) fn statfs(
        &mut self,
        connection: &Connection,
        key: FidKey,
        now: Now,
    ) -> Result<Turn, Errno> {
        self.usable(connection, key, now)?;
        let statistics = FileSystemStatistics {
            kind: FileSystemStatistics::KIND_9P,
            bsize: 4096,
            namelen: 255,
            ..FileSystemStatistics::default()
        };
        Ok(Turn::Reply(Reply::Statfs { statistics }))
    }

    /// Tfsync: behind a mount it may be the one place where a refused write is heard of.
    pub(crate) fn fsync(
        &mut self,
        connection: &Connection,
        key: FidKey,
        now: Now,
    ) -> Result<Turn, Errno> {
        let (attachment, here) = self.usable(connection, key, now)?;
        match &here.at {
            At::Local(_) => Ok(done()),
            At::Mounted(mounted) => {
                let request = Request::Fsync { node: mounted.node.ok_or(Errno::EIO)? };
                Ok(Turn::Errand(Dispatch {
                    hook: mounted.hook,
                    attachment,
                    request,
                    then: Then::Relay,
                }))
            }
        }
    }

    /// Tlock: granted to everybody.
    pub(crate) fn lock(
        &mut self,
        connection: &Connection,
        key: FidKey,
        _lock: Lock,
        now: Now,
    ) -> Result<Turn, Errno> {
        self.usable(connection, key, now)?;
        Ok(Turn::Reply(Reply::Lock { status: LockStatus::Success }))
    }

    /// Tgetlock: nobody has it.
    pub(crate) fn getlock(
        &mut self,
        connection: &Connection,
        key: FidKey,
        lock: Lock,
        now: Now,
    ) -> Result<Turn, Errno> {
        self.usable(connection, key, now)?;
        Ok(Turn::Reply(Reply::Getlock { lock: Lock { kind: LockKind::Unlock, ..lock } }))
    }
}

/// Whether this is what `>` and touch do: a size of 0, or times.
const fn is_truncation(attributes: &SetAttributes) -> bool {
    attributes.mode.is_none()
        && attributes.uid.is_none()
        && attributes.gid.is_none()
        && matches!(attributes.size, None | Some(0))
}
