//! `spawn`: a worker and its ticket.

use ninedoor_abi::QueenCommand;
use serde_json::{Map, Value};

use crate::ack::Done;
use crate::error::CommandError;
use crate::queen;
use crate::shell::Shell;

/// Words of `spawn`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
gpu takes gpu_id=, mem_mb=, streams=, ttl_s= and perhaps priority=; heartbeat takes ticks=.
Both may take budget.ttl_s=, budget.ops=, budget.ticks=.
  spawn gpu gpu_id=GPU-0 mem_mb=64 streams=1 ttl_s=30")]
pub struct Spawn {
    /// What kind of worker: gpu or heartbeat.
    kind: String,
    /// Its limits, as key=value.
    #[arg(value_name = "KEY=VALUE")]
    limits: Vec<String>,
}

impl Spawn {
    pub(super) async fn run(self, shell: &mut Shell) -> Result<Done, CommandError> {
        let command = self.command()?;
        let worker = queen::spawn(shell, &command).await?;
        let ticket = shell.hive().await?.text(&format!("/worker/{worker}/ticket")).await?;
        shell.screen.line(ticket.trim_end(), None)?;
        Ok(Done::plain().with("id", worker))
    }

    /// The JSON line that says the same, understood by the reader that the server uses.
    fn command(&self) -> Result<QueenCommand, CommandError> {
        let (mut own, mut budget) = (Map::new(), Map::new());
        for limit in &self.limits {
            let (key, value) = limit
                .split_once('=')
                .ok_or_else(|| CommandError::usage(format!("{limit:?} is not key=value")))?;
            let (place, key) = match key.strip_prefix("budget.") {
                Some(key) => (&mut budget, key),
                None => (&mut own, key),
            };
            if place.insert(key.to_owned(), number_or_text(value)).is_some() {
                return Err(CommandError::usage(format!("{key} is given twice")));
            }
        }
        let mut line = if self.kind == "gpu" {
            Map::from_iter([("lease".to_owned(), Value::Object(own))])
        } else {
            own
        };
        line.insert("spawn".to_owned(), self.kind.clone().into());
        if !budget.is_empty() {
            line.insert("budget".to_owned(), Value::Object(budget));
        }
        let understood = Value::Object(line).to_string().parse::<QueenCommand>();
        understood.map_err(|refusal| CommandError::usage(refusal.text).hint("see `help spawn`"))
    }
}

fn number_or_text(value: &str) -> Value {
    value.parse::<u64>().map_or_else(|_| Value::from(value), Value::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(words: &[&str]) -> Result<String, String> {
        let spawn = Spawn {
            kind: words[0].to_owned(),
            limits: words[1..].iter().map(|word| (*word).to_owned()).collect(),
        };
        spawn.command().map(|command| command.to_string()).map_err(|error| error.text)
    }

    /// Proves SH-12.
    #[test]
    fn words_become_the_queens_json() {
        assert_eq!(
            line(&["gpu", "gpu_id=GPU-0", "mem_mb=64", "streams=1", "ttl_s=30"]).unwrap(),
            r#"{"spawn":"gpu","lease":{"gpu_id":"GPU-0","mem_mb":64,"streams":1,"ttl_s":30}}"#
        );
        assert_eq!(
            line(&["heartbeat", "ticks=100", "budget.ttl_s=60"]).unwrap(),
            r#"{"spawn":"heartbeat","ticks":100,"budget":{"ttl_s":60}}"#
        );
    }

    /// Proves SH-12.
    #[test]
    fn a_limit_that_is_missing_or_unknown_is_named() {
        let error = |words: &[&str]| line(words).unwrap_err();
        assert_eq!(error(&["gpu", "gpu_id"]), "\"gpu_id\" is not key=value");
        assert_eq!(error(&["gpu", "gpu_id=a", "gpu_id=b"]), "gpu_id is given twice");
        assert_eq!(error(&["gpu", "gpu_id=GPU-0"]), "lease.mem_mb: is missing");
        assert_eq!(
            error(&["heartbeat", "ticks=1", "colour=red"]),
            "unknown key \"colour\", wanted spawn, ticks, budget"
        );
        assert_eq!(error(&["bus"]), "spawn: got \"bus\", wanted \"gpu\" or \"heartbeat\"");
    }
}
