//! `cvt` by pair of types.

use mock_ptx::ir::{Conversion, PackedConversion, Rounding, Type};

use crate::ops::convert::{self, IntegerType, Integral, sign_extend, zero_extend};
use crate::ops::float::{self, Float};
use crate::ops::half::{self, Bfloat16, Binary16, Half};

/// A source value, by kind.
enum Source {
    Integer { value: u64, signed: bool },
    Single(f32),
    Double(f64),
}

/// `cvt`: the result's bits, extended to 64 as the result's type is signed and then cut to `register_bits`.
#[must_use]
pub fn convert(conversion: Conversion, register_bits: u32, src: u64) -> u64 {
    let Conversion { to, from, .. } = conversion;
    let result = match read(from, src) {
        Source::Integer { value, signed } if to.is_float() => {
            from_integer(conversion, value, signed)
        }
        Source::Integer { value, signed } if conversion.saturate => {
            convert::saturate_integer(value, signed, to.bits(), to.is_signed())
        }
        Source::Integer { value, .. } => value,
        Source::Single(value) => from_float(conversion, start(value, conversion)),
        Source::Double(value) => from_float(conversion, value),
    };
    let result = if to.is_signed() {
        sign_extend(result, to.bits())
    } else {
        zero_extend(result, to.bits())
    };
    zero_extend(result, register_bits)
}

fn read(from: Type, src: u64) -> Source {
    match from {
        Type::F16 => Source::Single(Binary16::widen(src as u16)),
        Type::Bf16 => Source::Single(Bfloat16::widen(src as u16)),
        Type::F32 | Type::Tf32 => Source::Single(f32::from_bits(src as u32)),
        Type::F64 => Source::Double(f64::from_bits(src)),
        _ if from.is_signed() => {
            Source::Integer { value: sign_extend(src, from.bits()), signed: true }
        }
        _ => Source::Integer { value: zero_extend(src, from.bits()), signed: false },
    }
}

/// `.ftz` speaks of `f32` only; halves were widened and cannot be subnormal there.
fn start(value: f32, conversion: Conversion) -> f32 {
    let single = matches!(conversion.from, Type::F32 | Type::Tf32);
    if conversion.flush_subnormals && single { value.flush() } else { value }
}

fn from_integer(conversion: Conversion, value: u64, signed: bool) -> u64 {
    let rounding = conversion.rounding;
    match conversion.to {
        Type::F64 => {
            let result = convert::integer_to_f64(value, signed, rounding);
            saturated(result, conversion).to_bits()
        }
        Type::F16 => half_of_integer::<Binary16>(conversion, value, signed),
        Type::Bf16 => half_of_integer::<Bfloat16>(conversion, value, signed),
        _ => {
            let result = convert::integer_to_f32(value, signed, rounding);
            bits(saturated(result, conversion))
        }
    }
}

fn half_of_integer<H: Half>(conversion: Conversion, value: u64, signed: bool) -> u64 {
    let result = convert::whole(value, signed).round(H::FORMAT, conversion.rounding) as u16;
    u64::from(if conversion.saturate { half::saturate::<H>(result) } else { result })
}

fn from_float<F: Integral + Widen>(conversion: Conversion, value: F) -> u64 {
    let Conversion { to, rounding, .. } = conversion;
    if !to.is_float() {
        let to = IntegerType { bits: to.bits(), signed: to.is_signed() };
        return convert::to_integer(value, rounding, to);
    }
    let value = if conversion.to_integral { convert::integral(value, rounding) } else { value };
    match to {
        Type::F64 => saturated(value.widen(), conversion).to_bits(),
        Type::F16 => to_half::<Binary16>(conversion, value.widen()),
        Type::Bf16 => to_half::<Bfloat16>(conversion, value.widen()),
        Type::Tf32 => {
            u64::from(convert::to_tf32(saturated(value.single(rounding), conversion), rounding))
        }
        _ => {
            let result = saturated(value.single(rounding), conversion);
            bits(if conversion.flush_subnormals { result.flush() } else { result })
        }
    }
}

fn to_half<H: Half>(conversion: Conversion, value: f64) -> u64 {
    let result = half::narrow::<H>(value, conversion.rounding);
    let result = if conversion.saturate { half::saturate::<H>(result) } else { result };
    u64::from(if conversion.relu { half::relu(result) } else { result })
}

fn saturated<F: Float>(value: F, conversion: Conversion) -> F {
    let value = if conversion.saturate { float::saturate(value) } else { value };
    // zero of either sign becomes +0
    if conversion.relu && value <= F::ZERO { F::ZERO } else { value }
}

fn bits(value: f32) -> u64 {
    u64::from(value.to_bits())
}

/// To the two native widths.
trait Widen {
    fn widen(self) -> f64;
    fn single(self, rounding: Rounding) -> f32;
}

impl Widen for f32 {
    fn widen(self) -> f64 {
        convert::widen(self)
    }
    fn single(self, _: Rounding) -> f32 {
        Self::canonical(self, [0.0; 3])
    }
}

impl Widen for f64 {
    fn widen(self) -> f64 {
        self
    }
    fn single(self, rounding: Rounding) -> f32 {
        convert::narrow(self, rounding)
    }
}

/// `cvt` of two values into one register; `a` is the upper one.
#[must_use]
pub fn packed(conversion: PackedConversion, a: u64, b: u64, c: u64) -> u64 {
    match conversion {
        PackedConversion::FromF32 { to: Type::Bf16x2, rounding, relu, saturate_finite } => {
            let half = |v| half_of_f32::<Bfloat16>(v, rounding, relu, saturate_finite);
            half(a) << 16 | half(b)
        }
        PackedConversion::FromF32 { rounding, relu, saturate_finite, .. } => {
            let half = |v| half_of_f32::<Binary16>(v, rounding, relu, saturate_finite);
            half(a) << 16 | half(b)
        }
        PackedConversion::FromS32 { to } => {
            let part = |v: u64| {
                let value = sign_extend(v, 32);
                let clamped = convert::saturate_integer(value, true, to.bits(), to.is_signed());
                zero_extend(clamped, to.bits())
            };
            let pair = part(a) << to.bits() | part(b);
            if to.bits() == 8 { pair | (c & 0xffff) << 16 } else { pair }
        }
    }
}

fn half_of_f32<H: Half>(value: u64, rounding: Rounding, relu: bool, finite: bool) -> u64 {
    let value = f64::from(f32::from_bits(value as u32));
    let result = half::narrow::<H>(value, rounding);
    let overflowed = finite && result & 0x7fff == H::INFINITY;
    let result = if overflowed { result - 1 } else { result };
    u64::from(if relu { half::relu(result) } else { result })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Conversion = Conversion {
        to: Type::S32,
        from: Type::S32,
        rounding: Rounding::NearestEven,
        to_integral: false,
        flush_subnormals: false,
        saturate: false,
        relu: false,
    };

    #[test]
    fn integers_are_cut_then_extended_by_the_result() {
        let narrow = Conversion { to: Type::S8, ..PLAIN };
        assert_eq!(convert(narrow, 32, 0x1ff), 0xffff_ffff);
        let narrow = Conversion { to: Type::U8, ..PLAIN };
        assert_eq!(convert(narrow, 32, 0x1ff), 0xff);
        let wide = Conversion { to: Type::S64, ..PLAIN };
        assert_eq!(convert(wide, 64, 0xffff_fffe), -2i64 as u64);
        let wide = Conversion { to: Type::U64, from: Type::S16, ..PLAIN };
        assert_eq!(convert(wide, 64, 0xffff_8000), 0xffff_ffff_ffff_8000);
        let clamp = Conversion { to: Type::U8, saturate: true, ..PLAIN };
        assert_eq!(convert(clamp, 32, 0xffff_ffff), 0);
        assert_eq!(convert(clamp, 32, 300), 255);
    }

    #[test]
    fn floats_round_to_integers_and_between_each_other() {
        let to_int = Conversion { from: Type::F32, rounding: Rounding::Down, ..PLAIN };
        assert_eq!(convert(to_int, 32, bits(-1.5)), -2i32 as u32 as u64);
        let to_byte =
            Conversion { to: Type::U8, from: Type::F32, rounding: Rounding::Zero, ..PLAIN };
        assert_eq!(convert(to_byte, 32, bits(300.0)), 255);
        let integral = Conversion { to: Type::F32, from: Type::F32, to_integral: true, ..PLAIN };
        assert_eq!(convert(integral, 32, bits(2.5)), bits(2.0));
        let narrow = Conversion { to: Type::F16, from: Type::F64, ..PLAIN };
        assert_eq!(convert(narrow, 16, 1.0f64.to_bits()), 0x3c00);
        let wide = Conversion { to: Type::F64, from: Type::F16, ..PLAIN };
        assert_eq!(convert(wide, 64, 0x0001), 2f64.powi(-24).to_bits());
        let flushed =
            Conversion { to: Type::F32, from: Type::F32, flush_subnormals: true, ..PLAIN };
        assert_eq!(convert(flushed, 32, bits(-1e-40)), 0x8000_0000);
    }

    #[test]
    fn packed_conversions_put_the_first_operand_on_top() {
        let halves = PackedConversion::FromF32 {
            to: Type::F16x2,
            rounding: Rounding::NearestEven,
            relu: false,
            saturate_finite: false,
        };
        assert_eq!(packed(halves, bits(1.0), bits(2.0), 0), 0x3c00_4000);
        let bytes = PackedConversion::FromS32 { to: Type::S8 };
        assert_eq!(packed(bytes, 200, -300i32 as u32 as u64, 0x1234_5678), 0x5678_7f80);
        let words = PackedConversion::FromS32 { to: Type::U16 };
        assert_eq!(packed(words, 70000, -1i32 as u32 as u64, 0), 0xffff_0000);
    }
}
