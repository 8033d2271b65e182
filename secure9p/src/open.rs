//! How a file is opened: the flags of Tlopen, the mode byte of Topen.
//!
//! Knows nothing of which file may be opened how.

use crate::errno::Errno;

bitflags::bitflags! {
    /// Flags of open(2) on Linux, as Tlopen and Tlcreate carry them. Bits that mean nothing to a server are kept.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
    pub struct OpenFlags: u32 {
        /// Write only. With neither this nor [`Self::RDWR`] the file is opened for reading.
        const WRONLY = 0o1;
        /// Read and write.
        const RDWR = 0o2;
        /// Make the file if it is missing.
        const CREAT = 0o100;
        /// With `CREAT`: fail if it is there.
        const EXCL = 0o200;
        /// Cut the file to nothing.
        const TRUNC = 0o1000;
        /// Every write goes to the end.
        const APPEND = 0o2000;
        /// Do not wait for data.
        const NONBLOCK = 0o4000;
        /// Write through to the disk.
        const DSYNC = 0o10000;
        /// Bypass caches.
        const DIRECT = 0o40000;
        /// Offsets have 64 bits.
        const LARGEFILE = 0o100_000;
        /// Fail unless it is a directory.
        const DIRECTORY = 0o200_000;
        /// Fail if it is a symbolic link.
        const NOFOLLOW = 0o400_000;
        /// Whatever else a kernel sends.
        const _ = !0;
    }
}

/// What an open fid may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// Reading only.
    Read,
    /// Writing only.
    Write,
    /// Both.
    ReadWrite,
}

impl Access {
    /// Whether data may be read.
    #[must_use]
    pub const fn reads(self) -> bool {
        matches!(self, Self::Read | Self::ReadWrite)
    }

    /// Whether data may be written.
    #[must_use]
    pub const fn writes(self) -> bool {
        matches!(self, Self::Write | Self::ReadWrite)
    }
}

impl OpenFlags {
    /// Reading only: no bit at all.
    pub const RDONLY: Self = Self::empty();

    /// What the opened fid may be used for; `None` for the combination Linux keeps for itself.
    #[must_use]
    pub const fn access(self) -> Option<Access> {
        match self.bits() & 3 {
            0 => Some(Access::Read),
            1 => Some(Access::Write),
            2 => Some(Access::ReadWrite),
            _ => None,
        }
    }

    /// The flags that a mode byte of Topen stands for (open(5)).
    ///
    /// # Errors
    /// `EOPNOTSUPP` for ORCLOSE: no tree of ours removes a file behind its owner's back.
    pub fn from_mode(mode: u8) -> Result<Self, Errno> {
        if mode & OpenMode::RCLOSE != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        let access = match mode & 3 {
            OpenMode::WRITE => Self::WRONLY,
            OpenMode::RDWR => Self::RDWR,
            _ => Self::RDONLY, // OREAD, and OEXEC which reads
        };
        let truncate = if mode & OpenMode::TRUNC != 0 { Self::TRUNC } else { Self::empty() };
        Ok(access | truncate)
    }
}

/// Bits of the mode byte of Topen and Tcreate in 9P2000 (open(5)).
#[derive(Debug, Clone, Copy)]
pub struct OpenMode;

impl OpenMode {
    /// Open for reading.
    pub const READ: u8 = 0;
    /// Open for writing.
    pub const WRITE: u8 = 1;
    /// Open for both.
    pub const RDWR: u8 = 2;
    /// Open for running: reading, as far as we are concerned.
    pub const EXEC: u8 = 3;
    /// Truncate first.
    pub const TRUNC: u8 = 0x10;
    /// Remove on clunk.
    pub const RCLOSE: u8 = 0x40;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mode_byte_of_plan_9_becomes_linux_flags() {
        assert_eq!(OpenFlags::from_mode(OpenMode::READ), Ok(OpenFlags::RDONLY));
        assert_eq!(OpenFlags::from_mode(OpenMode::EXEC), Ok(OpenFlags::RDONLY));
        assert_eq!(
            OpenFlags::from_mode(OpenMode::WRITE | OpenMode::TRUNC),
            Ok(OpenFlags::WRONLY | OpenFlags::TRUNC)
        );
        assert_eq!(OpenFlags::from_mode(OpenMode::RCLOSE), Err(Errno::EOPNOTSUPP));
    }

    #[test]
    fn the_access_mode_that_linux_keeps_for_itself_is_no_access() {
        assert_eq!(OpenFlags::from_bits_retain(3).access(), None);
        assert_eq!((OpenFlags::RDWR | OpenFlags::APPEND).access(), Some(Access::ReadWrite));
    }
}
