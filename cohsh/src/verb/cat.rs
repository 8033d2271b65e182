//! `cat`: the content of a file.

use std::path::PathBuf;

use crate::ack::Done;
use crate::error::CommandError;
use crate::shell::Shell;

/// Words of `cat`.
#[derive(Debug, clap::Args)]
pub struct Cat {
    /// The files, one after the other.
    #[arg(required = true)]
    paths: Vec<String>,
    /// Saves them in this file of this machine instead of showing them.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Cat {
    pub(super) async fn run(self, shell: &mut Shell) -> Result<Done, CommandError> {
        let hive = shell.hive().await?;
        let mut content = Vec::new();
        for path in &self.paths {
            content.extend(hive.read(path).await?);
        }
        let done = Done::plain().with("path", self.paths.join(",")).with("bytes", content.len());
        match &self.out {
            None => shell.screen.data(&content)?,
            Some(file) => std::fs::write(file, &content)
                .map_err(|error| CommandError::local("write", file, &error))?,
        }
        Ok(done)
    }
}
