//! What a transport counts of its peers: how many came, how many were turned away, how their connections ended.
//!
//! For metrics alone: nothing is decided by it. Counters only grow, but for those who are connected now.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::server::conversation::End;

/// Counts over all listeners of one `serve`. Shared with whoever wants to read them.
#[derive(Debug, Default)]
pub struct Tally {
    accepted: AtomicU64,
    refused: AtomicU64,
    handshakes_failed: AtomicU64,
    gone: AtomicU64,
    ends: [AtomicU64; 6],
}

/// A [`Tally`] at one time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tallied {
    /// Peers that have a place now.
    pub connected: u64,
    /// Peers that were given a place.
    pub accepted: u64,
    /// Peers that were turned away by a limit, or by the service.
    pub refused: u64,
    /// Peers that did not pass TLS, or not in time.
    pub handshakes_failed: u64,
    /// How conversations ended: each way and how often.
    pub ends: [(&'static str, u64); 6],
}

/// The words for the ends, in the order of the counters.
const ENDS: [(End, &str); 6] = [
    (End::PeerLeft, "peer_left"),
    (End::Drained, "drained"),
    (End::Violation, "violation"),
    (End::Closed, "closed"),
    (End::Overdue, "overdue"),
    (End::Broken, "broken"),
];

impl Tally {
    /// How it stands.
    #[must_use]
    pub fn read(&self) -> Tallied {
        let gone = count(&self.gone); // first: nobody leaves before coming
        let mut ends = ENDS.map(|(_, word)| (word, 0));
        for (end, counter) in ends.iter_mut().zip(&self.ends) {
            end.1 = count(counter);
        }
        let accepted = count(&self.accepted);
        Tallied {
            connected: accepted.saturating_sub(gone),
            accepted,
            refused: count(&self.refused),
            handshakes_failed: count(&self.handshakes_failed),
            ends,
        }
    }

    pub(crate) fn accepted(&self) {
        one_more(&self.accepted);
    }

    pub(crate) fn gone(&self) {
        one_more(&self.gone);
    }

    pub(crate) fn refused(&self) {
        one_more(&self.refused);
    }

    pub(crate) fn handshake_failed(&self) {
        one_more(&self.handshakes_failed);
    }

    pub(crate) fn ended(&self, how: End) {
        let counters = ENDS.iter().zip(&self.ends);
        counters.filter(|((end, _), _)| *end == how).for_each(|(_, counter)| one_more(counter));
    }
}

fn one_more(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

fn count(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_end_is_counted_under_its_own_word() {
        let tally = Tally::default();
        for (end, _) in ENDS {
            tally.accepted();
            tally.ended(end);
        }
        tally.ended(End::Violation);
        tally.gone();
        let read = tally.read();
        assert_eq!((read.accepted, read.connected), (6, 5));
        assert!(read.ends.contains(&("violation", 2)) && read.ends.contains(&("broken", 1)));
    }
}
