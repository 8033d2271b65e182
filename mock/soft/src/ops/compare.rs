//! Comparisons of `set` and `setp`, ordered and unordered.

use mock_ptx::ir::Comparison;

/// Whether it holds; for types where every pair is ordered, the unordered forms are the plain ones.
#[inline(always)]
#[allow(
    clippy::double_comparisons,
    clippy::neg_cmp_op_on_partial_ord,
    reason = "of numbers that may be NaN each of these differs from its simpler form"
)]
pub fn holds<T: PartialOrd>(comparison: Comparison, a: T, b: T) -> bool {
    match comparison {
        Comparison::Eq => a == b,
        Comparison::Ne => a < b || a > b,
        Comparison::Lt => a < b,
        Comparison::Le => a <= b,
        Comparison::Gt => a > b,
        Comparison::Ge => a >= b,
        Comparison::Equ => !(a < b || a > b),
        Comparison::Neu => a != b,
        Comparison::Ltu => !(a >= b),
        Comparison::Leu => !(a > b),
        Comparison::Gtu => !(a <= b),
        Comparison::Geu => !(a < b),
        Comparison::Num => a <= b || a > b,
        Comparison::Nan => !(a <= b || a > b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Comparison as C;

    /// name, less, equal, greater, unordered
    const TABLE: [(C, [bool; 4]); 14] = [
        (C::Eq, [false, true, false, false]),
        (C::Ne, [true, false, true, false]),
        (C::Lt, [true, false, false, false]),
        (C::Le, [true, true, false, false]),
        (C::Gt, [false, false, true, false]),
        (C::Ge, [false, true, true, false]),
        (C::Equ, [false, true, false, true]),
        (C::Neu, [true, false, true, true]),
        (C::Ltu, [true, false, false, true]),
        (C::Leu, [true, true, false, true]),
        (C::Gtu, [false, false, true, true]),
        (C::Geu, [false, true, true, true]),
        (C::Num, [true, true, true, false]),
        (C::Nan, [false, false, false, true]),
    ];

    #[test]
    fn every_comparison_decides_all_four_relations() {
        for (comparison, [less, equal, greater, unordered]) in TABLE {
            assert_eq!(holds(comparison, 1.0f32, 2.0), less, "{comparison:?}");
            assert_eq!(holds(comparison, 0.0f64, -0.0), equal, "{comparison:?}");
            assert_eq!(holds(comparison, 2i32, -1), greater, "{comparison:?}");
            assert_eq!(holds(comparison, f32::NAN, 1.0), unordered, "{comparison:?}");
            assert_eq!(holds(comparison, 1.0, f64::NAN), unordered, "{comparison:?}");
        }
    }
}
