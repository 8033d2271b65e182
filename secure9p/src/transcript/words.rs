//! Walking along a line, word by word.

use alloc::{format, string::String, vec::Vec};

use super::{NotALine, Style, quote::unquote};

/// What is left of a line.
#[derive(Debug, Clone)]
pub(crate) struct Words<'a> {
    line: &'a str,
    rest: &'a str,
}

impl<'a> Words<'a> {
    pub(super) fn new(line: &'a str) -> Self {
        Self { line, rest: line.trim_start() }
    }

    /// The next word, up to a space or a closing bracket.
    pub(crate) fn word(&mut self) -> Result<&'a str, NotALine> {
        let end = self.rest.find([' ', ')']).unwrap_or(self.rest.len());
        match self.rest.split_at_checked(end) {
            Some((word, rest)) if !word.is_empty() => {
                self.rest = rest.trim_start();
                Ok(word)
            }
            _ => Err(self.not("a word")),
        }
    }

    /// Takes exactly this text.
    pub(crate) fn expect(&mut self, text: &str) -> Result<(), NotALine> {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest.trim_start();
                Ok(())
            }
            None => Err(self.not(&format!("'{text}'"))),
        }
    }

    /// Whether this text comes next; takes it if so.
    pub(crate) fn take_if(&mut self, text: &str) -> bool {
        self.expect(text).is_ok()
    }

    /// Text in quotes.
    pub(crate) fn quoted(&mut self) -> Result<Vec<u8>, NotALine> {
        let (bytes, rest) = unquote(self.rest).ok_or_else(|| self.not("text in quotes"))?;
        self.rest = rest.trim_start();
        Ok(bytes)
    }

    /// UTF-8 text in quotes.
    pub(crate) fn text(&mut self) -> Result<String, NotALine> {
        let refusal = self.not("UTF-8 text in quotes");
        String::from_utf8(self.quoted()?).map_err(|_| refusal)
    }

    /// A number: decimal, `0x…`, or octal where the field is written so.
    pub(crate) fn number<T: TryFrom<u64>>(&mut self, style: Style) -> Result<T, NotALine> {
        let here = self.clone();
        let word = self.word()?;
        let number = match (word.strip_prefix("0x"), style) {
            (Some(digits), _) => u64::from_str_radix(digits, 16),
            (None, Style::Octal) => u64::from_str_radix(word, 8),
            (None, Style::Plain | Style::Hex) => word.parse(),
        };
        let fits = number.ok().and_then(|number| T::try_from(number).ok());
        fits.ok_or_else(|| here.not("a number that fits"))
    }

    /// Nothing may follow.
    pub(super) fn end(&self) -> Result<(), NotALine> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.not("the end of the line")) }
    }

    /// The complaint about what comes next.
    pub(crate) fn not(&self, want: &str) -> NotALine {
        let found = match self.rest {
            "" => "the line ends".into(),
            rest => format!("found '{}'", rest.split(' ').next().unwrap_or_default()),
        };
        NotALine { column: self.line.len() - self.rest.len() + 1, found, want: want.into() }
    }
}
