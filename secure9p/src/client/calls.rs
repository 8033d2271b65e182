//! The calls in flight: which tag belongs to which call, and what would answer it.
//!
//! ```text
//!  free ──call──▶ waiting ──reply──▶ free
//!                    │
//!                  cancel
//!                    ▼
//!                cancelled ──Rflush──▶ free          (no reply came: the call ends with EINTR)
//!                    │                  ▲
//!                  reply ──▶ replied ───┘ Rflush     (flush(5): a reply that comes first counts)
//! ```
//!
//! A tag is free again only when the server can no longer mean the old call by it.

use alloc::collections::{BTreeMap, BTreeSet};

use crate::{
    ids::Tag,
    message::{Rmessage, Tmessage, TooLong},
    violation::Violation,
};

/// The number of a call: never used twice within a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub(super) u64);

/// Why a call is not made. Nothing was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CallRefused {
    /// Tversion is not answered yet, or the session is over.
    #[error("no version is agreed on, want the server's Rversion first")]
    NotNegotiated,
    /// As many calls as there may be.
    #[error("{calls} calls are in flight, want fewer than {calls_max}: take replies first")]
    TooManyCalls {
        /// How many are in flight.
        calls: usize,
        /// The bound.
        calls_max: usize,
    },
    /// The server takes nothing off our hands.
    #[error("{bytes} bytes wait to be sent, want fewer than {bytes_max}: send first")]
    TransmitFull {
        /// How many wait.
        bytes: usize,
        /// The bound.
        bytes_max: usize,
    },
    /// The message belongs to the other dialect, or is one that the session sends itself.
    #[error("{message} is not for callers of this dialect, want another message")]
    NotForCallers {
        /// Its name.
        message: &'static str,
    },
    /// More than a frame holds.
    #[error(transparent)]
    TooLong(#[from] TooLong),
}

/// What answers a call, as far as it can be checked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected {
    pub(super) call: &'static str,
    kind: u8,
    /// Bytes, names or entries the reply may carry at most.
    count_max: usize,
}

impl Expected {
    pub(super) fn of(message: &Tmessage) -> Self {
        let count_max = match message {
            Tmessage::Read { count, .. } | Tmessage::Readdir { count, .. } => *count as usize,
            Tmessage::Write { data, .. } => data.len(),
            Tmessage::Walk { wname, .. } => wname.len(),
            _ => usize::MAX,
        };
        Self { call: message.name(), kind: message.kind() + 1, count_max }
    }

    /// Whether the reply may answer the call. Errors always may.
    pub(super) fn check(&self, reply: &Rmessage) -> Result<(), Violation> {
        let message = reply.name();
        if matches!(reply, Rmessage::Lerror { .. } | Rmessage::Error { .. }) {
            return Ok(());
        }
        if reply.kind() != self.kind {
            let want = Rmessage::name_of(self.kind).unwrap_or("an error");
            return Err(Violation::WrongReply { message, call: self.call, want });
        }
        let (count, count_max) = (self.carried(reply), self.count_max);
        if count > count_max {
            return Err(Violation::TooMuch { message, count, count_max });
        }
        Ok(())
    }

    fn carried(&self, reply: &Rmessage) -> usize {
        match reply {
            Rmessage::Read { data } => data.as_slice().len(),
            Rmessage::Readdir { entries } => entries.iter().map(|entry| entry.wire_bytes()).sum(),
            Rmessage::Write { count } => *count as usize,
            Rmessage::Walk { wqid } => wqid.len(),
            _ => 0,
        }
    }
}

#[derive(Debug)]
enum InFlight {
    Call {
        id: CallId,
        expected: Expected,
        flush: Option<Tag>,
    },
    /// Answered, but its Tflush is not: the tag is not free yet.
    Replied,
    Flush {
        target: Tag,
    },
}

/// What a reply with some tag means.
#[derive(Debug)]
pub(super) enum Answered {
    Call(CallId),
    /// A Rflush: the call it ends without a reply, if it had none.
    Flush(Option<CallId>),
}

#[derive(Debug)]
pub(super) struct Calls {
    in_flight: BTreeMap<Tag, InFlight>,
    tags: BTreeMap<CallId, Tag>,
    free: BTreeSet<Tag>,
    next_tag: u16,
    last_id: u64,
}

impl Calls {
    pub(super) fn new() -> Self {
        Self {
            in_flight: BTreeMap::new(),
            tags: BTreeMap::new(),
            free: BTreeSet::new(),
            next_tag: 0,
            last_id: 0,
        }
    }

    /// Tags in flight, those of Tflush included.
    pub(super) fn len(&self) -> usize {
        self.in_flight.len()
    }

    /// Takes a tag for a call.
    pub(super) fn begin(&mut self, expected: Expected) -> Option<(Tag, CallId)> {
        let tag = self.take_tag()?;
        self.last_id += 1;
        let id = CallId(self.last_id);
        self.in_flight.insert(tag, InFlight::Call { id, expected, flush: None });
        self.tags.insert(id, tag);
        Some((tag, id))
    }

    /// Takes back a call whose message could not be sent.
    pub(super) fn abort(&mut self, tag: Tag, id: CallId) {
        self.in_flight.remove(&tag);
        self.tags.remove(&id);
        self.free.insert(tag);
    }

    /// Takes a tag for the Tflush of a call, and tells whom to flush; `None` for a call that is over or being cancelled.
    pub(super) fn cancel(&mut self, id: CallId) -> Option<(Tag, Tag)> {
        let target = *self.tags.get(&id)?;
        match self.in_flight.get(&target) {
            Some(InFlight::Call { flush: None, .. }) => {}
            _ => return None,
        }
        let tag = self.take_tag()?;
        if let Some(InFlight::Call { flush, .. }) = self.in_flight.get_mut(&target) {
            *flush = Some(tag);
        }
        self.in_flight.insert(tag, InFlight::Flush { target });
        Some((tag, target))
    }

    /// What would answer the tag: `None` for a Rflush.
    pub(super) fn expected(&self, tag: Tag) -> Option<Option<Expected>> {
        match self.in_flight.get(&tag)? {
            InFlight::Call { expected, .. } => Some(Some(*expected)),
            InFlight::Flush { .. } => Some(None),
            InFlight::Replied => None,
        }
    }

    /// A reply to this tag has come and been checked.
    pub(super) fn answered(&mut self, tag: Tag) -> Option<Answered> {
        match self.in_flight.remove(&tag)? {
            InFlight::Call { id, flush, .. } => {
                self.tags.remove(&id);
                match flush {
                    Some(_) => drop(self.in_flight.insert(tag, InFlight::Replied)),
                    None => drop(self.free.insert(tag)),
                }
                Some(Answered::Call(id))
            }
            InFlight::Flush { target } => {
                self.free.extend([tag, target]);
                match self.in_flight.remove(&target) {
                    Some(InFlight::Call { id, .. }) => {
                        self.tags.remove(&id);
                        Some(Answered::Flush(Some(id)))
                    }
                    _ => Some(Answered::Flush(None)),
                }
            }
            InFlight::Replied => None,
        }
    }

    fn take_tag(&mut self) -> Option<Tag> {
        if let Some(tag) = self.free.pop_first() {
            return Some(tag);
        }
        let tag = Tag(self.next_tag);
        if tag == Tag::NOTAG {
            return None;
        }
        self.next_tag += 1;
        Some(tag)
    }
}
