//! Control lines as types, and back.

use core::{fmt, str::FromStr};

use super::words::Words;
use crate::{
    JobId, LeaseId, Refusal, Subject, TicketId,
    limits::{LEASE_MEM_MB_MAX, LEASE_STREAMS_MAX, TTL_S_MAX, WAIT_S_MAX},
};

/// One line written to `/gpu/<id>/ctl`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CtlLine {
    /// `LEASE mem_mb=<n> streams=<n> ttl_s=<n> [priority=<n>] [worker=<id>] [wait_s=<n>]`, or bare.
    Lease(LeaseAsk),
    /// `RELEASE [lease-id]`: none given means the caller's own.
    Release(Option<LeaseId>),
    /// `PRIORITY <n>`, of the caller's lease.
    Priority(u8),
    /// `CANCEL <job>`.
    Cancel(JobId),
    /// `RESET`: end everything on the GPU.
    Reset,
    /// `DRAIN`: grant nothing new.
    Drain,
    /// `UNDRAIN`: grant again.
    Undrain,
    /// `REVOKE <lease-id>` or `REVOKE ticket=<8 hex digits>`.
    Revoke(Revocation),
    /// `TICKET worker=<id> ttl_s=<n> [ops=<n>]`: a ticket for a worker's own attach.
    Ticket(TicketAsk),
}

/// What a `LEASE` line asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LeaseAsk {
    /// Bare `LEASE` leaves it to the ticket or the worker's spec.
    pub size: Option<LeaseSize>,
    /// Higher goes first; the broker's default where none is given.
    pub priority: Option<u8>,
    /// For whom; the caller itself where none is given.
    pub worker: Option<Subject>,
    /// How long to wait in the queue for room; 0 is not at all.
    pub wait_s: u32,
}

/// How much of a GPU, for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseSize {
    /// Device memory, MiB.
    pub mem_mb: u32,
    /// Jobs that may run at once.
    pub streams: u16,
    /// Seconds from the grant.
    pub ttl_s: u32,
}

/// What a `REVOKE` line takes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revocation {
    /// One lease.
    Lease(LeaseId),
    /// A ticket, and with it every session and lease that was had by it.
    Ticket(TicketId),
}

/// What a `TICKET` line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketAsk {
    /// Whom the ticket is for.
    pub worker: Subject,
    /// How long it holds.
    pub ttl_s: u32,
    /// Operations it is good for; none given is without bound.
    pub ops: Option<u64>,
}

/// One line written to `/gpu/<id>/lease`: `RENEW [lease-id] [ttl_s=n]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RenewLine {
    /// Which; the caller's own where none is given.
    pub lease: Option<LeaseId>,
    /// Seconds from now; the lease's own ttl where none is given.
    pub ttl_s: Option<u32>,
}

impl FromStr for CtlLine {
    type Err = Refusal;

    fn from_str(line: &str) -> Result<Self, Refusal> {
        let mut words = Words::of(line)?;
        let parsed = match words.verb {
            "LEASE" => Self::Lease(lease(&mut words)?),
            "RELEASE" => Self::Release(words.bare().map(|id| words.parsed(id)).transpose()?),
            "PRIORITY" => Self::Priority(priority(&mut words)?),
            "CANCEL" => Self::Cancel(job(&mut words)?),
            "RESET" => Self::Reset,
            "DRAIN" => Self::Drain,
            "UNDRAIN" => Self::Undrain,
            "REVOKE" => Self::Revoke(revocation(&mut words)?),
            "TICKET" => Self::Ticket(ticket(&mut words)?),
            _ => {
                return Err(unknown(
                    words.verb,
                    "LEASE, RELEASE, PRIORITY, CANCEL, RESET, DRAIN, UNDRAIN, REVOKE or TICKET",
                ));
            }
        };
        words.finish()?;
        Ok(parsed)
    }
}

impl FromStr for RenewLine {
    type Err = Refusal;

    fn from_str(line: &str) -> Result<Self, Refusal> {
        let mut words = Words::of(line)?;
        if words.verb != "RENEW" {
            return Err(unknown(words.verb, "RENEW"));
        }
        let lease = words.bare().map(|id| words.parsed(id)).transpose()?;
        let ttl_s = words.number("ttl_s", 1..=TTL_S_MAX)?;
        words.finish()?;
        Ok(Self { lease, ttl_s })
    }
}

fn unknown(verb: &str, wanted: &str) -> Refusal {
    Refusal::invalid(alloc::format!("unknown command {verb:?}, wanted {wanted}"))
}

fn lease(words: &mut Words<'_>) -> Result<LeaseAsk, Refusal> {
    let mem_mb = words.number("mem_mb", 1..=LEASE_MEM_MB_MAX)?;
    let streams = words.number("streams", 1..=LEASE_STREAMS_MAX)?;
    let ttl_s = words.number("ttl_s", 1..=TTL_S_MAX)?;
    let size = match (mem_mb, streams, ttl_s) {
        (Some(mem_mb), Some(streams), Some(ttl_s)) => Some(LeaseSize { mem_mb, streams, ttl_s }),
        (None, None, None) => None,
        _ => {
            return Err(
                words.refuse("mem_mb, streams and ttl_s are wanted together, or none of them")
            );
        }
    };
    Ok(LeaseAsk {
        size,
        priority: words.number("priority", 0..=u8::MAX)?,
        worker: words.value("worker")?.map(|id| words.parsed(id)).transpose()?,
        wait_s: words.number("wait_s", 0..=WAIT_S_MAX)?.unwrap_or(0),
    })
}

fn priority(words: &mut Words<'_>) -> Result<u8, Refusal> {
    let text = words.needed("priority")?;
    words.in_range("priority", text, 0..=u8::MAX)
}

fn job(words: &mut Words<'_>) -> Result<JobId, Refusal> {
    let text = words.needed("job id")?;
    words.parsed(text)
}

fn revocation(words: &mut Words<'_>) -> Result<Revocation, Refusal> {
    match (words.value("ticket")?, words.bare()) {
        (Some(ticket), None) => Ok(Revocation::Ticket(words.parsed(ticket)?)),
        (None, Some(lease)) => Ok(Revocation::Lease(words.parsed(lease)?)),
        _ => Err(words.refuse("one of a lease id and ticket=<id> is wanted")),
    }
}

fn ticket(words: &mut Words<'_>) -> Result<TicketAsk, Refusal> {
    let worker = words.value("worker")?.ok_or_else(|| words.refuse("no worker is given"))?;
    let ttl_s =
        words.number("ttl_s", 1..=TTL_S_MAX)?.ok_or_else(|| words.refuse("no ttl_s is given"))?;
    Ok(TicketAsk { worker: words.parsed(worker)?, ttl_s, ops: words.number("ops", 1..=u64::MAX)? })
}

impl fmt::Display for CtlLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lease(ask) => fmt::Display::fmt(ask, f),
            Self::Release(None) => f.write_str("RELEASE"),
            Self::Release(Some(lease)) => write!(f, "RELEASE {lease}"),
            Self::Priority(priority) => write!(f, "PRIORITY {priority}"),
            Self::Cancel(job) => write!(f, "CANCEL {job}"),
            Self::Reset => f.write_str("RESET"),
            Self::Drain => f.write_str("DRAIN"),
            Self::Undrain => f.write_str("UNDRAIN"),
            Self::Revoke(Revocation::Lease(lease)) => write!(f, "REVOKE {lease}"),
            Self::Revoke(Revocation::Ticket(ticket)) => write!(f, "REVOKE ticket={ticket}"),
            Self::Ticket(ask) => {
                write!(f, "TICKET worker={} ttl_s={}", ask.worker, ask.ttl_s)?;
                ask.ops.map_or(Ok(()), |ops| write!(f, " ops={ops}"))
            }
        }
    }
}

impl fmt::Display for LeaseAsk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LEASE")?;
        if let Some(size) = self.size {
            write!(f, " mem_mb={} streams={} ttl_s={}", size.mem_mb, size.streams, size.ttl_s)?;
        }
        if let Some(priority) = self.priority {
            write!(f, " priority={priority}")?;
        }
        if let Some(worker) = &self.worker {
            write!(f, " worker={worker}")?;
        }
        if self.wait_s > 0 {
            write!(f, " wait_s={}", self.wait_s)?;
        }
        Ok(())
    }
}

impl fmt::Display for RenewLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RENEW")?;
        if let Some(lease) = self.lease {
            write!(f, " {lease}")?;
        }
        if let Some(ttl_s) = self.ttl_s {
            write!(f, " ttl_s={ttl_s}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::{String, ToString};

    fn refused(line: &str) -> String {
        line.parse::<CtlLine>().unwrap_err().text
    }

    /// Proves CTL-1.
    #[test]
    fn every_command_is_read_and_printed_back() {
        for line in [
            "LEASE",
            "LEASE mem_mb=4096 streams=2 ttl_s=120",
            "LEASE mem_mb=4096 streams=2 ttl_s=120 priority=7 worker=worker-7 wait_s=30",
            "LEASE worker=worker-7",
            "RELEASE",
            "RELEASE lease-7",
            "PRIORITY 255",
            "CANCEL jid-42",
            "RESET",
            "DRAIN",
            "UNDRAIN",
            "REVOKE lease-7",
            "REVOKE ticket=5e1c4c4f",
            "TICKET worker=worker-7 ttl_s=120",
            "TICKET worker=worker-7 ttl_s=120 ops=64",
        ] {
            assert_eq!(line.parse::<CtlLine>().unwrap().to_string(), line);
        }
        for line in ["RENEW", "RENEW lease-7", "RENEW ttl_s=60", "RENEW lease-7 ttl_s=60"] {
            assert_eq!(line.parse::<RenewLine>().unwrap().to_string(), line);
        }
    }

    #[test]
    fn order_of_keys_spaces_and_one_newline_do_not_matter() {
        let plain: CtlLine = "LEASE mem_mb=1 streams=2 ttl_s=3".parse().unwrap();
        assert_eq!("LEASE  ttl_s=3 streams=2   mem_mb=1 \n".parse(), Ok(plain));
    }

    /// Proves CTL-2.
    #[test]
    fn refusal_names_the_key_the_value_seen_and_the_one_wanted() {
        assert_eq!(
            refused("LEASE mem_mb=1 streams=2 ttl_s=0"),
            r#"LEASE: ttl_s is "0", wanted 1 to 31536000"#
        );
        assert_eq!(refused("LEASE mem_mb=-1"), r#"LEASE: mem_mb is "-1", wanted 1 to 16777216"#);
        assert_eq!(refused("LEASE mem_mb=+1"), r#"LEASE: mem_mb is "+1", wanted 1 to 16777216"#);
        assert_eq!(refused("LEASE mem_mb="), r#"LEASE: mem_mb is "", wanted 1 to 16777216"#);
        assert_eq!(
            refused("LEASE mem_mb=99999999999"),
            r#"LEASE: mem_mb is "99999999999", wanted 1 to 16777216"#
        );
        assert_eq!(refused("LEASE mem_mb=1 mem_mb=2"), "LEASE: mem_mb is given twice");
        assert_eq!(
            refused("LEASE mem_mb=1"),
            "LEASE: mem_mb, streams and ttl_s are wanted together, or none of them"
        );
        assert_eq!(
            refused("LEASE ttl=1"),
            r#"LEASE: unknown key "ttl", wanted mem_mb, streams, ttl_s, priority, worker, wait_s"#
        );
        assert_eq!(refused("RESET now"), r#"RESET: unknown word "now", wanted nothing more"#);
        assert_eq!(refused("PRIORITY"), "PRIORITY: no priority is given");
        assert_eq!(refused("PRIORITY 256"), r#"PRIORITY: priority is "256", wanted 0 to 255"#);
        assert_eq!(refused("RELEASE 7"), r#"RELEASE: lease id is "7", wanted lease-<number>"#);
        assert_eq!(
            refused("CANCEL a/b"),
            r#"CANCEL: job id is "a/b", wanted 1 to 64 of A-Z a-z 0-9 . _ -"#
        );
        assert_eq!(refused("REVOKE"), "REVOKE: one of a lease id and ticket=<id> is wanted");
        assert_eq!(
            refused("REVOKE lease-1 ticket=5e1c4c4f"),
            "REVOKE: one of a lease id and ticket=<id> is wanted"
        );
        assert_eq!(refused("REVOKE ticket=x"), r#"REVOKE: ticket id is "x", wanted 8 hex digits"#);
        assert_eq!(refused("TICKET worker=w"), "TICKET: no ttl_s is given");
    }

    /// Proves CTL-3.
    #[test]
    fn line_that_is_no_command_is_refused() {
        assert_eq!(
            refused("lease"),
            r#"unknown command "lease", wanted LEASE, RELEASE, PRIORITY, CANCEL, RESET, DRAIN, UNDRAIN, REVOKE or TICKET"#
        );
        assert_eq!(refused(""), "line is empty, wanted a command");
        assert_eq!(refused("\n"), "line is empty, wanted a command");
        assert_eq!(
            refused("RESET\nDRAIN"),
            "line has a control character in it, wanted words and spaces"
        );
        assert_eq!(
            refused("RESET\0"),
            "line has a control character in it, wanted words and spaces"
        );
        assert_eq!(refused(&"x".repeat(1025)), "line has 1025 bytes, wanted at most 1024");
    }
}
