//! A name in a directory: what is left of a peer's string once it has been checked.
//!
//! Knows nothing of paths; `.` and `..` are names here, and mean something only to a walk.

use alloc::{boxed::Box, string::String};
use core::{fmt, ops::Deref};

use crate::{errno::Errno, limits::NAME_BYTES_MAX};

/// One path element: 1 to 255 bytes of UTF-8 without NUL and `/`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Box<str>);

impl Name {
    /// Checks a string once, for good.
    ///
    /// # Errors
    /// Says which rule the string breaks.
    pub fn new(text: impl Into<String>) -> Result<Self, BadName> {
        let text: String = text.into();
        match text.len() {
            0 => return Err(BadName::Empty),
            bytes if bytes > NAME_BYTES_MAX => return Err(BadName::TooLong { bytes }),
            _ => {}
        }
        match text.bytes().find(|byte| matches!(byte, 0 | b'/')) {
            Some(0) => Err(BadName::Nul),
            Some(_) => Err(BadName::Slash),
            None => Ok(Self(text.into_boxed_str())),
        }
    }

    /// The text of the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `.`: the directory itself. Some clients walk it.
    #[must_use]
    pub fn is_dot(&self) -> bool {
        &*self.0 == "."
    }

    /// `..`: the parent, and at the attach root the root itself (walk(5)).
    #[must_use]
    pub fn is_dot_dot(&self) -> bool {
        &*self.0 == ".."
    }
}

impl Deref for Name {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl core::borrow::Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<&str> for Name {
    type Error = BadName;
    fn try_from(text: &str) -> Result<Self, BadName> {
        Self::new(text)
    }
}

impl TryFrom<String> for Name {
    type Error = BadName;
    fn try_from(text: String) -> Result<Self, BadName> {
        Self::new(text)
    }
}

/// Why a string is no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// Nothing there.
    #[error("name is empty, want 1 to {NAME_BYTES_MAX} bytes")]
    Empty,
    /// Longer than any directory takes.
    #[error("name has {bytes} bytes, want at most {NAME_BYTES_MAX}")]
    TooLong {
        /// Length seen.
        bytes: usize,
    },
    /// Would be cut short by every C program.
    #[error("name contains a NUL byte, want none")]
    Nul,
    /// Would be a path.
    #[error("name contains '/', want one path element")]
    Slash,
}

impl BadName {
    /// What a peer that sent the name is told.
    #[must_use]
    pub const fn errno(self) -> Errno {
        match self {
            Self::TooLong { .. } => Errno::ENAMETOOLONG,
            Self::Empty | Self::Nul | Self::Slash => Errno::EINVAL,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    #[test]
    fn a_name_of_255_bytes_is_taken_and_one_more_is_refused() {
        assert!(Name::new("x".repeat(255)).is_ok());
        let refused = Name::new("x".repeat(256)).unwrap_err();
        assert_eq!(refused.to_string(), "name has 256 bytes, want at most 255");
        assert_eq!(refused.errno(), Errno::ENAMETOOLONG);
    }

    #[test]
    fn empty_nul_and_slash_are_refused_by_name() {
        assert_eq!(Name::new("").unwrap_err().to_string(), "name is empty, want 1 to 255 bytes");
        assert_eq!(
            Name::new("a\0b").unwrap_err().to_string(),
            "name contains a NUL byte, want none"
        );
        let slash = Name::new("../etc").unwrap_err();
        assert_eq!(slash.to_string(), "name contains '/', want one path element");
        assert_eq!(slash.errno(), Errno::EINVAL);
    }

    #[test]
    fn dot_and_dot_dot_are_names_that_know_what_they_are() {
        assert!(Name::new(".").unwrap().is_dot());
        assert!(Name::new("..").unwrap().is_dot_dot());
        assert!(!Name::new("...").unwrap().is_dot_dot());
    }
}
