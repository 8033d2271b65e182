//! The machine-independent directory entry of 9P2000 (stat(5)).
//!
//! Knows the layout; how a Linux mode becomes a Plan 9 mode is here too, because it is the same table both ways.

use alloc::{string::String, vec::Vec};

use super::attributes::{Attributes, SetAttributes, SetTime, Time};
use crate::{
    dialect::Dialect,
    ids::{Qid, QidKind},
    wire::{CutShort, Reader, Wire, Writer},
};

/// A directory entry, as Rstat and reads of directories carry it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Stat {
    /// For kernel use.
    pub kind: u16,
    /// For kernel use.
    pub dev: u32,
    /// The file's qid.
    pub qid: Qid,
    /// Permissions, and the qid's kind in the top byte.
    pub mode: u32,
    /// Last read, seconds since 1970.
    pub atime: u32,
    /// Last write, seconds since 1970.
    pub mtime: u32,
    /// Length in bytes; 0 for a directory.
    pub length: u64,
    /// Name; `/` for the root.
    pub name: String,
    /// Owner.
    pub uid: String,
    /// Group.
    pub gid: String,
    /// Who wrote it last.
    pub muid: String,
}

impl Stat {
    /// What a Twstat leaves alone: all ones, and empty strings.
    #[must_use]
    pub fn untouched() -> Self {
        Self {
            kind: u16::MAX,
            dev: u32::MAX,
            qid: Qid {
                kind: QidKind::from_bits_retain(u8::MAX),
                version: u32::MAX,
                path: u64::MAX,
            },
            mode: u32::MAX,
            atime: u32::MAX,
            mtime: u32::MAX,
            length: u64::MAX,
            name: String::new(),
            uid: String::new(),
            gid: String::new(),
            muid: String::new(),
        }
    }

    /// What 9P2000 says about a file of which `attributes` is known. Users are numbers here.
    #[must_use]
    pub fn of(name: &str, attributes: &Attributes) -> Self {
        let seconds = |time: Time| u32::try_from(time.s).unwrap_or(u32::MAX);
        let directory = attributes.qid.is_directory();
        Self {
            kind: 0,
            dev: 0,
            qid: attributes.qid,
            mode: mode_of(attributes.qid.kind, attributes.mode),
            atime: seconds(attributes.atime),
            mtime: seconds(attributes.mtime),
            length: if directory { 0 } else { attributes.size },
            name: name.into(),
            uid: alloc::format!("{}", attributes.uid),
            gid: alloc::format!("{}", attributes.gid),
            muid: String::new(),
        }
    }

    /// What a Twstat with this entry asks to be changed, its name aside.
    #[must_use]
    pub fn changes(&self) -> SetAttributes {
        let time = |seconds: u32| {
            (seconds != u32::MAX).then_some(SetTime::To(Time { s: seconds.into(), ns: 0 }))
        };
        SetAttributes {
            mode: (self.mode != u32::MAX).then_some(self.mode & 0o777),
            uid: None,
            gid: self.gid.parse().ok(),
            size: (self.length != u64::MAX).then_some(self.length),
            atime: time(self.atime),
            mtime: time(self.mtime),
            ctime: false,
        }
    }

    /// Its length on the wire, its own `size[2]` included.
    #[must_use]
    pub fn wire_bytes(&self) -> usize {
        let texts = [&self.name, &self.uid, &self.gid, &self.muid];
        2 + 2
            + 4
            + Qid::WIRE_BYTES
            + 4
            + 4
            + 4
            + 8
            + texts.map(|text| 2 + text.len()).iter().sum::<usize>()
    }

    /// Appends the entry as a read of a directory gives it.
    pub(crate) fn append_to(&self, out: &mut Vec<u8>) {
        self.put_bare(&mut Writer::new(out, Dialect::Plan9));
    }

    /// The entries in the data of a read of a directory; `None` when they are not whole.
    #[must_use]
    pub fn decode_all(data: &[u8]) -> Option<Vec<Self>> {
        let mut from = Reader::new(data, None, Dialect::Plan9);
        let mut entries = Vec::new();
        while !from.is_empty() {
            entries.push(Self::take_bare(&mut from).ok()?);
        }
        from.refusal().is_none().then_some(entries)
    }

    fn put_bare(&self, out: &mut Writer<'_>) {
        out.sized16(|out| {
            out.field(&self.kind);
            out.field(&self.dev);
            out.field(&self.qid);
            [self.mode, self.atime, self.mtime].iter().for_each(|field| out.field(field));
            out.field(&self.length);
            [&self.name, &self.uid, &self.gid, &self.muid].iter().for_each(|text| out.text(text));
        });
    }

    fn take_bare(from: &mut Reader<'_>) -> Result<Self, CutShort> {
        let size = from.field::<u16>()?;
        let mut bare = from.sub(size.into())?;
        let stat = Self {
            kind: bare.field()?,
            dev: bare.field()?,
            qid: bare.field()?,
            mode: bare.field()?,
            atime: bare.field()?,
            mtime: bare.field()?,
            length: bare.field()?,
            name: bare.field()?,
            uid: bare.field()?,
            gid: bare.field()?,
            muid: bare.field()?,
        };
        match bare.refusal() {
            _ if !bare.is_empty() => return Err(CutShort),
            Some(errno) => from.refuse(errno),
            None => {}
        }
        Ok(stat)
    }
}

/// `n[2]`, then the entry with its own `size[2]` (stat(5), BUGS).
impl Wire for Stat {
    fn put(&self, out: &mut Writer<'_>) {
        out.sized16(|out| self.put_bare(out));
    }
    fn take(from: &mut Reader<'_>) -> Result<Self, CutShort> {
        let size = from.field::<u16>()?;
        let mut counted = from.sub(size.into())?;
        let stat = Self::take_bare(&mut counted)?;
        match counted.refusal() {
            _ if !counted.is_empty() => return Err(CutShort),
            Some(errno) => from.refuse(errno),
            None => {}
        }
        Ok(stat)
    }
}

/// The mode of stat(5): permissions below, the qid's kind on top.
fn mode_of(kind: QidKind, mode: u32) -> u32 {
    (u32::from(kind.bits()) << 24) | (mode & 0o777)
}
