//! Record locks: Tlock and Tgetlock.

use alloc::string::String;

use crate::{
    errno::Errno,
    wire::{CutShort, Reader, Wire, Writer},
};

/// A record lock as fcntl(2) knows it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Lock {
    /// What kind of lock.
    pub kind: LockKind,
    /// Whether the client would rather wait than be told no. Always false in Tgetlock.
    pub blocking: bool,
    /// First byte.
    pub start: u64,
    /// Bytes, 0 for "to the end".
    pub length: u64,
    /// The process on the client.
    pub proc_id: u32,
    /// The client.
    pub client_id: String,
}

/// Kinds of lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LockKind {
    /// Shared.
    Read,
    /// Exclusive.
    Write,
    /// None: give it back.
    Unlock,
}

impl LockKind {
    const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Unlock];

    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Read => 0,
            Self::Write => 1,
            Self::Unlock => 2,
        }
    }

    pub(crate) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}

impl Wire for LockKind {
    fn put(&self, out: &mut Writer<'_>) {
        self.number().put(out);
    }
    fn take(from: &mut Reader<'_>) -> Result<Self, CutShort> {
        let number = from.field()?;
        Ok(Self::from_number(number).unwrap_or_else(|| {
            from.refuse(Errno::EINVAL);
            Self::Unlock
        }))
    }
}

/// What became of a Tlock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LockStatus {
    /// Granted.
    Success,
    /// Somebody has it; ask again.
    Blocked,
    /// Refused.
    Error,
    /// The server is starting; ask again.
    Grace,
}

impl LockStatus {
    const ALL: [Self; 4] = [Self::Success, Self::Blocked, Self::Error, Self::Grace];

    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Blocked => 1,
            Self::Error => 2,
            Self::Grace => 3,
        }
    }

    pub(crate) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}

impl Wire for LockStatus {
    fn put(&self, out: &mut Writer<'_>) {
        self.number().put(out);
    }
    fn take(from: &mut Reader<'_>) -> Result<Self, CutShort> {
        let number = from.field()?;
        Ok(Self::from_number(number).unwrap_or_else(|| {
            from.refuse(Errno::EPROTO);
            Self::Error
        }))
    }
}
