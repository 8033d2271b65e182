//! Frames: how rows lie in a file, and how one that was not written whole is told from one that was damaged.
//!
//! ```text
//! file    "cohesix-journal 1\n" | base u64 | frame | frame | … | zeros to the end of what was set aside
//! frame   "row\n" | body length u32 | checksum u32 | synced u64 | body        (little endian)
//! ```
//!
//! Positions count bytes of all files since the first, so that they never come again. `synced` is the position up to which
//! everything was known to be on the disk when the frame was written. That is what tells the two apart: behind a frame that was
//! cut short by a crash there may be others that were never promised to anybody, but none that says it had been synced.

use std::{fmt, str};

use super::error::JournalDamage;

/// A place in the log: everything before it was appended before what comes after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Position(pub(crate) u64);

impl Position {
    pub(super) const fn plus(self, bytes: usize) -> Self {
        Self(self.0 + bytes as u64)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The one form that this program writes and reads.
pub(super) const VERSION: u32 = 1;

const NAME: &str = "cohesix-journal ";
const BASE_BYTES: usize = 8;
const MARK: [u8; 4] = *b"row\n";
const HEAD_BYTES: usize = 20;

/// Bytes of one row.
pub(super) const BODY_BYTES_MAX: usize = 8 << 20;

/// The beginning of a file.
pub(super) fn file_head(base: Position) -> Vec<u8> {
    let mut head = format!("{NAME}{VERSION}\n").into_bytes();
    head.extend_from_slice(&base.0.to_le_bytes());
    head
}

/// Reads the beginning of a file: the position of the first frame's first byte, and where that is in the file.
pub(super) fn read_file_head(bytes: &[u8]) -> Result<(Position, usize), JournalDamage> {
    let line_bytes =
        bytes.iter().take(32).position(|&byte| byte == b'\n').ok_or(JournalDamage::NoHead)?;
    let version = str::from_utf8(&bytes[..line_bytes])
        .ok()
        .and_then(|line| line.strip_prefix(NAME)?.parse::<u32>().ok())
        .ok_or(JournalDamage::NoHead)?;
    if version != VERSION {
        return Err(JournalDamage::Version(version));
    }
    let first = line_bytes + 1 + BASE_BYTES;
    let base = bytes.get(line_bytes + 1..first).and_then(|base| base.try_into().ok());
    Ok((Position(u64::from_le_bytes(base.ok_or(JournalDamage::NoHead)?)), first))
}

/// Appends a frame to a buffer.
pub(super) fn put(buffer: &mut Vec<u8>, synced: Position, body: &[u8]) {
    let length = u32::try_from(body.len()).expect("a row is bounded far below 4 GiB");
    buffer.extend_from_slice(&MARK);
    buffer.extend_from_slice(&length.to_le_bytes());
    buffer.extend_from_slice(&checksum(length, synced, body).to_le_bytes());
    buffer.extend_from_slice(&synced.0.to_le_bytes());
    buffer.extend_from_slice(body);
}

fn checksum(length: u32, synced: Position, body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length.to_le_bytes());
    hasher.update(&synced.0.to_le_bytes());
    hasher.update(body);
    hasher.finalize()
}

/// A frame that was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    pub(super) synced: Position,
    pub(super) body: &'a [u8],
    /// All of it, head included.
    pub(super) bytes: usize,
}

/// The frame at the beginning of `bytes`, if a whole one is there.
pub(super) fn read(bytes: &[u8]) -> Option<Frame<'_>> {
    let head = bytes.get(..HEAD_BYTES)?;
    let word = |at: usize| Some(u32::from_le_bytes(head.get(at..at + 4)?.try_into().ok()?));
    let (length, sum) = (word(4)?, word(8)?);
    let synced = Position(u64::from_le_bytes(head.get(12..)?.try_into().ok()?));
    let body_bytes = usize::try_from(length).ok().filter(|bytes| *bytes <= BODY_BYTES_MAX)?;
    let body = bytes.get(HEAD_BYTES..HEAD_BYTES + body_bytes)?;
    (head.starts_with(&MARK) && checksum(length, synced, body) == sum).then_some(Frame {
        synced,
        body,
        bytes: HEAD_BYTES + body_bytes,
    })
}

/// What lies behind the last whole frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Nothing was ever written there.
    Clean,
    /// The beginning of something that was never finished, and so never promised.
    Torn {
        /// Up to the last byte that is not zero.
        bytes: usize,
    },
}

/// Tells how a log ends whose rest is `rest`.
pub(super) fn end(rest: &[u8]) -> End {
    match rest.iter().rposition(|&byte| byte != 0) {
        None => End::Clean,
        Some(last) => End::Torn { bytes: last + 1 },
    }
}

/// The furthest that any frame within `rest`, wherever it begins, knew to be on the disk.
pub(super) fn synced_by_frames_within(rest: &[u8]) -> Position {
    let marks = rest.windows(MARK.len()).enumerate().filter(|(_, window)| *window == MARK);
    let frames = marks.filter_map(|(at, _)| read(&rest[at..]));
    frames.map(|frame| frame.synced).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(synced: u64, body: &[u8]) -> Vec<u8> {
        let mut buffer = Vec::new();
        put(&mut buffer, Position(synced), body);
        buffer
    }

    #[test]
    fn a_frame_reads_back_and_any_changed_byte_of_it_does_not() {
        let written = frame(7, b"hello");
        let read_back = read(&written).unwrap();
        assert_eq!((read_back.synced, read_back.body), (Position(7), &b"hello"[..]));
        assert_eq!(read_back.bytes, written.len());
        for at in 0..written.len() {
            let mut changed = written.clone();
            changed[at] ^= 1;
            assert_eq!(read(&changed), None, "byte {at}");
        }
        assert_eq!(read(&written[..written.len() - 1]), None);
    }

    #[test]
    fn a_file_says_its_version_and_where_it_begins() {
        let head = file_head(Position(900));
        assert_eq!(read_file_head(&head), Ok((Position(900), head.len())));
        assert_eq!(read_file_head(b"cohesix-journal 2\n........"), Err(JournalDamage::Version(2)));
        assert_eq!(read_file_head(b"something else\n"), Err(JournalDamage::NoHead));
        assert_eq!(read_file_head(&head[..head.len() - 1]), Err(JournalDamage::NoHead));
    }

    #[test]
    fn what_lies_behind_a_bad_frame_tells_what_had_been_synced() {
        let mut rest = frame(100, b"first");
        rest[5] ^= 1;
        rest.extend(frame(300, b"later"));
        rest.extend([0; 64]);
        assert_eq!(synced_by_frames_within(&rest), Position(300));
        assert_eq!(end(&[0; 9]), End::Clean);
        assert_eq!(end(&[1, 0, 2, 0]), End::Torn { bytes: 3 });
    }
}
