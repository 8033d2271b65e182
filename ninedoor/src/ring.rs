//! A log as a bounded ring of whole lines, and a reader's place in it.
//!
//! The newest lines stay, the oldest go, a line is never kept in part. Positions count every byte ever appended, so a place
//! in the log does not move when old lines go. A reader's offset 0 is the oldest line kept when its fid was opened:
//!
//! ```text
//!   positions   0 ......... start ........................ end
//!   bytes         forgotten  |line\nline\nline\nline\n     |   appends go here
//!   reader                   base ──────── offset ───▶  then 0 bytes, until there is more (tail -f)
//! ```
//!
//! A reader slower than the log loses the forgotten lines, never its step: it goes on at the oldest line kept.

use alloc::{collections::VecDeque, vec::Vec};

/// A bounded log of lines.
#[derive(Debug, Clone)]
pub struct LogRing {
    bytes: VecDeque<u8>,
    start: u64,
    bytes_max: usize,
}

impl LogRing {
    /// An empty log that keeps at most `bytes_max` bytes.
    #[must_use]
    pub const fn new(bytes_max: usize) -> Self {
        Self { bytes: VecDeque::new(), start: 0, bytes_max }
    }

    /// Appends one line; the newline is added here. A line that could never be kept is cut at the bound.
    pub fn append(&mut self, line: &[u8]) {
        let line = &line[..line.len().min(self.bytes_max.saturating_sub(1))];
        while self.bytes.len() + line.len() + 1 > self.bytes_max {
            self.forget_oldest();
        }
        self.bytes.extend(line);
        self.bytes.push_back(b'\n');
    }

    fn forget_oldest(&mut self) {
        let line_bytes =
            self.bytes.iter().position(|&byte| byte == b'\n').map_or(self.bytes.len(), |at| at + 1);
        self.bytes.drain(..line_bytes);
        self.start += line_bytes as u64;
    }

    /// Position of the oldest byte kept.
    #[must_use]
    pub const fn start(&self) -> u64 {
        self.start
    }

    /// Position of the next byte to come.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    /// At most `count` bytes from `position`, which is moved to the oldest line kept when it is older than that.
    #[must_use]
    pub fn read_at(&self, position: u64, count: usize) -> Vec<u8> {
        let from = usize::try_from(position.max(self.start) - self.start)
            .unwrap_or(usize::MAX)
            .min(self.bytes.len());
        let to = from.saturating_add(count).min(self.bytes.len());
        let (front, back) = self.bytes.as_slices();
        let mut bytes = Vec::with_capacity(to - from);
        bytes.extend_from_slice(&front[from.min(front.len())..to.min(front.len())]);
        bytes.extend_from_slice(
            &back[from.saturating_sub(front.len())..to.saturating_sub(front.len())],
        );
        bytes
    }
}

/// Where one open fid stands in a [`LogRing`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogReader {
    base: u64,
}

impl LogReader {
    /// A reader that sees everything kept now.
    #[must_use]
    pub const fn open(log: &LogRing) -> Self {
        Self { base: log.start() }
    }

    /// At most `count` bytes at the fid's own `offset`; empty at the end.
    pub fn read(&mut self, log: &LogRing, offset: u64, count: usize) -> Vec<u8> {
        let wanted = self.base.saturating_add(offset);
        let forgotten = log.start().saturating_sub(wanted);
        self.base += forgotten;
        log.read_at(wanted.saturating_add(forgotten), count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log_of(bytes_max: usize, lines: &[&str]) -> LogRing {
        let mut log = LogRing::new(bytes_max);
        lines.iter().for_each(|line| log.append(line.as_bytes()));
        log
    }

    #[test]
    fn the_oldest_whole_lines_make_room() {
        let log = log_of(10, &["one", "two", "three"]);
        assert_eq!(log.read_at(0, 100), b"two\nthree\n");
        assert_eq!((log.start(), log.end()), (4, 14));
    }

    #[test]
    fn a_reader_at_the_end_sees_new_lines_appear() {
        let mut log = log_of(64, &["one"]);
        let mut reader = LogReader::open(&log);
        assert_eq!(reader.read(&log, 0, 100), b"one\n");
        assert_eq!(reader.read(&log, 4, 100), b"");
        log.append(b"two");
        assert_eq!(reader.read(&log, 4, 100), b"two\n");
    }

    #[test]
    fn a_reader_that_opens_late_starts_at_the_oldest_line_kept() {
        let log = log_of(10, &["one", "two", "three"]);
        let mut reader = LogReader::open(&log);
        assert_eq!(reader.read(&log, 0, 4), b"two\n");
        assert_eq!(reader.read(&log, 4, 100), b"three\n");
        assert_eq!(reader.read(&log, 10, 100), b"");
    }

    #[test]
    fn a_slow_reader_loses_lines_but_not_its_step() {
        let mut log = log_of(8, &["one", "two"]);
        let mut reader = LogReader::open(&log);
        assert_eq!(reader.read(&log, 0, 4), b"one\n");
        log.append(b"six");
        log.append(b"ten");
        assert_eq!(reader.read(&log, 4, 100), b"six\nten\n");
        assert_eq!(reader.read(&log, 12, 100), b"");
    }

    #[test]
    fn a_line_longer_than_the_log_is_cut() {
        let log = log_of(4, &["abcdef"]);
        assert_eq!(log.read_at(0, 100), b"abc\n");
    }

    #[test]
    fn reads_join_the_two_halves_of_the_ring() {
        let mut log = log_of(12, &["aaaa", "bbbb"]);
        log.append(b"cccc");
        assert_eq!(log.read_at(5, 100), b"bbbb\ncccc\n");
        assert_eq!(log.read_at(8, 4), b"b\ncc");
        assert_eq!(log.read_at(u64::MAX, 4), b"");
    }
}
