//! A server with everything around it, and peers who speak 9P to it.

use std::time::Duration;

use ninedoor::{Config, ConnectionId, Event, Peer, Secrets, Server, UpstreamId};
use ninedoor_abi::{Claims, MonoUs, Now, PathName, Role, Scope, ScopeVerb, UnixMs};
use secure9p::{
    CallId, ClientLimits, ClientSession, Errno, Fid, Msize, NumericUname, OpenFlags, Rmessage,
    Tmessage,
    message::{AttributeMask, Attributes, SetAttributes},
};

use crate::gpus::{Gpus, secret};

/// When every story begins.
pub(crate) const BEGIN: Now =
    Now { unix_ms: UnixMs(1_700_000_000_000), mono_us: MonoUs(1_000_000) };

/// One connection, from its peer's side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Line(usize);

/// A user who has attached.
#[derive(Debug, Clone, Copy)]
pub(crate) struct User {
    pub(crate) line: Line,
    pub(crate) root: Fid,
}

/// An open file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct File {
    pub(crate) line: Line,
    pub(crate) fid: Fid,
}

pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) gpus: Gpus,
    pub(crate) now: Now,
    pub(crate) lines: Vec<(ConnectionId, ClientSession)>,
    pub(crate) bridge: Option<(UpstreamId, Box<Self>, Line)>,
    /// Whether bytes go between the server and its bridge.
    pub(crate) bridge_moves: bool,
    /// A line whose other end is another world's server.
    foreign: Option<Line>,
    pub(crate) events: Vec<Event>,
    pub(crate) replies: Vec<(Line, CallId, Result<Rmessage, Errno>)>,
}

fn secrets() -> Secrets {
    Secrets::new(Role::ALL.into_iter().map(|role| (role, secret(role))).collect())
}

pub(crate) fn path(text: &str) -> PathName {
    text.parse().unwrap()
}

impl World {
    fn of(config: Config) -> Self {
        Self {
            server: Server::new(config, BEGIN),
            gpus: Gpus::default(),
            now: BEGIN,
            lines: Vec::new(),
            bridge: None,
            bridge_moves: true,
            foreign: None,
            events: Vec::new(),
            replies: Vec::new(),
        }
    }

    /// A bridge with two GPUs.
    pub(crate) fn bridge() -> Self {
        let mut world = Self::of(Config::bridge("bridge", "1.2.3", secrets()));
        for (at, root) in [("/gpu", "gpu"), ("/bundles", "bundles"), ("/worker", "worker")] {
            let mount = world.server.mount_provider(&path(at)).unwrap();
            world.gpus.mounted(mount, root);
        }
        world
    }

    /// A hive without any bridge.
    pub(crate) fn hive() -> Self {
        Self::of(Config::hive("hive", "1.2.3", secrets()))
    }

    /// A hive whose first free worker id is this one.
    pub(crate) fn hive_from(next_worker: u64) -> Self {
        Self::of(Config { next_worker, ..Config::hive("hive", "1.2.3", secrets()) })
    }

    /// A hive that has mounted a bridge.
    pub(crate) fn hive_on_bridge() -> Self {
        let mut world = Self::hive();
        let ticket =
            Claims::new(Role::Queen, None, BEGIN.unix_ms).mint(&secret(Role::Queen)).unwrap();
        let upstream = world.server.add_upstream("gpu-bridge", &ticket.expose()).unwrap();
        for at in ["/gpu", "/bundles", "/worker"] {
            world.server.mount_remote(upstream, &path(at)).unwrap();
        }
        let mut bridge = Self::bridge();
        let line = bridge.redial();
        world.bridge = Some((upstream, Box::new(bridge), line));
        world.server.upstream_connected(upstream, world.now);
        world.run();
        assert!(world.server.upstream_is_up(upstream));
        world
    }

    // Time.

    pub(crate) fn advance(&mut self, by: Duration) {
        self.now.unix_ms = self.now.unix_ms.plus_ms(by.as_millis() as u64);
        self.now.mono_us = self.now.mono_us.plus_us(by.as_micros() as u64);
        if let Some((_, bridge, _)) = &mut self.bridge {
            bridge.advance(by);
        }
        self.server.tick(self.now);
        self.run();
    }

    pub(crate) fn advance_s(&mut self, seconds: u64) {
        self.advance(Duration::from_secs(seconds));
    }

    // Tickets.

    pub(crate) fn claims(&self, role: Role, subject: &str) -> Claims {
        let subject = (!subject.is_empty()).then(|| subject.parse().unwrap());
        Claims::new(role, subject, self.now.unix_ms)
    }

    // Peers.

    /// Loses the bridge, as a shell would say it.
    pub(crate) fn lose_bridge(&mut self) {
        let (upstream, bridge, line) = self.bridge.as_mut().unwrap();
        let id = bridge.connection(*line);
        bridge.server.disconnect(id, bridge.now);
        self.server.upstream_lost(*upstream, "connection reset", self.now);
        self.run();
        self.bridge.as_mut().unwrap().1.exchange();
    }

    /// Dials it again.
    pub(crate) fn dial_bridge(&mut self) {
        let (upstream, bridge, line) = self.bridge.as_mut().unwrap();
        let id = bridge.connection(*line);
        bridge.server.disconnect(id, bridge.now);
        *line = bridge.redial();
        self.server.upstream_connected(*upstream, self.now);
        self.run();
    }

    /// A line whose other end is another world's server.
    pub(crate) fn redial(&mut self) -> Line {
        let line = self.connect_raw();
        self.foreign = Some(line);
        line
    }

    fn connect_raw(&mut self) -> Line {
        self.connect_as(Peer {
            name: "tcp 10.0.0.7:4711".into(),
            party: "10.0.0.7".into(),
            is_owner: false,
        })
    }

    /// A peer that has agreed on a version.
    pub(crate) fn connect(&mut self) -> Line {
        let line = self.connect_raw();
        self.run();
        line
    }

    pub(crate) fn connect_as(&mut self, peer: Peer) -> Line {
        let id = self.server.connect(peer).unwrap();
        let limits = ClientLimits { msize: Msize::MAX, ..ClientLimits::default() };
        self.lines.push((id, ClientSession::new(limits)));
        let line = Line(self.lines.len() - 1);
        self.run();
        line
    }

    pub(crate) fn owner(&mut self) -> Line {
        self.connect_as(Peer { name: "unix uid 0".into(), party: "uid 0".into(), is_owner: true })
    }

    pub(crate) fn hang_up(&mut self, line: Line) {
        self.server.disconnect(self.lines[line.0].0, self.now);
        self.run();
    }

    pub(crate) fn connection(&self, line: Line) -> ConnectionId {
        self.lines[line.0].0
    }

    pub(crate) fn try_attach(
        &mut self,
        line: Line,
        uname: &str,
        aname: &str,
    ) -> Result<User, Errno> {
        let root = self.new_fid(line);
        let message = Tmessage::Attach {
            fid: root,
            afid: Fid::NOFID,
            uname: uname.into(),
            aname: aname.into(),
            n_uname: NumericUname::NONE,
        };
        self.call(line, message).map(|_| User { line, root })
    }

    /// The server's own user, as queen.
    pub(crate) fn queen(&mut self) -> User {
        let line = self.owner();
        self.try_attach(line, "queen", "").unwrap()
    }

    /// Somebody with these claims, on a connection of their own.
    pub(crate) fn user(&mut self, claims: &Claims) -> User {
        let line = self.connect();
        let uname = match &claims.subject {
            Some(subject) => format!("{}:{subject}", claims.role),
            None => claims.role.to_string(),
        };
        let ticket = claims.mint(&secret(claims.role)).unwrap().expose();
        self.try_attach(line, &uname, &ticket).unwrap()
    }

    pub(crate) fn observer(&mut self) -> User {
        self.user(&self.claims(Role::Observer, "eve"))
    }

    /// A GPU worker whose ticket names these GPUs.
    pub(crate) fn worker(&mut self, subject: &str, gpus: &[&str]) -> User {
        let mut claims = self.claims(Role::WorkerGpu, subject);
        claims.scopes =
            gpus.iter().map(|gpu| scope(&format!("/gpu/{gpu}"), ScopeVerb::Both)).collect();
        self.user(&claims)
    }

    pub(crate) fn new_fid(&mut self, line: Line) -> Fid {
        self.lines[line.0].1.new_fid().unwrap()
    }

    // Calls.

    /// Sends a message without waiting for its answer.
    pub(crate) fn send(&mut self, line: Line, message: Tmessage) -> CallId {
        let id = self.lines[line.0].1.call(message).unwrap();
        self.run();
        id
    }

    pub(crate) fn cancel(&mut self, line: Line, call: CallId) {
        self.lines[line.0].1.cancel(call);
        self.run();
    }

    /// The answer to a message that was sent, if it is there.
    pub(crate) fn answer(&mut self, line: Line, call: CallId) -> Option<Result<Rmessage, Errno>> {
        let at = self.replies.iter().position(|(from, id, _)| (*from, *id) == (line, call))?;
        Some(self.replies.remove(at).2)
    }

    pub(crate) fn call(&mut self, line: Line, message: Tmessage) -> Result<Rmessage, Errno> {
        let said = format!("{message:?}");
        let id = self.send(line, message);
        self.answer(line, id).unwrap_or_else(|| panic!("nobody answered {said}"))
    }

    /// Moves bytes and answers until nothing moves any more.
    pub(crate) fn run(&mut self) {
        while self.step() {}
    }

    fn step(&mut self) -> bool {
        let mut moved = self.exchange();
        for at in
            (0..self.lines.len()).filter(|at| self.foreign != Some(Line(*at))).collect::<Vec<_>>()
        {
            let (id, session) = &mut self.lines[at];
            let up = session.transmit().to_vec();
            session.sent(up.len());
            moved |= !up.is_empty();
            if !up.is_empty() {
                let _ = self.server.receive(*id, &up, self.now);
            }
            moved |= self.exchange();
            let (id, session) = &mut self.lines[at];
            let down = self.server.transmit(*id).to_vec();
            self.server.sent(*id, down.len(), self.now);
            moved |= !down.is_empty();
            session.receive(&down).expect("our server speaks 9P");
            while let Some((call, reply)) = session.poll_reply() {
                self.replies.push((Line(at), call, reply));
            }
        }
        moved | self.bridge_step()
    }

    fn bridge_step(&mut self) -> bool {
        let Some((upstream, bridge, line)) = &mut self.bridge else { return false };
        if !self.bridge_moves {
            return false;
        }
        let (upstream, id) = (*upstream, bridge.lines[line.0].0);
        let up = self.server.upstream_transmit(upstream).to_vec();
        self.server.upstream_sent(upstream, up.len(), self.now);
        if !up.is_empty() {
            let _ = bridge.server.receive(id, &up, self.now);
        }
        bridge.exchange();
        let down = bridge.server.transmit(id).to_vec();
        bridge.server.sent(id, down.len(), self.now);
        if !down.is_empty() {
            let _ = self.server.upstream_receive(upstream, &down, self.now);
        }
        !up.is_empty() || !down.is_empty()
    }

    /// Carries questions and answers between server and provider.
    fn exchange(&mut self) -> bool {
        let mut moved = false;
        while let Some(ask) = self.server.poll_ask() {
            moved = true;
            if let Some((id, answer)) = self.gpus.ask(ask, self.now) {
                self.server.answer(id, answer, self.now);
            }
        }
        while let Some(node) = self.server.poll_released() {
            moved = true;
            self.gpus.released(node);
        }
        while let Some(event) = self.server.poll_event() {
            self.events.push(event);
        }
        moved
    }

    /// The provider answers what it kept back.
    pub(crate) fn let_go(&mut self) {
        for (id, answer) in self.gpus.let_go() {
            self.server.answer(id, answer, self.now);
        }
        self.run();
    }

    // Files.

    pub(crate) fn walk(&mut self, user: User, at: &str) -> Result<Fid, Errno> {
        let newfid = self.new_fid(user.line);
        let wname: Vec<String> =
            at.split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        let names = wname.len();
        match self.call(user.line, Tmessage::Walk { fid: user.root, newfid, wname }) {
            Ok(Rmessage::Walk { wqid }) if wqid.len() == names => Ok(newfid),
            Ok(_) => Err(Errno::ENOENT),
            Err(errno) => Err(errno),
        }
    }

    pub(crate) fn open(&mut self, user: User, at: &str, flags: OpenFlags) -> Result<File, Errno> {
        let fid = self.walk(user, at)?;
        match self.call(user.line, Tmessage::Lopen { fid, flags }) {
            Ok(_) => Ok(File { line: user.line, fid }),
            Err(errno) => {
                self.clunk(File { line: user.line, fid }).unwrap();
                Err(errno)
            }
        }
    }

    pub(crate) fn read_at(&mut self, file: File, offset: u64) -> Result<String, Errno> {
        match self.call(file.line, Tmessage::Read { fid: file.fid, offset, count: 65_536 })? {
            Rmessage::Read { data } => Ok(String::from_utf8(data.into_vec()).unwrap()),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn write_to(&mut self, file: File, data: &str) -> Result<u32, Errno> {
        let data = data.as_bytes().to_vec();
        match self.call(file.line, Tmessage::Write { fid: file.fid, offset: 0, data })? {
            Rmessage::Write { count } => Ok(count),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn clunk(&mut self, file: File) -> Result<(), Errno> {
        self.call(file.line, Tmessage::Clunk { fid: file.fid }).map(drop)
    }

    /// The whole of a file, as `cat` reads it.
    pub(crate) fn read(&mut self, user: User, at: &str) -> Result<String, Errno> {
        let file = self.open(user, at, OpenFlags::RDONLY)?;
        let mut text = String::new();
        loop {
            match self.read_at(file, text.len() as u64) {
                Ok(more) if more.is_empty() => break,
                Ok(more) => text.push_str(&more),
                Err(errno) => {
                    self.clunk(file).unwrap();
                    return Err(errno);
                }
            }
        }
        self.clunk(file).unwrap();
        Ok(text)
    }

    /// Writes as `echo text > file` does: the first refusal anybody hears of, and the status lines.
    pub(crate) fn order(
        &mut self,
        user: User,
        at: &str,
        text: &str,
    ) -> (Result<(), Errno>, String) {
        let file = self.open(user, at, OpenFlags::RDWR).expect("opens");
        let written = self.write_to(file, text).map(drop);
        let status = self.read_at(file, 0).unwrap_or_default();
        let clunked = self.clunk(file);
        (written.and(clunked), status)
    }

    /// Names in a directory, as `ls` reads them: a page at a time.
    pub(crate) fn ls(&mut self, user: User, at: &str) -> Result<Vec<String>, Errno> {
        let directory = self.open(user, at, OpenFlags::RDONLY)?;
        let (mut names, mut offset) = (Vec::new(), 0);
        let listed = loop {
            match self.call(user.line, Tmessage::Readdir { fid: directory.fid, offset, count: 64 })
            {
                Ok(Rmessage::Readdir { entries }) if entries.is_empty() => break Ok(names),
                Ok(Rmessage::Readdir { entries }) => {
                    offset = entries.last().unwrap().offset;
                    names.extend(entries.into_iter().map(|entry| entry.name));
                }
                Ok(other) => panic!("{other:?}"),
                Err(errno) => break Err(errno),
            }
        };
        self.clunk(directory).unwrap();
        listed
    }

    pub(crate) fn stat(&mut self, user: User, at: &str) -> Result<Attributes, Errno> {
        let fid = self.walk(user, at)?;
        let reply =
            self.call(user.line, Tmessage::Getattr { fid, request_mask: AttributeMask::BASIC });
        self.clunk(File { line: user.line, fid }).unwrap();
        match reply? {
            Rmessage::Getattr { attributes } => Ok(attributes),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn truncate(&mut self, user: User, at: &str) -> Result<(), Errno> {
        let fid = self.walk(user, at)?;
        let attributes = SetAttributes { size: Some(0), ctime: true, ..SetAttributes::default() };
        let reply = self.call(user.line, Tmessage::Setattr { fid, attributes });
        self.clunk(File { line: user.line, fid }).unwrap();
        reply.map(drop)
    }

    /// Creates a file and writes it, as `cp` does.
    pub(crate) fn stage(
        &mut self,
        user: User,
        directory: &str,
        name: &str,
        text: &str,
    ) -> Result<(), Errno> {
        let fid = self.walk(user, directory)?;
        let flags = OpenFlags::WRONLY | OpenFlags::CREAT;
        let file = File { line: user.line, fid };
        let created = self.call(
            user.line,
            Tmessage::Lcreate { fid, name: name.into(), flags, mode: 0o644, gid: 0 },
        );
        let written = created.and_then(|_| self.write_to(file, text));
        let clunked = self.clunk(file);
        written.map(drop).and(clunked)
    }

    /// Whether an event like this has come.
    pub(crate) fn told(&self, is: impl Fn(&Event) -> bool) -> bool {
        self.events.iter().any(is)
    }
}

pub(crate) fn scope(at: &str, verb: ScopeVerb) -> Scope {
    Scope { path: path(at), verb, rate_per_s: 0 }
}
