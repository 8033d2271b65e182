//! The server: its parts, its connections, and the pump between them. What each request means is in the files beside this one.

use alloc::{boxed::Box, collections::VecDeque, format, string::String};

use ninedoor_abi::{Errno as AbiErrno, MonoUs, Now, PathName, Refusal, UnixMs};
use secure9p::{ServerLimits, server::ServerSession};

use crate::{
    account::Accounts,
    ask::{Ask, ProviderNode},
    attachment::Attachments,
    audit::AuditLine,
    config::{Config, Flavour, Secrets},
    connection::{Closed, Connection, ConnectionId},
    errand::Errand,
    event::Event,
    gate::Gate,
    hive::Hive,
    limits::{AUDIT_EVENTS_MAX, CONNECTIONS_MAX, LOG_BYTES_MAX, TEXT_BYTES_MAX},
    lockout::Lockout,
    mount::Mounts,
    peer::Peer,
    proc::{Counters, Figure},
    revocation::Revocations,
    ring::LogRing,
    slab::Slab,
    tree::{Control, Kind, NodeId, Tree},
    upstream::Upstream,
};

/// A namespace, and everybody who is connected to it.
#[derive(Debug)]
pub struct Server {
    pub(crate) session_limits: ServerLimits,
    pub(crate) gate: Gate,
    /// A connection is out of its place while its own requests are served.
    pub(crate) connections: Slab<Option<Box<Connection>>>,
    pub(crate) attachments: Attachments,
    pub(crate) accounts: Accounts,
    pub(crate) tree: Tree,
    pub(crate) log: NodeId,
    pub(crate) mounts: Mounts,
    pub(crate) upstreams: alloc::vec::Vec<Upstream>,
    pub(crate) errands: Slab<Errand>,
    pub(crate) asks: VecDeque<Ask>,
    pub(crate) released: VecDeque<ProviderNode>,
    pub(crate) events: VecDeque<Event>,
    pub(crate) counters: Counters,
    /// Fids of all connections.
    pub(crate) fids: usize,
    /// What only a hive has.
    pub(crate) hive: Option<Hive>,
}

impl Server {
    /// A server with nobody connected and nothing mounted.
    #[must_use]
    pub fn new(config: Config, now: Now) -> Self {
        let mut tree = Tree::new();
        let log = plant(&mut tree, &config, now);
        let mut revocations = Revocations::default();
        // What does not fit cannot have been noted by a server of ours.
        config.revocations.iter().for_each(|revocation| drop(revocations.note(revocation)));
        let hive =
            (config.flavour == Flavour::Hive).then(|| Hive::new(config.next_worker, now.unix_ms));
        Self {
            session_limits: config.session,
            gate: Gate { secrets: config.secrets, revocations, lockout: Lockout::default() },
            connections: Slab::new(),
            attachments: Attachments::new(),
            accounts: Accounts::new(),
            tree,
            log,
            mounts: Mounts::new(),
            upstreams: alloc::vec::Vec::new(),
            errands: Slab::new(),
            asks: VecDeque::new(),
            released: VecDeque::new(),
            events: VecDeque::new(),
            counters: Counters::default(),
            fids: 0,
            hive,
        }
    }

    /// A peer has connected.
    ///
    /// # Errors
    /// EBUSY when there are too many.
    pub fn connect(&mut self, peer: Peer) -> Result<ConnectionId, Refusal> {
        if self.connections.len() >= CONNECTIONS_MAX {
            return Err(Refusal::new(
                AbiErrno::EBUSY,
                format!("{CONNECTIONS_MAX} peers are connected, try again later"),
            ));
        }
        let id = ConnectionId(self.connections.insert(None));
        let connection = Connection::new(id, ServerSession::new(self.session_limits), peer);
        self.put_back(connection);
        self.counters.sessions_served += 1;
        Ok(id)
    }

    /// Bytes from a peer, cut anywhere. Everything they ask is served as far as it can be.
    ///
    /// # Errors
    /// The connection has to end: the peer broke the protocol, or is gone.
    pub fn receive(&mut self, id: ConnectionId, bytes: &[u8], now: Now) -> Result<(), Closed> {
        let mut connection =
            self.take(id).ok_or_else(|| Closed { why: "connection is closed".into() })?;
        self.counters.bytes_in += bytes.len() as u64;
        let received = connection.session.receive(bytes).map_err(|violation| Closed {
            why: format!("{violation}; last messages: {}", connection.session.recent()),
        });
        self.pump(&mut connection, now);
        self.call_off_flushed(&mut connection);
        self.put_back(connection);
        self.settle(now);
        received
    }

    /// Bytes for a peer, to be sent in order; [`Server::sent`] says how many were.
    #[must_use]
    pub fn transmit(&self, id: ConnectionId) -> &[u8] {
        self.connection(id).map_or(&[], |connection| connection.session.transmit())
    }

    /// That many of the bytes were sent; requests that waited for the room go on.
    pub fn sent(&mut self, id: ConnectionId, bytes: usize, now: Now) {
        let Some(mut connection) = self.take(id) else { return };
        self.counters.bytes_out += bytes as u64;
        connection.session.sent(bytes);
        self.pump(&mut connection, now);
        self.put_back(connection);
        self.settle(now);
    }

    /// Whether to read from this peer. When that changes through another's doing there is an [`Event::Wake`].
    #[must_use]
    pub fn wants_read(&self, id: ConnectionId) -> bool {
        self.connection(id).is_some_and(Connection::wants_read)
    }

    /// This peer has been still for a while: buffers that are kept for bulk data go.
    pub fn rest(&mut self, id: ConnectionId) {
        if let Some(mut connection) = self.take(id) {
            connection.session.shrink();
            self.put_back(connection);
        }
    }

    /// Whether any user is attached.
    #[must_use]
    pub fn is_attached(&self, id: ConnectionId) -> bool {
        self.connection(id).is_some_and(|connection| connection.attaches > 0)
    }

    /// Whether nothing is owed to this peer.
    #[must_use]
    pub fn is_idle(&self, id: ConnectionId) -> bool {
        self.connection(id).is_none_or(Connection::is_idle)
    }

    /// The peer is gone: all that it held is let go.
    pub fn disconnect(&mut self, id: ConnectionId, now: Now) {
        let Some(mut connection) = self.take(id) else { return };
        connection.session.close();
        self.release_dropped(&mut connection);
        self.connections.remove(id.0);
        self.settle(now);
    }

    /// What happened since the last call that a shell should know.
    pub fn poll_event(&mut self) -> Option<Event> {
        let event = self.events.pop_front()?;
        match event {
            Event::Wake(id) => {
                if let Some(connection) = self.connection_mut(id) {
                    connection.woken = false;
                }
            }
            Event::WakeUpstream(id) => {
                if let Some(upstream) = self.upstream_mut(id) {
                    upstream.woken = false;
                }
            }
            _ => {}
        }
        Some(event)
    }

    /// Time has passed: what has expired ends.
    pub fn tick(&mut self, now: Now) {
        self.expire(now);
        self.retire_workers(now);
        self.watch_upstreams(now);
        self.settle(now);
    }

    /// When [`Server::tick`] has something to do next, on the monotonic clock.
    #[must_use]
    pub fn next_deadline(&self, now: Now) -> Option<MonoUs> {
        let expiry = self.attachments.next_expiry().map(|at| now.mono_at(at));
        let worker = self.next_retirement().map(|at| now.mono_at(at));
        let upstream = self.upstreams.iter().filter_map(Upstream::patience_ends).min();
        [expiry, worker, upstream].into_iter().flatten().min()
    }

    /// Other secrets from now on; who is attached stays attached.
    pub fn set_secrets(&mut self, secrets: Secrets) {
        self.gate.secrets = secrets;
    }

    /// Puts a read-only text under `/proc`, or other words into one that is there.
    ///
    /// # Errors
    /// EACCES for a place that is not under `/proc`, EMSGSIZE for a text past its bound, EEXIST for a text of the server's own.
    pub fn publish(&mut self, at: &PathName, text: &str) -> Result<(), Refusal> {
        if at.elements().next() != Some("proc") || at.depth() < 2 {
            return Err(Refusal::new(
                AbiErrno::EACCES,
                format!("{at} is not below /proc, wanted /proc/<name>"),
            ));
        }
        if text.len() > TEXT_BYTES_MAX {
            return Err(Refusal::new(
                AbiErrno::EMSGSIZE,
                format!("text for {at} has {} bytes, wanted at most {TEXT_BYTES_MAX}", text.len()),
            ));
        }
        if let Some(id) = self.tree.find(at)
            && let Some(Kind::Published(old)) = self.tree.get_mut(id).map(|node| &mut node.kind)
        {
            *old = text.as_bytes().into();
            return Ok(());
        }
        let planted = self.tree.plant(at, Kind::Published(text.as_bytes().into()));
        planted.map(drop).map_err(|_| {
            Refusal::new(
                AbiErrno::EEXIST,
                format!("{at} is, or is below, a file of the server's own"),
            )
        })
    }

    /// Serves what the session has ready, until it has nothing more or has no room for replies.
    pub(crate) fn pump(&mut self, connection: &mut Connection, now: Now) {
        while let Some((owed, request)) = connection.session.poll_request() {
            self.counters.requests += 1;
            self.serve(connection, owed, request, now);
        }
        self.release_dropped(connection);
    }

    /// Does what became possible through the last call: the desk's next orders, what upstreams report.
    pub(crate) fn settle(&mut self, now: Now) {
        while self.work_desk(now) || self.take_reports(now) {}
        self.wake_upstreams(now);
    }

    pub(crate) fn connection(&self, id: ConnectionId) -> Option<&Connection> {
        self.connections.get(id.0)?.as_deref()
    }

    pub(crate) fn connection_mut(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.connections.get_mut(id.0)?.as_deref_mut()
    }

    /// Takes a connection out of its place, to serve it with the rest of the server at hand.
    pub(crate) fn take(&mut self, id: ConnectionId) -> Option<Box<Connection>> {
        self.connections.get_mut(id.0)?.take()
    }

    pub(crate) fn put_back(&mut self, connection: Box<Connection>) {
        if let Some(place) = self.connections.get_mut(connection.id.0) {
            *place = Some(connection);
        }
    }

    /// Tells the shell that a connection has something to send through another's doing.
    pub(crate) fn wake(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connection_mut(id)
            && !core::mem::replace(&mut connection.woken, true)
        {
            self.events.push_back(Event::Wake(id));
        }
    }

    /// Tells the shell that a connection has to end.
    pub(crate) fn hang_up(&mut self, id: ConnectionId, why: String) {
        if let Some(connection) = self.connection_mut(id)
            && !core::mem::replace(&mut connection.closing, true)
        {
            self.events.push_back(Event::Close { connection: id, why });
        }
    }

    pub(crate) fn tell(&mut self, line: AuditLine, at: UnixMs) {
        self.counters.audit_lines += 1;
        if self.events.len() < AUDIT_EVENTS_MAX {
            self.events.push_back(Event::Audit { at, line });
            return;
        }
        self.counters.audit_lines_dropped += 1;
        match self.events.back_mut() {
            Some(Event::AuditOverrun { lines }) => *lines += 1,
            _ => self.events.push_back(Event::AuditOverrun { lines: 1 }),
        }
    }
}

/// Plants the local tree; answers with the log that orders are written to.
fn plant(tree: &mut Tree, config: &Config, now: Now) -> NodeId {
    let boot = format!(
        "name={}\nversion={}\nprotocol=9P2000.L 9P2000\nbooted_ms={}\n",
        config.name, config.version, now.unix_ms
    );
    own(tree, "/proc/boot", Kind::text(&boot));
    for (at, figure) in Figure::EVERYWHERE {
        own(tree, at, Kind::Figure(figure));
    }
    let log = Kind::Log(LogRing::new(LOG_BYTES_MAX));
    match config.flavour {
        Flavour::Bridge => own(tree, "/log/bridge.log", log),
        Flavour::Hive => {
            for (at, figure) in Figure::HIVE {
                own(tree, at, Kind::Figure(figure));
            }
            own(tree, "/queen/ctl", Kind::control(Control::Queen));
            own(tree, "/queen/lifecycle/ctl", Kind::control(Control::Lifecycle));
            tree.make_directory(&path("/worker")).expect("nothing else is called /worker");
            own(tree, "/log/queen.log", log)
        }
    }
}

/// A file of the server's own.
fn own(tree: &mut Tree, at: &str, kind: Kind) -> NodeId {
    tree.plant(&path(at), kind).expect("files of the server's own have names of their own")
}

/// A path of our own making.
pub(crate) fn path(text: &str) -> PathName {
    text.parse().expect("paths of the server's own are paths")
}
