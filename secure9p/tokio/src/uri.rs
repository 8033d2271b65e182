//! Where a tree is served: `tcp://host:port`, `tls://host:port`, `unix:///path`, `embedded:`.
//!
//! Knows no socket: resolving and dialling are `listener` and `client::dial`.

use std::{fmt, net::IpAddr, path::PathBuf, str::FromStr};

/// The bridge's port, where a URI names none.
pub const BRIDGE_PORT: u16 = 5640;

/// NineDoor's port, where a URI names none.
pub const NINEDOOR_PORT: u16 = 5641;

/// Longest socket path that Linux takes (`sun_path` is 108 bytes with its NUL).
const UNIX_PATH_BYTES_MAX: usize = 107;

/// Longest DNS name.
const HOST_BYTES_MAX: usize = 253;

/// Where a tree is served, or to be served.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Uri {
    /// Plain TCP.
    Tcp(Authority),
    /// TLS 1.3 over TCP.
    Tls(Authority),
    /// A Unix stream socket at an absolute path.
    Unix(PathBuf),
    /// A server in this process, reached over an in-memory pair.
    Embedded,
}

/// The `host:port` of a URI.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Authority {
    /// A DNS name or an IP address, without brackets.
    pub host: String,
    /// The port; 0 lets the system choose when listening.
    pub port: u16,
}

/// Why a text is no URI of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UriRefused {
    /// The part before the colon is none of the four.
    #[error("{uri:?} starts with none of tcp://, tls://, unix:// and embedded:")]
    Scheme {
        /// The whole text.
        uri: String,
    },
    /// No host, an overlong one, or one with odd characters in it.
    #[error(
        "{uri:?} names no usable host; write {scheme}://HOST:PORT, an IPv6 address in brackets"
    )]
    Host {
        /// The whole text.
        uri: String,
        /// Its scheme.
        scheme: &'static str,
    },
    /// The port is no number from 0 to 65535.
    #[error("port {port:?} in {uri:?} is no number from 0 to 65535")]
    Port {
        /// The whole text.
        uri: String,
        /// What stands where the port should.
        port: String,
    },
    /// The socket path is relative, empty or too long.
    #[error(
        "{uri:?} needs an absolute socket path of at most {UNIX_PATH_BYTES_MAX} bytes: unix:///run/x.sock"
    )]
    Path {
        /// The whole text.
        uri: String,
    },
}

impl Uri {
    /// Reads a URI; `default_port` stands in where none is written.
    pub fn parse(uri: &str, default_port: u16) -> Result<Self, UriRefused> {
        if uri == "embedded:" {
            Ok(Self::Embedded)
        } else if let Some(rest) = uri.strip_prefix("tcp://") {
            Authority::parse(uri, "tcp", rest, default_port).map(Self::Tcp)
        } else if let Some(rest) = uri.strip_prefix("tls://") {
            Authority::parse(uri, "tls", rest, default_port).map(Self::Tls)
        } else if let Some(rest) = uri.strip_prefix("unix:") {
            unix_path(rest).map(Self::Unix).ok_or_else(|| UriRefused::Path { uri: uri.to_owned() })
        } else {
            Err(UriRefused::Scheme { uri: uri.to_owned() })
        }
    }
}

/// Reads a URI of the bridge: its port is [`BRIDGE_PORT`] where none is written.
impl FromStr for Uri {
    type Err = UriRefused;

    fn from_str(uri: &str) -> Result<Self, UriRefused> {
        Self::parse(uri, BRIDGE_PORT)
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(authority) => write!(f, "tcp://{authority}"),
            Self::Tls(authority) => write!(f, "tls://{authority}"),
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Embedded => f.write_str("embedded:"),
        }
    }
}

impl Authority {
    fn parse(
        uri: &str,
        scheme: &'static str,
        rest: &str,
        default_port: u16,
    ) -> Result<Self, UriRefused> {
        let bad_host = || UriRefused::Host { uri: uri.to_owned(), scheme };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.strip_prefix('[') {
            Some(bracketed) => {
                let (host, after) = bracketed.split_once(']').ok_or_else(bad_host)?;
                let port = match after {
                    "" => None,
                    _ => Some(after.strip_prefix(':').ok_or_else(bad_host)?),
                };
                (host, port)
            }
            None => match rest.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (rest, None),
            },
        };
        if !is_host(host, rest.starts_with('[')) {
            return Err(bad_host());
        }
        let port = match port {
            None => default_port,
            Some(text) => port_number(text)
                .ok_or_else(|| UriRefused::Port { uri: uri.to_owned(), port: text.to_owned() })?,
        };
        Ok(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Digits only: `u16::from_str` would take `+5640` too.
fn port_number(text: &str) -> Option<u16> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn is_host(host: &str, bracketed: bool) -> bool {
    if bracketed {
        return matches!(host.parse(), Ok(IpAddr::V6(_)));
    }
    !host.is_empty()
        && host.len() <= HOST_BYTES_MAX
        && host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}

/// `//` and an absolute path, as in a file URL with no host.
fn unix_path(rest: &str) -> Option<PathBuf> {
    let path = rest.strip_prefix("//")?;
    let fits = path.starts_with('/') && path.len() > 1 && path.len() <= UNIX_PATH_BYTES_MAX;
    (fits && !path.contains('\0')).then(|| PathBuf::from(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(uri: &str) -> Uri {
        Uri::parse(uri, NINEDOOR_PORT).unwrap()
    }

    fn refusal(uri: &str) -> String {
        Uri::parse(uri, BRIDGE_PORT).unwrap_err().to_string()
    }

    /// Proves PIPE-1.
    #[test]
    fn every_transport_reads_back_as_it_prints() {
        for uri in [
            "tcp://127.0.0.1:5640",
            "tcp://gpu-7.lab_2.example:1",
            "tcp://[::1]:0",
            "tls://hive.example:5641",
            "unix:///run/cohesix/bridge.sock",
            "embedded:",
        ] {
            assert_eq!(parsed(uri).to_string(), uri);
        }
    }

    /// Proves PIPE-1.
    #[test]
    fn a_port_that_is_not_written_is_the_default() {
        assert_eq!(parsed("tcp://host").to_string(), "tcp://host:5641");
        assert_eq!(parsed("tls://[fe80::1]").to_string(), "tls://[fe80::1]:5641");
        assert_eq!("tls://host/".parse::<Uri>().unwrap().to_string(), "tls://host:5640");
    }

    /// Proves PIPE-2.
    #[test]
    fn a_uri_that_is_none_says_what_to_write() {
        assert_eq!(
            refusal("http://host"),
            "\"http://host\" starts with none of tcp://, tls://, unix:// and embedded:"
        );
        assert_eq!(
            refusal("tcp://:5640"),
            "\"tcp://:5640\" names no usable host; write tcp://HOST:PORT, an IPv6 address in brackets"
        );
        assert_eq!(
            refusal("tls://host:70000"),
            "port \"70000\" in \"tls://host:70000\" is no number from 0 to 65535"
        );
        assert_eq!(
            refusal("unix://run/x.sock"),
            "\"unix://run/x.sock\" needs an absolute socket path of at most 107 bytes: \
             unix:///run/x.sock"
        );
        for uri in
            ["tcp://::1:5640", "tcp://[::1", "tcp://[::1]5640", "tcp://[host]:1", "tls://a b"]
        {
            assert!(refusal(uri).contains("no usable host") || refusal(uri).contains("no number"));
        }
        for uri in ["tcp://host:", "tcp://host:+1", "tcp://host:1x"] {
            let accepted = Uri::parse(uri, BRIDGE_PORT);
            assert!(matches!(accepted, Err(UriRefused::Port { .. })), "{uri}: {accepted:?}");
        }
        let long = format!("unix:///{}", "x".repeat(UNIX_PATH_BYTES_MAX));
        assert!(refusal(&long).contains("at most 107 bytes"));
    }
}
