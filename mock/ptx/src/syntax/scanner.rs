//! Reading a text byte by byte: blanks, comments, words, lines.

use crate::limits::IDENTIFIER_BYTES_MAX;
use crate::{Fault, PtxError};

use super::Span;

/// A place in a text.
#[derive(Debug, Clone)]
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    line: u32,
    line_start: usize,
}

/// What a byte may be part of.
const BLANK: u8 = 1;
const WORD: u8 = 2;
const WORD_START: u8 = 4;
const DIGIT: u8 = 8;

const CLASS: [u8; 256] = {
    let mut table = [0_u8; 256];
    let mut byte = 0_usize;
    while byte < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "the loop ends at 256")]
        let b = byte as u8;
        table[byte] = match b {
            b' ' | b'\t' | b'\r' | 0x0b | 0x0c => BLANK,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'$' | b'%' => WORD | WORD_START,
            b'0'..=b'9' => WORD | DIGIT,
            // mangled names of some front ends are UTF-8
            0x80..=0xff => WORD | WORD_START,
            _ => 0,
        };
        byte += 1;
    }
    table
};

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, line: 1, line_start: 0 }
    }

    pub(super) fn line(&self) -> u32 {
        self.line
    }

    pub(super) fn start(&self) -> Span {
        let at = self.place();
        Span { start: at, end: at, line: self.line }
    }

    /// The span from `start` to here.
    pub(super) fn since(&self, start: Span) -> Span {
        Span { end: self.place(), ..start }
    }

    #[expect(clippy::cast_possible_truncation, reason = "texts are shorter than 2^32 bytes")]
    fn place(&self) -> u32 {
        self.at as u32
    }

    /// The byte here; 0 at the end.
    #[inline]
    pub(super) fn peek(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    /// The byte `ahead` of here; 0 at the end.
    #[inline]
    pub(super) fn peek_at(&self, ahead: usize) -> u8 {
        self.text.as_bytes().get(self.at + ahead).copied().unwrap_or(0)
    }

    pub(super) fn at_end(&self) -> bool {
        self.at >= self.text.len()
    }

    /// Past one byte, which is no line end.
    #[inline]
    pub(super) fn bump(&mut self) {
        self.at += 1;
    }

    /// Past blanks, line ends and comments.
    #[inline]
    pub(super) fn skip_blanks(&mut self) {
        let bytes = self.text.as_bytes();
        while let Some(&byte) = bytes.get(self.at) {
            if CLASS[byte as usize] & BLANK != 0 {
                self.at += 1;
            } else if byte == b'\n' {
                self.at += 1;
                self.line += 1;
                self.line_start = self.at;
            } else if byte == b'/' && self.skip_comment() {
                // past it
            } else {
                break;
            }
        }
    }

    /// Past a comment, if one starts here. One that never ends reaches the end.
    fn skip_comment(&mut self) -> bool {
        match self.peek_at(1) {
            b'/' => {
                self.skip_line();
                true
            }
            b'*' => {
                self.at += 2;
                while !(self.at_end() || (self.peek() == b'*' && self.peek_at(1) == b'/')) {
                    self.bump_any();
                }
                self.at = (self.at + 2).min(self.text.len());
                true
            }
            _ => false,
        }
    }

    /// To the end of the line.
    pub(super) fn skip_line(&mut self) {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        self.at += rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
    }

    /// Past one byte of any kind.
    pub(super) fn bump_any(&mut self) {
        if self.peek() == b'\n' {
            self.line += 1;
            self.line_start = self.at + 1;
        }
        self.at += 1;
    }

    /// Past `byte` and the blanks behind it, if it is here.
    #[inline]
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let here = self.peek() == byte && !self.at_end();
        if here {
            self.bump();
            self.skip_blanks();
        }
        here
    }

    #[inline]
    pub(super) fn expect(&mut self, byte: u8) -> Result<(), PtxError> {
        if self.eat(byte) { Ok(()) } else { Err(self.expected(&format!("`{}`", byte as char))) }
    }

    pub(super) fn at_word(&self) -> bool {
        CLASS[self.peek() as usize] & WORD_START != 0
    }

    pub(super) fn at_digit(&self) -> bool {
        CLASS[self.peek() as usize] & DIGIT != 0
    }

    /// A name: `%rd1`, `$L__BB0_1`, `_Z3fooi`, with components (`%tid.x`), without the blanks behind it.
    #[inline]
    pub(super) fn word(&mut self, what: &str) -> Result<&'a str, PtxError> {
        if !self.at_word() {
            return Err(self.expected(what));
        }
        let start = self.at;
        self.skip_word_bytes();
        while self.peek() == b'.' && CLASS[self.peek_at(1) as usize] & WORD != 0 {
            self.bump();
            self.skip_word_bytes();
        }
        self.taken(start)
    }

    /// A name without components.
    pub(super) fn plain_word(&mut self, what: &str) -> Result<&'a str, PtxError> {
        if !self.at_word() {
            return Err(self.expected(what));
        }
        let start = self.at;
        self.skip_word_bytes();
        self.taken(start)
    }

    /// An opcode with its modifiers, `::` inside.
    #[inline]
    pub(super) fn opcode(&mut self) -> Result<&'a str, PtxError> {
        let start = self.at;
        loop {
            self.skip_word_bytes();
            if self.peek() == b'.' {
                self.bump();
            } else if self.peek() == b':' && self.peek_at(1) == b':' {
                self.at += 2;
            } else {
                return self.taken(start);
            }
        }
    }

    /// A directive or type: the word after a dot.
    pub(super) fn dotted(&mut self) -> Result<&'a str, PtxError> {
        if self.peek() != b'.' {
            return Err(self.expected("a directive"));
        }
        self.bump();
        let start = self.at;
        self.skip_word_bytes();
        while self.peek() == b':' && self.peek_at(1) == b':' {
            self.at += 2;
            self.skip_word_bytes();
        }
        let word = self.taken(start)?;
        self.skip_blanks();
        Ok(word)
    }

    /// The letters and digits of a number.
    pub(super) fn digits(&mut self) -> Result<&'a str, PtxError> {
        let start = self.at;
        self.skip_word_bytes();
        self.taken(start)
    }

    /// What follows the letters of a decimal float: `.5`, `e-10`.
    pub(super) fn decimal(&mut self) -> Result<&'a str, PtxError> {
        let start = self.at;
        loop {
            let exponent = matches!(self.peek(), b'e' | b'E');
            if exponent && matches!(self.peek_at(1), b'+' | b'-') {
                self.at += 2;
            } else if self.peek() == b'.' || CLASS[self.peek() as usize] & WORD != 0 {
                self.bump();
            } else {
                return self.taken(start);
            }
        }
    }

    /// Past `"…"`.
    pub(super) fn string(&mut self) -> Result<(), PtxError> {
        self.expect(b'"')?;
        while !matches!(self.peek(), b'"' | 0) {
            if self.peek() == b'\\' {
                self.bump_any();
            }
            self.bump_any();
        }
        self.expect(b'"')
    }

    /// Past a block in braces, whatever is in it.
    pub(super) fn skip_braces(&mut self) -> Result<(), PtxError> {
        let mut depth = 0_usize;
        loop {
            self.skip_blanks();
            match self.peek() {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' => depth += 1,
                b'}' => depth = depth.saturating_sub(1),
                0 if self.at_end() => return Err(self.expected("`}`")),
                _ => {}
            }
            self.bump_any();
            if depth == 0 {
                self.skip_blanks();
                return Ok(());
            }
        }
    }

    #[inline]
    fn skip_word_bytes(&mut self) {
        let bytes = self.text.as_bytes();
        while bytes.get(self.at).is_some_and(|&byte| CLASS[byte as usize] & WORD != 0) {
            self.at += 1;
        }
    }

    #[inline]
    fn taken(&self, start: usize) -> Result<&'a str, PtxError> {
        if self.at - start > IDENTIFIER_BYTES_MAX {
            return Err(PtxError::too_large(
                self.line,
                format!(
                    "a name of {} bytes, at most {IDENTIFIER_BYTES_MAX} are taken",
                    self.at - start
                ),
            ));
        }
        Ok(self.text.get(start..self.at).unwrap_or_default())
    }

    /// An error about what stands here.
    pub(super) fn expected(&self, what: &str) -> PtxError {
        let found = self.text.get(self.at..).and_then(|rest| rest.chars().next());
        let reason = match found {
            Some(found) if self.peek() == b'\n' || found.is_control() => {
                format!("expected {what}, found {:?}", found)
            }
            Some(found) => format!("expected {what}, found `{found}`"),
            None => format!("expected {what}, found the end of the text"),
        };
        let column = u32::try_from(self.at - self.line_start + 1).unwrap_or(0);
        PtxError { column, ..PtxError::new(Fault::Malformed, self.line, reason) }
    }
}
