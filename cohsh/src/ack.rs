//! Acknowledgements: the one line that says how a command ended.
//!
//! ```text
//! OK LEASE id=lease-7 epoch=3 gpu=GPU-0
//! ERR CAT reason=policy /gpu/GPU-9/info: no such file (ENOENT)
//! ```
//! The words after `reason=` are Cohesix's four for what a hive says no to (`busy quota cut policy`), and ours for what
//! never reached it or ended otherwise (`usage timeout invalid job local interrupt`).

use std::fmt;

use crate::error::CommandError;
use crate::printable::printable;

/// How a command ended well: the detail of its `OK` line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Done(String);

impl Done {
    /// Nothing more to say than `OK`.
    #[must_use]
    pub fn plain() -> Self {
        Self::default()
    }

    /// Adds `key=value`; a value with spaces is quoted.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl fmt::Display) -> Self {
        let value = value.to_string();
        let quote = value.is_empty() || value.contains(char::is_whitespace);
        let separator = if self.0.is_empty() { "" } else { " " };
        let value = if quote { format!("{value:?}") } else { value };
        self.0.push_str(&format!("{separator}{key}={value}"));
        self
    }
}

/// A verb and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ack {
    verb: String,
    outcome: Result<Done, CommandError>,
}

impl Ack {
    /// The acknowledgement of one command.
    #[must_use]
    pub fn new(verb: &str, outcome: Result<Done, CommandError>) -> Self {
        Self { verb: verb.to_ascii_uppercase(), outcome }
    }

    /// Whether it is an `OK`.
    #[must_use]
    pub const fn is_ok(&self) -> bool {
        self.outcome.is_ok()
    }

    /// Why it is an `ERR`.
    #[must_use]
    pub const fn error(&self) -> Option<&CommandError> {
        match &self.outcome {
            Ok(_) => None,
            Err(error) => Some(error),
        }
    }

    /// What the program exits with after this.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        self.error().map_or(0, |error| error.kind.exit_code())
    }
}

impl fmt::Display for Ack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = &self.verb;
        match &self.outcome {
            Ok(Done(detail)) if detail.is_empty() => write!(f, "OK {verb}"),
            Ok(Done(detail)) => write!(f, "OK {verb} {}", printable(detail)),
            Err(error) => {
                write!(f, "ERR {verb} reason={} {}", error.kind.reason(), printable(&error.text))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    /// Proves SH-4.
    #[test]
    fn an_acknowledgement_is_one_line() {
        let done = Done::plain().with("path", "/gpu").with("name", "Mock 4090").with("empty", "");
        let line = Ack::new("ls", Ok(done)).to_string();
        assert_eq!(line, r#"OK LS path=/gpu name="Mock 4090" empty="""#);
        assert_eq!(Ack::new("ping", Ok(Done::plain())).to_string(), "OK PING");
        let busy = CommandError::new(ErrorKind::Busy, "GPU-0 is\nfull");
        assert_eq!(
            Ack::new("lease", Err(busy)).to_string(),
            r"ERR LEASE reason=busy GPU-0 is\nfull"
        );
    }

    /// Proves SH-3.
    #[test]
    fn the_exit_code_is_that_of_the_failure() {
        let refused = CommandError::new(ErrorKind::Policy, "no");
        assert_eq!(Ack::new("cat", Err(refused)).exit_code(), 3);
        assert_eq!(Ack::new("cat", Ok(Done::plain())).exit_code(), 0);
    }
}
