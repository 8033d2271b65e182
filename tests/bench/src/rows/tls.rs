//! The same over TLS 1.3: what the lock costs.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::Arc,
    time::Instant,
};

use anyhow::{Context, Result};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, client::Resumption};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use secure9p::{OpenFlags, Tag};

use super::{
    Bench, Row,
    bulk::{Direction, transfer},
    sequential,
};
use crate::{
    servers::{Kind, Server},
    talk::{Talk, frame, read},
    tree::SMALL_BYTES,
};

pub(super) const HANDSHAKES: Row = Row {
    names: &["TLS: full handshakes/s, client's half included"],
    servers: &[Kind::OursTls],
    rounds_max: usize::MAX,
    measure: measure_handshakes,
};

pub(super) const READ: Row = Row {
    names: &["TLS: 64-byte read, sequential, p50 µs"],
    servers: &[Kind::OursTls],
    rounds_max: usize::MAX,
    measure: measure_read,
};

pub(super) const BULK: Row = Row {
    names: &["TLS: bulk read, msize 1 MiB, 4 in flight, MB/s", "TLS: bulk write, same, MB/s"],
    servers: &[Kind::OursTls],
    rounds_max: usize::MAX,
    measure: measure_bulk,
};

/// A stream of either kind.
pub(super) trait Line: Read + Write {}

impl<S: Read + Write> Line for S {}

/// A connection that has attached, over TLS where the server wants it.
pub(super) fn attached(bench: &Bench, server: &Server) -> Result<Talk<Box<dyn Line>>> {
    let stream: Box<dyn Line> = if server.kind == Kind::OursTls {
        Box::new(secured(&config(bench)?, server)?)
    } else {
        let stream = TcpStream::connect(server.address)?;
        stream.set_nodelay(true)?;
        Box::new(stream)
    };
    let mut talk = Talk::over(stream);
    talk.attach(1 << 20, &server.entry)?;
    Ok(talk)
}

fn config(bench: &Bench) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(bench.authority().authority())?)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

fn secured(
    config: &Arc<ClientConfig>,
    server: &Server,
) -> Result<StreamOwned<ClientConnection, TcpStream>> {
    let name = ServerName::try_from("localhost").context("a good name")?;
    let stream = TcpStream::connect(server.address)?;
    stream.set_nodelay(true)?;
    let mut secured = StreamOwned::new(ClientConnection::new(Arc::clone(config), name)?, stream);
    while secured.conn.is_handshaking() {
        secured.conn.complete_io(&mut secured.sock)?;
    }
    Ok(secured)
}

fn measure_handshakes(bench: &Bench, server: &Server) -> Result<Vec<f64>> {
    let config = config(bench)?;
    let (mut done, start) = (0_u32, Instant::now());
    while start.elapsed() < bench.duration {
        drop(secured(&config, server)?);
        done += 1;
    }
    Ok(vec![f64::from(done) / start.elapsed().as_secs_f64()])
}

fn measure_read(bench: &Bench, server: &Server) -> Result<Vec<f64>> {
    let mut talk = attached(bench, server)?;
    talk.open(&server.entry, "small", OpenFlags::RDONLY)?;
    let ask = frame(Tag(1), &read(0, u32::try_from(SMALL_BYTES)?))?;
    Ok(vec![sequential::times(bench, &mut talk.stream, &ask)?.percentile_us(0.5)])
}

fn measure_bulk(bench: &Bench, server: &Server) -> Result<Vec<f64>> {
    [Direction::Read, Direction::Write]
        .into_iter()
        .map(|direction| {
            transfer(bench, server, &mut attached(bench, server)?, 1 << 20, direction, 4)
        })
        .collect()
}
