//! Runs a script: step by step, stopping at the first failure, with a report of what led to it.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Action, Expectation, Script, Step};
use crate::ack::Ack;
use crate::error::{CommandError, ErrorKind};
use crate::limits::RECENT_RESPONSES_MAX;
use crate::shell::Shell;

/// Where a script stopped, and why.
#[derive(Debug)]
pub struct Stopped {
    /// The line, from 1.
    pub line: usize,
    /// What was wanted and what was there.
    pub reason: String,
    /// The last command that ran.
    pub last_command: String,
    /// The latest acknowledgements, oldest first.
    pub recent: Vec<String>,
    /// What the program exits with.
    pub exit_code: u8,
}

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "script stopped at line {}: {}", self.line, self.reason)?;
        write!(f, "last command: {}", self.last_command)?;
        for response in &self.recent {
            write!(f, "\n  {response}")?;
        }
        Ok(())
    }
}

/// What happened so far.
#[derive(Default)]
struct Progress {
    last_command: String,
    last_ack: Option<Ack>,
    last_response: String,
    recent: VecDeque<String>,
}

/// Runs every step, or as many as go well.
///
/// # Errors
/// The first step that failed.
pub async fn run(shell: &mut Shell, script: Script) -> Result<(), Box<Stopped>> {
    let mut progress = Progress::default();
    let mut steps = script.steps.into_iter().peekable();
    while let Some(step) = steps.next() {
        let answered = steps.peek().is_some_and(|next| matches!(next.action, Action::Expect(_)));
        let Step { line, text, action } = step;
        let outcome = match action {
            Action::Wait { ms } => {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                Ok(())
            }
            Action::Expect(expectation) => progress.expect(&expectation),
            Action::Command(command) => {
                let ack = shell.obey(*command).await;
                progress.record(text, ack, shell.screen.take_response());
                if answered { Ok(()) } else { progress.expect_ok() }
            }
        };
        if let Err(error) = outcome {
            return Err(Box::new(progress.stopped(line, error)));
        }
        if shell.is_quitting() {
            break;
        }
    }
    Ok(())
}

impl Progress {
    fn record(&mut self, command: String, ack: Ack, response: String) {
        if self.recent.len() == RECENT_RESPONSES_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back(ack.to_string());
        self.last_command = command;
        self.last_response = format!("{response}{ack}\n");
        self.last_ack = Some(ack);
    }

    fn error_of_last(&self) -> Option<&CommandError> {
        self.last_ack.as_ref().and_then(Ack::error)
    }

    fn expect_ok(&self) -> Result<(), CommandError> {
        self.error_of_last().map_or(Ok(()), |error| Err(error.clone()))
    }

    fn expect(&self, expectation: &Expectation) -> Result<(), CommandError> {
        let seen = self.recent.back().map_or("nothing", String::as_str);
        let met = match expectation {
            Expectation::Ok => self.error_of_last().is_none(),
            Expectation::Err => self.error_of_last().is_some(),
            Expectation::Substring(text) => self.last_response.contains(text),
            Expectation::Not(text) => !self.last_response.contains(text),
        };
        if met {
            return Ok(());
        }
        let text = match expectation {
            Expectation::Ok => format!("expected OK, got {seen}"),
            Expectation::Err => format!("expected ERR, got {seen}"),
            Expectation::Substring(text) => format!("expected {text:?} in the answer, got {seen}"),
            Expectation::Not(text) => format!("expected no {text:?} in the answer, got {seen}"),
        };
        Err(CommandError::new(ErrorKind::Job, text))
    }

    fn stopped(self, line: usize, error: CommandError) -> Stopped {
        Stopped {
            line,
            reason: error.text,
            last_command: self.last_command,
            recent: self.recent.into(),
            exit_code: error.kind.exit_code(),
        }
    }
}
