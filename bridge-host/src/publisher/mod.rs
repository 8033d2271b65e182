//! The publisher: broker, stores and GPUs as files.
//!
//! Answers what the namespace server asks about `/gpu`, `/bundles` and `/worker`. The server has checked the caller's role and
//! scopes; what is left here is whose lease, whose job, whose artefact. Decides nothing about leases and jobs: every order goes to
//! the [`Dispatcher`].
//!
//! ```text
//!   walk ─▶ Node at a Place ─open─▶ Node with an OpenFile ─▶ read, write ─▶ clunk  (a last unfinished record is carried out)
//!                  └── released: nobody holds it any more          └── released: dropped with its connection; an unfinished
//!                                                                      upload or record is forgotten
//! ```
//! Some answers come later: an upload's when it is written, an order's when it is on the disk, a job's when its module was read.

mod bundles;
mod directory;
mod held;
mod info;
mod nodes;
mod open_file;
mod orders;
mod outputs;
mod place;
mod stats;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use ninedoor::{Answer, Ask, AskId, AuditLine, Caller, MountId, ProviderNode, Revocation};
use ninedoor_abi::{Errno, Now, PathName, Refusal, Subject, UnixMs};
use ninedoor_host::{LocalProvider, Order};
use secure9p::{
    Name, OpenFlags,
    message::{Attributes, FileSystemStatistics, SetAttributes},
    server::{Reply, Request},
};

pub(crate) use self::info::InfoText;
use self::{
    held::{Held, HeldFid},
    nodes::{Node, Nodes},
    open_file::OpenFile,
    orders::Progress,
    place::Place,
};
use crate::{
    audit::Entry,
    dispatcher::{Dispatcher, Reading, Wish},
    store::{Done, Owner, Position, Receipt},
};

/// The provider of `/gpu`, `/bundles` and `/worker`.
#[derive(Debug)]
pub(crate) struct Publisher {
    mounts: Vec<(MountId, Place)>,
    nodes: Nodes,
    pub(crate) dispatcher: Dispatcher,
    orders: VecDeque<Order>,
    /// Answers that wait until everything up to there is on the disk.
    waiting: VecDeque<(Position, AskId, Answer)>,
    /// What is asked of uploads, and how it is answered once the store has done it.
    staging: BTreeMap<Receipt, (AskId, Reply<ProviderNode>)>,
    held: Held,
    /// Answers to questions that were taken along.
    ready: VecDeque<(AskId, Answer)>,
    /// When this was last told the time.
    told: Now,
}

/// Who asks, and when.
pub(crate) struct Asking<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) now: Now,
}

impl Asking<'_> {
    /// The worker that asks, if it is one.
    pub(crate) fn worker(&self) -> Option<Subject> {
        self.caller.role.is_worker().then(|| self.caller.subject.clone()).flatten()
    }

    /// Whose things the caller sees and makes: a worker its own; a queen (and an observer, where it may look) everybody's.
    pub(crate) fn owner(&self) -> Owner {
        self.worker().map_or(Owner::Shared, Owner::Subject)
    }
}

impl Publisher {
    pub(crate) fn new(dispatcher: Dispatcher, now: Now) -> Self {
        Self {
            mounts: Vec::new(),
            nodes: Nodes::default(),
            dispatcher,
            orders: VecDeque::new(),
            waiting: VecDeque::new(),
            staging: BTreeMap::new(),
            held: Held::default(),
            ready: VecDeque::new(),
            told: now,
        }
    }

    /// Hangs the three directories into a server.
    pub(crate) fn mount(&mut self, server: &mut ninedoor::Server) -> Result<(), Refusal> {
        for (at, place) in
            [("/gpu", Place::Gpus), ("/bundles", Place::Bundles), ("/worker", Place::Workers)]
        {
            let mount = server.mount_provider(&at.parse::<PathName>()?)?;
            self.mounts.push((mount, place));
        }
        Ok(())
    }

    /// Answers one question, or takes it along until what its orders need is there.
    fn turn(&mut self, ask: Ask, now: Now) -> Option<Answer> {
        let (id, caller, mount) = (ask.id, Arc::clone(&ask.caller), ask.mount);
        let asking = Asking { caller: &caller, now };
        let (node, reply, is_last, progress) = match ask.request {
            Request::Write { node, data, .. } => {
                let count = u32::try_from(data.len()).unwrap_or(u32::MAX);
                (node, Reply::Write { count }, false, self.write(&asking, node, &data))
            }
            Request::Clunk { node } => (node, Reply::Done, true, self.clunk(&asking, node)),
            request => return Some(self.answer(&asking, mount, request)),
        };
        match progress {
            Progress::Done(outcome) => Some(outcome.map(|()| reply)),
            Progress::Unread(module) => {
                let asked = VecDeque::new();
                self.held.hold(node, HeldFid { id, reply, caller, is_last, module, asked });
                None
            }
        }
    }

    /// Answers one question that can be answered at once.
    fn answer(
        &mut self,
        asking: &Asking<'_>,
        mount: MountId,
        request: Request<ProviderNode>,
    ) -> Answer {
        let at = |node| Location { mount, node };
        match request {
            Request::Walk { from, names } => self.walk(asking, at(from), &names),
            Request::Open { node, flags } => self.open(asking, at(node), flags),
            Request::Create { directory, name, flags, .. } => {
                self.create(asking, at(directory), &name, flags)
            }
            Request::Read { node, offset, count } => self.read(node, offset, count as usize),
            Request::Readdir { node, offset, .. } => self.readdir(asking, at(node), offset),
            Request::Getattr { node } => self.getattr(asking, at(node)),
            Request::Setattr { node, attributes } => self.setattr(asking, at(node), &attributes),
            Request::Statfs { .. } => Ok(Reply::Statfs { statistics: self.statistics() }),
            Request::Fsync { node } => self.fsync(node),
            Request::Remove { node } => self.remove(asking, node),
            Request::Unlinkat { directory, name, .. } => self.unlink(asking, at(directory), &name),
            _ => Err(refuse(Errno::EPERM, "not something these files do")),
        }
    }

    /// What the dispatcher wishes, as orders to the server.
    fn pass_on(&mut self, wish: Wish) {
        match wish {
            Wish::Audit(line) => self.orders.push_back(Order::Audit(line)),
            Wish::RevokeTicket(ticket) => {
                self.orders.push_back(Order::Revoke(Revocation::Ticket(ticket)))
            }
            Wish::CloseOrders { worker, gpu } => {
                let closing = self.nodes.orders_of(&worker, &gpu);
                self.orders.extend(closing.map(|(mount, node)| Order::CloseNode { mount, node }));
            }
        }
    }

    fn walk(&mut self, asking: &Asking<'_>, from: Location, names: &[Name]) -> Answer {
        let mut place = self.place(from)?.clone();
        let mut qids = Vec::new();
        for name in names {
            match self.child(asking, &place, name) {
                Some(child) => place = child,
                None if qids.is_empty() => {
                    return Err(refuse(Errno::ENOENT, format!("no {name} here")));
                }
                None => return Ok(Reply::Walk { qids, node: None }),
            }
            qids.push(place.qid());
        }
        let node = self.nodes.insert(Node::at(from.mount, place, asking));
        Ok(Reply::Walk { qids, node: Some(node) })
    }

    fn open(&mut self, asking: &Asking<'_>, at: Location, flags: OpenFlags) -> Answer {
        let place = self.place(at)?.clone();
        let access =
            flags.access().ok_or_else(|| refuse(Errno::EINVAL, "open flags ask for no access"))?;
        let open = self.opened(asking, &place, access)?;
        let qid = place.qid();
        let node =
            self.nodes.insert(Node { open: Some(open), ..Node::at(at.mount, place, asking) });
        Ok(Reply::Open { node, qid, iounit: 0 })
    }

    fn create(
        &mut self,
        asking: &Asking<'_>,
        at: Location,
        name: &Name,
        flags: OpenFlags,
    ) -> Answer {
        let directory = self.place(at)?.clone();
        let (place, open) = match (&directory, self.child(asking, &directory, name)) {
            (Place::Bundles, None) => self.begin_upload(asking, name)?,
            (_, Some(child)) if !flags.contains(OpenFlags::EXCL) => {
                let access = flags
                    .access()
                    .ok_or_else(|| refuse(Errno::EINVAL, "open flags ask for no access"))?;
                let open = self.opened(asking, &child, access)?;
                (child, open)
            }
            (_, Some(_)) => return Err(refuse(Errno::EEXIST, format!("{name} is there already"))),
            (_, None) => return Err(refuse(Errno::EPERM, "files are created in /bundles only")),
        };
        let qid = place.qid();
        let node =
            self.nodes.insert(Node { open: Some(open), ..Node::at(at.mount, place, asking) });
        Ok(Reply::Create { node, qid, iounit: 0 })
    }

    fn opened(
        &mut self,
        asking: &Asking<'_>,
        place: &Place,
        access: secure9p::Access,
    ) -> Result<OpenFile, Refusal> {
        match place {
            Place::Gpus | Place::Gpu(_) | Place::Bundles | Place::Workers | Place::Job(_)
                if access.writes() =>
            {
                Err(refuse(Errno::EISDIR, "a directory is not written"))
            }
            Place::Gpus | Place::Gpu(_) | Place::Bundles | Place::Workers | Place::Job(_) => {
                Ok(OpenFile::Directory)
            }
            Place::GpuFile(gpu, file) => self.open_gpu_file(asking, gpu, *file, access),
            Place::Bundle(name) => self.open_bundle(asking, name, access),
            Place::Output(job, name) => self.open_output(asking, job, name, access),
        }
    }

    fn read(&mut self, node: ProviderNode, offset: u64, count: usize) -> Answer {
        let file = self.nodes.open_file(node)?;
        let bytes = match file {
            OpenFile::Stats(reader) => reader.read(&self.dispatcher, offset, count)?,
            other => other.read(offset, count)?,
        };
        Ok(Reply::Read(bytes))
    }

    fn write(&mut self, asking: &Asking<'_>, node: ProviderNode, data: &[u8]) -> Progress {
        match self.nodes.open_file(node) {
            Ok(OpenFile::Orders(orders)) => orders.write(&mut self.dispatcher, asking, data),
            Ok(_) => Progress::Done(Err(refuse(Errno::EBADF, "not open for writing"))),
            Err(refusal) => Progress::Done(Err(refusal)),
        }
    }

    fn readdir(&mut self, asking: &Asking<'_>, at: Location, offset: u64) -> Answer {
        let place = self.place(at)?.clone();
        Ok(Reply::Readdir { entries: self.entries(asking, &place, offset)? })
    }

    fn getattr(&mut self, asking: &Asking<'_>, at: Location) -> Answer {
        let place = self.place(at)?.clone();
        let mut attributes = Attributes::synthetic(place.qid(), place.mode());
        attributes.size = self.size(asking, &place);
        attributes.blocks = attributes.size.div_ceil(512);
        Ok(Reply::Getattr { attributes })
    }

    /// Times and modes are nobody's affair here; `truncate(2)` to nothing is how shells open a file that they mean to write.
    fn setattr(&self, asking: &Asking<'_>, at: Location, attributes: &SetAttributes) -> Answer {
        let place = self.place(at)?;
        let is_staged = matches!(place, Place::Bundle(_)) && !self.is_coming(asking, at);
        match attributes.size {
            Some(_) if is_staged => Err(refuse(Errno::EROFS, "a staged artefact does not change")),
            Some(size) if size > 0 => {
                Err(refuse(Errno::EPERM, "files here have no size of their own"))
            }
            _ => Ok(Reply::Done),
        }
    }

    /// What was written was carried out, or refused, with the write. The errno of a refusal may have got lost on the way: newer
    /// Linux kernels tell it here.
    fn fsync(&mut self, node: ProviderNode) -> Answer {
        match self.nodes.open_file(node)? {
            OpenFile::Orders(orders) => orders.last_refusal().map_or(Ok(Reply::Done), Err),
            _ => Ok(Reply::Done),
        }
    }

    /// A last record without a newline is carried out; the node goes with it.
    fn clunk(&mut self, asking: &Asking<'_>, node: ProviderNode) -> Progress {
        let progress = match self.nodes.open_file(node) {
            Ok(OpenFile::Orders(orders)) => orders.finish(&mut self.dispatcher, asking),
            _ => Progress::Done(Ok(())),
        };
        if matches!(progress, Progress::Done(_)) {
            self.drop_node(node);
        }
        progress
    }

    fn drop_node(&mut self, node: ProviderNode) {
        let open = self.nodes.remove(node).and_then(|node| node.open);
        self.forget(open);
    }

    fn remove(&mut self, asking: &Asking<'_>, node: ProviderNode) -> Answer {
        let Some(Node { place, open, .. }) = self.nodes.remove(node) else {
            return Err(unknown_node());
        };
        let was_upload = matches!(open, Some(OpenFile::Upload(_)));
        self.forget(open);
        match place {
            Place::Bundle(_) if was_upload => Ok(Reply::Done),
            Place::Bundle(name) => self.remove_bundle(asking, &name),
            _ => Err(refuse(Errno::EPERM, "only staged artefacts are removed")),
        }
    }

    /// What was open and not finished is as if it had never been; what was in use is not any more.
    fn forget(&mut self, open: Option<OpenFile>) {
        match open {
            Some(OpenFile::Orders(mut orders)) => {
                orders.give_room_back(&mut self.dispatcher.unfinished);
            }
            Some(OpenFile::Artefact { digest, .. }) => self.dispatcher.artefacts.release(&digest),
            _ => {}
        }
    }

    fn unlink(&mut self, asking: &Asking<'_>, at: Location, name: &Name) -> Answer {
        match self.place(at)? {
            Place::Bundles => self.remove_bundle(asking, name),
            _ => Err(refuse(Errno::EPERM, "only staged artefacts are removed")),
        }
    }

    /// A question that is answered when the store has done what it asks for.
    fn wait_for(&mut self, id: AskId, asked: Result<Awaited, Refusal>) -> Option<Answer> {
        match asked {
            Ok((receipt, reply)) => {
                self.staging.insert(receipt, (id, reply));
                None
            }
            Err(refusal) => Some(Err(refusal)),
        }
    }

    /// A scribe of the store has done something.
    pub(crate) fn stored(&mut self, done: Done, now: Now) {
        self.dispatcher.artefacts.tell_time(now.unix_ms);
        if let Some((receipt, outcome)) = self.dispatcher.artefacts.told(done)
            && let Some((id, reply)) = self.staging.remove(&receipt)
        {
            self.ready.push_back((id, outcome.map(|()| reply)));
        }
    }

    /// A module was read: the records that wait for it go on.
    pub(crate) fn module_read(&mut self, reading: Reading, now: Now) {
        self.told = now;
        self.dispatcher.artefacts.tell_time(now.unix_ms);
        let module = self.dispatcher.module_read(reading);
        for node in self.held.waiting_for(&module) {
            self.go_on(node, now);
        }
        self.dispatcher.module_used(&module);
    }

    /// A held fid's records are carried out, and what was asked of it meanwhile.
    fn go_on(&mut self, node: ProviderNode, now: Now) {
        let Some(fid) = self.held.take(node) else { return };
        let before = self.dispatcher.stored_up_to();
        let asking = Asking { caller: &fid.caller, now };
        let (told_before, progress) = match self.nodes.open_file(node) {
            Ok(OpenFile::Orders(orders)) => {
                (orders.told_of, orders.go_on(&mut self.dispatcher, &asking))
            }
            _ => (Position::default(), Progress::Done(Err(unknown_node()))),
        };
        let outcome = match progress {
            Progress::Done(outcome) => outcome,
            Progress::Unread(module) => return self.held.hold(node, HeldFid { module, ..fid }),
        };
        if fid.is_last {
            self.drop_node(node);
        }
        let answer = outcome.map(|()| fid.reply);
        let answer = self.when_stored(fid.id, before, told_before, answer);
        self.ready.extend(answer.map(|answer| (fid.id, answer)));
        for ask in fid.asked {
            let id = ask.id;
            let answer = self.ask(ask, now);
            self.ready.extend(answer.map(|answer| (id, answer)));
        }
    }

    /// An answer, at once or when what it tells of is on the disk: what has been decided since `before`, and what lies up to
    /// `told_before`.
    fn when_stored(
        &mut self,
        id: AskId,
        before: Position,
        told_before: Position,
        answer: Answer,
    ) -> Option<Answer> {
        let end = self.dispatcher.stored_up_to();
        let until = if end > before { end } else { told_before };
        let journal = &self.dispatcher.journal;
        if until <= journal.synced() {
            return Some(answer);
        }
        journal.want(until);
        self.waiting.push_back((until, id, answer));
        None
    }

    fn place(&self, at: Location) -> Result<&Place, Refusal> {
        if at.node == ProviderNode::ROOT {
            let root = self.mounts.iter().find(|(mount, _)| *mount == at.mount);
            return root.map(|(_, place)| place).ok_or_else(unknown_node);
        }
        self.nodes.place(at.node)
    }

    fn statistics(&self) -> FileSystemStatistics {
        let (used, total) =
            (self.dispatcher.artefacts.bytes(), self.dispatcher.artefacts.bytes_max());
        FileSystemStatistics {
            kind: FileSystemStatistics::KIND_9P,
            bsize: 4096,
            blocks: total / 4096,
            bfree: total.saturating_sub(used) / 4096,
            bavail: total.saturating_sub(used) / 4096,
            files: 0,
            ffree: 0,
            fsid: 0,
            namelen: 255,
        }
    }
}

impl LocalProvider for Publisher {
    fn ask(&mut self, mut ask: Ask, now: Now) -> Option<Answer> {
        self.told = now;
        self.dispatcher.artefacts.tell_time(now.unix_ms);
        if let Some(asked) = self.ask_upload(&mut ask.request) {
            return self.wait_for(ask.id, asked);
        }
        let ask = self.held.put(ask)?;
        let (id, before) = (ask.id, self.dispatcher.stored_up_to());
        let told_before = self.nodes.told_of(&ask.request);
        let answer = self.turn(ask, now)?;
        self.when_stored(id, before, told_before, answer)
    }

    /// Records that wait for a module are not carried out for somebody who has gone.
    fn released(&mut self, node: ProviderNode) {
        self.drop_node(node);
        if let Some(fid) = self.held.take(node) {
            self.dispatcher.module_unwanted(&fid.module);
            let gone = || Err(refuse(Errno::EPERM, "the fid was closed"));
            self.ready.extend(fid.everybody().map(|id| (id, gone())));
        }
    }

    fn poll_answer(&mut self) -> Option<(AskId, Answer)> {
        if let Some(ready) = self.ready.pop_front() {
            return Some(ready);
        }
        let (until, ..) = self.waiting.front()?;
        if *until <= self.dispatcher.journal.synced() {
            return self.waiting.pop_front().map(|(_, id, answer)| (id, answer));
        }
        let broken = self.dispatcher.journal.broken()?;
        self.waiting.pop_front().map(|(_, id, answer)| (id, answer.and(Err(broken))))
    }

    fn poll_order(&mut self) -> Option<Order> {
        while let Some(wish) = self.dispatcher.poll_wish() {
            self.pass_on(wish);
        }
        self.orders.pop_front()
    }

    fn tick(&mut self, now: Now) {
        self.told = now;
        self.dispatcher.tick(now);
    }

    fn next_deadline(&self) -> Option<UnixMs> {
        let due = self.dispatcher.next_deadline(self.told)?;
        // The wall's clock is told in whole milliseconds: rather late by one than early.
        Some(self.told.unix_ms.plus_ms(due.us_since(self.told.mono_us).div_ceil(1000) + 1))
    }

    fn audit(&mut self, at: UnixMs, line: &AuditLine) {
        tracing::debug!(target: "audit", "ts_ms={at} {line}");
        self.dispatcher.audit.note(Entry { at, line: line.clone() });
    }

    fn audit_overrun(&mut self, lines: u64) {
        self.dispatcher.audit.note_lost(lines, self.told.unix_ms);
    }
}

/// What the store is doing, and what is answered when it is done.
type Awaited = (Receipt, Reply<ProviderNode>);

/// A node and the mount that its asker came through.
#[derive(Debug, Clone, Copy)]
pub(super) struct Location {
    mount: MountId,
    node: ProviderNode,
}

fn refuse(errno: Errno, text: impl Into<String>) -> Refusal {
    Refusal::new(errno, text)
}

fn unknown_node() -> Refusal {
    refuse(Errno::EBADF, "no such node")
}
