//! The heap that device-side `malloc` takes from.

use std::collections::{BTreeMap, BTreeSet};

use super::map::{Access, AccessError, Refusal};

/// Best fit; neighbours are joined when freed. No call takes longer because there are many places: a kernel may make half a million.
#[derive(Debug, Default)]
pub struct Heap {
    /// Free places by address.
    free: BTreeMap<u64, u64>,
    /// The same by size, then address.
    sizes: BTreeSet<(u64, u64)>,
    live: BTreeMap<u64, u64>,
}

const ALIGN: u64 = 16;

impl Heap {
    /// All of `bytes` at `start` are free.
    #[must_use]
    pub fn new(start: u64, bytes: u64) -> Self {
        let mut heap = Self::default();
        heap.put(start, bytes);
        heap
    }

    fn put(&mut self, start: u64, bytes: u64) {
        self.free.insert(start, bytes);
        self.sizes.insert((bytes, start));
    }

    fn take(&mut self, start: u64) -> Option<u64> {
        let bytes = self.free.remove(&start)?;
        self.sizes.remove(&(bytes, start));
        Some(bytes)
    }

    /// A place for `bytes`, or null.
    pub fn allocate(&mut self, bytes: u64) -> u64 {
        let Some(bytes) = bytes.max(1).checked_next_multiple_of(ALIGN) else { return 0 };
        let Some((free, start)) = self.sizes.range((bytes, 0)..).next().copied() else { return 0 };
        self.take(start);
        if free > bytes {
            self.put(start + bytes, free - bytes);
        }
        self.live.insert(start, bytes);
        start
    }

    /// Gives a place back.
    ///
    /// # Errors
    /// For an address that is not the start of a live one.
    pub fn free(&mut self, address: u64) -> Result<(), AccessError> {
        let Some(mut bytes) = self.live.remove(&address) else {
            let reason = Refusal::NotFromHeap;
            return Err(AccessError { access: Access::Free, bytes: 0, address, reason });
        };
        let mut start = address;
        if let Some(after) = self.take(address + bytes) {
            bytes += after;
        }
        if let Some((before, free)) = self.free.range(..address).next_back().map(|(b, f)| (*b, *f))
            && before + free == address
        {
            self.take(before);
            (start, bytes) = (before, bytes + free);
        }
        self.put(start, bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heap_gives_the_best_fit_and_joins_neighbours() {
        let mut heap = Heap::new(0x1000, 64);
        let places = [heap.allocate(1), heap.allocate(16), heap.allocate(32)];
        assert_eq!(places, [0x1000, 0x1010, 0x1020]);
        assert_eq!(heap.allocate(1), 0);
        heap.free(0x1000).expect("live");
        heap.free(0x1020).expect("live");
        assert_eq!(heap.allocate(17), 0x1020, "the smallest place that is large enough");
        heap.free(0x1020).expect("live");
        heap.free(0x1010).expect("live");
        assert_eq!(heap.allocate(64), 0x1000);
        assert_eq!(heap.allocate(u64::MAX), 0);
    }

    #[test]
    fn what_the_heap_did_not_give_it_does_not_take() {
        let mut heap = Heap::new(0x1000, 64);
        let text = heap.free(0x1008).expect_err("never given").to_string();
        assert_eq!(text, "free of 0x1008: not the start of a live heap allocation");
    }
}
