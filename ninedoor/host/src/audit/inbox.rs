//! Where other programs beside the daemon leave what they did, for the log: `ticket mint` runs in a process of its own.
//!
//! A file under a lock. The daemon takes a line to its log first and out of the inbox a look later: a crash in between tells a line twice
//! rather than never.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use ninedoor::AuditLine;
use ninedoor_abi::TicketId;
use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};

use super::directory::AuditDir;

/// Bytes that wait at most; who would add more is refused.
const BYTES_MAX: u64 = 1 << 20;

/// The inbox of a state directory.
#[derive(Debug)]
pub struct Inbox {
    path: PathBuf,
    /// Bytes at its beginning that are in the log already.
    taken: usize,
}

#[derive(Serialize, Deserialize)]
struct Note {
    who: String,
    verb: String,
    ticket: Option<String>,
    detail: String,
}

impl Inbox {
    /// The inbox of a state directory.
    #[must_use]
    pub fn of(state_dir: &Path) -> Self {
        Self { path: AuditDir::of(state_dir).path().join("inbox.jsonl"), taken: 0 }
    }

    /// Leaves a line that says what was done.
    ///
    /// # Errors
    /// What the file system said; then it must not be done.
    pub fn leave(&self, line: &AuditLine) -> io::Result<()> {
        if let Some(parent) = self.path.parent() {
            AuditDir::create_at(parent)?;
        }
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path)?;
        rustix::fs::flock(&file, FlockOperation::LockExclusive)?;
        if file.metadata()?.len() > BYTES_MAX {
            let text = format!("{} is full: does a server run here?", self.path.display());
            return Err(io::Error::new(io::ErrorKind::StorageFull, text));
        }
        let note = Note {
            who: line.who.clone(),
            verb: line.verb.clone(),
            ticket: line.ticket.map(|id| id.to_string()),
            detail: line.detail.clone(),
        };
        let mut text = serde_json::to_vec(&note)?;
        text.push(b'\n');
        file.write_all(&text)
    }

    /// What was left since the last look.
    ///
    /// # Errors
    /// What the file system said.
    pub fn look(&mut self) -> io::Result<Vec<AuditLine>> {
        let mut file = match OpenOptions::new().read(true).write(true).open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            file => file?,
        };
        rustix::fs::flock(&file, FlockOperation::LockExclusive)?;
        let lines = read_from(&mut file, self.taken)?;
        if lines.is_empty() && self.taken > 0 {
            file.set_len(0)?;
            self.taken = 0;
        }
        self.taken += lines.len();
        let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        Ok(lines.map(line_of).collect())
    }
}

fn read_from(file: &mut File, from: usize) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(from as u64))?;
    let mut bytes = Vec::new();
    file.take(2 * BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn line_of(text: &[u8]) -> AuditLine {
    match serde_json::from_slice::<Note>(text) {
        Ok(Note { who, verb, ticket, detail }) => {
            let ticket = ticket.and_then(|id| id.parse::<TicketId>().ok());
            AuditLine { ticket, ..AuditLine::by(&who).done(&verb, detail) }
        }
        Err(error) => {
            AuditLine::by("inbox").failed("NOTE", "EBADMSG", error.to_string(), String::new())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves AUDIT-6.
    #[test]
    fn what_another_program_leaves_is_found_once() {
        let place = tempfile::tempdir().unwrap();
        let mut inbox = Inbox::of(place.path());
        assert_eq!(inbox.look().unwrap(), []);
        let line = |verb: &str| AuditLine {
            ticket: Some(TicketId([1, 2, 3, 4])),
            ..AuditLine::by("uid 0").done(verb, "role=queen".to_owned())
        };
        let other = Inbox::of(place.path());
        other.leave(&line("MINT")).unwrap();
        assert_eq!(inbox.look().unwrap(), [line("MINT")]);
        other.leave(&line("ROTATE")).unwrap();
        assert_eq!(inbox.look().unwrap(), [line("ROTATE")]);
        assert_eq!(inbox.look().unwrap(), []);
        assert_eq!(std::fs::metadata(&inbox.path).unwrap().len(), 0);
        other.leave(&line("MINT")).unwrap();
        assert_eq!(inbox.look().unwrap(), [line("MINT")]);
    }

    #[test]
    fn a_daemon_that_died_between_two_looks_finds_the_line_again() {
        let place = tempfile::tempdir().unwrap();
        let line = AuditLine::by("uid 0").done("MINT", String::new());
        Inbox::of(place.path()).leave(&line).unwrap();
        for _ in 0..2 {
            assert_eq!(Inbox::of(place.path()).look().unwrap(), std::slice::from_ref(&line));
        }
    }
}
