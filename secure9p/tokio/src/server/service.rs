//! What a server of trees must offer to be put on a transport.
//!
//! The transport moves bytes and keeps time; what the bytes mean, and who may ask what, is the service's.

use secure9p::Errno;

use crate::{peer::Peer, server::wake::Wake};

/// A server of trees: makes one [`Connection`] for each peer that is let in.
pub trait Service: Send + Sync + 'static {
    /// Its side of one connection.
    type Connection: Connection;

    /// A peer has connected (and passed TLS). `wake` stirs this connection later, through another's doing.
    fn connect(&self, peer: Peer, wake: Wake) -> Result<Self::Connection, ConnectRefused>;
}

/// One connection of a [`Service`]. Dropping it means that the peer is gone.
///
/// ```text
///            ┌─ wants_read() ── no ──┐
///            │ yes                   │
///        receive(bytes)              │         after each of these, and after Wake::wake():
///            └──────────┬────────────┘
///                       ▼
///                 transmit(out) ── wrote something ──▶ transmit(out) ── … ── nothing left: sleep
/// ```
pub trait Connection: Send + 'static {
    /// Bytes from the peer, cut anywhere. An error closes the connection, after what is ready to transmit.
    fn receive(&mut self, bytes: &[u8]) -> Result<(), Closed>;

    /// Appends replies to `out`, which is empty. Called again once all of it has been written, until nothing is appended:
    /// so a service bounds what it appends at a time, and goes on here with requests that waited for room.
    fn transmit(&mut self, out: &mut Vec<u8>);

    /// Whether it can take more bytes; while not, the peer is not read from.
    fn wants_read(&self) -> bool;

    /// The peer has been still for a while: memory that is only kept for speed may go.
    fn rest(&mut self) {}

    /// Whether any user is attached: ends the handshake deadline.
    fn is_attached(&self) -> bool;

    /// Whether no request waits for its answer and nothing waits to be transmitted: ends a drain.
    fn is_idle(&self) -> bool;
}

/// Why a service closes a connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Closed {
    /// For the log, in one line: the violation, and the last messages in their one-line form.
    pub why: String,
}

/// Why a service, or the transport, does not let a peer in. The peer is told `errno` in answer to its Tversion.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct ConnectRefused {
    /// What the peer is told.
    pub errno: Errno,
    /// For the log, and for a peer whose dialect carries text.
    pub why: String,
}
