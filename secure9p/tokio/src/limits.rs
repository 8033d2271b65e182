//! Every bound of this crate: first those that an operator may set, then those that nobody sets.

use std::time::Duration;

/// What a server allows its peers. Hitting any of these closes or refuses one connection, never more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections open at once, over all listeners of one `serve`.
    pub connections_max: usize,
    /// Of those, from one peer: an IPv4 address, an IPv6 /64 network, or a Unix uid.
    pub connections_per_peer_max: usize,
    /// From accept to the first attach, TLS and Tversion included.
    pub handshake_timeout: Duration,
    /// Silence of an attached peer before it is closed; `None` lets it be silent for ever.
    pub idle_timeout: Option<Duration>,
    /// How long a peer may take none of the replies that wait for it.
    pub stall_timeout: Duration,
    /// How long the last replies may take once the server shuts down or the peer has said its last word.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 4096,
            connections_per_peer_max: 2048,
            handshake_timeout: Duration::from_secs(10),
            idle_timeout: None,
            stall_timeout: Duration::from_secs(120),
            drain_timeout: Duration::from_secs(5),
        }
    }
}

/// How much one read takes from a socket: one buffer of this size per worker thread, none per connection.
pub(crate) const READ_BYTES_MAX: usize = 256 * 1024;

/// Reply bytes that a worker thread's buffer keeps room for; what grew beyond is given back.
pub(crate) const REPLY_BYTES_KEPT: usize = 2 * 1024 * 1024;

/// Connects that may wait to be accepted; the kernel cuts it to `net.core.somaxconn`.
pub(crate) const BACKLOG: u32 = 4096;

/// In-memory connects that may wait to be accepted before a dialler waits too.
pub(crate) const MEMORY_BACKLOG: usize = 128;

/// Bytes on their way through an in-memory pair, each direction.
pub(crate) const MEMORY_PAIR_BYTES: usize = 256 * 1024;

/// Refused peers that are told why at any one time; the rest are closed without a word.
pub(crate) const REFUSALS_MAX: usize = 64;

/// What a refused peer may send before it is told: a Tversion, and no more than that.
pub(crate) const REFUSED_BYTES_MAX: usize = 256;

/// How long a refused peer may take to say Tversion and to read why it was refused.
pub(crate) const REFUSAL_TIMEOUT: Duration = Duration::from_secs(2);

/// How long we read on after our last word, so that a reset does not overtake it.
pub(crate) const LINGER_TIMEOUT: Duration = Duration::from_secs(1);

/// At least this long passes between two looks for connections that are still, and can give back memory that was kept for speed.
pub(crate) const REST_AFTER: Duration = Duration::from_secs(10);

/// Wait after an accept that failed for want of descriptors or memory.
pub(crate) const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// A silent TCP peer is probed after this long; given up as below, elsewhere than on Linux when it stays dead this long again.
pub(crate) const KEEPALIVE: Duration = Duration::from_secs(60);

/// How many probes go out in the second of these minutes.
pub(crate) const KEEPALIVE_PROBES: u32 = 4;

/// A TCP peer that acknowledges nothing for this long is gone: its machine lost power, or its network. Later than the stall timeout, which
/// says more about a peer that is there and does not read.
pub(crate) const UNACKNOWLEDGED: Duration = Duration::from_secs(180);

/// Bytes on their way through a proxied connection, each direction.
pub(crate) const PROXY_BYTES: usize = 64 * 1024;

/// TLS sessions kept for resumption.
pub(crate) const TLS_SESSIONS_MAX: usize = 1024;

const _: () = {
    assert!(READ_BYTES_MAX >= 64 * 1024, "bulk data would cost many small reads");
    assert!(REPLY_BYTES_KEPT >= 1024 * 1024, "each reply of the largest msize would allocate");
    assert!(BACKLOG >= 1024, "a burst of 1000 connects must fit");
    assert!(REFUSED_BYTES_MAX >= 7 + 4 + 2 + 32, "a Tversion with a usual version must fit");
};
