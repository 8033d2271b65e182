//! Floating-point operations by type, with their modifiers.

use mock_ptx::ir::{FloatBinary, FloatClass, FloatMode, FloatUnary, Type};

use crate::ops::float::{self, Float};
use crate::ops::half::{self, Bfloat16, Binary16, Half};
use crate::ops::{approx, convert};

/// See [`FloatUnary`].
#[must_use]
pub fn unary(op: FloatUnary, ty: Type, mode: FloatMode, a: u64) -> u64 {
    match ty {
        Type::F64 => unary_f64(op, mode, f64::from_bits(a)).to_bits(),
        Type::F16 => u64::from(unary_half::<Binary16>(op, mode, a as u16)),
        Type::Bf16 => u64::from(unary_half::<Bfloat16>(op, mode, a as u16)),
        Type::F16x2 => u64::from(half::each(a as u32, |a| unary_half::<Binary16>(op, mode, a))),
        Type::Bf16x2 => u64::from(half::each(a as u32, |a| unary_half::<Bfloat16>(op, mode, a))),
        _ => u64::from(unary_f32(op, mode, f32::from_bits(a as u32)).to_bits()),
    }
}

/// See [`FloatBinary`].
#[must_use]
pub fn binary(op: FloatBinary, ty: Type, mode: FloatMode, a: u64, b: u64) -> u64 {
    let (low, high) = (a as u32, b as u32);
    match ty {
        Type::F64 => {
            let result = native_binary(op, mode, f64::from_bits(a), f64::from_bits(b));
            finish(result, FloatMode { flush_subnormals: false, ..mode }).to_bits()
        }
        Type::F16 => u64::from(binary_half::<Binary16>(op, mode, a as u16, b as u16)),
        Type::Bf16 => u64::from(binary_half::<Bfloat16>(op, mode, a as u16, b as u16)),
        Type::F16x2 => {
            u64::from(half::each2(low, high, |a, b| binary_half::<Binary16>(op, mode, a, b)))
        }
        Type::Bf16x2 => {
            u64::from(half::each2(low, high, |a, b| binary_half::<Bfloat16>(op, mode, a, b)))
        }
        _ => u64::from(binary_f32(op, mode, f32::from_bits(low), f32::from_bits(high)).to_bits()),
    }
}

/// `fma`.
#[must_use]
pub fn fma(ty: Type, mode: FloatMode, a: u64, b: u64, c: u64) -> u64 {
    match ty {
        Type::F64 => {
            let [a, b, c] = [a, b, c].map(f64::from_bits);
            finish(float::fma(a, b, c, mode.rounding), mode).to_bits()
        }
        Type::F16 => u64::from(fma_half::<Binary16>(mode, a as u16, b as u16, c as u16)),
        Type::Bf16 => u64::from(fma_half::<Bfloat16>(mode, a as u16, b as u16, c as u16)),
        Type::F16x2 => u64::from(half::each3(a as u32, b as u32, c as u32, |a, b, c| {
            fma_half::<Binary16>(mode, a, b, c)
        })),
        Type::Bf16x2 => u64::from(half::each3(a as u32, b as u32, c as u32, |a, b, c| {
            fma_half::<Bfloat16>(mode, a, b, c)
        })),
        _ => {
            let [a, b, c] = [a, b, c].map(|bits| start(f32::from_bits(bits as u32), mode));
            u64::from(finish(float::fma(a, b, c, mode.rounding), mode).to_bits())
        }
    }
}

/// `testp`.
#[must_use]
pub fn test(class: FloatClass, ty: Type, a: u64) -> bool {
    match ty {
        Type::F64 => float::has_property(f64::from_bits(a), class),
        _ => float::has_property(f32::from_bits(a as u32), class),
    }
}

/// An operand as the modifiers let it in.
#[inline(always)]
pub fn start<F: Float>(value: F, mode: FloatMode) -> F {
    if mode.flush_subnormals { value.flush() } else { value }
}

/// A result as the modifiers let it out.
#[inline(always)]
pub fn finish<F: Float>(value: F, mode: FloatMode) -> F {
    let value = if mode.flush_subnormals { value.flush() } else { value };
    let value = if mode.saturate { float::saturate(value) } else { value };
    if mode.relu && value < F::ZERO { F::ZERO } else { value }
}

fn unary_f32(op: FloatUnary, mode: FloatMode, a: f32) -> f32 {
    let a = start(a, mode);
    let result = match op {
        FloatUnary::Neg => float::neg(a),
        FloatUnary::Abs => float::abs(a),
        FloatUnary::Reciprocal => float::rcp(a, mode.rounding),
        FloatUnary::ReciprocalApprox => float::rcp(a, FloatMode::DEFAULT.rounding),
        FloatUnary::SquareRoot => float::sqrt(a, mode.rounding),
        FloatUnary::SquareRootApprox => float::sqrt(a, FloatMode::DEFAULT.rounding),
        FloatUnary::ReciprocalSquareRootApprox => approx::rsqrt(a),
        FloatUnary::SineApprox => approx::sin(a),
        FloatUnary::CosineApprox => approx::cos(a),
        FloatUnary::Log2Approx => approx::lg2(a),
        FloatUnary::Exp2Approx => approx::ex2(a),
        FloatUnary::TanhApprox => approx::tanh(a),
    };
    finish(result, mode)
}

fn unary_f64(op: FloatUnary, mode: FloatMode, a: f64) -> f64 {
    let flush = mode.flush_subnormals;
    let result = match op {
        FloatUnary::Neg => float::neg(a),
        FloatUnary::Abs => float::abs(a),
        FloatUnary::Reciprocal => float::rcp(a, mode.rounding),
        FloatUnary::SquareRoot => float::sqrt(a, mode.rounding),
        FloatUnary::ReciprocalApprox => approx::rcp_upper_word_f64(a),
        FloatUnary::ReciprocalSquareRootApprox if flush => approx::rsqrt_upper_word_f64(a),
        FloatUnary::ReciprocalSquareRootApprox => approx::rsqrt_f64(a),
        FloatUnary::SquareRootApprox => float::sqrt(a, FloatMode::DEFAULT.rounding),
        FloatUnary::SineApprox
        | FloatUnary::CosineApprox
        | FloatUnary::Log2Approx
        | FloatUnary::Exp2Approx
        | FloatUnary::TanhApprox => unreachable!("the front end refuses {op:?} of f64"),
    };
    finish(result, FloatMode { flush_subnormals: false, ..mode })
}

/// The approximate functions of halves go through `f32`.
fn unary_half<H: Half>(op: FloatUnary, mode: FloatMode, a: u16) -> u16 {
    let a = start_half::<H>(a, mode);
    let result = match op {
        FloatUnary::Neg => half::neg::<H>(a),
        FloatUnary::Abs => half::abs::<H>(a),
        _ => {
            let wide = unary_f32(op, FloatMode::DEFAULT, H::widen(a));
            half::nearest::<H>(f64::from(wide))
        }
    };
    finish_half::<H>(result, mode)
}

fn binary_f32(op: FloatBinary, mode: FloatMode, a: f32, b: f32) -> f32 {
    let (a, b) = (start(a, mode), start(b, mode));
    let result = match op {
        FloatBinary::DivideApprox => approx::div(a, b),
        _ => native_binary(op, mode, a, b),
    };
    finish(result, mode)
}

fn native_binary<F: Float>(op: FloatBinary, mode: FloatMode, a: F, b: F) -> F {
    match op {
        FloatBinary::Add => float::add(a, b, mode.rounding),
        FloatBinary::Sub => float::sub(a, b, mode.rounding),
        FloatBinary::Mul => float::mul(a, b, mode.rounding),
        FloatBinary::Divide => float::div(a, b, mode.rounding),
        FloatBinary::DivideApprox | FloatBinary::DivideFull => {
            float::div(a, b, FloatMode::DEFAULT.rounding)
        }
        FloatBinary::Min { propagate_nan, xor_sign } => {
            signed_extreme(a, b, xor_sign, if propagate_nan { float::min_nan } else { float::min })
        }
        FloatBinary::Max { propagate_nan, xor_sign } => {
            signed_extreme(a, b, xor_sign, if propagate_nan { float::max_nan } else { float::max })
        }
        FloatBinary::CopySign => float::copysign(a, b),
    }
}

/// `.xorsign.abs`: the extreme of the magnitudes, with the sign of the product.
fn signed_extreme<F: Float>(a: F, b: F, xor_sign: bool, extreme: fn(F, F) -> F) -> F {
    if !xor_sign {
        return extreme(a, b);
    }
    let result = extreme(a.magnitude(), b.magnitude());
    let sign = (a.bits() ^ b.bits()) & (1 << (F::FORMAT.width() - 1));
    if result.nan() { result } else { F::from_low_bits(result.bits() | sign) }
}

fn start_half<H: Half>(a: u16, mode: FloatMode) -> u16 {
    if mode.flush_subnormals { half::flush::<H>(a) } else { a }
}

fn finish_half<H: Half>(result: u16, mode: FloatMode) -> u16 {
    let result = if mode.flush_subnormals { half::flush::<H>(result) } else { result };
    let result = if mode.saturate { half::saturate::<H>(result) } else { result };
    if mode.relu { half::relu(result) } else { result }
}

fn binary_half<H: Half>(op: FloatBinary, mode: FloatMode, a: u16, b: u16) -> u16 {
    let (a, b) = (start_half::<H>(a, mode), start_half::<H>(b, mode));
    let result = match op {
        FloatBinary::Add => half::add::<H>(a, b),
        FloatBinary::Sub => half::sub::<H>(a, b),
        FloatBinary::Mul => half::mul::<H>(a, b),
        _ => {
            let wide = native_binary(op, FloatMode::DEFAULT, H::widen(a), H::widen(b));
            half::nearest::<H>(convert::widen(wide))
        }
    };
    finish_half::<H>(result, mode)
}

fn fma_half<H: Half>(mode: FloatMode, a: u16, b: u16, c: u16) -> u16 {
    let [a, b, c] = [a, b, c].map(|bits| start_half::<H>(bits, mode));
    finish_half::<H>(half::fma::<H>(a, b, c), mode)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mock_ptx::ir::Rounding;

    const PLAIN: FloatMode = FloatMode::DEFAULT;
    const FLUSH: FloatMode = FloatMode { flush_subnormals: true, ..PLAIN };

    fn bits(value: f32) -> u64 {
        u64::from(value.to_bits())
    }

    #[test]
    fn flushing_applies_to_operands_and_results() {
        let tiny = bits(1e-40);
        assert_eq!(binary(FloatBinary::Add, Type::F32, PLAIN, tiny, 0), tiny);
        assert_eq!(binary(FloatBinary::Add, Type::F32, FLUSH, tiny, 0), 0);
        let product = binary(FloatBinary::Mul, Type::F32, FLUSH, bits(1e-30), bits(-1e-9));
        assert_eq!(product, 0x8000_0000);
        assert_eq!(fma(Type::F32, FLUSH, tiny, bits(1e10), bits(1.0)), bits(1.0));
        assert_eq!(
            unary(FloatUnary::ReciprocalApprox, Type::F32, FLUSH, tiny),
            bits(f32::INFINITY)
        );
    }

    #[test]
    fn saturation_and_relu_come_last() {
        let saturate = FloatMode { saturate: true, ..PLAIN };
        let relu = FloatMode { relu: true, ..PLAIN };
        assert_eq!(
            binary(FloatBinary::Add, Type::F32, saturate, bits(0.75), bits(0.75)),
            bits(1.0)
        );
        assert_eq!(fma(Type::F16, relu, 0xbc00, 0x3c00, 0), 0);
        assert_eq!(fma(Type::F16x2, relu, 0x3c00_bc00, 0x3c00_3c00, 0), 0x3c00_0000);
        assert_eq!(fma(Type::F16, saturate, 0x4000, 0x3c00, 0), 0x3c00);
    }

    #[test]
    fn extremes_with_xor_of_signs_compare_magnitudes() {
        let op = FloatBinary::Max { propagate_nan: false, xor_sign: true };
        assert_eq!(binary(op, Type::F32, PLAIN, bits(-3.0), bits(2.0)), bits(-3.0));
        assert_eq!(binary(op, Type::F32, PLAIN, bits(-3.0), bits(-4.0)), bits(4.0));
        let op = FloatBinary::Min { propagate_nan: true, xor_sign: false };
        assert_eq!(binary(op, Type::F32, PLAIN, bits(f32::NAN), bits(2.0)), 0x7fff_ffff);
        assert_eq!(binary(op, Type::Bf16, PLAIN, 0x7fc0, 0x3f80), 0x7fff);
    }

    #[test]
    fn directed_rounding_reaches_every_native_operation() {
        let up = FloatMode { rounding: Rounding::Up, ..PLAIN };
        let third = binary(FloatBinary::Divide, Type::F32, up, bits(1.0), bits(3.0));
        assert_eq!(third, bits((1.0f32 / 3.0).max(0.333_333_34)));
        let down = FloatMode { rounding: Rounding::Down, ..PLAIN };
        let lower = binary(FloatBinary::Divide, Type::F32, down, bits(1.0), bits(3.0));
        assert_eq!(lower + 1, third);
        let root = unary(FloatUnary::SquareRoot, Type::F64, down, 2f64.to_bits());
        assert_eq!(f64::from_bits(root), 2f64.sqrt().next_down());
    }
}
