//! Bytes on their way out, and how much of them is gone.
//!
//! Knows nothing of messages.

use alloc::vec::Vec;

use crate::limits::{BUFFER_IDLE_BYTES_MAX, QUIET_ROUNDS_MAX};

/// A transmit buffer: frames are appended at the end, the shell takes from the front.
///
/// Its memory is kept while bulk data flows (a fresh megabyte costs more than the copy into it), and given back when it has run
/// empty a few times without having been needed.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    bytes: Vec<u8>,
    sent_bytes: usize,
    /// How often in a row it ran empty having held next to nothing.
    quiet_rounds: u8,
}

impl Outbox {
    /// What has not been sent yet.
    pub(crate) fn unsent(&self) -> &[u8] {
        self.bytes.get(self.sent_bytes..).unwrap_or_default()
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - self.sent_bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Notes that the first `count` unsent bytes are gone.
    pub(crate) fn sent(&mut self, count: usize) {
        debug_assert!(count <= self.len(), "sent {count} of {} bytes", self.len());
        self.sent_bytes = (self.sent_bytes + count).min(self.bytes.len());
        if self.is_empty() {
            self.ran_empty();
        }
    }

    fn ran_empty(&mut self) {
        let quiet = self.bytes.len() < self.bytes.capacity() / 8;
        self.quiet_rounds = if quiet { self.quiet_rounds.saturating_add(1) } else { 0 };
        self.bytes.clear();
        self.sent_bytes = 0;
        if self.quiet_rounds >= QUIET_ROUNDS_MAX {
            self.shrink();
        }
    }

    /// Gives back what it does not need just now.
    pub(crate) fn shrink(&mut self) {
        self.bytes.shrink_to(BUFFER_IDLE_BYTES_MAX);
        self.quiet_rounds = 0;
    }

    /// The buffer, to append to. What is gone is moved away once it is the larger part, so that each byte moves at most once.
    pub(crate) fn end(&mut self) -> &mut Vec<u8> {
        if self.sent_bytes > self.len() {
            self.bytes.drain(..self.sent_bytes);
            self.sent_bytes = 0;
        }
        &mut self.bytes
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.bytes.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_is_not_sent_again() {
        let mut outbox = Outbox::default();
        outbox.end().extend(b"abcdef");
        outbox.sent(4);
        assert_eq!(outbox.unsent(), b"ef");
        outbox.end().extend(b"gh");
        assert_eq!(outbox.unsent(), b"efgh");
        outbox.sent(4);
        assert!(outbox.is_empty());
    }

    #[test]
    fn a_large_buffer_is_kept_while_it_is_used_and_given_back_when_it_is_not() {
        let mut outbox = Outbox::default();
        let mut round = |bytes: usize| {
            outbox.end().resize(bytes, 0);
            outbox.sent(bytes);
            outbox.memory_bytes()
        };
        assert!((0..10).all(|_| round(1 << 20) == 1 << 20));
        assert!((1..QUIET_ROUNDS_MAX).all(|_| round(11) == 1 << 20));
        assert!(round(11) <= BUFFER_IDLE_BYTES_MAX);
    }
}
