//! The one-line form of a message: the form that logs, documents and golden tests share.
//!
//! ```text
//! Twalk tag 1 fid 0 newfid 2 nwname 2 'gpu' 'GPU-0'
//! Rlerror tag 1 ecode ENOENT
//! ```
//!
//! A name, the tag, then every field in wire order with its name in front, as in diod's `protocol.md`; text in quotes. Reading a line
//! gives the message again. Knows nothing of sessions.

mod quote;
mod say;
mod words;

use alloc::string::String;
use core::fmt::Write as _;

pub(crate) use words::Words;

use crate::{
    ids::Tag,
    message::{Rmessage, Tmessage},
};

/// How a number is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    Plain,
    Octal,
    Hex,
}

/// A field that has a one-line form.
pub(crate) trait Speech: Sized {
    /// Appends ` name value`.
    fn say(&self, name: &str, style: Style, line: &mut String);
    /// Reads `name value` back.
    fn hear(name: &str, style: Style, words: &mut Words<'_>) -> Result<Self, NotALine>;
}

/// Why a line is no message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {found}, want {want}")]
pub struct NotALine {
    /// Where, from 1.
    pub column: usize,
    /// What stands there.
    pub found: String,
    /// What should.
    pub want: String,
}

/// A message of either direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// From the client.
    T(Tmessage),
    /// From the server.
    R(Rmessage),
}

impl Message {
    /// Its name in the manual.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::T(message) => message.name(),
            Self::R(message) => message.name(),
        }
    }
}

impl From<Tmessage> for Message {
    fn from(message: Tmessage) -> Self {
        Self::T(message)
    }
}

impl From<Rmessage> for Message {
    fn from(message: Rmessage) -> Self {
        Self::R(message)
    }
}

/// The one-line form of a message.
#[must_use]
pub fn print(tag: Tag, message: &Message) -> String {
    let mut line = String::new();
    let _ = write!(line, "{} tag {tag}", message.name());
    match message {
        Message::T(message) => message.say(&mut line),
        Message::R(message) => message.say(&mut line),
    }
    line
}

/// The message of a line.
///
/// # Errors
/// Says at which column something else stands than a message would have there.
pub fn parse(line: &str) -> Result<(Tag, Message), NotALine> {
    let mut words = Words::new(line);
    let name = words.word()?;
    let tag = Tag::hear("tag", Style::Plain, &mut words)?;
    let asked = Tmessage::hear(name, &mut words)?.map(Message::T);
    let answered = Rmessage::hear(name, &mut words)?.map(Message::R);
    let message =
        asked.or(answered).ok_or_else(|| Words::new(line).not("the name of a message"))?;
    words.end()?;
    Ok((tag, message))
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    fn refusal(line: &str) -> String {
        parse(line).unwrap_err().to_string()
    }

    #[test]
    fn a_line_that_is_none_says_where_and_what_was_wanted() {
        assert_eq!(refusal(""), "column 1: the line ends, want a word");
        assert_eq!(refusal("Thello tag 1"), "column 1: found 'Thello', want the name of a message");
        assert_eq!(refusal("Tclunk tag x fid 1"), "column 12: found 'x', want a number that fits");
        assert_eq!(refusal("Tclunk tag 1 fid"), "column 17: the line ends, want a word");
        assert_eq!(refusal("Tclunk tag 1 fod 1"), "column 14: found 'fod', want 'fid'");
        assert_eq!(
            refusal("Tclunk tag 1 fid 1 2"),
            "column 20: found '2', want the end of the line"
        );
        assert_eq!(
            refusal("Tread tag 1 fid 1 offset 0 count 4294967296"),
            "column 34: found '4294967296', want a number that fits"
        );
        assert_eq!(
            refusal("Rread tag 1 count 3 'no'"),
            "column 13: found 'count', want the count of the data"
        );
        assert_eq!(
            refusal("Twalk tag 1 fid 0 newfid 1 nwname 1 gpu"),
            "column 37: found 'gpu', want text in quotes"
        );
    }

    #[test]
    fn numbers_with_a_name_are_written_by_name_and_read_either_way() {
        let line = "Tattach tag 1 fid 0 afid NOFID uname '' aname '' n_uname NONUNAME";
        let number = "Tattach tag 1 fid 0 afid 4294967295 uname '' aname '' n_uname 4294967295";
        let (tag, message) = parse(number).unwrap();
        assert_eq!(print(tag, &message), line);
        assert_eq!(parse(line), Ok((tag, message)));
        assert_eq!(parse("Rlerror tag 1 ecode 2"), parse("Rlerror tag 1 ecode ENOENT"));
    }
}
