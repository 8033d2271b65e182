//! Whether the log is as it was written; and if not, which line is the first that is not, and in what way.
//!
//! Reads only; a daemon may go on writing meanwhile. What each way looks like:
//!
//! ```text
//!   edited      a line's hash is not what the next line, or the head, says
//!   removed     numbers are missing: lines, or whole files
//!   reordered   the missing number stands further down, or a number comes twice
//!   swapped     a file's first line says that it is another file
//!   truncated   the head knows of lines after the last one
//! ```

use std::{fs, io};

use serde::Serialize;

use super::{
    directory::{AuditDir, Head, name_of},
    line::{Link, Read},
};
use crate::digest::sha256_of;

/// Attempts while a daemon rotates files away under us.
const ATTEMPTS: u32 = 4;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Each file that was read.
    pub files: Vec<FileFacts>,
    /// The last whole line.
    pub last: Link,
    /// What is no fault, and worth knowing.
    pub notes: Vec<String>,
    /// The first thing that is wrong.
    pub fault: Option<Fault>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileFacts {
    /// Its name.
    pub file: String,
    /// How many lines it has.
    pub lines: u64,
    /// The number of the first.
    pub first_seq: u64,
    /// The number of the last.
    pub last_seq: u64,
}

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// In which file.
    pub file: String,
    /// In which of its lines, from 1; 0 is the file as a whole.
    pub line: u64,
    /// In which way.
    pub kind: FaultKind,
    /// In words.
    pub what: String,
}

/// In which way a log is not as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FaultKind {
    /// A line's hash is not what it should be.
    Edited,
    /// Lines or files are missing.
    Removed,
    /// Lines are not in their order.
    Reordered,
    /// A file is another than its name says.
    Swapped,
    /// The end is missing.
    Truncated,
}

impl FaultKind {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Edited => "edited",
            Self::Removed => "removed",
            Self::Reordered => "reordered",
            Self::Swapped => "swapped",
            Self::Truncated => "truncated",
        }
    }
}

/// Reads the whole log. `noted` is a head that somebody has noted elsewhere: its line must be there.
///
/// # Errors
/// When something cannot be read.
pub fn verify(directory: &AuditDir, noted: Option<Link>) -> io::Result<Report> {
    let mut attempt = 1;
    loop {
        // First the head: what it says is in the files that are read after it.
        let head = directory.head();
        let report = Walk::new(directory, noted).go(&head);
        let settled = match &report {
            Ok(report) => report.fault.is_none(),
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        };
        let moved = || !matches!((&head, directory.head()), (Ok(old), Ok(new)) if *old == new);
        if settled || attempt == ATTEMPTS || head.is_err() || !moved() {
            return report;
        }
        attempt += 1;
    }
}

/// A line's place, for whom it is to be shown.
#[derive(Debug, Clone, Copy)]
struct Place {
    number: u64,
    line: u64,
}

/// A way through all files.
struct Walk<'a> {
    directory: &'a AuditDir,
    noted: Option<Link>,
    former: Option<(Link, Place)>,
    /// The lines that the head and the noted head are about, as they are found.
    vouched: Vec<(Link, Place)>,
    report: Report,
}

impl<'a> Walk<'a> {
    fn new(directory: &'a AuditDir, noted: Option<Link>) -> Self {
        let report =
            Report { files: Vec::new(), last: Link::BEGINNING, notes: Vec::new(), fault: None };
        Self { directory, noted, former: None, vouched: Vec::new(), report }
    }

    fn go(mut self, head: &io::Result<Option<Head>>) -> io::Result<Report> {
        let numbers = self.directory.numbers()?;
        let head = match head {
            Ok(Some(head)) => head.link().map(|link| Some((link, head.oldest))),
            Ok(None) => Ok(None),
            Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
        };
        self.report.fault = match self.read(&numbers, &head)? {
            Some(fault) => Some(fault),
            None => self.check_ends(head),
        };
        Ok(self.report)
    }

    fn read(
        &mut self,
        numbers: &[u64],
        head: &io::Result<Option<(Link, u64)>>,
    ) -> io::Result<Option<Fault>> {
        let heads = [head.as_ref().ok().and_then(|head| head.map(|(link, _)| link)), self.noted];
        let wanted: Vec<u64> = heads.into_iter().flatten().map(|link| link.seq).collect();
        let mut expected = head.as_ref().ok().and_then(|head| head.map(|(_, oldest)| oldest));
        for &number in numbers {
            if let Some(missing) = expected.filter(|expected| *expected < number) {
                return Ok(Some(fault(
                    Place { number: missing, line: 0 },
                    FaultKind::Removed,
                    "the file is missing",
                )));
            }
            expected = Some(number + 1);
            let last = numbers.last() == Some(&number);
            if let Some(fault) = self.read_file(number, last, &wanted)? {
                return Ok(Some(fault));
            }
        }
        Ok(None)
    }

    fn read_file(&mut self, number: u64, last: bool, wanted: &[u64]) -> io::Result<Option<Fault>> {
        let bytes = fs::read(self.directory.file(number))?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let (lines, torn) = bytes.split_at(whole);
        let lines: Vec<&[u8]> = lines.split_inclusive(|byte| *byte == b'\n').collect();
        let mut facts = FileFacts { file: name_of(number), lines: 0, first_seq: 0, last_seq: 0 };
        for (index, line) in lines.iter().enumerate() {
            let place = Place { number, line: index as u64 + 1 };
            let rest = lines.get(index + 1..).unwrap_or_default();
            match self.step(place, trimmed(line), rest) {
                Ok(link) => {
                    if wanted.contains(&link.seq) {
                        self.vouched.push((link, place));
                    }
                    if index == 0 {
                        facts.first_seq = link.seq;
                    }
                    facts.last_seq = link.seq;
                    facts.lines += 1;
                    self.former = Some((link, place));
                    self.report.last = link;
                }
                Err(fault) => return Ok(Some(fault)),
            }
        }
        self.report.files.push(facts);
        if torn.is_empty() {
            return Ok(None);
        }
        let place = Place { number, line: lines.len() as u64 + 1 };
        if !last {
            let what = format!("{} bytes that are no line stand at the end", torn.len());
            return Ok(Some(fault(place, FaultKind::Edited, what)));
        }
        self.report.notes.push(format!(
            "{} ends with {} bytes of a line: it is being written, or was cut short and will be sealed at the next start",
            name_of(number),
            torn.len()
        ));
        Ok(None)
    }

    /// One line, after everything before it was found well.
    fn step(&self, place: Place, line: &[u8], rest: &[&[u8]]) -> Result<Link, Fault> {
        let read = Read::of(line).map_err(|why| {
            fault(place, FaultKind::Edited, format!("it is no line of this log: {why}"))
        })?;
        if place.line == 1 {
            check_title(place, &read)?;
        }
        let link = Link { seq: read.seq, digest: sha256_of(line) };
        let Some((former, former_place)) = self.former else {
            return self.check_beginning(place, &read).map(|()| link);
        };
        if read.seq != former.seq + 1 {
            return Err(out_of_order(place, former.seq + 1, read.seq, rest));
        }
        if read.prev.0 == former.digest {
            return Ok(link);
        }
        // One of the two was changed: this one, if the next line does not know it either.
        let next = rest.first().and_then(|next| Read::of(trimmed(next)).ok());
        let known = next.is_none_or(|next| next.prev.0 == link.digest);
        let what = format!(
            "line {} has the hash {}, line {} was written after {}",
            former.seq, former.digest, read.seq, read.prev.0
        );
        Err(fault(if known { former_place } else { place }, FaultKind::Edited, what))
    }

    /// The oldest line that is kept: nothing before it is there to be compared, unless it is the first of all.
    fn check_beginning(&self, place: Place, read: &Read) -> Result<(), Fault> {
        let begins = place.number == 1 && place.line == 1;
        match begins && (read.seq, read.prev.0) != (1, Link::BEGINNING.digest) {
            true => {
                let what = format!("the first line of all has number {}", read.seq);
                Err(fault(place, FaultKind::Removed, what))
            }
            false => Ok(()),
        }
    }

    /// What the head and the noted head say, against what was found.
    fn check_ends(&mut self, head: io::Result<Option<(Link, u64)>>) -> Option<Fault> {
        let end = self.former.map_or(Place { number: 1, line: 0 }, |(_, place)| place);
        let head = match head {
            Ok(head) => head.map(|(link, _)| link),
            Err(error) => return Some(fault_in_head(FaultKind::Edited, error.to_string())),
        };
        match (head, self.report.files.is_empty()) {
            (None, true) if self.noted.is_none() => {
                self.report.notes.push("there is no audit log yet".to_owned());
            }
            (None, false) => {
                return Some(fault_in_head(FaultKind::Removed, "the head is missing".to_owned()));
            }
            _ => {}
        }
        let heads = [(head, "the head"), (self.noted, "the head that was noted")];
        for (link, whose) in heads {
            let Some(link) = link else { continue };
            if link.seq > self.report.last.seq {
                let what =
                    format!("line {} is the last, {whose} says {}", self.report.last.seq, link.seq);
                return Some(fault(end, FaultKind::Truncated, what));
            }
            match self.vouched.iter().find(|(found, _)| found.seq == link.seq) {
                Some((found, place)) if found.digest != link.digest => {
                    let what = format!(
                        "line {} has the hash {}, {whose} says {}",
                        link.seq, found.digest, link.digest
                    );
                    return Some(fault(*place, FaultKind::Edited, what));
                }
                Some(_) => {}
                None => self
                    .report
                    .notes
                    .push(format!("{whose} is about line {}, which rotation has taken", link.seq)),
            }
        }
        None
    }
}

fn check_title(place: Place, read: &Read) -> Result<(), Fault> {
    match read.file() {
        Some(number) if number == place.number => Ok(()),
        Some(number) => {
            let what = format!("its first line says that it is {}", name_of(number));
            Err(fault(Place { line: 1, ..place }, FaultKind::Swapped, what))
        }
        None => Err(fault(place, FaultKind::Removed, "the first line of the file is missing")),
    }
}

fn out_of_order(place: Place, wanted: u64, seen: u64, rest: &[&[u8]]) -> Fault {
    let later =
        rest.iter().any(|line| Read::of(trimmed(line)).is_ok_and(|read| read.seq == wanted));
    if later || seen < wanted {
        let what = format!("line {seen} stands where line {wanted} was written");
        return fault(place, FaultKind::Reordered, what);
    }
    let what = format!("lines {wanted} to {} are missing before it", seen - 1);
    fault(place, FaultKind::Removed, what)
}

fn fault(place: Place, kind: FaultKind, what: impl Into<String>) -> Fault {
    Fault { file: name_of(place.number), line: place.line, kind, what: what.into() }
}

fn fault_in_head(kind: FaultKind, what: String) -> Fault {
    Fault { file: "head.json".to_owned(), line: 0, kind, what }
}

fn trimmed(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\n").unwrap_or(line)
}

#[cfg(test)]
mod tests;
