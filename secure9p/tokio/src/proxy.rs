//! Bytes from here to there: lets a client that knows no TLS, such as the Linux kernel's, use a server that insists on it.
//!
//! Understands no 9P, except to say in it that the far end cannot be reached. Who may do what is decided there.

use std::{io, sync::Arc};

use secure9p::Errno;
use tokio::{
    io::copy_bidirectional_with_sizes,
    task::JoinSet,
    time::{Instant, timeout_at},
};
use tracing::{debug, info, warn};

use crate::{
    client::{ConnectOptions, dial},
    limits::{Limits, PROXY_BYTES},
    listener::{Arrival, Listener},
    server::{ConnectRefused, Place, Roster, tell_refusal},
    uri::Uri,
};

/// Relays every connection to `listeners` to a connection of its own to `to`, until `shutdown` resolves; then all are closed.
/// Limits on connections and the handshake timeout apply; silence is the business of the two ends.
pub async fn proxy(
    listeners: Vec<Listener>,
    to: Uri,
    options: ConnectOptions,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) {
    let relay = Arc::new(Relay { to, options, roster: Roster::new(limits, Arc::default()) });
    let mut listening = JoinSet::new();
    for listener in listeners {
        listening.spawn(Arc::clone(&relay).listen(listener));
    }
    shutdown.await;
    listening.shutdown().await;
}

struct Relay {
    to: Uri,
    options: ConnectOptions,
    roster: Arc<Roster>,
}

impl Relay {
    /// Relays until it is dropped, and everything that it relays with it.
    async fn listen(self: Arc<Self>, mut listener: Listener) {
        let mut relaying = JoinSet::new();
        loop {
            tokio::select! {
                arrival = listener.next() => match self.roster.admit(arrival.peer.party()) {
                    Ok(place) => drop(relaying.spawn(Arc::clone(&self).relay(arrival, place))),
                    Err(refused) => warn!(peer = %arrival.peer, "connection refused: {refused}"),
                },
                Some(_) = relaying.join_next() => {}
            }
        }
    }

    async fn relay(self: Arc<Self>, arrival: Arrival, _place: Place) {
        let name = arrival.peer.to_string();
        match self.try_relay(arrival).await {
            Ok((to, from)) => debug!(peer = name, "relayed {to} bytes there and {from} back"),
            Err(cause) => info!(peer = name, "relay ended: {cause}"),
        }
    }

    async fn try_relay(&self, arrival: Arrival) -> io::Result<(u64, u64)> {
        let by = Instant::now() + self.roster.limits().handshake_timeout;
        let (_, mut near) = timeout_at(by, arrival.open()).await??;
        match dial(&self.to, &self.options).await {
            Ok(mut far) => {
                copy_bidirectional_with_sizes(&mut near, &mut far, PROXY_BYTES, PROXY_BYTES).await
            }
            Err(error) => {
                let why = error.to_string();
                tell_refusal(near, ConnectRefused { errno: Errno::EHOSTUNREACH, why }).await;
                Err(io::Error::other(error))
            }
        }
    }
}
