//! The numbers of 9P: tags, fids, qids. Each is its own type, so that none can stand where another belongs.
//!
//! Knows nothing of who handed a number out.

use core::fmt;

/// Names one request in flight; the peer chooses it (intro(5)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub u16);

impl Tag {
    /// The tag of Tversion and of nothing else.
    pub const NOTAG: Self = Self(u16::MAX);
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::NOTAG { f.write_str("NOTAG") } else { self.0.fmt(f) }
    }
}

/// Names one file for one client; the client chooses it (intro(5)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fid(pub u32);

impl Fid {
    /// "No fid": the afid of an attach without authentication.
    pub const NOFID: Self = Self(u32::MAX);
}

impl fmt::Display for Fid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::NOFID { f.write_str("NOFID") } else { self.0.fmt(f) }
    }
}

/// The numeric user of an attach. 9P2000 has none on the wire; there it is [`NumericUname::NONE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NumericUname(pub u32);

impl NumericUname {
    /// "No number given": `uname` decides.
    pub const NONE: Self = Self(u32::MAX);
}

bitflags::bitflags! {
    /// What a file is, as its qid says it. A plain file has no bit set.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
    pub struct QidKind: u8 {
        /// A directory.
        const DIRECTORY = 0x80;
        /// Writes go to the end, whatever their offset.
        const APPEND = 0x40;
        /// One open fid at a time.
        const EXCLUSIVE = 0x20;
        /// A mount point.
        const MOUNT = 0x10;
        /// An authentication file.
        const AUTH = 0x08;
        /// Not backed up.
        const TEMPORARY = 0x04;
        /// A symbolic link.
        const SYMLINK = 0x02;
        /// A hard link.
        const LINK = 0x01;
    }
}

impl QidKind {
    /// A plain file.
    pub const FILE: Self = Self::empty();
}

/// The server's own name of a file (intro(5)): the same `path`, the same file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Qid {
    /// What the file is.
    pub kind: QidKind,
    /// Changes when the file does; 0 for a file that is made up as it is read.
    pub version: u32,
    /// Unique among the files of one server.
    pub path: u64,
}

impl Qid {
    /// Length of a qid on the wire.
    pub const WIRE_BYTES: usize = 13;

    /// A directory with version 0.
    #[must_use]
    pub const fn directory(path: u64) -> Self {
        Self { kind: QidKind::DIRECTORY, version: 0, path }
    }

    /// A plain file with version 0.
    #[must_use]
    pub const fn file(path: u64) -> Self {
        Self { kind: QidKind::FILE, version: 0, path }
    }

    /// Whether it names a directory.
    #[must_use]
    pub const fn is_directory(self) -> bool {
        self.kind.contains(QidKind::DIRECTORY)
    }
}
