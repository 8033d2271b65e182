//! Another server, mounted here: one connection to it, shared by all our peers, and one attach on it for each of us it should
//! know apart. The queen (and whoever acts through her) attaches with the mount's own ticket; a worker with the ticket that the
//! other server minted for it, so that the other server checks each worker itself.
//!
//! ```text
//! the link:      away ──connected()──▶ asking the version ──▶ up ──lost(), violation, silence──▶ away
//!                                                                  what was under way, and what was open: EIO
//!
//! one user:   (none) ──needed──▶ WantsTicket ──set_ticket()──▶ Attaching ──Rattach──▶ Walking ──every mount──▶ Ready
//!                                    │ refused                     │ refused
//!                                    └──────▶ (none), and whoever waited is refused
//! ```
//!
//! Nodes that are handed out carry the epoch of the link, so that an old fid number never means a new file.

mod dialogue;
mod translate;

use alloc::{
    collections::{BTreeMap, VecDeque},
    format,
    string::{String, ToString},
    vec::Vec,
};

use ninedoor_abi::{Identity, MonoUs, StatusLine, Subject, Ticket, TicketId};
use secure9p::{
    CallId, ClientLimits, ClientSession, Errno, Fid, Msize, NumericUname, Rmessage, Tmessage,
    server::{Reply, Request},
};

use self::{dialogue::Dialogue, translate::Shape};
use crate::{
    ask::{MountId, ProviderNode},
    limits::{UPSTREAM_BACKLOG_MAX, UPSTREAM_CALLS_MAX, UPSTREAM_PATIENCE_US},
    slab::Key,
};

/// Names an upstream server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UpstreamId(pub(crate) u32);

/// As whom something is asked of another server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum User {
    /// The queen, and everybody whom we speak for.
    Queen,
    /// A GPU worker, with a ticket of its own.
    Worker(Subject),
}

/// What an upstream has to tell the server.
#[derive(Debug)]
pub(crate) enum Report {
    /// It can be used.
    Up,
    /// The answer to an errand.
    Answered(Key, Result<Reply<ProviderNode>, Errno>),
    /// A dialogue is over.
    Said(DialogueId, Said),
    /// A worker must have a ticket of this server before it can go on.
    WantsTicket(Subject),
    /// It cannot be used: hang up.
    Broken(String),
}

/// Which dialogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DialogueId(u64);

/// What was said in a dialogue with a control file.
#[derive(Debug)]
pub(crate) struct Said {
    /// The status lines of the orders that were carried out.
    pub(crate) statuses: Vec<StatusLine>,
    /// Why the rest was not.
    pub(crate) refusal: Option<ninedoor_abi::Refusal>,
}

/// Another server.
#[derive(Debug)]
pub(crate) struct Upstream {
    service: String,
    ticket: String,
    tickets: BTreeMap<Subject, String>,
    mounts: BTreeMap<MountId, Vec<String>>,
    link: Option<Link>,
    epoch: u32,
    reports: VecDeque<Report>,
    next_dialogue: u64,
    /// Whether the shell has been told that there is something to transmit.
    pub(crate) woken: bool,
}

/// The connection while it lasts.
#[derive(Debug)]
struct Link {
    session: ClientSession,
    calls: BTreeMap<CallId, Call>,
    errands: BTreeMap<Key, CallId>,
    users: BTreeMap<User, Presence>,
    dialogues: BTreeMap<DialogueId, Dialogue>,
    backlog: VecDeque<Forward>,
    clunks: VecDeque<(Fid, Farewell)>,
    /// Since when the server owes us something and says nothing.
    silent_since: Option<MonoUs>,
}

/// A request on its way to the other server.
#[derive(Debug)]
struct Forward {
    errand: Key,
    user: User,
    mount: MountId,
    request: Request<ProviderNode>,
}

/// One user over there.
#[derive(Debug)]
struct Presence {
    root: Fid,
    standing: Standing,
    mounts: BTreeMap<MountId, Result<Fid, Errno>>,
    waiting: Vec<Forward>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    WantsTicket,
    Attaching,
    Walking { left: usize },
    Ready,
}

/// How we let go of a fid over there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Farewell {
    /// With Tclunk, which carries out an order that has no newline yet.
    Clunk,
    /// With Tremove: a control file is not removed by it, but the fid and what was begun with it are gone.
    Remove,
}

/// What a call was made for.
#[derive(Debug)]
enum Call {
    Attach { user: User, root: Fid },
    WalkToMount { user: User, mount: MountId, fid: Fid },
    Errand { errand: Key, shape: Shape },
    Dialogue(DialogueId),
    Clunk(Fid),
}

impl Upstream {
    pub(crate) const fn new(service: String, ticket: String) -> Self {
        Self {
            service,
            ticket,
            tickets: BTreeMap::new(),
            mounts: BTreeMap::new(),
            link: None,
            epoch: 0,
            reports: VecDeque::new(),
            next_dialogue: 0,
            woken: false,
        }
    }

    pub(crate) fn service(&self) -> &str {
        &self.service
    }

    /// Whether it can be asked anything.
    pub(crate) fn is_up(&self) -> bool {
        let queen = self.link.as_ref().and_then(|link| link.users.get(&User::Queen));
        queen.is_some_and(|queen| queen.standing == Standing::Ready)
    }

    pub(crate) fn poll_report(&mut self) -> Option<Report> {
        self.reports.pop_front()
    }

    // The link.

    /// The shell has a connection.
    pub(crate) fn connected(&mut self) {
        self.lost();
        self.epoch = self.epoch.wrapping_add(1);
        let limits = ClientLimits {
            msize: Msize::MAX,
            calls_max: UPSTREAM_CALLS_MAX,
            ..ClientLimits::default()
        };
        let mut link = Link {
            session: ClientSession::new(limits),
            calls: BTreeMap::new(),
            errands: BTreeMap::new(),
            users: BTreeMap::new(),
            dialogues: BTreeMap::new(),
            backlog: VecDeque::new(),
            clunks: VecDeque::new(),
            silent_since: None,
        };
        if let Some(root) = link.session.new_fid() {
            link.users.insert(User::Queen, Presence::new(root, Standing::Attaching));
        }
        self.link = Some(link);
    }

    /// The connection is gone: nobody waits for it.
    pub(crate) fn lost(&mut self) {
        let Some(link) = self.link.take() else { return };
        let waiting =
            link.users.into_values().flat_map(|presence| presence.waiting).chain(link.backlog);
        let errands = link.errands.into_keys().chain(waiting.map(|forward| forward.errand));
        self.reports.extend(errands.map(|errand| Report::Answered(errand, Err(Errno::EIO))));
        let dialogues = link.dialogues.into_iter();
        self.reports.extend(
            dialogues.map(|(id, dialogue)| Report::Said(id, dialogue.broken_off(&self.service))),
        );
    }

    pub(crate) fn receive(&mut self, bytes: &[u8]) -> Result<(), String> {
        let Some(link) = &mut self.link else { return Err("not connected".to_string()) };
        let asking = link.session.negotiated().is_none();
        link.session.receive(bytes).map_err(|violation| {
            format!("{violation}; last messages: {}", link.session.recent())
        })?;
        link.silent_since = None;
        if asking && link.session.negotiated().is_some() {
            self.attach(&User::Queen);
        }
        while let Some((id, reply)) = self.link.as_mut().and_then(|link| link.session.poll_reply())
        {
            self.replied(id, reply);
        }
        self.work_off_backlog();
        Ok(())
    }

    pub(crate) fn transmit(&self) -> &[u8] {
        self.link.as_ref().map_or(&[], |link| link.session.transmit())
    }

    pub(crate) fn sent(&mut self, bytes: usize) {
        if let Some(link) = &mut self.link {
            link.session.sent(bytes);
        }
        self.work_off_backlog();
    }

    /// Notes since when the server has been silent.
    pub(crate) fn watch(&mut self, now: MonoUs) {
        if let Some(link) = &mut self.link {
            let owes = !link.calls.is_empty() || link.session.negotiated().is_none();
            link.silent_since = if owes { link.silent_since.or(Some(now)) } else { None };
        }
    }

    /// When we stop waiting for a server that is silent.
    pub(crate) fn patience_ends(&self) -> Option<MonoUs> {
        self.link.as_ref()?.silent_since.map(|since| since.plus_us(UPSTREAM_PATIENCE_US))
    }

    // Mounts and users.

    pub(crate) fn add_mount(&mut self, mount: MountId, prefix: Vec<String>) {
        self.mounts.insert(mount, prefix);
        let users: Vec<User> =
            self.link.as_ref().map(|link| link.users.keys().cloned().collect()).unwrap_or_default();
        for user in users {
            if self.presence(&user).is_some_and(|presence| presence.is_attached()) {
                self.walk_to_mounts(&user);
            }
        }
    }

    pub(crate) fn remove_mount(&mut self, mount: MountId) {
        self.mounts.remove(&mount);
        let Some(link) = &mut self.link else { return };
        let roots = link.users.values_mut().filter_map(|presence| presence.mounts.remove(&mount));
        link.clunks.extend(roots.filter_map(Result::ok).map(|fid| (fid, Farewell::Clunk)));
        self.work_off_backlog();
    }

    /// The other server's ticket for a worker.
    pub(crate) fn set_ticket(&mut self, subject: &Subject, ticket: String) {
        self.tickets.insert(subject.clone(), ticket);
        let user = User::Worker(subject.clone());
        if self.presence(&user).is_some_and(|presence| presence.standing == Standing::WantsTicket) {
            self.attach(&user);
        }
    }

    /// Which ticket of the other server a worker has.
    pub(crate) fn ticket_of(&self, subject: &Subject) -> Option<TicketId> {
        Ticket::parse(self.tickets.get(subject)?).ok().map(|ticket| ticket.id())
    }

    /// A worker cannot be had over there, or is no more: whoever waits in its name is refused.
    pub(crate) fn dismiss(&mut self, subject: &Subject, errno: Errno) {
        self.tickets.remove(subject);
        self.part_with(&User::Worker(subject.clone()), errno);
        self.work_off_backlog();
    }

    fn part_with(&mut self, user: &User, errno: Errno) {
        let Some(link) = &mut self.link else { return };
        let Some(presence) = link.users.remove(user) else { return };
        match presence.standing {
            // Its number is free again when the answer comes, or now if none is to come.
            Standing::WantsTicket => link.session.forget_fid(presence.root),
            Standing::Attaching => {}
            Standing::Walking { .. } | Standing::Ready => {
                link.clunks.push_back((presence.root, Farewell::Clunk))
            }
        }
        let roots = presence.mounts.into_values().filter_map(Result::ok);
        link.clunks.extend(roots.map(|fid| (fid, Farewell::Clunk)));
        let waiting = presence
            .waiting
            .into_iter()
            .map(|forward| Report::Answered(forward.errand, Err(errno)));
        self.reports.extend(waiting);
    }

    fn presence(&mut self, user: &User) -> Option<&mut Presence> {
        self.link.as_mut()?.users.get_mut(user)
    }

    fn attach(&mut self, user: &User) {
        let (uname, aname) = match user {
            User::Queen => (self.uname(), self.ticket.clone()),
            User::Worker(subject) => match self.tickets.get(subject) {
                Some(ticket) => (format!("worker-gpu:{subject}"), ticket.clone()),
                None => return self.reports.push_back(Report::WantsTicket(subject.clone())),
            },
        };
        let Some(presence) = self.presence(user) else { return };
        presence.standing = Standing::Attaching;
        let root = presence.root;
        let message = Tmessage::Attach {
            fid: root,
            afid: Fid::NOFID,
            uname,
            aname,
            n_uname: NumericUname::NONE,
        };
        if !self.call(message, Call::Attach { user: user.clone(), root }) {
            self.part_with(user, Errno::EAGAIN);
        }
    }

    /// Whom our own ticket is for: a queen, or somebody who may do less.
    fn uname(&self) -> String {
        let ticket = Ticket::parse(&self.ticket).ok();
        let identity = ticket.and_then(|ticket| ticket.alleged_identity());
        identity.unwrap_or(Identity::QUEEN).to_string()
    }

    /// Walks to every mount that the user has not walked to yet; with none left the user is ready.
    fn walk_to_mounts(&mut self, user: &User) {
        let mounts: Vec<_> =
            self.mounts.iter().map(|(mount, prefix)| (*mount, prefix.clone())).collect();
        let mut left = 0;
        for (mount, wname) in mounts {
            let Some(link) = &mut self.link else { return };
            let Some(presence) =
                link.users.get(user).filter(|presence| !presence.mounts.contains_key(&mount))
            else {
                continue;
            };
            let (root, Some(fid)) = (presence.root, link.session.new_fid()) else { continue };
            let call = Call::WalkToMount { user: user.clone(), mount, fid };
            if self.call(Tmessage::Walk { fid: root, newfid: fid, wname }, call) {
                left += 1;
            }
        }
        if let Some(presence) = self.presence(user) {
            let before = match presence.standing {
                Standing::Walking { left } => left,
                _ => 0,
            };
            presence.standing = Standing::Walking { left: before + left };
        }
        self.ready_if_walked(user);
    }

    fn ready_if_walked(&mut self, user: &User) {
        let Some(presence) = self.presence(user) else { return };
        if presence.standing != (Standing::Walking { left: 0 }) {
            return;
        }
        presence.standing = Standing::Ready;
        let waiting = core::mem::take(&mut presence.waiting);
        if *user == User::Queen {
            self.reports.push_back(Report::Up);
            self.attach_the_waiting();
        }
        waiting.into_iter().for_each(|forward| self.send(forward));
    }

    fn attach_the_waiting(&mut self) {
        let users = self.link.iter().flat_map(|link| &link.users);
        let waiting = users.filter(|(_, presence)| presence.standing == Standing::WantsTicket);
        let waiting: Vec<User> = waiting.map(|(user, _)| user.clone()).collect();
        waiting.iter().for_each(|user| self.attach(user));
    }

    // Errands.

    /// Asks the other server, in the name of `user`.
    pub(crate) fn forward(
        &mut self,
        errand: Key,
        user: &User,
        mount: MountId,
        request: Request<ProviderNode>,
    ) {
        let forward = Forward { errand, user: user.clone(), mount, request };
        let Some(link) = &mut self.link else { return self.fail(errand, Errno::EIO) };
        if !link.users.contains_key(user) {
            let Some(root) = link.session.new_fid() else {
                return self.fail(errand, Errno::EMFILE);
            };
            link.users.insert(user.clone(), Presence::new(root, Standing::WantsTicket));
            // Before the queen is there nobody could ask for the ticket; then it is done for all who wait.
            if self.is_up() {
                self.attach(user);
            }
        }
        match self.presence(user) {
            Some(presence) if presence.standing == Standing::Ready => self.send(forward),
            Some(presence) => presence.waiting.push(forward),
            None => self.fail(errand, Errno::EAGAIN),
        }
    }

    /// The peer has given the request up.
    pub(crate) fn call_off(&mut self, errand: Key) {
        let Some(link) = &mut self.link else { return };
        if let Some(call) = link.errands.get(&errand) {
            return link.session.cancel(*call);
        }
        link.backlog.retain(|forward| forward.errand != errand);
        link.users
            .values_mut()
            .for_each(|presence| presence.waiting.retain(|forward| forward.errand != errand));
        self.fail(errand, Errno::EINTR);
    }

    /// Nobody holds this node any more.
    pub(crate) fn release(&mut self, node: ProviderNode) {
        let epoch = self.epoch;
        if let (Some(link), Ok(fid)) = (&mut self.link, translate::fid_of(node, epoch)) {
            link.clunks.push_back((fid, Farewell::Clunk));
        }
        self.work_off_backlog();
    }

    /// As [`Self::release`], when an order was begun on it.
    pub(crate) fn abandon(&mut self, node: ProviderNode) {
        let epoch = self.epoch;
        if let (Some(link), Ok(fid)) = (&mut self.link, translate::fid_of(node, epoch)) {
            link.clunks.push_back((fid, Farewell::Remove));
        }
        self.work_off_backlog();
    }

    fn fail(&mut self, errand: Key, errno: Errno) {
        self.reports.push_back(Report::Answered(errand, Err(errno)));
    }

    fn send(&mut self, forward: Forward) {
        let Some(link) = &mut self.link else { return self.fail(forward.errand, Errno::EIO) };
        if link.calls.len() >= UPSTREAM_CALLS_MAX {
            if link.backlog.len() >= UPSTREAM_BACKLOG_MAX {
                return self.fail(forward.errand, Errno::EAGAIN);
            }
            return link.backlog.push_back(forward);
        }
        let Forward { errand, user, mount, request } = forward;
        let root = link.users.get(&user).and_then(|presence| presence.mounts.get(&mount).copied());
        let epoch = self.epoch;
        let fid_of = |node| match node {
            ProviderNode::ROOT => root.unwrap_or(Err(Errno::EIO)),
            node => translate::fid_of(node, epoch),
        };
        match translate::message(request, fid_of, &mut link.session) {
            Ok((message, shape)) => {
                let spare = shape.new_fid();
                match link.session.call(message) {
                    Ok(id) => {
                        link.calls.insert(id, Call::Errand { errand, shape });
                        link.errands.insert(errand, id);
                    }
                    Err(_) => {
                        spare.into_iter().for_each(|fid| link.session.forget_fid(fid));
                        self.fail(errand, Errno::EAGAIN);
                    }
                }
            }
            Err(errno) => self.fail(errand, errno),
        }
    }

    fn call(&mut self, message: Tmessage, call: Call) -> bool {
        let Some(link) = &mut self.link else { return false };
        let called = link.session.call(message);
        if let Ok(id) = called {
            link.calls.insert(id, call);
        }
        called.is_ok()
    }

    /// Sends what had to wait for room: clunks first, they make some.
    fn work_off_backlog(&mut self) {
        while let Some(link) = &mut self.link
            && link.calls.len() < UPSTREAM_CALLS_MAX
            && link.session.negotiated().is_some()
        {
            if let Some((fid, farewell)) = link.clunks.front().copied() {
                let message = match farewell {
                    Farewell::Clunk => Tmessage::Clunk { fid },
                    Farewell::Remove => Tmessage::Remove { fid },
                };
                if !self.call(message, Call::Clunk(fid)) {
                    return;
                }
                if let Some(link) = &mut self.link {
                    link.clunks.pop_front();
                }
            } else if let Some(forward) = link.backlog.pop_front() {
                self.send(forward);
            } else {
                return;
            }
        }
    }

    // Replies.

    fn replied(&mut self, id: CallId, reply: Result<Rmessage, Errno>) {
        let Some(link) = &mut self.link else { return };
        match link.calls.remove(&id) {
            Some(Call::Errand { errand, shape }) => {
                link.errands.remove(&errand);
                let epoch = self.epoch;
                let answer = translate::reply(shape, reply, epoch, &mut link.session);
                self.reports.push_back(Report::Answered(errand, answer));
            }
            Some(Call::Clunk(fid)) => link.session.forget_fid(fid),
            Some(Call::Attach { user, root }) => self.attached(&user, root, reply),
            Some(Call::WalkToMount { user, mount, fid }) => {
                self.walked_to_mount(&user, mount, fid, reply)
            }
            Some(Call::Dialogue(dialogue)) => self.heard(dialogue, reply),
            None => {}
        }
    }

    fn attached(&mut self, user: &User, root: Fid, reply: Result<Rmessage, Errno>) {
        let is_wanted = self.presence(user).is_some_and(|presence| presence.root == root);
        let Some(link) = &mut self.link else { return };
        match reply {
            Ok(_) if is_wanted => self.walk_to_mounts(user),
            Ok(_) => link.clunks.push_back((root, Farewell::Clunk)), // dismissed meanwhile
            Err(errno) => {
                link.session.forget_fid(root);
                if is_wanted {
                    self.turned_away(user, errno);
                }
            }
        }
    }

    fn turned_away(&mut self, user: &User, errno: Errno) {
        self.part_with(user, errno);
        match user {
            User::Worker(subject) => drop(self.tickets.remove(subject)),
            User::Queen => {
                self.reports.push_back(Report::Broken(format!(
                    "{} refuses our ticket: {errno}",
                    self.service
                )));
                self.lost();
            }
        }
    }

    fn walked_to_mount(
        &mut self,
        user: &User,
        mount: MountId,
        fid: Fid,
        reply: Result<Rmessage, Errno>,
    ) {
        let names = self.mounts.get(&mount).map_or(usize::MAX, Vec::len);
        let found = match reply {
            Ok(Rmessage::Walk { wqid }) if wqid.len() == names => Ok(fid),
            Ok(_) => Err(Errno::ENOENT),
            Err(errno) => Err(errno),
        };
        let Some(link) = &mut self.link else { return };
        if found.is_err() {
            link.session.forget_fid(fid);
        }
        let Some(presence) = link.users.get_mut(user) else {
            return link.clunks.extend(found.ok().map(|fid| (fid, Farewell::Clunk)));
        };
        presence.mounts.insert(mount, found);
        if let Standing::Walking { left } = &mut presence.standing {
            *left = left.saturating_sub(1);
        }
        self.ready_if_walked(user);
    }
}

impl Presence {
    const fn new(root: Fid, standing: Standing) -> Self {
        Self { root, standing, mounts: BTreeMap::new(), waiting: Vec::new() }
    }

    const fn is_attached(&self) -> bool {
        matches!(self.standing, Standing::Walking { .. } | Standing::Ready)
    }
}
