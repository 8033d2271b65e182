//! One entry of a directory, as Rreaddir carries it.

use alloc::{string::String, vec::Vec};

use crate::{
    ids::{Qid, QidKind},
    name::Name,
    wire::{CutShort, Reader, Wire, Writer},
};

/// One entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DirectoryEntry {
    /// The file's qid.
    pub qid: Qid,
    /// The cookie to go on from after this entry. Never 0, which means the beginning.
    pub offset: u64,
    /// The file's type as in readdir(3).
    pub kind: u8,
    /// Its name.
    pub name: String,
}

impl DirectoryEntry {
    /// DT_DIR.
    pub const KIND_DIRECTORY: u8 = 4;
    /// DT_REG.
    pub const KIND_FILE: u8 = 8;
    /// DT_LNK.
    pub const KIND_SYMLINK: u8 = 10;

    /// An entry whose type is what its qid says.
    #[must_use]
    pub fn new(qid: Qid, offset: u64, name: &Name) -> Self {
        let kind = if qid.kind.contains(QidKind::DIRECTORY) {
            Self::KIND_DIRECTORY
        } else if qid.kind.contains(QidKind::SYMLINK) {
            Self::KIND_SYMLINK
        } else {
            Self::KIND_FILE
        };
        Self { qid, offset, kind, name: name.as_str().into() }
    }

    /// Its length on the wire of 9P2000.L.
    #[must_use]
    pub fn wire_bytes(&self) -> usize {
        Qid::WIRE_BYTES + 8 + 1 + 2 + self.name.len()
    }
}

impl Wire for DirectoryEntry {
    fn put(&self, out: &mut Writer<'_>) {
        out.field(&self.qid);
        out.field(&self.offset);
        out.field(&self.kind);
        out.text(&self.name);
    }
    fn take(from: &mut Reader<'_>) -> Result<Self, CutShort> {
        Ok(Self {
            qid: from.field()?,
            offset: from.field()?,
            kind: from.field()?,
            name: from.field()?,
        })
    }
}

/// `count[4]` bytes of whole entries.
impl Wire for Vec<DirectoryEntry> {
    fn put(&self, out: &mut Writer<'_>) {
        out.sized32(|out| self.iter().for_each(|entry| out.field(entry)));
    }
    fn take(from: &mut Reader<'_>) -> Result<Self, CutShort> {
        let count = from.field::<u32>()? as usize;
        let mut packed = from.sub(count)?;
        let mut entries = Self::new();
        while !packed.is_empty() {
            entries.push(packed.field()?);
        }
        if let Some(errno) = packed.refusal() {
            from.refuse(errno);
        }
        Ok(entries)
    }
}
