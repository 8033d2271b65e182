//! From whoever notes a line to the chain: a bounded queue, and the thread that empties it.
//!
//! Noting never waits and never fails. When the file system does not take lines, the thread tries again every second and says so; the
//! queue fills meanwhile, and what finds no room is counted into one LOST line that stands where they would have been.

use std::{
    collections::VecDeque,
    io, mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::{
    chain::{Chain, ChainBounds},
    directory::AuditDir,
    line::{Entry, Link, STOP},
};
use crate::clock::Clock;
use ninedoor::AuditLine;
use ninedoor_abi::UnixMs;

/// Lines that wait to be written.
const QUEUE_LINES_MAX: usize = 8192;
/// The thread takes the lines of this long at once: waking it for each line of a job would cost whoever submits one. A daemon that
/// is killed may lose what waits.
const GATHER: Duration = Duration::from_millis(1);
/// How long a written line may wait to be synced.
const SYNC_PERIOD: Duration = Duration::from_secs(1);
/// Between two attempts when the file system says no.
const RETRY_PERIOD: Duration = Duration::from_secs(1);
/// How often trouble that lasts is told again.
const TELL_PERIOD: Duration = Duration::from_secs(60);

/// Where lines are noted. Cheap to clone.
#[derive(Debug, Clone)]
pub struct AuditLog(Arc<Shared>);

/// The thread behind an [`AuditLog`]. Dropping it writes what waits, and ends it.
#[derive(Debug)]
pub struct AuditWriter {
    log: AuditLog,
    thread: Option<JoinHandle<()>>,
}

/// How the log is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditState {
    /// The last line that was written.
    pub last: Link,
    /// Lines that found no room since the start.
    pub lost: u64,
    /// What the file system says, while it says no.
    pub trouble: Option<String>,
}

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    bell: Condvar,
}

#[derive(Debug)]
struct Queue {
    waiting: VecDeque<Entry>,
    /// What came after `waiting` and found no room.
    hole: Option<Hole>,
    ending: bool,
    state: AuditState,
}

#[derive(Debug, Clone, Copy)]
struct Hole {
    lines: u64,
    first: UnixMs,
    last: UnixMs,
}

impl AuditLog {
    /// Opens the log of the daemon that calls itself `who`, and starts its thread.
    ///
    /// # Errors
    /// When the directory or the last file cannot be opened.
    pub fn start(
        directory: AuditDir,
        bounds: ChainBounds,
        who: &'static str,
        clock: &Clock,
    ) -> io::Result<(Self, AuditWriter)> {
        let (log, mut writer) = Self::open(directory, bounds, who, clock)?;
        let thread = thread::Builder::new().name("audit".to_owned());
        let thread = Some(thread.spawn(move || while writer.turn() {})?);
        Ok((log.clone(), AuditWriter { log, thread }))
    }

    fn open(
        directory: AuditDir,
        bounds: ChainBounds,
        who: &'static str,
        clock: &Clock,
    ) -> io::Result<(Self, Writer)> {
        let (chain, lines) = Chain::open(directory, bounds, who)?;
        let at = clock.now().unix_ms;
        for line in lines.iter().filter(|line| line.failure.is_some()) {
            tracing::error!(target: "audit", "{line}");
        }
        let state = AuditState { last: chain.last(), lost: 0, trouble: None };
        let waiting = lines.into_iter().map(|line| Entry { at, line }).collect();
        let queue = Queue { waiting, hole: None, ending: false, state };
        let log = Self(Arc::new(Shared { queue: Mutex::new(queue), bell: Condvar::new() }));
        let writer = Writer {
            log: log.clone(),
            chain,
            who,
            clock: clock.clone(),
            pending: VecDeque::new(),
            synced: None,
            told: None,
        };
        Ok((log, writer))
    }

    /// Notes a line.
    pub fn note(&self, entry: Entry) {
        let mut queue = self.lock();
        if queue.waiting.len() >= QUEUE_LINES_MAX {
            return queue.lose(1, entry.at);
        }
        queue.waiting.push_back(entry);
        if queue.waiting.len() == 1 {
            self.0.bell.notify_one();
        }
    }

    /// Notes that lines have been lost before they could be noted.
    pub fn note_lost(&self, lines: u64, at: UnixMs) {
        self.lock().lose(lines, at);
        self.0.bell.notify_one();
    }

    /// How it is.
    #[must_use]
    pub fn state(&self) -> AuditState {
        self.lock().state.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn lose(&mut self, lines: u64, at: UnixMs) {
        let hole = self.hole.get_or_insert(Hole { lines: 0, first: at, last: at });
        hole.lines += lines;
        hole.last = at;
        self.state.lost += lines;
    }

    fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.hole.is_none()
    }

    fn take(&mut self) -> VecDeque<Entry> {
        let mut taken = mem::take(&mut self.waiting);
        taken.extend(self.hole.take().map(Hole::entry));
        taken
    }
}

impl Hole {
    fn entry(self) -> Entry {
        let Self { lines, first, last } = self;
        let cause = format!("{lines} lines found no room and were not kept");
        let detail = format!("lines={lines} from_ms={first} to_ms={last}");
        let line = AuditLine::by("audit").failed("LOST", "ENOBUFS", cause, detail);
        Entry { at: last, line }
    }
}

impl AuditWriter {
    /// Writes what waits, and that this is the end.
    fn end(&mut self) {
        self.log.lock().ending = true;
        self.log.0.bell.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // a panic in there has been reported
        }
    }
}

impl Drop for AuditWriter {
    fn drop(&mut self) {
        self.end();
    }
}

/// What the thread does.
struct Writer {
    log: AuditLog,
    chain: Chain,
    who: &'static str,
    clock: Clock,
    /// Taken from the queue, and not written yet.
    pending: VecDeque<Entry>,
    synced: Option<Instant>,
    told: Option<Instant>,
}

impl Writer {
    /// Waits for something to do, and does it; whether there will be more.
    fn turn(&mut self) -> bool {
        let ending = self.await_work();
        if ending {
            let line = AuditLine::by(self.who).done(STOP, String::new());
            self.pending.push_back(Entry { at: self.clock.now().unix_ms, line });
        }
        let done = self.chain.append(&mut self.pending).and_then(|()| self.sync_when_due(ending));
        self.tell(done.err());
        if ending && !self.pending.is_empty() {
            tracing::error!(target: "audit", lines = self.pending.len(), "ending with lines that could not be kept");
        }
        !ending
    }

    /// Until there are lines, or it is time to sync or to try again; whether this is the end.
    fn await_work(&mut self) -> bool {
        let now = Instant::now();
        let until = if !self.pending.is_empty() {
            Some(now + RETRY_PERIOD)
        } else if self.chain.is_unsynced() {
            Some(self.synced.map_or(now, |synced| synced + SYNC_PERIOD))
        } else {
            None
        };
        let shared = Arc::clone(&self.log.0);
        let mut queue = shared.queue.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if queue.ending || self.pending.is_empty() && !queue.is_empty() {
                let gathers = |queue: &mut Queue| !queue.ending;
                let gathered = shared.bell.wait_timeout_while(queue, GATHER, gathers);
                let (mut queue, _) = gathered.unwrap_or_else(PoisonError::into_inner);
                self.pending.extend(queue.take());
                return queue.ending;
            }
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            queue = match left {
                Some(Duration::ZERO) => return false,
                Some(left) => {
                    let waited = shared.bell.wait_timeout(queue, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => shared.bell.wait(queue).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    fn sync_when_due(&mut self, now: bool) -> io::Result<()> {
        let due = self.synced.is_none_or(|synced| synced.elapsed() >= SYNC_PERIOD);
        if self.chain.is_unsynced() && (now || due) {
            self.synced = Some(Instant::now()); // also where it fails: the next attempt is a period away
            self.chain.sync()?;
        }
        Ok(())
    }

    /// Tells operators, and whoever asks for the state.
    fn tell(&mut self, error: Option<io::Error>) {
        let trouble = error.map(|error| error.to_string());
        match &trouble {
            Some(error) if self.told.is_none_or(|told| told.elapsed() >= TELL_PERIOD) => {
                tracing::error!(target: "audit", %error, waiting = self.pending.len(), "the audit log cannot be written");
                self.told = Some(Instant::now());
            }
            None if self.told.take().is_some() => {
                tracing::warn!(target: "audit", "the audit log is written again");
            }
            _ => {}
        }
        let mut queue = self.log.lock();
        queue.state.last = self.chain.last();
        queue.state.trouble = trouble;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::verify::verify;

    const BOUNDS: ChainBounds = ChainBounds { file_bytes_max: 16 << 20, files_max: 4 };

    fn entry(number: usize) -> Entry {
        let line = AuditLine::by("tester").done("COUNT", number.to_string());
        Entry { at: UnixMs(number as u64), line }
    }

    /// Proves AUDIT-7.
    #[test]
    fn lines_that_find_no_room_are_counted_where_they_would_have_been() {
        let place = tempfile::tempdir().unwrap();
        let directory = AuditDir::of(place.path());
        let (log, mut writer) =
            AuditLog::open(directory.clone(), BOUNDS, "bridge", &Clock::system()).unwrap();
        let already = log.lock().waiting.len();
        for number in 0..QUEUE_LINES_MAX + 3 - already {
            log.note(entry(number));
        }
        assert_eq!(log.state().lost, 3);
        assert!(writer.turn());
        log.note(entry(9999));
        log.lock().ending = true;
        assert!(!writer.turn());
        let text = std::fs::read_to_string(directory.path().join("audit-00000001.jsonl")).unwrap();
        let last: Vec<_> = text.lines().rev().take(3).collect();
        assert!(last[0].contains("\"verb\":\"STOP\""));
        assert!(last[1].contains("\"detail\":\"9999\""));
        assert!(
            last[2].contains(
                "\"verb\":\"LOST\",\"code\":\"ENOBUFS\",\"cause\":\"3 lines found no room and were not kept\""
            ),
            "{}",
            last[2]
        );
        assert_eq!(verify(&directory, None).unwrap().fault, None);
        assert_eq!(log.state().trouble, None);
    }

    /// Proves AUDIT-4.
    #[test]
    fn a_file_system_that_says_no_stops_nobody_and_is_told_of() {
        let place = tempfile::tempdir().unwrap();
        let directory = AuditDir::of(place.path());
        let (log, mut writer) =
            AuditLog::open(directory.clone(), BOUNDS, "bridge", &Clock::system()).unwrap();
        std::fs::remove_dir_all(directory.path()).unwrap();
        assert!(writer.turn());
        let trouble = log.state().trouble.expect("the directory is gone");
        assert!(trouble.contains("No such file"), "{trouble}");
        log.note(entry(1)); // does not wait
        assert_eq!(log.lock().waiting.len(), 1);
    }

    #[test]
    fn dropping_the_writer_writes_what_waits() {
        let place = tempfile::tempdir().unwrap();
        let directory = AuditDir::of(place.path());
        let (log, writer) =
            AuditLog::start(directory.clone(), BOUNDS, "bridge", &Clock::system()).unwrap();
        (0..100).for_each(|number| log.note(entry(number)));
        drop(writer);
        let report = verify(&directory, None).unwrap();
        assert_eq!((report.fault, report.last.seq), (None, 103));
    }
}
