//! From a message to a request of the tree: every rule about what a fid may be used for.
//!
//! | rule | refused with |
//! | --- | --- |
//! | fid that stands for nothing | EBADF |
//! | new fid that is in use, or NOFID | EINVAL |
//! | one fid too many | EMFILE |
//! | afid on attach (nobody is asked to authenticate) | EBADF |
//! | more than 16 names, a name with `/` or NUL, an empty name, `.` and `..` where a file would be made | EINVAL |
//! | a name beyond 255 bytes | ENAMETOOLONG |
//! | walk, create, readdir in what is no directory | ENOTDIR |
//! | open, create, walk in place on an open fid | EINVAL |
//! | read, write, readdir on a fid that is not open for it (9P2000 opens on first use: `first_use`) | EBADF |
//! | read of a directory in 9P2000.L | EISDIR |
//! | extended attributes: reading one, anything else | ENODATA, EOPNOTSUPP |
//!
//! A walk from an open fid to another one is allowed, as in QEMU, because some kernels clone open fids; walk(5) would not have it.
//! Knows no files and no users.

use alloc::{string::String, vec::Vec};

use super::{
    fids::{Cursor, Handle},
    owed::{Duty, OwedId},
    request::Request,
    session::ServerSession,
};
use crate::{
    dialect::Dialect,
    errno::Errno,
    ids::{Fid, Qid},
    message::{Lock, SetAttributes, Stat, Tmessage},
    name::{BadName, Name},
    open::{Access, OpenFlags},
};

/// Bit of Tlock's `flags[4]`: the client would rather wait.
const LOCK_BLOCK: u32 = 1;
/// Permission bit of Tcreate's `perm[4]` that asks for a directory.
const DMDIR: u32 = 0x8000_0000;

/// What to do with the answer, and what to ask.
pub(super) type Prepared<N> = Result<(Duty, Request<N>), Errno>;

impl<N: Clone> ServerSession<N> {
    pub(super) fn dialect(&self) -> Dialect {
        self.agreed.map_or(Dialect::Linux, |agreed| agreed.dialect)
    }

    /// Checks a request against the fids, and turns it into one of the tree.
    pub(super) fn admit(&mut self, id: OwedId, message: Tmessage) -> Prepared<N> {
        match message {
            Tmessage::Read { fid, offset, count } => self.admit_read(fid, offset, count),
            Tmessage::Write { fid, offset, data } => {
                let node = self.open_for(fid, Access::writes)?.node.clone();
                Ok((Duty::Write { count: data.len() }, Request::Write { node, offset, data }))
            }
            Tmessage::Walk { fid, newfid, wname } => self.admit_walk(id, fid, newfid, wname),
            Tmessage::Getattr { fid, .. } => {
                Ok((Duty::Getattr, Request::Getattr { node: self.node(fid)? }))
            }
            Tmessage::Lopen { fid, flags } => self.admit_open(id, fid, flags),
            Tmessage::Open { fid, mode } => self.admit_open(id, fid, OpenFlags::from_mode(mode)?),
            Tmessage::Readdir { fid, offset, count } => self.admit_readdir(fid, offset, count),
            Tmessage::Clunk { fid } => {
                let node = self.fids.remove(fid).ok_or(Errno::EBADF)?.node;
                Ok((Duty::Clunk, Request::Clunk { node }))
            }
            Tmessage::Remove { fid } => {
                let node = self.fids.remove(fid).ok_or(Errno::EBADF)?.node;
                Ok((Duty::Remove, Request::Remove { node }))
            }
            Tmessage::Attach { fid, afid, uname, aname, n_uname } => {
                self.fids.vacancy(fid)?;
                if afid != Fid::NOFID {
                    return Err(Errno::EBADF);
                }
                self.fids.change(fid, id, false);
                let request = Request::Attach { uname, aname, n_uname: n_uname.0 };
                Ok((Duty::Attach { fid }, request))
            }
            Tmessage::Lcreate { fid, name, flags, mode, gid } => {
                self.admit_create(id, fid, name, flags, mode, gid)
            }
            Tmessage::Create { perm, .. } if perm & !0o777 & !DMDIR != 0 => Err(Errno::EOPNOTSUPP),
            Tmessage::Create { perm, .. } if perm & DMDIR != 0 => Err(Errno::EPERM),
            Tmessage::Create { fid, name, perm, mode } => {
                let flags = OpenFlags::from_mode(mode)? | OpenFlags::CREAT;
                self.admit_create(id, fid, name, flags, perm & 0o777, 0)
            }
            Tmessage::Stat { fid } => {
                let handle = self.fids.handle(fid)?;
                let duty = Duty::Stat { name: handle.path.last().cloned() };
                Ok((duty, Request::Getattr { node: handle.node.clone() }))
            }
            Tmessage::Wstat { fid, stat } => self.admit_wstat(fid, &stat),
            Tmessage::Setattr { fid, attributes } => {
                Ok((Duty::Setattr, Request::Setattr { node: self.node(fid)?, attributes }))
            }
            Tmessage::Statfs { fid } => {
                Ok((Duty::Statfs, Request::Statfs { node: self.node(fid)? }))
            }
            Tmessage::Fsync { fid, .. } => {
                Ok((Duty::Fsync, Request::Fsync { node: self.node(fid)? }))
            }
            Tmessage::Readlink { fid } => {
                Ok((Duty::Readlink, Request::Readlink { node: self.node(fid)? }))
            }
            Tmessage::Lock { fid, kind, flags, start, length, proc_id, client_id } => {
                let blocking = flags & LOCK_BLOCK != 0;
                let lock = Lock { kind, blocking, start, length, proc_id, client_id };
                Ok((Duty::Lock, Request::Lock { node: self.node(fid)?, lock }))
            }
            Tmessage::Getlock { fid, kind, start, length, proc_id, client_id } => {
                let lock = Lock { kind, blocking: false, start, length, proc_id, client_id };
                Ok((Duty::Getlock, Request::Getlock { node: self.node(fid)?, lock }))
            }
            Tmessage::Mkdir { dfid, name, mode, gid } => {
                let (directory, name) = (self.directory(dfid)?, file_name(name)?);
                Ok((Duty::Mkdir, Request::Mkdir { directory, name, mode, gid }))
            }
            Tmessage::Symlink { fid, name, symtgt, gid } => {
                let (directory, name) = (self.directory(fid)?, file_name(name)?);
                Ok((Duty::Symlink, Request::Symlink { directory, name, target: symtgt, gid }))
            }
            Tmessage::Mknod { dfid, name, mode, major, minor, gid } => {
                let (directory, name) = (self.directory(dfid)?, file_name(name)?);
                Ok((Duty::Mknod, Request::Mknod { directory, name, mode, major, minor, gid }))
            }
            Tmessage::Link { dfid, fid, name } => {
                let (directory, target) = (self.directory(dfid)?, self.node(fid)?);
                Ok((Duty::Link, Request::Link { directory, target, name: file_name(name)? }))
            }
            Tmessage::Rename { fid, dfid, name } => {
                let (from_directory, to_directory) = (self.node(fid)?, self.directory(dfid)?);
                let to = file_name(name)?;
                Ok((Duty::Rename, Request::Rename { from_directory, from: None, to_directory, to }))
            }
            Tmessage::Renameat { olddirfid, oldname, newdirfid, newname } => {
                let from_directory = self.directory(olddirfid)?;
                let to_directory = self.directory(newdirfid)?;
                let (from, to) = (Some(file_name(oldname)?), file_name(newname)?);
                Ok((Duty::Renameat, Request::Rename { from_directory, from, to_directory, to }))
            }
            Tmessage::Unlinkat { dirfd, name, flags } => {
                let (directory, name) = (self.directory(dirfd)?, file_name(name)?);
                Ok((Duty::Unlinkat, Request::Unlinkat { directory, name, flags }))
            }
            Tmessage::Auth { .. } => Err(Errno::ENOENT), // what diod's tools take for "no authentication needed"
            Tmessage::Xattrwalk { fid, name, .. } => {
                self.fids.handle(fid)?;
                Err(if name.is_empty() { Errno::EOPNOTSUPP } else { Errno::ENODATA })
            }
            Tmessage::Xattrcreate { fid, .. } => {
                self.fids.handle(fid)?;
                Err(Errno::EOPNOTSUPP)
            }
            Tmessage::Version { .. } | Tmessage::Flush { .. } => Err(Errno::EINVAL), // answered at once, never queued
        }
    }

    fn admit_walk(&mut self, id: OwedId, fid: Fid, newfid: Fid, wname: Vec<String>) -> Prepared<N> {
        let from = self.fids.handle(fid)?;
        if newfid == fid {
            from.must_be_closed()?;
        } else {
            self.fids.vacancy(newfid)?;
        }
        if !wname.is_empty() {
            from.must_be_directory()?;
        }
        let names: Vec<_> = wname.into_iter().map(walk_name).collect::<Result<_, _>>()?;
        let path = match self.dialect() {
            Dialect::Linux => Vec::new(),
            Dialect::Plan9 => walked(&from.path, &names),
        };
        let duty = Duty::Walk { newfid, from: from.qid, names: names.len(), path };
        let from = from.node.clone();
        self.fids.change(newfid, id, false);
        Ok((duty, Request::Walk { from, names }))
    }

    fn admit_open(&mut self, id: OwedId, fid: Fid, flags: OpenFlags) -> Prepared<N> {
        let handle = self.fids.handle(fid)?;
        handle.must_be_closed()?;
        let access = flags.access().ok_or(Errno::EINVAL)?;
        if handle.qid.is_directory() && access.writes() {
            return Err(Errno::EISDIR);
        }
        let (node, path) = (handle.node.clone(), handle.path.clone());
        self.fids.change(fid, id, true);
        Ok((Duty::Open { fid, access, path }, Request::Open { node, flags }))
    }

    fn admit_create(
        &mut self,
        id: OwedId,
        fid: Fid,
        name: String,
        flags: OpenFlags,
        mode: u32,
        gid: u32,
    ) -> Prepared<N> {
        let handle = self.fids.handle(fid)?;
        handle.must_be_closed()?;
        handle.must_be_directory()?;
        let access = flags.access().ok_or(Errno::EINVAL)?;
        let (directory, name) = (handle.node.clone(), file_name(name)?);
        let path = match self.dialect() {
            Dialect::Linux => Vec::new(),
            Dialect::Plan9 => walked(&handle.path, core::slice::from_ref(&name)),
        };
        self.fids.change(fid, id, true);
        Ok((
            Duty::Create { fid, access, path },
            Request::Create { directory, name, flags, mode, gid },
        ))
    }

    fn admit_read(&self, fid: Fid, offset: u64, count: u32) -> Prepared<N> {
        let handle = self.open_for(fid, Access::reads)?;
        let (node, count) = (handle.node.clone(), self.clamped(count));
        match (handle.qid.is_directory(), self.dialect()) {
            (false, _) => Ok((Duty::Read { count }, Request::Read { node, offset, count })),
            (true, Dialect::Linux) => Err(Errno::EISDIR),
            (true, Dialect::Plan9) => {
                let opened = handle.open.ok_or(Errno::EBADF)?;
                let cookie = match opened.cursor {
                    _ if offset == 0 => 0,
                    Cursor { offset: here, cookie } if here == offset => cookie,
                    _ => return Err(Errno::EINVAL), // read(5): no seeking in directories
                };
                let duty = Duty::ReadDirectory { fid, opened: opened.by, offset, count };
                Ok((duty, Request::Readdir { node, offset: cookie, count }))
            }
        }
    }

    fn admit_readdir(&self, fid: Fid, offset: u64, count: u32) -> Prepared<N> {
        let handle = self.open_for(fid, Access::reads)?;
        handle.must_be_directory()?;
        let (node, count) = (handle.node.clone(), self.clamped(count));
        Ok((Duty::Readdir { count }, Request::Readdir { node, offset, count }))
    }

    /// A Twstat that touches nothing asks for the file to be put on the disk (stat(5)). A name cannot be changed by it here.
    fn admit_wstat(&self, fid: Fid, stat: &Stat) -> Prepared<N> {
        let handle = self.fids.handle(fid)?;
        let same_name = handle.path.last().is_some_and(|name| name.as_str() == stat.name);
        if !stat.name.is_empty() && !same_name {
            return Err(Errno::EOPNOTSUPP);
        }
        let (node, attributes) = (handle.node.clone(), stat.changes());
        let request = if attributes == SetAttributes::default() {
            Request::Fsync { node }
        } else {
            Request::Setattr { node, attributes }
        };
        Ok((Duty::Wstat, request))
    }

    fn node(&self, fid: Fid) -> Result<N, Errno> {
        Ok(self.fids.handle(fid)?.node.clone())
    }

    fn directory(&self, fid: Fid) -> Result<N, Errno> {
        let handle = self.fids.handle(fid)?;
        handle.must_be_directory()?;
        Ok(handle.node.clone())
    }

    fn open_for(&self, fid: Fid, allows: fn(Access) -> bool) -> Result<&Handle<N>, Errno> {
        let handle = self.fids.handle(fid)?;
        let allowed = handle.open.is_some_and(|opened| allows(opened.access));
        if allowed { Ok(handle) } else { Err(Errno::EBADF) }
    }

    fn clamped(&self, count: u32) -> u32 {
        self.agreed.map_or(0, |agreed| count.min(agreed.msize.read_bytes_max()))
    }
}

impl<N> Handle<N> {
    fn must_be_closed(&self) -> Result<(), Errno> {
        if self.open.is_none() { Ok(()) } else { Err(Errno::EINVAL) }
    }

    fn must_be_directory(&self) -> Result<(), Errno> {
        if Qid::is_directory(self.qid) { Ok(()) } else { Err(Errno::ENOTDIR) }
    }
}

fn walk_name(text: String) -> Result<Name, Errno> {
    Name::new(text).map_err(BadName::errno)
}

/// The name of a file to be made, renamed or removed: `.` and `..` are none (create(5)).
fn file_name(text: String) -> Result<Name, Errno> {
    let name = walk_name(text)?;
    if name.is_dot() || name.is_dot_dot() { Err(Errno::EINVAL) } else { Ok(name) }
}

/// The names below the root after a walk from `path`.
fn walked(path: &[Name], names: &[Name]) -> Vec<Name> {
    let mut path = path.to_vec();
    for name in names {
        if name.is_dot_dot() {
            path.pop();
        } else if !name.is_dot() {
            path.push(name.clone());
        }
    }
    path
}
