//! How a command fails: what kind of failure, which exit code, what to do next.
//!
//! Knows no verb and no wire. Text is one line, lower case; what to do next stands in hints, each on a line of its own.

use std::fmt;
use std::io;

/// A failed command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandError {
    /// What kind of failure, which decides the exit code.
    pub kind: ErrorKind,
    /// What happened, with the thing, the value seen and the value wanted.
    pub text: String,
    /// What to do next.
    pub hints: Vec<String>,
}

/// The kinds of failure, as the acknowledgement and the exit code name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The job ran, or was to run, and did not end well.
    Job,
    /// The command line asks for what cannot be asked.
    Usage,
    /// The hive is busy with something else; later it may say yes.
    Busy,
    /// A bound is reached: memory, size, number.
    Quota,
    /// The hive's rules say no, or what was named is not there.
    Policy,
    /// It did not happen in the time given.
    Timeout,
    /// The hive cannot be reached, or the connection broke.
    Cut,
    /// A job file, an input or an artefact is not what it must be.
    Payload,
    /// A file of this machine cannot be read or written.
    Local,
    /// Whoever reads our output has gone.
    ReaderGone,
    /// The operator ended it.
    Interrupted,
}

impl ErrorKind {
    /// The word after `reason=`.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Job => "job",
            Self::Usage => "usage",
            Self::Busy => "busy",
            Self::Quota => "quota",
            Self::Policy => "policy",
            Self::Timeout => "timeout",
            Self::Cut => "cut",
            Self::Payload => "invalid",
            Self::Local | Self::ReaderGone => "local",
            Self::Interrupted => "interrupt",
        }
    }

    /// What the program exits with.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::ReaderGone => 0,
            Self::Job => 1,
            Self::Usage | Self::Local => 2,
            Self::Busy | Self::Quota | Self::Policy => 3,
            Self::Timeout => 4,
            Self::Cut => 5,
            Self::Payload => 6,
            Self::Interrupted => 130,
        }
    }
}

impl CommandError {
    /// A failure of this kind.
    #[must_use]
    pub fn new(kind: ErrorKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), hints: Vec::new() }
    }

    /// The same, with one thing more to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The command line asks for what cannot be asked.
    #[must_use]
    pub fn usage(text: impl Into<String>) -> Self {
        Self::new(ErrorKind::Usage, text)
    }

    /// A job file or an input is not what it must be.
    #[must_use]
    pub fn payload(text: impl Into<String>) -> Self {
        Self::new(ErrorKind::Payload, text)
    }

    /// The hive answered with something that is none of its documented answers.
    #[must_use]
    pub fn unexpected(path: &str, wanted: &str, seen: &str) -> Self {
        Self::new(ErrorKind::Cut, format!("{path}: expected {wanted}, got {seen:?}"))
            .hint("the server may be of another version: see `doctor`")
    }

    /// A file of this machine failed.
    #[must_use]
    pub fn local(doing: &str, path: &std::path::Path, error: &io::Error) -> Self {
        Self::new(ErrorKind::Local, format!("{doing} {}: {error}", path.display()))
    }
}

impl From<io::Error> for CommandError {
    /// Writing our own output failed.
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::new(ErrorKind::ReaderGone, "the reader has gone"),
            _ => Self::new(ErrorKind::Local, format!("write output: {error}")),
        }
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for CommandError {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves SH-3.
    #[test]
    fn every_kind_of_failure_has_its_exit_code() {
        let code = ErrorKind::exit_code;
        assert_eq!(code(ErrorKind::Job), 1);
        assert_eq!(code(ErrorKind::Usage), 2);
        assert_eq!([ErrorKind::Busy, ErrorKind::Quota, ErrorKind::Policy].map(code), [3, 3, 3]);
        assert_eq!(code(ErrorKind::Timeout), 4);
        assert_eq!(code(ErrorKind::Cut), 5);
        assert_eq!(code(ErrorKind::Payload), 6);
        assert_eq!(
            code(ErrorKind::Interrupted),
            130,
            "what a shell says of a program ended by SIGINT"
        );
    }

    #[test]
    fn a_reader_that_left_is_no_failure() {
        let error = CommandError::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(error.kind.exit_code(), 0);
    }
}
