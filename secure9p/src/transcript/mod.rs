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
