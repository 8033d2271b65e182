//! A tree, seen by one user: everything a program does by path.

use std::sync::Arc;

use secure9p::{
    Fid, Name, NumericUname, OpenFlags, Rmessage, Tmessage,
    message::{AttributeMask, Attributes, DirectoryEntry},
};

use crate::client::{
    Cause, ClientError, File,
    fid::{OwnedFid, nonsense},
    link::{Effect, User},
};

/// Most entries that listing a directory may bring.
const ENTRIES_MAX: usize = 1 << 20;

/// Permissions of what is created, unless asked otherwise.
const CREATE_MODE: u32 = 0o644;

/// A directory that a user attached to, or walked to from there. Paths are taken from here; cloning is cheap, and the
/// server lets go of it when the last clone is gone.
#[derive(Debug, Clone)]
pub struct Root(Arc<OwnedFid>);

impl Root {
    pub(crate) async fn attach(user: &Arc<User>, uname: &str, aname: &str) -> Result<Self, Cause> {
        let fid = user.new_fid()?;
        let attach = Tmessage::Attach {
            fid,
            afid: Fid::NOFID,
            uname: uname.to_owned(),
            aname: aname.to_owned(),
            n_uname: NumericUname::NONE,
        };
        match user.call(attach, Effect::Makes(fid)).await? {
            Rmessage::Attach { .. } => Ok(Self(Arc::new(OwnedFid::new(user, fid)))),
            other => Err(nonsense(&other, "Tattach")),
        }
    }

    /// The directory at `path`, as a root of its own.
    pub async fn walk(&self, path: &str) -> Result<Self, ClientError> {
        let found = self.find(path).await;
        found.map(|fid| Self(Arc::new(fid))).map_err(failed("walk to", path))
    }

    /// Opens a file.
    pub async fn open(&self, path: &str, flags: OpenFlags) -> Result<File, ClientError> {
        self.try_open(path, flags).await.map_err(failed("open", path))
    }

    async fn try_open(&self, path: &str, flags: OpenFlags) -> Result<File, Cause> {
        let fid = self.find(path).await?;
        match fid.call(|fid| Tmessage::Lopen { fid, flags }).await? {
            Rmessage::Lopen { qid, iounit } => Ok(File::new(fid, path, qid, iounit, flags)),
            other => Err(nonsense(&other, "Tlopen")),
        }
    }

    /// Makes a file and opens it. Whether one that is there already will do, `flags` say (`EXCL`, `TRUNC`).
    pub async fn create(
        &self,
        path: &str,
        flags: OpenFlags,
        mode: u32,
    ) -> Result<File, ClientError> {
        self.try_create(path, flags, mode).await.map_err(failed("create", path))
    }

    async fn try_create(&self, path: &str, flags: OpenFlags, mode: u32) -> Result<File, Cause> {
        let names = names(path)?;
        let Some((name, directory)) = names.split_last() else {
            return Err(Cause::Unusable("the path names no file".to_owned()));
        };
        let fid = self.0.walk(directory).await?;
        let (name, flags) = (name.to_string(), flags | OpenFlags::CREAT);
        let create = |fid| Tmessage::Lcreate { fid, name, flags, mode, gid: 0 };
        match fid.call(create).await? {
            Rmessage::Lcreate { qid, iounit } => Ok(File::new(fid, path, qid, iounit, flags)),
            other => Err(nonsense(&other, "Tlcreate")),
        }
    }

    /// The whole of a file, up to [`crate::ConnectOptions::read_bytes_max`].
    pub async fn read(&self, path: &str) -> Result<Vec<u8>, ClientError> {
        let read = async { self.try_open(path, OpenFlags::RDONLY).await?.read_whole().await };
        read.await.map_err(failed("read", path))
    }

    /// Cuts a file to nothing and writes it anew, from the first byte; a control file takes it as commands. The file must
    /// be there. Errors that show only when the file is closed are told too.
    pub async fn write(&self, path: &str, data: &[u8]) -> Result<(), ClientError> {
        self.write_with(path, OpenFlags::WRONLY | OpenFlags::TRUNC, data).await
    }

    /// Writes at the end of a file, one piece after the other.
    pub async fn append(&self, path: &str, data: &[u8]) -> Result<(), ClientError> {
        self.write_with(path, OpenFlags::WRONLY | OpenFlags::APPEND, data).await
    }

    async fn write_with(
        &self,
        path: &str,
        flags: OpenFlags,
        data: &[u8],
    ) -> Result<(), ClientError> {
        let write = async {
            let file = self.try_open(path, flags).await?;
            file.write_whole(data).await?;
            file.into_fid().clunk().await
        };
        write.await.map_err(failed("write", path))
    }

    /// Makes a file with these contents. There must be none yet.
    pub async fn put(&self, path: &str, data: &[u8]) -> Result<(), ClientError> {
        let put = async {
            let flags = OpenFlags::WRONLY | OpenFlags::EXCL;
            let file = self.try_create(path, flags, CREATE_MODE).await?;
            file.write_whole(data).await?;
            file.into_fid().clunk().await
        };
        put.await.map_err(failed("create", path))
    }

    /// The entries of a directory, without `.` and `..`, in the server's order.
    pub async fn list(&self, path: &str) -> Result<Vec<DirectoryEntry>, ClientError> {
        self.try_list(path).await.map_err(failed("list", path))
    }

    async fn try_list(&self, path: &str) -> Result<Vec<DirectoryEntry>, Cause> {
        let fid = self.find(path).await?;
        let flags = OpenFlags::RDONLY | OpenFlags::DIRECTORY;
        fid.call(|fid| Tmessage::Lopen { fid, flags }).await?;
        let count = fid.user().state().session.io_bytes_max();
        let (mut listed, mut offset) = (Vec::new(), 0);
        loop {
            let entries = match fid.call(|fid| Tmessage::Readdir { fid, offset, count }).await? {
                Rmessage::Readdir { entries } => entries,
                other => return Err(nonsense(&other, "Treaddir")),
            };
            let Some(last) = entries.last() else { return Ok(listed) };
            offset = last.offset;
            listed.extend(entries.into_iter().filter(|it| it.name != "." && it.name != ".."));
            if listed.len() > ENTRIES_MAX {
                return Err(Cause::Nonsense(format!("it has more than {ENTRIES_MAX} entries")));
            }
        }
    }

    /// What is known about a file.
    pub async fn stat(&self, path: &str) -> Result<Attributes, ClientError> {
        let stat = async { attributes(&self.find(path).await?).await };
        stat.await.map_err(failed("stat", path))
    }

    /// Removes a file.
    pub async fn remove(&self, path: &str) -> Result<(), ClientError> {
        let remove = async { self.find(path).await?.remove().await };
        remove.await.map_err(failed("remove", path))
    }

    /// Whether the connection still stands, as far as is known.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.0.user().end().is_none()
    }

    async fn find(&self, path: &str) -> Result<OwnedFid, Cause> {
        self.0.walk(&names(path)?).await
    }
}

pub(crate) async fn attributes(fid: &OwnedFid) -> Result<Attributes, Cause> {
    let request_mask = AttributeMask::BASIC;
    match fid.call(|fid| Tmessage::Getattr { fid, request_mask }).await? {
        Rmessage::Getattr { attributes } => Ok(attributes),
        other => Err(nonsense(&other, "Tgetattr")),
    }
}

fn failed(doing: &'static str, path: &str) -> impl FnOnce(Cause) -> ClientError {
    move |cause| ClientError::new(doing, path, cause)
}

/// The elements of a path; slashes at either end, and more than one between two, mean nothing.
fn names(path: &str) -> Result<Vec<Name>, Cause> {
    path.split('/')
        .filter(|element| !element.is_empty())
        .map(|element| Name::new(element).map_err(|bad| Cause::Unusable(bad.to_string())))
        .collect()
}
