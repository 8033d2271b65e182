//! What is known about a file (Rgetattr), and what shall be changed (Tsetattr).

use crate::{
    ids::Qid,
    wire::{CutShort, Reader, Wire, Writer},
};

bitflags::bitflags! {
    /// Which fields of [`Attributes`] are asked for, or hold.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct AttributeMask: u64 {
        /// `mode`.
        const MODE = 0x1;
        /// `nlink`.
        const NLINK = 0x2;
        /// `uid`.
        const UID = 0x4;
        /// `gid`.
        const GID = 0x8;
        /// `rdev`.
        const RDEV = 0x10;
        /// `atime`.
        const ATIME = 0x20;
        /// `mtime`.
        const MTIME = 0x40;
        /// `ctime`.
        const CTIME = 0x80;
        /// `qid.path`.
        const INO = 0x100;
        /// `size`.
        const SIZE = 0x200;
        /// `blocks`.
        const BLOCKS = 0x400;
        /// `btime`.
        const BTIME = 0x800;
        /// `gen`.
        const GEN = 0x1000;
        /// `data_version`.
        const DATA_VERSION = 0x2000;
        /// Everything stat(2) knows.
        const BASIC = 0x7ff;
        /// Whatever else a kernel asks for.
        const _ = !0;
    }
}

/// A moment since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time {
    /// Seconds.
    pub s: u64,
    /// And nanoseconds.
    pub ns: u64,
}

/// What is known about a file. The fields are those of Rgetattr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Attributes {
    /// Which of the fields hold.
    pub valid: AttributeMask,
    /// The file's qid.
    pub qid: Qid,
    /// Type and permissions as in stat(2), for instance `0o100_644`.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Links.
    pub nlink: u64,
    /// Device number of a device node.
    pub rdev: u64,
    /// Length in bytes. Never more than a reader would get: newer kernels loop for good.
    pub size: u64,
    /// Preferred unit of I/O.
    pub blksize: u64,
    /// Units of 512 bytes on disk.
    pub blocks: u64,
    /// Last read.
    pub atime: Time,
    /// Last change of the content.
    pub mtime: Time,
    /// Last change of the attributes.
    pub ctime: Time,
    /// Birth.
    pub btime: Time,
    /// Generation of the inode.
    pub generation: u64,
    /// Version of the data.
    pub data_version: u64,
}

impl Attributes {
    /// Type bits of a directory in `mode`.
    pub const MODE_DIRECTORY: u32 = 0o040_000;
    /// Type bits of a plain file in `mode`.
    pub const MODE_FILE: u32 = 0o100_000;

    /// A file made up as it is read: everything stat(2) asks for, most of it nothing. `mode` with its type bits.
    #[must_use]
    pub fn synthetic(qid: Qid, mode: u32) -> Self {
        Self {
            valid: AttributeMask::BASIC,
            qid,
            mode,
            uid: 0,
            gid: 0,
            nlink: 1,
            rdev: 0,
            size: 0,
            blksize: 4096,
            blocks: 0,
            atime: Time::default(),
            mtime: Time::default(),
            ctime: Time::default(),
            btime: Time::default(),
            generation: 0,
            data_version: 0,
        }
    }
}

impl Wire for AttributeMask {
    fn put(&self, out: &mut Writer<'_>) {
        self.bits().put(out);
    }
    fn take(from: &mut Reader<'_>) -> Result<Self, CutShort> {
        Ok(Self::from_bits_retain(from.field()?))
    }
}

impl Wire for Time {
    fn put(&self, out: &mut Writer<'_>) {
        self.s.put(out);
        self.ns.put(out);
    }
    fn take(from: &mut Reader<'_>) -> Result<Self, CutShort> {
        Ok(Self { s: from.field()?, ns: from.field()? })
    }
}

impl Wire for Attributes {
    fn put(&self, out: &mut Writer<'_>) {
        out.field(&self.valid);
        out.field(&self.qid);
        [self.mode, self.uid, self.gid].iter().for_each(|field| out.field(field));
        let sizes = [self.nlink, self.rdev, self.size, self.blksize, self.blocks];
        sizes.iter().for_each(|field| out.field(field));
        [self.atime, self.mtime, self.ctime, self.btime].iter().for_each(|field| out.field(field));
        out.field(&self.generation);
        out.field(&self.data_version);
    }
    fn take(from: &mut Reader<'_>) -> Result<Self, CutShort> {
        Ok(Self {
            valid: from.field()?,
            qid: from.field()?,
            mode: from.field()?,
            uid: from.field()?,
            gid: from.field()?,
            nlink: from.field()?,
            rdev: from.field()?,
            size: from.field()?,
            blksize: from.field()?,
            blocks: from.field()?,
            atime: from.field()?,
            mtime: from.field()?,
            ctime: from.field()?,
            btime: from.field()?,
            generation: from.field()?,
            data_version: from.field()?,
        })
    }
}

/// A time to be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SetTime {
    /// To the server's present.
    Now,
    /// To this moment.
    To(Time),
}

/// What shall be changed about a file; what is `None` stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct SetAttributes {
    /// Permissions, as chmod(2).
    pub mode: Option<u32>,
    /// Owner.
    pub uid: Option<u32>,
    /// Group.
    pub gid: Option<u32>,
    /// Length, as truncate(2).
    pub size: Option<u64>,
    /// Last read.
    pub atime: Option<SetTime>,
    /// Last change of the content.
    pub mtime: Option<SetTime>,
    /// Whether the time of the last change of attributes is to be touched.
    pub ctime: bool,
}

/// Bits of Tsetattr's `valid[4]`.
pub(crate) mod set {
    pub(crate) const MODE: u32 = 0x1;
    pub(crate) const UID: u32 = 0x2;
    pub(crate) const GID: u32 = 0x4;
    pub(crate) const SIZE: u32 = 0x8;
    pub(crate) const ATIME: u32 = 0x10;
    pub(crate) const MTIME: u32 = 0x20;
    pub(crate) const CTIME: u32 = 0x40;
    pub(crate) const ATIME_SET: u32 = 0x80;
    pub(crate) const MTIME_SET: u32 = 0x100;
}

impl SetAttributes {
    /// `valid[4]` as it stands for what is set.
    pub(crate) fn valid(&self) -> u32 {
        let given = |is: bool, bit: u32| if is { bit } else { 0 };
        let time = |time: Option<SetTime>, touch: u32, set: u32| match time {
            None => 0,
            Some(SetTime::Now) => touch,
            Some(SetTime::To(_)) => touch | set,
        };
        given(self.mode.is_some(), set::MODE)
            | given(self.uid.is_some(), set::UID)
            | given(self.gid.is_some(), set::GID)
            | given(self.size.is_some(), set::SIZE)
            | time(self.atime, set::ATIME, set::ATIME_SET)
            | time(self.mtime, set::MTIME, set::MTIME_SET)
            | given(self.ctime, set::CTIME)
    }
}

impl Wire for SetAttributes {
    fn put(&self, out: &mut Writer<'_>) {
        let moment = |time: Option<SetTime>| match time {
            Some(SetTime::To(time)) => time,
            Some(SetTime::Now) | None => Time::default(),
        };
        out.field(&self.valid());
        [self.mode, self.uid, self.gid].iter().for_each(|id| out.field(&id.unwrap_or_default()));
        out.field(&self.size.unwrap_or_default());
        out.field(&moment(self.atime));
        out.field(&moment(self.mtime));
    }
    fn take(from: &mut Reader<'_>) -> Result<Self, CutShort> {
        let valid = from.field::<u32>()?;
        let is = |bit: u32| valid & bit != 0;
        let (mode, uid, gid, size) = (from.field()?, from.field()?, from.field()?, from.field()?);
        let (atime, mtime) = (from.field()?, from.field()?);
        let time = |time: Time, touch: u32, set: u32| match (is(touch), is(set)) {
            (false, _) => None,
            (true, false) => Some(SetTime::Now),
            (true, true) => Some(SetTime::To(time)),
        };
        Ok(Self {
            mode: is(set::MODE).then_some(mode),
            uid: is(set::UID).then_some(uid),
            gid: is(set::GID).then_some(gid),
            size: is(set::SIZE).then_some(size),
            atime: time(atime, set::ATIME, set::ATIME_SET),
            mtime: time(mtime, set::MTIME, set::MTIME_SET),
            ctime: is(set::CTIME),
        })
    }
}
