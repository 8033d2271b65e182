//! `tail`: the end of a file, and what is added to it while one looks.

use std::time::Duration;

use crate::ack::Done;
use crate::error::CommandError;
use crate::shell::Shell;

/// Between two looks at a file that has nothing new.
const LOOK_AGAIN_MS: u64 = 200;

/// Words of `tail`.
#[derive(Debug, clap::Args)]
pub struct Tail {
    /// How many lines of what is there.
    #[arg(short = 'n', long, default_value_t = 10)]
    lines: usize,
    /// Goes on as the file grows, until Ctrl-C.
    #[arg(short, long)]
    follow: bool,
    /// The file.
    path: String,
}

impl Tail {
    pub(super) async fn run(self, shell: &mut Shell) -> Result<Done, CommandError> {
        show(shell, &self.path, self.lines, self.follow).await
    }
}

/// Shows the last `lines` of a file, then what is added to it if asked.
pub(super) async fn show(
    shell: &mut Shell,
    path: &str,
    lines: usize,
    follow: bool,
) -> Result<Done, CommandError> {
    let hive = shell.hive().await?;
    let mut reader = hive.reader(path).await?;
    let content = reader.to_the_end().await?;
    let shown = last_lines(&content, lines);
    shell.screen.data(shown)?;
    if !follow {
        let lines = shown.split_inclusive(|byte| *byte == b'\n').count();
        return Ok(Done::plain().with("path", path).with("lines", lines));
    }
    loop {
        let added = reader.to_the_end().await?;
        shell.screen.data(&added)?;
        if added.is_empty() {
            tokio::time::sleep(Duration::from_millis(LOOK_AGAIN_MS)).await;
        }
    }
}

fn last_lines(content: &[u8], lines: usize) -> &[u8] {
    let starts = content.split_inclusive(|byte| *byte == b'\n').rev().take(lines);
    let bytes: usize = starts.map(<[u8]>::len).sum();
    &content[content.len() - bytes..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_whole_lines() {
        assert_eq!(last_lines(b"a\nb\nc\n", 2), b"b\nc\n");
        assert_eq!(last_lines(b"a\nb\nc", 1), b"c");
        assert_eq!(last_lines(b"a\n", 9), b"a\n");
        assert_eq!(last_lines(b"a\n", 0), b"");
        assert_eq!(last_lines(b"", 3), b"");
    }
}
