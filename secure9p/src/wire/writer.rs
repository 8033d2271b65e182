//! Appending fields to a frame in the making.
//!
//! A value that does not fit its count (a string beyond 65535 bytes) is noted, and the frame taken back by whoever started it.

use alloc::vec::Vec;

use super::Wire;
use crate::dialect::Dialect;

/// The end of a buffer that fields are appended to.
#[derive(Debug)]
pub(crate) struct Writer<'a> {
    out: &'a mut Vec<u8>,
    dialect: Dialect,
    fits: bool,
}

impl<'a> Writer<'a> {
    #[inline]
    pub(crate) fn new(out: &'a mut Vec<u8>, dialect: Dialect) -> Self {
        Self { out, dialect, fits: true }
    }

    #[inline]
    pub(crate) fn dialect(&self) -> Dialect {
        self.dialect
    }

    #[inline]
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    #[inline]
    pub(crate) fn field<T: Wire>(&mut self, field: &T) {
        field.put(self);
    }

    /// `count[2]`, then whatever is counted.
    pub(crate) fn count16(&mut self, count: usize) {
        let counted = u16::try_from(count);
        self.fits &= counted.is_ok();
        self.field(&counted.unwrap_or(u16::MAX));
    }

    /// `count[4]`, then whatever is counted.
    pub(crate) fn count32(&mut self, count: usize) {
        let counted = u32::try_from(count);
        self.fits &= counted.is_ok();
        self.field(&counted.unwrap_or(u32::MAX));
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.count16(text.len());
        self.bytes(text.as_bytes());
    }

    /// `size[2]` in front of what `fill` appends.
    pub(crate) fn sized16(&mut self, fill: impl FnOnce(&mut Self)) {
        let at = self.out.len();
        self.bytes(&[0; 2]);
        fill(self);
        let size = u16::try_from(self.out.len() - at - 2);
        self.fits &= size.is_ok();
        self.patch(at, &size.unwrap_or(u16::MAX).to_le_bytes());
    }

    /// `size[4]` in front of what `fill` appends, not counting itself.
    pub(crate) fn sized32(&mut self, fill: impl FnOnce(&mut Self)) {
        let at = self.out.len();
        self.bytes(&[0; 4]);
        fill(self);
        let size = u32::try_from(self.out.len() - at - 4);
        self.fits &= size.is_ok();
        self.patch(at, &size.unwrap_or(u32::MAX).to_le_bytes());
    }

    /// Whether every count fitted so far.
    pub(crate) fn fits(&self) -> bool {
        self.fits
    }

    fn patch(&mut self, at: usize, bytes: &[u8]) {
        if let Some(place) = self.out.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }
}
