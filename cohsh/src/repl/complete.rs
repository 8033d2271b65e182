//! Completion: the first word is a verb, a word with a slash is a path of the hive.

use std::time::Duration;

use rustyline::completion::{Completer as Complete, Pair};
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Helper};
use tokio::runtime::Handle;

use crate::args;
use crate::hive::Hive;

/// Longer than this nobody waits for a proposal.
const PATIENCE: Duration = Duration::from_millis(500);

/// Proposes what a line may go on with.
#[derive(Debug)]
pub(super) struct Completer {
    hive: Option<Hive>,
    runtime: Handle,
    verbs: Vec<String>,
}

impl Completer {
    /// Paths are completed only while attached: pressing Tab opens no connection.
    pub(super) fn new(hive: Option<Hive>, runtime: Handle) -> Self {
        Self { hive, runtime, verbs: args::verb_names() }
    }

    fn proposals(&self, line: &str) -> (usize, Vec<String>) {
        let start = line.rfind([' ', '>']).map_or(0, |at| at + 1);
        let word = &line[start..];
        if line[..start].trim().is_empty() {
            return (start, starting_with(self.verbs.iter().map(|verb| format!("{verb} ")), word));
        }
        let Some(directory_end) = word.rfind('/') else { return (start, Vec::new()) };
        let (directory, name) = word.split_at(directory_end + 1);
        (start + directory_end + 1, starting_with(self.entries(directory).into_iter(), name))
    }

    fn entries(&self, directory: &str) -> Vec<String> {
        let Some(hive) = &self.hive else { return Vec::new() };
        let listing = tokio::time::timeout(PATIENCE, hive.list(directory));
        let listed = self.runtime.block_on(async { listing.await.ok()?.ok() });
        let name = |entry: &crate::hive::Entry| {
            format!("{}{}", entry.name, if entry.is_directory { '/' } else { ' ' })
        };
        listed.unwrap_or_default().iter().map(name).collect()
    }
}

fn starting_with(words: impl Iterator<Item = String>, start: &str) -> Vec<String> {
    words.filter(|word| word.starts_with(start)).collect()
}

impl Complete for Completer {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        at: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let (start, proposals) = self.proposals(line.get(..at).unwrap_or(line));
        let pair = |text: String| Pair { display: text.trim_end().to_owned(), replacement: text };
        Ok((start, proposals.into_iter().map(pair).collect()))
    }
}

impl Helper for Completer {}
impl Highlighter for Completer {}
impl Validator for Completer {}
impl Hinter for Completer {
    type Hint = String;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hive::toy::toy;

    /// Proves SH-8.
    #[tokio::test]
    async fn the_first_word_is_completed_to_a_verb() {
        let completer = Completer::new(None, Handle::current());
        assert_eq!(completer.proposals("sta"), (0, vec!["stage ".to_owned()]));
        assert_eq!(completer.proposals("  ki"), (2, vec!["kill ".to_owned()]));
        assert_eq!(completer.proposals("ls gp"), (3, Vec::new()));
        assert_eq!(completer.proposals("ls /gp"), (4, Vec::new()), "nothing without a hive");
    }

    /// Proves SH-8.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_word_with_a_slash_is_completed_to_a_path() {
        let completer = Completer::new(Some(toy().await), Handle::current());
        let proposed = tokio::task::spawn_blocking(move || {
            [completer.proposals("cat /dir/"), completer.proposals("echo x > /d")]
        });
        let [files, directory] = proposed.await.unwrap();
        assert_eq!(files, (9, ["a ", "b ", "c "].map(str::to_owned).to_vec()));
        assert_eq!(directory, (10, vec!["dir/".to_owned()]));
    }
}
