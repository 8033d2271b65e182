//! Operands of instructions.

use crate::PtxError;
use crate::limits::{NESTING_MAX, OPERANDS_MAX};

use super::scanner::Scanner;
use super::{AddressOperand, Constant, List, Operand, constant};

/// Where a body's operands gather. Lists are contiguous in `pool`; what is still open waits in `open`.
#[derive(Debug, Default)]
pub(super) struct Operands<'a> {
    pub(super) pool: Vec<Operand<'a>>,
    open: Vec<Operand<'a>>,
}

impl<'a> Operands<'a> {
    /// All operands up to the semicolon, which stays.
    pub(super) fn of_instruction(
        &mut self,
        scanner: &mut Scanner<'a>,
        is_call: bool,
    ) -> Result<List, PtxError> {
        if scanner.peek() == b';' {
            return Ok(List::default());
        }
        self.open.clear();
        self.list(scanner, is_call, 0)
    }

    /// One or more operands with commas between, whatever follows.
    fn list(
        &mut self,
        scanner: &mut Scanner<'a>,
        is_call: bool,
        depth: usize,
    ) -> Result<List, PtxError> {
        if depth > NESTING_MAX {
            let reason = format!("operands nested deeper than {NESTING_MAX}");
            return Err(PtxError::too_large(scanner.line(), reason));
        }
        let mark = self.open.len();
        loop {
            let operand = self.operand(scanner, is_call, depth)?;
            self.open.push(operand);
            if self.open.len() > OPERANDS_MAX {
                let reason = format!("an instruction with more than {OPERANDS_MAX} operands");
                return Err(PtxError::too_large(scanner.line(), reason));
            }
            if !scanner.eat(b',') {
                return Ok(self.close(mark));
            }
        }
    }

    /// Moves what was opened since `mark` into the pool.
    #[expect(clippy::cast_possible_truncation, reason = "fewer operands than bytes of text")]
    fn close(&mut self, mark: usize) -> List {
        let first = self.pool.len() as u32;
        let count = (self.open.len() - mark) as u32;
        self.pool.extend(self.open.drain(mark..));
        List { first, count }
    }

    #[inline]
    fn operand(
        &mut self,
        scanner: &mut Scanner<'a>,
        is_call: bool,
        depth: usize,
    ) -> Result<Operand<'a>, PtxError> {
        let first = self.single(scanner, is_call, depth)?;
        if scanner.peek() != b'|' {
            return Ok(first);
        }
        scanner.expect(b'|')?;
        let mark = self.open.len();
        self.open.push(first);
        let second = self.single(scanner, is_call, depth)?;
        self.open.push(second);
        Ok(Operand::Pair(self.close(mark)))
    }

    #[inline]
    fn single(
        &mut self,
        scanner: &mut Scanner<'a>,
        is_call: bool,
        depth: usize,
    ) -> Result<Operand<'a>, PtxError> {
        if scanner.at_word() {
            return named(scanner);
        }
        match scanner.peek() {
            b'[' => self.address(scanner, depth),
            b'{' => {
                scanner.expect(b'{')?;
                let list = self.list_until(scanner, b'}', depth)?;
                Ok(Operand::Vector(list))
            }
            b'(' if is_call => {
                scanner.expect(b'(')?;
                let list = self.list_until(scanner, b')', depth)?;
                Ok(Operand::Group(list))
            }
            b'!' => {
                scanner.expect(b'!')?;
                if scanner.at_word() {
                    let name = scanner.word("a predicate")?;
                    scanner.skip_blanks();
                    return Ok(Operand::Not(name));
                }
                let value = constant::expression(scanner)?;
                Ok(Operand::Constant(Constant::signed(i64::from(value.integer() == Some(0)))))
            }
            b'-' => minus(scanner),
            _ if constant::starts(scanner) => Ok(Operand::Constant(constant::expression(scanner)?)),
            _ => Err(scanner.expected("an operand")),
        }
    }

    fn list_until(
        &mut self,
        scanner: &mut Scanner<'a>,
        close: u8,
        depth: usize,
    ) -> Result<List, PtxError> {
        if scanner.eat(close) {
            return Ok(List::default());
        }
        let list = self.list(scanner, false, depth + 1)?;
        scanner.expect(close)?;
        Ok(list)
    }

    /// `[name]`, `[name+4]`, `[4096]`, `[name, {%r1, %r2}]`.
    fn address(
        &mut self,
        scanner: &mut Scanner<'a>,
        depth: usize,
    ) -> Result<Operand<'a>, PtxError> {
        scanner.expect(b'[')?;
        let (name, offset) = if scanner.at_word() {
            match named(scanner)? {
                Operand::Offset(name, offset) => (Some(name), offset),
                Operand::Name(name) => (Some(name), 0),
                _ => return Err(scanner.expected("an address")),
            }
        } else {
            (None, offset(scanner)?)
        };
        if scanner.eat(b']') {
            return Ok(Operand::Address(AddressOperand { name, offset, rest: List::default() }));
        }
        scanner.expect(b',')?;
        let rest = self.list_until(scanner, b']', depth)?;
        Ok(Operand::Address(AddressOperand { name, offset, rest }))
    }
}

/// `name`, `name.x`, `name+4`, `name-4`, `name[4]`.
#[inline]
fn named<'a>(scanner: &mut Scanner<'a>) -> Result<Operand<'a>, PtxError> {
    let name = scanner.word("a name")?;
    scanner.skip_blanks();
    match scanner.peek() {
        b'+' => {
            scanner.expect(b'+')?;
            Ok(Operand::Offset(name, offset(scanner)?))
        }
        b'-' => Ok(Operand::Offset(name, offset(scanner)?)),
        b'[' => {
            scanner.expect(b'[')?;
            let index = offset(scanner)?;
            scanner.expect(b']')?;
            Ok(Operand::Element(name, index))
        }
        _ => Ok(Operand::Name(name)),
    }
}

/// `-name` or a negative number.
fn minus<'a>(scanner: &mut Scanner<'a>) -> Result<Operand<'a>, PtxError> {
    let ahead = scanner.clone();
    scanner.expect(b'-')?;
    if scanner.at_word() {
        let name = scanner.word("a name")?;
        scanner.skip_blanks();
        return Ok(Operand::Minus(name));
    }
    *scanner = ahead;
    Ok(Operand::Constant(constant::expression(scanner)?))
}

fn offset(scanner: &mut Scanner<'_>) -> Result<i64, PtxError> {
    let line = scanner.line();
    match constant::expression(scanner)? {
        Constant::Integer { bits, .. } => Ok(bits.cast_signed()),
        _ => Err(PtxError::malformed(line, "an offset is a whole number of bytes")),
    }
}
