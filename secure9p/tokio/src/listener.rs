//! Where peers arrive: TCP, TLS, Unix sockets, and the in-memory listener.
//!
//! Lets nobody in: that is `server::roster` and the service.

use std::{fmt, io, net::SocketAddr, os::fd::AsFd};

use rustix::net::sockopt;
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream, UnixListener, lookup_host},
    time::sleep,
};
use tokio_rustls::TlsAcceptor;
use tracing::warn;

use crate::{
    limits::{ACCEPT_RETRY, BACKLOG, KEEPALIVE, KEEPALIVE_PROBES, UNACKNOWLEDGED},
    memory::{Dialer, MemoryListener},
    peer::{Peer, Transport},
    stream::Stream,
    tls::{self, ServerTls},
    unix::{self, SocketFile, SocketFileRefused},
    uri::{Authority, Uri},
};

/// How to listen.
#[derive(Debug, Clone, Default)]
pub struct ListenOptions {
    /// For `tls://`.
    pub tls: Option<ServerTls>,
    /// Allows plain TCP on addresses that other machines can reach. Tickets then cross the network in the clear.
    pub allow_plaintext: bool,
}

/// Why nothing listens.
#[derive(Debug, thiserror::Error)]
pub enum BindRefused {
    /// Plain TCP that other machines could reach.
    #[error(
        "{uri} would carry tickets in the clear to other machines; use tls://, or allow it with --insecure-plaintext"
    )]
    Plaintext {
        /// What was asked for.
        uri: Uri,
    },
    /// `tls://` without a certificate.
    #[error("{uri} needs a server certificate and its key; `gpu-bridge-host tls init` makes them")]
    NoCertificate {
        /// What was asked for.
        uri: Uri,
    },
    /// `embedded:` has no address.
    #[error(
        "embedded: has no address to listen on; a program embeds a server with Listener::embedded"
    )]
    Embedded,
    /// The socket file.
    #[error("cannot listen on {uri}: {cause}")]
    SocketFile {
        /// What was asked for.
        uri: Uri,
        /// What is in the way.
        cause: SocketFileRefused,
    },
    /// The host is unknown, or the address cannot be had.
    #[error("cannot listen on {uri}: {cause}")]
    Io {
        /// What was asked for.
        uri: Uri,
        /// What the system said.
        cause: io::Error,
    },
}

/// A place where peers arrive; closed, and its socket file removed, when dropped.
pub struct Listener {
    uri: Uri,
    socket: Socket,
}

enum Socket {
    Tcp(TcpListener),
    Tls(TcpListener, TlsAcceptor),
    Unix { listener: UnixListener, _file: SocketFile },
    Memory(MemoryListener),
}

/// A peer that has connected, and may still have to pass TLS.
pub(crate) struct Arrival {
    pub(crate) peer: Peer,
    pub(crate) line: Line,
}

/// What an arrival can be talked to over.
pub(crate) enum Line {
    Open(Stream),
    ExpectTls(TcpStream, TlsAcceptor),
}

impl Listener {
    /// Listens at `uri`. A host name with several addresses is bound at the first that can be had; port 0 takes any.
    pub async fn bind(uri: &Uri, options: &ListenOptions) -> Result<Self, BindRefused> {
        let io_refused = |cause| BindRefused::Io { uri: uri.clone(), cause };
        match uri {
            Uri::Tcp(authority) => {
                let addresses = resolve(authority).await.map_err(io_refused)?;
                if !options.allow_plaintext && !addresses.iter().all(|at| at.ip().is_loopback()) {
                    return Err(BindRefused::Plaintext { uri: uri.clone() });
                }
                let (listener, at) = listen_tcp(&addresses).map_err(io_refused)?;
                Ok(Self { uri: Uri::Tcp(at), socket: Socket::Tcp(listener) })
            }
            Uri::Tls(authority) => {
                let no_certificate = || BindRefused::NoCertificate { uri: uri.clone() };
                let tls = options.tls.as_ref().ok_or_else(no_certificate)?;
                let addresses = resolve(authority).await.map_err(io_refused)?;
                let (listener, at) = listen_tcp(&addresses).map_err(io_refused)?;
                Ok(Self { uri: Uri::Tls(at), socket: Socket::Tls(listener, tls.acceptor()) })
            }
            Uri::Unix(path) => {
                let (listener, file) = unix::bind(path)
                    .map_err(|cause| BindRefused::SocketFile { uri: uri.clone(), cause })?;
                Ok(Self { uri: uri.clone(), socket: Socket::Unix { listener, _file: file } })
            }
            Uri::Embedded => Err(BindRefused::Embedded),
        }
    }

    /// A listener in this process, and what dials it.
    #[must_use]
    pub fn embedded() -> (Self, Dialer) {
        let (listener, dialer) = MemoryListener::new();
        (Self { uri: Uri::Embedded, socket: Socket::Memory(listener) }, dialer)
    }

    /// Where peers reach it: with the address and port that were bound.
    #[must_use]
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The next peer. A failure that may pass is waited out.
    pub(crate) async fn next(&mut self) -> Arrival {
        loop {
            match self.accept().await {
                Ok(arrival) => return arrival,
                Err(cause) if is_the_peer_s_doing(&cause) => {}
                Err(cause) => {
                    warn!(listener = %self.uri, "cannot accept connections: {cause}");
                    sleep(ACCEPT_RETRY).await;
                }
            }
        }
    }

    async fn accept(&mut self) -> io::Result<Arrival> {
        Ok(match &mut self.socket {
            Socket::Tcp(listener) => {
                let (stream, from) = listener.accept().await?;
                let line = Line::Open(Stream::Tcp(stream));
                Arrival { peer: Peer::network(Transport::Tcp, from), line }
            }
            Socket::Tls(listener, acceptor) => {
                let (stream, from) = listener.accept().await?;
                let line = Line::ExpectTls(stream, acceptor.clone());
                Arrival { peer: Peer::network(Transport::Tls, from), line }
            }
            Socket::Unix { listener, .. } => {
                let (stream, _) = listener.accept().await?;
                let uid = stream.peer_cred()?.uid();
                Arrival { peer: Peer::unix(uid), line: Line::Open(Stream::Unix(stream)) }
            }
            Socket::Memory(listener) => {
                let stream = Stream::Memory(listener.accept().await);
                Arrival { peer: Peer::memory(), line: Line::Open(stream) }
            }
        })
    }
}

impl Arrival {
    /// Passes TLS where it is expected, and notes whose certificate the peer showed.
    pub(crate) async fn open(self) -> io::Result<(Peer, Stream)> {
        let Self { mut peer, line } = self;
        match line {
            Line::Open(stream) => Ok((peer, stream)),
            Line::ExpectTls(stream, acceptor) => {
                let stream = acceptor.accept(stream).await?;
                let shown = stream.get_ref().1.peer_certificates();
                peer.certificate_subject =
                    shown.and_then(|chain| chain.first()).and_then(tls::subject);
                Ok((peer, Stream::Tls(Box::new(stream.into()))))
            }
        }
    }
}

/// Whether an accept failed for the one connection only.
fn is_the_peer_s_doing(cause: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(cause.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

async fn resolve(authority: &Authority) -> io::Result<Vec<SocketAddr>> {
    let addresses: Vec<_> = lookup_host((authority.host.as_str(), authority.port)).await?.collect();
    if addresses.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "the host has no address"));
    }
    Ok(addresses)
}

/// Listens at the first address that can be had.
fn listen_tcp(addresses: &[SocketAddr]) -> io::Result<(TcpListener, Authority)> {
    let mut refused = None;
    for address in addresses {
        match listen_at(*address) {
            Ok(listener) => {
                let at = listener.local_addr()?;
                return Ok((listener, Authority { host: at.ip().to_string(), port: at.port() }));
            }
            Err(cause) => refused = Some(cause),
        }
    }
    Err(refused.unwrap_or_else(|| io::ErrorKind::NotFound.into()))
}

/// On Linux every accepted socket inherits the options that are set here.
fn listen_at(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    set_conversation_options(&socket)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Small messages go at once, and a peer whose machine died is found out.
pub(crate) fn set_conversation_options(socket: &impl AsFd) -> io::Result<()> {
    sockopt::set_tcp_nodelay(socket, true)?;
    sockopt::set_socket_keepalive(socket, true)?;
    sockopt::set_tcp_keepidle(socket, KEEPALIVE)?;
    sockopt::set_tcp_keepintvl(socket, KEEPALIVE / KEEPALIVE_PROBES)?;
    sockopt::set_tcp_keepcnt(socket, KEEPALIVE_PROBES)?;
    // What keepalive does not see: an answer that is never acknowledged is sent again for a quarter of an hour.
    #[cfg(target_os = "linux")]
    sockopt::set_tcp_user_timeout(socket, whole_ms(UNACKNOWLEDGED))?;
    Ok(())
}

#[cfg(target_os = "linux")]
fn whole_ms(time: std::time::Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Listener").field(&self.uri).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn bound(uri: &str, options: &ListenOptions) -> Result<Listener, BindRefused> {
        Listener::bind(&uri.parse().unwrap(), options).await
    }

    /// Proves PIPE-3.
    #[tokio::test]
    async fn plain_tcp_beyond_this_machine_must_be_asked_for_by_name() {
        let refused = bound("tcp://0.0.0.0:0", &ListenOptions::default()).await.unwrap_err();
        assert_eq!(
            refused.to_string(),
            "tcp://0.0.0.0:0 would carry tickets in the clear to other machines; use tls://, or \
             allow it with --insecure-plaintext"
        );
        let allowed = ListenOptions { allow_plaintext: true, tls: None };
        let listener = bound("tcp://0.0.0.0:0", &allowed).await.unwrap();
        assert!(!listener.uri().to_string().ends_with(":0"), "{}", listener.uri());
    }

    /// Proves PIPE-3.
    #[tokio::test]
    async fn a_place_that_cannot_be_had_is_named() {
        let options = ListenOptions::default();
        let first = bound("tcp://127.0.0.1:0", &options).await.unwrap();
        let second = Listener::bind(first.uri(), &options).await.unwrap_err().to_string();
        assert!(second.starts_with(&format!("cannot listen on {}: ", first.uri())), "{second}");
        assert!(second.contains("in use"), "{second}");
        let tls = bound("tls://127.0.0.1:0", &options).await.unwrap_err().to_string();
        assert!(tls.contains("needs a server certificate and its key"), "{tls}");
        let embedded = bound("embedded:", &options).await.unwrap_err().to_string();
        assert!(embedded.contains("Listener::embedded"), "{embedded}");
    }

    /// Proves PIPE-4.
    #[tokio::test]
    async fn an_accepted_socket_sends_small_messages_at_once() {
        let mut listener = bound("tcp://127.0.0.1:0", &ListenOptions::default()).await.unwrap();
        let Uri::Tcp(at) = listener.uri().clone() else { unreachable!("bound as TCP") };
        let _peer = TcpStream::connect((at.host.as_str(), at.port)).await.unwrap();
        let arrival = listener.accept().await.unwrap();
        let Line::Open(Stream::Tcp(stream)) = arrival.line else { panic!("no plain stream") };
        assert!(stream.nodelay().unwrap());
        assert!(sockopt::socket_keepalive(&stream).unwrap());
        assert_eq!(sockopt::tcp_keepidle(&stream).unwrap(), KEEPALIVE);
        assert_eq!(sockopt::tcp_user_timeout(&stream).unwrap(), 180_000);
    }
}
