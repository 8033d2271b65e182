//! Files too large, or too long-lived, to be read or written in one go.

use secure9p_tokio::File;

use super::failure::failed;
use crate::error::CommandError;

/// How much is asked for at a time.
const CHUNK_BYTES: usize = 1 << 20;

/// Reads a file from its start; a file that grows can be read on.
#[derive(Debug)]
pub struct Reader {
    file: File,
    offset: u64,
}

impl Reader {
    pub(super) const fn new(file: File) -> Self {
        Self { file, offset: 0 }
    }

    /// The next piece; empty at the present end.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn next(&mut self) -> Result<Vec<u8>, CommandError> {
        let piece = self.file.read_at(self.offset, CHUNK_BYTES).await.map_err(failed)?;
        self.offset += piece.len() as u64;
        Ok(piece)
    }

    /// All that there is up to the present end.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn to_the_end(&mut self) -> Result<Vec<u8>, CommandError> {
        let mut content = Vec::new();
        loop {
            match self.next().await? {
                end if end.is_empty() => return Ok(content),
                piece => content.extend(piece),
            }
        }
    }
}

/// Writes a new file from its start.
#[derive(Debug)]
pub struct Writer {
    file: File,
    offset: u64,
}

impl Writer {
    pub(super) const fn new(file: File) -> Self {
        Self { file, offset: 0 }
    }

    /// Writes the next piece.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn write(&mut self, piece: &[u8]) -> Result<(), CommandError> {
        self.file.write_at(self.offset, piece).await.map_err(failed)?;
        self.offset += piece.len() as u64;
        Ok(())
    }

    /// Closes the file, which is when the server says whether it keeps it.
    ///
    /// # Errors
    /// When it does not.
    pub async fn finish(self) -> Result<(), CommandError> {
        self.file.close().await.map_err(failed)
    }
}
