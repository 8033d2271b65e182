//! Numbers and constant expressions.
//!
//! Expressions are C's, over 64-bit integers (signed until one side is unsigned) and doubles.

use crate::PtxError;
use crate::limits::NESTING_MAX;

use super::Constant;
use super::scanner::Scanner;

/// What every expression of PTX knows by name.
const WARP_LANES: u64 = 32;

impl Constant {
    /// A signed number.
    #[must_use]
    pub const fn signed(value: i64) -> Self {
        Self::Integer { bits: value.cast_unsigned(), unsigned: false }
    }

    /// An unsigned number.
    #[must_use]
    pub const fn unsigned(bits: u64) -> Self {
        Self::Integer { bits, unsigned: true }
    }

    /// The bits of an integer.
    #[must_use]
    pub const fn integer(self) -> Option<u64> {
        match self {
            Self::Integer { bits, .. } => Some(bits),
            Self::F32(_) | Self::F64(_) => None,
        }
    }

    /// The value as a double; integers are converted.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "as C converts integers in float expressions")]
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Integer { bits, unsigned: true } => bits as f64,
            Self::Integer { bits, unsigned: false } => bits.cast_signed() as f64,
            Self::F32(bits) => f64::from(f32::from_bits(bits)),
            Self::F64(bits) => f64::from_bits(bits),
        }
    }

    fn float(value: f64) -> Self {
        Self::F64(value.to_bits())
    }

    fn truth(value: bool) -> Self {
        Self::signed(i64::from(value))
    }

    fn is_true(self) -> bool {
        match self {
            Self::Integer { bits, .. } => bits != 0,
            float => float.as_f64() != 0.0,
        }
    }
}

/// Whether a constant may start here.
pub(super) fn starts(scanner: &Scanner<'_>) -> bool {
    scanner.at_digit()
        || matches!(scanner.peek(), b'-' | b'+' | b'~' | b'(')
        || (scanner.peek() == b'.' && scanner.peek_at(1).is_ascii_digit())
}

/// A constant expression and the blanks behind it.
#[inline]
pub(super) fn expression(scanner: &mut Scanner<'_>) -> Result<Constant, PtxError> {
    // nearly all of them are one number, and end there
    if scanner.at_digit() {
        let value = number(scanner)?;
        if matches!(scanner.peek(), b',' | b';' | b']' | b'}') {
            return Ok(value);
        }
        return ternary_from(scanner, value, 0);
    }
    ternary(scanner, 0)
}

/// An unsigned number where only one makes sense: counts, sizes, alignments.
pub(super) fn size(scanner: &mut Scanner<'_>) -> Result<u64, PtxError> {
    let line = scanner.line();
    match expression(scanner)? {
        Constant::Integer { bits, unsigned } if unsigned || bits.cast_signed() >= 0 => Ok(bits),
        _ => Err(PtxError::malformed(line, "expected a number that is not negative")),
    }
}

fn ternary(scanner: &mut Scanner<'_>, depth: usize) -> Result<Constant, PtxError> {
    if depth > NESTING_MAX {
        return Err(PtxError::too_large(
            scanner.line(),
            format!("an expression nested deeper than {NESTING_MAX}"),
        ));
    }
    let first = unary(scanner, depth)?;
    ternary_from(scanner, first, depth)
}

fn ternary_from(
    scanner: &mut Scanner<'_>,
    first: Constant,
    depth: usize,
) -> Result<Constant, PtxError> {
    let condition = binary(scanner, first, 0, depth)?;
    if !scanner.eat(b'?') {
        return Ok(condition);
    }
    let then = ternary(scanner, depth + 1)?;
    scanner.expect(b':')?;
    let otherwise = ternary(scanner, depth + 1)?;
    Ok(if condition.is_true() { then } else { otherwise })
}

/// Binary operators by how tightly they bind.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operator {
    LogicalOr,
    LogicalAnd,
    Or,
    Xor,
    And,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    ShiftLeft,
    ShiftRight,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Operator {
    /// The operator here, its width in bytes and its precedence.
    fn at(scanner: &Scanner<'_>) -> Option<(Self, usize, u8)> {
        let found = match (scanner.peek(), scanner.peek_at(1)) {
            (b'|', b'|') => (Self::LogicalOr, 2, 1),
            (b'&', b'&') => (Self::LogicalAnd, 2, 2),
            (b'|', _) => (Self::Or, 1, 3),
            (b'^', _) => (Self::Xor, 1, 4),
            (b'&', _) => (Self::And, 1, 5),
            (b'=', b'=') => (Self::Equal, 2, 6),
            (b'!', b'=') => (Self::NotEqual, 2, 6),
            (b'<', b'<') => (Self::ShiftLeft, 2, 8),
            (b'>', b'>') => (Self::ShiftRight, 2, 8),
            (b'<', b'=') => (Self::LessEqual, 2, 7),
            (b'>', b'=') => (Self::GreaterEqual, 2, 7),
            (b'<', _) => (Self::Less, 1, 7),
            (b'>', _) => (Self::Greater, 1, 7),
            (b'+', _) => (Self::Add, 1, 9),
            (b'-', _) => (Self::Subtract, 1, 9),
            (b'*', _) => (Self::Multiply, 1, 10),
            (b'/', _) => (Self::Divide, 1, 10),
            (b'%', next) if !next.is_ascii_alphabetic() => (Self::Remainder, 1, 10),
            _ => return None,
        };
        Some(found)
    }
}

/// `left op right op …` as long as operators bind tighter than `loosest`.
fn binary(
    scanner: &mut Scanner<'_>,
    mut left: Constant,
    loosest: u8,
    depth: usize,
) -> Result<Constant, PtxError> {
    while let Some((operator, bytes, precedence)) = Operator::at(scanner) {
        if precedence <= loosest {
            break;
        }
        let line = scanner.line();
        (0..bytes).for_each(|_| scanner.bump());
        scanner.skip_blanks();
        let first = unary(scanner, depth + 1)?;
        let right = binary(scanner, first, precedence, depth + 1)?;
        left = apply(operator, left, right, line)?;
    }
    Ok(left)
}

fn unary(scanner: &mut Scanner<'_>, depth: usize) -> Result<Constant, PtxError> {
    if depth > NESTING_MAX {
        return Err(PtxError::too_large(
            scanner.line(),
            format!("an expression nested deeper than {NESTING_MAX}"),
        ));
    }
    let line = scanner.line();
    let integers_only = || PtxError::malformed(line, "this operator takes integers");
    if scanner.eat(b'-') {
        return Ok(match unary(scanner, depth + 1)? {
            Constant::Integer { bits, unsigned } => {
                Constant::Integer { bits: bits.wrapping_neg(), unsigned }
            }
            Constant::F32(bits) => Constant::F32(bits ^ 1 << 31),
            Constant::F64(bits) => Constant::F64(bits ^ 1 << 63),
        });
    }
    if scanner.eat(b'+') {
        return unary(scanner, depth + 1);
    }
    if scanner.eat(b'~') {
        let value = unary(scanner, depth + 1)?;
        let Constant::Integer { bits, unsigned } = value else { return Err(integers_only()) };
        return Ok(Constant::Integer { bits: !bits, unsigned });
    }
    if scanner.eat(b'!') {
        return Ok(Constant::truth(!unary(scanner, depth + 1)?.is_true()));
    }
    if scanner.eat(b'(') {
        return parenthesised(scanner, depth + 1);
    }
    if scanner.at_word() {
        return match scanner.plain_word("a constant")? {
            "WARP_SZ" => {
                scanner.skip_blanks();
                Ok(Constant::signed(WARP_LANES.cast_signed()))
            }
            name => Err(PtxError::malformed(line, format!("`{name}` is no constant"))),
        };
    }
    number(scanner)
}

/// `(expression)`, or a cast: `(.s64) 5`.
fn parenthesised(scanner: &mut Scanner<'_>, depth: usize) -> Result<Constant, PtxError> {
    if scanner.peek() == b'.' && scanner.peek_at(1).is_ascii_alphabetic() {
        let unsigned = match scanner.dotted()? {
            "s64" => false,
            "u64" => true,
            other => {
                let reason = format!("constants cast to .s64 or .u64, not .{other}");
                return Err(PtxError::malformed(scanner.line(), reason));
            }
        };
        scanner.expect(b')')?;
        let line = scanner.line();
        return match unary(scanner, depth)?.integer() {
            Some(bits) => Ok(Constant::Integer { bits, unsigned }),
            None => Err(PtxError::malformed(line, "only integers are cast")),
        };
    }
    let value = ternary(scanner, depth)?;
    scanner.expect(b')')?;
    Ok(value)
}

fn apply(
    operator: Operator,
    left: Constant,
    right: Constant,
    line: u32,
) -> Result<Constant, PtxError> {
    match (left, right) {
        (
            Constant::Integer { bits: a, unsigned: ua },
            Constant::Integer { bits: b, unsigned: ub },
        ) => integers(operator, a, b, ua || ub)
            .ok_or_else(|| PtxError::malformed(line, "division by zero in a constant")),
        _ => floats(operator, left, right)
            .ok_or_else(|| PtxError::malformed(line, "this operator takes integers")),
    }
}

/// None for a division by zero.
fn integers(operator: Operator, a: u64, b: u64, unsigned: bool) -> Option<Constant> {
    let (sa, sb) = (a.cast_signed(), b.cast_signed());
    let integer = |bits| Some(Constant::Integer { bits, unsigned });
    let truth = |value| Some(Constant::truth(value));
    // a shift's count may be any number; past the width C does not say, hardware clamps
    let count = u32::try_from(b).unwrap_or(u32::MAX);
    match operator {
        Operator::LogicalOr => truth(a != 0 || b != 0),
        Operator::LogicalAnd => truth(a != 0 && b != 0),
        Operator::Or => integer(a | b),
        Operator::Xor => integer(a ^ b),
        Operator::And => integer(a & b),
        Operator::Equal => truth(a == b),
        Operator::NotEqual => truth(a != b),
        Operator::Less => truth(if unsigned { a < b } else { sa < sb }),
        Operator::LessEqual => truth(if unsigned { a <= b } else { sa <= sb }),
        Operator::Greater => truth(if unsigned { a > b } else { sa > sb }),
        Operator::GreaterEqual => truth(if unsigned { a >= b } else { sa >= sb }),
        Operator::ShiftLeft => integer(a.checked_shl(count).unwrap_or(0)),
        Operator::ShiftRight if unsigned => integer(a.checked_shr(count).unwrap_or(0)),
        Operator::ShiftRight => integer((sa >> count.min(63)).cast_unsigned()),
        Operator::Add => integer(a.wrapping_add(b)),
        Operator::Subtract => integer(a.wrapping_sub(b)),
        Operator::Multiply => integer(a.wrapping_mul(b)),
        Operator::Divide | Operator::Remainder if b == 0 => None,
        Operator::Divide if unsigned => integer(a / b),
        Operator::Divide => integer(sa.wrapping_div(sb).cast_unsigned()),
        Operator::Remainder if unsigned => integer(a % b),
        Operator::Remainder => integer(sa.wrapping_rem(sb).cast_unsigned()),
    }
}

/// None for an operator that floats do not have.
fn floats(operator: Operator, left: Constant, right: Constant) -> Option<Constant> {
    let (a, b) = (left.as_f64(), right.as_f64());
    Some(match operator {
        Operator::LogicalOr => Constant::truth(left.is_true() || right.is_true()),
        Operator::LogicalAnd => Constant::truth(left.is_true() && right.is_true()),
        Operator::Equal => Constant::truth(a == b),
        Operator::NotEqual => Constant::truth(a != b),
        Operator::Less => Constant::truth(a < b),
        Operator::LessEqual => Constant::truth(a <= b),
        Operator::Greater => Constant::truth(a > b),
        Operator::GreaterEqual => Constant::truth(a >= b),
        Operator::Add => Constant::float(a + b),
        Operator::Subtract => Constant::float(a - b),
        Operator::Multiply => Constant::float(a * b),
        Operator::Divide => Constant::float(a / b),
        _ => return None,
    })
}

/// One number and the blanks behind it.
fn number(scanner: &mut Scanner<'_>) -> Result<Constant, PtxError> {
    let line = scanner.line();
    if !scanner.at_digit() && scanner.peek() != b'.' {
        return Err(scanner.expected("a number"));
    }
    let ahead = scanner.clone();
    let digits = scanner.digits()?;
    let is_hex = digits.starts_with("0x") || digits.starts_with("0X");
    let is_exact = matches!(digits.as_bytes(), [b'0', b'f' | b'F' | b'd' | b'D', ..]);
    let has_exponent = !is_hex && !is_exact && digits.contains(['e', 'E']);
    let value = if !is_hex && !is_exact && (scanner.peek() == b'.' || has_exponent) {
        *scanner = ahead;
        let text = scanner.decimal()?;
        text.parse().ok().map(Constant::float)
    } else {
        integer(digits).or_else(|| exact(digits))
    };
    scanner.skip_blanks();
    value.ok_or_else(|| PtxError::malformed(line, format!("`{digits}` is no number")))
}

/// `42`, `0x2A`, `052`, `0b101010`, each with or without `U`.
fn integer(digits: &str) -> Option<Constant> {
    let bytes = digits.as_bytes();
    let (body, marked) = match bytes.split_last()? {
        (b'U' | b'u', body) => (body, true),
        _ => (bytes, false),
    };
    let bits = match body {
        [b'0', b'x' | b'X', hex @ ..] => radix(hex, 16)?,
        [b'0', b'b' | b'B', binary @ ..] => radix(binary, 2)?,
        [b'0', octal @ ..] if !octal.is_empty() => radix(octal, 8)?,
        decimal => radix(decimal, 10)?,
    };
    Some(Constant::Integer { bits, unsigned: marked || bits > i64::MAX.cast_unsigned() })
}

fn radix(digits: &[u8], radix: u32) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |value, &digit| {
        let digit = (digit as char).to_digit(radix)?;
        value.checked_mul(radix.into())?.checked_add(digit.into())
    })
}

/// `0f3F800000`, `0d3FF0000000000000`.
fn exact(digits: &str) -> Option<Constant> {
    match digits.as_bytes() {
        [b'0', b'f' | b'F', hex @ ..] if hex.len() == 8 => {
            radix(hex, 16).and_then(|bits| u32::try_from(bits).ok()).map(Constant::F32)
        }
        [b'0', b'd' | b'D', hex @ ..] if hex.len() == 16 => radix(hex, 16).map(Constant::F64),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Constant {
        expression(&mut Scanner::new(text)).unwrap()
    }

    fn refusal(text: &str) -> String {
        expression(&mut Scanner::new(text)).unwrap_err().to_string()
    }

    #[test]
    fn numbers_are_read_in_every_form() {
        assert_eq!(value("42"), Constant::signed(42));
        assert_eq!(value("-1"), Constant::signed(-1));
        assert_eq!(value("052"), Constant::signed(42));
        assert_eq!(value("0b101010U"), Constant::unsigned(42));
        assert_eq!(value("0xFFFFFFFFFFFFFFFF"), Constant::unsigned(u64::MAX));
        assert_eq!(value("0f3F800000"), Constant::F32(0x3f80_0000));
        assert_eq!(value("0dBFF0000000000000"), Constant::F64((-1.0_f64).to_bits()));
        assert_eq!(value("1.5e-3"), Constant::F64(1.5e-3_f64.to_bits()));
        assert_eq!(value("-.5"), Constant::F64((-0.5_f64).to_bits()));
        assert_eq!(value("0"), Constant::signed(0));
    }

    #[test]
    fn expressions_follow_c() {
        assert_eq!(value("1 + 2 * 3 - (4 << 1)"), Constant::signed(-1));
        assert_eq!(value("-8 >> 1"), Constant::signed(-4));
        assert_eq!(value("1 < 2 ? 10 : 20"), Constant::signed(10));
        assert_eq!(value("(.u64)(-1) / 2"), Constant::unsigned(u64::MAX / 2));
        assert_eq!(value("~0 & 0xff"), Constant::signed(255));
        assert_eq!(value("WARP_SZ*2"), Constant::signed(64));
        assert_eq!(value("!3 || 2 == 2"), Constant::signed(1));
        assert_eq!(value("1.0 / 4"), Constant::F64(0.25_f64.to_bits()));
    }

    #[test]
    fn what_is_no_number_is_refused() {
        assert_eq!(refusal("09"), "line 1: `09` is no number");
        assert_eq!(refusal("18446744073709551616"), "line 1: `18446744073709551616` is no number");
        assert_eq!(refusal("0f123"), "line 1: `0f123` is no number");
        assert_eq!(refusal("1/0"), "line 1: division by zero in a constant");
        assert!(refusal(&"(".repeat(1000)).contains("nested deeper than 64"));
    }
}
