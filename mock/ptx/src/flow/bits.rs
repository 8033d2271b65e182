//! Rows of bits, one per block.

/// A table of `rows` × `width` bits.
#[derive(Debug, Clone)]
pub(super) struct BitTable {
    words: Vec<u64>,
    row_words: usize,
}

impl BitTable {
    pub(super) fn new(rows: usize, width: usize) -> Self {
        let row_words = Self::row_words(width);
        Self { words: vec![0; rows * row_words], row_words }
    }

    /// Words that one row of this width takes.
    pub(super) const fn row_words(width: usize) -> usize {
        width.div_ceil(64)
    }

    pub(super) fn row(&self, row: usize) -> &[u64] {
        &self.words[row * self.row_words..(row + 1) * self.row_words]
    }

    pub(super) fn row_mut(&mut self, row: usize) -> &mut [u64] {
        &mut self.words[row * self.row_words..(row + 1) * self.row_words]
    }

    pub(super) fn set(&mut self, row: usize, bit: usize) {
        self.row_mut(row)[bit / 64] |= 1 << (bit % 64);
    }

    pub(super) fn has(&self, row: usize, bit: usize) -> bool {
        self.row(row)[bit / 64] >> (bit % 64) & 1 == 1
    }

    /// The bits that are set in a row.
    pub(super) fn bits(&self, row: usize) -> impl Iterator<Item = usize> + '_ {
        self.row(row).iter().enumerate().flat_map(|(index, word)| {
            let mut left = *word;
            core::iter::from_fn(move || {
                (left != 0).then(|| {
                    let bit = left.trailing_zeros() as usize;
                    left &= left - 1;
                    index * 64 + bit
                })
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_do_not_touch_each_other() {
        let mut table = BitTable::new(3, 70);
        table.set(1, 0);
        table.set(1, 69);
        table.set(2, 63);
        assert_eq!(table.bits(0).count(), 0);
        assert_eq!(table.bits(1).collect::<Vec<_>>(), [0, 69]);
        assert!(table.has(2, 63) && !table.has(2, 62));
    }
}
