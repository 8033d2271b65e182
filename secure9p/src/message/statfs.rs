//! What is known about a whole file system (Rstatfs).

use crate::wire::{CutShort, Reader, Wire, Writer};

/// The fields of Rstatfs, which are those of statfs(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct FileSystemStatistics {
    /// Magic number of the file system.
    pub kind: u32,
    /// Preferred unit of I/O.
    pub bsize: u32,
    /// Blocks in all.
    pub blocks: u64,
    /// Blocks free.
    pub bfree: u64,
    /// Blocks free for everybody.
    pub bavail: u64,
    /// File nodes in all.
    pub files: u64,
    /// File nodes free.
    pub ffree: u64,
    /// Id of the file system.
    pub fsid: u64,
    /// Longest name.
    pub namelen: u32,
}

impl FileSystemStatistics {
    /// The number by which Linux knows a 9P file system.
    pub const KIND_9P: u32 = 0x0102_1997;
}

impl Wire for FileSystemStatistics {
    fn put(&self, out: &mut Writer<'_>) {
        out.field(&self.kind);
        out.field(&self.bsize);
        let counts = [self.blocks, self.bfree, self.bavail, self.files, self.ffree, self.fsid];
        counts.iter().for_each(|count| out.field(count));
        out.field(&self.namelen);
    }
    fn take(from: &mut Reader<'_>) -> Result<Self, CutShort> {
        Ok(Self {
            kind: from.field()?,
            bsize: from.field()?,
            blocks: from.field()?,
            bfree: from.field()?,
            bavail: from.field()?,
            files: from.field()?,
            ffree: from.field()?,
            fsid: from.field()?,
            namelen: from.field()?,
        })
    }
}
