//! Sets of lanes: 32 bits for each warp of a block.

use std::ops::Range;

use crate::limits::{UNIT_LANES_MAX, WARP_LANES};

/// Warps of the largest unit.
pub const WARPS_MAX: usize = UNIT_LANES_MAX as usize / WARP_LANES;

/// A set of lanes of one unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mask(pub [u32; WARPS_MAX]);

impl Mask {
    /// No lane.
    pub const EMPTY: Self = Self([0; WARPS_MAX]);

    /// All lanes that there could be.
    pub const EVERY: Self = Self([u32::MAX; WARPS_MAX]);

    /// The first `lanes` lanes.
    #[must_use]
    pub fn first(lanes: usize) -> Self {
        let mut mask = Self::EMPTY;
        let full = (lanes / WARP_LANES).min(WARPS_MAX);
        mask.0[..full].fill(u32::MAX);
        if full < WARPS_MAX {
            mask.0[full] = (1 << (lanes % WARP_LANES)) - 1;
        }
        mask
    }

    /// Whether it has no lane.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().fold(0, |all, word| all | word) == 0
    }

    /// In both.
    #[inline]
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self(std::array::from_fn(|warp| self.0[warp] & other.0[warp]))
    }

    /// In this, not in the other.
    #[inline]
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        Self(std::array::from_fn(|warp| self.0[warp] & !other.0[warp]))
    }

    /// In either.
    #[inline]
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        Self(std::array::from_fn(|warp| self.0[warp] | other.0[warp]))
    }

    /// How many.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    /// Whether it has this lane.
    #[must_use]
    pub const fn has(&self, lane: usize) -> bool {
        self.0[lane / WARP_LANES] >> (lane % WARP_LANES) & 1 == 1
    }

    /// The highest lane.
    #[must_use]
    pub fn highest(&self) -> Option<usize> {
        let warp = self.0.iter().rposition(|word| *word != 0)?;
        Some(warp * WARP_LANES + WARP_LANES - 1 - self.0[warp].leading_zeros() as usize)
    }

    /// Adds a lane.
    pub const fn add(&mut self, lane: usize) {
        self.0[lane / WARP_LANES] |= 1 << (lane % WARP_LANES);
    }

    /// Puts a lane in or out.
    pub const fn set(&mut self, lane: usize, inside: bool) {
        let bit = 1 << (lane % WARP_LANES);
        let word = &mut self.0[lane / WARP_LANES];
        *word = if inside { *word | bit } else { *word & !bit };
    }

    /// The lowest lane.
    #[must_use]
    pub fn lowest(&self) -> Option<usize> {
        let warp = self.0.iter().position(|word| *word != 0)?;
        Some(warp * WARP_LANES + self.0[warp].trailing_zeros() as usize)
    }

    /// Its lanes, in order.
    pub fn lanes(&self) -> impl Iterator<Item = usize> + use<> {
        let words = self.0;
        (0..WARPS_MAX).flat_map(move |warp| {
            let mut word = words[warp];
            std::iter::from_fn(move || {
                let lane = (word != 0).then(|| word.trailing_zeros() as usize)?;
                word &= word - 1;
                Some(warp * WARP_LANES + lane)
            })
        })
    }

    /// The warps that have a lane in it.
    #[must_use]
    pub fn warps(&self) -> Warps {
        // Eight answers at a time are put side by side by one product: a bit for each takes longer.
        const SIDE_BY_SIDE: u64 = 0x0102_0408_1020_4080;
        let mut warps = 0;
        for (words, i) in self.0.chunks_exact(8).zip(0..) {
            let mut answers = [0u8; 8];
            answers.iter_mut().zip(words).for_each(|(answer, word)| *answer = u8::from(*word != 0));
            let answers = u64::from_le_bytes(answers).wrapping_mul(SIDE_BY_SIDE) >> 56;
            warps |= answers << (8 * i);
        }
        Warps(warps)
    }
}

/// A set of warps of one unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Warps(u64);

const _: () = assert!(WARPS_MAX == u64::BITS as usize);

/// To go through so few warps that do nothing is quicker than to begin anew behind them.
const GAP_MAX: u32 = 8;

impl Warps {
    /// The first `count`.
    #[must_use]
    pub const fn first(count: usize) -> Self {
        Self(if count >= WARPS_MAX { u64::MAX } else { (1 << count) - 1 })
    }

    /// From the first to the last.
    #[inline]
    #[must_use]
    pub const fn span(self) -> Range<usize> {
        let end = u64::BITS - self.0.leading_zeros();
        if end == 0 { 0..0 } else { self.0.trailing_zeros() as usize..end as usize }
    }

    /// Runs of warps that cover the set, in order, with short gaps in them.
    #[inline]
    pub fn runs(self) -> impl Iterator<Item = Range<usize>> + use<> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            if left == 0 {
                return None;
            }
            let start = left.trailing_zeros();
            let mut end = start + (left >> start).trailing_ones();
            loop {
                left = if end < u64::BITS { left >> end << end } else { 0 };
                let next = left.trailing_zeros();
                if left == 0 || next - end > GAP_MAX {
                    return Some(start as usize..end as usize);
                }
                end = next + (left >> next).trailing_ones();
            }
        })
    }

    /// One after the other.
    #[inline]
    pub fn each(self) -> impl Iterator<Item = usize> + use<> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let warp = (left != 0).then(|| left.trailing_zeros() as usize)?;
            left &= left - 1;
            Some(warp)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_sets_of_lanes() {
        let mask = Mask::first(70);
        assert_eq!(mask.count(), 70);
        assert_eq!(mask.lanes().collect::<Vec<_>>(), (0..70).collect::<Vec<_>>());
        assert_eq!(mask.warps().span(), 0..3);
        let mut some = Mask::EMPTY;
        some.add(33);
        some.add(69);
        assert_eq!(mask.without(&some).count(), 68);
        assert_eq!((some.lowest(), some.highest()), (Some(33), Some(69)));
        assert_eq!(some.warps().span(), 1..3);
        assert!(some.has(69) && !some.has(68));
        assert!(some.and(&Mask::first(33)).is_empty());
        assert_eq!(Mask::first(1024).or(&some), Mask::first(1024));
        assert_eq!(Mask::EMPTY.warps().span(), 0..0);
    }

    #[test]
    fn runs_cover_the_warps_that_are_there() {
        for few in [vec![], vec![0], vec![63], vec![3, 4, 9, 20, 40, 41, 62, 63], (0..64).collect()]
        {
            let mut mask = Mask::EMPTY;
            few.iter().for_each(|warp| mask.add(warp * WARP_LANES + warp % WARP_LANES));
            let warps = mask.warps();
            assert_eq!(warps.each().collect::<Vec<_>>(), few);
            let covered: Vec<_> = warps.runs().flatten().collect();
            assert!(covered.is_sorted() && few.iter().all(|warp| covered.contains(warp)));
            let idle = covered.iter().filter(|warp| !few.contains(warp)).count();
            assert!(idle <= few.len() * GAP_MAX as usize);
        }
        let runs: Vec<_> = Warps(1 | 1 << 9 | 1 << 19).runs().collect();
        assert_eq!(runs, [0..10, 19..20]);
        assert_eq!(Warps::first(64), Mask::EVERY.warps());
        assert_eq!(Warps::first(5), Mask::first(130).warps());
    }
}
