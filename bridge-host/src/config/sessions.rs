//! `[sessions]` and `[tls]`: what peers may cost, and who we are to them.

use std::{path::PathBuf, time::Duration};

use schemars::JsonSchema;
use secure9p::{Msize, ServerLimits};
use secure9p_tokio::{
    Limits,
    tls::{Identity, ServerTls, TlsRefused},
};
use serde::{Deserialize, Serialize};

use super::read::{ConfigRefused, within};

/// What one peer, and all of them, may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SessionSettings {
    /// Connections at once.
    pub connections_max: usize,
    /// Of those, from one peer.
    pub connections_per_peer_max: usize,
    /// Longest 9P message.
    pub msize_max: u32,
    /// Open fids of one connection.
    pub fids_max: usize,
    /// Requests in flight on one connection.
    pub requests_max: usize,
    /// Seconds from connect to attach.
    pub handshake_s: u32,
    /// Seconds of silence before an attached peer is closed; 0 is for ever.
    pub idle_s: u32,
}

impl Default for SessionSettings {
    fn default() -> Self {
        let (transport, session) = (Limits::default(), ServerLimits::default());
        Self {
            connections_max: transport.connections_max,
            connections_per_peer_max: transport.connections_per_peer_max,
            msize_max: session.msize_max.bytes(),
            fids_max: session.fids_max,
            requests_max: session.requests_max,
            handshake_s: 10,
            idle_s: 0,
        }
    }
}

impl SessionSettings {
    pub(super) fn check(&self) -> Result<(), ConfigRefused> {
        within("sessions.connections_max", self.connections_max, 1..=65_536)?;
        within("sessions.connections_per_peer_max", self.connections_per_peer_max, 1..=65_536)?;
        within("sessions.msize_max", self.msize_max, Msize::MIN.bytes()..=Msize::MAX.bytes())?;
        within("sessions.fids_max", self.fids_max, 16..=65_536)?;
        within("sessions.requests_max", self.requests_max, 1..=4096)?;
        within("sessions.handshake_s", self.handshake_s, 1..=3600)?;
        within("sessions.idle_s", self.idle_s, 0..=31_536_000)
    }

    /// For the transport.
    #[must_use]
    pub fn transport_limits(&self) -> Limits {
        let seconds = |count: u32| Duration::from_secs(u64::from(count));
        Limits {
            connections_max: self.connections_max,
            connections_per_peer_max: self.connections_per_peer_max,
            handshake_timeout: seconds(self.handshake_s),
            idle_timeout: (self.idle_s > 0).then(|| seconds(self.idle_s)),
            ..Limits::default()
        }
    }

    /// For each 9P session.
    #[must_use]
    pub fn session_limits(&self) -> ServerLimits {
        ServerLimits {
            msize_max: Msize::clamped(self.msize_max),
            fids_max: self.fids_max,
            requests_max: self.requests_max,
            ..ServerLimits::default()
        }
    }
}

/// Certificates, as PEM files.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TlsSettings {
    /// The server's certificate, then those that vouch for it.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// With this, only clients with a certificate from here are let in.
    pub client_authority: Option<PathBuf>,
}

impl TlsSettings {
    /// Loads the files.
    ///
    /// # Errors
    /// Which file is wrong, and how.
    pub fn load(&self) -> Result<ServerTls, TlsRefused> {
        let identity = Identity { certificate: self.certificate.clone(), key: self.key.clone() };
        ServerTls::load(&identity, self.client_authority.as_deref())
    }
}
