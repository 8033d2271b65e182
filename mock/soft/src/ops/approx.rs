//! The approximate functions, by our own polynomials: the same bits on every host, inside NVIDIA's stated bounds.
//!
//! | function | bound of the manual | bound held here |
//! | --- | --- | --- |
//! | `ex2` | 2 ulp | 1 ulp |
//! | `lg2` | 2⁻²²·⁶ absolute in (0.5, 2), else relative | 2⁻²²·⁶ |
//! | `sin`, `cos` | 2⁻²⁰·⁵ absolute in [-2π, 2π] | 2⁻²² |
//! | `tanh` | 2⁻¹¹ relative | 2⁻²⁰ |
//! | `rsqrt` | 2⁻²²·⁹ relative | 2⁻²²·⁹ |
//! | `rcp`, `sqrt`, `div.approx`, `div.full` | 1, 2 ulp | correctly rounded |

use super::float::{Float, NAN_F32, NAN_F64};

#[inline(always)]
fn canonical(result: f32) -> f32 {
    Float::canonical(result, [0.0; 3])
}

/// Horner's rule, each step rounded once; the highest coefficient first.
#[inline(always)]
fn polynomial<const N: usize>(x: f32, coefficients: [f32; N]) -> f32 {
    let mut sum = coefficients[0];
    let mut i = 1;
    while i < N {
        sum = sum.mul_add(x, coefficients[i]);
        i += 1;
    }
    sum
}

/// Two to an integer from -126 to 127.
#[inline(always)]
fn power_of_two(n: i32) -> f32 {
    f32::from_bits(((n + 127) << 23) as u32)
}

/// `ex2.approx.f32`: 2ˣ.
#[inline(always)]
#[must_use]
pub fn ex2(x: f32) -> f32 {
    // Taylor's series of 2^f on [-1/2, 1/2]: the first term left out is 2^-28 of the result.
    const SERIES: [f32; 8] = [
        1.525_273_3e-5,
        1.540_353e-4,
        1.333_355_8e-3,
        9.618_129e-3,
        5.550_411e-2,
        2.402_265e-1,
        6.931_472e-1,
        1.0,
    ];
    let clamped = x.clamp(-160.0, 130.0); // NaN passes
    let whole = clamped.round_ties_even();
    let power = polynomial(clamped - whole, SERIES);
    let n = whole as i32;
    let half = n >> 1; // in two steps, so that neither overflows and only the last one rounds
    canonical(power * power_of_two(half) * power_of_two(n - half))
}

/// `lg2.approx.f32`.
#[inline(always)]
#[must_use]
pub fn lg2(x: f32) -> f32 {
    // log2(m) = 2/ln2 · atanh(s), s = (m - 1)/(m + 1), m in [1/√2, √2]
    const SERIES: [f32; 4] = [4.121_986e-1, 5.770_78e-1, 9.617_967e-1, 2.885_39];
    let subnormal = x < f32::MIN_POSITIVE;
    let scaled = if subnormal { x * 8_388_608.0 } else { x };
    let shifted = scaled.to_bits().wrapping_sub(0x3f35_04f3) as i32;
    let exponent = (shifted >> 23) - if subnormal { 23 } else { 0 };
    let m = f32::from_bits(((shifted & 0x7f_ffff) + 0x3f35_04f3) as u32);
    let s = (m - 1.0) / (m + 1.0);
    let log = s.mul_add(polynomial(s * s, SERIES), exponent as f32);
    let log = if x == f32::INFINITY { x } else { log };
    let log = if x == 0.0 { f32::NEG_INFINITY } else { log };
    if x >= 0.0 { log } else { NAN_F32 }
}

/// The quadrant of an angle, and what is left of it, within ±π/4.
#[inline(always)]
fn reduce(x: f32) -> (i64, f32) {
    const QUARTER: f64 = std::f64::consts::FRAC_PI_2;
    const EIGHTH: f64 = std::f64::consts::FRAC_PI_4 * 1.000_001;
    const QUARTER_REST: f64 = 6.123_233_995_736_766e-17;
    let x = f64::from(x);
    let quadrant = (x * std::f64::consts::FRAC_2_PI).round_ties_even();
    let rest = quadrant.mul_add(-QUARTER, x);
    // Beyond 2^52 quadrants the remainder means nothing; it stays an angle all the same.
    let rest = quadrant.mul_add(-QUARTER_REST, rest).clamp(-EIGHTH, EIGHTH);
    (quadrant as i64, rest as f32)
}

#[inline(always)]
fn sine_of_reduced(quadrant: i64, r: f32) -> f32 {
    const SINE: [f32; 4] = [2.718_311_5e-6, -1.983_931_2e-4, 8.333_329e-3, -1.666_666_7e-1];
    const COSINE: [f32; 4] = [2.443_315_7e-5, -1.388_731_6e-3, 4.166_664_6e-2, -0.5];
    let square = r * r;
    let sine = (r * square).mul_add(polynomial(square, SINE), r);
    let cosine = square.mul_add(polynomial(square, COSINE), 1.0);
    let value = if quadrant & 1 == 0 { sine } else { cosine };
    if quadrant & 2 == 0 { value } else { -value }
}

/// `sin.approx.f32`.
#[inline(always)]
#[must_use]
pub fn sin(x: f32) -> f32 {
    let (quadrant, r) = reduce(x);
    let sine = sine_of_reduced(quadrant, r);
    canonical(if x == 0.0 { x } else { sine })
}

/// `cos.approx.f32`.
#[inline(always)]
#[must_use]
pub fn cos(x: f32) -> f32 {
    let (quadrant, r) = reduce(x);
    canonical(sine_of_reduced(quadrant.wrapping_add(1), r))
}

/// `tanh.approx.f32`.
#[inline(always)]
#[must_use]
pub fn tanh(x: f32) -> f32 {
    // Below 1/2 the odd series keeps the relative error; above it, 1 - 2/(e^2x + 1) does.
    const SERIES: [f32; 6] = [
        3.592_128e-3,
        -8.863_235e-3,
        2.186_949e-2,
        -5.396_825_6e-2,
        1.333_333_4e-1,
        -3.333_333_4e-1,
    ];
    const TWO_OVER_LN2: f32 = 2.885_39;
    let magnitude = x.abs();
    let square = magnitude * magnitude;
    let near = (magnitude * square).mul_add(polynomial(square, SERIES), magnitude);
    let far = 1.0 - 2.0 / (ex2(magnitude.min(20.0) * TWO_OVER_LN2) + 1.0);
    let value = if magnitude < 0.5 { near } else { far };
    canonical(if x.is_nan() { x } else { value.copysign(x) })
}

/// `rsqrt.approx.f32`: two correctly rounded steps.
#[inline(always)]
#[must_use]
pub fn rsqrt(x: f32) -> f32 {
    canonical(1.0 / x.sqrt())
}

/// `rsqrt.approx.f64`.
#[inline(always)]
#[must_use]
pub fn rsqrt_f64(x: f64) -> f64 {
    let result = 1.0 / x.sqrt();
    Float::canonical(result, [x, 0.0, 0.0])
}

/// `div.approx.f32`: the quotient, except that a divisor above 2¹²⁶ gives zero (NaN for an infinite dividend), as the manual says.
#[inline(always)]
#[must_use]
pub fn div(a: f32, b: f32) -> f32 {
    const TWO_126: f32 = 8.507_059e37;
    let huge = b.abs() > TWO_126 && b.abs() < f32::INFINITY;
    let huge_quotient = if a.is_finite() { 0f32.copysign(a) * b.signum() } else { NAN_F32 };
    canonical(if huge { huge_quotient } else { a / b })
}

/// `rcp.approx.ftz.f64`: of the upper word alone, the lower word zero.
#[inline(always)]
#[must_use]
pub fn rcp_upper_word_f64(x: f64) -> f64 {
    upper_word(1.0 / upper_word(flush_f64(x)))
}

/// `rsqrt.approx.ftz.f64`: of the upper word alone, the lower word zero.
#[inline(always)]
#[must_use]
pub fn rsqrt_upper_word_f64(x: f64) -> f64 {
    upper_word(rsqrt_f64(upper_word(flush_f64(x))))
}

#[inline(always)]
fn flush_f64(x: f64) -> f64 {
    if x.abs() < f64::MIN_POSITIVE { 0f64.copysign(x) } else { x }
}

#[inline(always)]
fn upper_word(x: f64) -> f64 {
    let flushed = flush_f64(x);
    if flushed.is_nan() { NAN_F64 } else { f64::from_bits(flushed.to_bits() & !0xffff_ffff) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every `step`-th `f32` between two magnitudes, of both signs.
    fn spread(low: f32, high: f32, step: usize) -> impl Iterator<Item = f32> {
        (low.to_bits()..=high.to_bits()).step_by(step).map(f32::from_bits).flat_map(|v| [v, -v])
    }

    fn ulps(seen: f32, truth: f64) -> f64 {
        let near = truth as f32;
        let ulp = f64::from(near.abs().next_up()) - f64::from(near.abs());
        (f64::from(seen) - truth).abs() / ulp
    }

    /// Proves NUM-5.
    #[test]
    fn ex2_is_within_one_ulp() {
        for x in spread(1e-8, 127.99, 40_009) {
            let truth = f64::from(x).exp2();
            assert!(ulps(ex2(x), truth) <= 1.0, "ex2({x:e}) = {:e}, not {truth:e}", ex2(x));
        }
        for x in [-126.5f32, -130.25, -148.9, -149.5] {
            assert!(ulps(ex2(x), f64::from(x).exp2()) <= 1.0, "ex2({x})");
        }
        assert_eq!(ex2(0.0), 1.0);
        assert_eq!(ex2(f32::NEG_INFINITY), 0.0);
        assert_eq!(ex2(f32::INFINITY), f32::INFINITY);
        assert_eq!(ex2(128.0), f32::INFINITY);
        assert_eq!(ex2(-10.0), 2f32.powi(-10));
        assert_eq!(ex2(f32::NAN).to_bits(), 0x7fff_ffff);
    }

    /// Proves NUM-5.
    #[test]
    fn lg2_is_within_its_bound() {
        let bound = 2f64.powf(-22.6);
        for x in spread(1e-45, f32::MAX, 40_009).filter(|x| *x > 0.0) {
            let truth = f64::from(x).log2();
            let error = (f64::from(lg2(x)) - truth).abs();
            let allowed = if x > 0.5 && x < 2.0 { bound } else { bound * truth.abs() };
            assert!(error <= allowed, "lg2({x:e}) = {:e}, not {truth:e}", lg2(x));
        }
        assert_eq!(lg2(8.0), 3.0);
        assert_eq!(lg2(1.0), 0.0);
        assert_eq!(lg2(-0.0), f32::NEG_INFINITY);
        assert_eq!(lg2(f32::INFINITY), f32::INFINITY);
        assert_eq!(lg2(-1.0).to_bits(), 0x7fff_ffff);
        assert_eq!(lg2(f32::NAN).to_bits(), 0x7fff_ffff);
    }

    /// Proves NUM-5.
    #[test]
    fn sine_and_cosine_are_within_their_bound() {
        let bound = 2f64.powi(-22);
        for x in spread(1e-30, 6.3, 40_009).chain(spread(6.3, 1e5, 20_011)) {
            let (sine, cosine) = f64::from(x).sin_cos();
            assert!((f64::from(sin(x)) - sine).abs() <= bound, "sin({x:e}) = {:e}", sin(x));
            assert!((f64::from(cos(x)) - cosine).abs() <= bound, "cos({x:e}) = {:e}", cos(x));
        }
        assert_eq!(sin(-0.0).to_bits(), 0x8000_0000);
        assert_eq!(cos(0.0), 1.0);
        assert_eq!(sin(f32::INFINITY).to_bits(), 0x7fff_ffff);
        assert_eq!(cos(f32::NAN).to_bits(), 0x7fff_ffff);
        assert!(sin(3e38).abs() <= 1.0);
    }

    /// Proves NUM-5.
    #[test]
    fn tanh_is_within_its_bound() {
        for x in spread(1e-40, 30.0, 40_009) {
            let truth = f64::from(x).tanh();
            let error = ((f64::from(tanh(x)) - truth) / truth).abs();
            assert!(error <= 2f64.powi(-20), "tanh({x:e}) = {:e}, not {truth:e}", tanh(x));
        }
        assert_eq!(tanh(f32::NEG_INFINITY), -1.0);
        assert_eq!(tanh(-0.0).to_bits(), 0x8000_0000);
        assert_eq!(tanh(f32::NAN).to_bits(), 0x7fff_ffff);
    }

    /// Proves NUM-5.
    #[test]
    fn rsqrt_is_within_its_bound() {
        for x in spread(1e-45, f32::MAX, 40_009).filter(|x| *x > 0.0) {
            let truth = 1.0 / f64::from(x).sqrt();
            let error = ((f64::from(rsqrt(x)) - truth) / truth).abs();
            assert!(error <= 2f64.powf(-22.9), "rsqrt({x:e})");
        }
        assert_eq!(rsqrt(-0.0), f32::NEG_INFINITY);
        assert_eq!(rsqrt(f32::INFINITY), 0.0);
        assert_eq!(rsqrt(-1.0).to_bits(), 0x7fff_ffff);
    }

    #[test]
    fn approximate_division_gives_up_on_huge_divisors() {
        assert_eq!(div(7.0, 2.0), 3.5);
        assert_eq!(div(1e38, 1.5e38), 0.0);
        assert_eq!(div(f32::INFINITY, 1.5e38).to_bits(), 0x7fff_ffff);
        assert_eq!(div(1.0, f32::INFINITY), 0.0);
    }

    #[test]
    fn upper_word_forms_leave_the_lower_word_zero() {
        for x in [1.0f64, 3.0, 0.1, 1e300, 7.7e-200] {
            for (seen, truth) in
                [(rcp_upper_word_f64(x), 1.0 / x), (rsqrt_upper_word_f64(x), 1.0 / x.sqrt())]
            {
                assert_eq!(seen.to_bits() & 0xffff_ffff, 0);
                assert!(((seen - truth) / truth).abs() < 2f64.powi(-18), "{x}");
            }
        }
        assert_eq!(rcp_upper_word_f64(1e-310), f64::INFINITY);
        assert_eq!(rcp_upper_word_f64(f64::NEG_INFINITY).to_bits(), 1 << 63);
        assert_eq!(rsqrt_upper_word_f64(-0.0), f64::NEG_INFINITY);
    }
}
