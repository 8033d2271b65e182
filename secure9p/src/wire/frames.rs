//! Cutting a byte stream into frames, however it arrives.
//!
//! A frame that lies whole in the input is read where it lies. One that does not is gathered; the data of Rread and Twrite is gathered
//! apart from the rest, so that the vector it is gathered in is the one that is handed on.
//!
//! Knows `size[4]`, `type[1]` and `tag[2]`, and where bulk data begins. Nothing else.

use alloc::vec::Vec;
use core::mem;

use crate::{
    ids::Tag,
    limits::{
        BUFFER_IDLE_BYTES_MAX, FRAME_EAGER_BYTES_MAX, HEADER_BYTES, QUIET_ROUNDS_MAX,
        READ_OVERHEAD_BYTES, WRITE_OVERHEAD_BYTES,
    },
    violation::Violation,
};

const RREAD: u8 = 117;
const TWRITE: u8 = 118;
/// Data up to this length is not worth keeping a vector for.
const SPARE_BYTES_MIN: usize = 16 << 10;

/// One frame, cut out but not yet understood.
#[derive(Debug)]
pub(crate) struct Frame<'a> {
    pub(crate) kind: u8,
    pub(crate) tag: Tag,
    /// Everything behind the header, up to the payload if that was gathered apart.
    pub(crate) body: &'a [u8],
    pub(crate) payload: Option<Vec<u8>>,
}

impl<'a> Frame<'a> {
    /// A frame that lies whole in `bytes`, and nothing behind it.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, Violation> {
        let size = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        match bytes.split_first_chunk() {
            Some((head, _)) if u32::from_le_bytes(*head) != size => {
                Err(Violation::FrameTooLong { size: u32::from_le_bytes(*head), msize: size })
            }
            _ => Self::cut(bytes, None).ok_or(Violation::FrameTooShort { size }),
        }
    }

    fn cut(bytes: &'a [u8], payload: Option<Vec<u8>>) -> Option<Self> {
        let (header, body) = bytes.split_first_chunk::<HEADER_BYTES>()?;
        let [_, _, _, _, kind, tag @ ..] = *header;
        Some(Self { kind, tag: Tag(u16::from_le_bytes(tag)), body, payload })
    }

    /// Bytes of the frame on the wire.
    pub(crate) fn size(&self) -> usize {
        HEADER_BYTES + self.body.len() + self.payload.as_ref().map_or(0, Vec::len)
    }
}

/// The frame that is being gathered.
///
/// ```text
///  nothing ──first bytes──▶ header ──7 bytes──▶ head ──up to the data──▶ payload ──▶ a whole frame ──▶ nothing
/// ```
#[derive(Debug, Default)]
pub(crate) struct Frames {
    head: Vec<u8>,
    payload: Vec<u8>,
    /// The last frame handed out lay in `head`.
    spent: bool,
    spare: Spare,
}

/// A vector that somebody is done with, for the next large payload: a fresh megabyte costs more than the copy into it.
#[derive(Debug, Default)]
struct Spare {
    bytes: Vec<u8>,
    /// Frames since that had no use for it.
    quiet_rounds: u8,
}

impl Spare {
    fn put(&mut self, mut bytes: Vec<u8>) {
        bytes.clear();
        if bytes.capacity() > self.bytes.capacity() {
            *self = Self { bytes, quiet_rounds: 0 };
        }
    }

    /// The vector, where it is large enough.
    fn take(&mut self, bytes_wanted: usize) -> Vec<u8> {
        if self.bytes.capacity() >= bytes_wanted { mem::take(&mut self.bytes) } else { Vec::new() }
    }

    fn unused(&mut self) {
        self.quiet_rounds = self.quiet_rounds.saturating_add(1);
        if self.quiet_rounds >= QUIET_ROUNDS_MAX {
            *self = Self::default();
        }
    }
}

impl Frames {
    /// The next whole frame of the stream, of which `input` is the continuation. What is taken is cut off `input`;
    /// `None` means that all of it is taken and more must come.
    pub(crate) fn next<'a, 'i: 'a>(
        &'a mut self,
        input: &mut &'i [u8],
        msize: u32,
    ) -> Result<Option<Frame<'a>>, Violation> {
        self.forget_spent();
        if self.head.is_empty()
            && let Some(size) = frame_size(input, msize)?
            && let Some((bytes, rest)) = input.split_at_checked(size)
        {
            *input = rest;
            return Ok(self.cut_whole(bytes));
        }
        self.gather(input, msize)
    }

    /// A frame that lies whole in the input. Bulk data goes into the spare vector, if there is one.
    fn cut_whole<'a>(&mut self, bytes: &'a [u8]) -> Option<Frame<'a>> {
        let offset = bytes.get(4).and_then(|kind| data_offset(*kind));
        match offset.and_then(|offset| bytes.split_at_checked(offset)) {
            Some((head, data)) if data.len() > SPARE_BYTES_MIN => {
                let mut payload = self.spare.take(data.len());
                payload.extend_from_slice(data);
                Frame::cut(head, Some(payload))
            }
            _ => {
                self.spare.unused();
                Frame::cut(bytes, None)
            }
        }
    }

    fn gather(&mut self, input: &mut &[u8], msize: u32) -> Result<Option<Frame<'_>>, Violation> {
        if self.head.len() < HEADER_BYTES {
            fill(&mut self.head, HEADER_BYTES, input);
        }
        let Some(size) = frame_size(&self.head, msize)? else { return Ok(None) };
        let Some(&kind) = self.head.get(4) else { return Ok(None) };
        let head_bytes = data_offset(kind).map_or(size, |offset| offset.min(size));
        fill(&mut self.head, head_bytes, input);
        if self.head.len() < head_bytes {
            return Ok(None);
        }
        if self.payload.is_empty() && size - head_bytes > SPARE_BYTES_MIN {
            self.payload = self.spare.take(size - head_bytes);
        }
        fill(&mut self.payload, size - head_bytes, input);
        if self.payload.len() < size - head_bytes {
            return Ok(None);
        }
        self.spent = true;
        let payload = (head_bytes < size).then(|| mem::take(&mut self.payload));
        Ok(Frame::cut(&self.head, payload))
    }

    /// Takes a vector that nobody needs any more.
    pub(crate) fn recycle(&mut self, bytes: Vec<u8>) {
        self.spare.put(bytes);
    }

    /// Gives back what is not needed just now.
    pub(crate) fn shrink(&mut self) {
        self.forget_spent();
        self.spare = Spare::default();
    }

    /// What is held of a frame that is not whole yet, and for those to come.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.head.capacity() + self.payload.capacity() + self.spare.bytes.capacity()
    }

    fn forget_spent(&mut self) {
        if mem::take(&mut self.spent) {
            self.head.clear();
            self.head.shrink_to(BUFFER_IDLE_BYTES_MAX);
        }
    }
}

/// `size[4]`, if it is there, checked.
fn frame_size(bytes: &[u8], msize: u32) -> Result<Option<usize>, Violation> {
    let Some((size, _)) = bytes.split_first_chunk() else { return Ok(None) };
    let size = u32::from_le_bytes(*size);
    if (size as usize) < HEADER_BYTES {
        return Err(Violation::FrameTooShort { size });
    }
    if size > msize {
        return Err(Violation::FrameTooLong { size, msize });
    }
    Ok(Some(size as usize))
}

/// Where the bulk data of a frame begins, for the types that carry any.
fn data_offset(kind: u8) -> Option<usize> {
    match kind {
        RREAD => Some(READ_OVERHEAD_BYTES as usize),
        TWRITE => Some(WRITE_OVERHEAD_BYTES as usize),
        _ => None,
    }
}

/// Moves bytes from `input` until `into` has `bytes_wanted`. Memory follows what has come, not what was announced.
fn fill(into: &mut Vec<u8>, bytes_wanted: usize, input: &mut &[u8]) {
    let missing = bytes_wanted.saturating_sub(into.len());
    let (taken, rest) = input.split_at(missing.min(input.len()));
    let needed = into.len() + taken.len();
    if needed > into.capacity() {
        let eager = if needed < FRAME_EAGER_BYTES_MAX { FRAME_EAGER_BYTES_MAX } else { usize::MAX };
        into.reserve_exact(bytes_wanted.min(eager) - into.len());
    }
    into.extend_from_slice(taken);
    *input = rest;
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    const TCLUNK: [u8; 11] = [11, 0, 0, 0, 120, 1, 0, 9, 0, 0, 0];

    fn twrite(data: &[u8]) -> Vec<u8> {
        let size = u32::try_from(23 + data.len()).unwrap();
        let mut frame = size.to_le_bytes().to_vec();
        frame.extend([118, 2, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        frame.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
        frame.extend(data);
        frame
    }

    #[test]
    fn two_frames_in_one_chunk_are_read_where_they_lie() {
        let stream = [TCLUNK, TCLUNK].concat();
        let (mut frames, mut input) = (Frames::default(), &stream[..]);
        for _ in 0..2 {
            let frame = frames.next(&mut input, 8192).unwrap().unwrap();
            assert_eq!((frame.kind, frame.tag, frame.body), (120, Tag(1), &[9, 0, 0, 0][..]));
        }
        assert!(frames.next(&mut input, 8192).unwrap().is_none());
        assert_eq!(frames.memory_bytes(), 0);
    }

    #[test]
    fn the_data_of_a_torn_write_is_gathered_apart() {
        let stream = twrite(b"hello");
        let mut frames = Frames::default();
        let mut whole = 0;
        for byte in &stream {
            let mut input = core::slice::from_ref(byte);
            if let Some(frame) = frames.next(&mut input, 8192).unwrap() {
                assert_eq!(frame.body.len(), 16);
                assert_eq!(frame.payload.as_deref(), Some(&b"hello"[..]));
                assert_eq!(frame.size(), stream.len());
                whole += 1;
            }
        }
        assert_eq!(whole, 1);
    }

    #[test]
    fn a_recycled_vector_carries_the_next_payload_and_is_not_kept_for_ever() {
        let stream = twrite(&[7; 100_000]);
        let mut frames = Frames::default();
        let payload_of = |frames: &mut Frames| {
            let frame = frames.next(&mut &stream[..], 1 << 20).unwrap().unwrap();
            frame.payload.unwrap()
        };
        let first = payload_of(&mut frames);
        let place = first.as_ptr();
        frames.recycle(first);
        let second = payload_of(&mut frames);
        assert_eq!((second.as_ptr(), &second[..]), (place, &[7; 100_000][..]));
        frames.recycle(second);
        for _ in 0..QUIET_ROUNDS_MAX {
            frames.next(&mut &TCLUNK[..], 8192).unwrap().unwrap();
        }
        assert_eq!(frames.memory_bytes(), 0);
    }

    #[test]
    fn a_header_alone_gets_no_more_than_the_eager_share() {
        let stream = twrite(&[7; 500_000]);
        let (mut frames, mut input) = (Frames::default(), &stream[..30]);
        assert!(frames.next(&mut input, 1 << 20).unwrap().is_none());
        assert!(frames.memory_bytes() <= FRAME_EAGER_BYTES_MAX + 64);
    }

    #[test]
    fn sizes_below_the_header_and_above_msize_are_refused_at_once() {
        let refusal = |size: u32| {
            let bytes = size.to_le_bytes();
            Frames::default().next(&mut &bytes[..], 8192).unwrap_err().to_string()
        };
        assert_eq!(refusal(6), "frame says it has 6 bytes, want at least 7");
        assert_eq!(refusal(8193), "frame says it has 8193 bytes, want at most msize 8192");
    }
}
