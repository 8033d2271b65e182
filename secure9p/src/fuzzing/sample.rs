//! A message of any kind, made from a fuzzer's bytes. The message tables do the rest.

use alloc::{string::String, sync::Arc, vec::Vec};

use super::Dice;
use crate::{
    bytes::Bytes,
    errno::Errno,
    ids::{Fid, NumericUname, Qid, QidKind, Tag},
    limits::WALK_NAMES_MAX,
    message::{
        AttributeMask, Attributes, Datasync, DirectoryEntry, FileSystemStatistics, LockKind,
        LockStatus, SetAttributes, SetTime, Stat, Time,
    },
    open::OpenFlags,
};

/// A type of which a sample can be made.
pub(crate) trait Sample: Sized {
    fn sample(dice: &mut Dice<'_>) -> Self;
}

macro_rules! integers {
    ($($int:ty),*) => {$(
        impl Sample for $int {
            #[allow(clippy::cast_possible_truncation, reason = "any number will do")]
            fn sample(dice: &mut Dice<'_>) -> Self {
                dice.number() as Self
            }
        }
    )*};
}
integers!(u8, u16, u32, u64);

/// Few tags and fids, so that they meet each other.
impl Sample for Tag {
    fn sample(dice: &mut Dice<'_>) -> Self {
        if dice.byte() == u8::MAX { Self::NOTAG } else { Self(dice.byte().into()) }
    }
}

impl Sample for Fid {
    fn sample(dice: &mut Dice<'_>) -> Self {
        if dice.byte() == u8::MAX { Self::NOFID } else { Self((dice.byte() % 8).into()) }
    }
}

impl Sample for NumericUname {
    fn sample(_: &mut Dice<'_>) -> Self {
        Self::NONE // 9P2000 carries no other
    }
}

impl Sample for Errno {
    fn sample(dice: &mut Dice<'_>) -> Self {
        Self(Sample::sample(dice))
    }
}

impl Sample for OpenFlags {
    fn sample(dice: &mut Dice<'_>) -> Self {
        Self::from_bits_retain(Sample::sample(dice))
    }
}

impl Sample for AttributeMask {
    fn sample(dice: &mut Dice<'_>) -> Self {
        Self::from_bits_retain(Sample::sample(dice))
    }
}

impl Sample for Datasync {
    fn sample(dice: &mut Dice<'_>) -> Self {
        Self(dice.bool())
    }
}

impl Sample for String {
    fn sample(dice: &mut Dice<'_>) -> Self {
        const TEXTS: &[&str] = &[
            "",
            "hello",
            "dir",
            "a",
            "..",
            ".",
            "ctl",
            "big",
            "locked",
            "link",
            "größe",
            "it's",
            "a/b",
            "\0",
            "\\x41\n\t",
            "9P2000.L",
            "9P2000",
            " ",
            "X",
            "now",
            "(",
            "\u{7f}\u{85}\u{2028}",
            "nowhere",
        ];
        match dice.below(TEXTS.len() + 2) {
            0 => Self::from_utf8_lossy(dice.bytes(16)).into_owned(),
            1 => "x".repeat(dice.below(256) + dice.below(64)),
            known => TEXTS.get(known - 2).copied().unwrap_or_default().into(),
        }
    }
}

impl Sample for Vec<String> {
    fn sample(dice: &mut Dice<'_>) -> Self {
        dice.list(WALK_NAMES_MAX, Sample::sample)
    }
}

impl Sample for Vec<u8> {
    fn sample(dice: &mut Dice<'_>) -> Self {
        let count = dice.byte().into();
        dice.bytes(count).to_vec()
    }
}

impl Sample for Bytes {
    fn sample(dice: &mut Dice<'_>) -> Self {
        if dice.bool() {
            return Self::Owned(Sample::sample(dice));
        }
        let bytes: Arc<[u8]> = Vec::<u8>::sample(dice).into();
        let (start, end) = (dice.below(256), dice.below(256));
        Self::Shared(bytes, start..end)
    }
}

impl Sample for Qid {
    fn sample(dice: &mut Dice<'_>) -> Self {
        Self {
            kind: QidKind::from_bits_retain(dice.byte()),
            version: Sample::sample(dice),
            path: Sample::sample(dice),
        }
    }
}

impl Sample for Vec<Qid> {
    fn sample(dice: &mut Dice<'_>) -> Self {
        dice.list(WALK_NAMES_MAX, Sample::sample)
    }
}

impl Sample for Time {
    fn sample(dice: &mut Dice<'_>) -> Self {
        Self { s: Sample::sample(dice), ns: Sample::sample(dice) }
    }
}

impl Sample for Attributes {
    fn sample(dice: &mut Dice<'_>) -> Self {
        Self {
            valid: Sample::sample(dice),
            qid: Sample::sample(dice),
            mode: Sample::sample(dice),
            uid: Sample::sample(dice),
            gid: Sample::sample(dice),
            nlink: Sample::sample(dice),
            rdev: Sample::sample(dice),
            size: Sample::sample(dice),
            blksize: Sample::sample(dice),
            blocks: Sample::sample(dice),
            atime: Sample::sample(dice),
            mtime: Sample::sample(dice),
            ctime: Sample::sample(dice),
            btime: Sample::sample(dice),
            generation: Sample::sample(dice),
            data_version: Sample::sample(dice),
        }
    }
}

impl<T: Sample> Sample for Option<T> {
    fn sample(dice: &mut Dice<'_>) -> Self {
        dice.bool().then(|| T::sample(dice))
    }
}

impl Sample for SetTime {
    fn sample(dice: &mut Dice<'_>) -> Self {
        if dice.bool() { Self::Now } else { Self::To(Sample::sample(dice)) }
    }
}

impl Sample for SetAttributes {
    fn sample(dice: &mut Dice<'_>) -> Self {
        Self {
            mode: Sample::sample(dice),
            uid: Sample::sample(dice),
            gid: Sample::sample(dice),
            size: Sample::sample(dice),
            atime: Sample::sample(dice),
            mtime: Sample::sample(dice),
            ctime: dice.bool(),
        }
    }
}

impl Sample for DirectoryEntry {
    fn sample(dice: &mut Dice<'_>) -> Self {
        Self {
            qid: Sample::sample(dice),
            offset: Sample::sample(dice),
            kind: dice.byte(),
            name: Sample::sample(dice),
        }
    }
}

impl Sample for Vec<DirectoryEntry> {
    fn sample(dice: &mut Dice<'_>) -> Self {
        dice.list(4, Sample::sample)
    }
}

impl Sample for Stat {
    fn sample(dice: &mut Dice<'_>) -> Self {
        if dice.bool() {
            return Self { length: Sample::sample(dice), ..Self::untouched() };
        }
        Self {
            kind: Sample::sample(dice),
            dev: Sample::sample(dice),
            qid: Sample::sample(dice),
            mode: Sample::sample(dice),
            atime: Sample::sample(dice),
            mtime: Sample::sample(dice),
            length: Sample::sample(dice),
            name: Sample::sample(dice),
            uid: Sample::sample(dice),
            gid: Sample::sample(dice),
            muid: Sample::sample(dice),
        }
    }
}

impl Sample for FileSystemStatistics {
    fn sample(dice: &mut Dice<'_>) -> Self {
        Self {
            kind: Sample::sample(dice),
            bsize: Sample::sample(dice),
            blocks: Sample::sample(dice),
            bfree: Sample::sample(dice),
            bavail: Sample::sample(dice),
            files: Sample::sample(dice),
            ffree: Sample::sample(dice),
            fsid: Sample::sample(dice),
            namelen: Sample::sample(dice),
        }
    }
}

impl Sample for LockKind {
    fn sample(dice: &mut Dice<'_>) -> Self {
        dice.pick(&[Self::Read, Self::Write, Self::Unlock]).unwrap_or(Self::Read)
    }
}

impl Sample for LockStatus {
    fn sample(dice: &mut Dice<'_>) -> Self {
        dice.pick(&[Self::Success, Self::Blocked, Self::Error, Self::Grace]).unwrap_or(Self::Error)
    }
}
