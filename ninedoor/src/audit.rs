//! What the log says: who did what, when, and what became of it.
//!
//! ```text
//! ts_ms=1700000000000 ticket=5e1c4c4f who=worker-gpu:worker-7 OK WRITE path=/gpu/GPU-0/ctl bytes=5 line="LEASE"
//! ts_ms=1700000000007 ticket=- who=queen ERR SPAWN EBUSY no bridge is mounted at /gpu line="{\"spawn\":…}"
//! ```
//!
//! A ticket is named by its id, never shown: anything that looks like one is struck out of what peers wrote.

use alloc::{
    format,
    string::{String, ToString},
};
use core::fmt::{self, Write as _};

use ninedoor_abi::{Errno as AbiErrno, Now, Refusal, Ticket, TicketId};
use secure9p::Errno;

use crate::{ask::Caller, limits::LOG_LINE_BYTES_MAX, server::Server, tree::Kind};

/// How a ticket begins; what follows must not get into a log.
const TICKET_PREFIX: &str = "cohesix-ticket-";

/// One line: who did what, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditLine {
    /// With which ticket.
    pub ticket: Option<TicketId>,
    /// Role and subject, or a part of the server that acted by itself.
    pub who: String,
    /// What was asked for.
    pub verb: String,
    /// Why it was not done; none where it was.
    pub failure: Option<Failure>,
    /// What it was about, as `key=value` words.
    pub detail: String,
}

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The name of an errno, or the code of a job's end.
    pub code: String,
    /// The same for people; may be empty.
    pub cause: String,
}

impl AuditLine {
    /// A line about what a caller did.
    #[must_use]
    pub fn of(caller: &Caller) -> Self {
        let who = match &caller.subject {
            Some(subject) => format!("{}:{subject}", caller.role),
            None => caller.role.to_string(),
        };
        Self { ticket: caller.ticket, ..Self::by(&who) }
    }

    /// A line about what a part of the server did by itself.
    #[must_use]
    pub fn by(who: &str) -> Self {
        Self {
            ticket: None,
            who: who.to_string(),
            verb: String::new(),
            failure: None,
            detail: String::new(),
        }
    }

    /// A line about somebody who was not let in, by what they said of themselves.
    pub(crate) fn stranger(uname: &str, aname: &str) -> Self {
        let ticket = Ticket::parse(aname).ok().map(|ticket| ticket.id());
        Self { ticket, ..Self::by(&format!("{:?}", shortened(uname, 80))) }
    }

    /// A line about what this server did by itself.
    pub(crate) fn own() -> Self {
        Self::by("ninedoor")
    }

    /// It was done.
    #[must_use]
    pub fn done(self, verb: &str, detail: String) -> Self {
        Self { verb: verb.to_string(), failure: None, detail, ..self }
    }

    /// It was refused.
    #[must_use]
    pub fn refused(self, verb: &str, refusal: &Refusal, detail: String) -> Self {
        self.failed(verb, &refusal.errno.to_string(), refusal.text.clone(), detail)
    }

    /// It failed.
    #[must_use]
    pub fn failed(self, verb: &str, code: &str, cause: String, detail: String) -> Self {
        let failure = Some(Failure { code: code.to_string(), cause });
        Self { verb: verb.to_string(), failure, detail, ..self }
    }

    /// It was done, or it failed with this.
    pub(crate) fn outcome(self, verb: &str, errno: Option<Errno>, detail: String) -> Self {
        match errno {
            None => self.done(verb, detail),
            Some(errno) => self.failed(verb, &AbiErrno(errno.0).to_string(), String::new(), detail),
        }
    }

    /// What was written, word for word, as far as a log may show it.
    #[must_use]
    pub fn quoting(mut self, written: &[u8]) -> Self {
        let text = String::from_utf8_lossy(written);
        let space = if self.detail.is_empty() { "" } else { " " };
        let quoted = shortened(&text, LOG_LINE_BYTES_MAX / 2);
        let _ = write!(self.detail, "{space}line={quoted:?}"); // a string takes everything
        self
    }

    /// The line as it may be kept: on one line, without tickets, no field longer than a line may be.
    fn fit_to_keep(self) -> Self {
        let fit = |text: &str| {
            let plain = struck(text).replace(|c: char| c.is_control(), " ");
            shortened(&plain, LOG_LINE_BYTES_MAX)
        };
        let failure = self
            .failure
            .map(|Failure { code, cause }| Failure { code: fit(&code), cause: fit(&cause) });
        Self {
            ticket: self.ticket,
            who: fit(&self.who),
            verb: fit(&self.verb),
            failure,
            detail: fit(&self.detail),
        }
    }
}

impl fmt::Display for AuditLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ticket {
            Some(ticket) => write!(f, "ticket={ticket}")?,
            None => f.write_str("ticket=-")?,
        }
        write!(f, " who={}", self.who)?;
        match &self.failure {
            None => write!(f, " OK {}", self.verb)?,
            Some(Failure { code, cause }) => {
                let space = if cause.is_empty() { "" } else { " " };
                write!(f, " ERR {} {code}{space}{cause}", self.verb)?;
            }
        }
        if self.detail.is_empty() { Ok(()) } else { write!(f, " {}", self.detail) }
    }
}

/// What is noted of a write behind a mount, until its outcome is known.
#[derive(Debug)]
pub(crate) struct Note {
    pub(crate) path: String,
    pub(crate) bytes: usize,
    /// The order itself, where it is one; a job is only counted.
    pub(crate) order: Option<alloc::vec::Vec<u8>>,
}

impl Server {
    /// Puts a line into the log, of the server or of the surrounding program, and tells the shell.
    pub fn audit(&mut self, line: AuditLine, now: Now) {
        let line = line.fit_to_keep();
        let text = shortened(&format!("ts_ms={} {line}", now.unix_ms), LOG_LINE_BYTES_MAX);
        if let Some(Kind::Log(log)) = self.tree.get_mut(self.log).map(|node| &mut node.kind) {
            log.append(text.as_bytes());
        }
        self.tell(line, now.unix_ms);
    }
}

/// The text with every ticket in it struck out.
pub(crate) fn struck(text: &str) -> String {
    let mut left = text;
    let mut out = String::with_capacity(text.len());
    while let Some(at) = left.find(TICKET_PREFIX) {
        let (before, ticket) = left.split_at(at);
        let body = ticket.get(TICKET_PREFIX.len()..).unwrap_or_default();
        let end = body.find(|c: char| !c.is_ascii_alphanumeric() && c != '.').unwrap_or(body.len());
        out.push_str(before);
        out.push_str("cohesix-ticket-(struck)");
        left = body.get(end..).unwrap_or_default();
    }
    out.push_str(left);
    out
}

/// The text, cut to a bound and saying so.
fn shortened(text: &str, bytes_max: usize) -> String {
    const CUT: &str = "…(cut)";
    if text.len() <= bytes_max {
        return text.to_string();
    }
    let mut end = bytes_max.saturating_sub(CUT.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{CUT}", text.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves LOG-3.
    #[test]
    fn a_ticket_never_gets_into_a_log_however_it_is_written() {
        let line = struck("kill cohesix-ticket-01ab.cd and cohesix-ticket-ff\" end");
        assert_eq!(line, "kill cohesix-ticket-(struck) and cohesix-ticket-(struck)\" end");
        assert_eq!(struck("no ticket here"), "no ticket here");
        let ticket = "cohesix-ticket-010000000000000000000000000000.574095c8f358416843eadd2c94e7f2e8f3dae33e2248533350573a01c3532331";
        let line = AuditLine::stranger("queen", ticket).done("ATTACH", ticket.to_string());
        assert_eq!(
            line.fit_to_keep().to_string(),
            "ticket=574095c8 who=\"queen\" OK ATTACH cohesix-ticket-(struck)"
        );
    }

    #[test]
    fn a_long_line_is_cut_between_characters_and_says_so() {
        let cut = shortened(&"é".repeat(100), 21);
        assert_eq!(cut, "ééééééé…(cut)".replacen("é", "", 1));
        assert!(cut.len() <= 21);
        assert_eq!(shortened("short", 21), "short");
    }
}
