//! The journal: leases, accepted jobs and their records, kept through `kill -9` and loss of power.
//!
//! A log of [`Row`]s. Appending hands them to the system at once (a daemon that is killed cannot take them back); a thread of its
//! own syncs them to the disk, all that came meanwhile together, and rings. Another thread keeps the rows that still count, and
//! writes them down as a checkpoint when the log has grown, so that neither the files nor the time to start grow with history.
//!
//! ```text
//!   append(rows) ──write──▶ segment ─────────────────────────────▶ Position
//!        │                     ▲ spare, set aside before it is needed      │ want(position)
//!        │ rows                │                                           ▼
//!        └─────────▶ keeper thread: Rows ─▶ checkpoint        sync thread: fdatasync ─▶ synced() ─▶ whoever waits
//! ```
//!
//! `docs/adr/0004-store.md` says why it is this and no database. Decides nothing about leases and jobs.

mod desk;
mod directory;
mod disk;
mod error;
mod frame;
mod row;
mod rows;
mod threads;

use std::{io, path::Path, sync::Arc};

use ninedoor_abi::{Errno, Refusal};

pub use self::error::{JournalDamage, JournalError};
use self::{
    desk::Desk,
    directory::{Directory, Segment},
    disk::{Disk, RealDisk},
};
pub(crate) use self::{
    frame::Position,
    row::{AcceptedJob, Input, Row, Stage, Step},
    rows::Rows,
    threads::JournalThreads,
};

/// Bytes set aside for a segment.
const SEGMENT_BYTES: u64 = 4 << 20;

/// Bytes of rows on their way to the thread that keeps them; with more than that nothing new is taken on.
const INBOX_BYTES_MAX: usize = 64 << 20;

/// The writing end.
#[derive(Debug)]
pub(crate) struct Journal {
    directory: Directory,
    disk: Arc<dyn Disk>,
    desk: Arc<Desk>,
    segment: Arc<Segment>,
    /// Where in the segment the next row goes.
    at: u64,
    end: Position,
    /// Where this daemon began to write.
    begun: Position,
    buffer: Vec<u8>,
    /// Why the last append failed, if it did.
    refused: Option<(Errno, String)>,
    /// For the thread that keeps the rows, until it starts.
    kept: Option<Rows>,
    checkpoint_bytes: u64,
}

impl Journal {
    /// Opens the journal below `path`, or begins one: what an earlier daemon left, and where to go on.
    ///
    /// # Errors
    /// When the files are damaged or of another version: they are left as they are. What the file system says.
    pub(crate) fn open(path: &Path) -> Result<(Self, Rows), JournalError> {
        Self::open_on(path, Arc::new(RealDisk))
    }

    fn open_on(path: &Path, disk: Arc<dyn Disk>) -> Result<(Self, Rows), JournalError> {
        let directory = Directory::at(path, Arc::clone(&disk))?;
        let left = directory.read()?;
        if left.torn_bytes > 0 {
            tracing::warn!(
                path = %path.display(),
                bytes = left.torn_bytes,
                "journal: dropped rows at its end that were never written whole, and never promised"
            );
        }
        let checkpoint_bytes =
            directory.write_checkpoint(&left.rows, left.last_segment, left.end)?;
        let segment = Arc::new(directory.make_segment(left.last_segment + 1, 0)?);
        let journal = Self {
            desk: Arc::new(Desk::new(Arc::clone(&segment), left.end)),
            directory,
            disk,
            segment,
            at: 0,
            end: left.end,
            begun: left.end,
            buffer: Vec::new(),
            refused: None,
            kept: Some(left.rows.clone()),
            checkpoint_bytes,
        };
        Ok((journal, left.rows))
    }

    /// Starts the threads; `on_sync` is called, from one of them, when more is on the disk than before or nothing more will be.
    ///
    /// # Errors
    /// When there can be no more threads.
    pub(crate) fn start(
        &mut self,
        on_sync: impl Fn() + Send + 'static,
    ) -> io::Result<JournalThreads> {
        let rows = self.kept.take().unwrap_or_default();
        JournalThreads::start(
            Arc::clone(&self.desk),
            Arc::clone(&self.disk),
            threads::Keeper::new(self.directory.clone(), rows, self.checkpoint_bytes),
            on_sync,
        )
    }

    /// Hands rows to the system: from here on they survive this process. They are taken out of `rows`.
    ///
    /// # Errors
    /// What the file system says; nothing was appended, and the same may be tried again.
    pub(crate) fn append(&mut self, rows: &mut Vec<Row>) -> Result<Position, io::Error> {
        let outcome = self.write(rows);
        self.refused = outcome.as_ref().err().map(|error| (errno_of(error), error.to_string()));
        let bytes = outcome?;
        self.desk.appended(std::mem::take(rows), bytes, self.end);
        Ok(self.end)
    }

    fn write(&mut self, rows: &[Row]) -> io::Result<usize> {
        let mut frames = std::mem::take(&mut self.buffer);
        frames.clear();
        let synced = self.desk.synced();
        rows.iter().for_each(|row| frame::put(&mut frames, synced, &row.to_json()));
        if self.at + frames.len() as u64 > self.segment.set_aside
            && let Some(next) = self.desk.next_segment(self.end)
        {
            self.segment = next;
            self.at = 0;
        }
        let bytes = frames.len();
        let mut head = Vec::new();
        if self.at == 0 {
            head = frame::file_head(self.end);
            frames.splice(..0, head.iter().copied());
        }
        let written = self.disk.write_at(&self.segment.file, &frames, self.at);
        self.buffer = frames;
        written?;
        self.at += (head.len() + bytes) as u64;
        self.end = self.end.plus(bytes);
        Ok(bytes)
    }

    /// Somebody waits until everything up to here is on the disk.
    pub(crate) fn want(&self, up_to: Position) {
        self.desk.want(up_to);
    }

    /// Up to where everything is on the disk.
    pub(crate) fn synced(&self) -> Position {
        self.desk.synced()
    }

    /// Where the next row goes.
    pub(crate) const fn end(&self) -> Position {
        self.end
    }

    /// Bytes of rows written by this daemon.
    pub(crate) const fn written_bytes(&self) -> u64 {
        self.end.0 - self.begun.0
    }

    /// Bytes of rows that are not on the disk yet.
    pub(crate) fn unsynced_bytes(&self) -> u64 {
        self.end.0.saturating_sub(self.synced().0)
    }

    /// Whether new work may be taken on: what is taken on already goes on without this.
    ///
    /// # Errors
    /// `ENOSPC`, `EIO` or `EAGAIN`, and why.
    pub(crate) fn check_room(&self) -> Result<(), Refusal> {
        if let Some((errno, why)) = &self.refused {
            let text = format!("store: cannot write: {why}; nothing new is taken on until it can");
            return Err(Refusal::new(*errno, text));
        }
        let condition = self.desk.condition();
        if let Some(why) = condition.broken {
            let text =
                format!("store: {why}; nothing new is taken on until the bridge is started again");
            return Err(Refusal::new(Errno::EIO, text));
        }
        if let Some(why) = condition.no_spare {
            let text = format!("store: {why}; nothing new is taken on until there is room");
            return Err(Refusal::new(Errno::ENOSPC, text));
        }
        if condition.inbox_bytes > INBOX_BYTES_MAX {
            let text = format!(
                "store: {} bytes behind, at most {INBOX_BYTES_MAX}, try again later",
                condition.inbox_bytes
            );
            return Err(Refusal::new(Errno::EAGAIN, text));
        }
        Ok(())
    }

    /// Why what was appended may not be safe, if so.
    pub(crate) fn broken(&self) -> Option<Refusal> {
        let why = self.desk.condition().broken?;
        Some(Refusal::new(
            Errno::EIO,
            format!("store: {why}; it was done, and may not outlive a loss of power"),
        ))
    }
}

fn errno_of(error: &io::Error) -> Errno {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Errno::ENOSPC,
        _ => Errno::EIO,
    }
}

#[cfg(test)]
mod tests;
