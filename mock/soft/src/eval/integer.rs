//! Integer and bit operations by type.

use mock_ptx::ir::{CarryOp, IntegerBinary, IntegerTernary, IntegerUnary, Type};

use crate::ops::convert::sign_extend;
use crate::ops::int::{self, Integer};
use crate::ops::{bits, carry, dot};

/// Runs `$body` with `$t` as the Rust type of an integer type; untyped bits count as unsigned.
macro_rules! by_type {
    ($ty:expr, |$t:ident| $body:expr) => {
        match $ty {
            Type::S8 | Type::S16 => {
                type $t = i16;
                $body as u16 as u64
            }
            Type::U8 | Type::B8 | Type::U16 | Type::B16 => {
                type $t = u16;
                $body as u16 as u64
            }
            Type::S32 => {
                type $t = i32;
                $body as u32 as u64
            }
            Type::S64 => {
                type $t = i64;
                $body as u64
            }
            Type::U64 | Type::B64 => {
                type $t = u64;
                $body as u64
            }
            _ => {
                type $t = u32;
                $body as u32 as u64
            }
        }
    };
}

/// The value of `a` as a signed number of its type's width.
const fn signed(a: u64, ty: Type) -> i64 {
    sign_extend(a, ty.bits()) as i64
}

/// All ones of the type's width.
const fn ones(ty: Type) -> u64 {
    u64::MAX >> (64 - ty.bits())
}

/// See [`IntegerUnary`].
#[must_use]
pub fn unary(op: IntegerUnary, ty: Type, a: u64) -> u64 {
    let width = ty.bits();
    match op {
        IntegerUnary::Neg => by_type!(ty, |T| (a as T).neg()),
        IntegerUnary::Abs => by_type!(ty, |T| (a as T).magnitude()),
        IntegerUnary::Not => !a & ones(ty),
        IntegerUnary::Cnot => u64::from(a == 0),
        IntegerUnary::Popc => u64::from(a.count_ones()),
        IntegerUnary::Clz => u64::from(a.leading_zeros() - (64 - width)),
        IntegerUnary::Brev => a.reverse_bits() >> (64 - width),
        IntegerUnary::Bfind | IntegerUnary::BfindShift => {
            let shift = op == IntegerUnary::BfindShift;
            u64::from(if ty.is_signed() {
                bits::find_signed(signed(a, ty), width, shift)
            } else {
                bits::find_unsigned(a, width, shift)
            })
        }
    }
}

/// See [`IntegerBinary`].
#[must_use]
pub fn binary(op: IntegerBinary, ty: Type, a: u64, b: u64) -> u64 {
    if ty.is_packed() {
        return packed(op, ty, a, b);
    }
    match op {
        IntegerBinary::Add => by_type!(ty, |T| (a as T).add(b as T)),
        IntegerBinary::Sub => by_type!(ty, |T| (a as T).sub(b as T)),
        IntegerBinary::AddSat => by_type!(ty, |T| (a as T).add_sat(b as T)),
        IntegerBinary::SubSat => by_type!(ty, |T| (a as T).sub_sat(b as T)),
        IntegerBinary::MulLo => by_type!(ty, |T| (a as T).mul_lo(b as T)),
        IntegerBinary::MulHi => by_type!(ty, |T| (a as T).mul_hi(b as T)),
        IntegerBinary::MulWide => mul_wide(ty, a, b),
        IntegerBinary::Mul24Lo => u64::from(if ty.is_signed() {
            int::mul24_lo_s32(a as i32, b as i32) as u32
        } else {
            int::mul24_lo_u32(a as u32, b as u32)
        }),
        IntegerBinary::Mul24Hi => u64::from(if ty.is_signed() {
            int::mul24_hi_s32(a as i32, b as i32) as u32
        } else {
            int::mul24_hi_u32(a as u32, b as u32)
        }),
        IntegerBinary::Div => by_type!(ty, |T| (a as T).div(b as T)),
        IntegerBinary::Rem => by_type!(ty, |T| (a as T).rem(b as T)),
        IntegerBinary::Min => by_type!(ty, |T| (a as T).min(b as T)),
        IntegerBinary::Max => by_type!(ty, |T| (a as T).max(b as T)),
        IntegerBinary::MinRelu => no_less_than_zero(ty, binary(IntegerBinary::Min, ty, a, b)),
        IntegerBinary::MaxRelu => no_less_than_zero(ty, binary(IntegerBinary::Max, ty, a, b)),
        IntegerBinary::And => a & b,
        IntegerBinary::Or => a | b,
        IntegerBinary::Xor => a ^ b,
        IntegerBinary::Shl => by_type!(ty, |T| (a as T).shl(b as u32)),
        IntegerBinary::Shr => by_type!(ty, |T| (a as T).shr(b as u32)),
        IntegerBinary::BitMask(wrap) => u64::from(bits::mask(a as u32, b as u32, wrap)),
        IntegerBinary::SignOrZeroExtend(wrap) => {
            u64::from(bits::extend(a as u32, b as u32, ty.is_signed(), wrap))
        }
    }
}

/// `.relu` of integers.
const fn no_less_than_zero(ty: Type, a: u64) -> u64 {
    if signed(a, ty) < 0 { 0 } else { a }
}

fn packed(op: IntegerBinary, ty: Type, a: u64, b: u64) -> u64 {
    let half = |shift: u32| binary(op, ty.element(), a >> shift & 0xffff, b >> shift & 0xffff);
    half(0) | half(16) << 16
}

fn mul_wide(ty: Type, a: u64, b: u64) -> u64 {
    match ty {
        Type::S16 => u64::from((a as i16).mul_wide(b as i16) as u32),
        Type::U16 | Type::B16 => u64::from((a as u16).mul_wide(b as u16)),
        Type::S32 => (a as i32).mul_wide(b as i32) as u64,
        _ => (a as u32).mul_wide(b as u32),
    }
}

/// See [`IntegerTernary`].
#[must_use]
pub fn ternary(op: IntegerTernary, ty: Type, a: u64, b: u64, c: u64) -> u64 {
    let sum = |product: u64| binary(IntegerBinary::Add, ty, product, c);
    match op {
        IntegerTernary::MadLo => sum(binary(IntegerBinary::MulLo, ty, a, b)),
        IntegerTernary::MadHi => sum(binary(IntegerBinary::MulHi, ty, a, b)),
        IntegerTernary::MadHiSat => u64::from((a as i32).mul_hi(b as i32).add_sat(c as i32) as u32),
        IntegerTernary::MadWide => {
            let wide = mul_wide(ty, a, b).wrapping_add(c);
            if ty.bits() == 16 { u64::from(wide as u32) } else { wide }
        }
        IntegerTernary::Mad24Lo => sum(binary(IntegerBinary::Mul24Lo, ty, a, b)),
        IntegerTernary::Mad24Hi => sum(binary(IntegerBinary::Mul24Hi, ty, a, b)),
        IntegerTernary::Mad24HiSat => {
            u64::from(int::mul24_hi_s32(a as i32, b as i32).add_sat(c as i32) as u32)
        }
        IntegerTernary::Sad => by_type!(ty, |T| (a as T).sad(b as T, c as T)),
        IntegerTernary::BitFieldExtract => {
            let width = ty.bits();
            if ty.is_signed() {
                bits::extract_signed(a, b as u32, c as u32, width)
            } else {
                bits::extract_unsigned(a, b as u32, c as u32, width)
            }
        }
        IntegerTernary::FunnelLeft(wrap) => {
            u64::from(bits::funnel_left(a as u32, b as u32, c as u32, wrap))
        }
        IntegerTernary::FunnelRight(wrap) => {
            u64::from(bits::funnel_right(a as u32, b as u32, c as u32, wrap))
        }
        IntegerTernary::Lop3(table) => u64::from(bits::logic3(a as u32, b as u32, c as u32, table)),
        IntegerTernary::Permute(mode) => {
            u64::from(bits::permute(a as u32, b as u32, c as u32, mode))
        }
        IntegerTernary::FindNthSet => u64::from(bits::find_nth_set(a as u32, b as u32, c as i32)),
        IntegerTernary::Dp4a { a_signed, b_signed } => {
            u64::from(dot::dp4a(a as u32, b as u32, c as u32, a_signed, b_signed))
        }
        IntegerTernary::Dp2a { a_signed, b_signed, high } => {
            u64::from(dot::dp2a(a as u32, b as u32, c as u32, a_signed, b_signed, high))
        }
    }
}

/// `bfi`.
#[must_use]
pub fn insert(ty: Type, field: u64, base: u64, position: u64, length: u64) -> u64 {
    bits::insert(field, base, position as u32, length as u32, ty.bits())
}

/// See [`CarryOp`]: the result, and the flag.
#[must_use]
pub fn with_carry(op: CarryOp, ty: Type, [a, b, c]: [u64; 3], carry_in: bool) -> (u64, bool) {
    let (left, right) = match op {
        CarryOp::Add | CarryOp::Sub => (a, b),
        CarryOp::MadLo => (binary(IntegerBinary::MulLo, ty, a, b), c),
        CarryOp::MadHi => (binary(IntegerBinary::MulHi, ty, a, b), c),
    };
    match (op, ty.bits()) {
        (CarryOp::Sub, 64) => carry::sub_u64(left, right, carry_in),
        (_, 64) => carry::add_u64(left, right, carry_in),
        (CarryOp::Sub, _) => {
            let (value, borrow) = carry::sub_u32(left as u32, right as u32, carry_in);
            (u64::from(value), borrow)
        }
        _ => {
            let (value, carry) = carry::add_u32(left as u32, right as u32, carry_in);
            (u64::from(value), carry)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_zero_above_their_width() {
        let minus_one = |ty: Type| ones(ty);
        for ty in [Type::S16, Type::U16, Type::S32, Type::U32, Type::S64, Type::U64] {
            let m = minus_one(ty);
            assert_eq!(binary(IntegerBinary::Add, ty, m, 1), 0, "{ty:?}");
            assert_eq!(binary(IntegerBinary::Sub, ty, 0, 1), m, "{ty:?}");
            assert_eq!(unary(IntegerUnary::Not, ty, 0), m, "{ty:?}");
            assert_eq!(unary(IntegerUnary::Clz, ty, 1), u64::from(ty.bits()) - 1);
            let shifted = binary(IntegerBinary::Shr, ty, m, 200);
            assert_eq!(shifted, if ty.is_signed() { m } else { 0 }, "{ty:?}");
        }
        assert_eq!(binary(IntegerBinary::MulWide, Type::S16, 0xffff, 1), 0xffff_ffff);
        assert_eq!(binary(IntegerBinary::MulWide, Type::S32, 0xffff_ffff, 1), u64::MAX);
        assert_eq!(ternary(IntegerTernary::MadWide, Type::S16, 0xffff, 1, 1), 0);
    }

    #[test]
    fn packed_halves_do_not_meet() {
        let seen = binary(IntegerBinary::Add, Type::U16x2, 0xffff_ffff, 0x0001_0001);
        assert_eq!(seen, 0);
        let seen = binary(IntegerBinary::MinRelu, Type::S16x2, 0xffff_0005, 0x0001_0003);
        assert_eq!(seen, 0x0000_0003);
    }

    #[test]
    fn multiply_chains_carry() {
        let (low, carry) = with_carry(CarryOp::MadLo, Type::U32, [u64::from(u32::MAX); 3], true);
        assert_eq!((low, carry), (1 + u64::from(u32::MAX) - u64::from(u32::MAX), true));
        let (high, carry) = with_carry(CarryOp::MadHi, Type::U64, [u64::MAX, u64::MAX, 1], false);
        assert_eq!((high, carry), (u64::MAX, false));
    }
}
