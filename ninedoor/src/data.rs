//! Reading and writing: the short way for local files, the long way for mounted ones.
//!
//! Nothing here waits: at the end of a file a read gives 0 bytes, and a reader that stays there sees what is appended.

use alloc::{format, string::String, vec::Vec};

use ninedoor_abi::Now;
use secure9p::{
    Bytes, Errno,
    message::DirectoryEntry,
    server::{Reply, Request},
};

use crate::{
    ask::{Caller, ProviderNode},
    audit::{AuditLine, Note},
    authority::{Acts, rights},
    connection::Connection,
    errand::{Dispatch, Then, Turn},
    fid::{At, FidKey, Here, Open},
    limits::{LOG_LINE_BYTES_MAX, RECORD_BYTES_MAX},
    mount::Hook,
    place::Side,
    server::Server,
    slab::Key,
    tree::{Kind, NodeId},
};

/// Where a listing of a directory with a mount in it goes on. Even cookies are of its own entries, odd ones of what is mounted: so
/// that it may itself be such a directory of another server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cookie {
    Own(u64),
    Mounted(u64),
}

impl Cookie {
    const fn read(offset: u64) -> Self {
        if offset.is_multiple_of(2) { Self::Own(offset / 2) } else { Self::Mounted(offset / 2) }
    }

    /// As an offset, which Linux takes for a signed number.
    fn offset(self) -> Option<u64> {
        let (cookie, odd) = match self {
            Self::Own(cookie) => (cookie, 0),
            Self::Mounted(cookie) => (cookie, 1),
        };
        (cookie < 1 << 62).then_some(cookie * 2 + odd)
    }
}

impl Server {
    /// Tread.
    pub(crate) fn read(
        &mut self,
        connection: &mut Connection,
        key: FidKey,
        offset: u64,
        count: u32,
        now: Now,
    ) -> Result<Turn, Errno> {
        let fid = connection.fids.get_mut(key).ok_or(Errno::EBADF)?;
        let attachment = fid.attachment;
        if matches!(fid.open, Open::Closed) {
            return Err(Errno::EPERM);
        }
        self.charge(attachment, fid.here.rights.scope, now)?;
        let bytes = match (&mut fid.open, &fid.here.at) {
            (Open::Text(text), _) => {
                let (from, to) = window(text.len(), offset, count);
                Bytes::Shared(text.clone(), from..to)
            }
            (Open::Log(reader), At::Local(node)) => {
                self.log_at(*node, |log| reader.read(log, offset, count as usize))?
            }
            (Open::Telemetry(open), At::Local(node)) => {
                self.log_at(*node, |log| open.log.read(log, offset, count as usize))?
            }
            (Open::Control(open), At::Local(_)) if open.wrote => {
                Bytes::Owned(open.status.read(offset, count as usize).to_vec())
            }
            (Open::Control(open), At::Local(node)) => {
                self.log_at(*node, |log| open.log.read(log, offset, count as usize))?
            }
            (Open::Mounted { .. }, At::Mounted(mounted)) => {
                let request =
                    Request::Read { node: mounted.node.ok_or(Errno::EIO)?, offset, count };
                let then = Then::Data { note: None };
                return Ok(Turn::Errand(Dispatch {
                    hook: mounted.hook,
                    attachment,
                    request,
                    then,
                }));
            }
            _ => return Err(Errno::EBADF),
        };
        self.charge_bytes(attachment, bytes.as_slice().len());
        Ok(Turn::Reply(Reply::Read(bytes)))
    }

    fn log_at(
        &self,
        node: NodeId,
        read: impl FnOnce(&crate::ring::LogRing) -> Vec<u8>,
    ) -> Result<Bytes, Errno> {
        match self.tree.get(node).map(|node| &node.kind) {
            Some(Kind::Log(log) | Kind::Telemetry(log) | Kind::Control(_, log)) => {
                Ok(Bytes::Owned(read(log)))
            }
            _ => Err(Errno::EIO),
        }
    }

    fn charge_bytes(&mut self, attachment: Key, bytes: usize) {
        let account = self.attachments.get(attachment).and_then(|attachment| attachment.account);
        if let Some(account) = account.and_then(|account| self.accounts.get_mut(account)) {
            account.charge_bytes(bytes as u64);
        }
    }

    /// Twrite. Offsets mean nothing to files that only grow.
    pub(crate) fn write(
        &mut self,
        connection: &mut Connection,
        key: FidKey,
        offset: u64,
        data: Vec<u8>,
        now: Now,
    ) -> Result<Turn, Errno> {
        let id = connection.id;
        let fid = connection.fids.get_mut(key).ok_or(Errno::EBADF)?;
        let attachment = fid.attachment;
        if matches!(fid.open, Open::Closed) {
            return Err(Errno::EPERM);
        }
        self.charge(attachment, fid.here.rights.scope, now)?;
        self.charge_bytes(attachment, data.len());
        match (&mut fid.open, &fid.here.at) {
            (Open::Control(control), At::Local(node)) => {
                let node = *node;
                self.orders_written(id, key, attachment, node, control, &data)
            }
            (Open::Telemetry(open), At::Local(node)) => {
                let records = open
                    .record
                    .write(&data, RECORD_BYTES_MAX)
                    .map_err(|refusal| Errno(refusal.errno.0))?;
                let node = *node;
                self.append_telemetry(attachment, node, &records)?;
                let count = u32::try_from(data.len()).map_err(|_| Errno::EINVAL)?;
                Ok(Turn::Reply(Reply::Write { count }))
            }
            (Open::Mounted { unfinished }, At::Mounted(mounted)) => {
                *unfinished = fid.here.place.is_audited() && !data.ends_with(b"\n");
                let (hook, node) = (mounted.hook, mounted.node.ok_or(Errno::EIO)?);
                let note = fid.here.place.is_audited().then(|| self.note(&fid.here, &data));
                let request = Request::Write { node, offset, data };
                Ok(Turn::Errand(Dispatch { hook, attachment, request, then: Then::Data { note } }))
            }
            _ => Err(Errno::EBADF),
        }
    }

    /// What the log will say of an order to a GPU.
    fn note(&self, here: &Here, data: &[u8]) -> Note {
        let mut path = String::new();
        for name in self.names_of(here) {
            path.push('/');
            path.push_str(&name);
        }
        let shown = data.get(..data.len().min(LOG_LINE_BYTES_MAX)).unwrap_or_default();
        let order = (!path.ends_with("/job")).then(|| shown.to_vec());
        Note { path, bytes: data.len(), order }
    }

    /// A mounted file has given or taken data.
    pub(crate) fn data_done(
        &mut self,
        attachment: Key,
        note: Option<Note>,
        result: Result<Reply<ProviderNode>, Errno>,
        now: Now,
    ) -> Result<Turn, Errno> {
        if let Some(note) = note {
            self.audit_write(attachment, note, &result, now);
        }
        match result? {
            Reply::Read(bytes) => {
                self.charge_bytes(attachment, bytes.as_slice().len());
                Ok(Turn::Reply(Reply::Read(bytes)))
            }
            Reply::Write { count } => Ok(Turn::Reply(Reply::Write { count })),
            _ => Err(Errno::EIO),
        }
    }

    fn audit_write(
        &mut self,
        attachment: Key,
        note: Note,
        result: &Result<Reply<ProviderNode>, Errno>,
        now: Now,
    ) {
        let Some(caller) =
            self.attachments.get(attachment).map(|attachment| attachment.caller.clone())
        else {
            return;
        };
        let detail = format!("path={} bytes={}", note.path, note.bytes);
        let line = AuditLine::of(&caller).outcome("WRITE", result.as_ref().err().copied(), detail);
        let line = match &note.order {
            Some(order) => line.quoting(order),
            None => line,
        };
        self.audit(line, now);
    }

    /// Records of a worker's telemetry; each of a heartbeat's is a tick.
    fn append_telemetry(
        &mut self,
        attachment: Key,
        node: NodeId,
        records: &[Vec<u8>],
    ) -> Result<(), Errno> {
        let account = self.attachments.get(attachment).and_then(|attachment| attachment.account);
        for record in records {
            if let Some(account) = account.and_then(|account| self.accounts.get_mut(account)) {
                account.charge_tick()?;
            }
            match self.tree.get_mut(node).map(|node| &mut node.kind) {
                Some(Kind::Telemetry(log)) => log.append(record),
                _ => return Err(Errno::EIO),
            }
        }
        Ok(())
    }

    /// The last record of a telemetry fid that had no newline.
    pub(crate) fn telemetry_at_clunk(
        &mut self,
        attachment: Key,
        here: &Here,
        record: Option<Vec<u8>>,
    ) -> Result<(), Errno> {
        match (record, &here.at) {
            (Some(record), At::Local(node)) if self.is_live(attachment) => {
                self.append_telemetry(attachment, *node, &[record])
            }
            _ => Ok(()),
        }
    }

    /// Treaddir: a directory's own entries first, then what is mounted there. What the caller may not see is left out.
    pub(crate) fn readdir(
        &mut self,
        connection: &mut Connection,
        key: FidKey,
        offset: u64,
        count: u32,
        now: Now,
    ) -> Result<Turn, Errno> {
        let (attachment, here) = self.usable(connection, key, now)?;
        let open = connection.fids.get(key).map(|fid| &fid.open);
        match (&here.at, open) {
            (At::Mounted(mounted), _) => {
                let node = mounted.node.ok_or(Errno::EIO)?;
                let request = Request::Readdir { node, offset, count };
                let then = Then::Entries(Listing::new(key, node, count, false));
                Ok(Turn::Errand(Dispatch { hook: mounted.hook, attachment, request, then }))
            }
            (At::Local(node), Some(Open::Directory(behind))) => {
                let (own, offset) = match Cookie::read(offset) {
                    Cookie::Own(cookie) => (self.own_entries(attachment, *node, cookie)?, 0),
                    Cookie::Mounted(offset) => (Vec::new(), offset),
                };
                match behind {
                    Some(Err(errno)) if own.is_empty() => Err(*errno),
                    Some(Ok((hook, behind))) if own.is_empty() => {
                        let (hook, node) = (*hook, *behind);
                        let request = Request::Readdir { node, offset, count };
                        let then = Then::Entries(Listing::new(key, node, count, true));
                        Ok(Turn::Errand(Dispatch { hook, attachment, request, then }))
                    }
                    _ => Ok(Turn::Reply(Reply::Readdir { entries: own })),
                }
            }
            _ => Err(Errno::EBADF),
        }
    }

    fn own_entries(
        &self,
        attachment: Key,
        directory: NodeId,
        cookie: u64,
    ) -> Result<Vec<DirectoryEntry>, Errno> {
        let caller = &self.attachments.get(attachment).ok_or(Errno::EPERM)?.caller;
        let visible = |node: NodeId| {
            self.local(node, caller).is_some_and(|here| here.rights.acts.allow(Acts::SEE))
        };
        let entries = self.tree.entries_after(directory, cookie).into_iter();
        let entries = entries.filter(|(_, _, node)| visible(*node));
        Ok(entries
            .filter_map(|(cookie, name, node)| {
                let offset = Cookie::Own(cookie).offset()?;
                Some(DirectoryEntry::new(self.tree.qid(node), offset, name))
            })
            .collect())
    }

    /// Entries have come from behind a mount.
    pub(crate) fn entries_came(
        &mut self,
        connection: &mut Connection,
        hook: Hook,
        listing: Listing,
        result: Result<Reply<ProviderNode>, Errno>,
    ) -> Result<Turn, Errno> {
        let Reply::Readdir { mut entries } = result? else { return Err(Errno::EIO) };
        let fid = connection.fids.get(listing.fid).ok_or(Errno::EBADF)?;
        let attachment = fid.attachment;
        let caller = &self.attachments.get(attachment).ok_or(Errno::EPERM)?.caller;
        let last = entries.last().map(|entry| entry.offset);
        self.keep_visible(&fid.here, caller, &mut entries);
        if let (true, Some(offset)) = (entries.is_empty(), last) {
            // Nothing of this batch may be seen, and an empty reply would mean the end: ask for the next.
            let listing = listing.further().ok_or(Errno::EIO)?;
            let request = Request::Readdir { node: listing.node, offset, count: listing.count };
            return Ok(Turn::Errand(Dispatch {
                hook,
                attachment,
                request,
                then: Then::Entries(listing),
            }));
        }
        let mount = self.mounts.get(hook.mount).ok_or(Errno::EIO)?;
        for entry in &mut entries {
            entry.qid = mount.shown(entry.qid);
            if listing.union {
                entry.offset = Cookie::Mounted(entry.offset).offset().ok_or(Errno::EIO)?;
            }
        }
        Ok(Turn::Reply(Reply::Readdir { entries }))
    }

    /// Leaves out what the caller may not see, and what an entry of the directory's own hides.
    fn keep_visible(&self, directory: &Here, caller: &Caller, entries: &mut Vec<DirectoryEntry>) {
        let above = self.names_of(directory);
        entries.retain(|entry| {
            let place = directory.place.below(&entry.name, Side::Mounted, caller.subject_text());
            let names = above.iter().map(|name| name.as_str()).chain([entry.name.as_str()]);
            let hidden = matches!(&directory.at, At::Local(node) if self.tree.child(*node, &entry.name).is_some());
            !hidden && rights(caller, place, names).acts.allow(Acts::SEE)
        });
    }
}

/// A listing of a directory behind a mount, under way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Listing {
    fid: FidKey,
    node: ProviderNode,
    count: u32,
    /// Whether the directory has entries of its own, whose cookies come first.
    union: bool,
    rounds_left: u8,
}

impl Listing {
    /// Batches without anything visible that are skipped before the listing is given up.
    const ROUNDS_MAX: u8 = 64;

    const fn new(fid: FidKey, node: ProviderNode, count: u32, union: bool) -> Self {
        Self { fid, node, count, union, rounds_left: Self::ROUNDS_MAX }
    }

    fn further(self) -> Option<Self> {
        Some(Self { rounds_left: self.rounds_left.checked_sub(1)?, ..self })
    }
}

/// The part of a text of this length that a read asks for.
fn window(length: usize, offset: u64, count: u32) -> (usize, usize) {
    let from = usize::try_from(offset).unwrap_or(usize::MAX).min(length);
    (from, from.saturating_add(count as usize).min(length))
}
