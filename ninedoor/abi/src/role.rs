//! Who attaches: a role, and the subject it speaks for.

use alloc::string::{String, ToString};
use core::{fmt, str::FromStr};

use crate::{Errno, Refusal, Subject};

/// What a caller is, which decides what it sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The operator's role: all of it.
    Queen,
    /// A worker that proves it is alive.
    WorkerHeartbeat,
    /// A worker that runs jobs on the GPUs in its ticket.
    WorkerGpu,
    /// Reads health and logs, changes nothing.
    Observer,
}

impl Role {
    /// Every role, in the order of their bytes.
    pub const ALL: [Self; 4] =
        [Self::Queen, Self::WorkerHeartbeat, Self::WorkerGpu, Self::Observer];

    /// The word in `uname`, on command lines and in logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queen => "queen",
            Self::WorkerHeartbeat => "worker-heartbeat",
            Self::WorkerGpu => "worker-gpu",
            Self::Observer => "observer",
        }
    }

    /// The byte in a ticket.
    #[must_use]
    pub const fn byte(self) -> u8 {
        match self {
            Self::Queen => 0,
            Self::WorkerHeartbeat => 1,
            Self::WorkerGpu => 2,
            Self::Observer => 5,
        }
    }

    /// The role of a ticket's byte; `None` for bus (3), lora (4), which have no service here, and for unknown bytes.
    #[must_use]
    pub const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Queen),
            1 => Some(Self::WorkerHeartbeat),
            2 => Some(Self::WorkerGpu),
            5 => Some(Self::Observer),
            _ => None,
        }
    }

    /// Whether a caller of this role must say whom it speaks for.
    #[must_use]
    pub const fn needs_subject(self) -> bool {
        !matches!(self, Self::Queen)
    }

    /// Whether this role is a worker's.
    #[must_use]
    pub const fn is_worker(self) -> bool {
        matches!(self, Self::WorkerHeartbeat | Self::WorkerGpu)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(|| {
            let seen: String = text.chars().take(80).collect();
            Refusal::new(
                Errno::EINVAL,
                alloc::format!(
                    "role is {seen:?}, wanted queen, worker-heartbeat, worker-gpu or observer"
                ),
            )
        })
    }
}

/// Role and subject, as `uname` says them: `queen`, `worker-gpu:worker-7`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// What the caller is.
    pub role: Role,
    /// Whom it speaks for; a queen has none.
    pub subject: Option<Subject>,
}

impl Identity {
    /// The queen.
    pub const QUEEN: Self = Self { role: Role::Queen, subject: None };
}

impl FromStr for Identity {
    type Err = Refusal;

    fn from_str(uname: &str) -> Result<Self, Refusal> {
        let (role, subject) = match uname.split_once(':') {
            Some((role, subject)) => (role.parse::<Role>()?, Some(subject.parse::<Subject>()?)),
            None => (uname.parse::<Role>()?, None),
        };
        if role.needs_subject() != subject.is_some() {
            let wanted = if role.needs_subject() {
                alloc::format!("{role}:<subject>")
            } else {
                role.to_string()
            };
            return Err(Refusal::invalid(alloc::format!("uname is {uname:?}, wanted {wanted}")));
        }
        Ok(Self { role, subject })
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.subject {
            Some(subject) => write!(f, "{}:{subject}", self.role),
            None => fmt::Display::fmt(&self.role, f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uname_is_read_and_printed_back() {
        for uname in ["queen", "worker-gpu:worker-7", "worker-heartbeat:w", "observer:grafana"] {
            assert_eq!(uname.parse::<Identity>().unwrap().to_string(), uname);
        }
    }

    /// Proves TICKET-1.
    #[test]
    fn uname_that_is_none_of_the_four_is_refused() {
        let text = |uname: &str| uname.parse::<Identity>().unwrap_err().text;
        assert_eq!(
            text("root"),
            r#"role is "root", wanted queen, worker-heartbeat, worker-gpu or observer"#
        );
        assert_eq!(text("worker-gpu"), r#"uname is "worker-gpu", wanted worker-gpu:<subject>"#);
        assert_eq!(text("queen:bee"), r#"uname is "queen:bee", wanted queen"#);
        assert_eq!(text("observer:"), r#"subject is "", wanted 1 to 64 of A-Z a-z 0-9 . _ -"#);
        assert_eq!(
            text("observer:a:b"),
            r#"subject is "a:b", wanted 1 to 64 of A-Z a-z 0-9 . _ -"#
        );
    }

    #[test]
    fn role_byte_goes_there_and_back() {
        for role in Role::ALL {
            assert_eq!(Role::from_byte(role.byte()), Some(role));
        }
        assert_eq!(Role::from_byte(3), None);
        assert_eq!(Role::from_byte(6), None);
    }
}
