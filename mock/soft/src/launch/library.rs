//! What a launch keeps for the device's library: printed text in the order of blocks, and the heap.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::job::Halt;
use super::turns::{Place, Turns};
use crate::eval::system::System;
use crate::fault::Cause;
use crate::memory::Heap;

/// What all blocks of a launch share.
#[derive(Debug)]
pub(super) struct Library {
    printed: Mutex<Printed>,
    heap: Mutex<Option<Heap>>,
}

/// Text by block; each block's is cut at the limit, and so is all of it.
#[derive(Debug)]
struct Printed {
    by_unit: BTreeMap<u64, Vec<u8>>,
    limit_bytes: usize,
}

impl Library {
    pub(super) fn new(limit_bytes: usize, heap: Option<Heap>) -> Self {
        let printed = Printed { by_unit: BTreeMap::new(), limit_bytes };
        Self { printed: Mutex::new(printed), heap: Mutex::new(heap) }
    }

    /// The text, in the order of blocks, and the heap.
    pub(super) fn into_parts(self) -> (String, Option<Heap>) {
        let printed = self.printed.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut text: Vec<u8> = printed.by_unit.into_values().flatten().collect();
        text.truncate(printed.limit_bytes);
        let heap = self.heap.into_inner().unwrap_or_else(PoisonError::into_inner);
        (String::from_utf8_lossy(&text).into_owned(), heap)
    }

    fn print(&self, unit: u64, text: &[u8]) -> bool {
        let mut printed = self.printed.lock().unwrap_or_else(PoisonError::into_inner);
        // What earlier blocks have printed stands before this: once that fills the limit, nothing more can be kept.
        let before: usize = printed.by_unit.range(..=unit).map(|(_, text)| text.len()).sum();
        let room = printed.limit_bytes.saturating_sub(before);
        let kept = text.get(..room.min(text.len())).unwrap_or_default();
        printed.by_unit.entry(unit).or_default().extend(kept);
        printed.forget_past_limit();
        room >= text.len()
    }

    fn with_heap<T>(&self, act: impl FnOnce(&mut Heap) -> T) -> Option<T> {
        self.heap.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map(act)
    }
}

impl Printed {
    /// Drops text of late blocks that earlier ones have pushed past the limit.
    fn forget_past_limit(&mut self) {
        let mut total: usize = self.by_unit.values().map(Vec::len).sum();
        while let Some(mut last) = self.by_unit.last_entry() {
            let over = total.saturating_sub(self.limit_bytes);
            if over == 0 {
                break;
            }
            let kept = last.get().len().saturating_sub(over);
            total -= last.get().len() - kept;
            last.get_mut().truncate(kept);
            if kept == 0 {
                last.remove();
            }
        }
    }
}

/// The library as one unit sees it.
pub(super) struct Desk<'a> {
    pub(super) library: &'a Library,
    pub(super) turns: &'a Turns,
    pub(super) stop: &'a (dyn Fn() -> bool + Sync),
    /// The unit's index.
    pub(super) unit: u64,
    /// Its place in the order.
    pub(super) place: Place,
}

impl System for Desk<'_> {
    fn print(&mut self, text: &[u8]) -> bool {
        self.library.print(self.unit, text)
    }

    fn turn(&mut self) -> Result<(), Halt> {
        if self.turns.wait(self.place, self.stop) { Ok(()) } else { Err(Halt::Stopped) }
    }

    fn allocate(&mut self, bytes: u64) -> u64 {
        self.library.with_heap(|heap| heap.allocate(bytes)).unwrap_or(0)
    }

    fn free(&mut self, address: u64) -> Result<(), Cause> {
        match self.library.with_heap(|heap| heap.free(address)) {
            Some(Err(error)) => Err(error.into()),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stands_in_the_order_of_blocks_and_is_cut_at_the_limit() {
        let library = Library::new(5, None);
        assert!(library.print(1, b"cd"));
        assert!(library.print(0, b"ab"));
        assert!(!library.print(1, b"efg"));
        assert!(!library.print(2, b"h"));
        assert_eq!(library.into_parts().0, "abcde");
    }

    #[test]
    fn an_early_block_pushes_late_text_out() {
        let library = Library::new(4, None);
        assert!(library.print(7, b"late"));
        assert!(library.print(1, b"abc"));
        assert_eq!(library.into_parts().0, "abcl");
    }
}
