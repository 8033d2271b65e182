//! Status lines: what became of one written line.

use alloc::{
    borrow::ToOwned,
    string::{String, ToString},
    vec::Vec,
};
use core::{fmt, str::FromStr};

use crate::{Epoch, GpuId, LeaseId, Refusal, Ticket, UnixMs};

/// What was asked for, as the status line repeats it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// A `LEASE` line.
    Lease,
    /// A `RELEASE` line.
    Release,
    /// A `RENEW` line.
    Renew,
    /// A `PRIORITY` line.
    Priority,
    /// A `CANCEL` line.
    Cancel,
    /// A `RESET` line.
    Reset,
    /// A `DRAIN` line.
    Drain,
    /// An `UNDRAIN` line.
    Undrain,
    /// A `REVOKE` line.
    Revoke,
    /// A `TICKET` line.
    Ticket,
    /// A job descriptor.
    Job,
    /// A line that was not understood.
    Unknown,
}

impl Verb {
    /// Every verb.
    pub const ALL: [Self; 12] = [
        Self::Lease,
        Self::Release,
        Self::Renew,
        Self::Priority,
        Self::Cancel,
        Self::Reset,
        Self::Drain,
        Self::Undrain,
        Self::Revoke,
        Self::Ticket,
        Self::Job,
        Self::Unknown,
    ];

    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lease => "LEASE",
            Self::Release => "RELEASE",
            Self::Renew => "RENEW",
            Self::Priority => "PRIORITY",
            Self::Cancel => "CANCEL",
            Self::Reset => "RESET",
            Self::Drain => "DRAIN",
            Self::Undrain => "UNDRAIN",
            Self::Revoke => "REVOKE",
            Self::Ticket => "TICKET",
            Self::Job => "JOB",
            Self::Unknown => "?",
        }
    }

    /// The verb that a written line begins with, understood or not.
    #[must_use]
    pub fn of_line(line: &str) -> Self {
        let word = line.split([' ', '\n']).find(|word| !word.is_empty());
        Self::ALL.into_iter().find(|verb| Some(verb.as_str()) == word).unwrap_or(Self::Unknown)
    }
}

/// How it went.
#[derive(Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Done; `key=value` pairs in order.
    Ok(Vec<(String, String)>),
    /// Refused or failed.
    Err(Refusal),
}

/// `OK <VERB> [key=value …]` or `ERR <VERB> <ERRNO> <sentence>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusLine {
    /// What was asked for.
    pub verb: Verb,
    /// How it went.
    pub outcome: Outcome,
}

impl StatusLine {
    /// `OK <VERB>`, to which [`Self::with`] adds.
    #[must_use]
    pub const fn ok(verb: Verb) -> Self {
        Self { verb, outcome: Outcome::Ok(Vec::new()) }
    }

    /// `ERR <VERB> …`.
    #[must_use]
    pub const fn err(verb: Verb, refusal: Refusal) -> Self {
        Self { verb, outcome: Outcome::Err(refusal) }
    }

    /// One more `key=value` of an `OK` line. Blanks in the value become `_`, so that the line stays one of words.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl fmt::Display) -> Self {
        if let Outcome::Ok(fields) = &mut self.outcome {
            let value =
                value.to_string().replace(|c: char| c.is_whitespace() || c.is_control(), "_");
            fields.push((key.to_owned(), value));
        }
        self
    }

    /// The value of a key of an `OK` line.
    #[must_use]
    pub fn field(&self, key: &str) -> Option<&str> {
        match &self.outcome {
            Outcome::Ok(fields) => {
                fields.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
            }
            Outcome::Err(_) => None,
        }
    }

    /// The line as a log may hold it: a ticket is named by its id.
    #[must_use]
    pub fn for_log(&self) -> String {
        Self { verb: self.verb, outcome: self.outcome.for_log() }.to_string()
    }
}

impl Outcome {
    fn for_log(&self) -> Self {
        let mut outcome = self.clone();
        if let Self::Ok(fields) = &mut outcome {
            for (_, value) in fields.iter_mut().filter(|(key, _)| key == "ticket") {
                *value = Ticket::parse(value)
                    .map_or_else(|_| "malformed".to_owned(), |t| t.id().to_string());
            }
        }
        outcome
    }
}

/// A ticket must not get out by way of `{:?}` either.
impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.for_log() {
            Self::Ok(fields) => f.debug_tuple("Ok").field(&fields).finish(),
            Self::Err(refusal) => f.debug_tuple("Err").field(&refusal).finish(),
        }
    }
}

impl fmt::Display for StatusLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = self.verb.as_str();
        match &self.outcome {
            Outcome::Ok(fields) => {
                write!(f, "OK {verb}")?;
                fields.iter().try_for_each(|(key, value)| write!(f, " {key}={value}"))
            }
            Outcome::Err(refusal) => {
                let text = refusal.text.replace(|c: char| c.is_control(), " ");
                write!(f, "ERR {verb} {} {text}", refusal.errno)
            }
        }
    }
}

impl FromStr for StatusLine {
    type Err = Refusal;

    fn from_str(line: &str) -> Result<Self, Refusal> {
        let line = line.strip_suffix('\n').unwrap_or(line);
        let malformed = || {
            let seen: String = line.chars().take(80).collect();
            Refusal::invalid(alloc::format!(
                "status line is {seen:?}, wanted OK <VERB> … or ERR <VERB> <ERRNO> …"
            ))
        };
        let (head, rest) = line.split_once(' ').ok_or_else(malformed)?;
        let (word, detail) = rest.split_once(' ').unwrap_or((rest, ""));
        let verb =
            Verb::ALL.into_iter().find(|verb| verb.as_str() == word).ok_or_else(malformed)?;
        match head {
            "OK" => {
                let pair = |word: &str| {
                    word.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()))
                };
                let words = detail.split(' ').filter(|word| !word.is_empty());
                let fields = words.map(pair).collect::<Option<_>>().ok_or_else(malformed)?;
                Ok(Self { verb, outcome: Outcome::Ok(fields) })
            }
            "ERR" => {
                let (errno, text) = detail.split_once(' ').ok_or_else(malformed)?;
                Ok(Self::err(verb, Refusal::new(errno.parse()?, text)))
            }
            _ => Err(malformed()),
        }
    }
}

/// What an `OK LEASE` (or `OK RENEW`) line of an active lease says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseGranted {
    /// The lease.
    pub id: LeaseId,
    /// Its epoch.
    pub epoch: Epoch,
    /// On which GPU.
    pub gpu: GpuId,
    /// Device memory, MiB.
    pub mem_mb: u32,
    /// Jobs at once.
    pub streams: u16,
    /// Seconds it was granted for.
    pub ttl_s: u32,
    /// When it ends.
    pub deadline_ms: UnixMs,
}

impl LeaseGranted {
    /// As a status line.
    #[must_use]
    pub fn status(&self, verb: Verb) -> StatusLine {
        StatusLine::ok(verb)
            .with("id", self.id)
            .with("epoch", self.epoch)
            .with("gpu", &self.gpu)
            .with("mem_mb", self.mem_mb)
            .with("streams", self.streams)
            .with("ttl_s", self.ttl_s)
            .with("deadline_ms", self.deadline_ms)
    }

    /// Out of a status line; `None` when the line says something else, as that the lease is queued.
    #[must_use]
    pub fn of_status(line: &StatusLine) -> Option<Self> {
        Some(Self {
            id: line.field("id")?.parse().ok()?,
            epoch: Epoch(line.field("epoch")?.parse().ok()?),
            gpu: line.field("gpu")?.parse().ok()?,
            mem_mb: line.field("mem_mb")?.parse().ok()?,
            streams: line.field("streams")?.parse().ok()?,
            ttl_s: line.field("ttl_s")?.parse().ok()?,
            deadline_ms: line.field("deadline_ms")?.parse().ok()?,
        })
    }
}

/// What an `OK LEASE` line of a lease that waits for room says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseQueued {
    /// The lease to be.
    pub id: LeaseId,
    /// On which GPU.
    pub gpu: GpuId,
    /// Its place in the queue, from 1.
    pub pos: u32,
    /// Until when it waits.
    pub wait_until_ms: UnixMs,
}

impl LeaseQueued {
    /// As a status line.
    #[must_use]
    pub fn status(&self) -> StatusLine {
        StatusLine::ok(Verb::Lease)
            .with("id", self.id)
            .with("state", "QUEUED")
            .with("gpu", &self.gpu)
            .with("pos", self.pos)
            .with("wait_until_ms", self.wait_until_ms)
    }

    /// Out of a status line; `None` when the line says something else.
    #[must_use]
    pub fn of_status(line: &StatusLine) -> Option<Self> {
        Some(Self {
            id: line.field("id")?.parse().ok()?,
            gpu: line.field("gpu")?.parse().ok()?,
            pos: line.field("pos")?.parse().ok()?,
            wait_until_ms: line.field("wait_until_ms")?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Claims, Errno, Role, Secret};

    /// Proves CTL-4.
    #[test]
    fn granted_lease_reads_as_the_design_says() {
        let granted = LeaseGranted {
            id: LeaseId(7),
            epoch: Epoch(3),
            gpu: "GPU-0".parse().unwrap(),
            mem_mb: 4096,
            streams: 2,
            ttl_s: 120,
            deadline_ms: UnixMs(1_700_000_120_000),
        };
        let line = granted.status(Verb::Lease).to_string();
        assert_eq!(
            line,
            "OK LEASE id=lease-7 epoch=3 gpu=GPU-0 mem_mb=4096 streams=2 ttl_s=120 deadline_ms=1700000120000"
        );
        assert_eq!(LeaseGranted::of_status(&line.parse().unwrap()), Some(granted));
    }

    #[test]
    fn queued_lease_cannot_be_taken_for_a_granted_one() {
        let queued = LeaseQueued {
            id: LeaseId(8),
            gpu: "GPU-0".parse().unwrap(),
            pos: 2,
            wait_until_ms: UnixMs(9),
        };
        let line: StatusLine = queued.status().to_string().parse().unwrap();
        assert_eq!(
            line.to_string(),
            "OK LEASE id=lease-8 state=QUEUED gpu=GPU-0 pos=2 wait_until_ms=9"
        );
        assert_eq!(LeaseGranted::of_status(&line), None);
        assert_eq!(LeaseQueued::of_status(&line), Some(queued));
    }

    /// Proves CTL-5.
    #[test]
    fn refusal_is_one_line_with_errno_and_sentence() {
        let refusal = Refusal::new(
            Errno::EBUSY,
            "gpu GPU-0 has 2048 of 4096 MiB free;\nlease-5 frees 4096 MiB in 37 s",
        );
        let line = StatusLine::err(Verb::Lease, refusal).to_string();
        assert_eq!(
            line,
            "ERR LEASE EBUSY gpu GPU-0 has 2048 of 4096 MiB free; lease-5 frees 4096 MiB in 37 s"
        );
        assert_eq!(line.parse::<StatusLine>().unwrap().to_string(), line);
    }

    /// Proves CTL-6.
    #[test]
    fn ticket_in_a_status_line_is_logged_by_its_id() {
        let claims = Claims::new(Role::Queen, None, UnixMs(0));
        let ticket = claims.mint(&Secret::new("bootstrap")).unwrap();
        let line =
            StatusLine::ok(Verb::Ticket).with("worker", "worker-7").with("ticket", ticket.expose());
        assert!(line.to_string().contains("cohesix-ticket-"));
        assert_eq!(line.for_log(), "OK TICKET worker=worker-7 ticket=574095c8");
        assert!(!alloc::format!("{line:?}").contains("cohesix-ticket-"));
    }

    #[test]
    fn line_that_is_no_status_is_refused() {
        for line in [
            "",
            "OK",
            "OK LEASE word",
            "NO LEASE",
            "OK LEASEE",
            "ERR LEASE",
            "ERR LEASE EBUSY",
            "ERR LEASE what is it",
        ] {
            assert!(line.parse::<StatusLine>().is_err(), "{line:?}");
        }
    }

    #[test]
    fn verb_of_a_line_is_known_even_where_the_line_is_not_understood() {
        assert_eq!(Verb::of_line("LEASE mem_mb=x\n"), Verb::Lease);
        assert_eq!(Verb::of_line("what"), Verb::Unknown);
        assert_eq!(Verb::of_line("  "), Verb::Unknown);
    }
}
