//! Comparisons by type, and what `set` makes of them.

use mock_ptx::ir::{BooleanOp, Comparison, Type};

use crate::ops::compare::holds;
use crate::ops::convert::sign_extend;
use crate::ops::float::Float;
use crate::ops::half::{self, Bfloat16, Binary16, Half};

/// Whether the comparison holds; of packed types, for the low halves.
#[must_use]
pub fn compare(comparison: Comparison, ty: Type, flush: bool, a: u64, b: u64) -> bool {
    match ty {
        Type::F64 => holds(comparison, f64::from_bits(a), f64::from_bits(b)),
        Type::F32 => {
            let [a, b] = [a, b].map(|bits| {
                let value = f32::from_bits(bits as u32);
                if flush { value.flush() } else { value }
            });
            holds(comparison, a, b)
        }
        Type::F16 | Type::F16x2 => compare_halves::<Binary16>(comparison, flush, a, b),
        Type::Bf16 | Type::Bf16x2 => compare_halves::<Bfloat16>(comparison, flush, a, b),
        _ if ty.is_signed() => {
            let [a, b] = [a, b].map(|bits| sign_extend(bits, ty.bits()) as i64);
            holds(comparison, a, b)
        }
        _ => holds(comparison, a, b),
    }
}

fn compare_halves<H: Half>(comparison: Comparison, flush: bool, a: u64, b: u64) -> bool {
    let [a, b] = [a, b].map(|bits| {
        let bits = bits as u16;
        H::widen(if flush { half::flush::<H>(bits) } else { bits })
    });
    holds(comparison, a, b)
}

/// The answer joined with a third predicate.
#[must_use]
pub const fn combine(op: BooleanOp, answer: bool, with: bool) -> bool {
    match op {
        BooleanOp::And => answer & with,
        BooleanOp::Or => answer | with,
        BooleanOp::Xor => answer ^ with,
    }
}

/// The answer of `set` as a number of type `to`.
#[must_use]
pub const fn as_number(answer: bool, to: Type) -> u64 {
    match (answer, to) {
        (false, _) => 0,
        (true, Type::F32) => 0x3f80_0000,
        (true, Type::F16) => 0x3c00,
        (true, Type::Bf16) => 0x3f80,
        (true, _) => u64::MAX >> (64 - to.bits()),
    }
}

/// `set` on packed halves: both answers side by side.
#[must_use]
pub const fn as_pair(low: bool, high: bool, to: Type) -> u64 {
    let part = match to {
        Type::F16x2 => Type::F16,
        Type::Bf16x2 => Type::Bf16,
        _ => Type::U16,
    };
    as_number(low, part) | as_number(high, part) << 16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_decide_what_is_less() {
        let minus_one = 0xffff_ffff;
        assert!(compare(Comparison::Lt, Type::S32, false, minus_one, 0));
        assert!(!compare(Comparison::Lt, Type::U32, false, minus_one, 0));
        assert!(compare(Comparison::Ge, Type::B16, false, 0xffff, 0));
        assert!(compare(Comparison::Lt, Type::S64, false, u64::MAX, 0));
        assert!(compare(Comparison::Eq, Type::F32, true, 1, 0x8000_0000));
        assert!(compare(Comparison::Gt, Type::F32, false, 1, 0x8000_0000));
        assert!(compare(Comparison::Nan, Type::F16, false, 0x7e00, 0));
        assert!(compare(Comparison::Eq, Type::Bf16, true, 0x0001, 0x8000));
    }

    #[test]
    fn set_answers_in_the_asked_type() {
        assert_eq!(as_number(true, Type::F32), 0x3f80_0000);
        assert_eq!(as_number(true, Type::S16), 0xffff);
        assert_eq!(as_number(false, Type::F32), 0);
        assert_eq!(as_pair(true, false, Type::F16x2), 0x3c00);
        assert_eq!(as_pair(false, true, Type::U32), 0xffff_0000);
        assert!(combine(BooleanOp::Xor, true, false));
    }
}
