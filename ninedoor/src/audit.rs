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
use core::fmt::Write as _;

use ninedoor_abi::{Errno as AbiErrno, Now, Refusal, Ticket, TicketId};
use secure9p::Errno;

use crate::{ask::Caller, limits::LOG_LINE_BYTES_MAX, server::Server, tree::Kind};

/// How a ticket begins; what follows must not get into a log.
const TICKET_PREFIX: &str = "cohesix-ticket-";

/// One line being made.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    head: String,
    rest: String,
}

impl Line {
    /// A line about what a caller did.
    pub(crate) fn of(caller: &Caller) -> Self {
        let who = match &caller.subject {
            Some(subject) => format!("{}:{subject}", caller.role),
            None => caller.role.to_string(),
        };
        Self::from(caller.ticket, &who)
    }

    /// A line about somebody who was not let in, by what they said of themselves.
    pub(crate) fn stranger(uname: &str, aname: &str) -> Self {
        let alleged = Ticket::parse(aname).ok().map(|ticket| ticket.id());
        Self::from(alleged, &format!("{:?}", shortened(uname, 80)))
    }

    /// A line about what the server did by itself.
    pub(crate) fn own() -> Self {
        Self::from(None, "ninedoor")
    }

    fn from(ticket: Option<TicketId>, who: &str) -> Self {
        let ticket = ticket.map_or_else(|| "-".to_string(), |id| id.to_string());
        Self { head: format!("ticket={ticket} who={who}"), rest: String::new() }
    }

    /// It was done.
    pub(crate) fn done(mut self, verb: &str, detail: String) -> Self {
        let space = if detail.is_empty() { "" } else { " " };
        self.rest = format!("OK {verb}{space}{detail}");
        self
    }

    /// It was refused.
    pub(crate) fn refused(mut self, verb: &str, refusal: &Refusal, detail: String) -> Self {
        let space = if detail.is_empty() { "" } else { " " };
        self.rest = format!("ERR {verb} {} {}{space}{detail}", refusal.errno, refusal.text);
        self
    }

    /// It was done, or it failed with this.
    pub(crate) fn outcome(mut self, verb: &str, errno: Option<Errno>, detail: &str) -> Self {
        self.rest = match errno {
            None => format!("OK {verb} {detail}"),
            Some(errno) => format!("ERR {verb} {} {detail}", AbiErrno(errno.0)),
        };
        self
    }

    /// What was written, word for word, as far as a log may show it.
    pub(crate) fn quoting(mut self, written: &[u8]) -> Self {
        let text = String::from_utf8_lossy(written);
        let _ = write!(self.rest, " line={:?}", shortened(&text, LOG_LINE_BYTES_MAX / 2));
        self
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
    /// Puts a line into the log, and tells the shell.
    pub(crate) fn audit(&mut self, line: &Line, now: Now) {
        self.append(format!("ts_ms={} {} {}", now.unix_ms, line.head, line.rest));
    }

    /// Puts a line of the surrounding program into the log, with the time in front.
    pub fn log(&mut self, line: &str, now: Now) {
        self.append(format!("ts_ms={} {line}", now.unix_ms));
    }

    fn append(&mut self, line: String) {
        let plain = struck(&line).replace(|c: char| c.is_control(), " ");
        let line = shortened(&plain, LOG_LINE_BYTES_MAX);
        if let Some(Kind::Log(log)) = self.tree.get_mut(self.log).map(|node| &mut node.kind) {
            log.append(line.as_bytes());
        }
        self.tell(line);
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
        let line = Line::stranger("queen", ticket);
        assert_eq!(line.head, "ticket=574095c8 who=\"queen\"");
    }

    #[test]
    fn a_long_line_is_cut_between_characters_and_says_so() {
        let cut = shortened(&"é".repeat(100), 21);
        assert_eq!(cut, "ééééééé…(cut)".replacen("é", "", 1));
        assert!(cut.len() <= 21);
        assert_eq!(shortened("short", 21), "short");
    }
}
