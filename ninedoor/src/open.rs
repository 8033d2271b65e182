//! Opening, creating, removing, and letting go of fids.
//!
//! What the caller's role, scopes or the file itself forbid is refused here already: newer kernels tell a program about a refused
//! write only when it asks with fsync(2), but about a refused open at once.

use alloc::{boxed::Box, vec::Vec};

use ninedoor_abi::Now;
use secure9p::{
    Access, Errno, Name, OpenFlags,
    server::{Reply, Request},
};

use crate::{
    ask::ProviderNode,
    authority::{Acts, rights},
    connection::Connection,
    errand::{Dispatch, Then, Turn, entered},
    fid::{At, ControlFid, Fid, FidKey, Here, Mounted, Open, Stride, TelemetryFid},
    limits::TREE_DEPTH_MAX,
    mount::Hook,
    place::Side,
    record::{RecordAssembly, StatusLines},
    ring::LogReader,
    serve::done,
    server::Server,
    slab::Key,
    tree::{Kind, NodeId},
};

impl Server {
    /// Tlopen.
    pub(crate) fn open(
        &mut self,
        connection: &mut Connection,
        fid: FidKey,
        flags: OpenFlags,
        now: Now,
    ) -> Result<Turn, Errno> {
        let (attachment, here) = self.usable(connection, fid, now)?;
        let access = flags.access().ok_or(Errno::EINVAL)?;
        if !here.rights.acts.allow(acts_of(access)) {
            return Err(Errno::EACCES);
        }
        match &here.at {
            At::Mounted(mounted) => {
                let node = mounted.node.ok_or(Errno::EIO)?;
                let request = Request::Open { node, flags };
                Ok(Turn::Errand(Dispatch {
                    hook: mounted.hook,
                    attachment,
                    request,
                    then: Then::Open { fid },
                }))
            }
            At::Local(node) => match self.tree.get(*node).and_then(|node| node.mount()) {
                Some(mount) => {
                    let hook = self.hook(mount).ok_or(Errno::EIO)?;
                    Ok(enter(hook, attachment, Then::OpenMountPoint { fid, flags }))
                }
                None => {
                    let open = self.open_local(*node, access)?;
                    let qid = self.tree.qid(*node);
                    settle(connection, fid, open);
                    Ok(Turn::Reply(Reply::Open { node: fid, qid, iounit: 0 }))
                }
            },
        }
    }

    fn open_local(&self, id: NodeId, access: Access) -> Result<Open, Errno> {
        let node = self.tree.get(id).ok_or(Errno::ENOENT)?;
        let read_only = |open| if access.writes() { Err(Errno::EACCES) } else { Ok(open) };
        match &node.kind {
            Kind::Directory { .. } | Kind::Bind(_) => Ok(Open::Directory(None)),
            Kind::Text(text) | Kind::Published(text) => read_only(Open::Text(text.clone())),
            Kind::Figure(figure) => read_only(Open::Text(self.show(*figure).into_bytes().into())),
            Kind::Log(log) => read_only(Open::Log(LogReader::open(log))),
            Kind::Control(_, log) => Ok(Open::Control(Box::new(ControlFid {
                record: RecordAssembly::default(),
                status: StatusLines::default(),
                wrote: false,
                log: LogReader::open(log),
            }))),
            Kind::Telemetry(log) => Ok(Open::Telemetry(Box::new(TelemetryFid {
                record: RecordAssembly::default(),
                log: LogReader::open(log),
            }))),
        }
    }

    /// The fid's own node is open behind its mount.
    pub(crate) fn opened(
        &mut self,
        connection: &mut Connection,
        hook: Hook,
        fid: FidKey,
        result: Result<Reply<ProviderNode>, Errno>,
    ) -> Result<Turn, Errno> {
        let Reply::Open { node, qid, iounit } = result? else { return Err(Errno::EIO) };
        let qid = self.mounts.get(hook.mount).map_or(qid, |mount| mount.shown(qid));
        let before = match connection.fids.get_mut(fid).map(|fid| &mut fid.here.at) {
            Some(At::Mounted(mounted)) => mounted.node.replace(node),
            _ => Some(node),
        };
        if let Some(before) = before.filter(|before| *before != node) {
            self.release(hook, before);
        }
        settle(connection, fid, Open::Mounted { unfinished: false });
        Ok(Turn::Reply(Reply::Open { node: fid, qid, iounit }))
    }

    /// A node of the mount's own directory has been got, or the mount is away.
    pub(crate) fn open_mount_point(
        &mut self,
        connection: &mut Connection,
        attachment: Key,
        hook: Hook,
        fid: FidKey,
        flags: OpenFlags,
        result: Result<Reply<ProviderNode>, Errno>,
    ) -> Result<Turn, Errno> {
        match entered(result) {
            Ok(node) => {
                // Remembered before it is open, so that it goes back whatever happens.
                settle(connection, fid, Open::Directory(Some(Ok((hook, node)))));
                let request = Request::Open { node, flags };
                Ok(Turn::Errand(Dispatch {
                    hook,
                    attachment,
                    request,
                    then: Then::MountPointOpen { fid },
                }))
            }
            Err(errno) => self.open_without_mount(connection, fid, errno),
        }
    }

    /// The mount's own directory is open.
    pub(crate) fn mount_point_opened(
        &mut self,
        connection: &mut Connection,
        hook: Hook,
        fid: FidKey,
        result: Result<Reply<ProviderNode>, Errno>,
    ) -> Result<Turn, Errno> {
        let held = match connection
            .fids
            .get_mut(fid)
            .map(|fid| core::mem::replace(&mut fid.open, Open::No))
        {
            Some(Open::Directory(Some(Ok((_, node))))) => Some(node),
            _ => None,
        };
        match result {
            Ok(Reply::Open { node, .. }) => {
                held.into_iter()
                    .filter(|held| *held != node)
                    .for_each(|held| self.release(hook, held));
                settle(connection, fid, Open::Directory(Some(Ok((hook, node)))));
                let qid = self.fid_qid(connection, fid)?;
                Ok(Turn::Reply(Reply::Open { node: fid, qid, iounit: 0 }))
            }
            other => {
                held.into_iter().for_each(|held| self.release(hook, held));
                self.open_without_mount(connection, fid, other.err().unwrap_or(Errno::EIO))
            }
        }
    }

    /// A directory whose mount is away still lists its own entries, and then says what is wrong; one without any says it at once.
    fn open_without_mount(
        &mut self,
        connection: &mut Connection,
        fid: FidKey,
        errno: Errno,
    ) -> Result<Turn, Errno> {
        let has_entries = match connection.fids.get(fid).map(|fid| &fid.here.at) {
            Some(At::Local(node)) => !self.tree.entries_after(*node, 0).is_empty(),
            _ => false,
        };
        if !has_entries {
            return Err(errno);
        }
        settle(connection, fid, Open::Directory(Some(Err(errno))));
        Ok(Turn::Reply(Reply::Open { node: fid, qid: self.fid_qid(connection, fid)?, iounit: 0 }))
    }

    fn fid_qid(&self, connection: &Connection, fid: FidKey) -> Result<secure9p::Qid, Errno> {
        connection.fids.get(fid).map(|fid| self.qid_of(&fid.here)).ok_or(Errno::EBADF)
    }

    /// Tlcreate. A local file that is there already is opened, as clients that always create expect.
    pub(crate) fn create(
        &mut self,
        connection: &mut Connection,
        directory: FidKey,
        name: Name,
        (flags, mode, gid): (OpenFlags, u32, u32),
        now: Now,
    ) -> Result<Turn, Errno> {
        let (attachment, here) = self.usable(connection, directory, now)?;
        if let At::Local(node) = &here.at
            && let Some(child) = self.tree.child(*node, &name)
        {
            return self.create_over(connection, attachment, directory, child, flags);
        }
        let below = self.stride_below(attachment, &here, &name)?;
        if !here.rights.acts.allow(Acts::CHANGE) || !below.1.acts.allow(Acts::CHANGE) {
            return Err(Errno::EACCES);
        }
        match &here.at {
            At::Mounted(mounted) => {
                let node = mounted.node.ok_or(Errno::EIO)?;
                let request =
                    Request::Create { directory: node, name: name.clone(), flags, mode, gid };
                let then = Then::Create { fid: directory, name, entered: None };
                Ok(Turn::Errand(Dispatch { hook: mounted.hook, attachment, request, then }))
            }
            At::Local(_) => {
                let (hook, _) = self.changeable(&here)?;
                let then = Then::CreateInMountPoint { fid: directory, name, flags, mode, gid };
                Ok(enter(hook, attachment, then))
            }
        }
    }

    fn create_over(
        &mut self,
        connection: &mut Connection,
        attachment: Key,
        fid: FidKey,
        child: NodeId,
        flags: OpenFlags,
    ) -> Result<Turn, Errno> {
        let caller = self
            .attachments
            .get(attachment)
            .map(|attachment| attachment.caller.clone())
            .ok_or(Errno::EPERM)?;
        let here = self.local(child, &caller).ok_or(Errno::ENOENT)?;
        let access = flags.access().ok_or(Errno::EINVAL)?;
        if flags.contains(OpenFlags::EXCL) {
            return Err(Errno::EEXIST);
        }
        if !here.rights.acts.allow(acts_of(access)) {
            return Err(Errno::EACCES);
        }
        let open = match self.open_local(child, access)? {
            Open::Directory(_) => return Err(Errno::EISDIR),
            open => open,
        };
        if let Some(fid) = connection.fids.get_mut(fid) {
            fid.here = here;
        }
        settle(connection, fid, open);
        Ok(Turn::Reply(Reply::Create { node: fid, qid: self.tree.qid(child), iounit: 0 }))
    }

    /// What a new name in a directory behind a mount would be.
    fn stride_below(
        &self,
        attachment: Key,
        here: &Here,
        name: &Name,
    ) -> Result<(crate::place::Place, crate::authority::Rights), Errno> {
        let caller = &self.attachments.get(attachment).ok_or(Errno::EPERM)?.caller;
        let place = here.place.below(name, Side::Mounted, caller.subject_text());
        let mut names = self.names_of(here);
        names.push(name.clone());
        if names.len() > TREE_DEPTH_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        Ok((place, rights(caller, place, names.iter().map(Name::as_str))))
    }

    /// A file was created behind a mount: the fid moves from the directory to it.
    pub(crate) fn created(
        &mut self,
        connection: &mut Connection,
        hook: Hook,
        fid: FidKey,
        name: Name,
        entered: Option<ProviderNode>,
        result: Result<Reply<ProviderNode>, Errno>,
    ) -> Result<Turn, Errno> {
        let (node, qid, iounit) = match result {
            Ok(Reply::Create { node, qid, iounit }) => (node, qid, iounit),
            other => {
                entered.into_iter().for_each(|node| self.release(hook, node));
                return Err(other.err().unwrap_or(Errno::EIO));
            }
        };
        let qid = self.mounts.get(hook.mount).map_or(qid, |mount| mount.shown(qid));
        let Some(found) = connection.fids.get(fid) else { return Err(Errno::EBADF) };
        let (place, rights) = self.stride_below(found.attachment, &found.here, &name)?;
        let (mut trail, before): (Vec<Stride>, _) = match &found.here.at {
            At::Mounted(mounted) => (mounted.trail.clone(), mounted.node),
            At::Local(_) => (Vec::new(), entered),
        };
        before
            .into_iter()
            .filter(|before| *before != node)
            .for_each(|before| self.release(hook, before));
        trail.push(Stride { name, qid, place, rights });
        if let Some(found) = connection.fids.get_mut(fid) {
            found.here =
                Here { at: At::Mounted(Mounted { hook, node: Some(node), trail }), place, rights };
        }
        settle(connection, fid, Open::Mounted { unfinished: false });
        Ok(Turn::Reply(Reply::Create { node: fid, qid, iounit }))
    }

    /// Tclunk: the last record without a newline is carried out, and its outcome is the answer. The fid goes with the request.
    pub(crate) fn clunk(
        &mut self,
        connection: &mut Connection,
        key: FidKey,
    ) -> Result<Turn, Errno> {
        let id = connection.id;
        let fid = connection.fids.get_mut(key).ok_or(Errno::EBADF)?;
        let attachment = fid.attachment;
        match &mut fid.open {
            Open::Control(control) => {
                let record = control.record.finish();
                self.orders_at_clunk(id, attachment, &fid.here, record)
            }
            Open::Telemetry(telemetry) => {
                let record = telemetry.record.finish();
                self.telemetry_at_clunk(attachment, &fid.here, record).map(|()| done())
            }
            Open::Mounted { .. } if self.is_live(attachment) => match fid.take_held() {
                [Some((hook, node)), _] => {
                    let request = Request::Clunk { node };
                    Ok(Turn::Errand(Dispatch { hook, attachment, request, then: Then::Relay }))
                }
                _ => Ok(done()),
            },
            _ => Ok(done()),
        }
    }

    /// Tremove: the fid goes with the request, whatever becomes of the file.
    pub(crate) fn remove(
        &mut self,
        connection: &mut Connection,
        key: FidKey,
        now: Now,
    ) -> Result<Turn, Errno> {
        let (attachment, here) = self.usable(connection, key, now)?;
        if !here.rights.acts.allow(Acts::CHANGE) {
            return Err(Errno::EPERM);
        }
        match connection.fids.get_mut(key).map(Fid::take_held) {
            Some([Some((hook, node)), _]) => {
                let request = Request::Remove { node };
                Ok(Turn::Errand(Dispatch { hook, attachment, request, then: Then::Relay }))
            }
            _ => Err(Errno::EPERM),
        }
    }
}

/// What an open for this asks of authority.
const fn acts_of(access: Access) -> Acts {
    match access {
        Access::Read => Acts::READ,
        Access::Write => Acts::WRITE,
        Access::ReadWrite => Acts::READ_WRITE,
    }
}

/// Asks for a node of the mount's own directory.
fn enter(hook: Hook, attachment: Key, then: Then) -> Turn {
    let request = Request::Walk { from: ProviderNode::ROOT, names: Vec::new() };
    Turn::Errand(Dispatch { hook, attachment, request, then })
}

fn settle(connection: &mut Connection, fid: FidKey, open: Open) {
    if let Some(fid) = connection.fids.get_mut(fid) {
        fid.open = open;
    }
}
