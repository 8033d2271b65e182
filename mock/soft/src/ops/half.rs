//! The 16-bit floating-point types: `f16` and `bf16`, one or two to a register.
//!
//! Numbers travel as their bits. Every operation is done in `f64`, where sums and products of halves lose nothing that matters,
//! and rounded once; a result that is not a number is `0x7fff`.

use mock_ptx::ir::Rounding;

use super::float;
use super::round::{BF16, F16, F64, Format};

/// The only 16-bit NaN that arithmetic gives.
pub const NAN: u16 = 0x7fff;

/// One of the two 16-bit types.
pub trait Half {
    /// Its layout.
    const FORMAT: Format;
    /// Bits below the leading one.
    const FRACTION: i64;
    /// The exponent of the smallest normal number.
    const EXPONENT_MIN: i64;
    /// The bits of infinity.
    const INFINITY: u16;
    /// Its value, exactly.
    fn widen(bits: u16) -> f32;
}

/// `f16`: IEEE binary16.
#[derive(Debug, Clone, Copy)]
pub enum Binary16 {}

/// `bf16`: the upper half of an `f32`.
#[derive(Debug, Clone, Copy)]
pub enum Bfloat16 {}

impl Half for Binary16 {
    const FORMAT: Format = F16;
    const FRACTION: i64 = 10;
    const EXPONENT_MIN: i64 = -14;
    const INFINITY: u16 = 0x7c00;

    #[inline(always)]
    fn widen(bits: u16) -> f32 {
        const UP_112: f32 = f32::from_bits(0x7780_0000); // the difference of the biases, as a factor
        let magnitude = u32::from(bits & 0x7fff);
        let number = (f32::from_bits(magnitude << 13) * UP_112).to_bits();
        let special = (magnitude << 13) | 0x7f80_0000;
        let magnitude = if magnitude >= 0x7c00 { special } else { number };
        f32::from_bits(magnitude | u32::from(bits & 0x8000) << 16)
    }
}

impl Half for Bfloat16 {
    const FORMAT: Format = BF16;
    const FRACTION: i64 = 7;
    const EXPONENT_MIN: i64 = -126;
    const INFINITY: u16 = 0x7f80;

    #[inline(always)]
    fn widen(bits: u16) -> f32 {
        f32::from_bits(u32::from(bits) << 16)
    }
}

#[inline(always)]
fn wide<H: Half>(bits: u16) -> f64 {
    f64::from(H::widen(bits))
}

/// The nearest half, ties to even: the sum with a number so large that the `f64` adder drops exactly the bits too many.
#[inline(always)]
#[must_use]
pub fn nearest<H: Half>(value: f64) -> u16 {
    let magnitude = value.abs();
    let exponent = ((magnitude.to_bits() >> 52) as i64 - 1023).max(H::EXPONENT_MIN).min(200);
    let magic = ((exponent - H::FRACTION + 52 + 1023) as u64) << 52;
    let steps = (magnitude + f64::from_bits(magic)).to_bits().wrapping_sub(magic);
    let bits = steps.wrapping_add(((exponent - H::EXPONENT_MIN) as u64) << H::FRACTION);
    let bits = if magnitude >= OVERFLOWS_ALL { u64::from(H::INFINITY) } else { bits };
    let bits = bits.min(u64::from(H::INFINITY)) as u16;
    let sign = ((value.to_bits() >> 48) & 0x8000) as u16;
    if value.is_nan() { NAN } else { bits | sign }
}

/// Too large for either type.
const OVERFLOWS_ALL: f64 = 1.0e39;

/// A half from a wider number, rounded as asked.
#[inline(always)]
#[must_use]
pub fn narrow<H: Half>(value: f64, rounding: Rounding) -> u16 {
    if rounding == Rounding::NearestEven || !value.is_finite() {
        return nearest::<H>(value);
    }
    F64.exact(value.to_bits()).round(H::FORMAT, rounding) as u16
}

/// A subnormal becomes zero of its sign.
#[inline(always)]
#[must_use]
pub fn flush<H: Half>(bits: u16) -> u16 {
    if bits & H::INFINITY == 0 { bits & 0x8000 } else { bits }
}

/// `.sat`: into [0, 1]; NaN to zero.
#[inline(always)]
#[must_use]
pub fn saturate<H: Half>(bits: u16) -> u16 {
    nearest::<H>(float::saturate(wide::<H>(bits)))
}

/// `.relu`: a negative number becomes zero.
#[inline(always)]
#[must_use]
pub fn relu(bits: u16) -> u16 {
    if bits & 0x8000 != 0 && !is_nan_bits(bits) { 0 } else { bits }
}

/// Only the canonical NaN comes out of arithmetic, so only that is asked about.
#[inline(always)]
const fn is_nan_bits(bits: u16) -> bool {
    bits == NAN
}

/// `add`.
#[inline(always)]
#[must_use]
pub fn add<H: Half>(a: u16, b: u16) -> u16 {
    nearest::<H>(wide::<H>(a) + wide::<H>(b))
}

/// `sub`.
#[inline(always)]
#[must_use]
pub fn sub<H: Half>(a: u16, b: u16) -> u16 {
    nearest::<H>(wide::<H>(a) - wide::<H>(b))
}

/// `mul`.
#[inline(always)]
#[must_use]
pub fn mul<H: Half>(a: u16, b: u16) -> u16 {
    nearest::<H>(wide::<H>(a) * wide::<H>(b))
}

/// `fma`: the `f64` sum is rounded to odd, so that rounding it again is rounding once.
#[inline(always)]
#[must_use]
pub fn fma<H: Half>(a: u16, b: u16, c: u16) -> u16 {
    let (product, addend) = (wide::<H>(a) * wide::<H>(b), wide::<H>(c));
    nearest::<H>(sum_to_odd(product, addend))
}

/// `a + b`; where that is not exact, the neighbour with an odd last bit on the side of the truth.
#[inline(always)]
#[must_use]
pub fn sum_to_odd(a: f64, b: f64) -> f64 {
    let sum = a + b;
    let b_kept = sum - a;
    let lost = (a - (sum - b_kept)) + (b - b_kept);
    let bits = sum.to_bits();
    let outwards = (lost > 0.0) == (sum > 0.0);
    let odd = if outwards { bits | 1 } else { bits.wrapping_sub(1) | 1 };
    let exact = lost == 0.0 || !lost.is_finite() || bits & 1 == 1;
    if exact { sum } else { f64::from_bits(odd) }
}

/// `min`: -0 below +0, the other one where one is not a number.
#[inline(always)]
#[must_use]
pub fn min<H: Half>(a: u16, b: u16) -> u16 {
    nearest::<H>(float::min(wide::<H>(a), wide::<H>(b)))
}

/// `max`.
#[inline(always)]
#[must_use]
pub fn max<H: Half>(a: u16, b: u16) -> u16 {
    nearest::<H>(float::max(wide::<H>(a), wide::<H>(b)))
}

/// `min.NaN`.
#[inline(always)]
#[must_use]
pub fn min_nan<H: Half>(a: u16, b: u16) -> u16 {
    nearest::<H>(float::min_nan(wide::<H>(a), wide::<H>(b)))
}

/// `max.NaN`.
#[inline(always)]
#[must_use]
pub fn max_nan<H: Half>(a: u16, b: u16) -> u16 {
    nearest::<H>(float::max_nan(wide::<H>(a), wide::<H>(b)))
}

/// `neg`.
#[inline(always)]
#[must_use]
pub fn neg<H: Half>(a: u16) -> u16 {
    nearest::<H>(-wide::<H>(a))
}

/// `abs`.
#[inline(always)]
#[must_use]
pub fn abs<H: Half>(a: u16) -> u16 {
    nearest::<H>(wide::<H>(a).abs())
}

/// Both halves of a register by one function of one half.
#[inline(always)]
pub fn each(a: u32, f: impl Fn(u16) -> u16) -> u32 {
    u32::from(f(a as u16)) | u32::from(f((a >> 16) as u16)) << 16
}

/// Both halves by a function of two.
#[inline(always)]
pub fn each2(a: u32, b: u32, f: impl Fn(u16, u16) -> u16) -> u32 {
    u32::from(f(a as u16, b as u16)) | u32::from(f((a >> 16) as u16, (b >> 16) as u16)) << 16
}

/// Both halves by a function of three.
#[inline(always)]
pub fn each3(a: u32, b: u32, c: u32, f: impl Fn(u16, u16, u16) -> u16) -> u32 {
    let low = f(a as u16, b as u16, c as u16);
    let high = f((a >> 16) as u16, (b >> 16) as u16, (c >> 16) as u16);
    u32::from(low) | u32::from(high) << 16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_nan<H: Half>(bits: u16) -> bool {
        bits & 0x7fff > H::INFINITY
    }

    fn every_half_survives_widening_and_narrowing<H: Half>() {
        for bits in 0..=u16::MAX {
            let value = f64::from(H::widen(bits));
            if is_nan::<H>(bits) {
                assert!(value.is_nan());
                assert_eq!(nearest::<H>(value), NAN);
                continue;
            }
            assert_eq!(nearest::<H>(value), bits, "{value:e}");
            if bits & 0x7fff < H::INFINITY {
                assert_eq!(
                    H::FORMAT.exact(bits.into()).round(F64, Rounding::Zero),
                    value.to_bits()
                );
            }
        }
    }

    #[test]
    fn every_f16_survives_widening_and_narrowing() {
        every_half_survives_widening_and_narrowing::<Binary16>();
    }

    #[test]
    fn every_bf16_survives_widening_and_narrowing() {
        every_half_survives_widening_and_narrowing::<Bfloat16>();
    }

    /// A spread of values that meets every exponent, tie and overflow.
    fn sample() -> impl Iterator<Item = u16> + Clone {
        (0..=u16::MAX).step_by(257).chain([0x3c00, 0xbc01, 1, 0x8001, 0x3ff, 0x400, 0x7bff, 0x7f7f])
    }

    fn operations_are_the_exact_ones_rounded_once<H: Half>() {
        let n = Rounding::NearestEven;
        let finite = |bits: &u16| bits & 0x7fff < H::INFINITY;
        for a in sample().filter(finite) {
            let ea = H::FORMAT.exact(a.into());
            for b in sample().filter(finite) {
                let eb = H::FORMAT.exact(b.into());
                let sum = ea.plus(eb, n).round(H::FORMAT, n);
                assert_eq!(u64::from(add::<H>(a, b)), sum, "{a:#x} + {b:#x}");
                let product = ea.times(eb).round(H::FORMAT, n);
                assert_eq!(u64::from(mul::<H>(a, b)), product, "{a:#x} * {b:#x}");
                for c in [0x0001u16, 0x8001, 0x3c00, 0x0410, 0x7b00, 0xc123, 0x4080] {
                    let fused = ea.times(eb).plus(H::FORMAT.exact(c.into()), n).round(H::FORMAT, n);
                    let seen = fma::<H>(a, b, c);
                    assert_eq!(u64::from(seen), fused, "{a:#x} * {b:#x} + {c:#x}");
                }
            }
        }
    }

    #[test]
    fn f16_operations_are_the_exact_ones_rounded_once() {
        operations_are_the_exact_ones_rounded_once::<Binary16>();
    }

    #[test]
    fn bf16_operations_are_the_exact_ones_rounded_once() {
        operations_are_the_exact_ones_rounded_once::<Bfloat16>();
    }

    /// Proves NUM-3.
    #[test]
    fn a_half_that_is_no_number_is_canonical() {
        assert_eq!(add::<Binary16>(0x7c00, 0xfc00), NAN);
        assert_eq!(mul::<Bfloat16>(0, 0x7f80), NAN);
        assert_eq!(fma::<Binary16>(0xfe01, 0, 0), NAN);
        assert_eq!(min::<Binary16>(0xfe01, 0x3c00), 0x3c00);
        assert_eq!(max_nan::<Bfloat16>(0x7fc1, 0x3f80), NAN);
        assert_eq!(relu(NAN), NAN);
        assert_eq!(relu(0xbc00), 0);
        assert_eq!(saturate::<Binary16>(NAN), 0);
    }

    #[test]
    fn zeros_keep_their_order() {
        assert_eq!(min::<Binary16>(0, 0x8000), 0x8000);
        assert_eq!(max::<Bfloat16>(0x8000, 0), 0);
        assert_eq!(flush::<Binary16>(0x83ff), 0x8000);
        assert_eq!(flush::<Binary16>(0x0400), 0x0400);
        assert_eq!(flush::<Bfloat16>(0x007f), 0);
    }

    #[test]
    fn directed_narrowing_stays_on_its_side() {
        let third = 1.0 / 3.0;
        let down = narrow::<Binary16>(third, Rounding::Down);
        assert_eq!(narrow::<Binary16>(third, Rounding::Up), down + 1);
        assert!(wide::<Binary16>(down) < third);
        assert_eq!(narrow::<Bfloat16>(1e300, Rounding::Zero), 0x7f7f);
        assert_eq!(narrow::<Bfloat16>(1e300, Rounding::NearestEven), 0x7f80);
    }
}
