//! One connection, seen from the server.
//!
//! ```text
//!                 Tversion (known)                         Tversion: everything in flight and every fid is dropped
//!  unversioned ────────────────────▶ speaking {dialect, msize} ─┐
//!      │  ▲                            │        ▲               │
//!      │  └───── Tversion (unknown) ───┘        └───────────────┘
//!      └──────── violation, close() ──▶ closed ◀── violation, close()
//! ```
//!
//! Where a request is, from its frame to its answer:
//!
//! ```text
//!  receive ──▶ queue ──poll_request──▶ tree ──answer──▶ outbox ──transmit/sent──▶ gone
//!                │ ▲
//!   fid changing ▼ │ fid settled
//!               waits in the fid
//! ```
//!
//! **Every node comes back.** Each `N` that a tree hands over in a reply comes back once and only once: in the request that ends it
//! (`Clunk`, `Remove`), in an `Open` or `Create` that is answered with a node in its place, or from [`ServerSession::poll_released`].
//! A request holds a clone of its node and may outlive the fid it came from.

use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    string::String,
    vec::Vec,
};
use core::mem;

use super::{
    fids::{Fids, Leftover},
    owed::{Duty, Owed, OwedId},
    queue::{Queue, Queued, fids_of},
    request::Request,
    tags::{Flushed, Tags},
};
use crate::{
    dialect::Dialect,
    errno::Errno,
    glimpse::{Glimpse, Glimpses},
    ids::Tag,
    limits::{
        FIRST_FRAME_BYTES_MAX, HEADER_BYTES, MSIZE_MIN, Msize, READ_OVERHEAD_BYTES, ServerLimits,
    },
    message::{Rmessage, Tmessage, Undecodable, name_of},
    outbox::Outbox,
    violation::Violation,
    wire::frames::{Frame, Frames},
};

const TVERSION: u8 = 100;
/// Room kept for any answer of a size that does not depend on the request.
const SMALL_REPLY_BYTES: usize = MSIZE_MIN as usize;
/// Longest target of a symbolic link that Linux takes.
const PATH_BYTES_MAX: usize = 4096;
/// Longest refusal: Rerror with its sentence.
const REFUSAL_BYTES_MAX: usize = 64;
/// A vector that grows may have room for as much again.
const VEC_GROWTH: usize = 2;

/// What Tversion has settled.
#[derive(Debug, Clone, Copy)]
pub(super) struct Agreed {
    pub(super) dialect: Dialect,
    pub(super) msize: Msize,
}

/// One connection, seen from the server. `N` is whatever the tree needs to find a file again.
#[derive(Debug)]
pub struct ServerSession<N> {
    limits: ServerLimits,
    pub(super) agreed: Option<Agreed>,
    frames: Frames,
    queue: Queue,
    held_bytes: usize,
    pub(super) fids: Fids<N>,
    tags: Tags,
    last_id: u64,
    /// Room in the outbox that is kept for answers the tree still owes.
    reserved_bytes: usize,
    outbox: Outbox,
    pub(super) released: VecDeque<N>,
    /// Nodes whose fid is gone while the tree still owes the answer to an open or create of them.
    pub(super) orphans: BTreeMap<OwedId, N>,
    /// Given up by the peer while the tree works on it, and not yet told to the tree.
    flushed: BTreeSet<OwedId>,
    glimpses: Glimpses,
    end: Option<End>,
}

/// Why nothing is read any more.
#[derive(Debug, Clone)]
enum End {
    Closed,
    Violation(Violation),
}

impl<N: Clone> ServerSession<N> {
    /// A session that waits for Tversion.
    #[must_use]
    pub fn new(limits: ServerLimits) -> Self {
        Self {
            limits,
            agreed: None,
            frames: Frames::default(),
            queue: Queue::default(),
            held_bytes: 0,
            fids: Fids::new(limits.fids_max),
            tags: Tags::default(),
            last_id: 0,
            reserved_bytes: 0,
            outbox: Outbox::default(),
            released: VecDeque::new(),
            orphans: BTreeMap::new(),
            flushed: BTreeSet::new(),
            glimpses: Glimpses::default(),
            end: None,
        }
    }

    /// Takes bytes from the peer, however they are cut.
    ///
    /// # Errors
    /// The peer broke the protocol: the session is closed, and so should be the connection. [`Self::recent`] has the last
    /// messages for the log. A session that was closed by us takes no more bytes and says nothing.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<(), Violation> {
        match &self.end {
            Some(End::Violation(violation)) => return Err(violation.clone()),
            Some(End::Closed) => return Ok(()),
            None => {}
        }
        let outcome = self.take_frames(bytes);
        if let Err(violation) = &outcome {
            self.close();
            self.end = Some(End::Violation(violation.clone()));
        }
        outcome
    }

    fn take_frames(&mut self, mut input: &[u8]) -> Result<(), Violation> {
        let mut frames = mem::take(&mut self.frames);
        while let Some(frame) = frames.next(&mut input, self.frame_bytes_max())? {
            self.take_frame(frame)?;
        }
        self.frames = frames;
        Ok(())
    }

    fn frame_bytes_max(&self) -> u32 {
        self.agreed.map_or(FIRST_FRAME_BYTES_MAX, |agreed| agreed.msize.bytes())
    }

    fn take_frame(&mut self, frame: Frame<'_>) -> Result<(), Violation> {
        self.glimpses.note(Glimpse::of(&frame));
        let (kind, held_bytes) = (frame.kind, frame.size());
        let dialect = match self.agreed {
            Some(agreed) => agreed.dialect,
            None if kind == TVERSION => Dialect::Linux,
            None => return Err(Violation::BeforeVersion { message: name_of(kind) }),
        };
        match Tmessage::from_frame(frame, dialect) {
            Ok((tag, Tmessage::Version { msize, version })) => self.version(tag, msize, &version),
            Err(Undecodable::Refused { tag, kind: TVERSION, .. }) => self.version(tag, 0, ""),
            Ok((tag, message)) => {
                self.claim(tag, message.name())?;
                match message {
                    Tmessage::Flush { oldtag } => self.flush(tag, oldtag)?,
                    message => self.enqueue(tag, message, held_bytes),
                }
            }
            Err(Undecodable::Refused { tag, kind, errno }) => {
                self.claim(tag, name_of(kind))?;
                self.refuse(tag, errno);
            }
            Err(Undecodable::Violation(violation)) => return Err(violation),
        }
        Ok(())
    }

    /// Whether a new request may have this tag.
    fn claim(&self, tag: Tag, message: &'static str) -> Result<(), Violation> {
        if tag == Tag::NOTAG {
            return Err(Violation::NoTag { message });
        }
        if self.tags.contains(tag) {
            return Err(Violation::TagInUse { message, tag });
        }
        Ok(())
    }

    /// version(5): a new session begins, whatever was before.
    fn version(&mut self, tag: Tag, msize: u32, version: &str) {
        self.reset();
        let dialect = Dialect::from_version(version).filter(|_| msize >= MSIZE_MIN);
        let msize_max = self.limits.msize_max.bytes();
        self.agreed =
            dialect.map(|dialect| Agreed { dialect, msize: Msize::clamped(msize.min(msize_max)) });
        let version = dialect.map_or(Dialect::UNKNOWN_VERSION, Dialect::version).into();
        self.send(tag, &Rmessage::Version { msize: msize.min(msize_max), version });
    }

    fn enqueue(&mut self, tag: Tag, message: Tmessage, held_bytes: usize) {
        if self.tags.requests() >= self.limits.requests_max {
            self.refuse_unasked(tag, &message);
            return;
        }
        let id = self.new_id();
        self.tags.queue(tag, id);
        self.held_bytes += held_bytes;
        self.queue.push(Queued { tag, id, message, held_bytes });
    }

    /// One request too many. A clunk is as good as done (clunk(5): the fid is gone even if the answer is an error).
    fn refuse_unasked(&mut self, tag: Tag, message: &Tmessage) {
        if let Tmessage::Clunk { fid } | Tmessage::Remove { fid } = *message
            && let Some(handle) = self.fids.remove(fid)
        {
            self.released.push_back(handle.node);
        }
        self.refuse(tag, Errno::EAGAIN);
    }

    pub(super) fn new_id(&mut self) -> OwedId {
        self.last_id += 1;
        OwedId(self.last_id)
    }

    /// flush(5). A request that only looks is dropped at once, and so is one the tree has not seen. One that may change something is
    /// answered first: a client must know whether its Twalk made a fid, or its Twrite was taken.
    fn flush(&mut self, tag: Tag, oldtag: Tag) -> Result<(), Violation> {
        match self.tags.flush(tag, oldtag) {
            Flushed::Nothing => self.send(tag, &Rmessage::Flush {}),
            Flushed::Unasked(id) => {
                let unasked = self.queue.remove(id).or_else(|| self.fids.unwait(id));
                self.held_bytes -= unasked.map_or(0, |queued| queued.held_bytes);
                self.send(tag, &Rmessage::Flush {});
            }
            Flushed::Abandoned(id) => {
                self.flushed.insert(id);
                self.send(tag, &Rmessage::Flush {});
            }
            Flushed::Waits(id) => {
                let (waiting, waiting_max) = (self.tags.flushes(), self.limits.requests_max);
                if waiting > waiting_max {
                    return Err(Violation::TooManyFlushes { waiting, waiting_max });
                }
                self.flushed.insert(id);
            }
        }
        Ok(())
    }

    /// The next request for the tree. `None` until more comes, or until replies have been sent: ask again after both.
    pub fn poll_request(&mut self) -> Option<(Owed, Request<N>)> {
        loop {
            let reserved_bytes = self.room_for(&self.queue.front()?.message)?;
            let queued = self.queue.pop()?;
            let Some(queued) = self.wait_if_changing(queued) else { continue };
            let asked = match self.first_use(&queued) {
                Some(first_use) => self.open_first(first_use, queued),
                None => self.ask(queued, reserved_bytes),
            };
            if asked.is_some() {
                return asked;
            }
        }
    }

    /// Room to keep for the answer, or `None` while there is none. An answer larger than the whole buffer gets it for itself.
    fn room_for(&self, message: &Tmessage) -> Option<usize> {
        let wanted = self.answer_bytes_max(message);
        let taken = self.outbox.len() + self.reserved_bytes;
        (taken == 0 || taken + wanted <= self.limits.transmit_bytes_max).then_some(wanted)
    }

    fn answer_bytes_max(&self, message: &Tmessage) -> usize {
        let data_bytes_max = self.agreed.map_or(0, |agreed| agreed.msize.read_bytes_max());
        match message {
            Tmessage::Read { count, .. } | Tmessage::Readdir { count, .. } => {
                (READ_OVERHEAD_BYTES + (*count).min(data_bytes_max)) as usize
            }
            Tmessage::Getlock { client_id, .. } => SMALL_REPLY_BYTES + client_id.len(),
            Tmessage::Readlink { .. } => SMALL_REPLY_BYTES + PATH_BYTES_MAX,
            _ => SMALL_REPLY_BYTES,
        }
    }

    fn wait_if_changing(&mut self, queued: Queued) -> Option<Queued> {
        let changing = |fid: &_| self.fids.is_changing(*fid);
        match fids_of(&queued.message).into_iter().flatten().find(changing) {
            Some(fid) => self.fids.wait_for(fid, queued),
            None => Some(queued),
        }
    }

    fn ask(&mut self, queued: Queued, reserved_bytes: usize) -> Option<(Owed, Request<N>)> {
        let Queued { tag, id, message, held_bytes } = queued;
        match self.admit(id, message) {
            Ok((duty, request)) => {
                self.held_bytes -= held_bytes;
                self.tags.asked(tag, duty.only_looks());
                self.reserved_bytes += reserved_bytes;
                Some((Owed { tag, id, reserved_bytes, duty }, request))
            }
            Err(errno) => {
                self.let_go(tag, id, held_bytes);
                self.refuse(tag, errno);
                None
            }
        }
    }

    /// A request ends without the tree having seen it.
    pub(super) fn let_go(&mut self, tag: Tag, id: OwedId, held_bytes: usize) {
        self.held_bytes -= held_bytes;
        self.tags.answered(tag, id);
    }

    /// Answers a request, now or later, in any order. An answer nobody waits for any more is dropped, and its node released.
    pub fn answer(&mut self, owed: Owed, outcome: Result<super::Reply<N>, Errno>) {
        let Owed { tag, id, reserved_bytes, duty } = owed;
        self.reserved_bytes -= reserved_bytes;
        self.flushed.remove(&id);
        if let Duty::FirstUse(first_use) = duty {
            return self.opened_first(id, first_use, outcome);
        }
        let Some(flushes) = self.tags.answered(tag, id) else {
            return self.drop_answer(id, outcome);
        };
        let reply = self.conclude(duty, id, outcome);
        self.send(tag, &reply);
        for flush in flushes {
            self.send(flush, &Rmessage::Flush {});
        }
    }

    /// Whether the peer has given this request up. An answer is still owed, but any will do.
    #[must_use]
    pub fn is_flushed(&self, owed: &Owed) -> bool {
        match owed.duty {
            Duty::FirstUse(first_use) => !self.fids.is_changed_by(first_use.fid, owed.id),
            _ => self.tags.is_flushed(owed.tag, owed.id),
        }
    }

    /// The next request that the peer has given up while the tree works on it: answer it soon, with anything.
    pub fn poll_flushed(&mut self) -> Option<OwedId> {
        self.flushed.pop_first()
    }

    /// The next node that nothing refers to any more.
    pub fn poll_released(&mut self) -> Option<N> {
        self.released.pop_front()
    }

    /// The connection is over: drops every request and releases every node.
    pub fn close(&mut self) {
        self.reset();
        self.frames = Frames::default();
        self.outbox = Outbox::default();
        self.agreed = None;
        self.end.get_or_insert(End::Closed);
    }

    fn reset(&mut self) {
        self.queue.clear();
        self.held_bytes = 0;
        self.flushed.extend(self.tags.abandon_all());
        for leftover in self.fids.drain() {
            match leftover {
                Leftover::Released(node) => self.released.push_back(node),
                Leftover::Orphan(id, node) => {
                    self.flushed.insert(id);
                    self.orphans.insert(id, node);
                }
            }
        }
    }

    /// Bytes for the peer.
    #[must_use]
    pub fn transmit(&self) -> &[u8] {
        self.outbox.unsent()
    }

    /// The first `count` bytes of [`Self::transmit`] are on their way.
    pub fn sent(&mut self, count: usize) {
        self.outbox.sent(count);
    }

    /// Takes back the data of a `Write` that the tree is done with, so that the next one need not be allocated. Optional.
    pub fn recycle(&mut self, data: Vec<u8>) {
        self.frames.recycle(data);
    }

    /// Gives back memory that is kept for bulk data, for a connection that has gone quiet. Bulk data that ends is noticed without this;
    /// a peer that stops in the middle is not.
    pub fn shrink(&mut self) {
        self.frames.shrink();
        self.outbox.shrink();
    }

    /// Whether to read from the connection: not while the peer leaves its replies lying, nor while requests pile up.
    #[must_use]
    pub fn wants_read(&self) -> bool {
        let next = self.queue.front().map_or(0, |queued| self.answer_bytes_max(&queued.message));
        let lying = self.outbox.len();
        self.end.is_none()
            && self.held_bytes < self.limits.held_bytes_max
            && (lying == 0 || lying + next <= self.limits.transmit_bytes_max)
    }

    /// What Tversion has agreed on.
    #[must_use]
    pub fn negotiated(&self) -> Option<(Dialect, Msize)> {
        self.agreed.map(|agreed| (agreed.dialect, agreed.msize))
    }

    /// Fids in use.
    #[must_use]
    pub fn fids(&self) -> usize {
        self.fids.len()
    }

    /// Requests in flight, given-up ones that the tree still works on included.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.tags.requests()
    }

    /// The last messages in either direction, in one line for the log, without any text of theirs.
    #[must_use]
    pub fn recent(&self) -> String {
        self.glimpses.line()
    }

    /// Memory held, near enough. Never above [`Self::memory_bytes_max`], whatever the peer does.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.frames.memory_bytes()
            + self.queue.memory_bytes()
            + self.held_bytes
            + self.outbox.memory_bytes()
            + self.fids.len() * Fids::<N>::ENTRY_BYTES
            + self.tags.len() * Tags::ENTRY_BYTES
    }

    /// The bound of [`Self::memory_bytes`], where no `receive` is given more than `receive_bytes_max` and none while
    /// [`Self::wants_read`] says no.
    #[must_use]
    pub fn memory_bytes_max(limits: &ServerLimits, receive_bytes_max: usize) -> usize {
        let frame_bytes = limits.msize_max.bytes() as usize + HEADER_BYTES;
        let held_bytes = limits.held_bytes_max + frame_bytes + receive_bytes_max;
        // Requests that are refused as they come cost at most one short Rerror for seven bytes each.
        let refusals_bytes = receive_bytes_max.div_ceil(HEADER_BYTES) * REFUSAL_BYTES_MAX;
        let outbox_bytes = limits.transmit_bytes_max + frame_bytes + refusals_bytes;
        2 * frame_bytes // one being gathered, one spare
            + held_bytes
            + VEC_GROWTH * outbox_bytes
            + VEC_GROWTH * limits.requests_max * Queue::ENTRY_BYTES
            + limits.fids_max * Fids::<N>::ENTRY_BYTES
            + 2 * limits.requests_max * Tags::ENTRY_BYTES
    }

    pub(super) fn refuse(&mut self, tag: Tag, errno: Errno) {
        let dialect = self.agreed.map_or(Dialect::Linux, |agreed| agreed.dialect);
        self.send(tag, &Rmessage::refusal(errno, dialect));
    }

    /// Puts back into the queue what waited for a fid.
    pub(super) fn resume(&mut self, waiting: VecDeque<Queued>) {
        self.queue.push_front(waiting);
    }

    /// Appends a reply. One that is too long for the peer becomes a refusal, which never is.
    fn send(&mut self, tag: Tag, reply: &Rmessage) {
        if self.end.is_some() {
            return;
        }
        let dialect = self.agreed.map_or(Dialect::Linux, |agreed| agreed.dialect);
        let msize = self.agreed.map_or(Msize::MIN, |agreed| agreed.msize).bytes();
        let start = self.outbox.end().len();
        if reply.encode(tag, dialect, msize, self.outbox.end()).is_err() {
            let refusal = Rmessage::refusal(Errno::EMSGSIZE, dialect);
            let fits = refusal.encode(tag, dialect, msize, self.outbox.end());
            debug_assert_eq!(fits, Ok(()), "a refusal fits every msize");
        }
        let made = self.outbox.end().get(start..).map(Glimpse::of_own);
        self.glimpses.note(made.unwrap_or_default());
    }
}
