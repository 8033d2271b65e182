//! Staging: a file of this machine becomes `/bundles/<name>`, once.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use ninedoor_abi::PathName;
use sha2::{Digest, Sha256};

use super::file::JobFile;
use crate::error::CommandError;
use crate::hive::Hive;
use crate::limits::STAGE_BYTES_MAX;
use crate::progress::Progress;

/// How much is read, hashed and sent at a time.
const CHUNK_BYTES: usize = 256 * 1024;

/// A file that is in `/bundles` now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staged {
    /// Where.
    pub path: PathName,
    /// How long it is.
    pub bytes: u64,
    /// The hash of what was sent.
    pub sha256: String,
}

/// Sends a file.
///
/// # Errors
/// When it cannot be read or is too large, and whatever the hive refuses.
pub async fn send(
    hive: &Hive,
    file: &Path,
    to: &PathName,
    progress: &mut Progress,
) -> Result<Staged, CommandError> {
    let mut source = Source::open(file)?;
    progress.begin_bytes(&format!("stage {to}"), source.bytes);
    let mut writer = hive.create(to.as_str()).await?;
    let mut hash = Sha256::new();
    let mut sent_bytes = 0;
    while let Some(chunk) = source.next()? {
        writer.write(chunk).await?;
        hash.update(chunk);
        sent_bytes += chunk.len() as u64;
        progress.advance_to(sent_bytes);
    }
    writer.finish().await?;
    progress.end();
    Ok(Staged { path: to.clone(), bytes: sent_bytes, sha256: hex(&hash.finalize()) })
}

/// Sees to it that a file is in `/bundles`: sends it, unless it is there already.
///
/// # Errors
/// When it cannot be read or is too large, when other content has that name, and whatever the hive refuses.
pub async fn once(
    hive: &Hive,
    file: &Path,
    to: &PathName,
    progress: &mut Progress,
) -> Result<Staged, CommandError> {
    match hive.facts(to.as_str()).await? {
        None => send(hive, file, to, progress).await,
        Some(facts) => {
            let sha256 = same_content(hive, to, file).await?;
            Ok(Staged { path: to.clone(), bytes: facts.bytes, sha256 })
        }
    }
}

/// Sees to it that every input of a job is in `/bundles`, and tells what had to be sent.
///
/// # Errors
/// An input that is neither staged nor beside the job file, or staged with other content than the file there.
pub async fn inputs(
    hive: &Hive,
    job: &JobFile,
    progress: &mut Progress,
) -> Result<Vec<Staged>, CommandError> {
    let mut sent = Vec::new();
    for input in &job.descriptor.inputs {
        let beside = job.beside(input);
        match hive.facts(input.as_str()).await? {
            None if beside.is_file() => sent.push(send(hive, &beside, input, progress).await?),
            None => return Err(missing(input, &beside)),
            Some(_) if beside.is_file() => {
                same_content(hive, input, &beside).await?;
            }
            Some(_) => {}
        }
    }
    Ok(sent)
}

fn missing(input: &PathName, beside: &Path) -> CommandError {
    CommandError::payload(format!(
        "input {input} is not staged, and {} is no file",
        beside.display()
    ))
    .hint(format!("put it there, or stage it: stage FILE {}", input.last().unwrap_or_default()))
}

/// What is staged never changes; a job must not run on yesterday's input because the name is the same. The hash of both.
async fn same_content(
    hive: &Hive,
    input: &PathName,
    beside: &Path,
) -> Result<String, CommandError> {
    let hash = hash_of_file(beside)?;
    if hash_of_staged(hive, input).await? == hash {
        return Ok(hash);
    }
    let text = format!("{input} is staged with other content than {}", beside.display());
    Err(CommandError::payload(text)
        .hint("what is staged never changes: give the new content another name"))
}

async fn hash_of_staged(hive: &Hive, input: &PathName) -> Result<String, CommandError> {
    let mut staged = hive.reader(input.as_str()).await?;
    let mut hash = Sha256::new();
    loop {
        match staged.next().await? {
            end if end.is_empty() => return Ok(hex(&hash.finalize())),
            chunk => hash.update(chunk),
        }
    }
}

fn hash_of_file(path: &Path) -> Result<String, CommandError> {
    let mut source = Source::open(path)?;
    let mut hash = Sha256::new();
    while let Some(chunk) = source.next()? {
        hash.update(chunk);
    }
    Ok(hex(&hash.finalize()))
}

/// A local file, read in chunks.
struct Source<'a> {
    path: &'a Path,
    file: File,
    bytes: u64,
    chunk: Vec<u8>,
}

impl<'a> Source<'a> {
    fn open(path: &'a Path) -> Result<Self, CommandError> {
        let local = |error| CommandError::local("read", path, &error);
        let file = File::open(path).map_err(local)?;
        let bytes = file.metadata().map_err(local)?.len();
        if bytes > STAGE_BYTES_MAX {
            let text = format!("{} has {bytes} bytes, at most {STAGE_BYTES_MAX}", path.display());
            return Err(CommandError::payload(text));
        }
        Ok(Self { path, file, bytes, chunk: vec![0; CHUNK_BYTES] })
    }

    fn next(&mut self) -> Result<Option<&[u8]>, CommandError> {
        let read = self.file.read(&mut self.chunk);
        let count = read.map_err(|error| CommandError::local("read", self.path, &error))?;
        Ok(Some(&self.chunk[..count]).filter(|chunk| !chunk.is_empty()))
    }
}

/// Bytes as lower-case hex.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
