//! One request of a peer: to whom it goes. And what every request passes first: is the caller still let in, can it still pay.

use ninedoor_abi::Now;
use secure9p::{
    Errno,
    server::{Owed, Reply, Request},
};

use crate::{
    ask::ProviderNode,
    authority::Acts,
    connection::Connection,
    errand::{Dispatch, Then, Turn},
    fid::{At, Fid, FidKey, Here, Open},
    mount::Hook,
    server::Server,
    slab::Key,
};

impl Server {
    pub(crate) fn serve(
        &mut self,
        connection: &mut Connection,
        owed: Owed,
        request: Request<FidKey>,
        now: Now,
    ) {
        let leaving = match &request {
            Request::Clunk { node } | Request::Remove { node } => Some(*node),
            _ => None,
        };
        let turn = self.turn(connection, request, now);
        self.conclude(connection, owed, turn);
        if let Some(fid) = leaving.and_then(|key| connection.fids.remove(key)) {
            self.release_fid(connection, fid);
        }
    }

    fn turn(
        &mut self,
        connection: &mut Connection,
        request: Request<FidKey>,
        now: Now,
    ) -> Result<Turn, Errno> {
        match request {
            Request::Read { node, offset, count } => {
                self.read(connection, node, offset, count, now)
            }
            Request::Write { node, offset, data } => {
                self.write(connection, node, offset, data, now)
            }
            Request::Attach { uname, aname, n_uname } => {
                self.attach(connection, &uname, &aname, n_uname, now)
            }
            Request::Walk { from, names } => self.walk(connection, from, names, now),
            Request::Open { node, flags } => self.open(connection, node, flags, now),
            Request::Create { directory, name, flags, mode, gid } => {
                self.create(connection, directory, name, (flags, mode, gid), now)
            }
            Request::Readdir { node, offset, count } => {
                self.readdir(connection, node, offset, count, now)
            }
            Request::Getattr { node } => self.getattr(connection, node, now),
            Request::Setattr { node, attributes } => {
                self.setattr(connection, node, attributes, now)
            }
            Request::Statfs { node } => self.statfs(connection, node, now),
            Request::Fsync { node } => self.fsync(connection, node, now),
            Request::Clunk { node } => self.clunk(connection, node),
            Request::Remove { node } => self.remove(connection, node, now),
            Request::Lock { node, lock } => self.lock(connection, node, lock, now),
            Request::Getlock { node, lock } => self.getlock(connection, node, lock, now),
            Request::Mkdir { directory, name, mode, gid } => {
                self.change(connection, directory, now, |directory| Request::Mkdir {
                    directory,
                    name,
                    mode,
                    gid,
                })
            }
            Request::Unlinkat { directory, name, flags } => {
                self.change(connection, directory, now, |directory| Request::Unlinkat {
                    directory,
                    name,
                    flags,
                })
            }
            Request::Symlink { directory, name, target, gid } => {
                self.change(connection, directory, now, |directory| Request::Symlink {
                    directory,
                    name,
                    target,
                    gid,
                })
            }
            Request::Mknod { directory, name, mode, major, minor, gid } => {
                self.change(connection, directory, now, |directory| Request::Mknod {
                    directory,
                    name,
                    mode,
                    major,
                    minor,
                    gid,
                })
            }
            Request::Rename { from_directory, from, to_directory, to } => {
                self.rename(connection, from_directory, from, to_directory, to, now)
            }
            Request::Link { directory, target, name } => {
                self.link(connection, directory, target, name, now)
            }
            Request::Readlink { node } => {
                self.usable(connection, node, now)?;
                Err(Errno::EINVAL) // readlink(2) of what is no link
            }
        }
    }

    /// Whose fid it is and where, once its caller has been found alive and able to pay for one more operation.
    pub(crate) fn usable(
        &mut self,
        connection: &Connection,
        fid: FidKey,
        now: Now,
    ) -> Result<(Key, Here), Errno> {
        let found = connection.fids.get(fid).ok_or(Errno::EBADF)?;
        let (attachment, scope) = (found.attachment, found.here.rights.scope);
        if matches!(found.open, Open::Closed) {
            return Err(Errno::EPERM);
        }
        self.charge(attachment, scope, now)?;
        Ok((attachment, found.here.clone()))
    }

    /// One operation of an attach, at the cost of the scope it is in.
    pub(crate) fn charge(
        &mut self,
        attachment: Key,
        scope: Option<u8>,
        now: Now,
    ) -> Result<(), Errno> {
        let attachment = self.attachments.get(attachment).ok_or(Errno::EPERM)?;
        if attachment.ended || attachment.expires_at.is_some_and(|at| now.unix_ms >= at) {
            return Err(Errno::EPERM);
        }
        match attachment.account.and_then(|account| self.accounts.get_mut(account)) {
            Some(account) => account.charge_op(scope, now.mono_us),
            None => Ok(()),
        }
    }

    /// A request that changes a directory: the provider's affair behind a mount, nobody's in the local tree.
    fn change(
        &mut self,
        connection: &Connection,
        directory: FidKey,
        now: Now,
        request: impl FnOnce(ProviderNode) -> Request<ProviderNode>,
    ) -> Result<Turn, Errno> {
        let (attachment, here) = self.usable(connection, directory, now)?;
        let (hook, node) = self.changeable(&here)?;
        Ok(Turn::Errand(Dispatch { hook, attachment, request: request(node), then: Then::Relay }))
    }

    /// The directory behind a mount in which this caller may make and remove files.
    pub(crate) fn changeable(&self, here: &Here) -> Result<(Hook, ProviderNode), Errno> {
        if !here.rights.acts.allow(Acts::CHANGE) {
            return Err(Errno::EPERM);
        }
        match &here.at {
            At::Mounted(mounted) => Ok((mounted.hook, mounted.node.ok_or(Errno::EIO)?)),
            At::Local(node) => {
                let mount =
                    self.tree.get(*node).and_then(|node| node.mount()).ok_or(Errno::EPERM)?;
                Ok((self.hook(mount).ok_or(Errno::EIO)?, ProviderNode::ROOT))
            }
        }
    }

    fn rename(
        &mut self,
        connection: &Connection,
        from_directory: FidKey,
        from: Option<secure9p::Name>,
        to_directory: FidKey,
        to: secure9p::Name,
        now: Now,
    ) -> Result<Turn, Errno> {
        let (attachment, source) = self.usable(connection, from_directory, now)?;
        let (_, target) = self.usable(connection, to_directory, now)?;
        let (hook, from_directory) = self.changeable(&source)?;
        let (target_hook, to_directory) = self.changeable(&target)?;
        if hook != target_hook {
            return Err(Errno::EXDEV);
        }
        let request = Request::Rename { from_directory, from, to_directory, to };
        Ok(Turn::Errand(Dispatch { hook, attachment, request, then: Then::Relay }))
    }

    fn link(
        &mut self,
        connection: &Connection,
        directory: FidKey,
        target: FidKey,
        name: secure9p::Name,
        now: Now,
    ) -> Result<Turn, Errno> {
        let (attachment, directory) = self.usable(connection, directory, now)?;
        let (_, target) = self.usable(connection, target, now)?;
        let (hook, directory) = self.changeable(&directory)?;
        match &target.at {
            At::Mounted(mounted) if mounted.hook == hook => {
                let target = mounted.node.ok_or(Errno::EIO)?;
                let request = Request::Link { directory, target, name };
                Ok(Turn::Errand(Dispatch { hook, attachment, request, then: Then::Relay }))
            }
            _ => Err(Errno::EXDEV),
        }
    }

    /// A new fid of an attach.
    pub(crate) fn new_fid(
        &mut self,
        connection: &mut Connection,
        attachment: Key,
        here: Here,
    ) -> FidKey {
        self.fids += 1;
        self.attachments.hold(attachment);
        connection.fids.insert(Fid::new(attachment, here))
    }

    /// Lets go of every fid that the session has dropped.
    pub(crate) fn release_dropped(&mut self, connection: &mut Connection) {
        while let Some(key) = connection.session.poll_released() {
            if let Some(fid) = connection.fids.remove(key) {
                self.release_fid(connection, fid);
            }
        }
    }

    /// A fid is gone: its nodes go back where they came from, and its attach has one fid less.
    pub(crate) fn release_fid(&mut self, connection: &mut Connection, mut fid: Fid) {
        self.fids -= 1;
        let unfinished = matches!(fid.open, Open::Mounted { unfinished: true });
        for (hook, node) in fid.take_held().into_iter().flatten() {
            if unfinished {
                self.abandon(hook, node);
            } else {
                self.release(hook, node);
            }
        }
        self.let_go(Some(connection), fid.attachment);
    }

    /// One fid or errand less that needs this attach.
    pub(crate) fn let_go(&mut self, connection: Option<&mut Connection>, attachment: Key) {
        let Some(gone) = self.attachments.let_go(attachment) else { return };
        if let Some(account) = gone.account {
            self.accounts.detach(account);
        }
        if let Some(connection) = connection {
            connection.attaches = connection.attaches.saturating_sub(1);
        }
    }

    /// Whether an attach still works.
    pub(crate) fn is_live(&self, attachment: Key) -> bool {
        self.attachments.get(attachment).is_some_and(|attachment| !attachment.ended)
    }
}

/// A reply that carries nothing.
pub(crate) const fn done() -> Turn {
    Turn::Reply(Reply::Done)
}
