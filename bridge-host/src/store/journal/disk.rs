//! The few things that a journal asks of the disk, so that a test can have them fail.

use std::{fmt::Debug, fs::File, io, os::unix::fs::FileExt};

/// What writes and syncs.
pub(super) trait Disk: Debug + Send + Sync {
    /// Hands bytes to the system: a process that dies cannot take them back.
    fn write_at(&self, file: &File, bytes: &[u8], at: u64) -> io::Result<()>;

    /// Returns once everything written is safe from a loss of power.
    fn sync(&self, file: &File) -> io::Result<()>;
}

/// The one there is.
#[derive(Debug)]
pub(super) struct RealDisk;

impl Disk for RealDisk {
    fn write_at(&self, file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
        file.write_all_at(bytes, at)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }
}
