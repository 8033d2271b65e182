//! What an open fid reads and writes.

use std::{fs::File, os::unix::fs::FileExt};

use ninedoor_abi::{Errno, Refusal, job::Sha256};
use secure9p::Bytes;

use super::{orders::Orders, refuse, stats::StatsReader};
use crate::store::Upload;

/// Bytes of one read of a file on disk: a client with a large msize gets them in pieces.
const FILE_READ_BYTES_MAX: usize = 1 << 20;

/// One open file.
#[derive(Debug)]
pub(super) enum OpenFile {
    /// A directory: entries are read, not bytes.
    Directory,
    /// A text as it was when the file was opened.
    Text(Vec<u8>),
    /// Records go in, status lines come out.
    Orders(Box<Orders>),
    /// The records of a GPU's jobs, as they appear.
    Stats(StatsReader),
    /// An output: bytes on disk that do not change any more.
    Output(File),
    /// An artefact, held as long as it is open.
    Artefact { file: File, digest: Sha256 },
    /// An artefact on its way in.
    Upload(Box<Upload>),
}

impl OpenFile {
    /// At most `count` bytes from `offset`; none at the end.
    pub(super) fn read(&mut self, offset: u64, count: usize) -> Result<Bytes, Refusal> {
        match self {
            Self::Text(text) => Ok(Bytes::Owned(part(text, offset, count).to_vec())),
            Self::Orders(orders) => Ok(Bytes::Owned(orders.read(offset, count))),
            Self::Output(file) | Self::Artefact { file, .. } => read_stored(file, offset, count),
            Self::Directory => Err(refuse(Errno::EISDIR, "a directory is listed, not read")),
            Self::Upload(_) | Self::Stats(_) => Err(refuse(Errno::EBADF, "not open for reading")),
        }
    }
}

/// What of `text` lies at `offset`.
pub(super) fn part(text: &[u8], offset: u64, count: usize) -> &[u8] {
    let from = usize::try_from(offset).unwrap_or(usize::MAX).min(text.len());
    &text[from..from.saturating_add(count).min(text.len())]
}

fn read_stored(file: &File, offset: u64, count: usize) -> Result<Bytes, Refusal> {
    let mut bytes = vec![0; count.min(FILE_READ_BYTES_MAX)];
    let read = file
        .read_at(&mut bytes, offset)
        .map_err(|error| refuse(Errno::EIO, format!("read: {error}")))?;
    bytes.truncate(read);
    Ok(Bytes::Owned(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_from_any_offset_and_ends() {
        assert_eq!(part(b"hello", 1, 3), b"ell");
        assert_eq!(part(b"hello", 4, 9), b"o");
        assert_eq!(part(b"hello", 5, 9), b"");
        assert_eq!(part(b"hello", u64::MAX, usize::MAX), b"");
    }
}
