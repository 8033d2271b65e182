//! What a session remembers of its last messages, for the one log line that a violation leaves behind.
//!
//! Keeps numbers only, never text: names, tickets and data do not belong in a log.

use alloc::{string::String, vec::Vec};
use core::fmt::{self, Write as _};

use crate::{errno::Errno, ids::Tag, limits::GLIMPSES_MAX, message, wire::frames::Frame};

/// The outside of one message.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Glimpse {
    size: u32,
    kind: u8,
    tag: u16,
    /// The first word of the body: in most T-messages the fid.
    word: Option<u32>,
}

impl Glimpse {
    pub(crate) fn of(frame: &Frame<'_>) -> Self {
        Self {
            size: u32::try_from(frame.size()).unwrap_or(u32::MAX),
            kind: frame.kind,
            tag: frame.tag.0,
            word: frame.body.first_chunk().map(|word| u32::from_le_bytes(*word)),
        }
    }

    /// Of a frame that we have made ourselves.
    pub(crate) fn of_own(bytes: &[u8]) -> Self {
        Frame::parse(bytes).map(|frame| Self::of(&frame)).unwrap_or_default()
    }
}

const TVERSION: u8 = 100;
const RLERROR: u8 = 7;

impl fmt::Display for Glimpse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} tag {}", message::name_of(self.kind), Tag(self.tag))?;
        match (self.kind, self.word) {
            (TVERSION, Some(msize)) => write!(f, " msize {msize}")?,
            (RLERROR, Some(ecode)) => write!(f, " ecode {}", Errno(ecode))?,
            (kind, Some(fid)) if kind.is_multiple_of(2) => write!(f, " fid {fid}")?,
            _ => {}
        }
        write!(f, " size {}", self.size)
    }
}

/// The last few messages in either direction, oldest forgotten first.
#[derive(Debug, Default)]
pub(crate) struct Glimpses {
    ring: [Glimpse; GLIMPSES_MAX],
    seen: usize,
}

impl Glimpses {
    pub(crate) fn note(&mut self, glimpse: Glimpse) {
        if let Some(place) = self.ring.get_mut(self.seen % GLIMPSES_MAX) {
            *place = glimpse;
        }
        self.seen = self.seen.wrapping_add(1);
    }

    /// Oldest first, one after the other.
    pub(crate) fn line(&self) -> String {
        let known = self.seen.min(GLIMPSES_MAX);
        let places = (self.seen - known..self.seen).map(|seen| seen % GLIMPSES_MAX);
        let glimpses: Vec<_> = places.filter_map(|place| self.ring.get(place)).collect();
        let mut line = String::new();
        for glimpse in glimpses {
            let gap = if line.is_empty() { "" } else { "; " };
            let _ = write!(line, "{gap}{glimpse}");
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_shows_the_last_eight_messages_and_no_text() {
        let mut glimpses = Glimpses::default();
        for tag in 0..10 {
            let bytes = [11, 0, 0, 0, 120, tag, 0, 9, 0, 0, 0];
            glimpses.note(Glimpse::of_own(&bytes));
        }
        let line = glimpses.line();
        assert!(
            line.starts_with("Tclunk tag 2 fid 9 size 11; Tclunk tag 3 fid 9 size 11; "),
            "{line}"
        );
        assert!(line.ends_with("Tclunk tag 9 fid 9 size 11"), "{line}");
        assert_eq!(line.matches("Tclunk").count(), 8);
    }
}
