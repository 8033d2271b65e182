//! The tags in flight, and who waits for whom to be flushed (flush(5)).
//!
//! Knows nothing of what the requests ask.

use alloc::{collections::BTreeMap, vec::Vec};

use super::owed::OwedId;
use crate::ids::Tag;

#[derive(Debug)]
enum InFlight {
    Request(Request),
    /// A Tflush that waits until the request `target` is answered.
    Flush {
        target: Tag,
    },
}

#[derive(Debug)]
struct Request {
    id: OwedId,
    stage: Stage,
    /// Tflush that wait for the answer, in the order in which they came.
    flushes: Vec<Tag>,
}

/// How far a request has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It waits for its turn.
    Queued,
    /// The tree has it; whether it only looks.
    Asked { only_looks: bool },
}

/// What a Tflush finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flushed {
    /// Nothing to wait for: answered already, never there, or its own tag.
    Nothing,
    /// A request the tree has not seen: it is gone now.
    Unasked(OwedId),
    /// A request that only looks: its tag is free now, its answer will be dropped.
    Abandoned(OwedId),
    /// A request that may change something: the Tflush waits for its answer.
    Waits(OwedId),
}

#[derive(Debug, Default)]
pub(super) struct Tags {
    in_flight: BTreeMap<Tag, InFlight>,
    flushes: usize,
    /// Requests whose tag is free again and that the tree still works on.
    abandoned: usize,
}

impl Tags {
    pub(super) const ENTRY_BYTES: usize = 2 * (size_of::<Tag>() + size_of::<InFlight>());

    pub(super) fn contains(&self, tag: Tag) -> bool {
        self.in_flight.contains_key(&tag)
    }

    /// Requests in flight, abandoned ones included.
    pub(super) fn requests(&self) -> usize {
        self.in_flight.len() - self.flushes + self.abandoned
    }

    /// Tflush that wait.
    pub(super) fn flushes(&self) -> usize {
        self.flushes
    }

    pub(super) fn len(&self) -> usize {
        self.in_flight.len()
    }

    pub(super) fn queue(&mut self, tag: Tag, id: OwedId) {
        let request = Request { id, stage: Stage::Queued, flushes: Vec::new() };
        self.in_flight.insert(tag, InFlight::Request(request));
    }

    /// The tree has the request now.
    pub(super) fn asked(&mut self, tag: Tag, only_looks: bool) {
        if let Some(InFlight::Request(request)) = self.in_flight.get_mut(&tag) {
            request.stage = Stage::Asked { only_looks };
        }
    }

    /// The answer has come: the Tflush that waited for it, or `None` if nobody wants it any more.
    pub(super) fn answered(&mut self, tag: Tag, id: OwedId) -> Option<Vec<Tag>> {
        match self.in_flight.get(&tag) {
            Some(InFlight::Request(request)) if request.id == id => {}
            _ => {
                self.abandoned -= 1;
                return None;
            }
        }
        let Some(InFlight::Request(request)) = self.in_flight.remove(&tag) else { return None };
        for flush in &request.flushes {
            self.flushes -= usize::from(self.in_flight.remove(flush).is_some());
        }
        Some(request.flushes)
    }

    /// A Tflush of `oldtag` with the tag `tag`.
    pub(super) fn flush(&mut self, tag: Tag, oldtag: Tag) -> Flushed {
        let target = match self.in_flight.get(&oldtag) {
            Some(InFlight::Flush { target }) => *target, // a flush of a flush is answered after it
            Some(InFlight::Request(_)) => oldtag,
            None => return Flushed::Nothing,
        };
        let Some(InFlight::Request(request)) = self.in_flight.get_mut(&target) else {
            return Flushed::Nothing;
        };
        let id = request.id;
        match request.stage {
            Stage::Queued => {
                self.in_flight.remove(&target);
                Flushed::Unasked(id)
            }
            Stage::Asked { only_looks: true } => {
                self.in_flight.remove(&target);
                self.abandoned += 1;
                Flushed::Abandoned(id)
            }
            Stage::Asked { only_looks: false } => {
                request.flushes.push(tag);
                self.in_flight.insert(tag, InFlight::Flush { target });
                self.flushes += 1;
                Flushed::Waits(id)
            }
        }
    }

    /// Frees every tag, and tells which requests the tree still works on.
    pub(super) fn abandon_all(&mut self) -> Vec<OwedId> {
        let in_flight = core::mem::take(&mut self.in_flight);
        self.flushes = 0;
        let asked: Vec<_> = in_flight
            .into_values()
            .filter_map(|entry| match entry {
                InFlight::Request(Request { id, stage: Stage::Asked { .. }, .. }) => Some(id),
                InFlight::Request(_) | InFlight::Flush { .. } => None,
            })
            .collect();
        self.abandoned += asked.len();
        asked
    }

    /// Whether the request is one that nobody waits for, or whose flush waits.
    pub(super) fn is_flushed(&self, tag: Tag, id: OwedId) -> bool {
        match self.in_flight.get(&tag) {
            Some(InFlight::Request(request)) if request.id == id => !request.flushes.is_empty(),
            _ => true,
        }
    }
}
