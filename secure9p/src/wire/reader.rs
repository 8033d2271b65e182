//! Taking fields off the front of a message body. Never trusts a length, never panics.
//!
//! Two things can be wrong with bytes: a frame that is not sound (its end comes inside a field) is the peer's breach of the
//! protocol; a sound frame with a value nobody can use (text that is not UTF-8) is noted and refused later, politely.

use alloc::vec::Vec;

use super::Wire;
use crate::{dialect::Dialect, errno::Errno};

/// The body ended inside a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CutShort;

/// What is left of a message body.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    /// The data of Rread or Twrite when it was gathered apart from the rest, so as not to be copied again.
    payload: Option<Vec<u8>>,
    dialect: Dialect,
    refusal: Option<Errno>,
}

impl<'a> Reader<'a> {
    #[inline]
    pub(crate) fn new(body: &'a [u8], payload: Option<Vec<u8>>, dialect: Dialect) -> Self {
        Self { rest: body, payload, dialect, refusal: None }
    }

    #[inline]
    pub(crate) fn dialect(&self) -> Dialect {
        self.dialect
    }

    #[inline]
    pub(crate) fn bytes(&mut self, count: usize) -> Result<&'a [u8], CutShort> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(CutShort)?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], CutShort> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(CutShort)?;
        self.rest = rest;
        Ok(*taken)
    }

    #[inline]
    pub(crate) fn field<T: Wire>(&mut self) -> Result<T, CutShort> {
        T::take(self)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Bytes after the last field.
    #[inline]
    pub(crate) fn left_bytes(&self) -> usize {
        self.rest.len() + self.payload.as_ref().map_or(0, Vec::len)
    }

    /// The rest, as a reader of its own, for a field that knows its own length.
    pub(crate) fn sub(&mut self, count: usize) -> Result<Self, CutShort> {
        Ok(Self::new(self.bytes(count)?, None, self.dialect))
    }

    /// Data counted by `count[4]`: without a copy where the frame was gathered apart.
    pub(crate) fn data(&mut self) -> Result<Vec<u8>, CutShort> {
        let count = self.field::<u32>()? as usize;
        match self.payload.take() {
            Some(mut payload) if self.rest.is_empty() && payload.len() >= count => {
                self.payload = Some(payload.split_off(count)); // a surplus is reported as trailing bytes
                Ok(payload)
            }
            Some(_) => Err(CutShort),
            None => Ok(self.bytes(count)?.to_vec()),
        }
    }

    /// Notes that the message is sound but cannot be granted. The first reason stands.
    pub(crate) fn refuse(&mut self, errno: Errno) {
        self.refusal.get_or_insert(errno);
    }

    pub(crate) fn refusal(&self) -> Option<Errno> {
        self.refusal
    }
}
