//! Who is at the other end, as far as the transport can tell. What it may do is for the service to say.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr},
};

/// How a peer reached us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Plain TCP.
    Tcp,
    /// TLS 1.3 over TCP.
    Tls,
    /// A Unix socket.
    Unix,
    /// An in-memory pair: the peer is in this process.
    Memory,
}

/// What the transport knows of a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// How it reached us.
    pub transport: Transport,
    /// Its address, on TCP and TLS.
    pub address: Option<SocketAddr>,
    /// Its uid as the kernel vouches for it: of the process that connected on a Unix socket, our own on an
    /// in-memory pair.
    pub uid: Option<u32>,
    /// The subject of the client certificate that was verified, as in `CN=worker-7`.
    pub certificate_subject: Option<String>,
}

impl Peer {
    pub(crate) fn network(transport: Transport, address: SocketAddr) -> Self {
        Self { transport, address: Some(address), uid: None, certificate_subject: None }
    }

    pub(crate) fn unix(uid: u32) -> Self {
        Self {
            transport: Transport::Unix,
            address: None,
            uid: Some(uid),
            certificate_subject: None,
        }
    }

    pub(crate) fn memory() -> Self {
        let uid = rustix::process::geteuid().as_raw();
        Self {
            transport: Transport::Memory,
            address: None,
            uid: Some(uid),
            certificate_subject: None,
        }
    }

    /// Whose allowance of connections this one counts against.
    pub(crate) fn party(&self) -> Party {
        match (self.address, self.uid) {
            (Some(address), _) => Party::Network(network_of(address.ip())),
            (None, Some(uid)) => Party::Uid(uid),
            (None, None) => Party::Unknown,
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.transport {
            Transport::Tcp => "tcp",
            Transport::Tls => "tls",
            Transport::Unix => "unix",
            Transport::Memory => "memory",
        })?;
        if let Some(address) = self.address {
            write!(f, " {address}")?;
        }
        if let (Transport::Unix, Some(uid)) = (self.transport, self.uid) {
            write!(f, " uid {uid}")?;
        }
        if let Some(subject) = &self.certificate_subject {
            write!(f, " ({subject})")?;
        }
        Ok(())
    }
}

/// One party to the limit of connections per peer: what one machine or one user can easily have many of counts as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Party {
    /// An IPv4 address, or an IPv6 /64 by its first address.
    Network(IpAddr),
    Uid(u32),
    Unknown,
}

fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)))
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn party(address: &str) -> Party {
        Peer::network(Transport::Tcp, address.parse().unwrap()).party()
    }

    #[test]
    fn one_machine_is_one_party_whatever_its_port_or_host_part() {
        assert_eq!(party("10.0.0.1:1"), party("10.0.0.1:2"));
        assert_ne!(party("10.0.0.1:1"), party("10.0.0.2:1"));
        assert_eq!(party("[2001:db8::1]:1"), party("[2001:db8::ffff:2]:1"));
        assert_ne!(party("[2001:db8::1]:1"), party("[2001:db8:0:1::1]:1"));
        assert_eq!(party("[::ffff:10.0.0.1]:1"), party("10.0.0.1:1"));
    }

    #[test]
    fn a_peer_prints_what_a_log_line_needs() {
        let mut peer = Peer::network(Transport::Tls, "10.0.0.1:99".parse().unwrap());
        peer.certificate_subject = Some("CN=worker-7".to_owned());
        assert_eq!(peer.to_string(), "tls 10.0.0.1:99 (CN=worker-7)");
        assert_eq!(Peer::unix(1000).to_string(), "unix uid 1000");
        assert_eq!(Peer::memory().to_string(), "memory");
    }
}
