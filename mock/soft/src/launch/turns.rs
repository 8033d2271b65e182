//! Whose turn it is among units that run at once.
//!
//! ```text
//! round:   those that stepped back in the last one, then new ones, so many together; each has one turn, in this order
//!
//!   waiting ──▶ running ── ordered step ──▶ waits until all before it in the round are over ──▶ goes on
//!                  │  └──── used up its loops ──▶ steps back, into the next round
//!                  └─────── ended: one more new unit in the next round
//! ```
//! The next round begins when all turns of this one are over. So who has a turn in which round depends on what the units do, and not
//! on the number of threads; and a unit that spins for another one steps back, so that the other can come.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The turns of all units of a launch. `R` is what a unit is between two turns.
#[derive(Debug)]
pub(super) struct Turns<R> {
    state: Mutex<State<R>>,
    changed: Condvar,
    /// The first of those that run, to be looked at without the lock.
    first: AtomicU64,
    units: u64,
    /// Units of one round.
    round: u64,
}

#[derive(Debug)]
struct State<R> {
    /// Of this round, in order, before those that are new.
    back: VecDeque<(u64, R)>,
    /// New ones of this round.
    new: Range<u64>,
    /// In order; few at a time.
    running: Vec<u64>,
    /// Of the next round.
    later: BTreeMap<u64, R>,
    ended: bool,
    /// Threads that wait here for others.
    waiting: u32,
}

/// How long a waiting thread sleeps before it asks again whether the launch shall end.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// How often a waiting thread looks before it sleeps: for some microseconds, about what falling asleep and being woken take.
const LOOKS: u32 = 1000;

/// No unit.
const NOBODY: u64 = u64::MAX;

impl<R> Turns<R> {
    /// For so many units, up to `round` of them begun and not ended.
    pub(super) fn new(units: u64, round: u64) -> Self {
        let state = State {
            back: VecDeque::new(),
            new: 0..units.min(round),
            running: Vec::new(),
            later: BTreeMap::new(),
            ended: false,
            waiting: 0,
        };
        let first = AtomicU64::new(NOBODY);
        Self { state: Mutex::new(state), changed: Condvar::new(), first, units, round }
    }

    fn lock(&self) -> MutexGuard<'_, State<R>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next turn: a unit, and what it was at the end of its last one. None where all have ended, or the launch ends.
    pub(super) fn begin(&self) -> Option<(u64, Option<R>)> {
        let mut state = self.lock();
        loop {
            if state.ended {
                return None;
            }
            let next = match state.back.pop_front() {
                Some((unit, left)) => Some((unit, Some(left))),
                None => state.new.next().map(|unit| (unit, None)),
            };
            if let Some((unit, left)) = next {
                state.running.push(unit);
                self.show_first(&state);
                return Some((unit, left));
            }
            if state.running.is_empty() {
                if state.later.is_empty() && state.new.end == self.units {
                    return None;
                }
                self.next_round(&mut state);
            } else {
                state = self.sleep(state);
            }
        }
    }

    fn next_round(&self, state: &mut State<R>) {
        state.back = std::mem::take(&mut state.later).into_iter().collect();
        let room = self.round.saturating_sub(state.back.len() as u64);
        let first = state.new.end;
        state.new = first..self.units.min(first.saturating_add(room));
        self.tell(state);
    }

    /// A unit has ended.
    pub(super) fn finish(&self, unit: u64) {
        self.leave(unit, None);
    }

    /// A unit steps back into the next round.
    pub(super) fn step_back(&self, unit: u64, left: R) {
        self.leave(unit, Some(left));
    }

    fn leave(&self, unit: u64, left: Option<R>) {
        let mut state = self.lock();
        state.running.retain(|running| *running != unit);
        self.show_first(&state);
        state.later.extend(left.map(|left| (unit, left)));
        self.tell(&state);
    }

    /// No turn begins any more.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        state.ended = true;
        self.tell(&state);
    }

    /// Waits until all turns before this unit's are over; false where `ends` says so first.
    pub(super) fn wait(&self, unit: u64, ends: &dyn Fn() -> bool) -> bool {
        self.look_for(unit);
        let mut state = self.lock();
        // units begin in order: who stands first in the list stands first in the round
        while state.running.first() != Some(&unit) {
            if ends() {
                return false;
            }
            state = self.sleep(state);
        }
        true
    }

    fn show_first(&self, state: &State<R>) {
        self.first.store(state.running.first().copied().unwrap_or(NOBODY), Ordering::Relaxed);
    }

    /// Looks for a while whether this unit's turn comes.
    fn look_for(&self, unit: u64) {
        for _ in 0..LOOKS {
            if self.first.load(Ordering::Relaxed) == unit {
                return;
            }
            std::hint::spin_loop();
        }
    }

    fn sleep<'s>(&self, mut state: MutexGuard<'s, State<R>>) -> MutexGuard<'s, State<R>> {
        state.waiting += 1;
        let waited = self.changed.wait_timeout(state, ASK_AGAIN);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        state.waiting -= 1;
        state
    }

    /// Wakes those that wait; to wake nobody would cost as much.
    fn tell(&self, state: &State<R>) {
        if state.waiting > 0 {
            self.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_is_those_that_stepped_back_and_then_new_ones() {
        let turns = Turns::new(5, 3);
        assert_eq!([turns.begin(), turns.begin()], [Some((0, None)), Some((1, None))]);
        turns.step_back(1, 'b');
        turns.step_back(0, 'a');
        assert_eq!(turns.begin(), Some((2, None)));
        turns.finish(2);
        let round = [(); 3].map(|()| turns.begin());
        assert_eq!(round, [Some((0, Some('a'))), Some((1, Some('b'))), Some((3, None))]);
        for unit in [0, 1, 3] {
            turns.finish(unit);
        }
        assert_eq!(turns.begin(), Some((4, None)));
        turns.finish(4);
        assert_eq!(turns.begin(), None);
    }

    #[test]
    fn the_first_that_runs_has_the_turn() {
        let turns = Turns::<()>::new(3, 3);
        assert_eq!([turns.begin(), turns.begin()], [Some((0, None)), Some((1, None))]);
        assert!(turns.wait(0, &|| true));
        assert!(!turns.wait(1, &|| true), "0 is not over");
        turns.step_back(0, ());
        assert!(turns.wait(1, &|| true));
    }

    #[test]
    fn a_turn_passes_between_threads_and_so_does_a_round() {
        let turns = Turns::new(2, 2);
        assert_eq!([turns.begin(), turns.begin()], [Some((0, None)), Some((1, None))]);
        let order = Mutex::new(Vec::new());
        let note = |unit: u64| order.lock().expect("no panic").push(unit);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                assert!(turns.wait(1, &|| false));
                note(1);
                turns.finish(1);
                // whoever of the two gets it
                turns.begin().iter().for_each(|(unit, _)| turns.finish(*unit));
            });
            note(0);
            turns.step_back(0, ());
            turns.begin().iter().for_each(|(unit, _)| turns.finish(*unit));
        });
        assert_eq!(*order.lock().expect("no panic"), [0, 1]);
        assert_eq!(turns.begin(), None);
    }

    #[test]
    fn nothing_begins_after_the_end() {
        let turns = Turns::<()>::new(9, 9);
        turns.end();
        assert_eq!(turns.begin(), None);
    }
}
