//! Fields as bytes: little endian integers, counted strings, qids, and frames of them.
//!
//! Knows how a field is laid out; which fields make a message is the table in `message`.

mod field;
pub(crate) mod frames;
mod reader;
mod writer;

pub(crate) use reader::{CutShort, Reader};
pub(crate) use writer::Writer;

/// A type that is a field of a message.
pub(crate) trait Wire: Sized {
    /// Appends the field.
    fn put(&self, out: &mut Writer<'_>);
    /// Takes the field off the front.
    fn take(from: &mut Reader<'_>) -> Result<Self, CutShort>;
}
