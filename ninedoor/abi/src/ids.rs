//! Names and numbers of things: two ids with different meaning are two types.

use alloc::{
    borrow::ToOwned,
    string::{String, ToString},
};
use core::{fmt, str::FromStr};

use crate::{Errno, Refusal, limits::NAME_CHARS_MAX};

/// An id that does not read as one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} is {seen:?}, wanted {wanted}")]
pub struct BadId {
    /// What kind of id was read.
    pub what: &'static str,
    /// The text seen, cut at 80 characters.
    pub seen: String,
    /// The form wanted.
    pub wanted: &'static str,
}

impl BadId {
    fn new(what: &'static str, seen: &str, wanted: &'static str) -> Self {
        Self { what, seen: seen.chars().take(80).collect(), wanted }
    }
}

impl From<BadId> for Refusal {
    fn from(bad: BadId) -> Self {
        Self::new(Errno::EINVAL, bad.to_string())
    }
}

/// What may stand in a path, a record and a control line without quoting.
fn is_plain_name(text: &str) -> bool {
    (1..=NAME_CHARS_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        && text != "."
        && text != ".."
}

macro_rules! named_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = BadId;

            fn from_str(text: &str) -> Result<Self, BadId> {
                if is_plain_name(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(BadId::new($what, text, "1 to 64 of A-Z a-z 0-9 . _ -"))
                }
            }
        }
    };
}

macro_rules! numbered_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = BadId;

            /// Only the one way that `Display` writes it: no sign, no leading zero.
            fn from_str(text: &str) -> Result<Self, BadId> {
                text.strip_prefix($prefix)
                    .and_then(|digits| digits.parse().ok())
                    .map(Self)
                    .filter(|id| id.to_string() == text)
                    .ok_or_else(|| BadId::new($what, text, concat!($prefix, "<number>")))
            }
        }
    };
}

named_id! {
    /// A GPU as the namespace names it: `GPU-0`, or the hardware's uuid.
    GpuId, "gpu id"
}
named_id! {
    /// A job as its submitter names it: `jid-42`.
    JobId, "job id"
}
named_id! {
    /// Who a ticket speaks for: `worker-7`, `alice`.
    Subject, "subject"
}
numbered_id! {
    /// A lease: `lease-7`. Never reused.
    LeaseId, "lease id", "lease-"
}
numbered_id! {
    /// A worker that NineDoor spawned: `worker-7`. Never reused.
    WorkerId, "worker id", "worker-"
}

impl From<WorkerId> for Subject {
    fn from(worker: WorkerId) -> Self {
        Self(worker.to_string())
    }
}

/// How often a thing was granted anew. An effect that carries an older epoch than the thing has is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_are_read_and_printed_back() {
        for text in ["GPU-0", "jid-42", "a.b_c-D9", "x"] {
            assert_eq!(text.parse::<JobId>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn name_that_could_escape_its_directory_is_refused() {
        for text in ["", ".", "..", "a/b", "a b", "a\0", "é", &"x".repeat(65)] {
            assert!(text.parse::<JobId>().is_err(), "{text:?}");
        }
        let bad = "a b".parse::<JobId>().unwrap_err();
        assert_eq!(bad.to_string(), r#"job id is "a b", wanted 1 to 64 of A-Z a-z 0-9 . _ -"#);
    }

    #[test]
    fn numbered_id_has_one_spelling() {
        assert_eq!("lease-7".parse(), Ok(LeaseId(7)));
        assert_eq!(WorkerId(7).to_string(), "worker-7");
        for text in [
            "lease-07",
            "lease-+7",
            "lease-",
            "lease-x",
            "7",
            "Lease-7",
            "lease-18446744073709551616",
        ] {
            assert!(text.parse::<LeaseId>().is_err(), "{text:?}");
        }
        let bad = "seven".parse::<LeaseId>().unwrap_err();
        assert_eq!(bad.to_string(), r#"lease id is "seven", wanted lease-<number>"#);
    }
}
