//! Staged artefacts: written once front to back, then immutable, kept by content and found by name.
//!
//! The file system is the database, so that nothing has to be replayed after a crash and an operator can read it with `ls`:
//!
//! ```text
//! artefacts/
//!   objects/<sha256>                   the bytes, mode 0400, each content once; the time of its last use
//!   names/shared/<name>  ──symlink──▶  ../../objects/<sha256>
//!   names/of-<subject>/<name>
//!   incoming/<number>                  uploads not yet finished; emptied at start
//!
//! begin ─▶ write* ─▶ finish ─Seal─▶ sealed: its hash is known, its quota is checked, its content is held ─Place─▶ named
//!            drop before finish: as if it had never been
//! ```
//! Bytes are written, hashed and synced by [`scribe`]s; what whoever writes waits for has a [`Receipt`], which
//! [`Artefacts::told`] redeems. Knows owners and names, not tickets or fids; the time is told to it.

mod names;
mod objects;
mod owner;
mod quota;
mod scribe;
mod upload;

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, ErrorKind},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use ninedoor_abi::{Errno, Refusal, UnixMs, job::Sha256};

use self::{
    names::Names,
    objects::Objects,
    scribe::{Desks, Task},
    upload::{Incoming, ROOM_BYTES, UploadId, lock},
};
pub(crate) use self::{
    owner::Owner,
    quota::ArtefactQuota,
    scribe::{Done, Scribes},
    upload::Upload,
};
use crate::digest::sha256_of;

/// What was staged under one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Artefact {
    /// Its content's name.
    pub(crate) digest: Sha256,
    /// Its size.
    pub(crate) bytes: u64,
}

/// For something that is not done yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Receipt(u64);

/// The store.
#[derive(Debug)]
pub(crate) struct Artefacts {
    quota: ArtefactQuota,
    names: Names,
    objects: Objects,
    incoming: Arc<Mutex<Incoming>>,
    finishing: BTreeMap<UploadId, Finishing>,
    desks: Desks,
    uploads_begun: u64,
    receipts_given: u64,
    now: UnixMs,
}

/// An upload that gets nothing more.
#[derive(Debug)]
struct Finishing {
    upload: Upload,
    receipt: Receipt,
    /// What it is, and holds, once it is sealed.
    sealed: Option<Artefact>,
}

impl Artefacts {
    /// Other bounds from now on; what is there stays.
    pub(crate) const fn set_quota(&mut self, quota: ArtefactQuota) {
        self.quota = quota;
    }

    /// Opens the store below `root`, making it if it is not there.
    ///
    /// # Errors
    /// What the file system says, with the path.
    pub(crate) fn open(root: &Path, quota: ArtefactQuota) -> io::Result<Self> {
        for part in ["objects", "names/shared", "incoming"] {
            fs::create_dir_all(root.join(part)).map_err(|error| at(&root.join(part), error))?;
        }
        for entry in fs::read_dir(root.join("incoming"))? {
            fs::remove_file(entry?.path())?;
        }
        let desks = Desks::new(&root.join("incoming"));
        let desk = desks.of(UploadId(0)).clone();
        let mut objects = Objects::open(root.join("objects"), desk)?;
        let names = Names::open(root.join("names"), &mut objects)?;
        Ok(Self {
            quota,
            names,
            objects,
            incoming: Arc::default(),
            finishing: BTreeMap::new(),
            desks,
            uploads_begun: 0,
            receipts_given: 0,
            now: UnixMs(0),
        })
    }

    /// Starts the threads that write. `tell` is to bring what they say to [`Self::told`].
    ///
    /// # Errors
    /// When there are no threads to be had.
    pub(crate) fn start(
        &mut self,
        tell: impl Fn(Done) + Send + Sync + 'static,
    ) -> io::Result<Scribes> {
        self.desks.start(tell)
    }

    /// What time it is, for all that follows.
    pub(crate) const fn tell_time(&mut self, now: UnixMs) {
        self.now = now;
    }

    /// Starts an artefact under a name that is not yet taken by its owner.
    ///
    /// # Errors
    /// `EEXIST` when the name is taken, `EDQUOT` when the owner has as many as it may.
    pub(crate) fn begin(&mut self, owner: &Owner, name: &str) -> Result<Upload, Refusal> {
        if self.names.own(owner, name).is_some() {
            let text = format!(
                "artefact {name} is staged already and immutable; remove it first or take another name"
            );
            return Err(Refusal::new(Errno::EEXIST, text));
        }
        let mut incoming = lock(&self.incoming);
        self.quota.check_names(self.names.count(owner) + incoming.uploads_of(owner))?;
        incoming.begin(owner, name);
        let id = UploadId(self.uploads_begun);
        self.uploads_begun += 1;
        Ok(Upload {
            id,
            owner: owner.clone(),
            name: name.to_owned(),
            bytes: 0,
            room_bytes: 0,
            incoming: Arc::clone(&self.incoming),
            desk: self.desks.of(id).clone(),
        })
    }

    /// Takes the next bytes of an upload; they are written when the receipt is redeemed.
    ///
    /// # Errors
    /// `EINVAL` for bytes that do not follow the last ones, `EFBIG` over the bound, `EDQUOT` over the owner's quota, `ENOSPC`
    /// when the store is full.
    pub(crate) fn write(
        &mut self,
        upload: &mut Upload,
        offset: u64,
        bytes: Vec<u8>,
    ) -> Result<Receipt, Refusal> {
        let end = upload.end_of(offset, bytes.len())?;
        self.quota.check_artefact(&upload.name, end)?;
        self.take_room(upload, end)?;
        upload.bytes = end;
        let receipt = self.receipt();
        self.give(Task::Write { upload: upload.id, bytes, receipt }, upload.id);
        Ok(receipt)
    }

    /// Counts the bytes up to `end`, and some more where there is room.
    fn take_room(&self, upload: &mut Upload, end: u64) -> Result<(), Refusal> {
        if end <= upload.room_bytes {
            return Ok(());
        }
        let (owner, more) = (&upload.owner, end - upload.room_bytes);
        let mut incoming = lock(&self.incoming);
        let owned = self.names.bytes(owner) + incoming.bytes_of(owner);
        self.quota.check_owner(owned, more, self.names.largest(owner))?;
        let stored = self.objects.bytes() + incoming.bytes();
        self.quota.check_store(stored, more)?;
        let room = (self.quota.owner_bytes_max - owned).min(self.quota.store_bytes_max - stored);
        let taken = (end.next_multiple_of(ROOM_BYTES) - upload.room_bytes).min(room);
        incoming.take_room(owner, taken);
        upload.room_bytes += taken;
        Ok(())
    }

    /// Nothing more comes. When the receipt is redeemed, the artefact is durable, immutable and findable.
    pub(crate) fn finish(&mut self, upload: Upload) -> Receipt {
        let (receipt, id) = (self.receipt(), upload.id);
        self.give(Task::Seal { upload: id }, id);
        self.finishing.insert(id, Finishing { upload, receipt, sealed: None });
        receipt
    }

    /// A scribe has done something. The receipt that is redeemed by it, if one is, and how it went: `EEXIST` when another upload
    /// took the name meanwhile, `EDQUOT` and `ENOSPC` over a quota, `EIO` from the file system.
    pub(crate) fn told(&mut self, done: Done) -> Option<(Receipt, Result<(), Refusal>)> {
        match done {
            Done::Written { receipt, outcome } => Some((receipt, outcome)),
            Done::Sealed { upload, outcome } => {
                let placed = outcome.and_then(|artefact| self.place(upload, artefact));
                match placed {
                    Ok(()) => None,
                    Err(refusal) => {
                        let finishing = self.finishing.remove(&upload)?;
                        Some((finishing.receipt, Err(refusal)))
                    }
                }
            }
            Done::Placed { upload, outcome } => {
                let Finishing { upload, receipt, sealed } = self.finishing.remove(&upload)?;
                let artefact = sealed?;
                if outcome.is_ok() {
                    self.objects.named(&artefact.digest);
                    self.names.insert(&upload.owner, &upload.name, artefact);
                }
                self.release(&artefact.digest);
                Some((receipt, outcome))
            }
        }
    }

    /// What an upload is, is known: its content is held, and gets its place and its name.
    fn place(&mut self, id: UploadId, artefact: Artefact) -> Result<(), Refusal> {
        let Some(finishing) = self.finishing.get(&id) else { return Ok(()) };
        let (owner, name) = (finishing.upload.owner.clone(), finishing.upload.name.clone());
        let is_coming = |other: &Finishing| {
            other.sealed.is_some() && other.upload.owner == owner && other.upload.name == name
        };
        if self.names.own(&owner, &name).is_some() || self.finishing.values().any(is_coming) {
            let text = format!("artefact {name} was staged by another upload meanwhile");
            return Err(Refusal::new(Errno::EEXIST, text));
        }
        self.quota.check_owner(
            self.names.bytes(&owner),
            artefact.bytes,
            self.names.largest(&owner),
        )?;
        if !self.objects.contains(&artefact.digest) {
            self.quota.check_store(self.objects.bytes(), artefact.bytes)?;
        }
        let is_there = self.objects.is_durable(&artefact.digest);
        self.objects.hold_coming(&artefact, self.now);
        if let Some(finishing) = self.finishing.get_mut(&id) {
            finishing.sealed = Some(artefact);
        }
        let task = Task::Place {
            upload: id,
            content: (!is_there).then(|| self.objects.path(&artefact.digest)),
            link: self.names.path(&owner, &name),
            digest: artefact.digest,
            now: self.now,
        };
        self.give(task, id);
        Ok(())
    }

    /// What an owner finds under a name: its own, else a shared one.
    #[must_use]
    pub(crate) fn find(&self, owner: &Owner, name: &str) -> Option<Artefact> {
        self.names.own(owner, name).or_else(|| self.names.own(&Owner::Shared, name))
    }

    /// Every name an owner finds, in order.
    #[must_use]
    pub(crate) fn list(&self, owner: &Owner) -> BTreeMap<&str, Artefact> {
        self.names.of(&Owner::Shared).chain(self.names.of(owner)).collect()
    }

    /// Whether an owner has an upload of this name that has not ended.
    #[must_use]
    pub(crate) fn is_coming(&self, owner: &Owner, name: &str) -> bool {
        lock(&self.incoming).has(owner, name)
    }

    /// The names that an owner is writing, in order.
    #[must_use]
    pub(crate) fn coming(&self, owner: &Owner) -> Vec<String> {
        lock(&self.incoming).names_of(owner)
    }

    /// Forgets a name; its content goes when nothing else needs it.
    ///
    /// # Errors
    /// `ENOENT` when the owner has no such name (a shared one is not a worker's to remove), `EIO` from the file system.
    pub(crate) fn remove(&mut self, owner: &Owner, name: &str) -> Result<(), Refusal> {
        let artefact = self.names.own(owner, name).ok_or_else(|| {
            Refusal::new(Errno::ENOENT, format!("no artefact {name} of one's own"))
        })?;
        self.names.remove(owner, name)?;
        self.objects.unnamed(&artefact.digest);
        Ok(())
    }

    /// Removes what nobody holds and nobody has used for longer than it is kept, with all of its names.
    pub(crate) fn collect(&mut self) {
        if self.quota.keep_ms == 0 {
            return;
        }
        for digest in self.objects.unused(self.now, self.quota.keep_ms) {
            for (owner, name) in self.names.with_content(&digest) {
                tracing::info!(?owner, name, "removing an artefact that nobody has used for long");
                if let Err(refusal) = self.remove(&owner, &name) {
                    tracing::warn!(%refusal, "cannot remove an artefact");
                }
            }
        }
    }

    /// Keeps a content that has no name, until [`Self::release`].
    ///
    /// # Errors
    /// `ENOSPC` when the store is full, `EIO` from the file system.
    pub(crate) fn keep(&mut self, bytes: &[u8]) -> Result<Sha256, Refusal> {
        let artefact = Artefact { digest: sha256_of(bytes), bytes: bytes.len() as u64 };
        if !self.objects.contains(&artefact.digest) {
            let stored = self.objects.bytes() + lock(&self.incoming).bytes();
            self.quota.check_store(stored, artefact.bytes)?;
        }
        self.objects.keep(&artefact, bytes, self.now)?;
        Ok(artefact.digest)
    }

    /// Opens a content for reading; as long as it is open its bytes stay, whatever happens to its names.
    ///
    /// # Errors
    /// `EIO` from the file system.
    pub(crate) fn read(&self, digest: &Sha256) -> Result<File, Refusal> {
        self.objects.read(digest)
    }

    /// Where a content is as long as something needs it.
    pub(crate) fn path(&self, digest: &Sha256) -> PathBuf {
        self.objects.path(digest)
    }

    /// Keeps a content from going away until [`Self::release`], whatever happens to its names.
    ///
    /// # Errors
    /// `ENOENT` when there is no such content.
    pub(crate) fn hold(&mut self, digest: &Sha256) -> Result<(), Refusal> {
        self.objects.hold(digest, self.now)
    }

    /// Gives back what [`Self::hold`] took.
    pub(crate) fn release(&mut self, digest: &Sha256) {
        self.objects.release(digest, self.now, self.quota.keep_ms);
    }

    /// Removes what neither a name nor a job that an earlier daemon left needs: to be called once those jobs hold what they need.
    pub(crate) fn drop_unneeded(&mut self) {
        self.objects.drop_unneeded();
    }

    /// Bytes of all contents, each counted once.
    #[must_use]
    pub(crate) fn bytes(&self) -> u64 {
        self.objects.bytes()
    }

    /// Contents, each counted once.
    #[must_use]
    pub(crate) fn contents(&self) -> usize {
        self.objects.len()
    }

    /// How many bytes there may be.
    #[must_use]
    pub(crate) const fn bytes_max(&self) -> u64 {
        self.quota.store_bytes_max
    }

    const fn receipt(&mut self) -> Receipt {
        self.receipts_given += 1;
        Receipt(self.receipts_given)
    }

    /// Scribes end after the last that asks: where there is none any more there is nobody to answer either.
    fn give(&self, task: Task, upload: UploadId) {
        let _ = self.desks.of(upload).send(task);
    }
}

fn create_new(path: &Path, mode: u32) -> Result<File, Refusal> {
    let mut options = File::options();
    options.read(true).write(true).create_new(true).mode(mode);
    options.open(path).map_err(|error| world(path, &error))
}

fn at(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn world(path: &Path, error: &io::Error) -> Refusal {
    let errno = if error.kind() == ErrorKind::StorageFull { Errno::ENOSPC } else { Errno::EIO };
    Refusal::new(errno, format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests;
