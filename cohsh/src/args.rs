//! The command line: what `cohsh` is started with, and what one line of the shell says.
//!
//! Both end in the same [`Verb`], so that a subcommand, `-c`, a script and the interactive shell cannot drift apart.

use std::path::PathBuf;

use clap::{CommandFactory, FromArgMatches, Parser};

use crate::error::CommandError;
use crate::render::Form;
use crate::screen::Look;
use crate::verb::Verb;
use crate::words::{self, Words};

const AFTER_HELP: &str = "\
Without a verb: an interactive shell on a terminal, else a script from standard input.
Exit codes: 0 done, 1 job failed, 2 usage, 3 refused, 4 timeout, 5 unreachable, 6 invalid payload.";

/// The operator's shell of a Cohesix hive: every GPU is a directory.
#[derive(Debug, Parser)]
#[command(name = "cohsh", version, disable_help_subcommand = true, after_help = AFTER_HELP)]
pub struct Cli {
    /// Whom to talk to, and as whom.
    #[command(flatten)]
    pub connect: Connect,
    /// How answers look.
    #[command(flatten)]
    pub output: Output,
    /// Runs one line, as the interactive shell would.
    #[arg(short = 'c', value_name = "LINE", conflicts_with_all = ["script", "check"])]
    pub line: Option<String>,
    /// Runs a script; `-` is standard input.
    #[arg(long, value_name = "FILE.coh", conflicts_with = "check")]
    pub script: Option<PathBuf>,
    /// Checks that every line of a script can be understood; runs nothing.
    #[arg(long, value_name = "FILE.coh")]
    pub check: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub verb: Option<Verb>,
}

/// Whom to talk to, and as whom.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Connection")]
pub struct Connect {
    /// The hive: tcp://host:port, tls://host:port, unix:///path, or embedded: for one inside this process, with the
    /// software GPU. Port 5641 where none is written.
    #[arg(long, value_name = "URI", env = "COHSH_CONNECT", default_value = "embedded:")]
    pub connect: String,
    /// Who to be: queen, worker-gpu:NAME, worker-heartbeat:NAME or observer:NAME. Where it is left out: whom the ticket
    /// is for, else queen.
    #[arg(long, value_name = "ROLE", env = "COHSH_ROLE")]
    pub role: Option<String>,
    /// The ticket, or @FILE that holds it.
    #[arg(long, value_name = "TICKET", env = "COHSH_TICKET", hide_env_values = true)]
    pub ticket: Option<String>,
    /// Allows tcp:// to other machines. Tickets then cross the network in the clear.
    #[arg(long)]
    pub insecure_plaintext: bool,
    /// Certificates (PEM) that may vouch for a tls:// server, instead of the system's.
    #[arg(long, value_name = "FILE", env = "COHSH_TLS_CA")]
    pub tls_ca: Option<PathBuf>,
    /// Our own certificate chain (PEM), where the server asks for one.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The key (PEM) of that certificate.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Where an embedded hive keeps its state. Where it is left out: a temporary directory, removed at the end.
    #[arg(long, value_name = "DIR", env = "COHSH_STATE_DIR")]
    pub state_dir: Option<PathBuf>,
}

/// How answers look.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Output")]
pub struct Output {
    /// The form of tables.
    #[arg(short = 'o', long = "output", value_name = "FORM", global = true)]
    pub form: Option<Form>,
    /// Leaves out the header line of tables.
    #[arg(long, global = true)]
    pub no_header: bool,
    /// Leaves out remarks and progress.
    #[arg(short, long, global = true)]
    pub quiet: bool,
}

impl Output {
    /// How answers look, where `base` says what was not asked for here.
    #[must_use]
    pub fn over(&self, base: Look) -> Look {
        Look {
            form: self.form.unwrap_or(base.form),
            header: base.header && !self.no_header,
            quiet: base.quiet || self.quiet,
            ..base
        }
    }
}

/// One line of the shell, understood.
#[derive(Debug)]
pub struct Command {
    /// What to do.
    pub verb: Verb,
    /// How its answer looks.
    pub output: Output,
}

/// A line without the program's name before it.
#[derive(Debug, Parser)]
#[command(
    name = "",
    no_binary_name = true,
    disable_help_subcommand = true,
    disable_version_flag = true
)]
struct Line {
    #[command(flatten)]
    output: Output,
    #[command(subcommand)]
    verb: Verb,
}

/// Understands the words of one line.
///
/// # Errors
/// An unknown verb, or arguments it does not take. `--help` is answered as text too: see [`help_text`].
pub fn command(words: Words) -> Result<Command, CommandError> {
    let matches = Line::command().try_get_matches_from(words.words).map_err(usage)?;
    let line = Line::from_arg_matches(&matches).map_err(usage)?;
    let verb = line.verb.redirected(words.redirect)?;
    Ok(Command { verb, output: line.output })
}

/// Understands one line.
///
/// # Errors
/// As [`command`], and a line that is not words.
pub fn command_of_line(line: &str) -> Result<Option<Command>, CommandError> {
    let words = words::split(line).map_err(|error| CommandError::usage(error.to_string()))?;
    if words.words.is_empty() && words.redirect.is_none() {
        return Ok(None);
    }
    command(words).map(Some)
}

/// The help of one verb, or of all when `verb` is none.
///
/// # Errors
/// No such verb.
pub fn help_text(verb: &[String]) -> Result<String, CommandError> {
    let mut command = Line::command();
    command.build();
    let mut found = &mut command;
    for name in verb {
        let unknown = CommandError::usage(format!("no verb {name:?}")).hint("`help` lists all");
        found = found.find_subcommand_mut(name).ok_or(unknown)?;
    }
    let text = if verb.is_empty() { found.render_help() } else { found.render_long_help() };
    Ok(text.to_string())
}

/// Names of all verbs, in the order of the help.
#[must_use]
pub fn verb_names() -> Vec<String> {
    Line::command().get_subcommands().map(|verb| verb.get_name().to_owned()).collect()
}

/// clap's report as a failure of ours: its first line is the text, the rest are hints.
fn usage(error: clap::Error) -> CommandError {
    let report = error.render().to_string();
    let mut paragraphs = report.trim().split("\n\n").map(one_line);
    let text = paragraphs.next().unwrap_or_default();
    let mut usage = CommandError::usage(text.trim_start_matches("error: "));
    usage.hints = paragraphs.filter(|hint| !hint.starts_with("For more information")).collect();
    usage
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Command {
        command_of_line(line).unwrap().unwrap()
    }

    #[test]
    fn the_definitions_are_consistent() {
        Cli::command().debug_assert();
        Line::command().debug_assert();
    }

    /// Proves SH-6.
    #[test]
    fn every_verb_is_a_subcommand_and_a_line() {
        let of_program: Vec<String> =
            Cli::command().get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
        assert_eq!(of_program, verb_names());
        let promised = "help attach detach ls cat tail echo ping log spawn kill bind mount lifecycle \
                        gpu lease stage run submit jobs hist wait cancel doctor quit proxy";
        for verb in promised.split_whitespace() {
            assert!(of_program.iter().any(|name| name == verb), "{verb} is missing");
        }
    }

    /// Proves SH-6.
    #[test]
    fn every_verb_has_a_short_and_a_long_doc() {
        for verb in Cli::command().get_subcommands() {
            let name = verb.get_name();
            let short = verb.get_about().map(ToString::to_string).unwrap_or_default();
            assert!(!short.is_empty() && short.len() <= 72, "{name}: {short:?}");
            assert!(help_text(&[name.to_owned()]).unwrap().len() > short.len(), "{name}");
        }
    }

    #[test]
    fn an_unknown_verb_is_named_with_its_neighbour() {
        let error = command_of_line("stag a.f32").unwrap_err();
        assert_eq!(error.kind.exit_code(), 2);
        assert_eq!(error.text, "unrecognized subcommand 'stag'");
        assert!(error.hints[0].contains("'stage'"), "{:?}", error.hints);
    }

    #[test]
    fn a_form_asked_for_in_a_line_wins_over_the_shells() {
        let shell = Look { header: true, ..Look::default() };
        let look = parsed("ls / -o json --no-header").output.over(shell);
        assert_eq!((look.form, look.header), (Form::Json, false));
        assert_eq!(parsed("ls /").output.over(shell), shell);
    }

    /// Proves SH-2.
    #[test]
    fn only_echo_has_an_arrow() {
        assert!(command_of_line("echo x > /queen/ctl").is_ok());
        let error = command_of_line("cat /log/queen.log > out").unwrap_err();
        assert_eq!(error.text, "> belongs to echo only");
        assert_eq!(error.hints, ["to save a file of the hive here: cat PATH --out FILE"]);
    }
}
