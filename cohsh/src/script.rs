//! `.coh` scripts: text becomes steps. Running them is `script::runner`.
//!
//! ```text
//! # a comment
//! lease get --mem 64M          any command of the shell
//! EXPECT OK                    looks at the last acknowledgement
//! EXPECT SUBSTR lease-         looks at all that the last command answered
//! EXPECT NOT "no such"         the same, and must not find it
//! WAIT 250                     milliseconds
//! ```
//! A command that ends in `ERR` fails the script, unless the step after it is an `EXPECT`.

pub mod runner;

use crate::args::{self, Command};
use crate::error::CommandError;
use crate::limits::{SCRIPT_LINES_MAX, SCRIPT_WAIT_MS_MAX};
use crate::words;

/// A script that can be run: every line was understood.
#[derive(Debug)]
pub struct Script {
    /// In order.
    pub steps: Vec<Step>,
}

/// One line that does something.
#[derive(Debug)]
pub struct Step {
    /// Its number in the file, from 1.
    pub line: usize,
    /// Its text.
    pub text: String,
    /// What it does.
    pub action: Action,
}

/// What a step does.
#[derive(Debug)]
pub enum Action {
    /// Runs a command.
    Command(Box<Command>),
    /// Waits.
    Wait {
        /// How long.
        ms: u64,
    },
    /// Looks at what the last command answered.
    Expect(Expectation),
}

/// What the last command must have answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expectation {
    /// An `OK`.
    Ok,
    /// An `ERR`.
    Err,
    /// This text, anywhere in the answer.
    Substring(String),
    /// Not this text.
    Not(String),
}

/// Why a text is no script: the first line that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}: {text:?}")]
pub struct ScriptError {
    /// Which line, from 1.
    pub line: usize,
    /// Its text.
    pub text: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Script {
    /// Reads a whole script. Nothing is run.
    ///
    /// # Errors
    /// The first line that cannot be understood.
    pub fn parse(text: &str) -> Result<Self, ScriptError> {
        let mut steps: Vec<Step> = Vec::new();
        for (index, text) in text.lines().enumerate() {
            let refuse =
                |reason: String| ScriptError { line: index + 1, text: text.to_owned(), reason };
            if index >= SCRIPT_LINES_MAX {
                return Err(refuse(format!("a script has at most {SCRIPT_LINES_MAX} lines")));
            }
            let Some(action) = action(text).map_err(refuse)? else { continue };
            if matches!(action, Action::Expect(_)) && !steps.iter().any(Step::is_command) {
                return Err(refuse("EXPECT before any command".to_owned()));
            }
            steps.push(Step { line: index + 1, text: text.trim().to_owned(), action });
        }
        Ok(Self { steps })
    }
}

impl Step {
    const fn is_command(&self) -> bool {
        matches!(self.action, Action::Command(_))
    }
}

fn action(line: &str) -> Result<Option<Action>, String> {
    let words = words::split(line).map_err(|error| error.to_string())?;
    let Some(first) = words.words.first() else { return Ok(None) };
    match first.as_str() {
        "WAIT" => wait(&words.words[1..]).map(Some),
        "EXPECT" => expect(&words.words[1..]).map(|it| Some(Action::Expect(it))),
        _ => args::command(words).map(|it| Some(Action::Command(Box::new(it)))).map_err(reason),
    }
}

fn reason(error: CommandError) -> String {
    error.text
}

fn wait(words: &[String]) -> Result<Action, String> {
    let [ms] = words else { return Err("write WAIT <ms>".to_owned()) };
    match ms.parse() {
        Ok(ms) if ms <= SCRIPT_WAIT_MS_MAX => Ok(Action::Wait { ms }),
        _ => Err(format!("WAIT takes 0 to {SCRIPT_WAIT_MS_MAX} milliseconds, got {ms:?}")),
    }
}

fn expect(words: &[String]) -> Result<Expectation, String> {
    let text = || words[1..].join(" ");
    match words.first().map(String::as_str) {
        Some("OK") if words.len() == 1 => Ok(Expectation::Ok),
        Some("ERR") if words.len() == 1 => Ok(Expectation::Err),
        Some("SUBSTR") if words.len() > 1 => Ok(Expectation::Substring(text())),
        Some("NOT") if words.len() > 1 => Ok(Expectation::Not(text())),
        _ => {
            Err("write EXPECT OK, EXPECT ERR, EXPECT SUBSTR <text> or EXPECT NOT <text>".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        Script::parse(text).unwrap_err().to_string()
    }

    /// Proves SH-7.
    #[test]
    fn comments_and_blank_lines_are_no_steps_and_lines_keep_their_numbers() {
        let script = Script::parse("# hello\n\n  ls /gpu  # all\nEXPECT OK\nWAIT 5\n").unwrap();
        let lines: Vec<usize> = script.steps.iter().map(|step| step.line).collect();
        assert_eq!(lines, [3, 4, 5]);
        assert_eq!(script.steps[0].text, "ls /gpu  # all");
        assert!(matches!(script.steps[2].action, Action::Wait { ms: 5 }));
    }

    /// Proves SH-7.
    #[test]
    fn an_expectation_is_one_of_four() {
        let script =
            Script::parse("ls /\nEXPECT SUBSTR a  b\nEXPECT NOT 'a  b'\nEXPECT ERR\n").unwrap();
        let expectations: Vec<&Expectation> = script
            .steps
            .iter()
            .filter_map(|step| match &step.action {
                Action::Expect(expectation) => Some(expectation),
                _ => None,
            })
            .collect();
        assert_eq!(
            expectations,
            [
                &Expectation::Substring("a b".into()),
                &Expectation::Not("a  b".into()),
                &Expectation::Err
            ]
        );
        let wanted = "write EXPECT OK, EXPECT ERR, EXPECT SUBSTR <text> or EXPECT NOT <text>";
        assert_eq!(error("ls /\nEXPECT MAYBE"), format!("line 2: {wanted}: \"EXPECT MAYBE\""));
        assert_eq!(error("ls /\nEXPECT SUBSTR"), format!("line 2: {wanted}: \"EXPECT SUBSTR\""));
    }

    /// Proves SH-7.
    #[test]
    fn a_line_that_cannot_run_is_found_before_anything_runs() {
        assert_eq!(error("EXPECT OK"), "line 1: EXPECT before any command: \"EXPECT OK\"");
        assert_eq!(
            error("ls /\nWAIT soon"),
            "line 2: WAIT takes 0 to 600000 milliseconds, got \"soon\": \"WAIT soon\""
        );
        assert_eq!(error("cat 'x"), "line 1: the ' at column 5 is never closed: \"cat 'x\"");
        assert!(error("ls /\nfly /gpu").starts_with("line 2: unrecognized subcommand 'fly'"));
        assert!(error("kill").contains("required"));
    }
}
