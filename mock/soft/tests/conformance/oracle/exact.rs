//! Floating point without floating point: numbers as integers times powers of two, rounded once, by the book.
//!
//! Knows IEEE 754 and nothing of the engine.

use num_bigint::{BigInt, BigUint, Sign};

/// A binary format.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Format {
    pub(crate) exponent_bits: u32,
    pub(crate) fraction_bits: u32,
}

pub(crate) const F16: Format = Format { exponent_bits: 5, fraction_bits: 10 };
pub(crate) const BF16: Format = Format { exponent_bits: 8, fraction_bits: 7 };
pub(crate) const TF32: Format = Format { exponent_bits: 8, fraction_bits: 10 };
pub(crate) const F32: Format = Format { exponent_bits: 8, fraction_bits: 23 };
pub(crate) const F64: Format = Format { exponent_bits: 11, fraction_bits: 52 };

impl Format {
    const fn bias(self) -> i64 {
        (1 << (self.exponent_bits - 1)) - 1
    }

    const fn sign(self) -> u64 {
        1 << (self.exponent_bits + self.fraction_bits)
    }

    pub(crate) const fn infinity(self) -> u64 {
        ((1 << self.exponent_bits) - 1) << self.fraction_bits
    }

    pub(crate) const fn one(self) -> u64 {
        (self.bias() as u64) << self.fraction_bits
    }

    pub(crate) const fn is_nan(self, bits: u64) -> bool {
        bits & (self.sign() - 1) > self.infinity()
    }

    pub(crate) const fn is_subnormal(self, bits: u64) -> bool {
        let magnitude = bits & (self.sign() - 1);
        magnitude != 0 && magnitude < 1 << self.fraction_bits
    }

    pub(crate) const fn is_negative(self, bits: u64) -> bool {
        bits & self.sign() != 0
    }

    pub(crate) const fn magnitude(self, bits: u64) -> u64 {
        bits & (self.sign() - 1)
    }

    pub(crate) const fn opposite(self, bits: u64) -> u64 {
        bits ^ self.sign()
    }

    pub(crate) const fn with_sign(self, magnitude: u64, negative: bool) -> u64 {
        if negative { magnitude | self.sign() } else { magnitude }
    }

    /// A subnormal number as zero of its sign.
    pub(crate) const fn flush(self, bits: u64) -> u64 {
        if self.is_subnormal(bits) { bits & self.sign() } else { bits }
    }
}

/// What bits stand for.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Number {
    Nan,
    Infinite {
        negative: bool,
    },
    /// `value × 2^exponent`; of zero, the sign is kept beside it.
    Finite {
        value: BigInt,
        exponent: i64,
        negative: bool,
    },
}

pub(crate) fn decode(bits: u64, format: Format) -> Number {
    let negative = format.is_negative(bits);
    let magnitude = format.magnitude(bits);
    if format.is_nan(bits) {
        return Number::Nan;
    }
    if magnitude == format.infinity() {
        return Number::Infinite { negative };
    }
    let fraction = magnitude & ((1 << format.fraction_bits) - 1);
    let stored = (magnitude >> format.fraction_bits) as i64;
    let hidden = if stored == 0 { 0 } else { 1 << format.fraction_bits };
    let value = BigInt::from(fraction | hidden);
    let exponent = stored.max(1) - format.bias() - i64::from(format.fraction_bits);
    Number::Finite { value: if negative { -value } else { value }, exponent, negative }
}

/// Where to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Even,
    Away,
    Zero,
    Down,
    Up,
}

/// A number that is `magnitude × 2^exponent`, or a little more where there is a `rest`.
pub(crate) struct Exact {
    pub(crate) negative: bool,
    pub(crate) magnitude: BigUint,
    pub(crate) exponent: i64,
    pub(crate) rest: bool,
}

/// How many of the dropped parts make one more.
fn rounds_up(
    direction: Direction,
    negative: bool,
    odd: bool,
    half: std::cmp::Ordering,
    inexact: bool,
) -> bool {
    use std::cmp::Ordering::{Equal, Greater};
    match direction {
        Direction::Even => half == Greater || (half == Equal && odd),
        Direction::Away => half != std::cmp::Ordering::Less,
        Direction::Zero => false,
        Direction::Down => negative && inexact,
        Direction::Up => !negative && inexact,
    }
}

/// `magnitude / 2^shift` as an integer, rounded.
fn divide_rounded(exact: &Exact, shift: i64, direction: Direction) -> BigUint {
    use std::cmp::Ordering;
    if shift <= 0 {
        let kept = &exact.magnitude << (-shift).unsigned_abs();
        let up = rounds_up(direction, exact.negative, kept.bit(0), Ordering::Less, exact.rest);
        return if up { kept + 1u32 } else { kept };
    }
    let kept = &exact.magnitude >> shift.unsigned_abs();
    let dropped = &exact.magnitude - (&kept << shift.unsigned_abs());
    let half = BigUint::from(1u32) << (shift - 1).unsigned_abs();
    let order = match dropped.cmp(&half) {
        Ordering::Equal if exact.rest => Ordering::Greater,
        order => order,
    };
    let inexact = exact.rest || dropped != BigUint::ZERO;
    let up = rounds_up(direction, exact.negative, kept.bit(0), order, inexact);
    if up { kept + 1u32 } else { kept }
}

/// The bits of the nearest number in the direction.
pub(crate) fn round(exact: &Exact, format: Format, direction: Direction) -> u64 {
    let fraction_bits = i64::from(format.fraction_bits);
    let highest = exact.exponent + exact.magnitude.bits() as i64 - 1;
    let mut quantum = highest.max(1 - format.bias()) - fraction_bits;
    let mut kept = divide_rounded(exact, quantum - exact.exponent, direction);
    if kept.bits() as i64 > fraction_bits + 1 {
        kept >>= 1u32;
        quantum += 1;
    }
    let kept = kept.iter_u64_digits().next().unwrap_or(0);
    let stored =
        if kept < 1 << format.fraction_bits { 0 } else { quantum + fraction_bits + format.bias() };
    let largest = (1 << format.exponent_bits) - 1;
    let magnitude = if stored >= largest {
        let inwards = match direction {
            Direction::Zero => true,
            Direction::Down => !exact.negative,
            Direction::Up => exact.negative,
            Direction::Even | Direction::Away => false,
        };
        format.infinity() - u64::from(inwards)
    } else {
        (stored.unsigned_abs() << format.fraction_bits) | (kept & ((1 << format.fraction_bits) - 1))
    };
    format.with_sign(magnitude, exact.negative)
}

fn round_value(value: &BigInt, exponent: i64, format: Format, direction: Direction) -> u64 {
    let negative = value.sign() == Sign::Minus;
    round(
        &Exact { negative, magnitude: value.magnitude().clone(), exponent, rest: false },
        format,
        direction,
    )
}

/// An integer as a number of the format.
pub(crate) fn from_integer(value: &BigInt, format: Format, direction: Direction) -> u64 {
    if value.sign() == Sign::NoSign { 0 } else { round_value(value, 0, format, direction) }
}

/// From one format to another; nothing where it is not a number.
pub(crate) fn convert(bits: u64, from: Format, to: Format, direction: Direction) -> Option<u64> {
    match decode(bits, from) {
        Number::Nan => None,
        Number::Infinite { negative } => Some(to.with_sign(to.infinity(), negative)),
        Number::Finite { value, negative, .. } if value.sign() == Sign::NoSign => {
            Some(to.with_sign(0, negative))
        }
        Number::Finite { value, exponent, .. } => {
            Some(round_value(&value, exponent, to, direction))
        }
    }
}

/// A finite number rounded to an integer.
pub(crate) fn to_integer(value: &BigInt, exponent: i64, direction: Direction) -> BigInt {
    if value.sign() == Sign::NoSign {
        return BigInt::ZERO;
    }
    let negative = value.sign() == Sign::Minus;
    let exact = Exact { negative, magnitude: value.magnitude().clone(), exponent, rest: false };
    let magnitude = BigInt::from(divide_rounded(&exact, -exponent, direction));
    if negative { -magnitude } else { magnitude }
}

/// `a × b + c`, rounded once; nothing where it is not a number.
pub(crate) fn fused(a: u64, b: u64, c: u64, format: Format, direction: Direction) -> Option<u64> {
    use Number::{Finite, Infinite, Nan};
    let [a, b, c] = [a, b, c].map(|bits| decode(bits, format));
    let product = product(&a, &b);
    match (product, c) {
        (Nan, _) | (_, Nan) => None,
        (Infinite { negative: left }, Infinite { negative: right }) if left != right => None,
        (Infinite { negative }, _) | (_, Infinite { negative }) => {
            Some(format.with_sign(format.infinity(), negative))
        }
        (
            Finite { value: x, exponent: p, negative: left },
            Finite { value: y, exponent: q, negative: right },
        ) => {
            let lowest = p.min(q);
            let sum = (&x << (p - lowest).unsigned_abs()) + (&y << (q - lowest).unsigned_abs());
            if sum.sign() != Sign::NoSign {
                return Some(round_value(&sum, lowest, format, direction));
            }
            let both_zero = x.sign() == Sign::NoSign && left == right;
            let negative = if both_zero { left } else { direction == Direction::Down };
            Some(format.with_sign(0, negative))
        }
    }
}

fn product(a: &Number, b: &Number) -> Number {
    use Number::{Finite, Infinite, Nan};
    match (a, b) {
        (Nan, _) | (_, Nan) => Nan,
        (Infinite { negative: left }, Infinite { negative: right }) => {
            Infinite { negative: left != right }
        }
        (Infinite { negative: left }, Finite { value, negative: right, .. })
        | (Finite { value, negative: right, .. }, Infinite { negative: left }) => {
            if value.sign() == Sign::NoSign { Nan } else { Infinite { negative: left != right } }
        }
        (
            Finite { value: x, exponent: p, negative: left },
            Finite { value: y, exponent: q, negative: right },
        ) => Finite { value: x * y, exponent: p + q, negative: left != right },
    }
}

/// `a × b`.
pub(crate) fn multiply(a: u64, b: u64, format: Format, direction: Direction) -> Option<u64> {
    match product(&decode(a, format), &decode(b, format)) {
        Number::Nan => None,
        Number::Infinite { negative } => Some(format.with_sign(format.infinity(), negative)),
        Number::Finite { value, negative, .. } if value.sign() == Sign::NoSign => {
            Some(format.with_sign(0, negative))
        }
        Number::Finite { value, exponent, .. } => {
            Some(round_value(&value, exponent, format, direction))
        }
    }
}

/// `a / b`.
pub(crate) fn divide(a: u64, b: u64, format: Format, direction: Direction) -> Option<u64> {
    use Number::{Finite, Infinite, Nan};
    let negative = format.is_negative(a) != format.is_negative(b);
    match (decode(a, format), decode(b, format)) {
        (Nan, _) | (_, Nan) | (Infinite { .. }, Infinite { .. }) => None,
        (Infinite { .. }, _) => Some(format.with_sign(format.infinity(), negative)),
        (_, Infinite { .. }) => Some(format.with_sign(0, negative)),
        (Finite { value: x, exponent: p, .. }, Finite { value: y, exponent: q, .. }) => {
            match (x.sign(), y.sign()) {
                (Sign::NoSign, Sign::NoSign) => None,
                (Sign::NoSign, _) => Some(format.with_sign(0, negative)),
                (_, Sign::NoSign) => Some(format.with_sign(format.infinity(), negative)),
                _ => {
                    let shift = 140;
                    let above = x.magnitude() << shift;
                    let magnitude = &above / y.magnitude();
                    let rest = &magnitude * y.magnitude() != above;
                    let exponent = p - q - shift;
                    Some(round(&Exact { negative, magnitude, exponent, rest }, format, direction))
                }
            }
        }
    }
}

/// The square root.
pub(crate) fn root(a: u64, format: Format, direction: Direction) -> Option<u64> {
    match decode(a, format) {
        Number::Nan => None,
        Number::Infinite { negative } => (!negative).then_some(a),
        Number::Finite { value, .. } if value.sign() == Sign::NoSign => Some(a),
        Number::Finite { negative: true, .. } => None,
        Number::Finite { value, exponent, .. } => {
            let shift = 160 + exponent.rem_euclid(2);
            let square = value.magnitude() << shift.unsigned_abs();
            let magnitude = square.sqrt();
            let rest = &magnitude * &magnitude != square;
            let exponent = (exponent - shift) / 2;
            Some(round(&Exact { negative: false, magnitude, exponent, rest }, format, direction))
        }
    }
}

/// Its value as the host's widest float; exact for every format here.
pub(crate) fn to_host(bits: u64, format: Format) -> f64 {
    f64::from_bits(match convert(bits, format, F64, Direction::Even) {
        Some(bits) => bits,
        None => return f64::NAN,
    })
}
