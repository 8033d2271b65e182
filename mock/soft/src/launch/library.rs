//! What a launch keeps for the device's library: printed text in the order of blocks, and the heap.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::job::Halt;
use super::turns::Turns;
use crate::eval::system::System;
use crate::fault::Cause;
use crate::memory::Heap;

/// What all blocks of a launch share.
#[derive(Debug)]
pub(super) struct Library {
    printed: Mutex<Printed>,
    heap: Mutex<Heap>,
}

/// Text by block, and how much of it; all of it together is cut at the limit.
#[derive(Debug)]
struct Printed {
    by_unit: BTreeMap<u64, Vec<u8>>,
    bytes: usize,
    limit_bytes: usize,
}

impl Library {
    pub(super) fn new(limit_bytes: usize, heap: Heap) -> Self {
        let printed = Printed { by_unit: BTreeMap::new(), bytes: 0, limit_bytes };
        Self { printed: Mutex::new(printed), heap: Mutex::new(heap) }
    }

    /// The text of units up to `last`, in the order of blocks.
    pub(super) fn into_text(self, last: u64) -> String {
        let printed = self.printed.into_inner().unwrap_or_else(PoisonError::into_inner);
        let units = printed.by_unit.into_iter().take_while(|(unit, _)| *unit <= last);
        let text: Vec<u8> = units.flat_map(|(_, text)| text).collect();
        String::from_utf8_lossy(&text).into_owned()
    }

    fn heap(&self) -> MutexGuard<'_, Heap> {
        self.heap.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Printed {
    /// Keeps a unit's text as far as there is room; whether all of it is kept now. What earlier units print pushes out what later
    /// ones have: each byte comes once and goes once, so that a flood costs no more than its text.
    fn add(&mut self, unit: u64, text: &[u8]) -> bool {
        let last = self.by_unit.last_key_value().map(|(unit, _)| *unit);
        if self.bytes == self.limit_bytes && last.is_none_or(|last| last <= unit) {
            return text.is_empty();
        }
        self.by_unit.entry(unit).or_default().extend(text);
        self.bytes += text.len();
        let mut whole = true;
        while let Some(mut last) = self.by_unit.last_entry() {
            let over = self.bytes - self.bytes.min(self.limit_bytes);
            if over == 0 {
                break;
            }
            whole &= *last.key() != unit;
            let kept = last.get().len().saturating_sub(over);
            self.bytes -= last.get().len() - kept;
            last.get_mut().truncate(kept);
            if kept == 0 {
                last.remove();
            }
        }
        whole
    }
}

/// The library as one unit sees it.
pub(super) struct Desk<'a, R> {
    pub(super) library: &'a Library,
    pub(super) turns: &'a Turns<R>,
    pub(super) ends: &'a dyn Fn() -> bool,
    /// The unit's index.
    pub(super) unit: u64,
}

impl<R> System for Desk<'_, R> {
    fn ends(&self) -> bool {
        (self.ends)()
    }

    fn print(&mut self, text: &[u8]) -> bool {
        let printed = &self.library.printed;
        printed.lock().unwrap_or_else(PoisonError::into_inner).add(self.unit, text)
    }

    fn turn(&mut self) -> Result<(), Halt> {
        if self.turns.wait(self.unit, self.ends) { Ok(()) } else { Err(Halt::Stopped) }
    }

    fn allocate(&mut self, bytes: u64) -> u64 {
        self.library.heap().allocate(bytes)
    }

    fn free(&mut self, address: u64) -> Result<(), Cause> {
        Ok(self.library.heap().free(address)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(limit_bytes: usize) -> Printed {
        Printed { by_unit: BTreeMap::new(), bytes: 0, limit_bytes }
    }

    fn text(printed: Printed, last: u64) -> String {
        Library { printed: Mutex::new(printed), heap: Mutex::default() }.into_text(last)
    }

    #[test]
    fn text_stands_in_the_order_of_blocks_and_is_cut_at_the_limit() {
        let mut printed = printed(5);
        assert!(printed.add(1, b"cd"));
        assert!(printed.add(0, b"ab"));
        assert!(!printed.add(1, b"efg"));
        assert!(!printed.add(2, b"h"));
        assert_eq!(text(printed, u64::MAX), "abcde");
    }

    #[test]
    fn an_early_block_pushes_late_text_out() {
        let mut printed = printed(4);
        assert!(printed.add(7, b"late"));
        assert!(printed.add(1, b"abc"));
        assert!(printed.add(2, b""));
        assert_eq!(text(printed, u64::MAX), "abcl");
    }

    #[test]
    fn what_blocks_behind_a_failed_one_printed_is_not_told() {
        let mut printed = printed(100);
        assert!(
            [(0, "a"), (3, "d"), (1, "b")].iter().all(|(unit, t)| printed.add(*unit, t.as_bytes()))
        );
        assert_eq!(text(printed, 1), "ab");
    }
}
