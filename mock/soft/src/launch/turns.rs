//! Whose turn it is among blocks that run at once.
//!
//! ```text
//!   start ──▶ running ── ordered step ──▶ waits until it is the first of the started ──▶ goes on
//!                │ ▲                        │
//!                │ └── resumed ◀── parked ◀─┤ used up its loops: last in the order from now on
//!                └──────── finished ────────┘ the next one's turn
//! ```
//! Blocks begin in the grid's order, and what depends on the order of blocks happens in it, whatever the number of threads. A block
//! that spins for another one steps back, so that the other can come.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The order of units that have begun and not ended.
#[derive(Debug)]
pub(super) struct Turns {
    state: Mutex<State>,
    changed: Condvar,
    units: u64,
    /// The next unit to begin.
    next: AtomicU64,
    ended: AtomicBool,
    /// Whether anybody waits for a turn: who has begun is not written down where nobody does.
    matters: bool,
}

#[derive(Debug, Default)]
struct State {
    stepped_back: u64,
    started: BTreeSet<u64>,
}

/// A unit's place in the order.
pub(super) type Place = u64;

/// How long a waiting unit sleeps before it asks again whether the launch shall end.
const ASK_AGAIN: Duration = Duration::from_millis(20);

impl Turns {
    /// For so many units; `matters` where one of them may wait.
    pub(super) fn new(units: u64, matters: bool) -> Self {
        Self {
            state: Mutex::default(),
            changed: Condvar::new(),
            units,
            next: AtomicU64::new(0),
            ended: AtomicBool::new(false),
            matters,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next unit to begin; its index is its place. None where all have begun, or the launch ends.
    pub(super) fn start(&self) -> Option<Place> {
        // Taken under the lock where turns matter, so that nobody sees a later unit begin before an earlier one.
        let mut state = self.matters.then(|| self.lock());
        if self.ended.load(Ordering::Relaxed) {
            return None;
        }
        let next = |next: u64| (next < self.units).then_some(next + 1);
        let place = self.next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).ok()?;
        if let Some(state) = &mut state {
            state.started.insert(place);
        }
        Some(place)
    }

    /// A unit has ended.
    pub(super) fn finish(&self, place: Place) {
        if self.matters {
            self.lock().started.remove(&place);
            self.changed.notify_all();
        }
    }

    /// A unit steps back behind all others; its new place.
    pub(super) fn step_back(&self, place: Place) -> Place {
        let mut state = self.lock();
        state.started.remove(&place);
        let place = self.units + state.stepped_back;
        state.stepped_back += 1;
        state.started.insert(place);
        drop(state);
        self.changed.notify_all();
        place
    }

    /// No unit begins any more.
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
        self.changed.notify_all();
    }

    /// Waits until no unit before this one is left; false where `stop` says so first.
    pub(super) fn wait(&self, place: Place, stop: &(dyn Fn() -> bool + Sync)) -> bool {
        let mut state = self.lock();
        while state.started.first() != Some(&place) {
            if stop() {
                return false;
            }
            let waited = self.changed.wait_timeout(state, ASK_AGAIN);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_the_started_has_the_turn() {
        let turns = Turns::new(3, true);
        assert_eq!([turns.start(), turns.start()], [Some(0), Some(1)]);
        assert!(turns.wait(0, &|| true));
        assert!(!turns.wait(1, &|| true), "0 has not ended");
        let back = turns.step_back(0);
        assert_eq!(back, 3);
        assert!(turns.wait(1, &|| true));
        assert_eq!(turns.start(), Some(2));
        turns.finish(1);
        assert!(!turns.wait(back, &|| true), "2 comes before who stepped back");
        turns.finish(2);
        assert!(turns.wait(back, &|| true));
        assert_eq!(turns.start(), None);
    }

    #[test]
    fn a_turn_passes_between_threads() {
        let turns = Turns::new(2, true);
        let (first, second) = (turns.start().expect("0"), turns.start().expect("1"));
        let order = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                assert!(turns.wait(second, &|| false));
                order.lock().expect("no panic").push(second);
            });
            order.lock().expect("no panic").push(first);
            turns.finish(first);
        });
        assert_eq!(*order.lock().expect("no panic"), [0, 1]);
    }

    #[test]
    fn nothing_begins_after_the_end() {
        let turns = Turns::new(9, false);
        turns.end();
        assert_eq!(turns.start(), None);
    }
}
