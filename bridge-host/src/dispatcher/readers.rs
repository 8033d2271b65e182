//! Threads that read modules: text of 16 MiB takes longer to read than anybody else should wait for the hive's lock.
//!
//! ```text
//!   want ─▶ due, by owner ─▶ reader: one module of each owner at a time, owners in turn ─▶ tell
//!              └── forget: who wanted it has gone
//! ```
//! Knows nothing of what was read before, nor of who waits: that is [`super::modules`].

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fs::File,
    io::{self, Read},
    ops::Bound,
    panic::catch_unwind,
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};

use ninedoor_abi::{Errno, Refusal, job::Sha256};

use super::modules::{MODULE_BYTES_MAX, ModuleFacts};
use crate::store::Owner;

/// Threads that read: while one reads for an owner, the other serves the rest.
const READERS: usize = 2;

/// Modules of one owner that wait to be read.
pub(super) const OWNER_DUE_MAX: usize = 32;

/// A module to be read.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) digest: Sha256,
    pub(super) owner: Owner,
    pub(super) source: Source,
}

/// Where a module's bytes are.
#[derive(Debug)]
pub(super) enum Source {
    Bytes(Vec<u8>),
    File(PathBuf),
}

/// What came of reading one.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(super) digest: Sha256,
    pub(super) facts: Result<ModuleFacts, Refusal>,
}

/// Where tasks are put, and taken from.
#[derive(Debug, Default)]
pub(super) struct Desk {
    state: Mutex<State>,
    bell: Condvar,
}

#[derive(Debug, Default)]
struct State {
    due: BTreeMap<Owner, VecDeque<Task>>,
    /// For whom a reader reads now.
    busy: BTreeSet<Owner>,
    /// Who was served last.
    last: Option<Owner>,
    ends: bool,
}

/// The threads; dropping this ends them, once they have read what they are reading.
#[derive(Debug)]
pub(crate) struct Readers {
    desk: Arc<Desk>,
    threads: Vec<JoinHandle<()>>,
}

impl Readers {
    /// Starts the threads; `tell` is called with all that was read.
    pub(super) fn start(
        desk: &Arc<Desk>,
        tell: impl Fn(Reading) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let tell = Arc::new(tell);
        let mut readers = Self { desk: Arc::clone(desk), threads: Vec::new() };
        for _ in 0..READERS {
            let (desk, tell) = (Arc::clone(desk), Arc::clone(&tell));
            let work = move || {
                while let Some(task) = desk.next() {
                    let owner = task.owner.clone();
                    let reading = task.read();
                    desk.done(&owner);
                    tell(reading);
                }
            };
            readers
                .threads
                .push(thread::Builder::new().name("module-reader".to_owned()).spawn(work)?);
        }
        Ok(readers)
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.desk.lock().ends = true;
        self.desk.bell.notify_all();
        for thread in self.threads.drain(..) {
            let _ = thread.join(); // a panic in there was reported where it happened
        }
    }
}

impl Desk {
    /// A module is to be read.
    ///
    /// # Errors
    /// `EAGAIN` when too many of this owner are due already.
    pub(super) fn want(&self, task: Task) -> Result<(), Refusal> {
        let mut state = self.lock();
        let due = state.due.entry(task.owner.clone()).or_default();
        if due.len() >= OWNER_DUE_MAX {
            let text = format!(
                "{} new modules of yours wait to be read, at most {OWNER_DUE_MAX}; try again later",
                due.len()
            );
            return Err(Refusal::new(Errno::EAGAIN, text));
        }
        due.push_back(task);
        self.bell.notify_one();
        Ok(())
    }

    /// Nobody wants this module any more. Whether it was still due: what is being read is read.
    pub(super) fn forget(&self, digest: &Sha256) -> bool {
        let mut state = self.lock();
        let mut found = false;
        state.due.retain(|_, tasks| {
            let before = tasks.len();
            tasks.retain(|task| task.digest != *digest);
            found |= tasks.len() < before;
            !tasks.is_empty()
        });
        found
    }

    /// The next task, when there is one that no other reader must end first; none when there will be no more.
    fn next(&self) -> Option<Task> {
        let mut state = self.lock();
        loop {
            if state.ends {
                return None;
            }
            if let Some(task) = state.take() {
                return Some(task);
            }
            state = self.bell.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn done(&self, owner: &Owner) {
        self.lock().busy.remove(owner);
        self.bell.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the next module without a thread.
    #[cfg(test)]
    pub(super) fn read_one(&self) -> Option<Reading> {
        let task = self.lock().take()?;
        self.done(&task.owner);
        Some(task.read())
    }
}

impl State {
    /// The first due of the owner whose turn it is.
    fn take(&mut self) -> Option<Task> {
        let after = match &self.last {
            Some(last) => Bound::Excluded(last),
            None => Bound::Unbounded,
        };
        let mut in_turn = self.due.range((after, Bound::Unbounded)).chain(self.due.iter());
        let owner = in_turn.find(|(owner, _)| !self.busy.contains(*owner))?.0.clone();
        let tasks = self.due.get_mut(&owner)?;
        let task = tasks.pop_front();
        if tasks.is_empty() {
            self.due.remove(&owner);
        }
        self.busy.insert(owner.clone());
        self.last = Some(owner);
        task
    }
}

impl Task {
    fn read(self) -> Reading {
        let Self { digest, source, .. } = self;
        let facts = source.bytes().and_then(|bytes| {
            catch_unwind(|| ModuleFacts::of(&bytes)).unwrap_or_else(|_| {
                Err(Refusal::new(
                    Errno::EIO,
                    "module: its reader panicked, which is a fault of this bridge",
                ))
            })
        });
        Reading { digest, facts }
    }
}

impl Source {
    fn bytes(self) -> Result<Vec<u8>, Refusal> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::File(path) => {
                let mut bytes = Vec::new();
                File::open(&path)
                    .and_then(|file| file.take(MODULE_BYTES_MAX + 1).read_to_end(&mut bytes))
                    .map_err(|error| {
                        Refusal::new(Errno::EIO, format!("module: {}: {error}", path.display()))
                    })?;
                Ok(bytes)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::sha256_of;

    fn task(owner: &str, text: &str) -> Task {
        let source = Source::Bytes(text.as_bytes().to_vec());
        Task {
            digest: sha256_of(text.as_bytes()),
            owner: Owner::Subject(owner.parse().unwrap()),
            source,
        }
    }

    fn next(desk: &Desk) -> Option<(String, Sha256)> {
        let task = desk.lock().take()?;
        match task.owner {
            Owner::Subject(subject) => Some((subject.to_string(), task.digest)),
            Owner::Shared => None,
        }
    }

    /// Proves BR-34.
    #[test]
    fn owners_are_served_in_turn_and_one_module_of_each_at_a_time() {
        let desk = Desk::default();
        for (owner, text) in [("a", "1"), ("a", "2"), ("a", "3"), ("b", "4")] {
            desk.want(task(owner, text)).unwrap();
        }
        let whose = |desk: &Desk| next(desk).map(|(owner, _)| owner);
        assert_eq!(whose(&desk).as_deref(), Some("a"));
        assert_eq!(whose(&desk).as_deref(), Some("b"));
        assert_eq!(whose(&desk), None, "both are read for");
        desk.done(&Owner::Subject("a".parse().unwrap()));
        assert_eq!(next(&desk), Some(("a".to_owned(), sha256_of(b"2"))));
    }

    /// Proves BR-34.
    #[test]
    fn what_nobody_wants_any_more_is_not_read() {
        let desk = Desk::default();
        desk.want(task("a", "1")).unwrap();
        desk.want(task("a", "2")).unwrap();
        assert!(desk.forget(&sha256_of(b"1")));
        assert!(!desk.forget(&sha256_of(b"1")));
        assert_eq!(next(&desk), Some(("a".to_owned(), sha256_of(b"2"))));
    }

    /// Proves BR-34.
    #[test]
    fn an_owner_has_a_bounded_number_of_modules_due() {
        let desk = Desk::default();
        for number in 0..OWNER_DUE_MAX {
            desk.want(task("a", &number.to_string())).unwrap();
        }
        let refusal = desk.want(task("a", "one more")).unwrap_err();
        assert_eq!(
            (refusal.errno, refusal.text.as_str()),
            (Errno::EAGAIN, "32 new modules of yours wait to be read, at most 32; try again later")
        );
        desk.want(task("b", "another's")).unwrap();
    }

    #[test]
    fn a_module_that_cannot_be_read_says_why() {
        let desk = Desk::default();
        let source = Source::File("/nowhere/at/all".into());
        desk.want(Task { source, ..task("a", "1") }).unwrap();
        let refusal = desk.read_one().unwrap().facts.unwrap_err();
        assert_eq!(
            (refusal.errno, refusal.text.as_str()),
            (Errno::EIO, "module: /nowhere/at/all: No such file or directory (os error 2)")
        );
    }
}
