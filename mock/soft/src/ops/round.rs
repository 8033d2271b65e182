//! Exact arithmetic and one correct rounding, in integers: the slow path for every rounding the processor does not offer.
//!
//! A finite number is an [`Exact`]: sign, a significand of up to 126 bits, a power of two, and whether anything was cut off below.
//! Operations keep enough bits that rounding once at the end, in any of PTX's four directions and to any [`Format`], is right.

use mock_ptx::ir::Rounding;

/// A binary interchange format: `bits` in all, `fraction` of them below the leading one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    bits: u32,
    fraction: u32,
}

/// IEEE binary16.
pub const F16: Format = Format { bits: 16, fraction: 10 };
/// The upper half of a binary32.
pub const BF16: Format = Format { bits: 16, fraction: 7 };
/// IEEE binary32.
pub const F32: Format = Format { bits: 32, fraction: 23 };
/// A binary32 of which the tensor cores read the upper 19 bits.
pub const TF32: Format = Format { bits: 19, fraction: 10 };
/// IEEE binary64.
pub const F64: Format = Format { bits: 64, fraction: 52 };

impl Format {
    /// Bits in all.
    #[must_use]
    pub const fn width(self) -> u32 {
        self.bits
    }

    const fn exponent_max(self) -> i32 {
        (1 << (self.bits - self.fraction - 1)) - 1
    }

    const fn bias(self) -> i32 {
        self.exponent_max() / 2
    }

    /// The exponent of the smallest step: that of subnormal numbers.
    const fn step_exponent(self) -> i32 {
        1 - self.bias() - self.fraction as i32
    }

    const fn infinity(self) -> u64 {
        (self.exponent_max() as u64) << self.fraction
    }

    /// A finite number of this format, from its bits.
    #[must_use]
    pub fn exact(self, bits: u64) -> Exact {
        let magnitude = bits & ((1 << (self.bits - 1)) - 1);
        let biased = (magnitude >> self.fraction) as i32;
        let fraction = magnitude & ((1 << self.fraction) - 1);
        let leading = u64::from(biased != 0) << self.fraction;
        Exact {
            negative: (bits >> (self.bits - 1)) & 1 == 1,
            significand: u128::from(fraction | leading),
            exponent: biased.max(1) - 1 + self.step_exponent(),
            inexact: false,
        }
    }
}

/// `± significand × 2^exponent`, and a little more in magnitude if `inexact`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exact {
    negative: bool,
    significand: u128,
    exponent: i32,
    inexact: bool,
}

/// Where the leading bit of an aligned significand stands: room for a carry and a borrow above it.
const TOP: u32 = 125;

impl Exact {
    /// An integer.
    #[must_use]
    pub fn integer(value: i128) -> Self {
        let significand = value.unsigned_abs();
        Self { negative: value < 0, significand, exponent: 0, inexact: false }
    }

    /// The same number with its sign changed where `negate`.
    #[must_use]
    pub fn negated_if(self, negate: bool) -> Self {
        Self { negative: self.negative ^ negate, ..self }
    }

    /// The product: both significands of at most 63 bits.
    #[must_use]
    pub fn times(self, other: Self) -> Self {
        Self {
            negative: self.negative ^ other.negative,
            significand: self.significand * other.significand,
            exponent: self.exponent + other.exponent,
            inexact: false,
        }
    }

    /// The quotient, `other` not zero: at least 73 correct bits.
    #[must_use]
    pub fn over(self, other: Self) -> Self {
        let dividend = self.aligned();
        Self {
            negative: self.negative ^ other.negative,
            significand: dividend.significand / other.significand,
            exponent: dividend.exponent - other.exponent,
            inexact: !dividend.significand.is_multiple_of(other.significand),
        }
    }

    /// The square root of a number that is not negative: at least 62 correct bits.
    #[must_use]
    pub fn square_root(self) -> Self {
        let mut radicand = self.aligned();
        if radicand.exponent % 2 != 0 {
            radicand.significand >>= 1;
            radicand.exponent += 1;
        }
        let significand = radicand.significand.isqrt();
        Self {
            negative: self.negative,
            significand,
            exponent: radicand.exponent / 2,
            inexact: significand * significand != radicand.significand,
        }
    }

    /// The sum. An exact zero takes its sign from `direction`, or from both where they agree.
    #[must_use]
    pub fn plus(self, other: Self, direction: Rounding) -> Self {
        let (a, b) = (self.aligned(), other.aligned());
        let (big, small) = if (a.significand == 0, b.exponent, b.significand)
            > (b.significand == 0, a.exponent, a.significand)
        {
            (b, a)
        } else {
            (a, b)
        };
        let shift = if small.significand == 0 { 0 } else { big.exponent.abs_diff(small.exponent) };
        let (shifted, lost) = shift_right(small.significand, shift);
        if big.negative == small.negative {
            let significand = big.significand + shifted;
            return Self { significand, inexact: lost, ..big };
        }
        let significand = big.significand - shifted - u128::from(lost);
        if significand == 0 && !lost {
            let negative = direction == Rounding::Down;
            return Self { negative, significand, exponent: 0, inexact: false };
        }
        Self { significand, inexact: lost, ..big }
    }

    /// The same number with its leading bit at [`TOP`].
    fn aligned(self) -> Self {
        if self.significand == 0 {
            return self;
        }
        let up = self.significand.leading_zeros() as i32 - (127 - TOP as i32);
        debug_assert!(up >= 0, "a significand has at most 126 bits");
        Self { significand: self.significand << up, exponent: self.exponent - up, ..self }
    }

    /// Rounds once, to the bits of `format`; overflow goes to infinity or to the largest number, as the direction says.
    #[must_use]
    pub fn round(self, format: Format, direction: Rounding) -> u64 {
        let sign = u64::from(self.negative) << (format.bits - 1);
        let (magnitude, _) = self.round_to_step(format, direction);
        sign | magnitude.min(overflow(format, direction, self.negative))
    }

    /// The magnitude's bits, perhaps beyond infinity, and whether rounding changed it.
    fn round_to_step(self, format: Format, direction: Rounding) -> (u64, bool) {
        if self.significand == 0 {
            return (u64::from(self.inexact && rounds_up(direction, self.negative)), self.inexact);
        }
        let length = 128 - self.significand.leading_zeros() as i32;
        let leading = self.exponent + length - 1;
        let step = (leading - format.fraction as i32).max(format.step_exponent());
        let (kept, half, rest) = split(self.significand, step - self.exponent);
        let rest = rest || self.inexact;
        let up = match direction {
            Rounding::NearestEven => half && (rest || kept & 1 == 1),
            Rounding::NearestAway => half,
            _ => (half || rest) && rounds_up(direction, self.negative),
        };
        let kept = kept + u64::from(up);
        let biased = (step - format.step_exponent()) as u64;
        if biased > format.exponent_max() as u64 {
            return (u64::MAX >> 1, true);
        }
        // A significand with its leading bit set adds one to the exponent field by itself, and so does a carry out of it.
        (kept + (biased << format.fraction), half || rest)
    }

    /// Rounds to an integer in the direction, clamped to the range of `i128`.
    #[must_use]
    pub fn round_to_integer(self, direction: Rounding) -> i128 {
        let magnitude = if self.exponent >= 0 {
            let up = self.exponent as u32;
            let fits = up < 128 && up < self.significand.leading_zeros();
            if self.significand == 0 || fits {
                self.significand << up.min(127)
            } else {
                i128::MAX as u128
            }
        } else {
            let (kept, lost) = shift_right(self.significand, self.exponent.unsigned_abs());
            let (before, half_lost) =
                shift_right(self.significand, self.exponent.unsigned_abs() - 1);
            let (half, rest) = (before & 1 == 1, half_lost || self.inexact);
            let up = match direction {
                Rounding::NearestEven => half && (rest || kept & 1 == 1),
                Rounding::NearestAway => half,
                _ => (lost || self.inexact) && rounds_up(direction, self.negative),
            };
            kept + u128::from(up)
        };
        let magnitude = magnitude.min(i128::MAX as u128) as i128;
        if self.negative { -magnitude } else { magnitude }
    }
}

/// Whether a directed rounding moves a magnitude up.
const fn rounds_up(direction: Rounding, negative: bool) -> bool {
    match direction {
        Rounding::Down => negative,
        Rounding::Up => !negative,
        _ => false,
    }
}

/// What a magnitude too large for the format becomes.
const fn overflow(format: Format, direction: Rounding, negative: bool) -> u64 {
    match direction {
        Rounding::NearestEven | Rounding::NearestAway => format.infinity(),
        _ if rounds_up(direction, negative) => format.infinity(),
        _ => format.infinity() - 1,
    }
}

/// `significand >> by`, and whether ones fell out.
fn shift_right(significand: u128, by: u32) -> (u128, bool) {
    if by >= 128 {
        return (0, significand != 0);
    }
    (significand >> by, significand & ((1 << by) - 1) != 0)
}

/// The bits from `by` up, the bit below, and whether any bit below that is set.
fn split(significand: u128, by: i32) -> (u64, bool, bool) {
    if by <= 0 {
        return ((significand << by.unsigned_abs()) as u64, false, false);
    }
    let by = by as u32;
    let (kept, _) = shift_right(significand, by);
    let (with_half, rest) = shift_right(significand, by - 1);
    (kept as u64, with_half & 1 == 1, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every finite value of a small format, so that nearest-even rounding can be found by looking at all of them.
    fn all_f16() -> impl Iterator<Item = u16> {
        (0..0x7c00u16).chain(0x8000..0xfc00)
    }

    #[test]
    fn every_f16_rounds_to_itself_in_every_direction() {
        use Rounding::{Down, NearestAway, NearestEven, Up, Zero};
        for bits in all_f16() {
            for direction in [NearestEven, NearestAway, Zero, Down, Up] {
                assert_eq!(F16.exact(bits.into()).round(F16, direction), u64::from(bits));
            }
        }
    }

    #[test]
    fn directed_roundings_bracket_every_f16_midpoint() {
        for bits in 0..0x7bffu64 {
            let (low, high) = (F16.exact(bits), F16.exact(bits + 1));
            let half = Exact { exponent: -1, significand: 1, negative: false, inexact: false };
            let middle = low.plus(high, Rounding::Zero).times(half);
            let even = if bits & 1 == 0 { bits } else { bits + 1 };
            for (direction, wanted) in [
                (Rounding::Down, bits),
                (Rounding::Zero, bits),
                (Rounding::Up, bits + 1),
                (Rounding::NearestEven, even),
                (Rounding::NearestAway, bits + 1),
            ] {
                assert_eq!(middle.round(F16, direction), wanted, "{bits:#x} {direction:?}");
                let mirrored = match direction {
                    Rounding::Down => Rounding::Up,
                    Rounding::Up => Rounding::Down,
                    same => same,
                };
                let negative = middle.negated_if(true).round(F16, mirrored);
                assert_eq!(negative, wanted | 0x8000);
            }
        }
    }

    #[test]
    fn overflow_stops_at_the_largest_number_when_rounded_inwards() {
        let huge = Exact::integer(1 << 100);
        assert_eq!(huge.round(F16, Rounding::Zero), 0x7bff);
        assert_eq!(huge.round(F16, Rounding::NearestEven), 0x7c00);
        assert_eq!(huge.negated_if(true).round(F16, Rounding::Up), 0xfbff);
        assert_eq!(huge.negated_if(true).round(F16, Rounding::Down), 0xfc00);
        assert_eq!(Exact::integer(65519).round(F16, Rounding::NearestEven), 0x7bff);
        assert_eq!(Exact::integer(65520).round(F16, Rounding::NearestEven), 0x7c00);
    }

    #[test]
    fn a_sum_of_far_apart_numbers_is_inexact_in_the_right_direction() {
        let one = F64.exact(1f64.to_bits());
        let tiny = F64.exact(1);
        assert_eq!(
            f64::from_bits(one.plus(tiny, Rounding::Up).round(F64, Rounding::Up)),
            1.0f64.next_up()
        );
        let less = one.plus(tiny.negated_if(true), Rounding::Down);
        assert_eq!(f64::from_bits(less.round(F64, Rounding::Down)), 1.0f64.next_down());
        assert_eq!(f64::from_bits(less.round(F64, Rounding::NearestEven)), 1.0);
    }

    #[test]
    fn an_exact_zero_sum_is_negative_only_when_rounding_down() {
        let (one, minus) = (F32.exact(0x3f80_0000), F32.exact(0xbf80_0000));
        assert_eq!(one.plus(minus, Rounding::Down).round(F32, Rounding::Down), 0x8000_0000);
        assert_eq!(one.plus(minus, Rounding::Up).round(F32, Rounding::Up), 0);
        let (plus, minus) = (F32.exact(0), F32.exact(0x8000_0000));
        assert_eq!(minus.plus(minus, Rounding::Up).round(F32, Rounding::Up), 0x8000_0000);
        assert_eq!(plus.plus(minus, Rounding::Zero).round(F32, Rounding::Zero), 0);
    }

    #[test]
    fn integers_round_as_the_direction_says() {
        let number = |v: f64| F64.exact(v.to_bits());
        for v in [0.0, 0.5, 1.5, 2.5, -0.5, -1.5, 2.4999, 1e9, -1e18, 1e-300, 4.0, -7.75] {
            assert_eq!(number(v).round_to_integer(Rounding::Zero), v.trunc() as i128);
            assert_eq!(number(v).round_to_integer(Rounding::Down), v.floor() as i128);
            assert_eq!(number(v).round_to_integer(Rounding::Up), v.ceil() as i128);
            let even = v.round_ties_even() as i128;
            assert_eq!(number(v).round_to_integer(Rounding::NearestEven), even);
            assert_eq!(number(v).round_to_integer(Rounding::NearestAway), v.round() as i128);
        }
        assert_eq!(number(1e300).round_to_integer(Rounding::Zero), i128::MAX);
    }
}
