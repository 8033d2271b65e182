//! What a request costs in the whole server, in memory and on one thread: session, account, authority, tree and back to bytes.

use std::collections::BTreeMap;

use divan::{Bencher, counter::ItemsCount};
use ninedoor::{Config, ConnectionId, Peer, Secrets, Server};
use ninedoor_abi::{Claims, MonoUs, Now, Role, Scope, ScopeVerb, Secret, UnixMs};
use secure9p::{
    ClientLimits, ClientSession, Dialect, Fid, Msize, NumericUname, OpenFlags, Tag, Tmessage,
};

const NOW: Now = Now { unix_ms: UnixMs(1_700_000_000_000), mono_us: MonoUs(0) };
/// Requests in one batch, as a client with as many tags sends them.
const BATCH: u16 = 32;

fn main() {
    divan::main();
}

fn secret() -> Secret {
    Secret::new("bench")
}

fn server() -> Server {
    let secrets = BTreeMap::from(Role::ALL.map(|role| (role, secret())));
    Server::new(Config::hive("bench", "0", Secrets::new(secrets)), NOW)
}

/// A worker's ticket with all that a ticket can have.
fn ticket() -> String {
    let mut claims = Claims::new(Role::Observer, "eve".parse().ok(), NOW.unix_ms);
    claims.budget.ttl_s = Some(3600);
    claims.budget.ops = Some(u64::MAX);
    let path = "/proc".parse().expect("a path");
    claims.scopes = vec![Scope { path, verb: ScopeVerb::Both, rate_per_s: 0 }];
    claims.mint(&secret()).expect("a ticket").expose()
}

/// A peer who says what it is told, and hears everything.
struct Talk {
    server: Server,
    id: ConnectionId,
    client: ClientSession,
}

impl Talk {
    fn with(mut server: Server) -> Self {
        let peer = Peer { name: "bench".into(), party: "bench".into(), is_owner: false };
        let id = server.connect(peer).expect("room");
        let client =
            ClientSession::new(ClientLimits { msize: Msize::DEFAULT, ..ClientLimits::default() });
        let mut talk = Self { server, id, client };
        talk.exchange();
        talk
    }

    fn exchange(&mut self) {
        let up = self.client.transmit().to_vec();
        self.client.sent(up.len());
        self.server.receive(self.id, &up, NOW).expect("our client speaks 9P");
        let down = self.server.transmit(self.id).to_vec();
        self.server.sent(self.id, down.len(), NOW);
        self.client.receive(&down).expect("our server speaks 9P");
    }

    fn call(&mut self, message: Tmessage) {
        self.client.call(message).expect("room");
        self.exchange();
        let (_, reply) = self.client.poll_reply().expect("an answer");
        reply.expect("granted");
    }

    fn attach(&mut self, ticket: &str) -> Fid {
        let fid = self.client.new_fid().expect("room");
        let (uname, aname) = ("observer:eve".into(), ticket.into());
        self.call(Tmessage::Attach {
            fid,
            afid: Fid::NOFID,
            uname,
            aname,
            n_uname: NumericUname::NONE,
        });
        fid
    }

    fn walk(&mut self, from: Fid, at: &[&str]) -> Fid {
        let newfid = self.client.new_fid().expect("room");
        let wname = at.iter().map(ToString::to_string).collect();
        self.call(Tmessage::Walk { fid: from, newfid, wname });
        newfid
    }
}

/// A batch of frames, made once: the client's cost is not ours.
fn batch(message: impl Fn(u16) -> Tmessage) -> Vec<u8> {
    let mut frames = Vec::new();
    for tag in 0..BATCH {
        message(tag)
            .encode(Tag(tag), Dialect::Linux, Msize::DEFAULT.bytes(), &mut frames)
            .expect("small messages fit");
    }
    frames
}

fn serve(bencher: Bencher<'_, '_>, mut talk: Talk, frames: &[u8]) {
    bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
        talk.server.receive(talk.id, frames, NOW).expect("9P");
        let bytes = talk.server.transmit(talk.id).len();
        talk.server.sent(talk.id, bytes, NOW);
        bytes
    });
}

/// 64 bytes of an open file.
#[divan::bench]
fn read(bencher: Bencher<'_, '_>) {
    let mut talk = Talk::with(server());
    let root = talk.attach(&ticket());
    let fid = talk.walk(root, &["proc", "boot"]);
    talk.call(Tmessage::Lopen { fid, flags: OpenFlags::RDONLY });
    let frames = batch(|_| Tmessage::Read { fid, offset: 0, count: 64 });
    serve(bencher, talk, &frames);
}

/// stat(2) of a file.
#[divan::bench]
fn getattr(bencher: Bencher<'_, '_>) {
    let mut talk = Talk::with(server());
    let root = talk.attach(&ticket());
    let fid = talk.walk(root, &["proc", "boot"]);
    let request_mask = secure9p::message::AttributeMask::BASIC;
    let frames = batch(|_| Tmessage::Getattr { fid, request_mask });
    serve(bencher, talk, &frames);
}

/// A walk of three names and the clunk after it: authority at each step.
#[divan::bench]
fn walk_and_clunk(bencher: Bencher<'_, '_>) {
    let mut talk = Talk::with(server());
    let root = talk.attach(&ticket());
    let wname = ["proc", "9p", "sessions"].map(ToString::to_string);
    let frames = batch(|tag| {
        let newfid = Fid(100 + u32::from(tag / 2));
        match tag % 2 {
            0 => Tmessage::Walk { fid: root, newfid, wname: wname.to_vec() },
            _ => Tmessage::Clunk { fid: newfid },
        }
    });
    serve(bencher, talk, &frames);
}

/// Connect, version, attach with a ticket, hang up, after many earlier sessions.
#[divan::bench(args = [0, 1_000, 100_000])]
fn attach_after(bencher: Bencher<'_, '_>, earlier_sessions: u32) {
    let ticket = ticket();
    let mut kept = Some(server());
    let mut session = move || {
        let mut talk = Talk::with(kept.take().expect("it comes back"));
        talk.attach(&ticket);
        talk.server.disconnect(talk.id, NOW);
        while talk.server.poll_event().is_some() {}
        kept = Some(talk.server);
    };
    (0..earlier_sessions).for_each(|_| session());
    bencher.bench_local(session);
}
