//! Staged artefacts: written once front to back, then immutable, kept by content and found by name.
//!
//! The file system is the database, so that nothing has to be replayed after a crash and an operator can read it with `ls`:
//!
//! ```text
//! artefacts/
//!   objects/<sha256>                   the bytes, mode 0400, each content once
//!   names/shared/<name>  ──symlink──▶  ../../objects/<sha256>
//!   names/of-<subject>/<name>
//!   incoming/<number>                  uploads not yet finished; emptied at start
//!
//! begin ─▶ write* ─▶ commit ─▶ named          (drop before commit: as if it had never been)
//! ```
//!
//! Knows owners and names, not tickets or fids.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, ErrorKind, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ninedoor_abi::{Errno, Refusal, Subject, job::Sha256};

use crate::digest::{Hasher, sha256_of};

/// Bytes by which an upload takes room: not at every write, for that looks at every name.
const ROOM_BYTES: u64 = 64 * 1024;

/// Whose name it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Owner {
    /// Staged by the queen: everybody finds it.
    Shared,
    /// Staged by one worker: only it finds it, before a shared one of the same name.
    Subject(Subject),
}

/// What was staged under one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Artefact {
    /// Its content's name.
    pub(crate) digest: Sha256,
    /// Its size.
    pub(crate) bytes: u64,
}

/// How much may be staged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ArtefactQuota {
    /// Bytes of one artefact.
    pub(crate) artefact_bytes_max: u64,
    /// Bytes of all names of one owner.
    pub(crate) owner_bytes_max: u64,
    /// Names of one owner.
    pub(crate) owner_names_max: usize,
    /// Bytes of all contents, each counted once.
    pub(crate) store_bytes_max: u64,
}

/// The store.
#[derive(Debug)]
pub(crate) struct Artefacts {
    root: PathBuf,
    quota: ArtefactQuota,
    names: BTreeMap<Owner, BTreeMap<String, Artefact>>,
    objects: BTreeMap<Sha256, Object>,
    incoming: Arc<Mutex<Incoming>>,
    uploads_begun: u64,
}

/// What unfinished uploads have of the disk, or may have without asking again. It counts like what is staged: else a peer could
/// fill the disk and never finish.
#[derive(Debug, Default)]
struct Incoming(BTreeMap<Owner, Unfinished>);

#[derive(Debug, Default)]
struct Unfinished {
    uploads: usize,
    bytes: u64,
}

impl Incoming {
    fn uploads_of(&self, owner: &Owner) -> usize {
        self.0.get(owner).map_or(0, |unfinished| unfinished.uploads)
    }

    fn bytes_of(&self, owner: &Owner) -> u64 {
        self.0.get(owner).map_or(0, |unfinished| unfinished.bytes)
    }

    fn bytes(&self) -> u64 {
        self.0.values().map(|unfinished| unfinished.bytes).sum()
    }

    fn end(&mut self, owner: &Owner, bytes: u64) {
        let Some(unfinished) = self.0.get_mut(owner) else { return };
        unfinished.uploads -= 1;
        unfinished.bytes -= bytes;
        if unfinished.uploads == 0 {
            self.0.remove(owner);
        }
    }
}

#[derive(Debug)]
struct Object {
    bytes: u64,
    /// Names, and jobs not yet ended, that need it.
    references: usize,
}

/// An artefact on its way in. Dropping it forgets it.
#[derive(Debug)]
pub(crate) struct Upload {
    owner: Owner,
    name: String,
    file: File,
    path: PathBuf,
    hasher: Hasher,
    bytes: u64,
    bytes_max: u64,
    incoming: Arc<Mutex<Incoming>>,
    /// What is counted for it there.
    room_bytes: u64,
}

impl Artefacts {
    /// Opens the store below `root`, making it if it is not there.
    ///
    /// # Errors
    /// What the file system says, with the path.
    pub(crate) fn open(root: &Path, quota: ArtefactQuota) -> io::Result<Self> {
        let mut store = Self {
            root: root.to_owned(),
            quota,
            names: BTreeMap::new(),
            objects: BTreeMap::new(),
            incoming: Arc::default(),
            uploads_begun: 0,
        };
        for part in ["objects", "names/shared", "incoming"] {
            fs::create_dir_all(root.join(part)).map_err(|error| at(&root.join(part), error))?;
        }
        store.empty_incoming()?;
        store.read_names()?;
        store.read_unnamed()?;
        Ok(store)
    }

    /// Starts an artefact under a name that is not yet taken by its owner.
    ///
    /// # Errors
    /// `EEXIST` when the name is taken, `EDQUOT` when the owner has as many as it may, `EIO` from the file system.
    pub(crate) fn begin(&mut self, owner: &Owner, name: &str) -> Result<Upload, Refusal> {
        let owned = self.names.get(owner);
        if owned.is_some_and(|names| names.contains_key(name)) {
            let text = format!(
                "artefact {name} is staged already and immutable; remove it first or take another name"
            );
            return Err(Refusal::new(Errno::EEXIST, text));
        }
        let mut incoming = lock(&self.incoming);
        let count = owned.map_or(0, BTreeMap::len) + incoming.uploads_of(owner);
        if count >= self.quota.owner_names_max {
            let text = format!(
                "{count} artefacts staged or being written, at most {}; remove some",
                self.quota.owner_names_max
            );
            return Err(Refusal::new(Errno::EDQUOT, text));
        }
        let path = self.root.join("incoming").join(self.uploads_begun.to_string());
        self.uploads_begun += 1;
        let file = create_new(&path, 0o600)?;
        incoming.0.entry(owner.clone()).or_default().uploads += 1;
        Ok(Upload {
            owner: owner.clone(),
            name: name.to_owned(),
            file,
            path,
            hasher: Hasher::default(),
            bytes: 0,
            bytes_max: self.quota.artefact_bytes_max,
            incoming: Arc::clone(&self.incoming),
            room_bytes: 0,
        })
    }

    /// Takes the next bytes of an upload. Artefacts are hashed as they arrive, so they are written front to back.
    ///
    /// # Errors
    /// `EINVAL` for bytes that do not follow the last ones, `EFBIG` over the bound, `EDQUOT` over the owner's quota, `ENOSPC`
    /// when the store is full, `EIO` from the file system.
    pub(crate) fn write(
        &self,
        upload: &mut Upload,
        offset: u64,
        bytes: &[u8],
    ) -> Result<(), Refusal> {
        let end = upload.end_of(offset, bytes)?;
        self.take_room(upload, end)?;
        upload.append(bytes, end)
    }

    /// Counts the bytes up to `end`, and some more where there is room.
    fn take_room(&self, upload: &mut Upload, end: u64) -> Result<(), Refusal> {
        if end <= upload.room_bytes {
            return Ok(());
        }
        let (owner, more) = (&upload.owner, end - upload.room_bytes);
        let mut incoming = lock(&self.incoming);
        let owned = self.owned_bytes(owner) + incoming.bytes_of(owner);
        self.check_owner(owned, more)?;
        let stored = self.bytes() + incoming.bytes();
        self.check_store(stored, more)?;
        let room = (self.quota.owner_bytes_max - owned).min(self.quota.store_bytes_max - stored);
        let taken = (end.next_multiple_of(ROOM_BYTES) - upload.room_bytes).min(room);
        incoming.0.entry(owner.clone()).or_default().bytes += taken;
        upload.room_bytes += taken;
        Ok(())
    }

    /// Gives an upload its name: from here on it is durable, immutable and findable.
    ///
    /// # Errors
    /// `EEXIST` when another upload took the name meanwhile, `EDQUOT` over a quota, `EIO` from the file system.
    pub(crate) fn commit(&mut self, upload: Upload) -> Result<Artefact, Refusal> {
        if self.own(&upload.owner, &upload.name).is_some() {
            let text = format!("artefact {} was staged by another upload meanwhile", upload.name);
            return Err(Refusal::new(Errno::EEXIST, text));
        }
        let artefact = Artefact { digest: upload.hasher.clone().finish(), bytes: upload.bytes };
        self.check_quotas(&upload.owner, &artefact)?;
        self.keep_object(&upload, &artefact)?;
        let link = self.name_path(&upload.owner, &upload.name);
        if let Err(error) = make_link(&link, &artefact.digest) {
            self.release(&artefact.digest);
            return Err(world(&link, &error));
        }
        self.names.entry(upload.owner.clone()).or_default().insert(upload.name.clone(), artefact);
        Ok(artefact)
    }

    /// What an owner finds under a name: its own, else a shared one.
    #[must_use]
    pub(crate) fn find(&self, owner: &Owner, name: &str) -> Option<Artefact> {
        self.own(owner, name).or_else(|| self.own(&Owner::Shared, name))
    }

    /// Every name an owner finds, in order.
    #[must_use]
    pub(crate) fn list(&self, owner: &Owner) -> BTreeMap<&str, Artefact> {
        [&Owner::Shared, owner]
            .into_iter()
            .filter_map(|whose| self.names.get(whose))
            .flatten()
            .map(|(name, artefact)| (name.as_str(), *artefact))
            .collect()
    }

    /// Forgets a name; its content goes when nothing else needs it.
    ///
    /// # Errors
    /// `ENOENT` when the owner has no such name (a shared one is not a worker's to remove), `EIO` from the file system.
    pub(crate) fn remove(&mut self, owner: &Owner, name: &str) -> Result<(), Refusal> {
        let artefact = self.own(owner, name).ok_or_else(|| {
            Refusal::new(Errno::ENOENT, format!("no artefact {name} of one's own"))
        })?;
        let link = self.name_path(owner, name);
        fs::remove_file(&link).map_err(|error| world(&link, &error))?;
        if let Some(names) = self.names.get_mut(owner) {
            names.remove(name);
        }
        self.release(&artefact.digest);
        Ok(())
    }

    /// Keeps a content that has no name, until [`Self::release`]. It does not outlive the daemon.
    ///
    /// # Errors
    /// `ENOSPC` when the store is full, `EIO` from the file system.
    pub(crate) fn keep(&mut self, bytes: &[u8]) -> Result<Sha256, Refusal> {
        let artefact = Artefact { digest: sha256_of(bytes), bytes: bytes.len() as u64 };
        if let Some(object) = self.objects.get_mut(&artefact.digest) {
            object.references += 1;
            return Ok(artefact.digest);
        }
        self.check_store(self.bytes() + lock(&self.incoming).bytes(), artefact.bytes)?;
        let path = self.object_path(&artefact.digest);
        let mut file = create_new(&path, 0o400)?;
        file.write_all(bytes).map_err(|error| world(&path, &error))?;
        self.objects.insert(artefact.digest, Object { bytes: artefact.bytes, references: 1 });
        Ok(artefact.digest)
    }

    /// Opens a content for reading; as long as it is open its bytes stay, whatever happens to its names.
    ///
    /// # Errors
    /// `EIO` from the file system.
    pub(crate) fn read(&self, digest: &Sha256) -> Result<File, Refusal> {
        let path = self.object_path(digest);
        File::open(&path).map_err(|error| world(&path, &error))
    }

    /// All bytes of a content.
    ///
    /// # Errors
    /// `EIO` from the file system.
    pub(crate) fn read_whole(&self, digest: &Sha256) -> Result<Vec<u8>, Refusal> {
        let path = self.object_path(digest);
        fs::read(&path).map_err(|error| world(&path, &error))
    }

    /// Keeps a content from going away until [`Self::release`], whatever happens to its names.
    ///
    /// # Errors
    /// `ENOENT` when there is no such content.
    pub(crate) fn hold(&mut self, digest: &Sha256) -> Result<(), Refusal> {
        let object = self
            .objects
            .get_mut(digest)
            .ok_or_else(|| Refusal::new(Errno::ENOENT, format!("no artefact with {digest}")))?;
        object.references += 1;
        Ok(())
    }

    /// Gives back what [`Self::hold`] took.
    pub(crate) fn release(&mut self, digest: &Sha256) {
        let Some(object) = self.objects.get_mut(digest) else { return };
        object.references -= 1;
        if object.references == 0 {
            self.remove_object(digest);
        }
    }

    fn remove_object(&mut self, digest: &Sha256) {
        self.objects.remove(digest);
        let path = self.object_path(digest);
        if let Err(error) = fs::remove_file(&path) {
            tracing::warn!(path = %path.display(), %error, "cannot remove an artefact that nothing needs");
        }
    }

    /// Removes what neither a name nor a job that an earlier daemon left needs: to be called once those jobs hold what they need.
    pub(crate) fn drop_unneeded(&mut self) {
        let unneeded = self.objects.iter().filter(|(_, object)| object.references == 0);
        for digest in unneeded.map(|(digest, _)| *digest).collect::<Vec<_>>() {
            self.remove_object(&digest);
        }
    }

    /// Bytes of all contents, each counted once.
    #[must_use]
    pub(crate) fn bytes(&self) -> u64 {
        self.objects.values().map(|object| object.bytes).sum()
    }

    /// How many bytes there may be.
    #[must_use]
    pub(crate) const fn bytes_max(&self) -> u64 {
        self.quota.store_bytes_max
    }

    fn own(&self, owner: &Owner, name: &str) -> Option<Artefact> {
        self.names.get(owner)?.get(name).copied()
    }

    fn owned_bytes(&self, owner: &Owner) -> u64 {
        self.names.get(owner).into_iter().flatten().map(|(_, artefact)| artefact.bytes).sum()
    }

    fn check_quotas(&self, owner: &Owner, artefact: &Artefact) -> Result<(), Refusal> {
        self.check_owner(self.owned_bytes(owner), artefact.bytes)?;
        if self.objects.contains_key(&artefact.digest) {
            return Ok(());
        }
        self.check_store(self.bytes(), artefact.bytes)
    }

    fn check_owner(&self, owned: u64, more: u64) -> Result<(), Refusal> {
        let limit = self.quota.owner_bytes_max;
        if owned + more <= limit {
            return Ok(());
        }
        let text = format!("{more} bytes more than the {owned} staged; at most {limit} per owner");
        Err(Refusal::new(Errno::EDQUOT, text))
    }

    fn check_store(&self, stored: u64, more: u64) -> Result<(), Refusal> {
        let limit = self.quota.store_bytes_max;
        if stored + more <= limit {
            return Ok(());
        }
        let text = format!("store has {stored} of {limit} bytes, {more} more do not fit");
        Err(Refusal::new(Errno::ENOSPC, text))
    }

    fn keep_object(&mut self, upload: &Upload, artefact: &Artefact) -> Result<(), Refusal> {
        if let Some(object) = self.objects.get_mut(&artefact.digest) {
            object.references += 1; // the upload's own file goes when it is dropped
            return Ok(());
        }
        let path = self.object_path(&artefact.digest);
        upload
            .file
            .set_permissions(fs::Permissions::from_mode(0o400))
            .and_then(|()| upload.file.sync_all())
            .and_then(|()| fs::rename(&upload.path, &path))
            .map_err(|error| world(&path, &error))?;
        self.objects.insert(artefact.digest, Object { bytes: artefact.bytes, references: 1 });
        Ok(())
    }

    fn empty_incoming(&self) -> io::Result<()> {
        for entry in fs::read_dir(self.root.join("incoming"))? {
            fs::remove_file(entry?.path())?;
        }
        Ok(())
    }

    fn read_names(&mut self) -> io::Result<()> {
        for directory in fs::read_dir(self.root.join("names"))? {
            let directory = directory?;
            let Some(owner) = Owner::from_directory(&directory.file_name().to_string_lossy())
            else {
                continue;
            };
            for link in fs::read_dir(directory.path())? {
                self.read_name(&owner, &link?.path())?;
            }
        }
        Ok(())
    }

    /// A link that leads nowhere is what a crash between two steps may leave: it is removed.
    fn read_name(&mut self, owner: &Owner, link: &Path) -> io::Result<()> {
        let target = fs::read_link(link).map_err(|error| at(link, error))?;
        let digest = target
            .file_name()
            .and_then(|name| name.to_str())
            .and_then(|name| Sha256::of_hex(name).ok());
        let name = link.file_name().and_then(|name| name.to_str());
        let (Some(digest), Some(name), Ok(object)) = (digest, name, fs::metadata(link)) else {
            tracing::warn!(link = %link.display(), "removing a name whose artefact is not there");
            return fs::remove_file(link);
        };
        let artefact = Artefact { digest, bytes: object.len() };
        self.objects
            .entry(digest)
            .or_insert(Object { bytes: artefact.bytes, references: 0 })
            .references += 1;
        self.names.entry(owner.clone()).or_default().insert(name.to_owned(), artefact);
        Ok(())
    }

    /// Contents without a name: a job that has not ended may need them.
    fn read_unnamed(&mut self) -> io::Result<()> {
        for entry in fs::read_dir(self.root.join("objects"))? {
            let entry = entry?;
            let digest = entry.file_name().to_str().and_then(|name| Sha256::of_hex(name).ok());
            match digest {
                Some(digest) => {
                    let bytes = entry.metadata()?.len();
                    self.objects.entry(digest).or_insert(Object { bytes, references: 0 });
                }
                None => fs::remove_file(entry.path()).map_err(|error| at(&entry.path(), error))?,
            }
        }
        Ok(())
    }

    fn object_path(&self, digest: &Sha256) -> PathBuf {
        self.root.join("objects").join(digest.hex())
    }

    fn name_path(&self, owner: &Owner, name: &str) -> PathBuf {
        self.root.join("names").join(owner.directory()).join(name)
    }
}

impl Upload {
    /// Where these bytes would end.
    fn end_of(&self, offset: u64, bytes: &[u8]) -> Result<u64, Refusal> {
        if offset != self.bytes {
            let text = format!(
                "write at offset {offset} of artefact {}, wanted {}",
                self.name, self.bytes
            );
            return Err(Refusal::invalid(text));
        }
        let end = self.bytes + bytes.len() as u64;
        if end > self.bytes_max {
            let text =
                format!("artefact {} grows to {end} bytes, at most {}", self.name, self.bytes_max);
            return Err(Refusal::new(Errno::EFBIG, text));
        }
        Ok(end)
    }

    fn append(&mut self, bytes: &[u8], end: u64) -> Result<(), Refusal> {
        self.file.write_all(bytes).map_err(|error| world(&self.path, &error))?;
        self.hasher.update(bytes);
        self.bytes = end;
        Ok(())
    }
}

fn lock(incoming: &Mutex<Incoming>) -> MutexGuard<'_, Incoming> {
    incoming.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Upload {
    /// After a commit the file has moved away, and this finds nothing.
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
        lock(&self.incoming).end(&self.owner, self.room_bytes);
    }
}

impl Owner {
    fn directory(&self) -> String {
        match self {
            Self::Shared => "shared".to_owned(),
            Self::Subject(subject) => format!("of-{subject}"),
        }
    }

    fn from_directory(name: &str) -> Option<Self> {
        match name {
            "shared" => Some(Self::Shared),
            _ => name.strip_prefix("of-")?.parse().ok().map(Self::Subject),
        }
    }
}

fn create_new(path: &Path, mode: u32) -> Result<File, Refusal> {
    let mut options = File::options();
    options.read(true).write(true).create_new(true).mode(mode);
    options.open(path).map_err(|error| world(path, &error))
}

fn make_link(link: &Path, digest: &Sha256) -> io::Result<()> {
    let directory = link.parent().unwrap_or(link);
    match fs::create_dir(directory) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    std::os::unix::fs::symlink(Path::new("../../objects").join(digest.hex()), link)?;
    File::open(directory)?.sync_all()
}

fn at(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn world(path: &Path, error: &io::Error) -> Refusal {
    let errno = if error.kind() == ErrorKind::StorageFull { Errno::ENOSPC } else { Errno::EIO };
    Refusal::new(errno, format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use tempfile::TempDir;

    use super::*;

    const QUOTA: ArtefactQuota = ArtefactQuota {
        artefact_bytes_max: 100,
        owner_bytes_max: 150,
        owner_names_max: 3,
        store_bytes_max: 200,
    };

    struct World {
        directory: TempDir,
        store: Artefacts,
    }

    impl World {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let store = Artefacts::open(directory.path(), QUOTA).unwrap();
            Self { directory, store }
        }

        fn reopened(self) -> Self {
            let store = Artefacts::open(self.directory.path(), QUOTA).unwrap();
            Self { directory: self.directory, store }
        }

        fn stage(&mut self, owner: &Owner, name: &str, bytes: &[u8]) -> Result<Artefact, Refusal> {
            let mut upload = self.store.begin(owner, name)?;
            self.store.write(&mut upload, 0, bytes)?;
            self.store.commit(upload)
        }

        fn files(&self, part: &str) -> usize {
            fs::read_dir(self.directory.path().join(part)).unwrap().count()
        }
    }

    fn worker(name: &str) -> Owner {
        Owner::Subject(name.parse().unwrap())
    }

    /// Proves ART-1.
    #[test]
    fn an_artefact_is_found_by_its_name_and_hash_also_after_a_restart() {
        let mut world = World::new();
        let staged = world.stage(&Owner::Shared, "a.f32", b"abc").unwrap();
        assert_eq!(staged, Artefact { digest: sha256_of(b"abc"), bytes: 3 });
        let world = world.reopened();
        assert_eq!(world.store.find(&Owner::Shared, "a.f32"), Some(staged));
        let mut text = String::new();
        world.store.read(&staged.digest).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "abc");
    }

    /// Proves ART-2.
    #[test]
    fn a_staged_artefact_is_immutable_until_its_owner_removes_it() {
        let mut world = World::new();
        world.stage(&worker("w"), "x", b"abc").unwrap();
        let refusal = world.store.begin(&worker("w"), "x").unwrap_err();
        assert_eq!(refusal.errno, Errno::EEXIST);
        assert_eq!(
            refusal.text,
            "artefact x is staged already and immutable; remove it first or take another name"
        );
        world.store.remove(&worker("w"), "x").unwrap();
        world.stage(&worker("w"), "x", b"new").unwrap();
    }

    /// Proves ART-3.
    #[test]
    fn identical_content_is_stored_once_and_goes_with_its_last_name() {
        let mut world = World::new();
        world.stage(&worker("w"), "x", b"abc").unwrap();
        world.stage(&worker("v"), "y", b"abc").unwrap();
        assert_eq!((world.files("objects"), world.store.bytes()), (1, 3));
        world.store.remove(&worker("w"), "x").unwrap();
        assert_eq!(world.files("objects"), 1);
        world.store.remove(&worker("v"), "y").unwrap();
        assert_eq!((world.files("objects"), world.store.bytes()), (0, 0));
    }

    /// Proves ART-4.
    #[test]
    fn a_worker_finds_its_own_names_before_shared_ones_and_nobody_elses() {
        let mut world = World::new();
        let shared = world.stage(&Owner::Shared, "x", b"shared").unwrap();
        let own = world.stage(&worker("w"), "x", b"own").unwrap();
        world.stage(&worker("v"), "secret", b"v's").unwrap();
        assert_eq!(world.store.find(&worker("w"), "x"), Some(own));
        assert_eq!(world.store.find(&worker("v"), "x"), Some(shared));
        assert_eq!(world.store.find(&worker("w"), "secret"), None);
        assert_eq!(world.store.list(&worker("w")).into_keys().collect::<Vec<_>>(), ["x"]);
        assert_eq!(world.store.remove(&worker("v"), "x").unwrap_err().errno, Errno::ENOENT);
    }

    /// Proves ART-5.
    #[test]
    fn an_upload_that_is_dropped_leaves_nothing() {
        let mut world = World::new();
        let mut upload = world.store.begin(&Owner::Shared, "x").unwrap();
        world.store.write(&mut upload, 0, b"half").unwrap();
        drop(upload);
        assert_eq!((world.files("incoming"), world.store.find(&Owner::Shared, "x")), (0, None));
    }

    /// Proves ART-5.
    #[test]
    fn what_a_crash_left_half_done_is_gone_after_the_restart() {
        let mut world = World::new();
        world.stage(&Owner::Shared, "kept", b"kept").unwrap();
        let root = world.directory.path().to_owned();
        fs::write(root.join("incoming/77"), "half").unwrap();
        fs::write(root.join("objects").join(sha256_of(b"unnamed").hex()), "unnamed").unwrap();
        let gone = Path::new("../../objects").join(sha256_of(b"gone").hex());
        std::os::unix::fs::symlink(gone, root.join("names/shared/dangling")).unwrap();
        let mut world = world.reopened();
        world.store.drop_unneeded();
        assert_eq!(world.store.list(&Owner::Shared).into_keys().collect::<Vec<_>>(), ["kept"]);
        assert_eq!(
            (world.files("incoming"), world.files("objects"), world.files("names/shared")),
            (0, 1, 1)
        );
    }

    /// Proves ART-3.
    #[test]
    fn what_a_job_of_an_earlier_daemon_needs_stays_though_nobody_names_it() {
        let mut world = World::new();
        let needed = world.store.keep(b"needed").unwrap();
        world.store.keep(b"not needed").unwrap();
        let mut world = world.reopened();
        world.store.hold(&needed).unwrap();
        world.store.drop_unneeded();
        assert_eq!(
            (world.files("objects"), world.store.read_whole(&needed)),
            (1, Ok(b"needed".to_vec()))
        );
    }

    /// Proves ART-6.
    #[test]
    fn every_quota_is_a_refusal_that_says_the_bound() {
        let mut world = World::new();
        let (w, v) = (worker("w"), worker("v"));
        let too_big = world.stage(&w, "x", &[0; 101]).unwrap_err();
        assert_eq!(
            too_big,
            Refusal::new(Errno::EFBIG, "artefact x grows to 101 bytes, at most 100")
        );
        world.stage(&w, "1", &[1; 100]).unwrap();
        let over_owner = world.stage(&w, "2", &[2; 51]).unwrap_err();
        let text = "51 bytes more than the 100 staged; at most 150 per owner";
        assert_eq!(over_owner, Refusal::new(Errno::EDQUOT, text));
        world.stage(&v, "1", &[3; 99]).unwrap();
        let over_store = world.stage(&w, "2", &[4; 2]).unwrap_err();
        assert_eq!(
            over_store,
            Refusal::new(Errno::ENOSPC, "store has 199 of 200 bytes, 2 more do not fit")
        );
        world.stage(&w, "2", b"").unwrap();
        world.stage(&w, "3", b"").unwrap();
        let over_names = world.store.begin(&w, "4").unwrap_err();
        assert_eq!(
            over_names,
            Refusal::new(
                Errno::EDQUOT,
                "3 artefacts staged or being written, at most 3; remove some"
            )
        );
    }

    /// Proves ART-12.
    #[test]
    fn what_is_being_written_counts_against_every_quota_until_it_is_dropped() {
        let mut world = World::new();
        let (w, v) = (worker("w"), worker("v"));
        let mut uploads = ["1", "2"].map(|name| world.store.begin(&w, name).unwrap());
        let [first, second] = &mut uploads;
        world.store.write(first, 0, &[1; 100]).unwrap();
        let over_owner = world.store.write(second, 0, &[2; 51]).unwrap_err();
        assert_eq!(over_owner.errno, Errno::EDQUOT);
        let mut others = world.store.begin(&v, "1").unwrap();
        let over_store = world.store.write(&mut others, 0, &[3; 100]).unwrap_err();
        assert_eq!(over_store.errno, Errno::ENOSPC);
        let _third = world.store.begin(&w, "3").unwrap();
        let over_names = world.store.begin(&w, "4").unwrap_err();
        assert_eq!(over_names.text, "3 artefacts staged or being written, at most 3; remove some");
        drop(uploads);
        world.store.write(&mut others, 0, &[3; 100]).unwrap();
        world.stage(&w, "4", &[4; 50]).unwrap();
    }

    /// Proves ART-7.
    #[test]
    fn bytes_out_of_order_are_refused() {
        let mut world = World::new();
        let mut upload = world.store.begin(&Owner::Shared, "x").unwrap();
        world.store.write(&mut upload, 0, b"abc").unwrap();
        let refusal = world.store.write(&mut upload, 2, b"d").unwrap_err();
        assert_eq!(refusal, Refusal::invalid("write at offset 2 of artefact x, wanted 3"));
    }

    /// Proves ART-3.
    #[test]
    fn content_that_a_job_holds_outlives_its_name() {
        let mut world = World::new();
        let artefact = world.stage(&Owner::Shared, "x", b"abc").unwrap();
        world.store.hold(&artefact.digest).unwrap();
        world.store.remove(&Owner::Shared, "x").unwrap();
        assert_eq!(world.files("objects"), 1);
        world.store.release(&artefact.digest);
        assert_eq!(world.files("objects"), 0);
    }

    /// Proves ART-3.
    #[test]
    fn content_without_a_name_goes_with_its_last_holder() {
        let mut world = World::new();
        let digest = world.store.keep(b"inline").unwrap();
        assert_eq!(world.store.keep(b"inline").unwrap(), digest);
        world.store.release(&digest);
        assert_eq!(world.files("objects"), 1);
        world.store.release(&digest);
        assert_eq!(world.files("objects"), 0);
        assert_eq!(world.store.keep(&[0; 201]).unwrap_err().errno, Errno::ENOSPC);
    }

    #[test]
    fn two_uploads_of_one_name_end_with_the_first_that_is_committed() {
        let mut world = World::new();
        let first = world.store.begin(&Owner::Shared, "x").unwrap();
        let second = world.store.begin(&Owner::Shared, "x").unwrap();
        world.store.commit(first).unwrap();
        assert_eq!(world.store.commit(second).unwrap_err().errno, Errno::EEXIST);
    }
}
