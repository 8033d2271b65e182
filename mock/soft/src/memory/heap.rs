//! The heap that device-side `malloc` takes from.

use std::collections::BTreeMap;

use super::map::{Access, AccessError, Refusal};

/// First fit; neighbours are joined when freed.
#[derive(Debug)]
pub struct Heap {
    free: BTreeMap<u64, u64>,
    live: BTreeMap<u64, u64>,
}

const ALIGN: u64 = 16;

impl Heap {
    /// All of `bytes` at `start` are free.
    #[must_use]
    pub fn new(start: u64, bytes: u64) -> Self {
        Self { free: BTreeMap::from([(start, bytes)]), live: BTreeMap::new() }
    }

    /// A place for `bytes`, or null.
    pub fn allocate(&mut self, bytes: u64) -> u64 {
        let Some(bytes) = bytes.max(1).checked_next_multiple_of(ALIGN) else { return 0 };
        let Some((start, free)) = self.free.iter().find(|(_, free)| **free >= bytes) else {
            return 0;
        };
        let (start, free) = (*start, *free);
        self.free.remove(&start);
        if free > bytes {
            self.free.insert(start + bytes, free - bytes);
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
        if let Some((before, free)) = self.free.range(..address).next_back()
            && before + free == address
        {
            (start, bytes) = (*before, bytes + free);
        }
        if let Some(after) = self.free.remove(&(start + bytes)) {
            bytes += after;
        }
        self.free.insert(start, bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heap_gives_first_fit_and_joins_neighbours() {
        let mut heap = Heap::new(0x1000, 64);
        let places = [heap.allocate(1), heap.allocate(16), heap.allocate(32)];
        assert_eq!(places, [0x1000, 0x1010, 0x1020]);
        assert_eq!(heap.allocate(1), 0);
        heap.free(0x1000).expect("live");
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
