//! `f32` and `f64` arithmetic in all rounding modes, with PTX's rules for NaN, `.ftz` and `.sat`.
//!
//! `f32`: a result that is not a number is [`NAN_F32`], whatever the inputs carried. `f64`: the payload of the first operand that
//! is not a number survives, made quiet; an invalid operation gives [`NAN_F64`].

use mock_ptx::ir::{FloatClass, Rounding};

use super::round::{Exact, F32, F64, Format};

/// The only `f32` NaN that arithmetic gives.
pub const NAN_F32: f32 = f32::from_bits(0x7fff_ffff);
/// The `f64` NaN of an invalid operation.
pub const NAN_F64: f64 = f64::from_bits(0xfff8_0000_0000_0000);

/// A PTX floating-point type with native arithmetic.
pub trait Float: Copy + PartialOrd {
    /// The format in bits.
    const FORMAT: Format;
    /// Zero.
    const ZERO: Self;
    /// One.
    const ONE: Self;
    /// Its bits, zero-extended.
    fn bits(self) -> u64;
    /// The number with these low bits.
    fn from_low_bits(bits: u64) -> Self;
    /// `result`, or the NaN that PTX gives for these operands.
    fn canonical(result: Self, operands: [Self; 3]) -> Self;
    /// Whether it is neither infinite nor NaN.
    fn finite(self) -> bool;
    /// Whether it is not a number.
    fn nan(self) -> bool;
    /// Nearest-even sum, NaN bits as they come.
    fn sum(self, other: Self) -> Self;
    /// Nearest-even product.
    fn product(self, other: Self) -> Self;
    /// Nearest-even quotient.
    fn quotient(self, other: Self) -> Self;
    /// Nearest-even `self × other + addend`, rounded once.
    fn fused(self, other: Self, addend: Self) -> Self;
    /// Nearest-even square root.
    fn root(self) -> Self;
    /// Sign changed, nothing else.
    fn opposite(self) -> Self;
    /// Sign cleared, nothing else.
    fn magnitude(self) -> Self;
    /// `flush.ftz`: a subnormal becomes zero of its sign.
    fn flush(self) -> Self;
}

macro_rules! float {
    ($type:ty, $bits:ty, $format:expr, |$result:ident, $operands:ident| $canonical:expr) => {
        impl Float for $type {
            const FORMAT: Format = $format;
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            #[inline(always)]
            fn bits(self) -> u64 {
                u64::from(self.to_bits())
            }
            #[inline(always)]
            fn from_low_bits(bits: u64) -> Self {
                Self::from_bits(bits as $bits)
            }
            #[inline(always)]
            fn canonical($result: Self, $operands: [Self; 3]) -> Self {
                $canonical
            }
            #[inline(always)]
            fn finite(self) -> bool {
                self.is_finite()
            }
            #[inline(always)]
            fn nan(self) -> bool {
                self.is_nan()
            }
            #[inline(always)]
            fn sum(self, other: Self) -> Self {
                self + other
            }
            #[inline(always)]
            fn product(self, other: Self) -> Self {
                self * other
            }
            #[inline(always)]
            fn quotient(self, other: Self) -> Self {
                self / other
            }
            #[inline(always)]
            fn fused(self, other: Self, addend: Self) -> Self {
                self.mul_add(other, addend)
            }
            #[inline(always)]
            fn root(self) -> Self {
                self.sqrt()
            }
            #[inline(always)]
            fn opposite(self) -> Self {
                -self
            }
            #[inline(always)]
            fn magnitude(self) -> Self {
                self.abs()
            }
            #[inline(always)]
            fn flush(self) -> Self {
                if self.abs() < Self::MIN_POSITIVE { Self::ZERO.copysign(self) } else { self }
            }
        }
    };
}

// NaN is told and chosen as bits: to an optimiser one floating-point NaN is as good as another.
float!(f32, u32, F32, |result, _operands| {
    let bits = result.to_bits();
    let not_a_number = bits & 0x7fff_ffff > 0x7f80_0000;
    Self::from_bits(if not_a_number { NAN_F32.to_bits() } else { bits })
});
float!(f64, u64, F64, |result, operands| {
    let bits = result.to_bits();
    let not_a_number = bits & !SIGN_F64 > INFINITY_F64;
    Self::from_bits(if not_a_number { quiet_f64(operands) } else { bits })
});

const SIGN_F64: u64 = 1 << 63;
const INFINITY_F64: u64 = 0x7ff0_0000_0000_0000;

/// The NaN of an `f64` operation: the first operand's that is one, made quiet.
#[inline(always)]
fn quiet_f64(operands: [f64; 3]) -> u64 {
    let mut carried = NAN_F64.to_bits();
    for operand in operands.into_iter().rev() {
        let bits = operand.to_bits();
        carried = if bits & !SIGN_F64 > INFINITY_F64 { bits } else { carried };
    }
    carried | 1 << 51
}

/// `.sat`: into [0, 1]; NaN to zero.
#[inline(always)]
pub fn saturate<F: Float>(value: F) -> F {
    let floor = if value > F::ZERO { value } else { F::ZERO };
    if floor < F::ONE { floor } else { F::ONE }
}

/// `add`.
#[inline(always)]
pub fn add<F: Float>(a: F, b: F, rounding: Rounding) -> F {
    F::canonical(
        match rounding {
            Rounding::NearestEven => a.sum(b),
            _ => rounded(a.sum(b), [a, b, F::ZERO], rounding, |[a, b, _]| a.plus(b, rounding)),
        },
        [a, b, F::ZERO],
    )
}

/// `sub`.
#[inline(always)]
pub fn sub<F: Float>(a: F, b: F, rounding: Rounding) -> F {
    let minus = b.opposite();
    F::canonical(
        match rounding {
            Rounding::NearestEven => a.sum(minus),
            _ => rounded(a.sum(minus), [a, minus, F::ZERO], rounding, |[a, b, _]| {
                a.plus(b, rounding)
            }),
        },
        [a, b, F::ZERO],
    )
}

/// `mul`.
#[inline(always)]
pub fn mul<F: Float>(a: F, b: F, rounding: Rounding) -> F {
    F::canonical(
        match rounding {
            Rounding::NearestEven => a.product(b),
            _ => rounded(a.product(b), [a, b, F::ZERO], rounding, |[a, b, _]| a.times(b)),
        },
        [a, b, F::ZERO],
    )
}

/// `fma`, and `mad` of floating-point types.
#[inline(always)]
pub fn fma<F: Float>(a: F, b: F, c: F, rounding: Rounding) -> F {
    F::canonical(
        match rounding {
            Rounding::NearestEven => a.fused(b, c),
            _ => rounded(a.fused(b, c), [a, b, c], rounding, |[a, b, c]| {
                a.times(b).plus(c, rounding)
            }),
        },
        [a, b, c],
    )
}

/// `div`.
#[inline(always)]
pub fn div<F: Float>(a: F, b: F, rounding: Rounding) -> F {
    F::canonical(
        match rounding {
            Rounding::NearestEven => a.quotient(b),
            _ if b.magnitude() == F::ZERO => a.quotient(b),
            _ => rounded(a.quotient(b), [a, b, F::ZERO], rounding, |[a, b, _]| a.over(b)),
        },
        [a, b, F::ZERO],
    )
}

/// `rcp`.
#[inline(always)]
pub fn rcp<F: Float>(a: F, rounding: Rounding) -> F {
    F::canonical(div(F::ONE, a, rounding), [a, F::ZERO, F::ZERO])
}

/// `sqrt`.
#[inline(always)]
pub fn sqrt<F: Float>(a: F, rounding: Rounding) -> F {
    F::canonical(
        match rounding {
            Rounding::NearestEven => a.root(),
            _ if a <= F::ZERO => a.root(),
            _ => rounded(a.root(), [a, F::ZERO, F::ZERO], rounding, |[a, ..]| a.square_root()),
        },
        [a, F::ZERO, F::ZERO],
    )
}

/// The same operation exactly, rounded once; `nearest` where an operand is not finite.
#[inline(never)]
fn rounded<F: Float>(
    nearest: F,
    operands: [F; 3],
    rounding: Rounding,
    exactly: impl Fn([Exact; 3]) -> Exact,
) -> F {
    if !operands.iter().all(|operand| operand.finite()) {
        return nearest;
    }
    let exact = exactly(operands.map(|operand| F::FORMAT.exact(operand.bits())));
    F::from_low_bits(exact.round(F::FORMAT, rounding))
}

/// `min`: the other one where one is not a number; -0 below +0.
#[inline(always)]
pub fn min<F: Float>(a: F, b: F) -> F {
    let least = if a < b || (a == b && negative(a)) { a } else { b };
    F::canonical(
        if a.nan() {
            b
        } else if b.nan() {
            a
        } else {
            least
        },
        [a, b, F::ZERO],
    )
}

/// `max`.
#[inline(always)]
pub fn max<F: Float>(a: F, b: F) -> F {
    let most = if a > b || (a == b && !negative(a)) { a } else { b };
    F::canonical(
        if a.nan() {
            b
        } else if b.nan() {
            a
        } else {
            most
        },
        [a, b, F::ZERO],
    )
}

/// `min.NaN`: not a number where either is not.
#[inline(always)]
pub fn min_nan<F: Float>(a: F, b: F) -> F {
    if a.nan() || b.nan() {
        F::canonical(if a.nan() { a } else { b }, [a, b, F::ZERO])
    } else {
        min(a, b)
    }
}

/// `max.NaN`.
#[inline(always)]
pub fn max_nan<F: Float>(a: F, b: F) -> F {
    if a.nan() || b.nan() {
        F::canonical(if a.nan() { a } else { b }, [a, b, F::ZERO])
    } else {
        max(a, b)
    }
}

#[inline(always)]
fn negative<F: Float>(a: F) -> bool {
    (a.bits() >> (F::FORMAT.width() - 1)) & 1 == 1
}

/// `copysign`: the magnitude of `b`, the sign of `a`.
#[inline(always)]
pub fn copysign<F: Float>(a: F, b: F) -> F {
    let sign = 1 << (F::FORMAT.width() - 1);
    F::from_low_bits((b.bits() & !sign) | (a.bits() & sign))
}

/// `neg`; an `f32` NaN becomes the canonical one.
#[inline(always)]
pub fn neg<F: Float>(a: F) -> F {
    F::canonical(a.opposite(), [a.opposite(), F::ZERO, F::ZERO])
}

/// `abs`; an `f32` NaN becomes the canonical one.
#[inline(always)]
pub fn abs<F: Float>(a: F) -> F {
    F::canonical(a.magnitude(), [a.magnitude(), F::ZERO, F::ZERO])
}

/// `testp`.
#[inline(always)]
pub fn has_property<F: Float>(a: F, property: FloatClass) -> bool {
    let tiny = a.flush().bits() != a.bits();
    match property {
        FloatClass::Finite => a.finite(),
        FloatClass::Infinite => !a.finite() && !a.nan(),
        FloatClass::Number => !a.nan(),
        FloatClass::NotANumber => a.nan(),
        FloatClass::Normal => a.finite() && !tiny,
        FloatClass::Subnormal => tiny,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIRECTIONS: [Rounding; 4] =
        [Rounding::NearestEven, Rounding::Zero, Rounding::Down, Rounding::Up];

    fn edges_f64() -> Vec<f64> {
        let mut edges = vec![0.0, 1.0, 1.5, 3.0, 0.1, 1e10, 7e-12, std::f64::consts::PI];
        edges.extend([1.0f64.next_up(), 1.0f64.next_down(), 1e150, 123_456_789.0, 2f64.powi(-60)]);
        edges.iter().flat_map(|&v| [v, -v]).collect()
    }

    fn edges_f32() -> Vec<f32> {
        let mut edges: Vec<f32> = edges_f64().iter().map(|&v| v as f32).collect();
        edges.extend([f32::MAX, f32::MIN, f32::MIN_POSITIVE, 1e-45, -1e-45, f32::INFINITY, 1e-40]);
        edges
    }

    /// Whether `result` is the rounding of the exact value that lies on `side` of it (-1 below it, 0 equal, 1 above it).
    fn rounds_rightly(result: f64, side: f64, rounding: Rounding) -> bool {
        match rounding {
            Rounding::Down => side >= 0.0,
            Rounding::Up => side <= 0.0,
            Rounding::Zero => side == 0.0 || (side > 0.0) == (result.is_sign_positive()),
            _ => true,
        }
    }

    /// In `f64` the remainder of every operation is itself one exact fused operation: its sign says where the truth lies.
    #[test]
    fn f64_directed_results_lie_on_their_side_of_the_truth_and_next_to_it() {
        for a in edges_f64() {
            for b in edges_f64() {
                for rounding in DIRECTIONS {
                    let product = mul(a, b, rounding);
                    let side = a.mul_add(b, -product);
                    assert!(rounds_rightly(product, side, rounding), "{a} * {b} {rounding:?}");
                    assert!((product.to_bits() as i64 - (a * b).to_bits() as i64).abs() <= 1);
                    if b != 0.0 {
                        let quotient = div(a, b, rounding);
                        let side = (-quotient).mul_add(b, a) * b.signum();
                        assert!(rounds_rightly(quotient, side, rounding), "{a} / {b} {rounding:?}");
                        assert!((quotient.to_bits() as i64 - (a / b).to_bits() as i64).abs() <= 1);
                    }
                    let sum = add(a, b, rounding);
                    assert_eq!(sum.to_bits(), sub(a, -b, rounding).to_bits());
                    let (big, small) = if a.abs() > b.abs() { (a, b) } else { (b, a) };
                    let side = (big - sum) + small;
                    assert!(rounds_rightly(sum, side, rounding), "{a} + {b} {rounding:?}");
                    let chained = fma(a, 1.0, b, rounding);
                    assert_eq!(chained.to_bits(), sum.to_bits(), "{a} {b} {rounding:?}");
                }
            }
            if a > 0.0 {
                for rounding in DIRECTIONS {
                    let root = sqrt(a, rounding);
                    let side = (-root).mul_add(root, a);
                    assert!(rounds_rightly(root, side, rounding), "sqrt {a} {rounding:?}");
                }
            }
        }
    }

    /// An `f32` product is exact in `f64`; so is a sum of `f32` products as a pair of `f64`.
    #[test]
    fn f32_directed_results_are_the_f64_truth_rounded_that_way() {
        let directed = |truth: f64, rest: f64, rounding: Rounding| -> f32 {
            let near = truth as f32;
            let above = f64::from(near) > truth || (f64::from(near) == truth && rest < 0.0);
            let below = f64::from(near) < truth || (f64::from(near) == truth && rest > 0.0);
            let down = if above { near.next_down() } else { near };
            let up = if below { near.next_up() } else { near };
            match rounding {
                Rounding::Down => down,
                Rounding::Up => up,
                Rounding::Zero => {
                    if truth > 0.0 {
                        down
                    } else {
                        up
                    }
                }
                _ => near,
            }
        };
        for a in edges_f32() {
            for b in edges_f32() {
                let truth = f64::from(a) * f64::from(b);
                if !truth.is_finite() || truth == 0.0 {
                    continue;
                }
                for rounding in DIRECTIONS {
                    let seen = mul(a, b, rounding);
                    assert_eq!(seen, directed(truth, 0.0, rounding), "{a:e} * {b:e} {rounding:?}");
                }
                let (wa, wb) = (f64::from(a), f64::from(b));
                let sum = wa + wb;
                let (big, small) = if wa.abs() > wb.abs() { (wa, wb) } else { (wb, wa) };
                let rest = (big - sum) + small;
                if sum == 0.0 || !sum.is_finite() {
                    continue;
                }
                for rounding in [Rounding::Zero, Rounding::Down, Rounding::Up] {
                    let seen = add(a, b, rounding);
                    assert_eq!(seen, directed(sum, rest, rounding), "{a:e} + {b:e} {rounding:?}");
                }
            }
        }
    }

    #[test]
    fn a_fused_product_is_rounded_once() {
        let (a, b) = (1.0 + f32::EPSILON, 1.0 - f32::EPSILON);
        assert_eq!(fma(a, b, -1.0, Rounding::NearestEven), -f32::EPSILON * f32::EPSILON);
        assert_eq!(fma(a, b, -1.0, Rounding::Zero), -f32::EPSILON * f32::EPSILON);
        let tiny = f32::from_bits(1);
        assert_eq!(fma(tiny, tiny, 1.0, Rounding::Up), 1.0f32.next_up());
        assert_eq!(fma(tiny, tiny, 1.0, Rounding::Down), 1.0);
        assert_eq!(fma(tiny, -tiny, 0.0, Rounding::Down), -tiny);
    }

    /// Proves NUM-1.
    #[test]
    fn an_f32_result_that_is_no_number_is_canonical() {
        let odd = f32::from_bits(0xffa0_1234);
        for value in [
            add(odd, 1.0, Rounding::NearestEven),
            sub(f32::INFINITY, f32::INFINITY, Rounding::Zero),
            mul(0.0, f32::INFINITY, Rounding::Up),
            fma(1.0, odd, 2.0, Rounding::NearestEven),
            div(0.0f32, 0.0, Rounding::NearestEven),
            sqrt(-1.0f32, Rounding::Down),
            min(odd, odd),
            max_nan(1.0, odd),
            neg(odd),
            abs(odd),
        ] {
            assert_eq!(value.to_bits(), 0x7fff_ffff);
        }
    }

    #[test]
    fn an_f64_nan_keeps_its_payload() {
        let odd = f64::from_bits(0x7ff0_0000_0000_1234);
        let quiet = 0x7ff8_0000_0000_1234;
        assert_eq!(add(odd, 1.0, Rounding::NearestEven).to_bits(), quiet);
        assert_eq!(fma(1.0, 2.0, odd, Rounding::Zero).to_bits(), quiet);
        assert_eq!(mul(0.0, f64::INFINITY, Rounding::NearestEven).to_bits(), NAN_F64.to_bits());
    }

    #[test]
    fn minimum_and_maximum_prefer_numbers_and_order_zeros() {
        assert_eq!(min(f32::NAN, 2.0), 2.0);
        assert_eq!(max(2.0, f64::NAN), 2.0);
        assert_eq!(min(0.0f32, -0.0).to_bits(), 0x8000_0000);
        assert_eq!(min(-0.0f32, 0.0).to_bits(), 0x8000_0000);
        assert_eq!(max(-0.0f32, 0.0).to_bits(), 0);
        assert_eq!(max(0.0f32, -0.0).to_bits(), 0);
        assert!(min_nan(f32::NAN, 2.0).is_nan());
    }

    /// Proves NUM-2.
    #[test]
    fn flushing_and_saturating_keep_what_the_manual_keeps() {
        assert_eq!(f32::from_bits(0x8000_0001).flush().to_bits(), 0x8000_0000);
        assert_eq!(f32::MIN_POSITIVE.flush(), f32::MIN_POSITIVE);
        assert!(f32::NAN.flush().is_nan());
        assert_eq!(saturate(f32::NAN).to_bits(), 0);
        assert_eq!(saturate(-0.0f32).to_bits(), 0);
        assert_eq!(saturate(f32::INFINITY), 1.0);
        assert_eq!(saturate(0.25f64), 0.25);
    }

    #[test]
    fn properties_partition_the_numbers() {
        use FloatClass::{Finite, Infinite, Normal, NotANumber, Number, Subnormal};
        let cases: [(f32, [bool; 6]); 5] = [
            (1.0, [true, false, true, false, true, false]),
            (0.0, [true, false, true, false, true, false]),
            (1e-45, [true, false, true, false, false, true]),
            (f32::NEG_INFINITY, [false, true, true, false, false, false]),
            (f32::NAN, [false, false, false, true, false, false]),
        ];
        for (value, wanted) in cases {
            let asked = [Finite, Infinite, Number, NotANumber, Normal, Subnormal];
            assert_eq!(asked.map(|property| has_property(value, property)), wanted, "{value}");
        }
    }

    #[test]
    fn copysign_takes_the_sign_of_the_first() {
        assert_eq!(copysign(-1.0f32, 5.0), -5.0);
        assert_eq!(copysign(0.0f64, -5.0), 5.0);
    }
}
