//! The interactive shell: a prompt, history, and completion of verbs and paths.

mod complete;

use std::path::PathBuf;

use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{Config, Editor};

use crate::error::{CommandError, ErrorKind};
use crate::limits::HISTORY_LINES_MAX;
use crate::shell::Shell;
use complete::Completer;

const PROMPT: &str = "cohsh> ";

/// Reads and obeys lines until `quit` or the end of input; the exit code is 0, whatever single commands said.
///
/// # Errors
/// When the terminal cannot be used.
pub async fn run(shell: &mut Shell) -> Result<(), CommandError> {
    let history = history_file();
    let mut editor = editor()?;
    if let Some(file) = &history {
        // The first session has no history yet.
        let _ = editor.load_history(file);
    }
    while !shell.is_quitting() {
        let completer = Completer::new(shell.present_hive(), tokio::runtime::Handle::current());
        editor.set_helper(Some(completer));
        let read;
        (editor, read) = read_line(editor).await?;
        match read {
            Ok(line) => {
                if is_worth_keeping(&line) {
                    // A line that cannot be remembered is still obeyed.
                    let _ = editor.add_history_entry(line.trim());
                }
                shell.obey_line(&line).await;
            }
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(terminal(&error)),
        }
    }
    if let Some(file) = &history {
        save(&mut editor, file)?;
    }
    Ok(())
}

type LineEditor = Editor<Completer, FileHistory>;

fn editor() -> Result<LineEditor, CommandError> {
    let config = Config::builder()
        .max_history_size(HISTORY_LINES_MAX)
        .and_then(|config| config.history_ignore_dups(true))
        .map_err(|error| terminal(&error))?
        .history_ignore_space(true)
        .auto_add_history(false)
        .completion_type(rustyline::CompletionType::List)
        .build();
    Editor::with_config(config).map_err(|error| terminal(&error))
}

/// The editor blocks, so it reads on a thread of its own and comes back with the line.
async fn read_line(
    mut editor: LineEditor,
) -> Result<(LineEditor, Result<String, ReadlineError>), CommandError> {
    let reading = tokio::task::spawn_blocking(move || {
        let read = editor.readline(PROMPT);
        (editor, read)
    });
    reading.await.map_err(|error| CommandError::new(ErrorKind::Local, format!("prompt: {error}")))
}

/// A line with a ticket in it is forgotten.
fn is_worth_keeping(line: &str) -> bool {
    !line.trim().is_empty() && !line.contains("cohesix-ticket-")
}

fn history_file() -> Option<PathBuf> {
    let state =
        std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|dir| dir.is_absolute());
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    state.or_else(home).map(|dir| dir.join("cohsh/history"))
}

fn save(editor: &mut LineEditor, file: &PathBuf) -> Result<(), CommandError> {
    if let Some(directory) = file.parent() {
        std::fs::create_dir_all(directory)
            .map_err(|error| CommandError::local("create", directory, &error))?;
    }
    editor.save_history(file).map_err(|error| terminal(&error))
}

fn terminal(error: &ReadlineError) -> CommandError {
    CommandError::new(ErrorKind::Local, format!("terminal: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves SH-8.
    #[test]
    fn a_ticket_is_not_kept_in_the_history() {
        assert!(is_worth_keeping("ls /gpu"));
        assert!(!is_worth_keeping("attach worker-gpu:w cohesix-ticket-01.02"));
        assert!(!is_worth_keeping("  "));
    }
}
