//! `tls`: certificates for a bridge and its clients.

use std::path::PathBuf;

use clap::Subcommand;

/// Certificates.
#[derive(Debug, Subcommand)]
pub(super) enum TlsVerb {
    /// Make an authority and a server certificate in a directory.
    Init {
        /// Where the files go.
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
        /// A name or address by which clients reach this host. May be given more than once.
        #[arg(long = "host", value_name = "NAME", required = true)]
        hosts: Vec<String>,
    },
}

pub(super) fn run(verb: &TlsVerb) -> anyhow::Result<()> {
    let TlsVerb::Init { dir, hosts } = verb;
    let files = secure9p_tokio::tls::init(dir, hosts)?;
    let server = files.server();
    println!("authority {}", files.authority().display());
    println!("certificate {}", server.certificate.display());
    println!("key {}", server.key.display());
    Ok(())
}
