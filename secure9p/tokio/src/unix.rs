//! The file of a Unix socket: made for its owner alone, replaced only when nobody serves it, removed at the end.

use std::{
    fs::{self, File, Permissions},
    io,
    os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};
use tokio::net::{UnixListener, UnixSocket};

use crate::limits::BACKLOG;

/// Why a socket file could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SocketFileRefused {
    /// Another server answers there.
    #[error("another server is listening there; stop it, or choose another path")]
    Served,
    /// The path is taken by something else.
    #[error("the path is taken by something that is no socket; remove it, or choose another path")]
    NotASocket,
    /// Another server is being started in the same directory at this moment.
    #[error("another server is starting in {directory}; try again", directory = .0.display())]
    Contended(PathBuf),
    /// The system said no.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The socket file; removed when dropped, unless another has taken its place.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    identity: Identity,
}

/// Inode numbers are used again at once, so the time of the last change counts too.
#[derive(Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    changed_at: (i64, i64),
}

/// Listens at `path`, mode 0600 from before the first connect can succeed.
pub(crate) fn bind(path: &Path) -> Result<(UnixListener, SocketFile), SocketFileRefused> {
    let _starting = lock_directory_of(path)?;
    remove_stale(path)?;
    let socket = UnixSocket::new_stream()?;
    socket.bind(path)?;
    // nobody can connect before `listen`
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    let file = SocketFile { path: path.to_owned(), identity: identity(path)? };
    Ok((socket.listen(BACKLOG)?, file))
}

/// Two servers that start at once must not each find the other's half-made socket stale.
fn lock_directory_of(path: &Path) -> Result<File, SocketFileRefused> {
    let directory = path.parent().unwrap_or_else(|| Path::new("/"));
    let lock = File::open(directory)?;
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(lock),
        Err(rustix::io::Errno::WOULDBLOCK) => {
            Err(SocketFileRefused::Contended(directory.to_owned()))
        }
        Err(errno) => Err(io::Error::from(errno).into()),
    }
}

fn remove_stale(path: &Path) -> Result<(), SocketFileRefused> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
        Ok(found) if !found.file_type().is_socket() => return Err(SocketFileRefused::NotASocket),
        Ok(_) => {}
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            Ok(fs::remove_file(path)?)
        }
        Err(error) => Err(error.into()),
        Ok(_) => Err(SocketFileRefused::Served),
    }
}

fn identity(path: &Path) -> io::Result<Identity> {
    let found = fs::symlink_metadata(path)?;
    let changed_at = (found.ctime(), found.ctime_nsec());
    Ok(Identity { device: found.dev(), inode: found.ino(), changed_at })
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|found| found == self.identity) {
            // nothing can be done about a failure, and the next start replaces a stale socket
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves PIPE-9.
    #[tokio::test]
    async fn a_stale_socket_is_replaced_and_a_served_one_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());

        let (_listener, file) = bind(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let refused = bind(&path).unwrap_err().to_string();
        assert_eq!(refused, "another server is listening there; stop it, or choose another path");

        drop(file);
        assert!(!path.exists());
    }

    /// Proves PIPE-9.
    #[tokio::test]
    async fn a_file_that_is_no_socket_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notes.txt");
        fs::write(&path, "keep me").unwrap();
        let refused = bind(&path).unwrap_err().to_string();
        assert!(refused.contains("no socket; remove it, or choose another path"), "{refused}");
        assert_eq!(fs::read(&path).unwrap(), b"keep me");
    }

    #[tokio::test]
    async fn a_successor_s_socket_is_not_removed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.sock");
        let (listener, first) = bind(&path).unwrap();
        drop(listener);
        let (_listener, _second) = bind(&path).unwrap();
        drop(first);
        assert!(path.exists());
    }
}
