//! The smallest tree that can be asked everything: files in memory.
//!
//! Every node it hands out has a number of its own, so that a test can tell whether each came back once and only once. Knows no users
//! and no permissions, but for one file that nobody may open.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
    sync::Arc,
    vec::Vec,
};

use crate::{
    bytes::Bytes,
    errno::Errno,
    ids::{Qid, QidKind},
    message::{
        Attributes, DirectoryEntry, FileSystemStatistics, LockKind, LockStatus, SetAttributes,
    },
    name::Name,
    open::OpenFlags,
    server::{Reply, Request},
};

/// One file of the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct FileNumber(u64);

const ROOT: FileNumber = FileNumber(0);

/// What a session holds for a fid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ToyNode(u64);

#[derive(Debug)]
enum Content {
    Directory(BTreeMap<Name, FileNumber>),
    Data(Arc<[u8]>),
    /// Writes go to the end, truncation does nothing.
    AppendOnly(Vec<u8>),
    Symlink(String),
}

#[derive(Debug)]
struct File {
    parent: FileNumber,
    content: Content,
}

/// A tree of files in memory.
#[derive(Debug)]
pub struct ToyTree {
    files: BTreeMap<FileNumber, File>,
    next_file: u64,
    /// Nodes handed out and not come back yet.
    live: BTreeMap<ToyNode, FileNumber>,
    next_node: u64,
    /// Longest file a write may make.
    file_bytes_max: usize,
    locked: BTreeSet<FileNumber>,
}

/// Most files at one time.
const FILES_MAX: usize = 256;

impl ToyTree {
    /// `/hello`, `/empty`, `/big` (100000 bytes), `/ctl` (append only), `/locked` (EACCES), `/link`, `/dir/{a,b,c}`.
    #[must_use]
    pub fn new() -> Self {
        let mut tree = Self {
            files: BTreeMap::new(),
            next_file: 1,
            live: BTreeMap::new(),
            next_node: 0,
            file_bytes_max: 1 << 20,
            locked: BTreeSet::new(),
        };
        tree.files
            .insert(ROOT, File { parent: ROOT, content: Content::Directory(BTreeMap::new()) });
        let mut big = (0..=u8::MAX).collect::<Vec<_>>().repeat(391);
        big.truncate(100_000);
        tree.plant(ROOT, "hello", Content::Data(Arc::from(*b"hello, world\n")));
        tree.plant(ROOT, "empty", Content::Data(Arc::from([])));
        tree.plant(ROOT, "big", Content::Data(Arc::from(big)));
        tree.plant(ROOT, "ctl", Content::AppendOnly(Vec::new()));
        let locked = tree.plant(ROOT, "locked", Content::Data(Arc::from([])));
        tree.locked.insert(locked);
        tree.plant(ROOT, "link", Content::Symlink("hello".into()));
        let dir = tree.plant(ROOT, "dir", Content::Directory(BTreeMap::new()));
        for name in ["a", "b", "c"] {
            tree.plant(dir, name, Content::Data(Arc::from(name.as_bytes())));
        }
        tree
    }

    /// A tree with one more file in its root.
    #[must_use]
    pub fn with_file(mut self, name: &str, data: Arc<[u8]>) -> Self {
        self.plant(ROOT, name, Content::Data(data));
        self
    }

    /// A tree whose files grow to so many bytes and no more.
    #[must_use]
    pub fn with_file_bytes_max(mut self, file_bytes_max: usize) -> Self {
        self.file_bytes_max = file_bytes_max;
        self
    }

    fn plant(&mut self, parent: FileNumber, name: &str, content: Content) -> FileNumber {
        let number = FileNumber(self.next_file);
        self.next_file += 1;
        self.files.insert(number, File { parent, content });
        if let (Ok(entries), Ok(name)) = (self.entries_mut(parent), Name::new(name)) {
            entries.insert(name, number);
        }
        number
    }

    /// Nodes handed out and not come back yet.
    #[must_use]
    pub fn live_nodes(&self) -> usize {
        self.live.len()
    }

    /// A node came back from the session.
    ///
    /// # Panics
    /// When it had come back before: the session broke its promise.
    pub fn release(&mut self, node: ToyNode) {
        assert!(self.live.remove(&node).is_some(), "{node:?} came back twice");
    }

    /// Answers a request.
    ///
    /// # Errors
    /// As a file system would.
    pub fn handle(&mut self, request: Request<ToyNode>) -> Result<Reply<ToyNode>, Errno> {
        match request {
            Request::Attach { aname, .. } if aname == "nowhere" => Err(Errno::ENOENT),
            Request::Attach { .. } => {
                Ok(Reply::Attach { node: self.hand_out(ROOT), qid: self.qid(ROOT)? })
            }
            Request::Walk { from, names } => self.walk(from, &names),
            Request::Open { node, flags } => self.open(node, flags),
            Request::Create { directory, name, flags, .. } => self.create(directory, name, flags),
            Request::Read { node, offset, count } => self.read(node, offset, count),
            Request::Write { node, offset, data } => self.write(node, offset, &data),
            Request::Readdir { node, offset, .. } => self.readdir(node, offset),
            Request::Getattr { node } => self.getattr(node),
            Request::Setattr { node, attributes } => self.setattr(node, &attributes),
            Request::Statfs { .. } => Ok(Reply::Statfs { statistics: statistics() }),
            Request::Fsync { .. } => Ok(Reply::Done),
            Request::Clunk { node } => {
                self.release(node);
                Ok(Reply::Done)
            }
            Request::Remove { node } => {
                let file = self.file_of(node);
                self.release(node);
                self.unlink(file?)
            }
            Request::Mkdir { directory, name, .. } => {
                self.make(directory, name, Content::Directory(BTreeMap::new()))
            }
            Request::Symlink { directory, name, target, .. } => {
                self.make(directory, name, Content::Symlink(target))
            }
            Request::Unlinkat { directory, name, .. } => {
                let directory = self.file_of(directory)?;
                let file = *self.entries(directory)?.get(&name).ok_or(Errno::ENOENT)?;
                self.unlink(file)
            }
            Request::Rename { from_directory, from, to_directory, to } => {
                self.rename(from_directory, from, to_directory, to)
            }
            Request::Link { .. } | Request::Mknod { .. } => Err(Errno::EPERM),
            Request::Readlink { node } => match &self.file(self.file_of(node)?)?.content {
                Content::Symlink(target) => Ok(Reply::Readlink { target: target.clone() }),
                _ => Err(Errno::EINVAL),
            },
            Request::Lock { .. } => Ok(Reply::Lock { status: LockStatus::Success }),
            Request::Getlock { mut lock, .. } => {
                lock.kind = LockKind::Unlock;
                Ok(Reply::Getlock { lock })
            }
        }
    }

    fn hand_out(&mut self, file: FileNumber) -> ToyNode {
        let node = ToyNode(self.next_node);
        self.next_node += 1;
        self.live.insert(node, file);
        node
    }

    fn file_of(&self, node: ToyNode) -> Result<FileNumber, Errno> {
        self.live.get(&node).copied().ok_or(Errno::ESTALE)
    }

    fn file(&self, file: FileNumber) -> Result<&File, Errno> {
        self.files.get(&file).ok_or(Errno::ENOENT)
    }

    fn file_mut(&mut self, file: FileNumber) -> Result<&mut File, Errno> {
        self.files.get_mut(&file).ok_or(Errno::ENOENT)
    }

    fn entries(&self, file: FileNumber) -> Result<&BTreeMap<Name, FileNumber>, Errno> {
        match &self.file(file)?.content {
            Content::Directory(entries) => Ok(entries),
            _ => Err(Errno::ENOTDIR),
        }
    }

    fn entries_mut(&mut self, file: FileNumber) -> Result<&mut BTreeMap<Name, FileNumber>, Errno> {
        match &mut self.file_mut(file)?.content {
            Content::Directory(entries) => Ok(entries),
            _ => Err(Errno::ENOTDIR),
        }
    }

    fn qid(&self, file: FileNumber) -> Result<Qid, Errno> {
        let kind = match self.file(file)?.content {
            Content::Directory(_) => QidKind::DIRECTORY,
            Content::Data(_) => QidKind::FILE,
            Content::AppendOnly(_) => QidKind::APPEND,
            Content::Symlink(_) => QidKind::SYMLINK,
        };
        Ok(Qid { kind, version: 0, path: file.0 })
    }

    fn step(&self, from: FileNumber, name: &Name) -> Result<FileNumber, Errno> {
        if name.is_dot_dot() {
            return Ok(self.file(from)?.parent);
        }
        let entries = self.entries(from)?;
        if name.is_dot() { Ok(from) } else { entries.get(name).copied().ok_or(Errno::ENOENT) }
    }

    fn walk(&mut self, from: ToyNode, names: &[Name]) -> Result<Reply<ToyNode>, Errno> {
        let mut here = self.file_of(from)?;
        let mut qids = Vec::new();
        for name in names {
            match self.step(here, name) {
                Ok(there) => here = there,
                Err(errno) if qids.is_empty() => return Err(errno),
                Err(_) => return Ok(Reply::Walk { qids, node: None }),
            }
            qids.push(self.qid(here)?);
        }
        let node = Some(self.hand_out(here));
        Ok(Reply::Walk { qids, node })
    }

    fn open(&mut self, node: ToyNode, flags: OpenFlags) -> Result<Reply<ToyNode>, Errno> {
        let file = self.file_of(node)?;
        if self.locked.contains(&file) {
            return Err(Errno::EACCES);
        }
        let qid = self.qid(file)?;
        if let (true, Content::Data(data)) =
            (flags.contains(OpenFlags::TRUNC), &mut self.file_mut(file)?.content)
        {
            *data = Arc::from([]);
        }
        self.release(node);
        Ok(Reply::Open { node: self.hand_out(file), qid, iounit: 0 })
    }

    fn create(
        &mut self,
        directory: ToyNode,
        name: Name,
        flags: OpenFlags,
    ) -> Result<Reply<ToyNode>, Errno> {
        let parent = self.file_of(directory)?;
        let file = match self.entries(parent)?.get(&name).copied() {
            Some(_) if flags.contains(OpenFlags::EXCL) => return Err(Errno::EEXIST),
            Some(file) => file,
            None => self.make_in(parent, name, Content::Data(Arc::from([])))?,
        };
        let qid = self.qid(file)?;
        self.release(directory);
        Ok(Reply::Create { node: self.hand_out(file), qid, iounit: 0 })
    }

    fn make(
        &mut self,
        directory: ToyNode,
        name: Name,
        content: Content,
    ) -> Result<Reply<ToyNode>, Errno> {
        let parent = self.file_of(directory)?;
        if self.entries(parent)?.contains_key(&name) {
            return Err(Errno::EEXIST);
        }
        let made = self.make_in(parent, name, content)?;
        Ok(Reply::Made { qid: self.qid(made)? })
    }

    fn make_in(
        &mut self,
        parent: FileNumber,
        name: Name,
        content: Content,
    ) -> Result<FileNumber, Errno> {
        self.entries(parent)?;
        if self.files.len() >= FILES_MAX {
            return Err(Errno::ENOSPC);
        }
        Ok(self.plant(parent, &name, content))
    }

    fn read(&self, node: ToyNode, offset: u64, count: u32) -> Result<Reply<ToyNode>, Errno> {
        let range = |bytes: usize| {
            let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes);
            start..start.saturating_add(count as usize).min(bytes)
        };
        match &self.file(self.file_of(node)?)?.content {
            Content::Data(data) => Ok(Reply::Read(Bytes::Shared(data.clone(), range(data.len())))),
            Content::AppendOnly(data) => {
                let part = data.get(range(data.len())).unwrap_or_default();
                Ok(Reply::Read(Bytes::Owned(part.to_vec())))
            }
            Content::Directory(_) => Err(Errno::EISDIR),
            Content::Symlink(_) => Err(Errno::EINVAL),
        }
    }

    fn write(&mut self, node: ToyNode, offset: u64, data: &[u8]) -> Result<Reply<ToyNode>, Errno> {
        let (file, file_bytes_max) = (self.file_of(node)?, self.file_bytes_max);
        let append = |bytes: &mut Vec<u8>, start: usize| {
            let end = start.checked_add(data.len()).filter(|end| *end <= file_bytes_max);
            bytes.resize(bytes.len().max(end.ok_or(Errno::EFBIG)?), 0);
            bytes.get_mut(start..start + data.len()).ok_or(Errno::EFBIG)?.copy_from_slice(data);
            Ok(())
        };
        match &mut self.file_mut(file)?.content {
            Content::Data(bytes) => {
                let start = usize::try_from(offset).map_err(|_| Errno::EFBIG)?;
                let mut grown = bytes.to_vec();
                append(&mut grown, start)?;
                *bytes = Arc::from(grown);
            }
            Content::AppendOnly(bytes) => append(bytes, bytes.len())?,
            Content::Directory(_) => return Err(Errno::EISDIR),
            Content::Symlink(_) => return Err(Errno::EINVAL),
        }
        Ok(Reply::Write { count: u32::try_from(data.len()).unwrap_or(u32::MAX) })
    }

    fn readdir(&self, node: ToyNode, offset: u64) -> Result<Reply<ToyNode>, Errno> {
        let entries = self.entries(self.file_of(node)?)?.iter().zip(1..);
        let skipped = usize::try_from(offset).unwrap_or(usize::MAX);
        let entry = |((name, file), cookie): ((&Name, &FileNumber), u64)| {
            Ok(DirectoryEntry::new(self.qid(*file)?, cookie, name))
        };
        Ok(Reply::Readdir {
            entries: entries.skip(skipped).map(entry).collect::<Result<_, Errno>>()?,
        })
    }

    fn getattr(&self, node: ToyNode) -> Result<Reply<ToyNode>, Errno> {
        let number = self.file_of(node)?;
        let (mode, size) = match &self.file(number)?.content {
            Content::Directory(_) => (Attributes::MODE_DIRECTORY | 0o755, 0),
            Content::Data(data) => (Attributes::MODE_FILE | 0o644, data.len() as u64),
            Content::AppendOnly(_) => (Attributes::MODE_FILE | 0o622, 0),
            Content::Symlink(target) => (0o120_777, target.len() as u64),
        };
        let attributes = Attributes { size, ..Attributes::synthetic(self.qid(number)?, mode) };
        Ok(Reply::Getattr { attributes })
    }

    fn setattr(&mut self, node: ToyNode, change: &SetAttributes) -> Result<Reply<ToyNode>, Errno> {
        let (file, file_bytes_max) = (self.file_of(node)?, self.file_bytes_max);
        if let (Some(size), Content::Data(data)) = (change.size, &mut self.file_mut(file)?.content)
        {
            let size = usize::try_from(size).ok().filter(|size| *size <= file_bytes_max);
            let mut cut = data.to_vec();
            cut.resize(size.ok_or(Errno::EFBIG)?, 0);
            *data = Arc::from(cut);
        }
        Ok(Reply::Done)
    }

    fn unlink(&mut self, file: FileNumber) -> Result<Reply<ToyNode>, Errno> {
        let File { parent, content } = self.file(file)?;
        let parent = *parent;
        match content {
            _ if file == ROOT => return Err(Errno::EBUSY),
            Content::Directory(entries) if !entries.is_empty() => return Err(Errno::ENOTEMPTY),
            _ => {}
        }
        self.entries_mut(parent)?.retain(|_, entry| *entry != file);
        self.files.remove(&file);
        Ok(Reply::Done)
    }

    fn rename(
        &mut self,
        from_directory: ToyNode,
        from: Option<Name>,
        to_directory: ToyNode,
        to: Name,
    ) -> Result<Reply<ToyNode>, Errno> {
        let (source, target) = (self.file_of(from_directory)?, self.file_of(to_directory)?);
        let file = match from {
            Some(name) => *self.entries(source)?.get(&name).ok_or(Errno::ENOENT)?,
            None => source,
        };
        if self.entries(target)?.contains_key(&to) {
            return Err(Errno::EEXIST);
        }
        if matches!(self.file(file)?.content, Content::Directory(_)) {
            return Err(Errno::EINVAL); // it might be moved into itself
        }
        let parent = self.file(file)?.parent;
        self.entries_mut(parent)?.retain(|_, entry| *entry != file);
        self.entries_mut(target)?.insert(to, file);
        self.file_mut(file)?.parent = target;
        Ok(Reply::Done)
    }
}

impl Default for ToyTree {
    fn default() -> Self {
        Self::new()
    }
}

fn statistics() -> FileSystemStatistics {
    FileSystemStatistics {
        kind: FileSystemStatistics::KIND_9P,
        bsize: 4096,
        namelen: 255,
        ..FileSystemStatistics::default()
    }
}
