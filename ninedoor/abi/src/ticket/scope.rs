//! What part of the namespace a ticket opens, and how fast.

use core::{fmt, str::FromStr};

use crate::{PathName, Refusal};

/// What may be done within a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScopeVerb {
    /// Walk and read.
    Read,
    /// Walk and write.
    Write,
    /// All of it.
    Both,
}

impl ScopeVerb {
    /// The byte in a ticket.
    #[must_use]
    pub const fn byte(self) -> u8 {
        match self {
            Self::Read => 0,
            Self::Write => 1,
            Self::Both => 2,
        }
    }

    /// The verb of a ticket's byte.
    #[must_use]
    pub const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Read),
            1 => Some(Self::Write),
            2 => Some(Self::Both),
            _ => None,
        }
    }

    /// The word on command lines and in `ticket show`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Both => "both",
        }
    }

    /// Whether a scope with this verb allows `act`, which is never `Both`'s business to split.
    #[must_use]
    pub const fn allows(self, act: Self) -> bool {
        matches!(
            (self, act),
            (Self::Both, _) | (Self::Read, Self::Read) | (Self::Write, Self::Write)
        )
    }
}

impl fmt::Display for ScopeVerb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ScopeVerb {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        match text {
            "read" => Ok(Self::Read),
            "write" => Ok(Self::Write),
            "both" => Ok(Self::Both),
            _ => Err(Refusal::invalid(alloc::format!(
                "scope verb is {text:?}, wanted read, write or both"
            ))),
        }
    }
}

/// One place a ticket opens: a path and everything below it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// The place.
    pub path: PathName,
    /// What may be done there.
    pub verb: ScopeVerb,
    /// Operations a second; 0 is without bound.
    pub rate_per_s: u32,
}

impl Scope {
    /// Whether this scope allows `act` on `path`.
    #[must_use]
    pub fn allows(&self, path: &PathName, act: ScopeVerb) -> bool {
        self.verb.allows(act) && path.is_within(&self.path)
    }
}

/// What a ticket's sessions may use up. 0 is without bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Quotas {
    /// Bytes read and written.
    pub bandwidth_bytes: u64,
    /// Times a stream may be taken up again after a break.
    pub cursor_resumes: u32,
    /// Times a stream's cursor may be moved.
    pub cursor_advances: u32,
}
