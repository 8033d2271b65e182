//! Choices made by a fuzzer's bytes. When they run out every choice is the first.

use alloc::vec::Vec;

/// Bytes that are used up choice by choice.
#[derive(Debug)]
pub(crate) struct Dice<'a> {
    bytes: &'a [u8],
}

impl<'a> Dice<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let (byte, rest) = self.bytes.split_first().unwrap_or((&0, &[]));
        self.bytes = rest;
        *byte
    }

    /// A number below `count`, which is at most 256 and not 0.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        usize::from(self.byte()) % count
    }

    /// One of several; `None` of none.
    pub(crate) fn pick<T: Copy>(&mut self, choices: &[T]) -> Option<T> {
        if choices.is_empty() {
            return None;
        }
        choices.get(self.below(choices.len())).copied()
    }

    pub(crate) fn bool(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// Up to `count` bytes as they are.
    pub(crate) fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.bytes.split_at(count.min(self.bytes.len()));
        self.bytes = rest;
        taken
    }

    /// A number of any size, the interesting ones more often.
    pub(crate) fn number(&mut self) -> u64 {
        match self.below(5) {
            0 => u64::from(self.byte()),
            1 => u64::MAX,
            2 => 0,
            3 => u64::from(self.byte()) << self.below(57),
            _ => {
                let mut bytes = [0; 8];
                bytes.iter_mut().for_each(|byte| *byte = self.byte());
                u64::from_le_bytes(bytes)
            }
        }
    }

    /// A list of up to `count_max` things.
    pub(crate) fn list<T>(
        &mut self,
        count_max: usize,
        mut one: impl FnMut(&mut Self) -> T,
    ) -> Vec<T> {
        let count = self.below(count_max + 1);
        (0..count).map(|_| one(self)).collect()
    }
}
