//! `cvt` between numbers: integers of 8 to 64 bits, `f32`, `f64`, `tf32`. The 16-bit types are in [`super::half`].
//!
//! From floating point to an integer the result is clamped to the type; what is no number becomes 0, or the type's top bit alone
//! when a 64-bit type is on either side, as the manual says.

use mock_ptx::ir::Rounding;

use super::float::{Float, NAN_F32};
use super::round::{Exact, F32, F64, TF32};

/// Sign-extends the low `bits` of `value`.
#[inline(always)]
#[must_use]
pub const fn sign_extend(value: u64, bits: u32) -> u64 {
    let up = 64 - bits;
    (((value << up) as i64) >> up) as u64
}

/// The low `bits` of `value`.
#[inline(always)]
#[must_use]
pub const fn zero_extend(value: u64, bits: u32) -> u64 {
    let up = 64 - bits;
    (value << up) >> up
}

/// `cvt.sat` between integers: `value` is read by its type, clamped to the other.
#[inline(always)]
#[must_use]
pub fn saturate_integer(value: u64, from_signed: bool, to_bits: u32, to_signed: bool) -> u64 {
    let value = if from_signed { i128::from(value as i64) } else { i128::from(value) };
    clamp(value, to_bits, to_signed)
}

#[inline(always)]
fn clamp(value: i128, bits: u32, signed: bool) -> u64 {
    let (low, high) = if signed {
        (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1)
    } else {
        (0, (1i128 << bits) - 1)
    };
    value.clamp(low, high) as u64
}

/// Rounds to an integral number of the same type: `cvt.rni` and its like between floating-point types.
#[inline(always)]
pub fn integral<F: Float + Integral>(value: F, rounding: Rounding) -> F {
    let rounded = match rounding {
        Rounding::NearestEven => value.nearest_integral(),
        Rounding::NearestAway => value.away_integral(),
        Rounding::Zero => value.inwards_integral(),
        Rounding::Down => value.lower_integral(),
        Rounding::Up => value.upper_integral(),
    };
    F::canonical(rounded, [value, F::ZERO, F::ZERO])
}

/// Rounding to whole numbers, by direction, and the casts that clamp.
pub trait Integral: Float {
    /// Ties to even.
    fn nearest_integral(self) -> Self;
    /// Ties away from zero.
    fn away_integral(self) -> Self;
    /// Towards zero.
    fn inwards_integral(self) -> Self;
    /// Towards minus infinity.
    fn lower_integral(self) -> Self;
    /// Towards plus infinity.
    fn upper_integral(self) -> Self;
    /// Towards zero, clamped; NaN to 0.
    fn clamp_i32(self) -> i32;
    /// Towards zero, clamped; NaN to 0.
    fn clamp_u32(self) -> u32;
    /// Towards zero, clamped; NaN to 0.
    fn clamp_i64(self) -> i64;
    /// Towards zero, clamped; NaN to 0.
    fn clamp_u64(self) -> u64;
}

macro_rules! integral {
    ($type:ty) => {
        impl Integral for $type {
            #[inline(always)]
            fn nearest_integral(self) -> Self {
                self.round_ties_even()
            }
            #[inline(always)]
            fn away_integral(self) -> Self {
                self.round()
            }
            #[inline(always)]
            fn inwards_integral(self) -> Self {
                self.trunc()
            }
            #[inline(always)]
            fn lower_integral(self) -> Self {
                self.floor()
            }
            #[inline(always)]
            fn upper_integral(self) -> Self {
                self.ceil()
            }
            #[inline(always)]
            fn clamp_i32(self) -> i32 {
                self as i32
            }
            #[inline(always)]
            fn clamp_u32(self) -> u32 {
                self as u32
            }
            #[inline(always)]
            fn clamp_i64(self) -> i64 {
                self as i64
            }
            #[inline(always)]
            fn clamp_u64(self) -> u64 {
                self as u64
            }
        }
    };
}
integral!(f32);
integral!(f64);

/// An integer type that a floating-point number can be converted to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct IntegerType {
    /// 8, 16, 32 or 64.
    pub bits: u32,
    /// Whether it has a sign.
    pub signed: bool,
}

/// `cvt` from floating point to an integer; the result is extended to 64 bits by its own sign.
#[inline(always)]
pub fn to_integer<F: Integral>(value: F, rounding: Rounding, to: IntegerType) -> u64 {
    let whole = match rounding {
        Rounding::Zero => value,
        _ => integral(value, rounding),
    };
    if value.nan() {
        return not_a_number_as(F::FORMAT.width() == 64 || to.bits == 64, to);
    }
    match (to.bits, to.signed) {
        (32, true) => i64::from(whole.clamp_i32()) as u64,
        (32, false) => u64::from(whole.clamp_u32()),
        (64, true) => whole.clamp_i64() as u64,
        (64, false) => whole.clamp_u64(),
        (bits, signed) => clamp(i128::from(whole.clamp_i64()), bits, signed),
    }
}

/// What NaN becomes as an integer.
#[inline(always)]
fn not_a_number_as(wide: bool, to: IntegerType) -> u64 {
    match (wide, to.signed) {
        (false, _) => 0,
        (true, false) => 1 << (to.bits - 1),
        (true, true) => sign_extend(1 << (to.bits - 1), to.bits),
    }
}

/// `cvt` from an integer to `f32`.
#[inline(always)]
#[must_use]
pub fn integer_to_f32(value: u64, signed: bool, rounding: Rounding) -> f32 {
    match (rounding, signed) {
        (Rounding::NearestEven, true) => value as i64 as f32,
        (Rounding::NearestEven, false) => value as f32,
        _ => f32::from_low_bits(whole(value, signed).round(F32, rounding)),
    }
}

/// `cvt` from an integer to `f64`.
#[inline(always)]
#[must_use]
pub fn integer_to_f64(value: u64, signed: bool, rounding: Rounding) -> f64 {
    match (rounding, signed) {
        (Rounding::NearestEven, true) => value as i64 as f64,
        (Rounding::NearestEven, false) => value as f64,
        _ => f64::from_low_bits(whole(value, signed).round(F64, rounding)),
    }
}

/// An integer as an exact number.
#[must_use]
pub fn whole(value: u64, signed: bool) -> Exact {
    Exact::integer(if signed { i128::from(value as i64) } else { i128::from(value) })
}

/// `cvt.f64.f32`: exact; NaN keeps its sign and payload, made quiet.
#[inline(always)]
#[must_use]
pub fn widen(value: f32) -> f64 {
    let bits = u64::from(value.to_bits());
    let quiet = (bits & 0x8000_0000) << 32 | 0x7ff8_0000_0000_0000 | (bits & 0x7f_ffff) << 29;
    let not_a_number = bits & 0x7fff_ffff > 0x7f80_0000;
    f64::from_bits(if not_a_number { quiet } else { f64::from(value).to_bits() })
}

/// `cvt.f32.f64`.
#[inline(always)]
#[must_use]
pub fn narrow(value: f64, rounding: Rounding) -> f32 {
    let narrowed = match rounding {
        Rounding::NearestEven => value as f32,
        _ if !value.is_finite() => value as f32,
        _ => f32::from_low_bits(F64.exact(value.to_bits()).round(F32, rounding)),
    };
    f32::canonical(narrowed, [0.0; 3])
}

/// `cvt.tf32.f32`: the upper 19 bits, the rest zero.
#[inline(always)]
#[must_use]
pub fn to_tf32(value: f32, rounding: Rounding) -> u32 {
    if value.is_nan() {
        return NAN_F32.to_bits();
    }
    if !value.is_finite() {
        return value.to_bits();
    }
    (F32.exact(value.bits()).round(TF32, rounding) as u32) << 13
}

#[cfg(test)]
mod tests {
    use super::*;

    const S32: IntegerType = IntegerType { bits: 32, signed: true };
    const U32: IntegerType = IntegerType { bits: 32, signed: false };
    const S64: IntegerType = IntegerType { bits: 64, signed: true };
    const U64: IntegerType = IntegerType { bits: 64, signed: false };
    const S8: IntegerType = IntegerType { bits: 8, signed: true };
    const U16: IntegerType = IntegerType { bits: 16, signed: false };
    const DIRECTIONS: [Rounding; 5] = [
        Rounding::NearestEven,
        Rounding::NearestAway,
        Rounding::Zero,
        Rounding::Down,
        Rounding::Up,
    ];

    #[test]
    fn floating_point_to_integer_is_the_exact_value_rounded_and_clamped() {
        let mut values = vec![0.0, 0.5, 1.5, 2.5, 0.49999, 127.5, 128.5, 65535.5, 2147483647.5];
        values.extend([4294967295.5, 1e12, 9.3e18, 1.9e19, 1e30, 1e-40, 8388609.0, 2f64.powi(63)]);
        for value in values.iter().flat_map(|&v| [v, -v]) {
            for rounding in DIRECTIONS {
                for to in [S32, U32, S64, U64, S8, U16] {
                    let exact = F64.exact(value.to_bits()).round_to_integer(rounding);
                    assert_eq!(to_integer(value, rounding, to), clamp(exact, to.bits, to.signed));
                    let single = value as f32;
                    let exact = F32.exact(single.bits()).round_to_integer(rounding);
                    let seen = to_integer(single, rounding, to);
                    assert_eq!(seen, clamp(exact, to.bits, to.signed), "{single} {to:?}");
                }
            }
        }
        assert_eq!(to_integer(f32::INFINITY, Rounding::Zero, S32), i32::MAX as u64);
        assert_eq!(to_integer(f64::NEG_INFINITY, Rounding::Up, U64), 0);
    }

    /// Proves NUM-4.
    #[test]
    fn no_number_becomes_zero_or_the_top_bit() {
        assert_eq!(to_integer(f32::NAN, Rounding::Zero, S32), 0);
        assert_eq!(to_integer(f32::NAN, Rounding::Zero, U16), 0);
        assert_eq!(to_integer(f32::NAN, Rounding::Zero, S64), 1 << 63);
        assert_eq!(to_integer(f64::NAN, Rounding::Zero, U32), 1 << 31);
        assert_eq!(to_integer(f64::NAN, Rounding::Zero, S32) as i64, i64::from(i32::MIN));
    }

    #[test]
    fn integers_to_floating_point_round_in_every_direction() {
        for value in [0u64, 1, 0xff_ffff, 0x100_0001, 0x1ff_ffff, u64::MAX, 1 << 63, (1 << 63) + 1]
        {
            for signed in [false, true] {
                let exact = whole(value, signed);
                for rounding in
                    [Rounding::NearestEven, Rounding::Zero, Rounding::Down, Rounding::Up]
                {
                    let single = integer_to_f32(value, signed, rounding);
                    assert_eq!(u64::from(single.to_bits()), exact.round(F32, rounding));
                    let double = integer_to_f64(value, signed, rounding);
                    assert_eq!(double.to_bits(), exact.round(F64, rounding), "{value}");
                }
            }
        }
    }

    #[test]
    fn narrowing_rounds_once_in_every_direction() {
        for value in
            [1.0f64, 0.1, -0.1, 1e-46, -1e-46, 1e39, -1e39, 16777217.0, 1.0 + 2f64.powi(-24)]
        {
            for rounding in [Rounding::NearestEven, Rounding::Zero, Rounding::Down, Rounding::Up] {
                let seen = narrow(value, rounding);
                let exact = F64.exact(value.to_bits()).round(F32, rounding);
                assert_eq!(u64::from(seen.to_bits()), exact, "{value} {rounding:?}");
            }
        }
        assert_eq!(narrow(f64::NAN, Rounding::Zero).to_bits(), 0x7fff_ffff);
        assert_eq!(widen(f32::from_bits(0xff80_0001)).to_bits(), 0xfff8_0000_2000_0000);
        assert_eq!(widen(1e-45), 1.401_298_464_324_817e-45);
    }

    #[test]
    fn tf32_keeps_nineteen_bits() {
        assert_eq!(to_tf32(1.0, Rounding::NearestAway), 0x3f80_0000);
        assert_eq!(to_tf32(f32::from_bits(0x3f80_1000), Rounding::NearestAway), 0x3f80_2000);
        assert_eq!(to_tf32(f32::from_bits(0x3f80_0fff), Rounding::NearestAway), 0x3f80_0000);
        assert_eq!(to_tf32(f32::INFINITY, Rounding::NearestAway), 0x7f80_0000);
    }

    #[test]
    fn integer_saturation_clamps_to_the_target() {
        assert_eq!(saturate_integer(300, true, 8, false), 255);
        assert_eq!(saturate_integer(-300i64 as u64, true, 8, true), -128i64 as u64);
        assert_eq!(saturate_integer(u64::MAX, false, 64, true), i64::MAX as u64);
        assert_eq!(saturate_integer(-1i64 as u64, true, 32, false), 0);
        assert_eq!(sign_extend(0x80, 8) as i64, -128);
        assert_eq!(zero_extend(0x1_80, 8), 0x80);
    }
}
