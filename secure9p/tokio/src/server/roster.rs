//! Who is connected: admits peers within the limits, and reaches them all when the server ends.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use secure9p::Errno;
use tokio::{sync::Notify, time::Instant};

use crate::{
    limits::{Limits, REST_AFTER},
    peer::Party,
    server::{service::ConnectRefused, tally::Tally, wake::Wake},
};

/// Every connection of one `serve`.
#[derive(Debug)]
pub(crate) struct Roster {
    limits: Limits,
    tally: Arc<Tally>,
    entries: Mutex<Entries>,
    emptied: Notify,
}

#[derive(Debug, Default)]
struct Entries {
    next: u64,
    wakes: BTreeMap<u64, Wake>,
    parties: BTreeMap<Party, usize>,
    draining: bool,
    looked_at: Option<Instant>,
}

/// A connection's place on the roster; dropping it leaves.
#[derive(Debug)]
pub(crate) struct Place {
    roster: Arc<Roster>,
    number: u64,
    party: Party,
    wake: Wake,
}

impl Roster {
    pub(crate) fn new(limits: Limits, tally: Arc<Tally>) -> Arc<Self> {
        Arc::new(Self { limits, tally, entries: Mutex::default(), emptied: Notify::new() })
    }

    pub(crate) fn tally(&self) -> &Tally {
        &self.tally
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Gives the party one more place, or says which limit stands in the way.
    pub(crate) fn admit(self: &Arc<Self>, party: Party) -> Result<Place, ConnectRefused> {
        let mut entries = self.entries();
        entries.look_around(Instant::now());
        let of_party = entries.parties.get(&party).copied().unwrap_or(0);
        self.check(&entries, party, of_party).inspect_err(|_| self.tally.refused())?;
        self.tally.accepted();
        entries.parties.insert(party, of_party + 1);
        let (number, wake) = (entries.next, Wake::new());
        entries.next += 1;
        entries.wakes.insert(number, wake.clone());
        Ok(Place { roster: Arc::clone(self), number, party, wake })
    }

    fn check(
        &self,
        entries: &Entries,
        party: Party,
        of_party: usize,
    ) -> Result<(), ConnectRefused> {
        let why = if entries.draining {
            "the server is shutting down".to_owned()
        } else if entries.wakes.len() >= self.limits.connections_max {
            let open = entries.wakes.len();
            format!(
                "{open} connections are open, the most this server takes; close one, or try again later"
            )
        } else if of_party >= self.limits.connections_per_peer_max {
            format!(
                "{party} has {of_party} connections open, the most one peer may have; close one"
            )
        } else {
            return Ok(());
        };
        Err(ConnectRefused { errno: Errno::EAGAIN, why })
    }

    /// Lets every connection answer what it owes, and admits no more.
    pub(crate) fn drain(&self) {
        let mut entries = self.entries();
        entries.draining = true;
        entries.wakes.values().for_each(Wake::drain);
    }

    /// Closes every connection, and admits no more.
    pub(crate) fn close(&self, why: &str) {
        let mut entries = self.entries();
        entries.draining = true;
        entries.wakes.values().for_each(|wake| wake.close(why));
    }

    /// Once nobody is left.
    pub(crate) async fn emptied(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.entries().wakes.is_empty() {
                return;
            }
            emptied.await;
        }
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    /// Looks at every connection, if that was long ago: one that has been still gives back memory. Done when somebody comes, who will
    /// need some, and not by a timer: a runtime that has one to watch reads the clock at every message.
    fn look_around(&mut self, now: Instant) {
        if self.looked_at.is_none_or(|looked_at| now >= looked_at + REST_AFTER) {
            self.looked_at = Some(now);
            self.wakes.values().for_each(Wake::look);
        }
    }
}

impl Place {
    pub(crate) fn wake(&self) -> &Wake {
        &self.wake
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.roster.limits
    }

    pub(crate) fn tally(&self) -> &Tally {
        &self.roster.tally
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.tally().gone();
        let mut entries = self.roster.entries();
        entries.wakes.remove(&self.number);
        if let Some(count) = entries.parties.get_mut(&self.party) {
            *count -= 1;
            if *count == 0 {
                entries.parties.remove(&self.party);
            }
        }
        if entries.wakes.is_empty() {
            self.roster.emptied.notify_waiters();
        }
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(address) if address.is_ipv6() => write!(f, "{address}/64"),
            Self::Network(address) => write!(f, "{address}"),
            Self::Uid(uid) => write!(f, "uid {uid}"),
            Self::Unknown => f.write_str("the peer"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roster(connections_max: usize, connections_per_peer_max: usize) -> Arc<Roster> {
        let limits = Limits { connections_max, connections_per_peer_max, ..Limits::default() };
        Roster::new(limits, Arc::default())
    }

    fn refusal(roster: &Arc<Roster>, party: Party) -> String {
        roster.admit(party).unwrap_err().why
    }

    #[test]
    fn one_party_cannot_take_every_place() {
        let roster = roster(3, 2);
        let (greedy, other) = (Party::Network("10.0.0.1".parse().unwrap()), Party::Uid(7));
        let places = [roster.admit(greedy).unwrap(), roster.admit(greedy).unwrap()];
        assert_eq!(
            refusal(&roster, greedy),
            "10.0.0.1 has 2 connections open, the most one peer may have; close one"
        );
        let _third = roster.admit(other).unwrap();
        assert_eq!(
            refusal(&roster, other),
            "3 connections are open, the most this server takes; close one, or try again later"
        );
        drop(places);
        assert!(roster.admit(greedy).is_ok());
        let tallied = roster.tally().read();
        assert_eq!((tallied.accepted, tallied.connected, tallied.refused), (4, 1, 2));
    }

    #[test]
    fn a_draining_server_admits_nobody_and_is_done_when_the_last_has_left() {
        let roster = roster(3, 3);
        let place = roster.admit(Party::Uid(7)).unwrap();
        roster.drain();
        assert!(place.wake().answer().drain);
        assert_eq!(refusal(&roster, Party::Uid(7)), "the server is shutting down");
        let mut emptied = Box::pin(roster.emptied());
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(emptied.as_mut().poll(&mut cx).is_pending());
        drop(place);
        assert!(emptied.as_mut().poll(&mut cx).is_ready());
    }
}
