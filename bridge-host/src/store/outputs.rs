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

use super::{
    Owner,
    writing::{Underway, Writing},
};

const INDEX: &str = "index.json";
const FILES: &str = "files";

/// How much is kept, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OutputQuota {
    /// Bytes of all outputs; the oldest of whoever has most go first.
    pub(crate) store_bytes_max: u64,
    /// Jobs whose outputs are kept; the same.
    pub(crate) jobs_max: usize,
    /// Bytes of one owner's outputs; its oldest go first.
    pub(crate) owner_bytes_max: u64,
    /// Jobs of one owner whose outputs are kept; the same.
    pub(crate) owner_jobs_max: usize,
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
    /// The same jobs, the one that ended first before the others.
    by_age: BTreeMap<(UnixMs, u64), JobId>,
    /// What each owner has of them.
    shares: BTreeMap<Owner, Share>,
    writing: Writing,
    /// Of all of them.
    bytes: u64,
    numbers_used: u64,
}

#[derive(Debug, Default)]
struct Share {
    by_age: BTreeMap<(UnixMs, u64), JobId>,
    bytes: u64,
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
    underway: Option<Underway>,
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
    /// Other bounds from now on; what is kept already goes by them when something new comes, or time passes.
    pub(crate) const fn set_quota(&mut self, quota: OutputQuota) {
        self.quota = quota;
    }

    /// Opens the store below `root`, making it if it is not there. What was not published is removed.
    ///
    /// # Errors
    /// What the file system says.
    pub(crate) fn open(root: &Path, quota: OutputQuota) -> io::Result<Self> {
        fs::create_dir_all(root)?;
        let mut store = Self {
            root: root.to_owned(),
            quota,
            jobs: BTreeMap::new(),
            by_age: BTreeMap::new(),
            shares: BTreeMap::new(),
            writing: Writing::default(),
            bytes: 0,
            numbers_used: 0,
        };
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
    /// `ENOSPC` when they do not fit although all of the owner's that may go has gone, `EIO` from the file system.
    pub(crate) fn begin(
        &mut self,
        job: &JobId,
        owner: &Owner,
        files: &[(String, u64)],
    ) -> Result<Pending, Refusal> {
        let wanted: u64 = files.iter().map(|(_, bytes)| bytes).sum();
        self.check_room(job, owner, wanted)?;
        let number = self.numbers_used;
        self.numbers_used += 1;
        let mut pending = Pending {
            directory: self.directory(number),
            number,
            job: job.clone(),
            owner: owner.clone(),
            files: Vec::new(),
            published: files.is_empty(),
            underway: Some(self.writing.take(owner, wanted)),
        };
        if files.is_empty() {
            return Ok(pending); // nothing is made on disk, kept or removed for a job without outputs
        }
        self.make_room(owner);
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
        if pending.files.is_empty() {
            self.forget(&pending.job); // what an earlier job of that name left
            return Ok(());
        }
        let names = pending.files.iter().map(|file| file.name.clone());
        let files: BTreeMap<_, _> = names.zip(written.iter().copied()).collect();
        let kept = Kept { number: pending.number, owner: pending.owner.clone(), ended_ms, files };
        write_index(&pending.directory, &pending.job, &kept)
            .map_err(|error| world(&pending.directory, &error))?;
        pending.published = true;
        pending.underway = None;
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
        while let Some((&(ended_ms, _), job)) = self.by_age.first_key_value() {
            if now.ms_since(ended_ms) <= self.quota.keep_ms {
                return;
            }
            self.forget(&job.clone());
        }
    }

    /// Bytes of all outputs shown.
    #[must_use]
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Jobs whose outputs are kept.
    #[must_use]
    pub(crate) fn jobs_kept(&self) -> usize {
        self.jobs.len()
    }

    /// How many bytes there may be.
    #[must_use]
    pub(crate) const fn bytes_max(&self) -> u64 {
        self.quota.store_bytes_max
    }

    fn seen(&self, viewer: &Owner, job: &JobId) -> Option<&Kept> {
        self.jobs.get(job).filter(|kept| kept.is_seen_by(viewer))
    }

    fn put(&mut self, job: JobId, kept: Kept) {
        self.forget(&job);
        self.bytes += kept.bytes();
        self.by_age.insert(kept.age(), job.clone());
        let share = self.shares.entry(kept.owner.clone()).or_default();
        share.bytes += kept.bytes();
        share.by_age.insert(kept.age(), job.clone());
        self.jobs.insert(job, kept);
    }

    fn forget(&mut self, job: &JobId) {
        let Some(kept) = self.jobs.remove(job) else { return };
        self.by_age.remove(&kept.age());
        self.bytes -= kept.bytes();
        if let Some(share) = self.shares.get_mut(&kept.owner) {
            share.bytes -= kept.bytes();
            share.by_age.remove(&kept.age());
            if share.by_age.is_empty() {
                self.shares.remove(&kept.owner);
            }
        }
        let directory = self.directory(kept.number);
        if let Err(error) = fs::remove_dir_all(&directory) {
            tracing::warn!(path = %directory.display(), %error, "cannot remove old outputs");
        }
    }

    /// Whether these bytes and all that is being written would fit if nothing else were there.
    fn check_room(&self, job: &JobId, owner: &Owner, wanted: u64) -> Result<(), Refusal> {
        let bounds = [
            (self.writing.of(owner), self.quota.owner_bytes_max, "one owner", "owner_mb_max"),
            (self.writing.bytes(), self.quota.store_bytes_max, "the store", "store_mb_max"),
        ];
        for (writing, most, whose, setting) in bounds {
            if writing.saturating_add(wanted) > most {
                let text = format!(
                    "outputs of {job} take {wanted} bytes, jobs that run write {writing}; {whose} keeps at most {most} (outputs.{setting})"
                );
                return Err(Refusal::new(Errno::ENOSPC, text));
            }
        }
        Ok(())
    }

    /// For what its owner has under way and one job more: its own oldest go first; then, where the store is full, those of whoever
    /// has most.
    fn make_room(&mut self, owner: &Owner) {
        while self.shares.get(owner).is_some_and(|share| self.is_too_much(owner, share)) {
            self.forget_oldest_of(owner);
        }
        while self.jobs.len() >= self.quota.jobs_max
            || self.bytes + self.writing.bytes() > self.quota.store_bytes_max
        {
            let most = self.shares.iter().max_by_key(|(_, share)| share.bytes);
            let Some(most) = most.map(|(owner, _)| owner.clone()) else { return };
            self.forget_oldest_of(&most);
        }
    }

    fn is_too_much(&self, owner: &Owner, share: &Share) -> bool {
        share.by_age.len() >= self.quota.owner_jobs_max
            || share.bytes + self.writing.of(owner) > self.quota.owner_bytes_max
    }

    fn forget_oldest_of(&mut self, owner: &Owner) {
        let oldest = self.shares.get(owner).and_then(|share| share.by_age.values().next().cloned());
        if let Some(oldest) = oldest {
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

    /// Its place among the others: by the end of its job.
    const fn age(&self) -> (UnixMs, u64) {
        (self.ended_ms, self.number)
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

    const QUOTA: OutputQuota = OutputQuota {
        store_bytes_max: 100,
        jobs_max: 3,
        owner_bytes_max: 70,
        owner_jobs_max: 3,
        keep_ms: 1000,
    };

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
    fn a_job_without_outputs_leaves_nothing_and_replaces_an_earlier_one_of_its_name() {
        let mut world = World::new();
        world.run("j", &worker("w"), b"abc", 1);
        let pending = world.store.begin(&job("j"), &worker("w"), &[]).unwrap();
        assert_eq!(world.directories(), 1);
        world.store.publish(pending, &[], UnixMs(2)).unwrap();
        assert_eq!((world.directories(), world.store.bytes()), (0, 0));
        assert!(world.store.files(&worker("w"), &job("j")).is_none());
    }

    #[test]
    fn outputs_that_can_never_fit_are_refused() {
        let mut world = World::new();
        let refusal =
            world.store.begin(&job("j"), &worker("w"), &[("result".to_owned(), 71)]).unwrap_err();
        let text = "outputs of j take 71 bytes, jobs that run write 0; one owner keeps at most 70 (outputs.owner_mb_max)";
        assert_eq!(refusal, Refusal::new(Errno::ENOSPC, text));
    }

    /// Proves ART-16.
    #[test]
    fn an_owner_makes_room_for_itself_and_the_store_takes_it_from_whoever_has_most() {
        let mut world = World::new();
        world.run("w1", &worker("w"), &[0; 40], 1);
        world.run("v1", &worker("v"), &[0; 20], 2);
        world.run("w2", &worker("w"), &[0; 40], 3);
        let kept: Vec<_> = world.store.jobs(&Owner::Shared).map(ToString::to_string).collect();
        assert_eq!(kept, ["v1", "w2"], "the oldest of its own, though there was room in the store");
        world.run("u1", &worker("u"), &[0; 50], 4);
        let kept: Vec<_> = world.store.jobs(&Owner::Shared).map(ToString::to_string).collect();
        assert_eq!(kept, ["u1", "v1"], "whoever has most, and not who has the oldest");
    }

    /// Proves ART-16.
    #[test]
    fn what_is_being_written_counts_until_it_is_dropped() {
        let mut world = World::new();
        let begin = |world: &mut World, id: &str, owner: &str, bytes| {
            world.store.begin(&job(id), &worker(owner), &[("result".to_owned(), bytes)])
        };
        let first = begin(&mut world, "a", "w", 60).unwrap();
        let refusal = begin(&mut world, "b", "w", 11).unwrap_err();
        let text = "outputs of b take 11 bytes, jobs that run write 60; one owner keeps at most 70 (outputs.owner_mb_max)";
        assert_eq!(refusal, Refusal::new(Errno::ENOSPC, text));
        let refusal = begin(&mut world, "c", "v", 41).unwrap_err();
        let text = "outputs of c take 41 bytes, jobs that run write 60; the store keeps at most 100 (outputs.store_mb_max)";
        assert_eq!(refusal, Refusal::new(Errno::ENOSPC, text));
        drop(first);
        begin(&mut world, "c", "v", 41).unwrap();
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
