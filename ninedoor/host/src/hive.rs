//! A server and its provider under one lock, as a service for `secure9p-tokio`, with the pump between them.
//!
//! Decides nothing: it feeds bytes and time into the server, carries questions and answers between server and provider until
//! neither has anything more to say, and then wakes whom it concerns.
//!
//! ```text
//! connections ── receive/transmit ──▶ ┌──────────── lock ────────────┐ ── Wake, Close ──▶ connections
//! executors   ── with(…) ───────────▶ │ server ⇄ pump ⇄ provider     │ ── WakeUpstream ─▶ connectors (upstream)
//! keep_time   ── tick ──────────────▶ └──────────────────────────────┘ ── Audit, Revoked ▶ log, state directory
//! ```

use std::{
    collections::BTreeMap,
    fmt,
    future::pending,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ninedoor::{Closed as Over, ConnectionId, Event, Peer as CallerFacts, Server, UpstreamId};
use ninedoor_abi::{MonoUs, Now};
use secure9p::Errno;
use secure9p_tokio::{Closed, ConnectRefused, Connection, Peer, Service, Transport, Wake};
use tokio::{
    sync::Notify,
    time::{interval, sleep_until},
};
use tracing::warn;

use crate::{
    audit::Inbox,
    clock::Clock,
    keeper::{Keeper, KeeperError},
    provider::{LocalProvider, Order},
};

/// How often the state directory is looked at.
const CHANGES_LOOK: Duration = Duration::from_secs(1);

/// A server, its provider and everybody connected. Cheap to clone.
pub struct Hive<P>(Arc<Inner<P>>);

struct Inner<P> {
    state: Mutex<State<P>>,
    clock: Clock,
    keeper: Option<Keeper>,
    /// Rung when something is due earlier than [`Hive::keep_time`] sleeps for.
    alarm: Notify,
}

struct State<P> {
    server: Server,
    provider: P,
    wakes: BTreeMap<ConnectionId, Wake>,
    bells: BTreeMap<UpstreamId, Arc<Bell>>,
    /// Until when the timer sleeps.
    armed: Option<MonoUs>,
}

/// What a connector waits for.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    pub(crate) rung: Notify,
    /// Why the connection must end.
    hang_up: Mutex<Option<String>>,
}

impl<P> Clone for Hive<P> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<P> fmt::Debug for Hive<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hive").finish_non_exhaustive()
    }
}

impl<P: LocalProvider> Hive<P> {
    /// Puts a server and its provider under one lock. `keeper` keeps what restarts must not forget.
    #[must_use]
    pub fn new(server: Server, provider: P, clock: Clock, keeper: Option<Keeper>) -> Self {
        let (wakes, bells) = (BTreeMap::new(), BTreeMap::new());
        let state = Mutex::new(State { server, provider, wakes, bells, armed: None });
        Self(Arc::new(Inner { state, clock, keeper, alarm: Notify::new() }))
    }

    /// Does something to server and provider, and then all that follows from it. For whoever has news for the provider (an
    /// executor that has finished) or orders for the server. Must not wait for anything inside.
    pub fn with<T>(&self, act: impl FnOnce(&mut Server, &mut P, Now) -> T) -> T {
        let mut state = self.lock();
        let state = &mut *state;
        let now = self.0.clock.now();
        let done = act(&mut state.server, &mut state.provider, now);
        self.pump(state, now);
        done
    }

    /// The clock it runs by.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Ticks server and provider when they are due, for ever. One such task must run.
    pub async fn keep_time(self) {
        loop {
            let due = self.arm();
            let asleep = async {
                match due {
                    Some(at) => sleep_until(self.0.clock.instant(at).into()).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                () = asleep => self.tick(),
                () = self.0.alarm.notified() => {}
            }
        }
    }

    /// Tells server and provider what time it is.
    pub fn tick(&self) {
        self.with(|server, provider, now| {
            provider.tick(now);
            server.tick(now);
        });
    }

    /// Takes over what was revoked, or which secrets were changed, by another program on the same state directory.
    pub fn look_for_changes(&self) {
        let Some(keeper) = &self.0.keeper else { return };
        match keeper.changes() {
            Ok(changes) => self.with(|server, _, now| {
                changes.secrets.into_iter().for_each(|secrets| server.set_secrets(secrets));
                for revocation in changes.revocations {
                    obey(server, Order::Revoke(revocation), now);
                }
            }),
            Err(cause) => warn!("cannot look for changes: {cause}"),
        }
    }

    /// Looks for such changes, and for what such programs leave for the log, every second, for ever.
    pub async fn keep_looking(self, mut inbox: Inbox) {
        let mut rounds = interval(CHANGES_LOOK);
        loop {
            rounds.tick().await;
            self.look_for_changes();
            match inbox.look() {
                Ok(lines) if lines.is_empty() => {}
                Ok(lines) => self.with(|server, _, now| {
                    lines.into_iter().for_each(|line| server.audit(line, now));
                }),
                Err(error) => warn!(%error, "cannot look into the audit log's inbox"),
            }
        }
    }

    pub(crate) fn bell(&self, upstream: UpstreamId) -> Arc<Bell> {
        Arc::clone(self.lock().bells.entry(upstream).or_default())
    }

    fn arm(&self) -> Option<MonoUs> {
        let mut state = self.lock();
        let due = state.due(self.0.clock.now());
        state.armed = due;
        due
    }

    fn lock(&self) -> MutexGuard<'_, State<P>> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Carries words between server and provider until both are silent, then tells everybody else.
    fn pump(&self, state: &mut State<P>, now: Now) {
        while state.exchange(now) {}
        while let Some(event) = state.server.poll_event() {
            self.tell(state, event);
        }
        let due = state.due(now);
        if due.is_some_and(|due| state.armed.is_none_or(|armed| due < armed)) {
            state.armed = due;
            self.0.alarm.notify_one();
        }
    }
}

impl<P: LocalProvider> Hive<P> {
    fn tell(&self, state: &mut State<P>, event: Event) {
        match event {
            Event::Wake(connection) => {
                if let Some(wake) = state.wakes.get(&connection) {
                    wake.wake();
                }
            }
            Event::Close { connection, why } => {
                if let Some(wake) = state.wakes.get(&connection) {
                    wake.close(why);
                }
            }
            Event::WakeUpstream(upstream) => {
                state.bells.entry(upstream).or_default().rung.notify_one()
            }
            Event::HangUp { upstream, why } => {
                state.bells.entry(upstream).or_default().hang_up(why)
            }
            Event::Audit { at, line } => state.provider.audit(at, &line),
            Event::AuditOverrun { lines } => state.provider.audit_overrun(lines),
            Event::Revoked(revocation) => self.keep(|keeper| keeper.note_revocation(&revocation)),
            Event::WorkerIdsTaken { next } => self.keep(|keeper| keeper.note_next_worker(next)),
        }
    }

    fn keep(&self, note: impl FnOnce(&Keeper) -> Result<(), KeeperError>) {
        if let Some(Err(cause)) = self.0.keeper.as_ref().map(note) {
            warn!("a restart may forget something: {cause}");
        }
    }
}

impl Bell {
    fn hang_up(&self, why: String) {
        *self.hang_up.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
        self.rung.notify_one();
    }

    /// Why the connection must end, if it must.
    pub(crate) fn take_hang_up(&self) -> Option<String> {
        self.hang_up.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl<P: LocalProvider> State<P> {
    fn due(&self, now: Now) -> Option<MonoUs> {
        let provider = self.provider.next_deadline().map(|at| now.mono_at(at));
        [self.server.next_deadline(now), provider].into_iter().flatten().min()
    }

    fn exchange(&mut self, now: Now) -> bool {
        let Self { server, provider, .. } = self;
        let mut any = false;
        while let Some(ask) = server.poll_ask() {
            any = true;
            let id = ask.id;
            if let Some(answer) = provider.ask(ask, now) {
                server.answer(id, answer, now);
            }
        }
        while let Some(node) = server.poll_released() {
            any = true;
            provider.released(node);
        }
        while let Some((id, answer)) = provider.poll_answer() {
            any = true;
            server.answer(id, answer, now);
        }
        while let Some(order) = provider.poll_order() {
            any = true;
            obey(server, order, now);
        }
        any
    }
}

fn obey(server: &mut Server, order: Order, now: Now) {
    match order {
        Order::CloseNode { mount, node } => server.close_node(mount, node, now),
        Order::Audit(line) => server.audit(line, now),
        Order::Revoke(revocation) => {
            if let Err(refusal) = server.revoke(&revocation, now) {
                warn!("cannot remember a revocation: {refusal}");
            }
        }
        Order::Publish { at, text } => {
            if let Err(refusal) = server.publish(&at, &text) {
                warn!("cannot publish: {refusal}");
            }
        }
    }
}

impl<P: LocalProvider> Service for Hive<P> {
    type Connection = HiveConnection<P>;

    fn connect(&self, peer: Peer, wake: Wake) -> Result<HiveConnection<P>, ConnectRefused> {
        let mut state = self.lock();
        match state.server.connect(facts(&peer)) {
            Ok(id) => {
                state.wakes.insert(id, wake);
                Ok(HiveConnection { hive: self.clone(), id })
            }
            Err(refusal) => {
                Err(ConnectRefused { errno: Errno(refusal.errno.0), why: refusal.text })
            }
        }
    }
}

/// What the server is told about a peer. Only the server's own user, vouched for by the system, is its owner.
fn facts(peer: &Peer) -> CallerFacts {
    let own_uid = rustix::process::geteuid().as_raw();
    let is_local = matches!(peer.transport, Transport::Unix | Transport::Memory);
    let party = match (peer.address, peer.uid) {
        (Some(address), _) => address.ip().to_string(),
        (None, Some(uid)) => format!("uid {uid}"),
        (None, None) => "somebody".to_owned(),
    };
    CallerFacts { name: peer.to_string(), party, is_owner: is_local && peer.uid == Some(own_uid) }
}

/// One connection of a [`Hive`].
pub struct HiveConnection<P: LocalProvider> {
    hive: Hive<P>,
    id: ConnectionId,
}

impl<P: LocalProvider> fmt::Debug for HiveConnection<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HiveConnection").field(&self.id).finish()
    }
}

impl<P: LocalProvider> Connection for HiveConnection<P> {
    fn receive(&mut self, bytes: &[u8]) -> Result<(), Closed> {
        self.hive
            .with(|server, _, now| server.receive(self.id, bytes, now))
            .map_err(|Over { why }| Closed { why })
    }

    fn transmit(&mut self, out: &mut Vec<u8>) {
        let mut state = self.hive.lock();
        let bytes = state.server.transmit(self.id);
        if bytes.is_empty() {
            // Asked after every message: costs neither the clock nor a round through the provider.
            return;
        }
        out.extend_from_slice(bytes);
        let (count, now) = (bytes.len(), self.hive.0.clock.now());
        state.server.sent(self.id, count, now);
        self.hive.pump(&mut state, now);
    }

    fn wants_read(&self) -> bool {
        self.hive.lock().server.wants_read(self.id)
    }

    fn rest(&mut self) {
        self.hive.lock().server.rest(self.id);
    }

    fn is_attached(&self) -> bool {
        self.hive.lock().server.is_attached(self.id)
    }

    fn is_idle(&self) -> bool {
        self.hive.lock().server.is_idle(self.id)
    }
}

impl<P: LocalProvider> Drop for HiveConnection<P> {
    fn drop(&mut self) {
        let id = self.id;
        let mut state = self.hive.lock();
        let now = self.hive.0.clock.now();
        state.wakes.remove(&id);
        state.server.disconnect(id, now);
        self.hive.pump(&mut state, now);
    }
}
