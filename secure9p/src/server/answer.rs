//! From a tree's reply to a message, and what the reply does to the fids.
//!
//! A reply that does not fit its request is a fault of the tree, ours: an assertion in tests, EIO to the peer otherwise.

use alloc::vec::Vec;

use super::{
    fids::{Cursor, Handle, Opened},
    owed::{Duty, OwedId},
    request::Reply,
    session::ServerSession,
};
use crate::{
    bytes::Bytes,
    dialect::Dialect,
    errno::Errno,
    ids::{Fid, Qid},
    message::{Attributes, DirectoryEntry, Rmessage, Stat},
    name::Name,
    open::Access,
};

/// Why no reply is sent but a refusal.
enum No<N> {
    Refused(Errno),
    /// A reply that does not fit, with the node it may have carried.
    Misfit(Option<N>),
}

impl<N> From<Errno> for No<N> {
    fn from(errno: Errno) -> Self {
        Self::Refused(errno)
    }
}

impl<N: Clone> ServerSession<N> {
    /// Carries out what follows from an answer, and says it to the peer.
    pub(super) fn conclude(
        &mut self,
        duty: Duty,
        id: OwedId,
        outcome: Result<Reply<N>, Errno>,
    ) -> Rmessage {
        let changing = duty.changing();
        let no = match outcome.map_err(No::Refused).and_then(|reply| self.fulfil(duty, id, reply)) {
            Ok(message) => return message,
            Err(no) => no,
        };
        if let Some(fid) = changing {
            let waiting = self.fids.revert(fid);
            self.resume(waiting);
        }
        let errno = match no {
            No::Refused(errno) => errno,
            No::Misfit(node) => {
                self.released.extend(node);
                debug_assert!(false, "the tree's reply does not fit its request");
                Errno::EIO
            }
        };
        Rmessage::refusal(errno, self.dialect())
    }

    fn fulfil(&mut self, duty: Duty, id: OwedId, reply: Reply<N>) -> Result<Rmessage, No<N>> {
        Ok(match (duty, reply) {
            (Duty::Read { count }, Reply::Read(data)) => read(data, count)?,
            (Duty::Write { count: sent }, Reply::Write { count }) if count as usize <= sent => {
                Rmessage::Write { count }
            }
            (Duty::Walk { newfid, from, names, path }, Reply::Walk { qids, node }) => {
                self.walked(Walk { newfid, from, names, path }, qids, node)?
            }
            (Duty::Getattr, Reply::Getattr { attributes }) => Rmessage::Getattr { attributes },
            (Duty::Open { fid, access, path }, Reply::Open { node, qid, iounit }) => {
                self.settle_open(fid, id, access, Handle::closed(node, qid, path));
                self.opened(qid, iounit)
            }
            (Duty::Create { fid, access, path }, Reply::Create { node, qid, iounit }) => {
                self.settle_open(fid, id, access, Handle::closed(node, qid, path));
                self.created(qid, iounit)
            }
            (Duty::Readdir { count }, Reply::Readdir { entries }) => {
                Rmessage::Readdir { entries: cut(entries, count, DirectoryEntry::wire_bytes)? }
            }
            (duty @ Duty::ReadDirectory { .. }, Reply::Readdir { entries }) => {
                self.read_directory(&duty, entries)?
            }
            (Duty::Attach { fid }, Reply::Attach { node, qid }) => {
                self.settle(fid, Handle::closed(node, qid, Vec::new()));
                Rmessage::Attach { qid }
            }
            (Duty::Stat { name }, Reply::Getattr { attributes }) => {
                let name = name.as_ref().map_or("/", Name::as_str);
                Rmessage::Stat { stat: Stat::of(name, &attributes) }
            }
            (Duty::Statfs, Reply::Statfs { statistics }) => Rmessage::Statfs { statistics },
            (Duty::Mkdir, Reply::Made { qid }) => Rmessage::Mkdir { qid },
            (Duty::Symlink, Reply::Made { qid }) => Rmessage::Symlink { qid },
            (Duty::Mknod, Reply::Made { qid }) => Rmessage::Mknod { qid },
            (Duty::Readlink, Reply::Readlink { target }) => Rmessage::Readlink { target },
            (Duty::Lock, Reply::Lock { status }) => Rmessage::Lock { status },
            (Duty::Getlock, Reply::Getlock { lock }) => Rmessage::Getlock {
                kind: lock.kind,
                start: lock.start,
                length: lock.length,
                proc_id: lock.proc_id,
                client_id: lock.client_id,
            },
            (duty, Reply::Done) => done(&duty).ok_or(No::Misfit(None))?,
            (_, misfit) => return Err(No::Misfit(misfit.into_node())),
        })
    }

    fn walked(&mut self, walk: Walk, qids: Vec<Qid>, node: Option<N>) -> Result<Rmessage, No<N>> {
        let Walk { newfid, from, names, path } = walk;
        match node {
            Some(node) if qids.len() == names => {
                let qid = qids.last().copied().unwrap_or(from);
                let before = self.settle(newfid, Handle::closed(node, qid, path));
                self.released.extend(before.map(|handle| handle.node));
                Ok(Rmessage::Walk { wqid: qids })
            }
            None if !qids.is_empty() && qids.len() < names => {
                let waiting = self.fids.revert(newfid);
                self.resume(waiting);
                Ok(Rmessage::Walk { wqid: qids })
            }
            node => Err(No::Misfit(node)),
        }
    }

    fn settle(&mut self, fid: Fid, handle: Handle<N>) -> Option<Handle<N>> {
        let (before, waiting) = self.fids.settle(fid, handle);
        self.resume(waiting);
        before
    }

    /// The node before has become the open one: it is not released.
    pub(super) fn settle_open(&mut self, fid: Fid, by: OwedId, access: Access, handle: Handle<N>) {
        let open = Some(Opened { by, access, cursor: Cursor::default() });
        self.settle(fid, Handle { open, ..handle });
    }

    fn opened(&self, qid: Qid, iounit: u32) -> Rmessage {
        match self.dialect() {
            Dialect::Linux => Rmessage::Lopen { qid, iounit },
            Dialect::Plan9 => Rmessage::Open { qid, iounit },
        }
    }

    fn created(&self, qid: Qid, iounit: u32) -> Rmessage {
        match self.dialect() {
            Dialect::Linux => Rmessage::Lcreate { qid, iounit },
            Dialect::Plan9 => Rmessage::Create { qid, iounit },
        }
    }

    /// 9P2000: a directory is read as a file of entries, never splitting one.
    fn read_directory(
        &mut self,
        duty: &Duty,
        entries: Vec<DirectoryEntry>,
    ) -> Result<Rmessage, No<N>> {
        let Duty::ReadDirectory { fid, opened, offset, count } = *duty else {
            return Err(No::Misfit(None));
        };
        let stats = entries.iter().map(|entry| (entry.offset, stat_of(entry))).collect();
        let stats = cut(stats, count, |(_, stat): &(u64, Stat)| stat.wire_bytes())?;
        let mut data = Vec::new();
        stats.iter().for_each(|(_, stat)| stat.append_to(&mut data));
        let open = self.fids.handle_mut(fid).and_then(|handle| handle.open.as_mut());
        if let (Some(open), Some((cookie, _))) =
            (open.filter(|open| open.by == opened), stats.last())
        {
            open.cursor = Cursor { offset: offset + data.len() as u64, cookie: *cookie };
        }
        Ok(Rmessage::Read { data: Bytes::Owned(data) })
    }

    /// An answer that nobody waits for: what it carries is nobody's.
    pub(super) fn drop_answer(&mut self, id: OwedId, outcome: Result<Reply<N>, Errno>) {
        let orphan = self.orphans.remove(&id);
        match outcome.ok().and_then(Reply::into_node) {
            Some(node) => self.released.push_back(node),
            None => self.released.extend(orphan),
        }
    }
}

/// What a walk was about.
struct Walk {
    newfid: Fid,
    from: Qid,
    names: usize,
    path: Vec<Name>,
}

impl Duty {
    /// The fid that waits for the answer.
    fn changing(&self) -> Option<Fid> {
        match *self {
            Self::Attach { fid }
            | Self::Walk { newfid: fid, .. }
            | Self::Open { fid, .. }
            | Self::Create { fid, .. } => Some(fid),
            _ => None,
        }
    }
}

impl<N> Reply<N> {
    /// The node it hands over.
    pub(super) fn into_node(self) -> Option<N> {
        match self {
            Self::Attach { node, .. } | Self::Open { node, .. } | Self::Create { node, .. } => {
                Some(node)
            }
            Self::Walk { node, .. } => node,
            _ => None,
        }
    }
}

fn read<N>(data: Bytes, count: u32) -> Result<Rmessage, No<N>> {
    if data.as_slice().len() <= count as usize {
        Ok(Rmessage::Read { data })
    } else {
        Err(No::Misfit(None))
    }
}

/// The answer to what is answered with nothing.
fn done(duty: &Duty) -> Option<Rmessage> {
    Some(match duty {
        Duty::Setattr => Rmessage::Setattr {},
        Duty::Wstat => Rmessage::Wstat {},
        Duty::Fsync => Rmessage::Fsync {},
        Duty::Clunk => Rmessage::Clunk {},
        Duty::Remove => Rmessage::Remove {},
        Duty::Unlinkat => Rmessage::Unlinkat {},
        Duty::Rename => Rmessage::Rename {},
        Duty::Renameat => Rmessage::Renameat {},
        Duty::Link => Rmessage::Link {},
        _ => return None,
    })
}

/// As many whole entries as fit into `count` bytes. Not even one: EINVAL, because nothing would mean the end to all but those who
/// ask for nothing.
fn cut<T>(mut entries: Vec<T>, count: u32, bytes: impl Fn(&T) -> usize) -> Result<Vec<T>, Errno> {
    let mut room = count as usize;
    let fitting = entries.iter().take_while(|entry| {
        let left = room.checked_sub(bytes(entry));
        room = left.unwrap_or(0);
        left.is_some()
    });
    let fitting = fitting.count();
    if fitting == 0 && !entries.is_empty() && count > 0 {
        return Err(Errno::EINVAL);
    }
    entries.truncate(fitting);
    Ok(entries)
}

/// What a directory says about an entry in 9P2000, where entries carry modes and the tree gives none: those a reader may hope for.
/// Tstat of the file itself tells the truth.
fn stat_of(entry: &DirectoryEntry) -> Stat {
    let permissions = if entry.qid.is_directory() { 0o555 } else { 0o666 };
    Stat::of(&entry.name, &Attributes::synthetic(entry.qid, permissions))
}
