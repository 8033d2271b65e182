//! The state directory: ours alone, and held by one daemon at a time.

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

use rustix::fs::FlockOperation;

/// A state directory that this process holds. Dropping it lets another daemon have it.
#[derive(Debug)]
pub(crate) struct StateDir {
    path: PathBuf,
    _lock: File,
}

/// Why a state directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateDirError {
    /// The file system said no.
    #[error("state directory {path}: {error}")]
    World {
        /// Which.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
    /// Others may look into it: it holds secrets.
    #[error("state directory {path} has mode {mode:04o}, wanted 0700; try: chmod 700 {path}")]
    Open {
        /// Which.
        path: PathBuf,
        /// Its mode now.
        mode: u32,
    },
    /// Another daemon runs on it.
    #[error(
        "state directory {path} is in use by another gpu-bridge-host; stop that one or use another --state-dir"
    )]
    Busy {
        /// Which.
        path: PathBuf,
    },
}

impl StateDir {
    /// Makes the directory if need be (mode 0700) and takes hold of it.
    ///
    /// # Errors
    /// When others may read it, when another daemon has it, or what the file system says.
    pub(crate) fn open(path: &Path) -> Result<Self, StateDirError> {
        let world = |error| StateDirError::World { path: path.to_owned(), error };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(world)?;
        let mode = fs::metadata(path).map_err(world)?.mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(StateDirError::Open { path: path.to_owned(), mode });
        }
        let lock = File::options()
            .create(true)
            .write(true)
            .truncate(false)
            .open(path.join("lock"))
            .map_err(world)?;
        rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|errno| {
            match errno {
                rustix::io::Errno::WOULDBLOCK => StateDirError::Busy { path: path.to_owned() },
                other => world(other.into()),
            }
        })?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// Where it is.
    #[must_use]
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// Proves BR-1.
    #[test]
    fn a_state_directory_is_made_for_its_owner_alone() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/b");
        let state = StateDir::open(&path).unwrap();
        assert_eq!(fs::metadata(state.path()).unwrap().mode() & 0o777, 0o700);
    }

    /// Proves BR-1.
    #[test]
    fn a_state_directory_that_others_may_read_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        fs::set_permissions(parent.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let text = StateDir::open(parent.path()).unwrap_err().to_string();
        assert!(text.ends_with(&format!(
            "has mode 0755, wanted 0700; try: chmod 700 {}",
            parent.path().display()
        )));
    }

    /// Proves BR-2.
    #[test]
    fn a_state_directory_serves_one_daemon_at_a_time() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("state");
        let first = StateDir::open(&path).unwrap();
        assert!(
            StateDir::open(&path)
                .unwrap_err()
                .to_string()
                .contains("is in use by another gpu-bridge-host")
        );
        drop(first);
        StateDir::open(&path).unwrap();
    }
}
