//! Sets of lanes: 32 bits for each warp of a block.

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

    /// The warps from the first to the last that has a lane in it.
    #[must_use]
    pub fn warps(&self) -> std::ops::Range<usize> {
        let first = self.0.iter().position(|word| *word != 0).unwrap_or(0);
        let end = self.0.iter().rposition(|word| *word != 0).map_or(0, |last| last + 1);
        first..end
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
        assert_eq!(mask.warps(), 0..3);
        let mut some = Mask::EMPTY;
        some.add(33);
        some.add(69);
        assert_eq!(mask.without(&some).count(), 68);
        assert_eq!((some.lowest(), some.highest()), (Some(33), Some(69)));
        assert_eq!(some.warps(), 1..3);
        assert!(some.has(69) && !some.has(68));
        assert!(some.and(&Mask::first(33)).is_empty());
        assert_eq!(Mask::first(1024).or(&some), Mask::first(1024));
        assert_eq!(Mask::EMPTY.warps(), 0..0);
    }
}
