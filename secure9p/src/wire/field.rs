//! The fields that have no home of their own: integers, numbers with a meaning, strings, lists.

use alloc::{string::String, vec::Vec};

use super::{CutShort, Reader, Wire, Writer};
use crate::{
    dialect::Dialect,
    errno::Errno,
    ids::{Fid, NumericUname, Qid, QidKind, Tag},
    limits::WALK_NAMES_MAX,
    open::OpenFlags,
};

macro_rules! integers {
    ($($int:ty),*) => {$(
        impl Wire for $int {
            #[inline]
            fn put(&self, out: &mut Writer<'_>) {
                out.bytes(&self.to_le_bytes());
            }
            #[inline]
            fn take(from: &mut Reader<'_>) -> Result<Self, CutShort> {
                Ok(Self::from_le_bytes(from.array()?))
            }
        }
    )*};
}
integers!(u8, u16, u32, u64);

macro_rules! numbers {
    ($($number:ident($int:ty)),*) => {$(
        impl Wire for $number {
            #[inline]
            fn put(&self, out: &mut Writer<'_>) {
                self.0.put(out);
            }
            #[inline]
            fn take(from: &mut Reader<'_>) -> Result<Self, CutShort> {
                Ok(Self(<$int>::take(from)?))
            }
        }
    )*};
}
numbers!(Tag(u16), Fid(u32), Errno(u32));

impl Wire for OpenFlags {
    #[inline]
    fn put(&self, out: &mut Writer<'_>) {
        self.bits().put(out);
    }
    #[inline]
    fn take(from: &mut Reader<'_>) -> Result<Self, CutShort> {
        Ok(Self::from_bits_retain(u32::take(from)?))
    }
}

/// On the wire in 9P2000.L only.
impl Wire for NumericUname {
    #[inline]
    fn put(&self, out: &mut Writer<'_>) {
        match out.dialect() {
            Dialect::Linux => self.0.put(out),
            Dialect::Plan9 => {}
        }
    }
    #[inline]
    fn take(from: &mut Reader<'_>) -> Result<Self, CutShort> {
        match from.dialect() {
            Dialect::Linux => Ok(Self(u32::take(from)?)),
            Dialect::Plan9 => Ok(Self::NONE),
        }
    }
}

impl Wire for Qid {
    #[inline]
    fn put(&self, out: &mut Writer<'_>) {
        self.kind.bits().put(out);
        self.version.put(out);
        self.path.put(out);
    }
    #[inline]
    fn take(from: &mut Reader<'_>) -> Result<Self, CutShort> {
        Ok(Self {
            kind: QidKind::from_bits_retain(from.field()?),
            version: from.field()?,
            path: from.field()?,
        })
    }
}

impl Wire for String {
    #[inline]
    fn put(&self, out: &mut Writer<'_>) {
        out.text(self);
    }
    #[inline]
    fn take(from: &mut Reader<'_>) -> Result<Self, CutShort> {
        let count = from.field::<u16>()?;
        match core::str::from_utf8(from.bytes(usize::from(count))?) {
            Ok(text) => Ok(text.into()),
            Err(_) => {
                from.refuse(Errno::EILSEQ);
                Ok(Self::new())
            }
        }
    }
}

/// `nwname[2]` names. More than walk(5) allows are read over and not kept.
impl Wire for Vec<String> {
    #[inline]
    fn put(&self, out: &mut Writer<'_>) {
        out.count16(self.len());
        self.iter().for_each(|name| out.field(name));
    }
    #[inline]
    fn take(from: &mut Reader<'_>) -> Result<Self, CutShort> {
        let count = from.field::<u16>()?;
        if usize::from(count) <= WALK_NAMES_MAX {
            return (0..count).map(|_| from.field()).collect();
        }
        from.refuse(Errno::EINVAL);
        (0..count).try_for_each(|_| from.field::<String>().map(drop))?;
        Ok(Self::new())
    }
}

/// `nwqid[2]` qids.
impl Wire for Vec<Qid> {
    #[inline]
    fn put(&self, out: &mut Writer<'_>) {
        out.count16(self.len());
        self.iter().for_each(|qid| out.field(qid));
    }
    #[inline]
    fn take(from: &mut Reader<'_>) -> Result<Self, CutShort> {
        let count = from.field::<u16>()?;
        (0..count).map(|_| from.field()).collect()
    }
}

/// `count[4]` data.
impl Wire for Vec<u8> {
    #[inline]
    fn put(&self, out: &mut Writer<'_>) {
        out.count32(self.len());
        out.bytes(self);
    }
    #[inline]
    fn take(from: &mut Reader<'_>) -> Result<Self, CutShort> {
        from.data()
    }
}
