//! The hive as a command sees it: files by path, and control files that answer.
//!
//! Knows 9P through its client only, and turns every failure into one that an operator can act on.

mod failure;
mod stream;
#[cfg(test)]
pub(crate) mod toy;

use std::sync::Arc;
use std::time::{Duration, Instant};

use ninedoor_abi::ctl::Outcome;
use ninedoor_abi::{Identity, StatusLine};
use secure9p::message::{Attributes, DirectoryEntry};
use secure9p::{Errno, OpenFlags};
use secure9p_tokio::{ClientError, File, Root};

pub use stream::{Reader, Writer};

use crate::error::CommandError;
pub(crate) use failure::failed;
use failure::refused;

/// Permissions of what is created.
const CREATE_MODE: u32 = 0o644;
/// Bytes of the status lines that one write can leave.
const STATUS_BYTES_MAX: usize = 64 * 1024;

/// A hive that one is attached to. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Hive {
    root: Root,
    address: Arc<str>,
    identity: Arc<Identity>,
}

/// One entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Whether it is a directory itself.
    pub is_directory: bool,
}

/// What is known about a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Its length; 0 for one that is made when it is read.
    pub bytes: u64,
    /// Its permissions.
    pub mode: u32,
}

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writing {
    /// From its first byte, made if it is not there.
    Replace,
    /// At its end.
    Append,
}

impl Hive {
    /// The hive behind this root.
    #[must_use]
    pub fn new(root: Root, address: &str, identity: Identity) -> Self {
        Self { root, address: address.into(), identity: Arc::new(identity) }
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Who one is there.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Under which name one holds leases there.
    #[must_use]
    pub fn holder(&self) -> &str {
        self.identity.subject.as_ref().map_or("queen", |subject| subject.as_str())
    }

    /// Whether the connection still stands, as far as is known.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.root.is_connected()
    }

    /// The entries of a directory, by name.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn list(&self, path: &str) -> Result<Vec<Entry>, CommandError> {
        let listed = self.root.list(path).await.map_err(failed)?;
        let mut entries: Vec<Entry> = listed.into_iter().map(Entry::of).collect();
        entries.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(entries)
    }

    /// What is known about a file; none when there is no such file to be seen.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub async fn facts(&self, path: &str) -> Result<Option<Facts>, CommandError> {
        match self.root.stat(path).await {
            Ok(attributes) => Ok(Some(Facts::of(&attributes))),
            Err(error) if error.errno() == Some(Errno::ENOENT) => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    /// The whole of a file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn read(&self, path: &str) -> Result<Vec<u8>, CommandError> {
        self.root.read(path).await.map_err(failed)
    }

    /// The whole of a file of text. What is no UTF-8 is replaced.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn text(&self, path: &str) -> Result<String, CommandError> {
        Ok(String::from_utf8_lossy(&self.read(path).await?).into_owned())
    }

    /// The first bytes of a file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn head(&self, path: &str, bytes_max: usize) -> Result<Vec<u8>, CommandError> {
        let file = self.root.open(path, OpenFlags::RDONLY).await.map_err(failed)?;
        file.read_at(0, bytes_max).await.map_err(failed)
    }

    /// Reads a file piece by piece, from its start.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn reader(&self, path: &str) -> Result<Reader, CommandError> {
        self.root.open(path, OpenFlags::RDONLY).await.map(Reader::new).map_err(failed)
    }

    /// Makes a file and writes it piece by piece.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn create(&self, path: &str) -> Result<Writer, CommandError> {
        self.root
            .create(path, OpenFlags::WRONLY, CREATE_MODE)
            .await
            .map(Writer::new)
            .map_err(failed)
    }

    /// Writes a file. Errors that show only at its closing count.
    ///
    /// # Errors
    /// When it is refused; a control file's own words are the text then.
    pub async fn write(&self, path: &str, bytes: &[u8], how: Writing) -> Result<(), CommandError> {
        let flags = match how {
            Writing::Replace => OpenFlags::TRUNC,
            Writing::Append => OpenFlags::APPEND,
        };
        match self.open_to_write(path, flags).await {
            Ok(file) => {
                answered(&file, file.write_at(0, bytes).await).await?;
                file.close().await.map_err(failed)
            }
            Err(error) if error.errno() == Some(Errno::ENOENT) => {
                let mut writer = self.create(path).await?;
                writer.write(bytes).await?;
                writer.finish().await
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// Writes one line to a control file and reads what it answers to that.
    ///
    /// # Errors
    /// When it is refused; the file's own words are the text then.
    pub async fn converse(&self, path: &str, line: &str) -> Result<String, CommandError> {
        let file = self.open_to_write(path, OpenFlags::APPEND).await.map_err(failed)?;
        answered(&file, file.write_at(0, format!("{line}\n").as_bytes()).await).await?;
        let answer = status(&file).await.unwrap_or_default();
        file.close().await.map_err(failed)?;
        Ok(answer)
    }

    /// The same, where the answer must be a status line that says OK.
    ///
    /// # Errors
    /// As [`Self::converse`], and an answer that is none.
    pub async fn order(&self, path: &str, line: &str) -> Result<StatusLine, CommandError> {
        let answer = self.converse(path, line).await?;
        let unexpected = || CommandError::unexpected(path, "a status line", &answer);
        let status: StatusLine = answer.parse().map_err(|_| unexpected())?;
        match &status.outcome {
            Outcome::Ok(_) => Ok(status),
            Outcome::Err(refusal) => Err(refused(refusal)),
        }
    }

    /// One request there and back.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn ping(&self) -> Result<Duration, CommandError> {
        let asked = Instant::now();
        self.root.stat("/").await.map_err(failed)?;
        Ok(asked.elapsed())
    }

    /// A control file is opened for reading too, for it answers on the same fid; where that is not allowed, without.
    async fn open_to_write(&self, path: &str, flags: OpenFlags) -> Result<File, ClientError> {
        match self.root.open(path, OpenFlags::RDWR | flags).await {
            Err(error) if matches!(error.errno(), Some(Errno::EACCES | Errno::EPERM)) => {
                self.root.open(path, OpenFlags::WRONLY | flags).await
            }
            opened => opened,
        }
    }
}

/// A refused write is told in the file's own words, where it has any.
async fn answered(file: &File, written: Result<(), ClientError>) -> Result<(), CommandError> {
    let Err(error) = written else { return Ok(()) };
    if error.errno().is_none() {
        return Err(failed(error));
    }
    let words = status(file).await.and_then(|line| failure::of_status(&line));
    Err(words.unwrap_or_else(|| failed(error)))
}

/// The last status line of the writes to this fid.
async fn status(file: &File) -> Option<String> {
    let bytes = file.read_at(0, STATUS_BYTES_MAX).await.ok()?;
    let text = String::from_utf8_lossy(&bytes);
    text.lines().last().map(str::to_owned)
}

impl Entry {
    fn of(entry: DirectoryEntry) -> Self {
        let is_directory = entry.kind == DirectoryEntry::KIND_DIRECTORY;
        Self { name: entry.name, is_directory }
    }
}

impl Facts {
    fn of(attributes: &Attributes) -> Self {
        Self { bytes: attributes.size, mode: attributes.mode }
    }
}

#[cfg(test)]
mod tests {
    use super::toy::toy;
    use super::*;

    #[tokio::test]
    async fn a_directory_is_listed_by_name() {
        let listed = toy().await.list("/").await.unwrap();
        let names: Vec<&str> = listed.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names, ["big", "ctl", "dir", "empty", "hello", "link", "locked"]);
        assert!(listed[2].is_directory && !listed[0].is_directory);
    }

    #[tokio::test]
    async fn a_file_is_read_whole_in_part_and_piece_by_piece() {
        let hive = toy().await;
        assert_eq!(hive.text("/hello").await.unwrap(), "hello, world\n");
        assert_eq!(hive.head("/hello", 5).await.unwrap(), b"hello");
        assert_eq!(hive.facts("/big").await.unwrap().unwrap().bytes, 100_000);
        assert_eq!(hive.facts("/nowhere").await.unwrap(), None);
        let mut reader = hive.reader("/big").await.unwrap();
        assert_eq!(reader.to_the_end().await.unwrap().len(), 100_000);
        assert_eq!(reader.next().await.unwrap(), b"", "there is no more");
    }

    /// Proves SH-2.
    #[tokio::test]
    async fn a_write_replaces_appends_and_makes() {
        let hive = toy().await;
        hive.write("/hello", b"bye\n", Writing::Replace).await.unwrap();
        assert_eq!(hive.text("/hello").await.unwrap(), "bye\n");
        hive.write("/ctl", b"one\n", Writing::Append).await.unwrap();
        hive.write("/ctl", b"two\n", Writing::Append).await.unwrap();
        assert_eq!(hive.text("/ctl").await.unwrap(), "one\ntwo\n");
        hive.write("/dir/new", b"fresh", Writing::Replace).await.unwrap();
        assert_eq!(hive.text("/dir/new").await.unwrap(), "fresh");
    }

    /// Proves SH-3.
    #[tokio::test]
    async fn a_refusal_names_the_path_and_what_was_tried() {
        let error = toy().await.read("/locked").await.unwrap_err();
        assert_eq!(error.text, "cannot read /locked: EACCES (permission denied)");
        assert_eq!(error.kind.exit_code(), 3);
    }

    #[tokio::test]
    async fn an_answer_that_is_no_status_line_is_unexpected() {
        let error = toy().await.order("/ctl", "LEASE").await.unwrap_err();
        assert_eq!(error.text, "/ctl: expected a status line, got \"LEASE\"");
    }
}
