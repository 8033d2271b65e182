//! Contents: each once, under the name of its hash, as long as a name or somebody who uses it needs it.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::mpsc::Sender,
    time::{Duration, SystemTime},
};

use ninedoor_abi::{Errno, Refusal, UnixMs, job::Sha256};

use super::{Artefact, at, create_new, scribe::Task, world};

/// Every content.
#[derive(Debug)]
pub(super) struct Objects {
    directory: PathBuf,
    /// Who closes what is removed.
    desk: Sender<Task>,
    objects: BTreeMap<Sha256, Object>,
}

#[derive(Debug)]
struct Object {
    bytes: u64,
    /// Artefacts that have this content.
    names: usize,
    /// Jobs not yet ended, open fids and uploads that need it.
    holders: usize,
    /// When somebody needed it last.
    used_ms: UnixMs,
    /// What its file says of that: the next daemon goes by it.
    noted_ms: UnixMs,
    /// Whether it is certain to be on the disk, whole.
    is_durable: bool,
}

/// From here on it takes a while to free a content's room on the disk: a second for each GiB where the machine is busy.
const LARGE_BYTES: u64 = 1 << 20;

/// How often, in the time that contents are kept, the file says that it was used.
const NOTES_PER_AGE: u64 = 16;

impl Objects {
    /// What is below `directory`; nothing names it yet.
    pub(super) fn open(directory: PathBuf, desk: Sender<Task>) -> io::Result<Self> {
        let mut objects = BTreeMap::new();
        for entry in fs::read_dir(&directory)? {
            let entry = entry?;
            let Some(digest) =
                entry.file_name().to_str().and_then(|name| Sha256::of_hex(name).ok())
            else {
                fs::remove_file(entry.path()).map_err(|error| at(&entry.path(), error))?;
                continue;
            };
            let facts = entry.metadata()?;
            let used_ms = unix_ms(facts.modified()?);
            let object = Object {
                bytes: facts.len(),
                names: 0,
                holders: 0,
                used_ms,
                noted_ms: used_ms,
                is_durable: false,
            };
            objects.insert(digest, object);
        }
        Ok(Self { directory, desk, objects })
    }

    pub(super) fn path(&self, digest: &Sha256) -> PathBuf {
        self.directory.join(digest.hex())
    }

    pub(super) fn len(&self) -> usize {
        self.objects.len()
    }

    /// Bytes of all, each counted once.
    pub(super) fn bytes(&self) -> u64 {
        self.objects.values().map(|object| object.bytes).sum()
    }

    pub(super) fn contains(&self, digest: &Sha256) -> bool {
        self.objects.contains_key(digest)
    }

    pub(super) fn is_durable(&self, digest: &Sha256) -> bool {
        self.objects.get(digest).is_some_and(|object| object.is_durable)
    }

    /// A name for a content that was read from the disk; `None` where it is not there.
    pub(super) fn name_found(&mut self, digest: &Sha256) -> Option<Artefact> {
        let object = self.objects.get_mut(digest)?;
        object.names += 1;
        object.is_durable = true;
        Some(Artefact { digest: *digest, bytes: object.bytes })
    }

    /// Holds a content that is there, or is about to be.
    pub(super) fn hold_coming(&mut self, artefact: &Artefact, now: UnixMs) {
        let object = self.objects.entry(artefact.digest).or_insert(Object {
            bytes: artefact.bytes,
            names: 0,
            holders: 0,
            used_ms: now,
            noted_ms: now,
            is_durable: false,
        });
        object.holders += 1;
        object.used_ms = now;
    }

    /// A content that is held is on the disk now, under one name more.
    pub(super) fn named(&mut self, digest: &Sha256) {
        if let Some(object) = self.objects.get_mut(digest) {
            object.names += 1;
            object.is_durable = true;
        }
    }

    pub(super) fn hold(&mut self, digest: &Sha256, now: UnixMs) -> Result<(), Refusal> {
        let object = self
            .objects
            .get_mut(digest)
            .ok_or_else(|| Refusal::new(Errno::ENOENT, format!("no artefact with {digest}")))?;
        object.holders += 1;
        object.used_ms = now;
        Ok(())
    }

    pub(super) fn release(&mut self, digest: &Sha256, now: UnixMs, keep_ms: u64) {
        let path = self.path(digest);
        let Some(object) = self.objects.get_mut(digest) else { return };
        object.holders -= 1;
        object.used_ms = now;
        if keep_ms > 0 && now.ms_since(object.noted_ms) > keep_ms / NOTES_PER_AGE {
            object.noted_ms = now;
            note_use(&path, now);
        }
        self.remove_unneeded(digest);
    }

    pub(super) fn unnamed(&mut self, digest: &Sha256) {
        if let Some(object) = self.objects.get_mut(digest) {
            object.names -= 1;
            self.remove_unneeded(digest);
        }
    }

    /// Holds a content of these bytes, making it if it is not there. Without a name it does not outlive a loss of power for certain.
    pub(super) fn keep(
        &mut self,
        artefact: &Artefact,
        bytes: &[u8],
        now: UnixMs,
    ) -> Result<(), Refusal> {
        let path = self.path(&artefact.digest);
        if !self.is_durable(&artefact.digest) && !path.exists() {
            let mut file = create_new(&path, 0o400)?;
            file.write_all(bytes)
                .and_then(|()| file.set_modified(system_time(now)))
                .map_err(|error| world(&path, &error))?;
        }
        self.hold_coming(artefact, now);
        Ok(())
    }

    pub(super) fn read(&self, digest: &Sha256) -> Result<File, Refusal> {
        let path = self.path(digest);
        File::open(&path).map_err(|error| world(&path, &error))
    }

    /// Contents that nobody holds and nobody has used for longer than `keep_ms`.
    pub(super) fn unused(&self, now: UnixMs, keep_ms: u64) -> Vec<Sha256> {
        let is_unused =
            |object: &Object| object.holders == 0 && now.ms_since(object.used_ms) > keep_ms;
        let unused = self.objects.iter().filter(|(_, object)| is_unused(object));
        unused.map(|(digest, _)| *digest).collect()
    }

    /// Removes what has neither a name nor a holder.
    pub(super) fn drop_unneeded(&mut self) {
        for digest in self.objects.keys().copied().collect::<Vec<_>>() {
            self.remove_unneeded(&digest);
        }
    }

    fn remove_unneeded(&mut self, digest: &Sha256) {
        let is_unneeded = |object: &Object| object.names == 0 && object.holders == 0;
        if !self.objects.get(digest).is_some_and(is_unneeded) {
            return;
        }
        let Some(object) = self.objects.remove(digest) else { return };
        let path = self.path(digest);
        let open = if object.bytes >= LARGE_BYTES { File::open(&path).ok() } else { None };
        let removed = fs::remove_file(&path);
        if let Some(file) = open {
            let _ = self.desk.send(Task::Close(file)); // where nobody writes any more it is closed here
        }
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(path = %path.display(), %error, "cannot remove an artefact that nothing needs");
            }
            _ => {} // one that never got there is gone too
        }
    }
}

fn note_use(path: &Path, now: UnixMs) {
    if let Err(error) = File::open(path).and_then(|file| file.set_modified(system_time(now))) {
        tracing::warn!(path = %path.display(), %error, "cannot note that an artefact was used");
    }
}

pub(super) fn system_time(at: UnixMs) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(at.0)
}

fn unix_ms(at: SystemTime) -> UnixMs {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    UnixMs(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::digest::sha256_of;

    /// Proves BR-35.
    #[test]
    fn a_large_content_is_gone_at_once_and_its_room_is_freed_by_a_scribe() {
        let place = tempfile::tempdir().unwrap();
        let (desk, tasks) = mpsc::channel();
        let mut objects = Objects::open(place.path().to_owned(), desk).unwrap();
        for (bytes, closed) in [(LARGE_BYTES - 1, false), (LARGE_BYTES, true)] {
            let content = vec![0; usize::try_from(bytes).unwrap()];
            let artefact = Artefact { digest: sha256_of(&content), bytes };
            objects.keep(&artefact, &content, UnixMs(0)).unwrap();
            objects.release(&artefact.digest, UnixMs(0), 0);
            assert!(!objects.path(&artefact.digest).exists());
            assert_eq!(matches!(tasks.try_recv(), Ok(Task::Close(_))), closed);
        }
    }
}
