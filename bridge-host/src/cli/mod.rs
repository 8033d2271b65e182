//! The command line of `gpu-bridge-host`.
//!
//! Reads words, calls the library, prints. Exit codes: 0 done, 1 failed, 2 usage.

mod doctor;
mod log;
mod manager;
mod serve;
mod tls;

use std::{io::stdout, net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};
use ninedoor_host::{
    Clock,
    audit::{self, AuditVerb, Form},
    ticket::{self, TicketVerb},
};
use secure9p_tokio::{BRIDGE_PORT, Uri, UriRefused};

use crate::{
    backend::BackendChoice,
    config::{self, Config},
    inventory::Inventory,
    listing::listing,
};

/// GPUs as directories over Secure9P.
#[derive(Debug, Parser)]
#[command(name = "gpu-bridge-host", version, args_conflicts_with_subcommands = true)]
struct CommandLine {
    #[command(flatten)]
    serve: ServeWords,
    /// Print the namespace descriptors of every GPU as one JSON document, and end.
    #[arg(long)]
    list: bool,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Serve the GPUs of this machine (also without the word).
    Serve(ServeWords),
    /// Tickets of this bridge.
    #[command(subcommand)]
    Ticket(TicketVerb),
    /// Certificates for tls://.
    #[command(subcommand)]
    Tls(tls::TlsVerb),
    /// Look for what would keep a bridge from working here.
    Doctor {
        #[command(flatten)]
        words: ServeWords,
        /// For people, or for programs.
        #[arg(short, long, value_enum, default_value_t = Form::Table)]
        output: Form,
    },
    /// The configuration file.
    #[command(subcommand)]
    Config(ConfigVerb),
    /// The log of who did what.
    #[command(subcommand)]
    Audit(AuditVerb),
}

#[derive(Debug, Subcommand)]
enum ConfigVerb {
    /// Read a configuration, and say what is wrong with it.
    Check {
        /// The TOML file.
        file: PathBuf,
    },
    /// Print the JSON Schema of the settings.
    Schema,
}

/// What `serve` may be told; each word counts more than the configuration file.
#[derive(Debug, Args)]
struct ServeWords {
    /// Which GPUs to serve.
    #[arg(long, value_enum)]
    backend: Option<BackendChoice>,
    /// The same as --backend mock.
    #[arg(long, conflicts_with = "backend")]
    mock: bool,
    /// A TOML file with settings.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where to listen: tcp://HOST:PORT, tls://HOST:PORT, unix:///PATH. May be given more than once.
    #[arg(long, value_name = "URI", value_parser = uri)]
    listen: Vec<Uri>,
    /// Allow plain TCP on addresses that other machines can reach.
    #[arg(long)]
    insecure_plaintext: bool,
    /// Where everything is kept that outlives the process.
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// Where to serve metrics.
    #[arg(long, value_name = "ADDR")]
    metrics: Option<SocketAddr>,
}

fn uri(text: &str) -> Result<Uri, UriRefused> {
    Uri::parse(text, BRIDGE_PORT)
}

impl ServeWords {
    /// The configuration that these words make.
    fn settle(&self) -> anyhow::Result<Config> {
        let mut config = config::read(self.config.as_deref(), std::env::vars())?;
        if self.mock {
            config.backend = BackendChoice::Mock;
        }
        config.backend = self.backend.unwrap_or(config.backend);
        config.state_dir = self.state_dir.clone().unwrap_or(config.state_dir);
        config.metrics = self.metrics.or(config.metrics);
        config.insecure_plaintext |= self.insecure_plaintext;
        if !self.listen.is_empty() {
            config.listen.clone_from(&self.listen);
        }
        config.check()?;
        Ok(config)
    }
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    match run(CommandLine::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("gpu-bridge-host: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(line: CommandLine) -> anyhow::Result<ExitCode> {
    let done = |()| ExitCode::SUCCESS;
    match line.verb {
        None if line.list => list(line.serve).map(done),
        None => serve::serve(&line.serve).map(done),
        Some(Verb::Serve(words)) => serve::serve(&words).map(done),
        Some(Verb::Ticket(verb)) => about_tickets(&verb).map(done),
        Some(Verb::Audit(verb)) => audit::run(&verb, &Config::default().state_dir),
        Some(Verb::Tls(verb)) => tls::run(&verb).map(done),
        Some(Verb::Doctor { words, output }) => Ok(doctor::run(&words.settle()?, output)),
        Some(Verb::Config(ConfigVerb::Check { file })) => check(&file).map(done),
        Some(Verb::Config(ConfigVerb::Schema)) => {
            println!("{:#}", config::schema());
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// The state directory is the one that a bridge with the same environment would have.
fn about_tickets(verb: &TicketVerb) -> anyhow::Result<()> {
    let default = Config::default().state_dir;
    ticket::run_noted(verb, &default, &Clock::system(), &mut stdout().lock())
}

fn list(words: ServeWords) -> anyhow::Result<()> {
    let config = words.settle()?;
    let inventory = Inventory::take(config.backend, config.soft.into())?;
    print!("{}", listing(&inventory));
    Ok(())
}

fn check(file: &std::path::Path) -> anyhow::Result<()> {
    config::read(Some(file), std::env::vars())?;
    println!("{} is fine", file.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_makes_sense_to_clap() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn words_count_more_than_defaults() {
        let line =
            CommandLine::parse_from(["gpu-bridge-host", "--mock", "--listen", "tcp://127.0.0.1:0"]);
        let config = line.serve.settle().unwrap();
        assert_eq!(config.backend, BackendChoice::Mock);
        assert_eq!(config.listen[0].to_string(), "tcp://127.0.0.1:0");
        let line = CommandLine::parse_from(["gpu-bridge-host", "serve", "--backend", "soft"]);
        let Some(Verb::Serve(words)) = line.verb else { panic!("{line:?}") };
        assert_eq!(words.settle().unwrap().backend, BackendChoice::Soft);
    }
}
