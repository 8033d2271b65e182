//! Comparisons of shapes whose answer is not the same in all lanes, but changes along one coordinate only: which lanes say yes is
//! known without looking at them.

use std::ops::Range;

use mock_ptx::ir::Comparison;

use super::mask::{Mask, WARPS_MAX};
use super::shape::{Affine, Bits, Extent};
use crate::kernels::Numbers;
use crate::limits::WARP_LANES;

/// Along what an answer changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Axis {
    /// The lanes' own numbers.
    Lane,
    X,
    Y,
    Z,
}

/// The lanes for which `a` compares so with `b`; none where shapes do not tell. Bits past the last lane mean nothing.
pub(super) fn lanes_where<T: Bits>(
    comparison: Comparison,
    numbers: Numbers,
    a: &Affine<T>,
    b: &Affine<T>,
    extent: Extent,
) -> Option<Mask> {
    let signed = match numbers {
        Numbers::Signed => true,
        Numbers::Unsigned => false,
        Numbers::Float { .. } => return None,
    };
    // Nothing wraps around, so that the difference is the same line in whole numbers.
    a.range(extent, signed)?;
    b.range(extent, signed)?;
    let start = |shape: &Affine<T>| {
        if signed || T::BITS == 64 {
            shape.base.signed()
        } else {
            shape.base.zero_extended() as i64
        }
    };
    let base = start(a).checked_sub(start(b))?;
    let mut step = [0i64; 3];
    for (step, (a, b)) in step.iter_mut().zip(a.step.iter().zip(b.step)) {
        *step = a.signed().checked_sub(b.signed())?;
    }
    let (axis, step) = axis_of(step, extent)?;
    let count = match axis {
        Axis::Lane => extent.lanes() as i64,
        Axis::X => extent.0[0].into(),
        Axis::Y => extent.0[1].into(),
        Axis::Z => extent.0[2].into(),
    };
    let (places, without) = places(comparison, base, step)?;
    let clamp = |place: i64| place.clamp(0, count) as usize;
    let lanes = spread(axis, clamp(places.start)..clamp(places.end), extent)?;
    Some(if without { Mask::EVERY.without(&lanes) } else { lanes })
}

/// The one coordinate that a difference depends on, and how.
fn axis_of(step: [i64; 3], extent: Extent) -> Option<(Axis, i64)> {
    let [n0, n1, n2] = extent.0.map(i64::from);
    let [x, y, z] = step;
    match (x != 0 && n0 > 1, y != 0 && n1 > 1, z != 0 && n2 > 1) {
        (true, false, false) => Some((Axis::X, x)),
        (false, true, false) => Some((Axis::Y, y)),
        (false, false, true) => Some((Axis::Z, z)),
        (true, _, _) => {
            let row = x.checked_mul(n0)?;
            let flat = (n1 == 1 || y == row) && (n2 == 1 || z == row.checked_mul(n1)?);
            flat.then_some((Axis::Lane, x))
        }
        _ => None,
    }
}

/// Where `base + step·c` compares so with 0, or where it does not.
fn places(comparison: Comparison, base: i64, step: i64) -> Option<(Range<i64>, bool)> {
    use Comparison as C;
    // A falling line is a rising one seen from the other side.
    let (comparison, base, step) = if step > 0 {
        (comparison, base, step)
    } else {
        let turned = match comparison {
            C::Lt | C::Ltu => C::Gt,
            C::Le | C::Leu => C::Ge,
            C::Gt | C::Gtu => C::Lt,
            C::Ge | C::Geu => C::Le,
            same => same,
        };
        (turned, base.checked_neg()?, step.checked_neg()?)
    };
    let zero = base.checked_neg()?;
    let below = 0..zero.div_euclid(step) + i64::from(zero.rem_euclid(step) != 0);
    let upto = 0..zero.div_euclid(step) + 1;
    Some(match comparison {
        C::Lt | C::Ltu => (below, false),
        C::Ge | C::Geu => (below, true),
        C::Le | C::Leu => (upto, false),
        C::Gt | C::Gtu => (upto, true),
        C::Eq | C::Equ => (below.end..upto.end, false),
        C::Ne | C::Neu => (below.end..upto.end, true),
        C::Num | C::Nan => return None,
    })
}

/// The lanes whose coordinate lies in a range; none where they make no pattern of words.
fn spread(axis: Axis, range: Range<usize>, extent: Extent) -> Option<Mask> {
    let [n0, n1, n2] = extent.0.map(|n| n as usize);
    let between = |range: Range<usize>| Mask::first(range.end).without(&Mask::first(range.start));
    let plane = n0 * n1;
    match axis {
        Axis::Lane => Some(between(range)),
        Axis::Z => Some(between(range.start * plane..range.end * plane)),
        Axis::Y if n2 == 1 => Some(between(range.start * n0..range.end * n0)),
        Axis::Y => repeated(&between(range.start * n0..range.end * n0), plane),
        Axis::X if n1 == 1 && n2 == 1 => Some(between(range)),
        Axis::X => repeated(&between(range), n0),
    }
}

/// The first `period` lanes of a mask again and again.
fn repeated(mask: &Mask, period: usize) -> Option<Mask> {
    if period.is_multiple_of(WARP_LANES) {
        let (mut all, mut warps) = (*mask, period / WARP_LANES);
        while warps < WARPS_MAX {
            let (done, rest) = all.0.split_at_mut(warps);
            let more = warps.min(rest.len());
            rest[..more].copy_from_slice(&done[..more]);
            warps += more;
        }
        return Some(all);
    }
    if !WARP_LANES.is_multiple_of(period) {
        return None;
    }
    let word = (0..WARP_LANES / period).fold(0, |word, i| word | mask.0[0] << (i * period));
    Some(Mask([word; WARPS_MAX]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::compare::holds;

    /// Every answer is the lanes' own.
    #[test]
    fn what_shapes_answer_is_what_lanes_answer() {
        use Comparison as C;
        let extents = [[64, 1, 1], [16, 4, 1], [16, 4, 4], [64, 1, 3], [8, 4, 2], [40, 1, 1]];
        let steps = [[1, 0, 0], [-3, 0, 0], [0, 2, 0], [0, 0, -5], [1, 16, 64], [2, 3, 0]];
        let mut told = 0;
        for extent in extents.map(Extent) {
            for step in steps {
                for base in [-70i32, -9, 0, 4, 15, 33, 100] {
                    let a = Affine { base: base as u32, step: step.map(|s| s as u32) };
                    let b = Affine::uniform(7u32);
                    for comparison in [C::Lt, C::Le, C::Gt, C::Ge, C::Eq, C::Ne] {
                        let numbers = Numbers::Signed;
                        let Some(mask) = lanes_where(comparison, numbers, &a, &b, extent) else {
                            continue;
                        };
                        told += 1;
                        for lane in 0..extent.lanes() {
                            let value = a.at(extent.of(lane)) as i32;
                            let wanted = holds(comparison, value, 7);
                            assert_eq!(
                                mask.has(lane),
                                wanted,
                                "{comparison:?} {a:?} {extent:?} {lane}"
                            );
                        }
                    }
                }
            }
        }
        assert!(told > 500, "{told} of them told");
    }

    #[test]
    fn a_line_that_wraps_around_is_left_to_the_lanes() {
        let extent = Extent([64, 1, 1]);
        let a = Affine { base: 20u32.wrapping_neg(), step: [1, 0, 0] };
        let b = Affine::uniform(7);
        assert!(lanes_where(Comparison::Lt, Numbers::Unsigned, &a, &b, extent).is_none());
        assert!(lanes_where(Comparison::Lt, Numbers::Signed, &a, &b, extent).is_some());
    }
}
