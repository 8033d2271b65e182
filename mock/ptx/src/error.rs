//! Why a text is refused, and where.

use core::fmt;

/// Whose fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The text is not PTX: syntax, unknown names, operands of the wrong type.
    Malformed,
    /// It may be PTX, but the software GPU does not do this.
    Unsupported,
    /// Past a bound of `limits.rs`.
    TooLarge,
}

/// A refusal: place, the instruction's own text, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PtxError {
    /// Whose fault.
    pub fault: Fault,
    /// Line, from 1.
    pub line: u32,
    /// Column in bytes, from 1; 0 where the whole line is meant.
    pub column: u32,
    /// The statement as it stands in the text, blanks squeezed, cut where it is very long.
    pub statement: Option<Box<str>>,
    /// What is wrong: the value seen, the value wanted.
    pub reason: Box<str>,
}

/// How much of a statement an error shows.
const STATEMENT_BYTES_MAX: usize = 120;

impl PtxError {
    pub(crate) fn new(fault: Fault, line: u32, reason: impl Into<Box<str>>) -> Self {
        Self { fault, line, column: 0, statement: None, reason: reason.into() }
    }

    pub(crate) fn malformed(line: u32, reason: impl Into<Box<str>>) -> Self {
        Self::new(Fault::Malformed, line, reason)
    }

    pub(crate) fn unsupported(line: u32, reason: impl Into<Box<str>>) -> Self {
        Self::new(Fault::Unsupported, line, reason)
    }

    pub(crate) fn too_large(line: u32, reason: impl Into<Box<str>>) -> Self {
        Self::new(Fault::TooLarge, line, reason)
    }

    /// The same, with the text of the statement, if it has none yet.
    pub(crate) fn within(mut self, statement: &str) -> Self {
        self.statement.get_or_insert_with(|| squeeze(statement));
        self
    }
}

impl fmt::Display for PtxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if self.column > 0 {
            write!(f, ", column {}", self.column)?;
        }
        match &self.statement {
            Some(statement) => write!(f, ": `{statement}`: {}", self.reason),
            None => write!(f, ": {}", self.reason),
        }
    }
}

impl core::error::Error for PtxError {}

/// One line of at most [`STATEMENT_BYTES_MAX`] bytes.
fn squeeze(statement: &str) -> Box<str> {
    let mut line = String::new();
    for word in statement.split_ascii_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        if line.len() > STATEMENT_BYTES_MAX {
            let cut = line.floor_char_boundary(STATEMENT_BYTES_MAX);
            line.truncate(cut);
            line.push('…');
            break;
        }
    }
    line.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_line_statement_and_reason() {
        let error = PtxError::unsupported(7, "instruction tex is not supported")
            .within("tex.1d.v4.f32.s32\n\t{%f1, %f2, %f3, %f4}, [t, {%r1}]");
        assert_eq!(
            error.to_string(),
            "line 7: `tex.1d.v4.f32.s32 {%f1, %f2, %f3, %f4}, [t, {%r1}]`: instruction tex is not supported"
        );
    }

    #[test]
    fn long_statements_are_cut_at_a_character() {
        let error = PtxError::malformed(1, "x").within(&"é".repeat(200));
        assert_eq!(error.statement.unwrap().chars().count(), 61);
    }
}
