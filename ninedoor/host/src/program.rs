//! The command line of `ninedoor`: reads words, calls the library, prints. Exit codes: 0 done, 1 failed, 2 usage.
//!
//! ```text
//! serve:  serving ─SIGTERM, SIGINT─▶ draining (answers what is owed) ─▶ stopped
//!                                        └── a second one ────────────▶ stopped
//! ```

use std::{
    io::{Write, stdout},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use secure9p_tokio::{
    BRIDGE_PORT, ConnectOptions, Limits, ListenOptions, NINEDOOR_PORT, Uri, UriRefused,
    raise_descriptor_limit,
    tls::{ClientTls, Identity, ServerTls, Trust},
};
use tokio::{
    runtime::Builder,
    signal::unix::{Signal, SignalKind, signal},
};

use crate::{
    audit::{self, AuditVerb},
    clock::Clock,
    connector::BridgeLink,
    log,
    nine_door::{NineDoor, Setup},
    ticket::{self, TicketVerb, spelled_out},
};

/// By which name a bridge is known that is given without one.
const SERVICE: &str = "gpu-bridge";
/// Where things are kept when nobody says.
const STATE_DIR: &str = "/var/lib/cohesix/ninedoor";

/// NineDoor: one namespace over Secure9P, with GPUs of other machines mounted in it.
#[derive(Debug, Parser)]
#[command(name = "ninedoor", version)]
struct CommandLine {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Serve a hive.
    Serve(Box<ServeWords>),
    /// Tickets of this hive.
    #[command(subcommand)]
    Ticket(TicketVerb),
    /// The log of who did what.
    #[command(subcommand)]
    Audit(AuditVerb),
}

#[derive(Debug, Args)]
struct ServeWords {
    /// A bridge to mount, as [NAME=]URI; may be given more than once. The first is mounted at /gpu, /bundles and /worker.
    #[arg(long = "bridge", value_name = "[NAME=]URI", value_parser = bridge)]
    bridges: Vec<(Option<String>, Uri)>,
    /// What to attach to the bridges with: a ticket, or @FILE to read it from.
    #[arg(
        long,
        value_name = "TICKET",
        env = "COHESIX_TICKET",
        hide_env_values = true,
        default_value = ""
    )]
    bridge_ticket: String,
    /// Where to listen: tcp://HOST:PORT, tls://HOST:PORT, unix:///PATH; may be given more than once.
    #[arg(long, value_name = "URI", value_parser = listen, default_value = "tcp://127.0.0.1:5641")]
    listen: Vec<Uri>,
    /// Where secrets, revocations and the audit log are kept.
    #[arg(long, value_name = "DIR", env = "COHESIX_STATE_DIR", default_value = STATE_DIR)]
    state_dir: PathBuf,
    /// Allow plain TCP to and from other machines.
    #[arg(long)]
    insecure_plaintext: bool,
    /// The certificate for tls:// listeners (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Its key (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Let in only clients with a certificate of this authority (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_client_ca: Option<PathBuf>,
    /// The authority that vouches for tls:// bridges (PEM).
    #[arg(long, value_name = "FILE")]
    bridge_ca: Option<PathBuf>,
    /// The very certificate that tls:// bridges show (PEM).
    #[arg(long, value_name = "FILE", conflicts_with = "bridge_ca")]
    bridge_pin: Option<PathBuf>,
    /// Our certificate for bridges that ask for one (PEM).
    #[arg(long, value_name = "FILE", requires = "bridge_key")]
    bridge_cert: Option<PathBuf>,
    /// Its key (PEM).
    #[arg(long, value_name = "FILE", requires = "bridge_cert")]
    bridge_key: Option<PathBuf>,
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    match run(CommandLine::parse().verb) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("ninedoor: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(verb: Verb) -> anyhow::Result<ExitCode> {
    let done = |()| ExitCode::SUCCESS;
    match verb {
        Verb::Audit(verb) => audit::run(&verb, STATE_DIR.as_ref()),
        Verb::Ticket(verb) => {
            let (default, clock) = (STATE_DIR.as_ref(), Clock::system());
            ticket::run_noted(&verb, default, &clock, &mut stdout().lock()).map(done)
        }
        Verb::Serve(words) => {
            log::start();
            raise_descriptor_limit();
            let setup = words.settle()?;
            Builder::new_multi_thread().enable_all().build()?.block_on(until_ended(setup)).map(done)
        }
    }
}

async fn until_ended(setup: Setup) -> anyhow::Result<()> {
    let mut end = End::listen()?;
    let nine_door = NineDoor::start(setup).await?;
    announce(&nine_door).context("announce the listeners")?;
    end.asked().await;
    tracing::info!("draining: what is owed is answered; a second signal stops at once");
    tokio::select! {
        () = nine_door.stop() => {}
        () = end.asked() => tracing::info!("stopping at once"),
    }
    Ok(())
}

fn announce(nine_door: &NineDoor) -> std::io::Result<()> {
    let mut out = stdout().lock();
    for uri in nine_door.uris() {
        writeln!(out, "listening {uri}")?;
    }
    out.flush()
}

/// The signals that ask for the end.
struct End {
    terminate: Signal,
    interrupt: Signal,
}

impl End {
    fn listen() -> std::io::Result<Self> {
        let (terminate, interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        Ok(Self { terminate, interrupt })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

impl ServeWords {
    /// What the words ask for.
    fn settle(self) -> anyhow::Result<Setup> {
        let ticket = spelled_out(&self.bridge_ticket)?;
        let connect = ConnectOptions {
            tls: self.client_tls()?,
            allow_plaintext: self.insecure_plaintext,
            ..ConnectOptions::default()
        };
        let options =
            ListenOptions { tls: self.server_tls()?, allow_plaintext: self.insecure_plaintext };
        let bridges = self.bridges.into_iter().zip(1..).map(|((service, uri), number)| {
            let unnamed =
                || if number == 1 { SERVICE.to_owned() } else { format!("{SERVICE}-{number}") };
            let service = service.unwrap_or_else(unnamed);
            BridgeLink { service, uri, ticket: ticket.clone(), options: connect.clone() }
        });
        Ok(Setup {
            bridges: bridges.collect(),
            state_dir: self.state_dir,
            listen: self.listen,
            options,
            limits: Limits::default(),
        })
    }

    fn server_tls(&self) -> anyhow::Result<Option<ServerTls>> {
        let (Some(certificate), Some(key)) = (&self.tls_cert, &self.tls_key) else {
            return Ok(None);
        };
        let identity = Identity { certificate: certificate.clone(), key: key.clone() };
        Ok(Some(ServerTls::load(&identity, self.tls_client_ca.as_deref())?))
    }

    fn client_tls(&self) -> anyhow::Result<Option<ClientTls>> {
        let trust = match (&self.bridge_ca, &self.bridge_pin) {
            (Some(authority), _) => Trust::Authority(authority.clone()),
            (None, Some(pinned)) => Trust::Pinned(pinned.clone()),
            (None, None) => return Ok(None),
        };
        let identity = match (&self.bridge_cert, &self.bridge_key) {
            (Some(certificate), Some(key)) => {
                Some(Identity { certificate: certificate.clone(), key: key.clone() })
            }
            _ => None,
        };
        Ok(Some(ClientTls::load(&trust, identity.as_ref())?))
    }
}

/// `[NAME=]URI`. A name has no colon in it, a URI has one before any `=`.
fn bridge(text: &str) -> Result<(Option<String>, Uri), UriRefused> {
    match text.split_once('=') {
        Some((name, uri)) if !name.contains(':') => {
            Ok((Some(name.to_owned()), Uri::parse(uri, BRIDGE_PORT)?))
        }
        _ => Ok((None, Uri::parse(text, BRIDGE_PORT)?)),
    }
}

fn listen(text: &str) -> Result<Uri, UriRefused> {
    Uri::parse(text, NINEDOOR_PORT)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn setup(line: &str) -> Setup {
        let words = std::iter::once("ninedoor").chain(line.split_whitespace());
        match CommandLine::parse_from(words).verb {
            Verb::Serve(words) => words.settle().unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_command_line_makes_sense_to_clap() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn bridges_have_the_names_they_are_given_or_their_number() {
        let setup = setup(
            "serve --bridge lab=tcp://127.0.0.1 --bridge tcp://127.0.0.1:7 --bridge unix:///run/a=b.sock --bridge-ticket x",
        );
        let named: Vec<_> =
            setup.bridges.iter().map(|link| format!("{} {}", link.service, link.uri)).collect();
        assert_eq!(
            named,
            [
                "lab tcp://127.0.0.1:5640",
                "gpu-bridge-2 tcp://127.0.0.1:7",
                "gpu-bridge-3 unix:///run/a=b.sock"
            ]
        );
        assert!(setup.bridges.iter().all(|link| link.ticket == "x"));
    }

    #[test]
    fn where_nothing_is_said_it_listens_on_this_machine_only() {
        let setup = setup("serve --state-dir /tmp/x --bridge-ticket=");
        assert_eq!(
            setup.listen.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["tcp://127.0.0.1:5641"]
        );
        assert!(!setup.options.allow_plaintext);
    }
}
