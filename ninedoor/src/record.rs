//! Records of an append-only file: lines put together from writes of any size, and the status lines a fid reads back.
//!
//! A record ends at a newline, or when its fid is clunked; never at a message boundary. Offsets of writes mean nothing here.
//! Where records are JSON objects, a newline inside of one does not end it: people write descriptors over several lines, and `cp` them.
//! Used by the control files of this crate and by providers that have control files of their own.

use alloc::vec::Vec;

use ninedoor_abi::{Errno, Refusal};

/// What one record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Framing {
    /// A line.
    #[default]
    Line,
    /// A JSON object, over as many lines as it likes, and the newline after it. What does not begin as an object is a line.
    Object,
}

/// The unfinished record of one fid.
#[derive(Debug, Clone, Default)]
pub struct RecordAssembly {
    framing: Framing,
    unfinished: Vec<u8>,
    nesting: Nesting,
}

impl RecordAssembly {
    /// An assembly of records of this kind.
    #[must_use]
    pub fn of(framing: Framing) -> Self {
        Self { framing, ..Self::default() }
    }

    /// Takes the bytes of one write and gives the records that are complete now, without their newlines; empty lines are none.
    ///
    /// # Errors
    /// EMSGSIZE when a record grows past `record_bytes_max`: it is thrown away, and so is the rest of the write.
    pub fn write(&mut self, data: &[u8], record_bytes_max: usize) -> Result<Vec<Vec<u8>>, Refusal> {
        let mut records = Vec::new();
        for piece in data.split_inclusive(|&byte| byte == b'\n') {
            let seen = self.unfinished.len() + piece.len() - usize::from(piece.ends_with(b"\n"));
            if seen > record_bytes_max {
                self.clear();
                return Err(Refusal::new(
                    Errno::EMSGSIZE,
                    alloc::format!(
                        "a record of {seen} bytes is larger than {record_bytes_max}; end records with a newline"
                    ),
                ));
            }
            if self.framing == Framing::Object {
                self.nesting.read(piece);
            }
            self.unfinished.extend_from_slice(piece);
            if piece.ends_with(b"\n") && !self.nesting.is_inside() {
                records.extend(self.finish());
            }
        }
        Ok(records)
    }

    /// The last record, when the fid is clunked without a newline after it.
    pub fn finish(&mut self) -> Option<Vec<u8>> {
        self.nesting = Nesting::default();
        let mut record = core::mem::take(&mut self.unfinished);
        while record.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
            record.pop();
        }
        (!record.is_empty()).then_some(record)
    }

    /// Bytes of the record that has not ended yet.
    #[must_use]
    pub const fn unfinished_bytes(&self) -> usize {
        self.unfinished.len()
    }

    /// Forgets what has no newline yet: what follows a refused line in one write is not carried out.
    pub fn clear(&mut self) {
        self.nesting = Nesting::default();
        self.unfinished = Vec::new();
    }
}

/// How deep in a JSON object the record is. Only braces and strings count: whether it is JSON at all is for its reader to say.
#[derive(Debug, Clone, Copy, Default)]
struct Nesting {
    open: usize,
    in_string: bool,
    escaped: bool,
}

impl Nesting {
    fn read(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_string => self.escaped = true,
                b'"' if self.open > 0 => self.in_string = !self.in_string,
                b'{' if !self.in_string => self.open += 1,
                b'}' if !self.in_string => self.open = self.open.saturating_sub(1),
                _ => {}
            }
        }
    }

    const fn is_inside(self) -> bool {
        self.open > 0
    }
}

/// The status lines of one fid's own writes, readable from wherever its reader stands.
///
/// A shell that writes and reads through one descriptor reads at the offset its write left behind, and a client that
/// reads with explicit offsets starts at 0: the first read after a write therefore sets where the status begins.
#[derive(Debug, Clone, Default)]
pub struct StatusLines {
    bytes: Vec<u8>,
    base: Option<u64>,
}

impl StatusLines {
    /// Adds the status line of one command. Lines that were read already go when the next write says something new.
    pub fn push(&mut self, line: &str, bytes_max: usize) {
        if self.base.take().is_some() {
            self.bytes.clear();
        }
        if self.bytes.len() + line.len() < bytes_max {
            self.bytes.extend_from_slice(line.as_bytes());
            self.bytes.push(b'\n');
        }
    }

    /// At most `count` bytes at the fid's `offset`; empty at the end.
    pub fn read(&mut self, offset: u64, count: usize) -> &[u8] {
        let base = self.base.filter(|base| *base <= offset).unwrap_or(offset);
        self.base = Some(base);
        let from = usize::try_from(offset - base).unwrap_or(usize::MAX).min(self.bytes.len());
        let to = from.saturating_add(count).min(self.bytes.len());
        &self.bytes[from..to]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    fn texts(records: Vec<Vec<u8>>) -> Vec<std::string::String> {
        records.into_iter().map(|record| std::string::String::from_utf8(record).unwrap()).collect()
    }

    #[test]
    fn a_record_ends_at_its_newline_and_not_at_the_write() {
        let mut assembly = RecordAssembly::default();
        assert!(assembly.write(b"REL", 64).unwrap().is_empty());
        assert_eq!(
            texts(assembly.write(b"EASE\nPRIORITY 3\r\n\nCAN", 64).unwrap()),
            ["RELEASE", "PRIORITY 3"]
        );
        assert_eq!(assembly.finish(), Some(b"CAN".to_vec()));
        assert_eq!(assembly.finish(), None);
    }

    /// Proves NS-36.
    #[test]
    fn an_object_ends_at_the_newline_after_its_last_brace() {
        let text = b"{\n \"a\": \"}\\\"{\",\n \"b\": {}\n}\n{\"c\":1}\nnot json\n{\n";
        let wanted = ["{\n \"a\": \"}\\\"{\",\n \"b\": {}\n}", "{\"c\":1}", "not json"];
        for chunk_bytes in [1, 2, 7, text.len()] {
            let mut assembly = RecordAssembly::of(Framing::Object);
            let records =
                text.chunks(chunk_bytes).flat_map(|chunk| assembly.write(chunk, 64).unwrap());
            assert_eq!(texts(records.collect()), wanted);
            assert_eq!(assembly.finish(), Some(b"{".to_vec()));
        }
    }

    /// Proves NS-36.
    #[test]
    fn an_object_that_never_ends_meets_the_bound_and_the_next_record_is_itself_again() {
        let mut assembly = RecordAssembly::of(Framing::Object);
        assert!(assembly.write(b"{\n\n\n\n", 8).unwrap().is_empty());
        assert_eq!(assembly.write(b"\n\n\n\n\n", 8).unwrap_err().errno, Errno::EMSGSIZE);
        assert_eq!(texts(assembly.write(b"{}\n", 8).unwrap()), ["{}"]);
    }

    #[test]
    fn a_record_past_its_bound_is_refused_and_forgotten() {
        let mut assembly = RecordAssembly::default();
        assert!(assembly.write(&[b'x'; 8], 8).unwrap().is_empty());
        let refusal = assembly.write(b"yz", 8).unwrap_err();
        assert_eq!(refusal.errno, Errno::EMSGSIZE);
        assert_eq!(
            refusal.to_string(),
            "a record of 10 bytes is larger than 8; end records with a newline"
        );
        assert_eq!(assembly.finish(), None);
        assert_eq!(texts(assembly.write(b"12345678\n", 8).unwrap()), ["12345678"]);
    }

    #[test]
    fn status_starts_where_the_first_read_after_a_write_stands() {
        let mut status = StatusLines::default();
        status.push("OK LEASE id=lease-7", 100);
        assert_eq!(status.read(6, 2), b"OK");
        assert_eq!(status.read(8, 100), b" LEASE id=lease-7\n");
        assert_eq!(status.read(26, 100), b"");
        assert_eq!(status.read(0, 100), b"OK LEASE id=lease-7\n");
    }

    #[test]
    fn status_that_was_read_makes_room_for_the_next_write() {
        let mut status = StatusLines::default();
        status.push("OK A", 100);
        status.push("OK B", 100);
        assert_eq!(status.read(0, 100), b"OK A\nOK B\n");
        status.push("OK C", 100);
        assert_eq!(status.read(0, 100), b"OK C\n");
    }
}
