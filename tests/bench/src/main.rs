//! 9P end to end: our server, the raw TCP floor and Debian's diod, measured in turn, client and server on one CPU.
//!
//! `cargo run --release -p tests-bench` prints one table; `docs/BENCHMARKS.md` has one that was kept, and says what the
//! rows mean.

mod cpu;
mod figures;
mod floor;
mod namespace;
mod rows;
mod servers;
mod talk;
mod tree;

use std::{net::SocketAddr, path::PathBuf};

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::{rows::Bench, servers::Kind};

#[derive(Parser)]
#[command(about)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Rounds; each measures every server once, and the table shows medians.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Seconds per measurement.
    #[arg(long, default_value_t = 0.4)]
    seconds: f64,
    /// Only rows whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// CPU for clients and servers.
    #[arg(long, default_value_t = 0)]
    cpu: usize,
}

#[derive(Subcommand)]
enum Command {
    /// Runs one of the servers (what the bench starts for itself).
    Serve {
        kind: Kind,
        address: SocketAddr,
        /// Certificates, for TLS.
        #[arg(long)]
        certificates: Option<PathBuf>,
        /// The CPU to stay on.
        #[arg(long)]
        cpu: usize,
    },
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    match arguments.command {
        Some(Command::Serve { kind, address, certificates, cpu }) => {
            cpu::stay_on(cpu)?;
            servers::serve(kind, address, certificates.as_deref())
        }
        None => {
            cpu::stay_on(arguments.cpu)?;
            secure9p_tokio::raise_descriptor_limit();
            let bench = Bench::start(arguments.rounds, arguments.seconds, arguments.cpu)?;
            println!("{}", bench.run(&arguments.only)?);
            Ok(())
        }
    }
}
