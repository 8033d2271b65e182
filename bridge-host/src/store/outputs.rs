//! Outputs of jobs: made empty and of full size before the launch, filled by the executor, served when the job is OK.
//!
//! ```text
//! outputs/<number>/files/<name>    the bytes; nobody looks before index.json is there
//! outputs/<number>/index.json       job, owner, time, and each file's size and SHA-256: written last, by rename
//!
//! begin ─▶ (executor writes) ─▶ publish ─▶ found by job and name ─▶ removed: by a later job of that name, by age, for space
//!             drop: as if it had never been
//! ```
//!
//! Knows jobs and owners, not leases; the sizes were checked before anything is made here.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use ninedoor_abi::{Errno, JobId, Refusal, UnixMs, job::Sha256};
use serde::{Deserialize, Serialize};

use super::Owner;

const INDEX: &str = "index.json";
const FILES: &str = "files";

/// How much is kept, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OutputQuota {
    /// Bytes of all outputs; the oldest go first.
    pub(crate) store_bytes_max: u64,
    /// Jobs whose outputs are kept; the oldest go first.
    pub(crate) jobs_max: usize,
    /// Milliseconds that outputs are kept after their job ended.
    pub(crate) keep_ms: u64,
}

/// The store.
#[derive(Debug)]
pub(crate) struct Outputs {
    root: PathBuf,
    quota: OutputQuota,
    /// By job, for those who look; a job's latest outputs only.
    jobs: BTreeMap<JobId, Kept>,
    numbers_used: u64,
}

#[derive(Debug)]
struct Kept {
    number: u64,
    owner: Owner,
    ended_ms: UnixMs,
    files: BTreeMap<String, Output>,
}

/// One output of a job that ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Output {
    /// Its size.
    pub(crate) bytes: u64,
    /// Its content's name, as the executor computed it.
    pub(crate) digest: Sha256,
}

/// Outputs of a job that runs. Dropping them removes the files.
#[derive(Debug)]
pub(crate) struct Pending {
    directory: PathBuf,
    number: u64,
    job: JobId,
    owner: Owner,
    files: Vec<PendingFile>,
    published: bool,
}

#[derive(Debug)]
struct PendingFile {
    name: String,
    file: File,
}

#[derive(Serialize, Deserialize)]
struct Index {
    job: String,
    owner: Option<String>,
    ended_ms: u64,
    files: Vec<IndexFile>,
}

#[derive(Serialize, Deserialize)]
struct IndexFile {
    name: String,
    bytes: u64,
    sha256: String,
}

impl Outputs {
    /// Opens the store below `root`, making it if it is not there. What was not published is removed.
    ///
    /// # Errors
    /// What the file system says.
    pub(crate) fn open(root: &Path, quota: OutputQuota) -> io::Result<Self> {
        fs::create_dir_all(root)?;
        let mut store =
            Self { root: root.to_owned(), quota, jobs: BTreeMap::new(), numbers_used: 0 };
        let mut found = Vec::new();
        for entry in fs::read_dir(root)? {
            let path = entry?.path();
            match read_index(&path) {
                Some((number, job, kept)) => found.push((number, job, kept)),
                None => fs::remove_dir_all(&path)?,
            }
        }
        found.sort_by_key(|(number, ..)| *number);
        for (number, job, kept) in found {
            store.numbers_used = number + 1;
            store.put(job, kept);
        }
        Ok(store)
    }

    /// Makes the files of a job, zeroed and of full size.
    ///
    /// # Errors
    /// `ENOSPC` when they cannot fit even into an empty store, `EIO` from the file system.
    pub(crate) fn begin(
        &mut self,
        job: &JobId,
        owner: &Owner,
        files: &[(String, u64)],
    ) -> Result<Pending, Refusal> {
        let wanted: u64 = files.iter().map(|(_, bytes)| bytes).sum();
        let limit = self.quota.store_bytes_max;
        if wanted > limit {
            let text = format!("outputs of {job} take {wanted} bytes, the store keeps {limit}");
            return Err(Refusal::new(Errno::ENOSPC, text));
        }
        self.make_room(wanted);
        let number = self.numbers_used;
        self.numbers_used += 1;
        let mut pending = Pending {
            directory: self.directory(number),
            number,
            job: job.clone(),
            owner: owner.clone(),
            files: Vec::new(),
            published: false,
        };
        fs::create_dir_all(pending.directory.join(FILES))
            .and_then(|()| pending.make_files(files))
            .map_err(|error| world(&pending.directory, &error))?;
        Ok(pending)
    }

    /// Shows the outputs of a job that ended well, with what was written into them, in the order of their making.
    ///
    /// # Errors
    /// `EPROTO` when there is not one for each file, `EIO` from the file system.
    pub(crate) fn publish(
        &mut self,
        mut pending: Pending,
        written: &[Output],
        ended_ms: UnixMs,
    ) -> Result<(), Refusal> {
        if written.len() != pending.files.len() {
            let text = format!("{} hashes for {} outputs", written.len(), pending.files.len());
            return Err(Refusal::new(Errno::EPROTO, text));
        }
        let names = pending.files.iter().map(|file| file.name.clone());
        let files: BTreeMap<_, _> = names.zip(written.iter().copied()).collect();
        let kept = Kept { number: pending.number, owner: pending.owner.clone(), ended_ms, files };
        write_index(&pending.directory, &pending.job, &kept)
            .map_err(|error| world(&pending.directory, &error))?;
        pending.published = true;
        self.put(pending.job.clone(), kept);
        Ok(())
    }

    /// One output, if it is one's own; the queen may see all.
    #[must_use]
    pub(crate) fn find(&self, viewer: &Owner, job: &JobId, name: &str) -> Option<Output> {
        self.seen(viewer, job)?.files.get(name).copied()
    }

    /// Whether the name of this job is taken by outputs that one may not see.
    #[must_use]
    pub(crate) fn is_anothers(&self, viewer: &Owner, job: &JobId) -> bool {
        self.jobs.get(job).is_some_and(|kept| !kept.is_seen_by(viewer))
    }

    /// Opens an output for reading.
    ///
    /// # Errors
    /// `ENOENT` when there is none of that name that one may see, `EIO` from the file system.
    pub(crate) fn read(&self, viewer: &Owner, job: &JobId, name: &str) -> Result<File, Refusal> {
        let gone = || Refusal::new(Errno::ENOENT, format!("no output {name} of {job}"));
        let kept = self.seen(viewer, job).ok_or_else(gone)?;
        let path = self
            .directory(kept.number)
            .join(FILES)
            .join(kept.files.get_key_value(name).ok_or_else(gone)?.0);
        File::open(&path).map_err(|error| world(&path, &error))
    }

    /// The jobs that have outputs one may see.
    pub(crate) fn jobs(&self, viewer: &Owner) -> impl Iterator<Item = &JobId> {
        self.jobs.iter().filter(move |(_, kept)| kept.is_seen_by(viewer)).map(|(job, _)| job)
    }

    /// The outputs of one job, in order of name; `None` when there is no such job that one may see.
    #[must_use]
    pub(crate) fn files(&self, viewer: &Owner, job: &JobId) -> Option<&BTreeMap<String, Output>> {
        Some(&self.seen(viewer, job)?.files)
    }

    /// Removes the outputs of a job that were shown just before the daemon died, so that it could not say that the job was done.
    /// Outputs of an earlier job of that name stay.
    pub(crate) fn withdraw(&mut self, owner: &Owner, job: &JobId, accepted_ms: UnixMs) {
        let is_its = |kept: &Kept| kept.owner == *owner && kept.ended_ms >= accepted_ms;
        if self.jobs.get(job).is_some_and(is_its) {
            self.forget(job);
        }
    }

    /// Removes what is older than it is kept.
    pub(crate) fn expire(&mut self, now: UnixMs) {
        let keep_ms = self.quota.keep_ms;
        let old: Vec<JobId> = self
            .jobs
            .iter()
            .filter(|(_, kept)| now.ms_since(kept.ended_ms) > keep_ms)
            .map(|(job, _)| job.clone())
            .collect();
        for job in old {
            self.forget(&job);
        }
    }

    /// Bytes of all outputs shown.
    #[must_use]
    pub(crate) fn bytes(&self) -> u64 {
        self.jobs.values().map(Kept::bytes).sum()
    }

    fn seen(&self, viewer: &Owner, job: &JobId) -> Option<&Kept> {
        self.jobs.get(job).filter(|kept| kept.is_seen_by(viewer))
    }

    fn put(&mut self, job: JobId, kept: Kept) {
        self.forget(&job);
        self.jobs.insert(job, kept);
    }

    fn forget(&mut self, job: &JobId) {
        let Some(kept) = self.jobs.remove(job) else { return };
        let directory = self.directory(kept.number);
        if let Err(error) = fs::remove_dir_all(&directory) {
            tracing::warn!(path = %directory.display(), %error, "cannot remove old outputs");
        }
    }

    fn make_room(&mut self, bytes: u64) {
        while self.jobs.len() >= self.quota.jobs_max
            || self.bytes() + bytes > self.quota.store_bytes_max
        {
            let oldest =
                self.jobs.iter().min_by_key(|(_, kept)| kept.number).map(|(job, _)| job.clone());
            let Some(oldest) = oldest else { return };
            self.forget(&oldest);
        }
    }

    fn directory(&self, number: u64) -> PathBuf {
        self.root.join(number.to_string())
    }
}

impl Kept {
    fn is_seen_by(&self, viewer: &Owner) -> bool {
        *viewer == Owner::Shared || self.owner == *viewer
    }

    fn bytes(&self) -> u64 {
        self.files.values().map(|file| file.bytes).sum()
    }
}

impl Pending {
    /// The files, in the order they were asked for, for the executor to write.
    pub(crate) fn files(&self) -> impl Iterator<Item = &File> {
        self.files.iter().map(|file| &file.file)
    }

    fn make_files(&mut self, files: &[(String, u64)]) -> io::Result<()> {
        for (name, bytes) in files {
            let file = File::options()
                .read(true)
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(self.directory.join(FILES).join(name))?;
            file.set_len(*bytes)?;
            self.files.push(PendingFile { name: name.clone(), file });
        }
        Ok(())
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if !self.published {
            let _ = fs::remove_dir_all(&self.directory);
        }
    }
}

fn read_index(directory: &Path) -> Option<(u64, JobId, Kept)> {
    let number = directory.file_name()?.to_str()?.parse().ok()?;
    let index: Index = serde_json::from_slice(&fs::read(directory.join(INDEX)).ok()?).ok()?;
    let owner = match index.owner {
        None => Owner::Shared,
        Some(subject) => Owner::Subject(subject.parse().ok()?),
    };
    let files = index
        .files
        .into_iter()
        .map(|file| {
            Some((
                file.name,
                Output { bytes: file.bytes, digest: Sha256::of_hex(&file.sha256).ok()? },
            ))
        })
        .collect::<Option<_>>()?;
    Some((
        number,
        index.job.parse().ok()?,
        Kept { number, owner, ended_ms: UnixMs(index.ended_ms), files },
    ))
}

fn write_index(directory: &Path, job: &JobId, kept: &Kept) -> io::Result<()> {
    let file = |(name, output): (&String, &Output)| IndexFile {
        name: name.clone(),
        bytes: output.bytes,
        sha256: output.digest.hex(),
    };
    let index = Index {
        job: job.to_string(),
        owner: match &kept.owner {
            Owner::Shared => None,
            Owner::Subject(subject) => Some(subject.to_string()),
        },
        ended_ms: kept.ended_ms.0,
        files: kept.files.iter().map(file).collect(),
    };
    let incoming = directory.join(format!(".{INDEX}"));
    fs::write(&incoming, serde_json::to_vec(&index)?)?;
    fs::rename(incoming, directory.join(INDEX))
}

fn world(path: &Path, error: &io::Error) -> Refusal {
    let errno = if error.kind() == io::ErrorKind::StorageFull { Errno::ENOSPC } else { Errno::EIO };
    Refusal::new(errno, format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use tempfile::TempDir;

    use super::*;
    use crate::digest::sha256_of;

    const QUOTA: OutputQuota = OutputQuota { store_bytes_max: 100, jobs_max: 3, keep_ms: 1000 };

    struct World {
        directory: TempDir,
        store: Outputs,
    }

    impl World {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let store = Outputs::open(directory.path(), QUOTA).unwrap();
            Self { directory, store }
        }

        fn reopened(self) -> Self {
            let store = Outputs::open(self.directory.path(), QUOTA).unwrap();
            Self { directory: self.directory, store }
        }

        fn run(&mut self, id: &str, owner: &Owner, bytes: &[u8], ended_ms: u64) {
            let pending = self
                .store
                .begin(&job(id), owner, &[("result".to_owned(), bytes.len() as u64)])
                .unwrap();
            pending.files().next().unwrap().write_all(bytes).unwrap();
            let written = Output { bytes: bytes.len() as u64, digest: sha256_of(bytes) };
            self.store.publish(pending, &[written], UnixMs(ended_ms)).unwrap();
        }

        fn content(&self, viewer: &Owner, id: &str) -> Result<String, Refusal> {
            let mut text = String::new();
            self.store.read(viewer, &job(id), "result")?.read_to_string(&mut text).unwrap();
            Ok(text)
        }

        fn directories(&self) -> usize {
            fs::read_dir(self.directory.path()).unwrap().count()
        }
    }

    fn job(id: &str) -> JobId {
        id.parse().unwrap()
    }

    fn worker(name: &str) -> Owner {
        Owner::Subject(name.parse().unwrap())
    }

    /// Proves ART-8.
    #[test]
    fn outputs_are_seen_when_the_job_is_ok_and_after_a_restart() {
        let mut world = World::new();
        let pending =
            world.store.begin(&job("j"), &worker("w"), &[("result".to_owned(), 3)]).unwrap();
        assert_eq!(world.content(&worker("w"), "j").unwrap_err().errno, Errno::ENOENT);
        drop(pending);
        world.run("j", &worker("w"), b"abc", 1);
        let world = world.reopened();
        assert_eq!(world.content(&worker("w"), "j").unwrap(), "abc");
        let output = Output { bytes: 3, digest: sha256_of(b"abc") };
        assert_eq!(world.store.find(&Owner::Shared, &job("j"), "result"), Some(output));
    }

    /// Proves ART-8.
    #[test]
    fn outputs_of_a_job_that_did_not_end_well_leave_nothing() {
        let mut world = World::new();
        let pending =
            world.store.begin(&job("j"), &worker("w"), &[("result".to_owned(), 3)]).unwrap();
        std::mem::forget(pending); // as kill -9 would
        assert_eq!(world.reopened().directories(), 0);
    }

    /// Proves ART-9.
    #[test]
    fn a_worker_sees_its_own_outputs_and_the_queen_all() {
        let mut world = World::new();
        world.run("j", &worker("w"), b"abc", 1);
        world.run("k", &worker("v"), b"def", 1);
        assert_eq!(world.content(&worker("v"), "j").unwrap_err().errno, Errno::ENOENT);
        assert_eq!(world.store.jobs(&worker("w")).collect::<Vec<_>>(), [&job("j")]);
        assert_eq!(world.store.jobs(&Owner::Shared).count(), 2);
    }

    /// Proves ART-10.
    #[test]
    fn the_oldest_outputs_go_for_space_and_by_age() {
        let mut world = World::new();
        world.run("a", &worker("w"), &[0; 60], 1);
        world.run("b", &worker("w"), &[0; 60], 2);
        assert!(world.store.find(&Owner::Shared, &job("a"), "result").is_none());
        for (id, ended_ms) in [("c", 3), ("d", 4), ("e", 5)] {
            world.run(id, &worker("w"), b"x", ended_ms);
        }
        assert_eq!(
            world.store.jobs(&Owner::Shared).collect::<Vec<_>>(),
            [&job("c"), &job("d"), &job("e")]
        );
        world.store.expire(UnixMs(1004));
        assert_eq!(world.store.jobs(&Owner::Shared).collect::<Vec<_>>(), [&job("d"), &job("e")]);
        assert_eq!(world.directories(), 2);
    }

    #[test]
    fn outputs_that_can_never_fit_are_refused() {
        let mut world = World::new();
        let refusal =
            world.store.begin(&job("j"), &worker("w"), &[("result".to_owned(), 101)]).unwrap_err();
        let text = "outputs of j take 101 bytes, the store keeps 100";
        assert_eq!(refusal, Refusal::new(Errno::ENOSPC, text));
    }

    #[test]
    fn a_later_job_of_the_same_name_replaces_the_outputs() {
        let mut world = World::new();
        world.run("j", &worker("w"), b"old", 1);
        world.run("j", &worker("w"), b"new", 2);
        assert_eq!(
            (world.content(&worker("w"), "j").unwrap().as_str(), world.directories()),
            ("new", 1)
        );
    }
}
