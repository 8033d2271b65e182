//! The journal's two threads: one syncs, one keeps the rows. Neither holds a lock while it waits for the disk.

use std::{io, sync::Arc, thread, time::Duration};

use super::{
    SEGMENT_BYTES,
    desk::{Desk, Note},
    directory::Directory,
    disk::Disk,
    error::JournalError,
    frame::Position,
    rows::Rows,
};

/// How long until another try to set room aside.
const RETRY: Duration = Duration::from_secs(1);
/// How long to wait for news where nothing else is to be done.
const IDLE: Duration = Duration::from_secs(3600);

/// The threads; dropping this syncs what was appended and ends them.
#[derive(Debug)]
pub(crate) struct JournalThreads {
    desk: Arc<Desk>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl JournalThreads {
    pub(super) fn start(
        desk: Arc<Desk>,
        disk: Arc<dyn Disk>,
        mut keeper: Keeper,
        on_sync: impl Fn() + Send + 'static,
    ) -> io::Result<Self> {
        let mut this = Self { desk: Arc::clone(&desk), threads: Vec::new() };
        let syncing = Arc::clone(&desk);
        this.spawn("store-sync", move || sync_all(&syncing, &*disk, &on_sync))?;
        this.spawn("store-keep", move || keeper.keep(&desk))?;
        Ok(this)
    }

    fn spawn(&mut self, name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
        self.threads.push(thread::Builder::new().name(name.to_owned()).spawn(run)?);
        Ok(())
    }
}

impl Drop for JournalThreads {
    fn drop(&mut self) {
        self.desk.stop();
        for thread in self.threads.drain(..) {
            let _ = thread.join(); // a panic in there was reported where it happened
        }
    }
}

fn sync_all(desk: &Desk, disk: &dyn Disk, on_sync: &impl Fn()) {
    while let Some(task) = desk.next_sync() {
        let synced = task.segments.iter().try_for_each(|segment| disk.sync(&segment.file));
        match synced {
            Ok(()) => desk.synced_up_to(task.up_to),
            // The system forgets what it could not write, and would call a second try a success.
            Err(error) => {
                tracing::error!(%error, "store: cannot sync; nothing new is taken on until the bridge is started again");
                desk.broke(format!("cannot sync: {error}"));
            }
        }
        on_sync();
    }
}

/// The rows that count, and what they are written down as.
#[derive(Debug)]
pub(super) struct Keeper {
    directory: Directory,
    rows: Rows,
    /// Bytes of the last checkpoint.
    checkpoint_bytes: u64,
    /// Bytes of full segments since.
    log_bytes: u64,
}

impl Keeper {
    pub(super) const fn new(directory: Directory, rows: Rows, checkpoint_bytes: u64) -> Self {
        Self { directory, rows, checkpoint_bytes, log_bytes: 0 }
    }

    fn keep(&mut self, desk: &Desk) {
        loop {
            let patience = if self.make_spare(desk) { IDLE } else { RETRY };
            let Some(notes) = desk.next_notes(patience) else { return };
            for note in notes {
                match note {
                    Note::Rows(rows, bytes) => self.take_in(rows, bytes, desk),
                    Note::Full { number, end } => self.checkpoint(number, end),
                }
            }
        }
    }

    fn take_in(&mut self, rows: Vec<super::Row>, bytes: usize, desk: &Desk) {
        self.log_bytes += bytes as u64;
        for row in rows {
            if let Err(what) = self.rows.apply(row) {
                // A checkpoint of such rows could not be read again; the log that is there can.
                tracing::error!(what, "store: a row does not follow from those before");
                desk.broke(format!("a row does not follow from those before: {what}"));
            }
        }
    }

    /// Whether there is a spare segment now.
    fn make_spare(&self, desk: &Desk) -> bool {
        let Some(number) = desk.spare_missing() else { return true };
        match self.directory.make_segment(number, SEGMENT_BYTES) {
            Ok(spare) => {
                desk.put_spare(spare);
                true
            }
            Err(error) => {
                if desk.no_spare(error.to_string()) {
                    tracing::error!(%error, "store: no room; nothing new is taken on until there is");
                }
                false
            }
        }
    }

    /// Worth its bytes once the log has at least twice as many.
    fn checkpoint(&mut self, covers: u64, end: Position) {
        if self.log_bytes < SEGMENT_BYTES.max(2 * self.checkpoint_bytes) {
            return;
        }
        match self.directory.write_checkpoint(&self.rows, covers, end) {
            Ok(bytes) => (self.checkpoint_bytes, self.log_bytes) = (bytes, 0),
            Err(error) => note_failed(&error),
        }
    }
}

/// The log goes on, and says the same at greater length.
fn note_failed(error: &JournalError) {
    tracing::warn!(%error, "store: no checkpoint this time");
}
