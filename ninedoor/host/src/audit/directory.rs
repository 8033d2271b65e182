//! The directory of the audit log: its numbered files, and the head beside them.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::line::Link;

const HEAD: &str = "head.json";

/// Where the files are.
#[derive(Debug, Clone)]
pub struct AuditDir(PathBuf);

/// The last line that is known to be on disk: without it, a log that lost its end would look whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Head {
    /// `<number>:<sha256>` of the last line.
    link: String,
    /// The file that it is in.
    pub(super) file: u64,
    /// The oldest file that is kept.
    pub(super) oldest: u64,
}

impl Head {
    pub(super) fn new(link: Link, file: u64, oldest: u64) -> Self {
        Self { link: link.to_string(), file, oldest }
    }

    /// The last line.
    ///
    /// # Errors
    /// When it was garbled.
    pub(super) fn link(&self) -> io::Result<Link> {
        self.link.parse().map_err(|refusal: ninedoor_abi::Refusal| garbled(&refusal.text))
    }
}

impl AuditDir {
    /// The audit log of a state directory.
    #[must_use]
    pub fn of(state_dir: &Path) -> Self {
        Self(state_dir.join("audit"))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Makes it, for its owner alone.
    pub(super) fn create(&self) -> io::Result<()> {
        Self::create_at(&self.0)
    }

    pub(super) fn create_at(path: &Path) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)
    }

    /// The numbers of its files, in order; none where there is no directory.
    pub(super) fn numbers(&self) -> io::Result<Vec<u64>> {
        let entries = match fs::read_dir(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut numbers = Vec::new();
        for entry in entries {
            numbers.extend(entry?.file_name().to_str().and_then(number_of));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    pub(super) fn file(&self, number: u64) -> PathBuf {
        self.0.join(name_of(number))
    }

    /// Begins a file; what an earlier attempt has left of it goes.
    pub(super) fn begin(&self, number: u64) -> io::Result<File> {
        let path = self.file(number);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(path)?;
        File::open(&self.0)?.sync_all()?;
        Ok(file)
    }

    /// The head; none where there is none.
    pub(super) fn head(&self) -> io::Result<Option<Head>> {
        match fs::read(self.0.join(HEAD)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            text => serde_json::from_slice(&text?)
                .map(Some)
                .map_err(|error| garbled(&error.to_string())),
        }
    }

    /// Replaces the head, whole or not at all.
    pub(super) fn write_head(&self, head: &Head) -> io::Result<()> {
        let new = self.0.join("head.new");
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(&serde_json::to_vec(head)?)?;
        file.sync_data()?;
        fs::rename(new, self.0.join(HEAD))
    }
}

fn garbled(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{HEAD}: {why}"))
}

/// `audit-00000007.jsonl`.
pub(super) fn name_of(number: u64) -> String {
    format!("audit-{number:08}.jsonl")
}

fn number_of(name: &str) -> Option<u64> {
    let number = name.strip_prefix("audit-")?.strip_suffix(".jsonl")?.parse().ok()?;
    (name_of(number) == name).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_read_as_they_are_made() {
        assert_eq!(name_of(7), "audit-00000007.jsonl");
        assert_eq!(number_of("audit-00000007.jsonl"), Some(7));
        assert_eq!(number_of("audit-7.jsonl"), None);
        assert_eq!(number_of("head.json"), None);
    }

    #[test]
    fn a_directory_that_is_not_there_has_no_files_and_no_head() {
        let nowhere = AuditDir::of(Path::new("/nowhere"));
        assert!(nowhere.numbers().unwrap().is_empty());
        assert_eq!(nowhere.head().unwrap(), None);
    }
}
