//! What an atomic makes of the old value.

use mock_ptx::ir::{AtomicOp, FloatBinary, FloatMode, IntegerBinary, Type};

use super::{float, integer};

/// The new value at the place.
#[inline]
#[must_use]
pub fn new_value(op: AtomicOp, ty: Type, old: u64, value: u64, compare: u64) -> u64 {
    match op {
        AtomicOp::Add if ty.is_float() => {
            float::binary(FloatBinary::Add, ty, FloatMode::DEFAULT, old, value)
        }
        AtomicOp::Add => integer::binary(IntegerBinary::Add, ty, old, value),
        AtomicOp::Min if ty.is_float() => {
            let min = FloatBinary::Min { propagate_nan: false, xor_sign: false };
            float::binary(min, ty, FloatMode::DEFAULT, old, value)
        }
        AtomicOp::Max if ty.is_float() => {
            let max = FloatBinary::Max { propagate_nan: false, xor_sign: false };
            float::binary(max, ty, FloatMode::DEFAULT, old, value)
        }
        AtomicOp::Min => integer::binary(IntegerBinary::Min, ty, old, value),
        AtomicOp::Max => integer::binary(IntegerBinary::Max, ty, old, value),
        AtomicOp::And => old & value,
        AtomicOp::Or => old | value,
        AtomicOp::Xor => old ^ value,
        AtomicOp::Increment => {
            if old >= value {
                0
            } else {
                old + 1
            }
        }
        AtomicOp::Decrement => {
            if old == 0 || old > value {
                value
            } else {
                old - 1
            }
        }
        AtomicOp::Exchange => value,
        AtomicOp::CompareAndSwap => {
            if old == compare {
                value
            } else {
                old
            }
        }
    }
}

/// The new value at a place in global memory, where NVIDIA's sums of `f32` flush subnormals.
#[inline]
#[must_use]
pub fn new_value_in_global(op: AtomicOp, ty: Type, old: u64, value: u64, compare: u64) -> u64 {
    if (op, ty) == (AtomicOp::Add, Type::F32) {
        let mode = FloatMode { flush_subnormals: true, ..FloatMode::DEFAULT };
        return float::binary(FloatBinary::Add, ty, mode, old, value);
    }
    new_value(op, ty, old, value, compare)
}

/// Whether the outcome in memory is the same in whatever order blocks come.
#[must_use]
pub const fn commutes(op: AtomicOp, ty: Type) -> bool {
    match op {
        AtomicOp::Add => !ty.is_float(),
        AtomicOp::Min | AtomicOp::Max | AtomicOp::And | AtomicOp::Or | AtomicOp::Xor => true,
        AtomicOp::Increment
        | AtomicOp::Decrement
        | AtomicOp::Exchange
        | AtomicOp::CompareAndSwap => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn atomics_make_what_the_manual_says() {
        let new = |op, ty, old, value| new_value(op, ty, old, value, 5);
        assert_eq!(new(AtomicOp::Add, Type::U32, 0xffff_ffff, 2), 1);
        assert_eq!(new(AtomicOp::Min, Type::S32, 0xffff_ffff, 2), 0xffff_ffff);
        assert_eq!(new(AtomicOp::Min, Type::U32, 0xffff_ffff, 2), 2);
        assert_eq!(new(AtomicOp::Increment, Type::U32, 3, 3), 0);
        assert_eq!(new(AtomicOp::Increment, Type::U32, 2, 3), 3);
        assert_eq!(new(AtomicOp::Decrement, Type::U32, 0, 9), 9);
        assert_eq!(new(AtomicOp::Decrement, Type::U32, 10, 9), 9);
        assert_eq!(new(AtomicOp::Decrement, Type::U32, 8, 9), 7);
        assert_eq!(new(AtomicOp::CompareAndSwap, Type::B32, 5, 7), 7);
        assert_eq!(new(AtomicOp::CompareAndSwap, Type::B32, 6, 7), 6);
        assert_eq!(new(AtomicOp::Add, Type::F32, 0x3f80_0000, 0x3f80_0000), 0x4000_0000);
        assert_eq!(new(AtomicOp::Add, Type::F16x2, 0x3c00_0000, 0x3c00_3c00), 0x4000_3c00);
    }

    #[test]
    fn only_exact_operations_may_come_in_any_order() {
        assert!(commutes(AtomicOp::Add, Type::U64));
        assert!(!commutes(AtomicOp::Add, Type::F64));
        assert!(!commutes(AtomicOp::Exchange, Type::B32));
    }
}
