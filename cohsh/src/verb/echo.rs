//! `echo`: text, shown here or written to a file of the hive.

use crate::ack::Done;
use crate::error::CommandError;
use crate::hive::Writing;
use crate::shell::Shell;
use crate::words::{self, Redirect};

/// Words of `echo`.
#[derive(Debug, clap::Args)]
pub struct Echo {
    /// Leaves out the newline at the end.
    #[arg(short = 'n')]
    no_newline: bool,
    /// The text; then > PATH or >> PATH to write it there. In another shell, quote the arrow: cohsh echo TEXT '>' PATH
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
    #[arg(skip)]
    redirect: Option<Redirect>,
}

impl Echo {
    pub(super) fn to(self, redirect: Redirect) -> Self {
        Self { redirect: Some(redirect), ..self }
    }

    pub(super) fn with_arrow_among_words(self) -> Result<Self, CommandError> {
        let words = words::from_arguments(&self.words)
            .map_err(|error| CommandError::usage(error.to_string()))?;
        Ok(Self { words: words.words, redirect: words.redirect, ..self })
    }

    pub(super) async fn run(self, shell: &mut Shell) -> Result<Done, CommandError> {
        let newline = if self.no_newline { "" } else { "\n" };
        let text = self.words.join(" ") + newline;
        let Some(Redirect { append, path }) = self.redirect else {
            shell.screen.data(text.as_bytes())?;
            return Ok(Done::plain());
        };
        let writing = if append { Writing::Append } else { Writing::Replace };
        shell.hive().await?.write(&path, text.as_bytes(), writing).await?;
        Ok(Done::plain().with("path", path).with("bytes", text.len()))
    }
}
