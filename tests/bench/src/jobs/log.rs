//! The bridge's own log, line by line, with its stamps: the only exact witness of what it ordered and when.

use std::{
    io::{BufRead, BufReader},
    process::ChildStderr,
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Longer than this nothing takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Lines as they come.
pub(crate) struct Log(Receiver<Line>);

/// One line.
#[derive(Debug, Deserialize)]
pub(crate) struct Line {
    timestamp: String,
    fields: Map<String, Value>,
}

impl Log {
    pub(crate) fn of(stderr: ChildStderr) -> Self {
        let (lines, received) = channel();
        thread::spawn(move || {
            let said = BufReader::new(stderr).lines().map_while(Result::ok);
            for line in said.filter_map(|line| serde_json::from_str(&line).ok()) {
                let _ = lines.send(line); // nobody listens any more: it is still read, so that the bridge goes on
            }
        });
        Self(received)
    }

    /// The next line with this message and this value in this field.
    pub(crate) fn until(&self, message: &str, field: &str, value: &str) -> Result<Line> {
        loop {
            let line = self.0.recv_timeout(PATIENCE);
            let line = line.with_context(|| format!("no line {message:?} with {field}={value}"))?;
            if line.is(message, field, value) {
                return Ok(line);
            }
        }
    }
}

impl Line {
    fn is(&self, message: &str, field: &str, value: &str) -> bool {
        self.field("message") == message && self.field(field) == value
    }

    /// What stands in a field; nothing where there is none.
    pub(crate) fn field(&self, key: &str) -> String {
        match self.fields.get(key) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        }
    }

    /// Microseconds since the day began: `2026-11-21T16:51:54.123456Z`.
    pub(crate) fn stamp_us(&self) -> Result<u64> {
        let clock = self.timestamp.get(11..26).context("a stamp with microseconds")?;
        let number = |from: usize, to: usize| -> Result<u64> { Ok(clock[from..to].parse()?) };
        let seconds = number(0, 2)? * 3600 + number(3, 5)? * 60 + number(6, 8)?;
        Ok(seconds * 1_000_000 + number(9, 15)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_told_by_its_message_and_one_of_its_fields() {
        let text = r#"{"timestamp":"2026-11-21T01:00:02.000003Z","level":"DEBUG","fields":{"message":"job launched","job":7,"lease":"lease-1"},"target":"x"}"#;
        let line: Line = serde_json::from_str(text).unwrap();
        assert!(line.is("job launched", "job", "7") && line.is("job launched", "lease", "lease-1"));
        assert!(!line.is("job launched", "job", "8"));
        assert_eq!(line.stamp_us().unwrap(), 3_602_000_003);
    }
}
