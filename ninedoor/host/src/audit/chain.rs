//! The chain in its files: appending, rotating, syncing, and going on after a crash.
//!
//! ```text
//!  open ─▶ how was it left?   in order (STOP is last) ──────────────────────────────▶ goes on in the last file
//!                             killed (no STOP; perhaps a line cut short) ─cut, SEAL─▶ goes on in the last file
//!                             not as it was written ─────────────────────BREAK──────▶ goes on in a new file
//! ```
//!
//! What is not as it was written stays as it is: `audit verify` finds it there until rotation takes the file.

use std::{
    collections::VecDeque,
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
};

use ninedoor::AuditLine;
use ninedoor_abi::UnixMs;

use super::{
    directory::{AuditDir, Head, name_of},
    line::{Entry, FILE, Link, Read, STOP},
};
use crate::digest::sha256_of;

/// Bytes from the end of a file in which its last line surely begins.
const TAIL_BYTES: u64 = 256 * 1024;
/// Bytes of lines that one write takes.
const WRITE_BYTES_MAX: usize = 1 << 20;
/// Bytes of a line that was cut short that its SEAL repeats.
const TORN_BYTES_SHOWN: usize = 200;

/// What is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainBounds {
    /// A file that has grown to this is followed by another.
    pub file_bytes_max: u64,
    /// Files kept; the oldest goes.
    pub files_max: u64,
}

impl Default for ChainBounds {
    fn default() -> Self {
        Self { file_bytes_max: 16 << 20, files_max: 64 }
    }
}

/// The chain, open at its end.
#[derive(Debug)]
pub(super) struct Chain {
    directory: AuditDir,
    bounds: ChainBounds,
    last: Link,
    number: u64,
    oldest: u64,
    file: File,
    /// The file's bytes that are whole lines.
    bytes: u64,
    /// Whether a write failed, and may have left a part of itself behind them.
    torn: bool,
    unsynced: bool,
}

/// How the last daemon left the files.
struct Left {
    last: Link,
    /// The file to go on in; none where a new one must be begun.
    file: Option<(u64, File, u64)>,
    lines: Vec<AuditLine>,
    /// What became of whoever wrote it last.
    after: &'static str,
}

impl Chain {
    /// Opens the log of `who`, or begins it. The lines that come back say how it was found; they are to be appended first.
    pub(super) fn open(
        directory: AuditDir,
        bounds: ChainBounds,
        who: &str,
    ) -> io::Result<(Self, Vec<AuditLine>)> {
        directory.create()?;
        let numbers = directory.numbers()?;
        let Left { last, file, mut lines, after } = Left::look(&directory, &numbers)?;
        let (version, pid) = (env!("CARGO_PKG_VERSION"), std::process::id());
        let detail = format!("version={version} pid={pid} after={after}");
        lines.push(AuditLine::by(who).done("START", detail));
        let newest = numbers.last().copied().unwrap_or_default();
        let oldest = numbers.first().copied();
        let (number, file, bytes) = match file {
            Some(found) => found,
            None => (newest + 1, directory.begin(newest + 1)?, 0),
        };
        let chain = Self {
            directory,
            bounds,
            last,
            number,
            oldest: oldest.unwrap_or(number),
            file,
            bytes,
            torn: false,
            unsynced: true,
        };
        Ok((chain, lines))
    }

    /// The last line.
    pub(super) const fn last(&self) -> Link {
        self.last
    }

    /// Whether [`Self::sync`] has something to do.
    pub(super) const fn is_unsynced(&self) -> bool {
        self.unsynced
    }

    /// Writes the entries, oldest first, and takes out those that are written.
    ///
    /// # Errors
    /// What the file system said. The rest may be tried again: what a failed write left behind goes first.
    pub(super) fn append(&mut self, entries: &mut VecDeque<Entry>) -> io::Result<()> {
        while let Some(first) = entries.front() {
            if self.bytes >= self.bounds.file_bytes_max {
                self.begin_next()?;
            }
            if self.bytes == 0 {
                self.title(first.at)?;
            }
            self.forget_oldest()?;
            let (mut text, mut link, mut count) = (Vec::new(), self.last, 0);
            for entry in entries.iter() {
                let room = self.bounds.file_bytes_max.saturating_sub(self.bytes);
                if count > 0 && (text.len() as u64 >= room || text.len() >= WRITE_BYTES_MAX) {
                    break;
                }
                link = entry.write(link, &mut text);
                count += 1;
            }
            self.write(&text, link)?;
            entries.drain(..count);
        }
        Ok(())
    }

    /// Sees to it that what was written survives the power, and that the head vouches for it.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()?;
        self.directory.write_head(&Head::new(self.last, self.number, self.oldest))?;
        self.unsynced = false;
        Ok(())
    }

    fn write(&mut self, text: &[u8], link: Link) -> io::Result<()> {
        if self.torn {
            self.file.set_len(self.bytes)?;
        }
        self.torn = true;
        self.file.write_all(text)?;
        self.torn = false;
        self.unsynced = true;
        self.bytes += text.len() as u64;
        self.last = link;
        Ok(())
    }

    fn begin_next(&mut self) -> io::Result<()> {
        self.sync()?;
        self.file = self.directory.begin(self.number + 1)?;
        self.number += 1;
        (self.bytes, self.torn) = (0, false);
        Ok(())
    }

    /// Removes files past the bound: first from the head, so that a file that is missing is never one that it says is kept.
    fn forget_oldest(&mut self) -> io::Result<()> {
        while self.oldest + self.bounds.files_max <= self.number {
            let oldest = self.oldest;
            self.oldest += 1;
            self.sync().inspect_err(|_| self.oldest = oldest)?;
            match fs::remove_file(self.directory.file(oldest)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// The first line of a file says which one it is, so that files cannot change places.
    fn title(&mut self, at: UnixMs) -> io::Result<()> {
        let detail =
            format!("file={} after={}", self.number, name_of(self.number.saturating_sub(1)));
        let line = AuditLine::by("audit").done(FILE, detail);
        let mut text = Vec::new();
        let link = Entry { at, line }.write(self.last, &mut text);
        self.write(&text, link)
    }
}

impl Left {
    fn look(directory: &AuditDir, numbers: &[u64]) -> io::Result<Self> {
        let head = directory.head().and_then(|head| match head {
            Some(head) => head.link().map(|link| Some((link, head))),
            None => Ok(None),
        });
        let Some((&number, former)) = numbers.split_last() else {
            return Ok(match head {
                Ok(None) => Self::nothing(),
                Ok(Some((link, _))) => {
                    Self::broken(link, "every file is gone, the head is not".to_owned())
                }
                Err(error) => Self::broken(Link::BEGINNING, error.to_string()),
            });
        };
        let tail = Tail::read(directory, number)?;
        let (last, broken) = match (&tail.last, former.last()) {
            (Some(Ok((link, _))), _) => (*link, None),
            (Some(Err(why)), _) => (Link::BEGINNING, Some(format!("{}: {why}", name_of(number)))),
            // Killed before the first line of a new file was whole.
            (None, Some(&former)) => match Tail::read(directory, former)?.last {
                Some(Ok((link, _))) => (link, None),
                _ => (Link::BEGINNING, Some(format!("{} has no last line", name_of(former)))),
            },
            (None, None) => (Link::BEGINNING, None),
        };
        match (broken, head) {
            (Some(why), Ok(Some((link, _)))) => Ok(Self::broken(link, why)),
            (Some(why), _) => Ok(Self::broken(last, why)),
            (None, Err(error)) => Ok(Self::broken(last, error.to_string())),
            (None, Ok(Some((link, _)))) if link.seq > last.seq => Ok(Self::broken(
                link,
                format!("line {} is the last, the head says {}", last.seq, link.seq),
            )),
            (None, Ok(_)) => tail.go_on(last),
        }
    }

    fn nothing() -> Self {
        Self { last: Link::BEGINNING, file: None, lines: Vec::new(), after: "nothing" }
    }

    /// Goes on in a new file after the last line that anything is known of.
    fn broken(last: Link, why: String) -> Self {
        let line = AuditLine::by("audit").failed("BREAK", "EBADMSG", why, String::new());
        Self { last, file: None, lines: vec![line], after: "break" }
    }
}

/// The end of a file.
struct Tail {
    number: u64,
    file: File,
    /// Up to the end of the last whole line.
    whole_bytes: u64,
    /// What stands after that.
    torn: Vec<u8>,
    last: Option<Result<(Link, String), String>>,
}

impl Tail {
    fn read(directory: &AuditDir, number: u64) -> io::Result<Self> {
        let mut file = OpenOptions::new().read(true).append(true).open(directory.file(number))?;
        let length = file.metadata()?.len();
        let from = length.saturating_sub(TAIL_BYTES);
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let torn = bytes.split_off(whole);
        let line = bytes.strip_suffix(b"\n").map(|lines| {
            let begins = lines.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            &lines[begins..]
        });
        let last = match line {
            Some(line) => {
                let link =
                    |read: Read| (Link { seq: read.seq, digest: sha256_of(line) }, read.verb);
                let what = |why| format!("its last line is none of this log: {why}");
                Some(Read::of(line).map(link).map_err(what))
            }
            None if from > 0 => Some(Err(format!("no line in its last {TAIL_BYTES} bytes"))),
            None => None,
        };
        Ok(Self { number, file, whole_bytes: from + whole as u64, torn, last })
    }

    /// Goes on in this file; a line that was cut short is cut off, and remembered.
    fn go_on(self, last: Link) -> io::Result<Left> {
        let in_order = matches!(&self.last, Some(Ok((_, verb))) if verb == STOP);
        let mut lines = Vec::new();
        if !self.torn.is_empty() {
            self.file.set_len(self.whole_bytes)?;
            let shown = &self.torn[..self.torn.len().min(TORN_BYTES_SHOWN)];
            let detail = format!(
                "file={} bytes={} digest={} began={:?}",
                self.number,
                self.torn.len(),
                sha256_of(&self.torn),
                String::from_utf8_lossy(shown)
            );
            lines.push(AuditLine::by("audit").done("SEAL", detail));
        }
        let after = if in_order && self.torn.is_empty() { "stop" } else { "kill" };
        Ok(Left { last, file: Some((self.number, self.file, self.whole_bytes)), lines, after })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::verify::verify;

    const BOUNDS: ChainBounds = ChainBounds { file_bytes_max: 600, files_max: 3 };

    fn lines(count: u64) -> VecDeque<Entry> {
        let line = |number: u64| AuditLine::by("tester").done("COUNT", format!("number={number}"));
        (0..count).map(|number| Entry { at: UnixMs(number), line: line(number) }).collect()
    }

    fn opened(directory: &AuditDir) -> (Chain, VecDeque<Entry>) {
        let (chain, lines) = Chain::open(directory.clone(), BOUNDS, "bridge").unwrap();
        (chain, lines.into_iter().map(|line| Entry { at: UnixMs(7), line }).collect())
    }

    fn whole(directory: &AuditDir) -> u64 {
        let report = verify(directory, None).unwrap();
        assert_eq!(report.fault, None);
        report.last.seq
    }

    fn text(directory: &AuditDir, number: u64) -> String {
        fs::read_to_string(directory.file(number)).unwrap()
    }

    /// Proves AUDIT-2.
    #[test]
    fn files_are_bounded_in_size_and_number_and_the_chain_goes_on_over_them() {
        let place = tempfile::tempdir().unwrap();
        let directory = AuditDir::of(place.path());
        let (mut chain, _) = opened(&directory);
        for mut some in [lines(5), lines(20), lines(1)] {
            chain.append(&mut some).unwrap();
            assert!(some.is_empty());
        }
        chain.sync().unwrap();
        let numbers = directory.numbers().unwrap();
        assert_eq!(numbers.len(), 3, "{numbers:?}");
        assert!(numbers[0] > 1, "the oldest went: {numbers:?}");
        for number in &numbers {
            let (length, longest) = (text(&directory, *number).len(), 250);
            assert!(length < 600 + longest, "file {number} has {length} bytes");
        }
        let before = text(&directory, numbers[0]);
        let last = sha256_of(before.trim_end().lines().last().unwrap().as_bytes());
        let first = text(&directory, numbers[1]);
        assert!(first.lines().next().unwrap().contains(&format!("\"prev\":\"{last}\"")), "{first}");
        assert!(whole(&directory) > 26);
    }

    /// Proves AUDIT-3.
    #[test]
    fn a_line_that_was_cut_short_is_sealed_and_the_chain_goes_on() {
        let place = tempfile::tempdir().unwrap();
        let directory = AuditDir::of(place.path());
        let (mut chain, mut first) = opened(&directory);
        chain.append(&mut first).unwrap();
        drop(chain); // as kill -9 does
        let mut file = OpenOptions::new().append(true).open(directory.file(1)).unwrap();
        file.write_all(b"{\"seq\":3,\"prev\":\"sha2").unwrap();
        let (mut chain, mut found) = opened(&directory);
        let said: Vec<_> = found.iter().map(|entry| entry.line.to_string()).collect();
        assert!(said[0].contains("OK SEAL file=1 bytes=21 digest=sha256:"), "{said:?}");
        assert!(said[0].contains("began=\"{\\\"seq\\\":3"), "{said:?}");
        assert!(said[1].ends_with("after=kill"), "{said:?}");
        chain.append(&mut found).unwrap();
        chain.sync().unwrap();
        assert_eq!(whole(&directory), 5); // one of them the title of a second file
    }

    /// Proves AUDIT-3.
    #[test]
    fn a_daemon_that_ended_in_order_is_told_from_one_that_was_killed() {
        let place = tempfile::tempdir().unwrap();
        let directory = AuditDir::of(place.path());
        let (mut chain, mut first) = opened(&directory);
        assert!(first[0].line.to_string().ends_with("after=nothing"));
        first
            .push_back(Entry { at: UnixMs(9), line: AuditLine::by("b").done(STOP, String::new()) });
        chain.append(&mut first).unwrap();
        let (_, second) = opened(&directory);
        assert!(second[0].line.to_string().ends_with("after=stop"), "{second:?}");
    }

    /// Proves AUDIT-3.
    #[test]
    fn a_file_that_was_begun_and_no_more_is_gone_on_with() {
        let place = tempfile::tempdir().unwrap();
        let directory = AuditDir::of(place.path());
        let (mut chain, _) = opened(&directory);
        chain.append(&mut lines(2)).unwrap();
        chain.begin_next().unwrap();
        let (mut chain, mut found) = opened(&directory);
        chain.append(&mut found).unwrap();
        chain.sync().unwrap();
        assert_eq!((whole(&directory), directory.numbers().unwrap()), (5, vec![1, 2]));
    }

    /// Proves AUDIT-4.
    #[test]
    fn what_a_failed_write_left_behind_goes_and_nothing_is_lost() {
        let place = tempfile::tempdir().unwrap();
        let directory = AuditDir::of(place.path());
        let (mut chain, _) = opened(&directory);
        let mut some = lines(2);
        chain.append(&mut some).unwrap();
        let good = std::mem::replace(&mut chain.file, File::open(directory.file(1)).unwrap());
        let mut more = lines(1);
        assert!(chain.append(&mut more).is_err(), "the file is open for reading only");
        assert_eq!(more.len(), 1);
        (&good).write_all(b"{\"seq\":4,").unwrap(); // what a full disk lets through
        chain.file = good;
        chain.append(&mut more).unwrap();
        chain.sync().unwrap();
        assert_eq!(whole(&directory), 4);
    }

    /// Proves AUDIT-5.
    #[test]
    fn a_log_that_is_not_as_it_was_written_is_gone_on_with_in_a_new_file() {
        for (spoil, cause) in [
            ("edit", "its last line is none of this log"),
            ("shorten", "line 2 is the last, the head says 3"),
            ("head", "head.json: "),
            ("all", "every file is gone, the head is not"),
        ] {
            let place = tempfile::tempdir().unwrap();
            let directory = AuditDir::of(place.path());
            let (mut chain, _) = opened(&directory);
            chain.append(&mut lines(2)).unwrap();
            chain.sync().unwrap();
            let (path, was) = (directory.file(1), text(&directory, 1));
            match spoil {
                "edit" => fs::write(path, was.clone() + "not a line\n").unwrap(),
                "shorten" => {
                    let kept: Vec<_> = was.lines().take(2).collect();
                    fs::write(path, kept.join("\n") + "\n").unwrap();
                }
                "head" => fs::write(directory.path().join("head.json"), "{}").unwrap(),
                _ => fs::remove_file(path).unwrap(),
            }
            let (mut chain, mut found) = opened(&directory);
            let said = found[0].line.to_string();
            assert!(said.contains("ERR BREAK EBADMSG ") && said.contains(cause), "{said}");
            chain.append(&mut found).unwrap();
            chain.sync().unwrap();
            assert_eq!(
                directory.numbers().unwrap().last(),
                Some(&if spoil == "all" { 1 } else { 2 })
            );
            // A head that was garbled has been replaced; everything else stays to be found.
            assert_eq!(verify(&directory, None).unwrap().fault.is_some(), spoil != "head");
        }
    }
}
