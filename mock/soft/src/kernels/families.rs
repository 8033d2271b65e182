//! The families: operations by the widths of their operands and result.

use mock_ptx::ir::{Comparison, Rounding, ShiftWrap};

use super::chunk::{self, Chunk, View, map1, map2, map3, test2};
use crate::limits::WARP_LANES;
use crate::ops::compare::holds;
use crate::ops::convert::{self, IntegerType};
use crate::ops::float::{self, Float};
use crate::ops::int::Integer;
use crate::ops::{approx, bits};

const NEAREST: Rounding = Rounding::NearestEven;
const S32: IntegerType = IntegerType { bits: 32, signed: true };
const U32: IntegerType = IntegerType { bits: 32, signed: false };
const S64: IntegerType = IntegerType { bits: 64, signed: true };
const U64: IntegerType = IntegerType { bits: 64, signed: false };

#[inline(always)]
fn f32_of(bits: u32) -> f32 {
    f32::from_bits(bits)
}

#[inline(always)]
fn f64_of(bits: u64) -> f64 {
    f64::from_bits(bits)
}

#[inline(always)]
fn flushed(flush: bool, value: f32) -> f32 {
    if flush { value.flush() } else { value }
}

/// Runs `$body` with `$r` as a constant, so that each loop has one rounding in it.
macro_rules! by_rounding {
    ($rounding:expr, |$r:ident| $body:expr) => {
        match $rounding {
            Rounding::NearestEven => {
                const $r: Rounding = Rounding::NearestEven;
                $body
            }
            Rounding::NearestAway => {
                const $r: Rounding = Rounding::NearestAway;
                $body
            }
            Rounding::Zero => {
                const $r: Rounding = Rounding::Zero;
                $body
            }
            Rounding::Down => {
                const $r: Rounding = Rounding::Down;
                $body
            }
            Rounding::Up => {
                const $r: Rounding = Rounding::Up;
                $body
            }
        }
    };
}
/// 32 bits to 32 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the operation of the IR of that name")]
pub enum Unary32 {
    Copy,
    Neg,
    Abs,
    Not,
    Cnot,
    Popc,
    Clz,
    Brev,
    NegF { flush: bool },
    AbsF { flush: bool },
    Rcp { flush: bool },
    Sqrt { flush: bool },
    Rsqrt { flush: bool },
    Exp2 { flush: bool },
    Log2 { flush: bool },
    Sin { flush: bool },
    Cos { flush: bool },
    Tanh,
    SignedToF,
    UnsignedToF,
    FToSigned(Rounding, bool),
    FToUnsigned(Rounding, bool),
    Integral(Rounding, bool),
    SignExtend8,
    SignExtend16,
    ZeroExtend8,
    ZeroExtend16,
}

/// [`Unary32`].
#[inline(always)]
pub fn unary32(op: Unary32, d: &mut [Chunk<u32>], a: View<'_, u32>) {
    macro_rules! float {
        ($flush:expr, |$x:ident| $body:expr) => {
            if $flush {
                map1(d, a, |bits| {
                    let $x = f32_of(bits).flush();
                    ($body).flush().to_bits()
                })
            } else {
                map1(d, a, |bits| {
                    let $x = f32_of(bits);
                    ($body).to_bits()
                })
            }
        };
    }
    match op {
        Unary32::Copy => map1(d, a, |a| a),
        Unary32::Neg => map1(d, a, |a| 0u32.wrapping_sub(a)),
        Unary32::Abs => map1(d, a, |a| (a as i32).magnitude() as u32),
        Unary32::Not => map1(d, a, |a: u32| !a),
        Unary32::Cnot => map1(d, a, |a| u32::from(a == 0)),
        Unary32::Popc => map1(d, a, u32::count_ones),
        Unary32::Clz => map1(d, a, u32::leading_zeros),
        Unary32::Brev => map1(d, a, u32::reverse_bits),
        Unary32::NegF { flush } => float!(flush, |x| float::neg(x)),
        Unary32::AbsF { flush } => float!(flush, |x| float::abs(x)),
        Unary32::Rcp { flush } => float!(flush, |x| float::rcp(x, NEAREST)),
        Unary32::Sqrt { flush } => float!(flush, |x| float::sqrt(x, NEAREST)),
        Unary32::Rsqrt { flush } => float!(flush, |x| approx::rsqrt(x)),
        Unary32::Exp2 { flush } => float!(flush, |x| approx::ex2(x)),
        Unary32::Log2 { flush } => float!(flush, |x| approx::lg2(x)),
        Unary32::Sin { flush } => float!(flush, |x| approx::sin(x)),
        Unary32::Cos { flush } => float!(flush, |x| approx::cos(x)),
        Unary32::Tanh => float!(false, |x| approx::tanh(x)),
        Unary32::SignedToF => map1(d, a, |a| (a as i32 as f32).to_bits()),
        Unary32::UnsignedToF => map1(d, a, |a| (a as f32).to_bits()),
        Unary32::FToSigned(rounding, flush) => to_integer(d, a, rounding, flush, S32),
        Unary32::FToUnsigned(rounding, flush) => to_integer(d, a, rounding, flush, U32),
        Unary32::Integral(rounding, flush) => {
            by_rounding!(rounding, |R| map1(d, a, |a| {
                let value = convert::integral(flushed(flush, f32_of(a)), R);
                flushed(flush, value).to_bits()
            }))
        }
        Unary32::SignExtend8 => map1(d, a, |a| a as i8 as u32),
        Unary32::SignExtend16 => map1(d, a, |a| a as i16 as u32),
        Unary32::ZeroExtend8 => map1(d, a, |a| a & 0xff),
        Unary32::ZeroExtend16 => map1(d, a, |a| a & 0xffff),
    }
}

#[inline(always)]
fn to_integer(
    d: &mut [Chunk<u32>],
    a: View<'_, u32>,
    rounding: Rounding,
    flush: bool,
    to: IntegerType,
) {
    by_rounding!(rounding, |R| map1(d, a, |a| {
        convert::to_integer(flushed(flush, f32_of(a)), R, to) as u32
    }))
}

/// Two of 32 bits to 32 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the operation of the IR of that name")]
pub enum Binary32 {
    Add,
    Sub,
    MulLo,
    MulHiS,
    MulHiU,
    DivS,
    DivU,
    RemS,
    RemU,
    MinS,
    MinU,
    MaxS,
    MaxU,
    And,
    Or,
    Xor,
    Shl,
    ShrS,
    ShrU,
    AddF { flush: bool },
    SubF { flush: bool },
    MulF { flush: bool },
    DivF { flush: bool },
    DivApproxF { flush: bool },
    MinF { flush: bool },
    MaxF { flush: bool },
}

/// [`Binary32`].
#[inline(always)]
pub fn binary32(op: Binary32, d: &mut [Chunk<u32>], a: View<'_, u32>, b: View<'_, u32>) {
    macro_rules! float {
        ($flush:expr, |$x:ident, $y:ident| $body:expr) => {
            if $flush {
                map2(d, a, b, |a, b| {
                    let ($x, $y) = (f32_of(a).flush(), f32_of(b).flush());
                    ($body).flush().to_bits()
                })
            } else {
                map2(d, a, b, |a, b| {
                    let ($x, $y) = (f32_of(a), f32_of(b));
                    ($body).to_bits()
                })
            }
        };
    }
    match op {
        Binary32::Add => map2(d, a, b, |a: u32, b| a.wrapping_add(b)),
        Binary32::Sub => map2(d, a, b, |a: u32, b| a.wrapping_sub(b)),
        Binary32::MulLo => map2(d, a, b, |a: u32, b| a.wrapping_mul(b)),
        Binary32::MulHiS => map2(d, a, b, |a, b| (a as i32).mul_hi(b as i32) as u32),
        Binary32::MulHiU => map2(d, a, b, |a: u32, b| a.mul_hi(b)),
        Binary32::DivS => map2(d, a, b, |a, b| (a as i32).div(b as i32) as u32),
        Binary32::DivU => map2(d, a, b, |a: u32, b| a.div(b)),
        Binary32::RemS => map2(d, a, b, |a, b| (a as i32).rem(b as i32) as u32),
        Binary32::RemU => map2(d, a, b, |a: u32, b| a.rem(b)),
        Binary32::MinS => map2(d, a, b, |a, b| (a as i32).min(b as i32) as u32),
        Binary32::MinU => map2(d, a, b, |a: u32, b| a.min(b)),
        Binary32::MaxS => map2(d, a, b, |a, b| (a as i32).max(b as i32) as u32),
        Binary32::MaxU => map2(d, a, b, |a: u32, b| a.max(b)),
        Binary32::And => map2(d, a, b, |a, b| a & b),
        Binary32::Or => map2(d, a, b, |a, b| a | b),
        Binary32::Xor => map2(d, a, b, |a, b| a ^ b),
        Binary32::Shl => map2(d, a, b, |a: u32, b| a.shl(b)),
        Binary32::ShrS => map2(d, a, b, |a, b| (a as i32).shr(b) as u32),
        Binary32::ShrU => map2(d, a, b, |a: u32, b| a.shr(b)),
        Binary32::AddF { flush } => float!(flush, |x, y| float::add(x, y, NEAREST)),
        Binary32::SubF { flush } => float!(flush, |x, y| float::sub(x, y, NEAREST)),
        Binary32::MulF { flush } => float!(flush, |x, y| float::mul(x, y, NEAREST)),
        Binary32::DivF { flush } => float!(flush, |x, y| float::div(x, y, NEAREST)),
        Binary32::DivApproxF { flush } => float!(flush, |x, y| approx::div(x, y)),
        Binary32::MinF { flush } => float!(flush, |x, y| float::min(x, y)),
        Binary32::MaxF { flush } => float!(flush, |x, y| float::max(x, y)),
    }
}

/// Three of 32 bits to 32 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the operation of the IR of that name")]
pub enum Ternary32 {
    MadLo,
    FmaF { flush: bool },
    Lop3(u8),
    FunnelLeft(ShiftWrap),
    FunnelRight(ShiftWrap),
    ExtractU,
    ExtractS,
    SadS,
    SadU,
}

/// [`Ternary32`].
#[inline(always)]
pub fn ternary32(
    op: Ternary32,
    d: &mut [Chunk<u32>],
    a: View<'_, u32>,
    b: View<'_, u32>,
    c: View<'_, u32>,
) {
    match op {
        Ternary32::MadLo => map3(d, a, b, c, |a: u32, b, c| a.wrapping_mul(b).wrapping_add(c)),
        Ternary32::FmaF { flush: false } => map3(d, a, b, c, |a, b, c| {
            float::fma(f32_of(a), f32_of(b), f32_of(c), NEAREST).to_bits()
        }),
        Ternary32::FmaF { flush: true } => map3(d, a, b, c, |a, b, c| {
            let [a, b, c] = [a, b, c].map(|bits| f32_of(bits).flush());
            float::fma(a, b, c, NEAREST).flush().to_bits()
        }),
        Ternary32::Lop3(table) => map3(d, a, b, c, |a, b, c| bits::logic3(a, b, c, table)),
        Ternary32::FunnelLeft(ShiftWrap::Clamp) => {
            map3(d, a, b, c, |a, b, c| bits::funnel_left(a, b, c, ShiftWrap::Clamp));
        }
        Ternary32::FunnelLeft(ShiftWrap::Wrap) => {
            map3(d, a, b, c, |a, b, c| bits::funnel_left(a, b, c, ShiftWrap::Wrap));
        }
        Ternary32::FunnelRight(ShiftWrap::Clamp) => {
            map3(d, a, b, c, |a, b, c| bits::funnel_right(a, b, c, ShiftWrap::Clamp));
        }
        Ternary32::FunnelRight(ShiftWrap::Wrap) => {
            map3(d, a, b, c, |a, b, c| bits::funnel_right(a, b, c, ShiftWrap::Wrap));
        }
        Ternary32::ExtractU => {
            map3(d, a, b, c, |a, b, c| bits::extract_unsigned(a.into(), b, c, 32) as u32);
        }
        Ternary32::ExtractS => {
            map3(d, a, b, c, |a, b, c| bits::extract_signed(a.into(), b, c, 32) as u32);
        }
        Ternary32::SadS => map3(d, a, b, c, |a, b, c| (a as i32).sad(b as i32, c as i32) as u32),
        Ternary32::SadU => map3(d, a, b, c, |a: u32, b, c| a.sad(b, c)),
    }
}

/// 64 bits to 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the operation of the IR of that name")]
pub enum Unary64 {
    Copy,
    Neg,
    Abs,
    Not,
    Brev,
    NegF,
    AbsF,
    Rcp,
    Sqrt,
    SignedToF,
    UnsignedToF,
    FToSigned(Rounding),
    FToUnsigned(Rounding),
    Integral(Rounding),
    SignExtend8,
    SignExtend16,
    SignExtend32,
    ZeroExtend32,
}

/// [`Unary64`].
#[inline(always)]
pub fn unary64(op: Unary64, d: &mut [Chunk<u64>], a: View<'_, u64>) {
    match op {
        Unary64::Copy => map1(d, a, |a| a),
        Unary64::Neg => map1(d, a, |a| 0u64.wrapping_sub(a)),
        Unary64::Abs => map1(d, a, |a| (a as i64).magnitude() as u64),
        Unary64::Not => map1(d, a, |a: u64| !a),
        Unary64::Brev => map1(d, a, u64::reverse_bits),
        Unary64::NegF => map1(d, a, |a| float::neg(f64_of(a)).to_bits()),
        Unary64::AbsF => map1(d, a, |a| float::abs(f64_of(a)).to_bits()),
        Unary64::Rcp => map1(d, a, |a| float::rcp(f64_of(a), NEAREST).to_bits()),
        Unary64::Sqrt => map1(d, a, |a| float::sqrt(f64_of(a), NEAREST).to_bits()),
        Unary64::SignedToF => map1(d, a, |a| (a as i64 as f64).to_bits()),
        Unary64::UnsignedToF => map1(d, a, |a| (a as f64).to_bits()),
        Unary64::FToSigned(rounding) => {
            by_rounding!(rounding, |R| map1(d, a, |a| { convert::to_integer(f64_of(a), R, S64) }))
        }
        Unary64::FToUnsigned(rounding) => {
            by_rounding!(rounding, |R| map1(d, a, |a| { convert::to_integer(f64_of(a), R, U64) }))
        }
        Unary64::Integral(rounding) => by_rounding!(rounding, |R| map1(d, a, |a| {
            convert::integral(f64_of(a), R).to_bits()
        })),
        Unary64::SignExtend8 => map1(d, a, |a| a as i8 as u64),
        Unary64::SignExtend16 => map1(d, a, |a| a as i16 as u64),
        Unary64::SignExtend32 => map1(d, a, |a| a as i32 as u64),
        Unary64::ZeroExtend32 => map1(d, a, |a| a & 0xffff_ffff),
    }
}

/// Two of 64 bits to 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the operation of the IR of that name")]
pub enum Binary64 {
    Add,
    Sub,
    MulLo,
    MulHiS,
    MulHiU,
    DivS,
    DivU,
    RemS,
    RemU,
    MinS,
    MinU,
    MaxS,
    MaxU,
    And,
    Or,
    Xor,
    AddF,
    SubF,
    MulF,
    DivF,
    MinF,
    MaxF,
}

/// [`Binary64`].
#[inline(always)]
pub fn binary64(op: Binary64, d: &mut [Chunk<u64>], a: View<'_, u64>, b: View<'_, u64>) {
    macro_rules! float {
        (|$x:ident, $y:ident| $body:expr) => {
            map2(d, a, b, |a, b| {
                let ($x, $y) = (f64_of(a), f64_of(b));
                ($body).to_bits()
            })
        };
    }
    match op {
        Binary64::Add => map2(d, a, b, |a: u64, b| a.wrapping_add(b)),
        Binary64::Sub => map2(d, a, b, |a: u64, b| a.wrapping_sub(b)),
        Binary64::MulLo => map2(d, a, b, |a: u64, b| a.wrapping_mul(b)),
        Binary64::MulHiS => map2(d, a, b, |a, b| (a as i64).mul_hi(b as i64) as u64),
        Binary64::MulHiU => map2(d, a, b, |a: u64, b| a.mul_hi(b)),
        Binary64::DivS => map2(d, a, b, |a, b| (a as i64).div(b as i64) as u64),
        Binary64::DivU => map2(d, a, b, |a: u64, b| a.div(b)),
        Binary64::RemS => map2(d, a, b, |a, b| (a as i64).rem(b as i64) as u64),
        Binary64::RemU => map2(d, a, b, |a: u64, b| a.rem(b)),
        Binary64::MinS => map2(d, a, b, |a, b| (a as i64).min(b as i64) as u64),
        Binary64::MinU => map2(d, a, b, |a: u64, b| a.min(b)),
        Binary64::MaxS => map2(d, a, b, |a, b| (a as i64).max(b as i64) as u64),
        Binary64::MaxU => map2(d, a, b, |a: u64, b| a.max(b)),
        Binary64::And => map2(d, a, b, |a, b| a & b),
        Binary64::Or => map2(d, a, b, |a, b| a | b),
        Binary64::Xor => map2(d, a, b, |a, b| a ^ b),
        Binary64::AddF => float!(|x, y| float::add(x, y, NEAREST)),
        Binary64::SubF => float!(|x, y| float::sub(x, y, NEAREST)),
        Binary64::MulF => float!(|x, y| float::mul(x, y, NEAREST)),
        Binary64::DivF => float!(|x, y| float::div(x, y, NEAREST)),
        Binary64::MinF => float!(|x, y| float::min(x, y)),
        Binary64::MaxF => float!(|x, y| float::max(x, y)),
    }
}

/// Shifts of 64 bits by 32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the operation of the IR of that name")]
pub enum Shift64 {
    Shl,
    ShrS,
    ShrU,
}

/// [`Shift64`].
#[inline(always)]
pub fn shift64(op: Shift64, d: &mut [Chunk<u64>], a: View<'_, u64>, b: View<'_, u32>) {
    match op {
        Shift64::Shl => map2(d, a, b, |a: u64, b| a.shl(b)),
        Shift64::ShrS => map2(d, a, b, |a, b| (a as i64).shr(b) as u64),
        Shift64::ShrU => map2(d, a, b, |a: u64, b| a.shr(b)),
    }
}

/// Three of 64 bits to 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the operation of the IR of that name")]
pub enum Ternary64 {
    MadLo,
    FmaF,
}

/// [`Ternary64`].
#[inline(always)]
pub fn ternary64(
    op: Ternary64,
    d: &mut [Chunk<u64>],
    a: View<'_, u64>,
    b: View<'_, u64>,
    c: View<'_, u64>,
) {
    match op {
        Ternary64::MadLo => map3(d, a, b, c, |a: u64, b, c| a.wrapping_mul(b).wrapping_add(c)),
        Ternary64::FmaF => map3(d, a, b, c, |a, b, c| {
            float::fma(f64_of(a), f64_of(b), f64_of(c), NEAREST).to_bits()
        }),
    }
}

/// 32 bits to 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the conversion of the IR of that name")]
pub enum Widen {
    Signed,
    Unsigned,
    F32ToF64,
    SignedToF64,
    UnsignedToF64,
    F32ToSigned(Rounding),
    F32ToUnsigned(Rounding),
}

/// [`Widen`].
#[inline(always)]
pub fn widen(op: Widen, d: &mut [Chunk<u64>], a: View<'_, u32>) {
    match op {
        Widen::Signed => map1(d, a, |a| a as i32 as u64),
        Widen::Unsigned => map1(d, a, u64::from),
        Widen::F32ToF64 => map1(d, a, |a| convert::widen(f32_of(a)).to_bits()),
        Widen::SignedToF64 => map1(d, a, |a| f64::from(a as i32).to_bits()),
        Widen::UnsignedToF64 => map1(d, a, |a| f64::from(a).to_bits()),
        Widen::F32ToSigned(rounding) => {
            by_rounding!(rounding, |R| map1(d, a, |a| { convert::to_integer(f32_of(a), R, S64) }))
        }
        Widen::F32ToUnsigned(rounding) => {
            by_rounding!(rounding, |R| map1(d, a, |a| { convert::to_integer(f32_of(a), R, U64) }))
        }
    }
}

/// 64 bits to 32 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the conversion of the IR of that name")]
pub enum Narrow {
    Low,
    High,
    F64ToF32,
    F64ToSigned(Rounding),
    F64ToUnsigned(Rounding),
    SignedToF32,
    UnsignedToF32,
    Popc,
    Clz,
}

/// [`Narrow`].
#[inline(always)]
pub fn narrow(op: Narrow, d: &mut [Chunk<u32>], a: View<'_, u64>) {
    match op {
        Narrow::Low => map1(d, a, |a| a as u32),
        Narrow::High => map1(d, a, |a| (a >> 32) as u32),
        Narrow::F64ToF32 => map1(d, a, |a| convert::narrow(f64_of(a), NEAREST).to_bits()),
        Narrow::F64ToSigned(rounding) => by_rounding!(rounding, |R| map1(d, a, |a| {
            convert::to_integer(f64_of(a), R, S32) as u32
        })),
        Narrow::F64ToUnsigned(rounding) => by_rounding!(rounding, |R| map1(d, a, |a| {
            convert::to_integer(f64_of(a), R, U32) as u32
        })),
        Narrow::SignedToF32 => map1(d, a, |a| (a as i64 as f32).to_bits()),
        Narrow::UnsignedToF32 => map1(d, a, |a| (a as f32).to_bits()),
        Narrow::Popc => map1(d, a, u64::count_ones),
        Narrow::Clz => map1(d, a, u64::leading_zeros),
    }
}

/// Two of 32 bits to 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the operation of the IR of that name")]
pub enum Wide {
    MulS,
    MulU,
    Join,
}

/// [`Wide`].
#[inline(always)]
pub fn wide(op: Wide, d: &mut [Chunk<u64>], a: View<'_, u32>, b: View<'_, u32>) {
    match op {
        Wide::MulS => map2(d, a, b, |a, b| (a as i32).mul_wide(b as i32) as u64),
        Wide::MulU => map2(d, a, b, |a: u32, b| a.mul_wide(b)),
        Wide::Join => map2(d, a, b, |a, b| u64::from(a) | u64::from(b) << 32),
    }
}

/// `mad.wide`.
#[inline(always)]
pub fn mad_wide(
    signed: bool,
    d: &mut [Chunk<u64>],
    a: View<'_, u32>,
    b: View<'_, u32>,
    c: View<'_, u64>,
) {
    if signed {
        map3(d, a, b, c, |a, b, c: u64| ((a as i32).mul_wide(b as i32) as u64).wrapping_add(c));
    } else {
        map3(d, a, b, c, |a: u32, b, c| a.mul_wide(b).wrapping_add(c));
    }
}

/// 16 bits and 32 bits, to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the conversion of the IR of that name")]
pub enum Widen16 {
    Signed,
    Unsigned,
    Signed8,
    Unsigned8,
}

/// [`Widen16`].
#[inline(always)]
pub fn widen16(op: Widen16, d: &mut [Chunk<u32>], a: View<'_, u16>) {
    match op {
        Widen16::Signed => map1(d, a, |a| a as i16 as u32),
        Widen16::Unsigned => map1(d, a, u32::from),
        Widen16::Signed8 => map1(d, a, |a| a as i8 as u32),
        Widen16::Unsigned8 => map1(d, a, |a| u32::from(a as u8)),
    }
}

/// 16 bits.
#[inline(always)]
pub fn copy16(d: &mut [Chunk<u16>], a: View<'_, u16>) {
    map1(d, a, |a| a);
}

/// The low 16 bits of 32.
#[inline(always)]
pub fn narrow16(d: &mut [Chunk<u16>], a: View<'_, u32>) {
    map1(d, a, |a| a as u16);
}

/// How the operands of a comparison of 32 bits are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is a kind of number")]
pub enum Numbers {
    Signed,
    Unsigned,
    Float { flush: bool },
}

/// Runs `$body` with `$c` as a constant, so that each loop has one comparison in it.
macro_rules! by_comparison {
    ($comparison:expr, |$c:ident| $body:expr; $($variant:ident)*) => {
        match $comparison {
            $(Comparison::$variant => {
                const $c: Comparison = Comparison::$variant;
                $body
            })*
        }
    };
}

/// The plain six, of which integers have no others.
#[inline(always)]
const fn ordered(comparison: Comparison) -> Comparison {
    match comparison {
        Comparison::Equ => Comparison::Eq,
        Comparison::Neu => Comparison::Ne,
        Comparison::Ltu => Comparison::Lt,
        Comparison::Leu => Comparison::Le,
        Comparison::Gtu => Comparison::Gt,
        Comparison::Geu => Comparison::Ge,
        plain => plain,
    }
}

/// The lanes whose 32-bit operands compare so.
#[inline(always)]
pub fn compare32(
    comparison: Comparison,
    numbers: Numbers,
    d: &mut [u32],
    a: View<'_, u32>,
    b: View<'_, u32>,
) {
    match numbers {
        Numbers::Signed => by_comparison!(ordered(comparison), |C| test2(d, a, b, |a, b| {
            holds(C, a as i32, b as i32)
        }); Eq Ne Lt Le Gt Ge Equ Neu Ltu Leu Gtu Geu Num Nan),
        Numbers::Unsigned => by_comparison!(ordered(comparison), |C| test2(d, a, b, |a: u32, b| {
            holds(C, a, b)
        }); Eq Ne Lt Le Gt Ge Equ Neu Ltu Leu Gtu Geu Num Nan),
        Numbers::Float { flush: false } => by_comparison!(comparison, |C| test2(d, a, b, |a, b| {
            holds(C, f32_of(a), f32_of(b))
        }); Eq Ne Lt Le Gt Ge Equ Neu Ltu Leu Gtu Geu Num Nan),
        Numbers::Float { flush: true } => by_comparison!(comparison, |C| test2(d, a, b, |a, b| {
            holds(C, f32_of(a).flush(), f32_of(b).flush())
        }); Eq Ne Lt Le Gt Ge Equ Neu Ltu Leu Gtu Geu Num Nan),
    }
}

/// The lanes whose 64-bit operands compare so.
#[inline(always)]
pub fn compare64(
    comparison: Comparison,
    numbers: Numbers,
    d: &mut [u32],
    a: View<'_, u64>,
    b: View<'_, u64>,
) {
    match numbers {
        Numbers::Signed => by_comparison!(ordered(comparison), |C| test2(d, a, b, |a, b| {
            holds(C, a as i64, b as i64)
        }); Eq Ne Lt Le Gt Ge Equ Neu Ltu Leu Gtu Geu Num Nan),
        Numbers::Unsigned => by_comparison!(ordered(comparison), |C| test2(d, a, b, |a: u64, b| {
            holds(C, a, b)
        }); Eq Ne Lt Le Gt Ge Equ Neu Ltu Leu Gtu Geu Num Nan),
        Numbers::Float { .. } => by_comparison!(comparison, |C| test2(d, a, b, |a, b| {
            holds(C, f64_of(a), f64_of(b))
        }); Eq Ne Lt Le Gt Ge Equ Neu Ltu Leu Gtu Geu Num Nan),
    }
}

/// The lanes whose 16-bit operands compare so, as integers.
#[inline(always)]
pub fn compare16(
    comparison: Comparison,
    signed: bool,
    d: &mut [u32],
    a: View<'_, u16>,
    b: View<'_, u16>,
) {
    if signed {
        by_comparison!(ordered(comparison), |C| test2(d, a, b, |a, b| {
            holds(C, a as i16, b as i16)
        }); Eq Ne Lt Le Gt Ge Equ Neu Ltu Leu Gtu Geu Num Nan);
    } else {
        by_comparison!(ordered(comparison), |C| test2(d, a, b, |a: u16, b| {
            holds(C, a, b)
        }); Eq Ne Lt Le Gt Ge Equ Neu Ltu Leu Gtu Geu Num Nan);
    }
}

/// `selp` of 16 bits.
#[inline(always)]
pub fn choose16(d: &mut [Chunk<u16>], masks: &[u32], a: View<'_, u16>, b: View<'_, u16>) {
    chunk::choose(d, masks, a, b);
}

/// `selp` of 32 bits.
#[inline(always)]
pub fn choose32(d: &mut [Chunk<u32>], masks: &[u32], a: View<'_, u32>, b: View<'_, u32>) {
    chunk::choose(d, masks, a, b);
}

/// `selp` of 64 bits.
#[inline(always)]
pub fn choose64(d: &mut [Chunk<u64>], masks: &[u32], a: View<'_, u64>, b: View<'_, u64>) {
    chunk::choose(d, masks, a, b);
}

/// Writes the lanes whose bit is set, of 16 bits.
#[inline(always)]
pub fn blend16(d: &mut [Chunk<u16>], masks: &[u32], a: &[Chunk<u16>]) {
    chunk::blend(d, masks, a);
}

/// Writes the lanes whose bit is set, of 32 bits.
#[inline(always)]
pub fn blend32(d: &mut [Chunk<u32>], masks: &[u32], a: &[Chunk<u32>]) {
    chunk::blend(d, masks, a);
}

/// Writes the lanes whose bit is set, of 64 bits.
#[inline(always)]
pub fn blend64(d: &mut [Chunk<u64>], masks: &[u32], a: &[Chunk<u64>]) {
    chunk::blend(d, masks, a);
}

/// Each lane takes what the lane that `sources` names has, where that one is here; else it keeps its own.
#[inline(always)]
pub fn shuffle32(
    d: &mut [Chunk<u32>],
    here: &[u32],
    a: View<'_, u32>,
    sources: &[u32; WARP_LANES],
) {
    for (warp, (d, here)) in d.iter_mut().zip(here).enumerate() {
        let a = *a.chunk(warp);
        let there = sources.map(|source| a[source as usize % WARP_LANES]);
        let are_here = sources
            .iter()
            .zip(0..)
            .fold(0, |bits, (source, lane)| bits | (here >> source & 1) << lane);
        d.0 = chunk::mixed(are_here, &there, &a);
    }
}
