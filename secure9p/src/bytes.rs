//! Bulk data on its way: owned or shared, so that it is copied once, into the transmit buffer.

use alloc::{sync::Arc, vec::Vec};
use core::ops::Range;

use crate::wire::{CutShort, Reader, Wire, Writer};

/// Bytes on their way to a peer, owned or shared. Equal when they say the same.
#[derive(Debug, Clone)]
pub enum Bytes {
    /// Bytes made for this reply.
    Owned(Vec<u8>),
    /// A part of something that lives longer; the range is cut to what is there.
    Shared(Arc<[u8]>, Range<usize>),
}

impl Bytes {
    /// The bytes themselves.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        match self {
            Self::Owned(bytes) => bytes,
            Self::Shared(bytes, range) => {
                let end = range.end.min(bytes.len());
                bytes.get(range.start..end).unwrap_or_default()
            }
        }
    }

    /// The bytes as a vector; without a copy where they are owned.
    #[must_use]
    pub fn into_vec(self) -> Vec<u8> {
        match self {
            Self::Owned(bytes) => bytes,
            Self::Shared(..) => self.as_slice().to_vec(),
        }
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Owned(bytes)
    }
}

impl PartialEq for Bytes {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for Bytes {}

/// `count[4]` data.
impl Wire for Bytes {
    fn put(&self, out: &mut Writer<'_>) {
        let bytes = self.as_slice();
        out.count32(bytes.len());
        out.bytes(bytes);
    }
    fn take(from: &mut Reader<'_>) -> Result<Self, CutShort> {
        Ok(Self::Owned(from.data()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_beyond_the_shared_bytes_is_cut_not_a_panic() {
        let shared: Arc<[u8]> = Arc::from(*b"hello");
        assert_eq!(Bytes::Shared(shared.clone(), 3..9).as_slice(), b"lo");
        assert_eq!(Bytes::Shared(shared.clone(), 7..9).as_slice(), b"");
        assert_eq!(Bytes::Shared(shared, 1..3), Bytes::Owned(b"el".to_vec()));
    }
}
