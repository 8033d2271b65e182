//! What is known of a register without looking at its lanes.
//!
//! Lanes have three coordinates. A register whose value is `base + Σ stepᵢ·coordinateᵢ` (modulo its width) needs no lanes at all:
//! address arithmetic, loop counters and most conditions are done on the shape alone.

use std::fmt::Debug;

/// An unsigned integer that a register holds.
pub trait Bits: Copy + Default + PartialEq + Debug + Send + 'static {
    /// Width in bits.
    const BITS: u32;
    /// Modulo the width.
    fn plus(self, other: Self) -> Self;
    /// Modulo the width.
    fn minus(self, other: Self) -> Self;
    /// Modulo the width.
    fn times(self, other: Self) -> Self;
    /// Cut to the width.
    fn cut(bits: u64) -> Self;
    /// Zero above the width.
    fn zero_extended(self) -> u64;
    /// With its sign.
    fn signed(self) -> i64;
}

macro_rules! bits {
    ($($type:ty, $signed:ty;)*) => {$(
        impl Bits for $type {
            const BITS: u32 = Self::BITS;
            #[inline(always)]
            fn plus(self, other: Self) -> Self {
                self.wrapping_add(other)
            }
            #[inline(always)]
            fn minus(self, other: Self) -> Self {
                self.wrapping_sub(other)
            }
            #[inline(always)]
            fn times(self, other: Self) -> Self {
                self.wrapping_mul(other)
            }
            #[inline(always)]
            fn cut(bits: u64) -> Self {
                bits as Self
            }
            #[inline(always)]
            fn zero_extended(self) -> u64 {
                u64::from(self)
            }
            #[inline(always)]
            fn signed(self) -> i64 {
                i64::from(self as $signed)
            }
        }
    )*};
}
bits! {
    u16, i16;
    u32, i32;
    u64, i64;
}

/// How many lanes lie along each coordinate; lanes are numbered with the first fastest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent(pub [u32; 3]);

impl Extent {
    /// All lanes.
    #[must_use]
    pub const fn lanes(self) -> usize {
        self.0[0] as usize * self.0[1] as usize * self.0[2] as usize
    }

    /// The coordinates of a lane.
    #[inline]
    #[must_use]
    pub const fn of(self, lane: usize) -> [u32; 3] {
        let (x, y) = (self.0[0], self.0[1]);
        let lane = lane as u32;
        [lane % x, lane / x % y, lane / x / y]
    }
}

/// `base + Σ stepᵢ·coordinateᵢ`, modulo the width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Affine<T> {
    /// In lane 0.
    pub base: T,
    /// From one lane to the next along each coordinate.
    pub step: [T; 3],
}

impl<T: Bits> Affine<T> {
    /// The same in all lanes.
    #[inline]
    #[must_use]
    pub fn uniform(base: T) -> Self {
        Self { base, step: [T::default(); 3] }
    }

    /// Whether all lanes have the same.
    #[inline]
    #[must_use]
    pub fn is_uniform(&self) -> bool {
        let [x, y, z] = self.step.map(T::zero_extended);
        x | y | z == 0
    }

    /// In one lane.
    #[inline]
    #[must_use]
    pub fn at(&self, coordinates: [u32; 3]) -> T {
        let terms = self.step.iter().zip(coordinates);
        terms.fold(self.base, |sum, (step, c)| sum.plus(step.times(T::cut(c.into()))))
    }

    /// The sum.
    #[inline]
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        let step = std::array::from_fn(|i| self.step[i].plus(other.step[i]));
        Self { base: self.base.plus(other.base), step }
    }

    /// Every lane further by the same.
    #[inline]
    #[must_use]
    pub fn shifted(&self, by: T) -> Self {
        Self { base: self.base.plus(by), step: self.step }
    }

    /// The difference.
    #[inline]
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        let step = std::array::from_fn(|i| self.step[i].minus(other.step[i]));
        Self { base: self.base.minus(other.base), step }
    }

    /// The product with a number.
    #[inline]
    #[must_use]
    pub fn times(&self, factor: T) -> Self {
        let step = std::array::from_fn(|i| self.step[i].times(factor));
        Self { base: self.base.times(factor), step }
    }

    /// The product, where one of them is the same in all lanes.
    #[inline]
    #[must_use]
    pub fn product(&self, other: &Self) -> Option<Self> {
        if other.is_uniform() {
            Some(self.times(other.base))
        } else if self.is_uniform() {
            Some(other.times(self.base))
        } else {
            None
        }
    }

    /// The least and greatest value of all lanes, read with or without sign; none where a lane wraps around.
    #[inline]
    #[must_use]
    pub fn range(&self, extent: Extent, signed: bool) -> Option<(i64, i64)> {
        let base = if signed || T::BITS == 64 {
            self.base.signed()
        } else {
            self.base.zero_extended() as i64
        };
        if T::BITS == 64 && (base.unsigned_abs() > 1 << 62 || !signed && base < 0) {
            return None;
        }
        let (mut low, mut high) = (base, base);
        for (step, n) in self.step.iter().zip(extent.0) {
            let reach = step.signed().checked_mul(i64::from(n) - 1)?;
            if reach < 0 {
                low = low.checked_add(reach)?
            } else {
                high = high.checked_add(reach)?
            }
        }
        let (least, most) = match (signed, T::BITS) {
            (_, 64) => (if signed { i64::MIN } else { 0 }, i64::MAX),
            (true, bits) => (-(1 << (bits - 1)), (1 << (bits - 1)) - 1),
            (false, bits) => (0, (1 << bits) - 1),
        };
        (least <= low && high <= most).then_some((low, high))
    }

    /// The same numbers in a wider register; none where a lane wraps around in the narrow one.
    #[inline]
    #[must_use]
    pub fn widened<W: Bits>(&self, extent: Extent, signed: bool) -> Option<Affine<W>> {
        self.range(extent, signed)?;
        let start = if signed { self.base.signed() as u64 } else { self.base.zero_extended() };
        Some(Affine {
            base: W::cut(start),
            step: std::array::from_fn(|i| W::cut(self.step[i].signed() as u64)),
        })
    }

    /// The same numbers modulo a narrower width.
    #[inline]
    #[must_use]
    pub fn narrowed<N: Bits>(&self) -> Affine<N> {
        Affine {
            base: N::cut(self.base.zero_extended()),
            step: std::array::from_fn(|i| N::cut(self.step[i].zero_extended())),
        }
    }

    /// How many low bits are zero in every lane.
    #[inline]
    #[must_use]
    pub fn low_zeros(&self) -> u32 {
        let all = self
            .step
            .iter()
            .fold(self.base.zero_extended(), |all, step| all | step.zero_extended());
        all.trailing_zeros()
    }

    /// `a | b`, where no lane has a bit in both.
    #[inline(never)]
    #[must_use]
    pub fn joined(&self, other: &Self, extent: Extent) -> Option<Self> {
        let apart = self.bits_at_most(extent) & other.bits_at_most(extent) == 0;
        apart.then(|| self.plus(other))
    }

    /// Every bit that may be set in a lane, and perhaps others.
    fn bits_at_most(&self, extent: Extent) -> u64 {
        let mut bits = self.base.zero_extended();
        for (step, n) in self.step.iter().zip(extent.0) {
            let term = match step.zero_extended().checked_mul(u64::from(n) - 1) {
                Some(0) => continue,
                Some(most) => {
                    u64::MAX << step.zero_extended().trailing_zeros()
                        & u64::MAX >> most.leading_zeros()
                }
                None => u64::MAX << step.zero_extended().trailing_zeros(),
            };
            // where both have a bit, the sum may carry into every one above
            let carries = (bits & term).trailing_zeros();
            bits |= term | u64::MAX.checked_shl(carries).unwrap_or(0);
        }
        let most = self.range(extent, false).map_or(u64::MAX, |(_, most)| most as u64);
        bits & u64::MAX.checked_shr(most.leading_zeros()).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXTENT: Extent = Extent([16, 4, 2]);

    fn affine(base: u32, step: [i32; 3]) -> Affine<u32> {
        Affine { base, step: step.map(|step| step as u32) }
    }

    fn lanes<T: Bits>(a: &Affine<T>) -> Vec<T> {
        (0..EXTENT.lanes()).map(|lane| a.at(EXTENT.of(lane))).collect()
    }

    #[test]
    fn arithmetic_on_shapes_is_arithmetic_on_lanes() {
        let (a, b) = (affine(7, [4, 64, -3]), affine(u32::MAX - 5, [1, 0, 9]));
        let each = |f: fn(u32, u32) -> u32| -> Vec<u32> {
            lanes(&a).into_iter().zip(lanes(&b)).map(|(a, b)| f(a, b)).collect()
        };
        assert_eq!(lanes(&a.plus(&b)), each(u32::wrapping_add));
        assert_eq!(lanes(&a.minus(&b)), each(u32::wrapping_sub));
        let five = Affine::uniform(5);
        let product = a.product(&five).expect("one is uniform");
        assert_eq!(
            lanes(&product),
            lanes(&a).iter().map(|v| v.wrapping_mul(5)).collect::<Vec<_>>()
        );
        assert!(a.product(&b).is_none());
    }

    #[test]
    fn ranges_are_those_of_the_lanes_and_none_where_one_wraps() {
        for a in [affine(100, [4, 64, -3]), affine(0, [0; 3]), affine(5, [-1, 30, 0])] {
            let seen = a.range(EXTENT, true).expect("nothing wraps");
            let values: Vec<i64> = lanes(&a).iter().map(|v| v.signed()).collect();
            assert_eq!(
                seen,
                (*values.iter().min().expect("lanes"), *values.iter().max().expect("lanes"))
            );
        }
        assert_eq!(affine(5, [-1, 30, 0]).range(EXTENT, false), None);
        assert_eq!(affine(i32::MAX as u32, [1, 0, 0]).range(EXTENT, true), None);
        assert!(affine(i32::MAX as u32, [1, 0, 0]).range(EXTENT, false).is_some());
    }

    #[test]
    fn widening_needs_the_range_and_narrowing_does_not() {
        let a = affine(3u32.wrapping_neg(), [1, 16, 0]);
        let wide: Affine<u64> = a.widened(EXTENT, true).expect("fits 32 bits with sign");
        let signed: Vec<i64> = lanes(&a).iter().map(|v| v.signed()).collect();
        assert_eq!(lanes(&wide).iter().map(|v| v.signed()).collect::<Vec<_>>(), signed);
        assert!(a.widened::<u64>(EXTENT, false).is_none());
        assert_eq!(lanes(&wide.narrowed::<u32>()), lanes(&a));
    }

    #[test]
    fn disjoint_bits_join_as_a_sum() {
        let (high, low) = (affine(0, [0, 16, 0]), affine(0, [1, 0, 0]));
        let joined = high.joined(&low, EXTENT).expect("16 and 0..15");
        let each: Vec<u32> = lanes(&high).iter().zip(lanes(&low)).map(|(a, b)| a | b).collect();
        assert_eq!(lanes(&joined), each);
        assert!(affine(0, [0, 8, 0]).joined(&low, EXTENT).is_none());
        // rows of 8, and the bit between them and the planes
        let narrow = Extent([8, 4, 2]);
        let rows = affine(512, [1, 16, 256]);
        assert!(rows.joined(&affine(8, [0; 3]), narrow).is_some());
        assert!(rows.joined(&affine(4, [0; 3]), narrow).is_none());
        assert!(rows.joined(&affine(512, [0; 3]), narrow).is_none());
        // 3 and 5 carry
        assert!(affine(3, [5, 0, 0]).joined(&affine(8, [0; 3]), narrow).is_none());
    }
}
