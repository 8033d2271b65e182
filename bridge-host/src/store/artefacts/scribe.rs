//! The threads that write, hash and sync artefacts, so that nobody waits for a disk with the daemon's lock in hand.
//!
//! ```text
//!  store ──Write, Seal, Place, Forget──▶ a scribe ──Written, Sealed, Placed──▶ store (which answers whoever waits)
//! ```
//! All tasks of one upload go to one scribe, in order. A scribe decides nothing: names, quotas and references are the store's.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, ErrorKind, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{self, Receiver, Sender},
    },
    thread::{self, JoinHandle},
};

use ninedoor_abi::{Refusal, UnixMs, job::Sha256};

use super::{Artefact, Receipt, create_new, objects::system_time, upload::UploadId, world};
use crate::digest::Hasher;

/// Scribes: one that waits for the disk holds up a part of the uploads only.
const SCRIBES: usize = 4;

/// One thing to do.
#[derive(Debug)]
pub(super) enum Task {
    /// Append these bytes.
    Write { upload: UploadId, bytes: Vec<u8>, receipt: Receipt },
    /// Nothing more comes: make it durable.
    Seal { upload: UploadId },
    /// Give it its place and its name, durably. `content` is where it goes, unless its like is there already.
    Place { upload: UploadId, content: Option<PathBuf>, link: PathBuf, digest: Sha256, now: UnixMs },
    /// It is not wanted, or not here any more.
    Forget { upload: UploadId },
    /// A content without a name: its room is free when this is closed, which takes long where there is much of it.
    Close(File),
    /// Nothing more is to be done, ever.
    End,
}

/// One thing that was done.
#[derive(Debug)]
pub(crate) enum Done {
    /// The bytes of this receipt are in the file.
    Written { receipt: Receipt, outcome: Result<(), Refusal> },
    /// It is on the disk, and is this.
    Sealed { upload: UploadId, outcome: Result<Artefact, Refusal> },
    /// It has its name.
    Placed { upload: UploadId, outcome: Result<(), Refusal> },
}

/// Where tasks are put, and whose threads have not started yet.
#[derive(Debug)]
pub(super) struct Desks {
    senders: Vec<Sender<Task>>,
    waiting: Vec<Scribe>,
}

/// The threads. Dropping them ends them, once they have done what they were given.
#[derive(Debug)]
pub(crate) struct Scribes {
    senders: Vec<Sender<Task>>,
    threads: Vec<JoinHandle<()>>,
}

/// One scribe and the files it is writing.
#[derive(Debug)]
struct Scribe {
    tasks: Receiver<Task>,
    incoming: PathBuf,
    files: BTreeMap<UploadId, Manuscript>,
}

#[derive(Debug)]
struct Manuscript {
    path: PathBuf,
    file: File,
    hasher: Hasher,
    bytes: u64,
    /// After a failure nothing of it counts.
    spoilt: Option<Refusal>,
}

impl Desks {
    pub(super) fn new(incoming: &Path) -> Self {
        let (senders, waiting) = (0..SCRIBES)
            .map(|_| {
                let (sender, tasks) = mpsc::channel();
                (sender, Scribe { tasks, incoming: incoming.to_owned(), files: BTreeMap::new() })
            })
            .unzip();
        Self { senders, waiting }
    }

    /// Starts the threads; `tell` is called with all that is done.
    pub(super) fn start(
        &mut self,
        tell: impl Fn(Done) + Send + Sync + 'static,
    ) -> io::Result<Scribes> {
        let tell = Arc::new(tell);
        let mut scribes = Scribes { senders: self.senders.clone(), threads: Vec::new() };
        for mut scribe in self.waiting.drain(..) {
            let tell = Arc::clone(&tell);
            let work = move || while scribe.turn(&*tell) {};
            scribes.threads.push(thread::Builder::new().name("scribe".to_owned()).spawn(work)?);
        }
        Ok(scribes)
    }

    /// Whose desk an upload's tasks go to.
    pub(super) fn of(&self, upload: UploadId) -> &Sender<Task> {
        &self.senders[usize::try_from(upload.0 % SCRIBES as u64).unwrap_or(0)]
    }

    /// Does what was given so far, without threads.
    #[cfg(test)]
    pub(super) fn work_off(&mut self) -> Vec<Done> {
        let done = std::cell::RefCell::new(Vec::new());
        for scribe in &mut self.waiting {
            while let Ok(task) = scribe.tasks.try_recv() {
                scribe.perform(task, &|what| done.borrow_mut().push(what));
            }
        }
        done.into_inner()
    }
}

impl Drop for Scribes {
    fn drop(&mut self) {
        for sender in &self.senders {
            let _ = sender.send(Task::End); // one that is gone has ended
        }
        for thread in self.threads.drain(..) {
            let _ = thread.join(); // a panic in there was reported where it happened
        }
    }
}

impl Scribe {
    /// One task; `false` when there will be no more.
    fn turn(&mut self, tell: &impl Fn(Done)) -> bool {
        match self.tasks.recv() {
            Ok(Task::End) | Err(_) => false,
            Ok(task) => {
                self.perform(task, tell);
                true
            }
        }
    }

    fn perform(&mut self, task: Task, tell: &impl Fn(Done)) {
        match task {
            Task::Write { upload, bytes, receipt } => {
                let outcome = self.manuscript(upload).and_then(|text| text.append(&bytes));
                tell(Done::Written { receipt, outcome });
            }
            Task::Seal { upload } => {
                let outcome = self.manuscript(upload).and_then(|text| text.seal());
                tell(Done::Sealed { upload, outcome });
            }
            Task::Place { upload, content, link, digest, now } => {
                let outcome = self.manuscript(upload).and_then(|text| {
                    let placed = match &content {
                        Some(content) => text.move_to(content, now),
                        None => Ok(()),
                    };
                    placed
                        .and_then(|()| make_link(&link, &digest))
                        .map_err(|error| world(&link, &error))
                });
                tell(Done::Placed { upload, outcome });
            }
            Task::Forget { upload } => {
                if let Some(text) = self.files.remove(&upload) {
                    let _ = fs::remove_file(&text.path); // what was placed has moved away
                }
            }
            Task::Close(file) => drop(file),
            Task::End => {}
        }
    }

    /// The file is made when there is something for it, also nothing.
    fn manuscript(&mut self, upload: UploadId) -> Result<&mut Manuscript, Refusal> {
        let entry = match self.files.entry(upload) {
            std::collections::btree_map::Entry::Occupied(found) => return Ok(found.into_mut()),
            std::collections::btree_map::Entry::Vacant(entry) => entry,
        };
        let path = self.incoming.join(upload.0.to_string());
        let file = create_new(&path, 0o600)?;
        let hasher = Hasher::default();
        Ok(entry.insert(Manuscript { path, file, hasher, bytes: 0, spoilt: None }))
    }
}

impl Manuscript {
    fn append(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        self.unspoilt()?;
        if let Err(error) = self.file.write_all(bytes) {
            let refusal = world(&self.path, &error);
            self.spoilt = Some(refusal.clone());
            return Err(refusal);
        }
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    fn seal(&self) -> Result<Artefact, Refusal> {
        self.unspoilt()?;
        self.file
            .set_permissions(fs::Permissions::from_mode(0o400))
            .and_then(|()| self.file.sync_all())
            .map_err(|error| world(&self.path, &error))?;
        Ok(Artefact { digest: self.hasher.clone().finish(), bytes: self.bytes })
    }

    /// Comes before the name: a crash in between leaves a content without a name, which nobody misses.
    fn move_to(&self, content: &Path, now: UnixMs) -> io::Result<()> {
        self.file.set_modified(system_time(now))?;
        fs::rename(&self.path, content)?;
        sync_directory(content)
    }

    fn unspoilt(&self) -> Result<(), Refusal> {
        self.spoilt.clone().map_or(Ok(()), Err)
    }
}

fn make_link(link: &Path, digest: &Sha256) -> io::Result<()> {
    let directory = link.parent().unwrap_or(link);
    match fs::create_dir(directory) {
        Ok(()) => sync_directory(directory)?,
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        Err(_) => {}
    }
    std::os::unix::fs::symlink(Path::new("../../objects").join(digest.hex()), link)?;
    sync_directory(link)
}

/// The entry of this path is on the disk afterwards.
fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path.parent().unwrap_or(path))?.sync_all()
}
