//! Arithmetic on shapes: what can be known of a result without its lanes.
//!
//! Each rule is a claim about all lanes at once; the random programs of the tests hold them against the reference engine.

use mock_ptx::ir::Comparison;

use super::shape::{Affine, Bits, Extent};
use crate::kernels::{
    Binary32, Binary64, Numbers, Shift64, Ternary32, Ternary64, Unary32, Unary64,
};
use crate::ops::compare::holds;

/// [`Unary32`].
#[inline(always)]
pub(super) fn unary32(op: Unary32, a: &Affine<u32>, extent: Extent) -> Option<Affine<u32>> {
    match op {
        Unary32::Copy => Some(*a),
        Unary32::Neg => Some(Affine::uniform(0).minus(a)),
        Unary32::Not => Some(Affine::uniform(u32::MAX).minus(a)),
        Unary32::ZeroExtend16 => within(a, extent, 0xffff),
        Unary32::ZeroExtend8 => within(a, extent, 0xff),
        _ => None,
    }
}

/// The same, where no lane is below 0 or above `most`.
#[inline(never)]
fn within<T: Bits>(a: &Affine<T>, extent: Extent, most: i64) -> Option<Affine<T>> {
    a.range(extent, false).is_some_and(|(_, high)| high <= most).then_some(*a)
}

/// `a & mask` of a mask of low ones that no lane exceeds.
#[inline(never)]
fn masked<T: Bits>(a: &Affine<T>, mask: &Affine<T>, extent: Extent) -> Option<Affine<T>> {
    let bits = mask.base.zero_extended();
    let low_ones = mask.is_uniform() && bits.wrapping_add(1) & bits == 0 && bits < 1 << 62;
    if low_ones { within(a, extent, bits as i64) } else { None }
}

/// The smaller (or larger) of two, where one is so in every lane.
#[inline(never)]
fn extreme<T: Bits>(
    a: &Affine<T>,
    b: &Affine<T>,
    extent: Extent,
    signed: bool,
    smaller: bool,
) -> Option<Affine<T>> {
    let ((a_low, a_high), (b_low, b_high)) = (a.range(extent, signed)?, b.range(extent, signed)?);
    if a_high <= b_low {
        Some(if smaller { *a } else { *b })
    } else if b_high <= a_low {
        Some(if smaller { *b } else { *a })
    } else {
        None
    }
}

/// [`Binary32`].
#[inline(always)]
pub(super) fn binary32(
    op: Binary32,
    a: &Affine<u32>,
    b: &Affine<u32>,
    extent: Extent,
) -> Option<Affine<u32>> {
    match op {
        Binary32::Add => Some(a.plus(b)),
        Binary32::Sub => Some(a.minus(b)),
        Binary32::MulLo => a.product(b),
        Binary32::Or => a.joined(b, extent),
        Binary32::And => masked(a, b, extent).or_else(|| masked(b, a, extent)),
        Binary32::Shl if b.is_uniform() => Some(a.times(1u32.checked_shl(b.base).unwrap_or(0))),
        Binary32::MinS => extreme(a, b, extent, true, true),
        Binary32::MaxS => extreme(a, b, extent, true, false),
        Binary32::MinU => extreme(a, b, extent, false, true),
        Binary32::MaxU => extreme(a, b, extent, false, false),
        _ => None,
    }
}

/// [`Ternary32`].
#[inline(always)]
pub(super) fn ternary32(
    op: Ternary32,
    a: &Affine<u32>,
    b: &Affine<u32>,
    c: &Affine<u32>,
) -> Option<Affine<u32>> {
    match op {
        Ternary32::MadLo => a.product(b).map(|product| product.plus(c)),
        _ => None,
    }
}

/// [`Unary64`].
#[inline(always)]
pub(super) fn unary64(op: Unary64, a: &Affine<u64>, extent: Extent) -> Option<Affine<u64>> {
    match op {
        Unary64::Copy => Some(*a),
        Unary64::Neg => Some(Affine::uniform(0).minus(a)),
        Unary64::Not => Some(Affine::uniform(u64::MAX).minus(a)),
        Unary64::ZeroExtend32 => within(a, extent, 0xffff_ffff),
        _ => None,
    }
}

/// [`Binary64`].
#[inline(always)]
pub(super) fn binary64(
    op: Binary64,
    a: &Affine<u64>,
    b: &Affine<u64>,
    extent: Extent,
) -> Option<Affine<u64>> {
    match op {
        Binary64::Add => Some(a.plus(b)),
        Binary64::Sub => Some(a.minus(b)),
        Binary64::MulLo => a.product(b),
        Binary64::Or => a.joined(b, extent),
        Binary64::And => masked(a, b, extent).or_else(|| masked(b, a, extent)),
        Binary64::MinS => extreme(a, b, extent, true, true),
        Binary64::MaxS => extreme(a, b, extent, true, false),
        _ => None,
    }
}

/// [`Ternary64`].
#[inline(always)]
pub(super) fn ternary64(
    op: Ternary64,
    a: &Affine<u64>,
    b: &Affine<u64>,
    c: &Affine<u64>,
) -> Option<Affine<u64>> {
    match op {
        Ternary64::MadLo => a.product(b).map(|product| product.plus(c)),
        Ternary64::FmaF => None,
    }
}

/// [`Shift64`] by the same distance in all lanes.
pub(super) fn shift64(op: Shift64, a: &Affine<u64>, by: u32) -> Option<Affine<u64>> {
    (op == Shift64::Shl).then(|| a.times(1u64.checked_shl(by).unwrap_or(0)))
}

/// The full product of 32-bit numbers.
pub(super) fn wide_product(
    a: &Affine<u32>,
    b: &Affine<u32>,
    extent: Extent,
    signed: bool,
) -> Option<Affine<u64>> {
    let (a, b): (Affine<u64>, Affine<u64>) =
        (a.widened(extent, signed)?, b.widened(extent, signed)?);
    a.product(&b)
}

/// A comparison that is answered alike in all lanes.
pub(super) fn compare<T: Bits>(
    comparison: Comparison,
    numbers: Numbers,
    a: &Affine<T>,
    b: &Affine<T>,
    extent: Extent,
) -> Option<bool> {
    let signed = match numbers {
        Numbers::Signed => true,
        Numbers::Unsigned => false,
        Numbers::Float { .. } => return None,
    };
    let ((a_low, a_high), (b_low, b_high)) = (a.range(extent, signed)?, b.range(extent, signed)?);
    let same_everywhere = a_low == a_high && b_low == b_high;
    if same_everywhere || a_high < b_low || b_high < a_low {
        // All pairs of lanes lie on the same side of each other.
        return Some(holds(comparison, a_low, b_low));
    }
    match comparison {
        Comparison::Le | Comparison::Leu if a_high <= b_low => Some(true),
        Comparison::Gt | Comparison::Gtu if a_high <= b_low => Some(false),
        Comparison::Ge | Comparison::Geu if b_high <= a_low => Some(true),
        Comparison::Lt | Comparison::Ltu if b_high <= a_low => Some(false),
        _ => None,
    }
}
