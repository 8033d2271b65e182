//! What a launch keeps for the device's library: printed text, and the heap's key.

use crate::eval::system::System;
use crate::fault::Cause;
use crate::memory::Heap;

/// Text printed by one launch or block, cut at a limit.
#[derive(Debug)]
pub(super) struct Printed {
    text: Vec<u8>,
    limit_bytes: usize,
}

impl Printed {
    pub(super) const fn new(limit_bytes: usize) -> Self {
        Self { text: Vec::new(), limit_bytes }
    }

    fn print(&mut self, text: &[u8]) -> bool {
        let room = self.limit_bytes - self.text.len();
        self.text.extend(text.get(..room.min(text.len())).unwrap_or_default());
        room >= text.len()
    }

    pub(super) fn into_text(self) -> String {
        String::from_utf8_lossy(&self.text).into_owned()
    }
}

/// Both, as a block sees them.
#[derive(Debug)]
pub(super) struct Library<'a> {
    pub(super) printed: Printed,
    pub(super) heap: Option<&'a mut Heap>,
}

impl System for Library<'_> {
    fn print(&mut self, text: &[u8]) -> bool {
        self.printed.print(text)
    }

    fn allocate(&mut self, bytes: u64) -> u64 {
        self.heap.as_mut().map_or(0, |heap| heap.allocate(bytes))
    }

    fn free(&mut self, address: u64) -> Result<(), Cause> {
        match &mut self.heap {
            Some(heap) => Ok(heap.free(address)?),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printed_text_is_cut_at_its_limit() {
        let mut printed = Printed::new(5);
        assert!(printed.print(b"abc"));
        assert!(!printed.print(b"def"));
        assert!(!printed.print(b"g"));
        assert_eq!(printed.into_text(), "abcde");
    }
}
