//! One line of the chain: as JSON on disk, with its number and the SHA-256 of the line before it.

use ninedoor::AuditLine;
use ninedoor_abi::{Refusal, UnixMs, job::Sha256};
use serde::{Deserialize, Serialize};

use crate::digest::sha256_of;

/// The verb of the first line of a file.
pub(super) const FILE: &str = "FILE";
/// The verb of the last line that a daemon writes before it ends in order.
pub(super) const STOP: &str = "STOP";

/// What happened, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When it was told.
    pub at: UnixMs,
    /// What it says.
    pub line: AuditLine,
}

/// A line's place in the chain: what the next one is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Its number, from 1.
    pub seq: u64,
    /// Of its bytes, without the newline.
    pub digest: Sha256,
}

impl Link {
    /// What the first line of all is bound to.
    pub(super) const BEGINNING: Self = Self { seq: 0, digest: Sha256([0; 32]) };
}

impl std::fmt::Display for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.seq, self.digest.hex())
    }
}

impl std::str::FromStr for Link {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let wrong =
            || Refusal::invalid(format!("head is {text:?}, wanted <number>:<64 hex digits>"));
        let (seq, digest) = text.split_once(':').ok_or_else(wrong)?;
        let seq = seq.parse().map_err(|_| wrong())?;
        Ok(Self { seq, digest: digest.parse().map_err(|_| wrong())? })
    }
}

/// A line as it is written. The order of the fields is the order in the file.
#[derive(Serialize)]
struct Written<'a> {
    seq: u64,
    prev: String,
    ts_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ticket: Option<String>,
    who: &'a str,
    outcome: &'a str,
    verb: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'a str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    detail: &'a str,
}

/// What the chain needs of a line that is read back.
#[derive(Debug, Deserialize)]
pub(super) struct Read {
    pub(super) seq: u64,
    pub(super) prev: Sha256Text,
    pub(super) verb: String,
    #[serde(default)]
    pub(super) detail: String,
}

/// A SHA-256 in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Sha256Text(pub(super) Sha256);

impl TryFrom<String> for Sha256Text {
    type Error = Refusal;

    fn try_from(text: String) -> Result<Self, Refusal> {
        text.parse().map(Self)
    }
}

impl Entry {
    /// Appends the line to `out`, newline and all, and says what the next one is bound to.
    pub(super) fn write(&self, former: Link, out: &mut Vec<u8>) -> Link {
        let failure = self.line.failure.as_ref();
        let written = Written {
            seq: former.seq + 1,
            prev: former.digest.to_string(),
            ts_ms: self.at.0,
            ticket: self.line.ticket.map(|id| id.to_string()),
            who: &self.line.who,
            outcome: if failure.is_some() { "ERR" } else { "OK" },
            verb: &self.line.verb,
            code: failure.map(|failure| failure.code.as_str()),
            cause: failure.map(|failure| failure.cause.as_str()).filter(|cause| !cause.is_empty()),
            detail: &self.line.detail,
        };
        let begins = out.len();
        serde_json::to_writer(&mut *out, &written).expect("text and numbers are JSON");
        let digest = sha256_of(&out[begins..]);
        out.push(b'\n');
        Link { seq: former.seq + 1, digest }
    }
}

impl Read {
    /// Reads a line without its newline.
    pub(super) fn of(line: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(line).map_err(|error| error.to_string())
    }

    /// Where this is the first line of a file: which file it says it is.
    pub(super) fn file(&self) -> Option<u64> {
        let word = |word: &str| word.strip_prefix("file=")?.parse().ok();
        (self.verb == FILE).then(|| self.detail.split(' ').find_map(word)).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves AUDIT-1.
    #[test]
    fn a_line_names_its_number_the_former_lines_hash_ticket_outcome_and_cause() {
        let line = AuditLine::by("worker-gpu:w1").failed(
            "LEASE",
            "EBUSY",
            "gpu GPU-0 is full".to_owned(),
            "gpu=GPU-0".to_owned(),
        );
        let ticket = Some(ninedoor_abi::TicketId([0x5e, 0x1c, 0x4c, 0x4f]));
        let entry = Entry { at: UnixMs(17), line: AuditLine { ticket, ..line } };
        let mut out = Vec::new();
        let link = entry.write(Link { seq: 6, digest: sha256_of(b"six") }, &mut out);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(
            text,
            format!(
                "{{\"seq\":7,\"prev\":\"{}\",\"ts_ms\":17,\"ticket\":\"5e1c4c4f\",\"who\":\"worker-gpu:w1\",\
                 \"outcome\":\"ERR\",\"verb\":\"LEASE\",\"code\":\"EBUSY\",\"cause\":\"gpu GPU-0 is full\",\"detail\":\"gpu=GPU-0\"}}\n",
                sha256_of(b"six")
            )
        );
        assert_eq!(link, Link { seq: 7, digest: sha256_of(text.trim_end().as_bytes()) });
        let read = Read::of(text.trim_end().as_bytes()).unwrap();
        assert_eq!((read.seq, read.prev.0, read.file()), (7, sha256_of(b"six"), None));
    }

    #[test]
    fn a_link_reads_back_as_it_prints() {
        let link = Link { seq: 12, digest: sha256_of(b"x") };
        assert_eq!(link.to_string().parse(), Ok(link));
        assert_eq!(
            "12".parse::<Link>().unwrap_err().text,
            "head is \"12\", wanted <number>:<64 hex digits>"
        );
    }
}
