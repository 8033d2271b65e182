//! From a URI to a stream: names, sockets, TLS. Speaks no 9P.

use std::{io, net::SocketAddr};

use rustls::CertificateError;
use rustls_pki_types::ServerName;
use tokio::{
    net::{TcpStream, UnixStream, lookup_host},
    time::timeout,
};

use crate::{
    client::{Cause, ClientError, ConnectOptions},
    listener::set_conversation_options,
    stream::Stream,
    tls::ClientTls,
    uri::{Authority, Uri},
};

/// Opens a stream to a server, TLS passed, within [`ConnectOptions::connect_timeout`].
pub async fn dial(uri: &Uri, options: &ConnectOptions) -> Result<Stream, ClientError> {
    let dialled = timeout(options.connect_timeout, stream(uri, options))
        .await
        .unwrap_or(Err(Cause::TimedOut(options.connect_timeout)));
    dialled.map_err(|cause| ClientError::new("connect to", &uri.to_string(), cause))
}

async fn stream(uri: &Uri, options: &ConnectOptions) -> Result<Stream, Cause> {
    match uri {
        Uri::Tcp(authority) => {
            let addresses = resolve(authority).await?;
            let abroad = addresses.iter().any(|at| !at.ip().is_loopback());
            if abroad && !options.allow_plaintext {
                return Err(Cause::Unusable(
                    "tickets would cross the network in the clear; use tls://, or allow it with \
                     --insecure-plaintext"
                        .to_owned(),
                ));
            }
            connect(&addresses).await.map(Stream::Tcp)
        }
        Uri::Tls(authority) => {
            let tls = options.tls.as_ref().ok_or_else(|| {
                Cause::Unusable("it needs an authority or a certificate to trust".to_owned())
            })?;
            let stream = connect(&resolve(authority).await?).await?;
            secure(stream, authority, tls).await
        }
        Uri::Unix(path) => UnixStream::connect(path).await.map(Stream::Unix).map_err(unreachable),
        Uri::Embedded => {
            let dialer = options
                .embedded
                .as_ref()
                .ok_or_else(|| Cause::Unusable("there is no server in this process".to_owned()))?;
            let dialled = dialer.dial().await;
            dialled.map(Stream::Memory).map_err(|gone| Cause::Unreachable(gone.to_string()))
        }
    }
}

async fn resolve(authority: &Authority) -> Result<Vec<SocketAddr>, Cause> {
    let host = (authority.host.as_str(), authority.port);
    Ok(lookup_host(host).await.map_err(unreachable)?.collect())
}

/// The first address that answers.
async fn connect(addresses: &[SocketAddr]) -> Result<TcpStream, Cause> {
    let mut refused = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                set_conversation_options(&stream).map_err(unreachable)?;
                return Ok(stream);
            }
            Err(cause) => refused = cause,
        }
    }
    Err(unreachable(refused))
}

async fn secure(
    stream: TcpStream,
    authority: &Authority,
    tls: &ClientTls,
) -> Result<Stream, Cause> {
    let name = ServerName::try_from(authority.host.clone())
        .map_err(|_| Cause::Unusable(format!("{:?} is no name for TLS", authority.host)))?;
    match tls.connector().connect(name, stream).await {
        Ok(stream) => Ok(Stream::Tls(Box::new(stream.into()))),
        Err(cause) => Err(distrust(&cause).map_or_else(|| unreachable(cause), Cause::Untrusted)),
    }
}

/// What TLS itself has against the other end, unless it was the network.
fn distrust(cause: &io::Error) -> Option<String> {
    match cause.get_ref()?.downcast_ref()? {
        rustls::Error::InvalidCertificate(CertificateError::Other(ours)) => {
            Some(ours.0.to_string())
        }
        theirs => Some(theirs.to_string()),
    }
}

fn unreachable(cause: io::Error) -> Cause {
    Cause::Unreachable(cause.to_string())
}
