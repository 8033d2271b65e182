//! What a program said, and how it ended.

use std::fmt;
use std::process::{Command, Output};

/// One run of a program.
#[derive(Debug, Clone)]
pub struct Said {
    /// The exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Said {
    /// Runs a program to its end.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn by(command: &mut Command) -> Self {
        let output = command.output().expect("the program starts");
        Self::from(output)
    }

    /// The same, which must have ended with this code.
    ///
    /// # Panics
    /// When it ended otherwise; says what it said.
    #[track_caller]
    #[must_use]
    pub fn with_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// The same, which must have gone well.
    ///
    /// # Panics
    /// When it did not; says what it said.
    #[track_caller]
    #[must_use]
    pub fn well(self) -> Self {
        self.with_code(0)
    }

    /// Asserts that standard output has each of these texts, in this order.
    ///
    /// # Panics
    /// When one is missing; says what was said instead.
    #[track_caller]
    pub fn in_order(&self, texts: &[&str]) {
        let mut rest = self.out.as_str();
        for text in texts {
            let Some(at) = rest.find(text) else {
                panic!("{text:?} is not said in its place\n{self}")
            };
            rest = &rest[at + text.len()..];
        }
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, out, err } = self;
        write!(f, "exit {code:?}\n--- out\n{out}--- err\n{err}---")
    }
}
