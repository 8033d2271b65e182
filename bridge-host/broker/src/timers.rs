//! What is due when, on the two clocks. Each thing has at most one timer; setting it anew replaces it.

use alloc::collections::{BTreeMap, BTreeSet};

use ninedoor_abi::{LeaseId, MonoUs, Now, UnixMs};

use crate::JobNumber;

/// Whose timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// A lease's deadline, by the wall.
    Lease(LeaseId),
    /// A job's: what is due depends on where it stands.
    Job(JobNumber),
    /// A lease's executor's: likewise.
    Executor(LeaseId),
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Timers {
    wall: Due<UnixMs>,
    mono: Due<MonoUs>,
}

impl Timers {
    pub(crate) fn set_wall(&mut self, timer: Timer, at: UnixMs) {
        self.wall.set(timer, at);
    }

    pub(crate) fn set_mono(&mut self, timer: Timer, at: MonoUs) {
        self.mono.set(timer, at);
    }

    pub(crate) fn clear(&mut self, timer: Timer) {
        self.wall.clear(timer);
        self.mono.clear(timer);
    }

    /// Takes the timer that is due first, if one is due.
    pub(crate) fn pop_due(&mut self, now: Now) -> Option<Timer> {
        self.wall.pop_due(now.unix_ms).or_else(|| self.mono.pop_due(now.mono_us))
    }

    /// When the next one is due, by the monotonic clock.
    pub(crate) fn next(&self, now: Now) -> Option<MonoUs> {
        let wall = self.wall.first().map(|at| now.mono_at(at));
        [wall, self.mono.first()].into_iter().flatten().min()
    }
}

#[derive(Debug, Clone)]
struct Due<T> {
    order: BTreeSet<(T, Timer)>,
    at: BTreeMap<Timer, T>,
}

impl<T> Default for Due<T> {
    fn default() -> Self {
        Self { order: BTreeSet::new(), at: BTreeMap::new() }
    }
}

impl<T: Copy + Ord> Due<T> {
    fn set(&mut self, timer: Timer, at: T) {
        if let Some(before) = self.at.insert(timer, at) {
            self.order.remove(&(before, timer));
        }
        self.order.insert((at, timer));
    }

    fn clear(&mut self, timer: Timer) {
        if let Some(at) = self.at.remove(&timer) {
            self.order.remove(&(at, timer));
        }
    }

    fn first(&self) -> Option<T> {
        self.order.first().map(|&(at, _)| at)
    }

    fn pop_due(&mut self, now: T) -> Option<Timer> {
        let &(at, timer) = self.order.first().filter(|(at, _)| *at <= now)?;
        self.order.remove(&(at, timer));
        self.at.remove(&timer);
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(unix_ms: u64, mono_us: u64) -> Now {
        Now { unix_ms: UnixMs(unix_ms), mono_us: MonoUs(mono_us) }
    }

    #[test]
    fn timer_set_anew_is_due_only_then() {
        let mut timers = Timers::default();
        timers.set_mono(Timer::Job(JobNumber(1)), MonoUs(5));
        timers.set_mono(Timer::Job(JobNumber(1)), MonoUs(9));
        assert_eq!(timers.pop_due(now(0, 8)), None);
        assert_eq!(timers.pop_due(now(0, 9)), Some(Timer::Job(JobNumber(1))));
        assert_eq!(timers.pop_due(now(0, 9)), None);
    }

    #[test]
    fn next_is_the_earlier_of_both_clocks() {
        let mut timers = Timers::default();
        assert_eq!(timers.next(now(0, 0)), None);
        timers.set_wall(Timer::Lease(LeaseId(1)), UnixMs(1_010));
        timers.set_mono(Timer::Job(JobNumber(1)), MonoUs(20_000));
        assert_eq!(timers.next(now(1_000, 500)), Some(MonoUs(10_500)));
        timers.clear(Timer::Lease(LeaseId(1)));
        assert_eq!(timers.next(now(1_000, 500)), Some(MonoUs(20_000)));
    }
}
