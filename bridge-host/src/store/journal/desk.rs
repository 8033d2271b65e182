//! What the journal's writer and its two threads share: what is appended, how far it is on the disk, and what they need of each other.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{directory::Segment, frame::Position, row::Row};

/// Rows for which nobody waits are on the disk this much later all the same.
const LINGER: Duration = Duration::from_millis(10);

/// The thread that keeps the rows takes those of this long at once: nobody waits for it, and waking it for each job would cost whoever
/// submits one more than all the rest of the journal.
const GATHER: Duration = Duration::from_millis(10);

/// See the module.
#[derive(Debug)]
pub(super) struct Desk {
    state: Mutex<State>,
    /// Rung for the thread that syncs.
    sync: Condvar,
    /// Rung for the thread that keeps the rows.
    keep: Condvar,
}

#[derive(Debug)]
struct State {
    appended: Position,
    wanted: Position,
    synced: Position,
    /// Where rows go.
    current: Arc<Segment>,
    /// Segments that are full and not yet synced.
    full: Vec<Arc<Segment>>,
    spare: Option<Arc<Segment>>,
    /// Why there is no spare, if it cannot be made.
    no_spare: Option<String>,
    inbox: VecDeque<Note>,
    inbox_bytes: usize,
    /// Why nothing is safe any more.
    broken: Option<String>,
    stopping: bool,
}

/// News for the thread that keeps the rows.
#[derive(Debug)]
pub(super) enum Note {
    /// These were appended.
    Rows(Vec<Row>, usize),
    /// What comes now is in the next segment; this one ends here.
    Full { number: u64, end: Position },
}

/// How the journal is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Condition {
    pub(super) synced: Position,
    pub(super) no_spare: Option<String>,
    pub(super) broken: Option<String>,
    pub(super) inbox_bytes: usize,
}

/// What is to be synced, and up to where everything is safe then.
#[derive(Debug)]
pub(super) struct SyncTask {
    pub(super) segments: Vec<Arc<Segment>>,
    pub(super) up_to: Position,
}

impl Desk {
    pub(super) fn new(current: Arc<Segment>, end: Position) -> Self {
        let state = State {
            appended: end,
            wanted: end,
            synced: end,
            current,
            full: Vec::new(),
            spare: None,
            no_spare: None,
            inbox: VecDeque::new(),
            inbox_bytes: 0,
            broken: None,
            stopping: false,
        };
        Self { state: Mutex::new(state), sync: Condvar::new(), keep: Condvar::new() }
    }

    /// Rows were handed to the system.
    pub(super) fn appended(&self, rows: Vec<Row>, bytes: usize, up_to: Position) {
        let mut state = self.lock();
        let was_clean = state.synced == state.appended;
        let was_empty = state.inbox.is_empty();
        state.appended = up_to;
        state.inbox.push_back(Note::Rows(rows, bytes));
        state.inbox_bytes += bytes;
        drop(state);
        if was_clean {
            self.sync.notify_one();
        }
        if was_empty {
            self.keep.notify_one();
        }
    }

    /// Somebody waits until everything up to here is on the disk.
    pub(super) fn want(&self, up_to: Position) {
        let mut state = self.lock();
        if up_to > state.wanted {
            state.wanted = up_to;
            drop(state);
            self.sync.notify_one();
        }
    }

    /// The segment that rows go to from here on, if one is ready.
    pub(super) fn next_segment(&self, end: Position) -> Option<Arc<Segment>> {
        let mut state = self.lock();
        let spare = state.spare.take()?;
        let full = std::mem::replace(&mut state.current, Arc::clone(&spare));
        state.inbox.push_back(Note::Full { number: full.number, end });
        state.full.push(full);
        drop(state);
        self.keep.notify_one();
        Some(spare)
    }

    pub(super) fn condition(&self) -> Condition {
        let state = self.lock();
        Condition {
            synced: state.synced,
            no_spare: state.no_spare.clone(),
            broken: state.broken.clone(),
            inbox_bytes: state.inbox_bytes,
        }
    }

    pub(super) fn synced(&self) -> Position {
        self.lock().synced
    }

    /// Waits for something to sync: at once where somebody waits for it, else after a while. `None` at the end.
    pub(super) fn next_sync(&self) -> Option<SyncTask> {
        let mut state = self.lock();
        loop {
            let dirty = state.appended > state.synced && state.broken.is_none();
            if dirty && (state.wanted > state.synced || state.stopping) {
                break;
            }
            if state.stopping {
                return None;
            }
            if !dirty {
                state = self.sync.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let (woken, timeout) =
                self.sync.wait_timeout(state, LINGER).unwrap_or_else(PoisonError::into_inner);
            state = woken;
            if timeout.timed_out() {
                break;
            }
        }
        let mut segments = std::mem::take(&mut state.full);
        segments.push(Arc::clone(&state.current));
        Some(SyncTask { segments, up_to: state.appended })
    }

    pub(super) fn synced_up_to(&self, up_to: Position) {
        self.lock().synced = up_to;
    }

    /// The disk lost something, and says so once only: from here on nothing counts as safe.
    pub(super) fn broke(&self, why: String) {
        self.lock().broken = Some(why);
    }

    /// Waits for news, or until there is no spare segment and one may be had, or for `patience`. `None` at the end.
    pub(super) fn next_notes(&self, patience: Duration) -> Option<Vec<Note>> {
        let mut state = self.lock();
        if state.inbox.is_empty() && !state.stopping {
            state =
                self.keep.wait_timeout(state, patience).unwrap_or_else(PoisonError::into_inner).0;
        }
        let gathers = |state: &mut State| !state.stopping && state.spare.is_some();
        state = self
            .keep
            .wait_timeout_while(state, GATHER, gathers)
            .unwrap_or_else(PoisonError::into_inner)
            .0;
        if state.inbox.is_empty() && state.stopping {
            return None;
        }
        state.inbox_bytes = 0;
        Some(state.inbox.drain(..).collect())
    }

    /// The number that the next spare segment has to have, if one is missing.
    pub(super) fn spare_missing(&self) -> Option<u64> {
        let state = self.lock();
        (state.spare.is_none() && !state.stopping).then(|| state.current.number + 1)
    }

    pub(super) fn put_spare(&self, spare: Segment) {
        let mut state = self.lock();
        state.spare = Some(Arc::new(spare));
        state.no_spare = None;
    }

    /// Notes why no spare can be made; whether that is news.
    pub(super) fn no_spare(&self, why: String) -> bool {
        self.lock().no_spare.replace(why).is_none()
    }

    pub(super) fn stop(&self) {
        self.lock().stopping = true;
        self.sync.notify_all();
        self.keep.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
