//! Floating-point operations and conversions.

use super::Type;

/// Which neighbour an inexact result becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rounding {
    /// To nearest, ties to even (`.rn`, `.rni`).
    NearestEven,
    /// To nearest, ties away from zero (`.rna`).
    NearestAway,
    /// Toward zero (`.rz`, `.rzi`).
    Zero,
    /// Toward negative infinity (`.rm`, `.rmi`).
    Down,
    /// Toward positive infinity (`.rp`, `.rpi`).
    Up,
}

/// The modifiers of float arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FloatMode {
    /// `.rn` where PTX lets it out. Approximate operations do not look at it.
    pub rounding: Rounding,
    /// `.ftz`: subnormal inputs and results become zero of the same sign (f32, and f16 types).
    pub flush_subnormals: bool,
    /// `.sat`: the result is clamped to 0…1, NaN becomes 0.
    pub saturate: bool,
    /// `.relu`: negative results become 0; NaN becomes the canonical NaN.
    pub relu: bool,
}

impl FloatMode {
    /// To nearest even, nothing flushed, nothing clamped.
    pub const DEFAULT: Self = Self {
        rounding: Rounding::NearestEven,
        flush_subnormals: false,
        saturate: false,
        relu: false,
    };
}

/// `d = op(a)` on floats; F16, F16x2, Bf16, Bf16x2, F32, F64 unless said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FloatUnary {
    /// Flips the sign, of NaN too.
    Neg,
    /// Clears the sign, of NaN too.
    Abs,
    /// F32, F64: 1/x, correctly rounded.
    Reciprocal,
    /// F32; F64 (20 bits of mantissa, subnormals flushed): 1/x.
    ReciprocalApprox,
    /// F32, F64: correctly rounded.
    SquareRoot,
    /// F32.
    SquareRootApprox,
    /// F32; F64 (with `flush_subnormals`: 20 bits of mantissa).
    ReciprocalSquareRootApprox,
    /// F32.
    SineApprox,
    /// F32.
    CosineApprox,
    /// F32: log₂.
    Log2Approx,
    /// F32, F16, F16x2, Bf16, Bf16x2: 2ˣ.
    Exp2Approx,
    /// F32, F16, F16x2, Bf16, Bf16x2.
    TanhApprox,
}

/// `d = op(a, b)` on floats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FloatBinary {
    /// All float types.
    Add,
    /// All float types.
    Sub,
    /// All float types.
    Mul,
    /// F32, F64, correctly rounded.
    Divide,
    /// F32, `div.approx`: 2 ulp for 2⁻¹²⁶ ≤ |b| ≤ 2¹²⁶.
    DivideApprox,
    /// F32, `div.full`: 2 ulp, whole range.
    DivideFull,
    /// All float types: the number where one is NaN; -0 < +0.
    Min {
        /// `.NaN`: NaN where either is.
        propagate_nan: bool,
        /// `.xorsign.abs`: of the magnitudes, with the product of the signs.
        xor_sign: bool,
    },
    /// All float types: the number where one is NaN; -0 < +0.
    Max {
        /// `.NaN`: NaN where either is.
        propagate_nan: bool,
        /// `.xorsign.abs`: of the magnitudes, with the product of the signs.
        xor_sign: bool,
    },
    /// F32, F64: magnitude of `b`, sign of `a` (as PTX has it).
    CopySign,
}

/// `d = op(a, b, c)` on floats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FloatTernary {
    /// All float types: `a*b + c`, rounded once.
    Fma,
}

/// What `testp` asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FloatClass {
    /// Neither infinite nor NaN.
    Finite,
    /// Infinite.
    Infinite,
    /// Not NaN.
    Number,
    /// NaN.
    NotANumber,
    /// Finite, neither zero nor subnormal.
    Normal,
    /// Subnormal.
    Subnormal,
}

/// `cvt` of one value.
///
/// Integer to integer: the low bits, extended as `from` is signed, or clamped to `to` (`saturate`).
/// Float to integer: rounded (`rounding` is the integer kind), clamped to `to`; NaN becomes 0, except that
/// narrowing to 32 and 64 bits follows NVIDIA's results, which the numerics state. Float to float of the same type: rounded to an integral
/// value where `to_integral`. The destination register may be wider than `to`: the result is extended as `to` is signed.
/// A source register may be wider than `from`: its low bits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Conversion {
    /// Type of the result.
    pub to: Type,
    /// Type of the source.
    pub from: Type,
    /// Float results and float to integer; `NearestEven` where nothing is rounded.
    pub rounding: Rounding,
    /// `.rni .rzi .rmi .rpi` between floats: round to an integral value.
    pub to_integral: bool,
    /// `.ftz`: subnormal f32 inputs and results become zero.
    pub flush_subnormals: bool,
    /// `.sat`: integers clamp to the range of `to`, floats to 0…1.
    pub saturate: bool,
    /// `.relu`.
    pub relu: bool,
}

/// `cvt` of two values into one register: `a` becomes the upper half, `b` the lower.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PackedConversion {
    /// Two F32 to F16x2 or Bf16x2.
    FromF32 {
        /// F16x2 or Bf16x2.
        to: Type,
        /// `NearestEven` or `Zero`.
        rounding: Rounding,
        /// `.relu`.
        relu: bool,
        /// `.satfinite`: values past the largest finite one become it, not infinity.
        saturate_finite: bool,
    },
    /// `cvt.pack.sat`: two S32, each clamped to `to` (U16, S16; U8, S8 with `c`), packed low.
    FromS32 {
        /// U16, S16, U8, S8. With 8-bit types, the two results are the low 16 bits and the low half of `c` is moved above them.
        to: Type,
    },
}
