//! Who is at the other end of a connection, as far as the shell can tell.

use alloc::string::String;

/// Facts about a peer. The shell states them; the server draws the conclusions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// How logs name this connection: `tcp 10.0.0.7:4711 (CN=worker-7)`.
    pub name: String,
    /// What one peer is when failed attaches are counted: an address without its port, or a uid.
    pub party: String,
    /// Whether the operating system vouches that this is the server's own user: a Unix-socket peer with the server's uid, or
    /// a pair inside one process. Only such a peer may attach as queen without a ticket.
    pub is_owner: bool,
}
