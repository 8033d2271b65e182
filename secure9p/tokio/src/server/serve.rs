//! Serves listeners until shutdown: lets peers in, and lets them finish.
//!
//! ```text
//! listener ─ arrival ─▶ roster ── over a limit ──▶ refusal
//!                         │ place
//!                         ▼
//!                   TLS handshake ─▶ Service::connect ── refused ──▶ refusal
//!                                        │ connection
//!                                        ▼
//!                                   conversation
//! ```

use std::{
    future::{Future, poll_fn},
    sync::Arc,
    task::Poll,
};

use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, timeout_at},
};
use tracing::{debug, info, warn};

use crate::{
    limits::{Limits, REFUSALS_MAX},
    listener::{Arrival, Line, Listener},
    peer::Peer,
    server::{
        conversation::Conversation,
        refusal,
        roster::{Place, Roster},
        service::{ConnectRefused, Service},
        tally::Tally,
        wake::Wake,
    },
    stream::Stream,
};

/// Serves every listener until `shutdown` resolves; then listens no more, lets connections answer what they owe
/// ([`Limits::drain_timeout`]), and returns once all are closed. Dropping it closes everything at once.
pub async fn serve<S: Service>(
    listeners: Vec<Listener>,
    service: Arc<S>,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) {
    serve_tallied(listeners, service, limits, Arc::default(), shutdown).await;
}

/// The same, counting into `tally`.
pub async fn serve_tallied<S: Service>(
    listeners: Vec<Listener>,
    service: Arc<S>,
    limits: Limits,
    tally: Arc<Tally>,
    shutdown: impl Future<Output = ()>,
) {
    let roster = Roster::new(limits, tally);
    let _abandoned = CloseOnDrop(Arc::clone(&roster));
    let refusals = Semaphore::new(REFUSALS_MAX);
    let door = Arc::new(Door { service, roster, refusals });
    let mut listening = JoinSet::new();
    for listener in listeners {
        listening.spawn(Arc::clone(&door).listen(listener));
    }
    shutdown.await;
    listening.shutdown().await;
    door.roster.drain();
    door.roster.emptied().await;
}

struct CloseOnDrop(Arc<Roster>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.close("the server ended");
    }
}

/// What stands between arrivals and a service.
struct Door<S> {
    service: Arc<S>,
    roster: Arc<Roster>,
    /// How many peers are being told why they are refused.
    refusals: Semaphore,
}

impl<S: Service> Door<S> {
    async fn listen(self: Arc<Self>, mut listener: Listener) {
        loop {
            self.admit(listener.next().await);
        }
    }

    fn admit(self: &Arc<Self>, arrival: Arrival) {
        let door = Arc::clone(self);
        match self.roster.admit(arrival.peer.party()) {
            Ok(place) => drop(tokio::spawn(door.talk(arrival, place))),
            Err(refused) => {
                let peer = arrival.peer.to_string();
                warn!(peer, "connection refused: {refused}");
                // what has to pass TLS first gets no word: the handshake is what the limit protects
                if let Line::Open(stream) = arrival.line {
                    drop(tokio::spawn(door.refuse(stream, refused)));
                }
            }
        }
    }

    async fn talk(self: Arc<Self>, arrival: Arrival, place: Place) {
        let accepted_at = Instant::now();
        let Some((peer, stream)) = open(arrival, &place, accepted_at).await else { return };
        let name = peer.to_string();
        debug!(peer = name, "connected");
        match self.service.connect(peer, place.wake().clone()) {
            Ok(connection) => {
                let talk = Conversation::new(connection, name, stream, place, accepted_at);
                self.roster.tally().ended(talk.run().await);
            }
            Err(refused) => {
                info!(peer = name, "connection refused: {refused}");
                self.roster.tally().refused();
                Box::pin(self.refuse(stream, refused)).await;
            }
        }
    }

    /// Says why, unless too many are being told already.
    async fn refuse(self: Arc<Self>, stream: Stream, refused: ConnectRefused) {
        if let Ok(_turn) = self.refusals.try_acquire() {
            refusal::tell(stream, refused).await;
        }
    }
}

/// The stream of a peer that has passed TLS, if it must, in time; none if not, or when the server shuts down first.
async fn open(arrival: Arrival, place: &Place, accepted_at: Instant) -> Option<(Peer, Stream)> {
    if let Line::Open(stream) = arrival.line {
        return Some((arrival.peer, stream));
    }
    let name = arrival.peer.to_string();
    let by = accepted_at + place.limits().handshake_timeout;
    // boxed: a handshake is large, and over when the long life of the connection begins
    let opened = Box::pin(timeout_at(by, arrival.open()));
    tokio::select! {
        opened = opened => match opened {
            Ok(Ok(opened)) => return Some(opened),
            Ok(Err(cause)) => {
                place.tally().handshake_failed();
                info!(peer = name, "TLS handshake failed: {cause}");
            }
            Err(_) => {
                place.tally().handshake_failed();
                info!(peer = name, "TLS handshake took too long");
            }
        },
        () = rung(place.wake()) => {}
    }
    None
}

/// Once the bell rings, which before a conversation can only mean the end.
async fn rung(wake: &Wake) {
    poll_fn(|cx| if wake.sleep(cx.waker()) { Poll::Pending } else { Poll::Ready(()) }).await;
}
