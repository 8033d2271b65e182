//! The two 16-bit floats, rounded once from a double, to nearest and ties to even.

/// IEEE binary16: 5 bits of exponent, 10 of fraction.
pub(super) fn f16_bits(value: f64) -> u16 {
    round(value, 10, -14, 15)
}

/// bfloat16: 8 bits of exponent, 7 of fraction.
pub(super) fn bf16_bits(value: f64) -> u16 {
    round(value, 7, -126, 127)
}

/// Whether those bits are infinite, given the width of the fraction.
pub(super) const fn is_infinite(bits: u16, fraction_bits: u32) -> bool {
    bits & 0x7fff == infinity(fraction_bits)
}

const fn infinity(fraction_bits: u32) -> u16 {
    0x7fff >> fraction_bits << fraction_bits
}

fn round(value: f64, fraction_bits: u32, exponent_min: i32, exponent_max: i32) -> u16 {
    let bits = value.to_bits();
    let sign = if value.is_sign_negative() { 0x8000 } else { 0 };
    if value.is_nan() {
        // Quiet, and of the payload nothing is kept.
        return sign | infinity(fraction_bits) | (1 << (fraction_bits - 1));
    }
    let exponent = ((bits >> 52) & 0x7ff) as i32 - 1023;
    if exponent > exponent_max {
        return sign | infinity(fraction_bits);
    }
    if exponent < exponent_min - 60 {
        return sign;
    }
    // A subnormal result has its leading one further right, so more of the fraction is dropped.
    let subnormal_by = (exponent_min - exponent).max(0).unsigned_abs();
    let dropped_bits = 52 - fraction_bits + subnormal_by;
    let fraction = (bits & ((1 << 52) - 1)) | 1 << 52;
    let kept = shift_to_nearest_even(fraction, dropped_bits);
    // The implicit one of a normal number is counted in `kept`; adding lets a carry run on into the exponent.
    let biased = if subnormal_by == 0 { (exponent - exponent_min) as u64 } else { 0 };
    let magnitude = (biased << fraction_bits) + kept;
    sign | u16::try_from(magnitude).unwrap_or(u16::MAX).min(infinity(fraction_bits))
}

fn shift_to_nearest_even(value: u64, by: u32) -> u64 {
    let Some(kept) = value.checked_shr(by) else { return 0 };
    let dropped = value & ((1 << by) - 1);
    let half = 1 << (by - 1);
    let up = dropped > half || (dropped == half && kept & 1 == 1);
    kept + u64::from(up)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_rounded_to_nearest_even() {
        for (value, bits) in [
            (0.0, 0x0000),
            (-0.0, 0x8000),
            (1.0, 0x3c00),
            (-2.0, 0xc000),
            (65504.0, 0x7bff),
            (65519.9, 0x7bff),
            (65520.0, 0x7c00),
            (f64::INFINITY, 0x7c00),
            (f64::NEG_INFINITY, 0xfc00),
            (f64::NAN, 0x7e00),
            (1.0 + 1.0 / 2048.0, 0x3c00),
            (1.0 + 3.0 / 2048.0, 0x3c02),
            (2.0 - 1.0 / 4096.0, 0x4000),
            (6.103_515_625e-5, 0x0400),
            (5.960_464_477_539_063e-8, 0x0001),
            (2.980_232_238_769_531_3e-8, 0x0000),
            (2.980_232_238_769_532e-8, 0x0001),
            (1e-300, 0x0000),
        ] {
            assert_eq!(f16_bits(value), bits, "{value}");
        }
    }

    #[test]
    fn bfloats_agree_with_rounding_the_upper_half_of_a_float() {
        // Independent: bfloat16 is the upper half of binary32, which is exact for these values.
        for value in [
            1.0_f32,
            -3.5,
            1e38,
            1e-38,
            1e-40,
            3.389e38,
            0.1,
            255.5,
            256.5,
            257.5,
            f32::MIN_POSITIVE,
        ] {
            let bits = value.to_bits();
            let rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
            assert_eq!(u32::from(bf16_bits(value.into())), rounded, "{value}");
        }
        assert!(is_infinite(bf16_bits(f64::from(f32::MAX)), 7));
    }

    #[test]
    fn every_half_is_found_again() {
        for bits in (0_u16..0x7c00).chain(0x8000..0xfc00) {
            let (sign, magnitude) = (if bits & 0x8000 == 0 { 1.0 } else { -1.0 }, bits & 0x7fff);
            let (exponent, fraction) = (i32::from(magnitude >> 10), f64::from(magnitude & 0x3ff));
            let value = match exponent {
                0 => fraction * 2_f64.powi(-24),
                _ => (1.0 + fraction / 1024.0) * 2_f64.powi(exponent - 15),
            };
            assert_eq!(f16_bits(sign * value), bits);
        }
    }
}
