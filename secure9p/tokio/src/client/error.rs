//! What went wrong for a caller: what was tried, on which path, and why it failed, so that a program can act on it and
//! a person can read it.

use std::time::Duration;

use secure9p::Errno;

/// An operation that failed: `cannot open /gpu/GPU-0/ctl: EACCES (permission denied)`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot {doing} {path}: {cause}")]
pub struct ClientError {
    /// What was tried, as a verb: `connect to`, `attach to`, `open`, `read`, `write`, `close` and so on.
    pub doing: &'static str,
    /// On what: a path in the tree, or where the server was to be found.
    pub path: String,
    /// Why it failed.
    pub cause: Cause,
}

/// Why an operation failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// The server said no.
    #[error("{0}")]
    Refused(Errno),
    /// No connection could be made.
    #[error("{0}")]
    Unreachable(String),
    /// The other end is not who it should be, or does not take us for who we are.
    #[error("{0}")]
    Untrusted(String),
    /// It took too long, and was given up. Whether it was done is not known.
    #[error("no answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
    /// The connection ended before the answer came. Whether it was done is not known.
    #[error("the connection was lost: {0}")]
    Lost(String),
    /// The connection ended before the answer came, of something that must not be asked twice.
    #[error(
        "the connection was lost ({0}) before the answer came: it may have happened, look before you try again"
    )]
    Uncertain(String),
    /// The server broke the protocol, or answered what cannot be.
    #[error("{0}")]
    Nonsense(String),
    /// What was asked cannot be: the path, the sizes, the options.
    #[error("{0}")]
    Unusable(String),
}

impl ClientError {
    pub(crate) fn new(doing: &'static str, path: &str, cause: Cause) -> Self {
        Self { doing, path: path.to_owned(), cause }
    }

    /// The errno, where the server said no.
    #[must_use]
    pub fn errno(&self) -> Option<Errno> {
        match self.cause {
            Cause::Refused(errno) => Some(errno),
            _ => None,
        }
    }

    /// Whether the connection ended before the answer came.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        matches!(self.cause, Cause::Lost(_))
    }
}

impl From<Errno> for Cause {
    fn from(errno: Errno) -> Self {
        Self::Refused(errno)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_was_tried_on_what_and_why() {
        let refused = ClientError::new("open", "/gpu/GPU-0/ctl", Errno::EACCES.into());
        assert_eq!(refused.to_string(), "cannot open /gpu/GPU-0/ctl: EACCES (permission denied)");
        assert_eq!(refused.errno(), Some(Errno::EACCES));
        let slow = Cause::TimedOut(Duration::from_millis(1500));
        assert_eq!(
            ClientError::new("read", "/log", slow).to_string(),
            "cannot read /log: no answer within 1500 ms"
        );
    }
}
