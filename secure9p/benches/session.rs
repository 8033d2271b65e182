//! What a request costs from the client's call to its reply, in memory, on one thread: encode, server session, answer, decode.
//! `cargo bench -p secure9p --bench session`.

use std::sync::Arc;

use divan::{
    Bencher, black_box,
    counter::{BytesCount, ItemsCount},
};
use secure9p::{
    Bytes, ClientLimits, ClientSession, Fid, Msize, NumericUname, OpenFlags, Qid, Reply, Request,
    Rmessage, ServerLimits, ServerSession, Tmessage,
};

fn main() {
    divan::main();
}

const BULK_BYTES: u32 = (1 << 20) - 24;

/// A client and a server, and the cheapest tree there can be between them: one file.
struct Pair {
    client: ClientSession,
    server: ServerSession<()>,
    file: Arc<[u8]>,
    written: Option<Vec<u8>>,
}

impl Pair {
    fn new(file_bytes: usize) -> Self {
        let limits = ClientLimits { msize: Msize::MAX, ..ClientLimits::default() };
        let mut pair = Self {
            client: ClientSession::new(limits),
            server: ServerSession::new(ServerLimits::default()),
            file: vec![7; file_bytes].into(),
            written: None,
        };
        pair.exchange();
        let (fid, afid, n_uname) = (Fid(0), Fid::NOFID, NumericUname::NONE);
        let (uname, aname) = (String::new(), String::new());
        pair.ask(Tmessage::Attach { fid, afid, uname, aname, n_uname });
        pair.ask(Tmessage::Walk { fid, newfid: Fid(1), wname: vec!["file".into()] });
        pair.ask(Tmessage::Lopen { fid: Fid(1), flags: OpenFlags::RDWR });
        pair
    }

    fn handle(&mut self, request: Request<()>) -> Reply<()> {
        match request {
            Request::Read { count, .. } => {
                Reply::Read(Bytes::Shared(self.file.clone(), 0..count as usize))
            }
            Request::Write { data, .. } => {
                let count = u32::try_from(data.len()).expect("a frame holds it");
                self.written = Some(data);
                Reply::Write { count }
            }
            Request::Attach { .. } => Reply::Attach { node: (), qid: Qid::directory(0) },
            Request::Walk { names, .. } => {
                Reply::Walk { qids: names.iter().map(|_| Qid::file(1)).collect(), node: Some(()) }
            }
            Request::Open { .. } => Reply::Open { node: (), qid: Qid::file(1), iounit: 0 },
            _ => Reply::Done,
        }
    }

    /// One turn of the shells on both sides.
    fn exchange(&mut self) {
        let asked = self.client.transmit().len();
        self.server.receive(self.client.transmit()).expect("our own client");
        self.client.sent(asked);
        while let Some((owed, request)) = self.server.poll_request() {
            let reply = self.handle(request);
            self.server.answer(owed, Ok(reply));
        }
        while self.server.poll_released().is_some() {}
        let answered = self.server.transmit().len();
        self.client.receive(self.server.transmit()).expect("our own server");
        self.server.sent(answered);
    }

    fn ask(&mut self, message: Tmessage) -> Rmessage {
        self.client.call(message).expect("room for a call");
        self.exchange();
        self.client.poll_reply().expect("a reply").1.expect("no refusal")
    }
}

/// 64-byte reads, so many of them in flight at a time.
#[divan::bench(args = [1, 32])]
fn small_reads(bencher: Bencher<'_, '_>, in_flight: usize) {
    let mut pair = Pair::new(64);
    bencher.counter(ItemsCount::new(in_flight)).bench_local(|| {
        for _ in 0..in_flight {
            let call = pair.client.call(Tmessage::Read { fid: Fid(1), offset: 0, count: 64 });
            call.expect("room for a call");
        }
        pair.exchange();
        while let Some(reply) = pair.client.poll_reply() {
            black_box(reply.1.expect("no refusal"));
        }
    });
}

/// Reads of nearly a megabyte by a caller that gives its vectors back.
#[divan::bench]
fn bulk_read(bencher: Bencher<'_, '_>) {
    let mut pair = Pair::new(BULK_BYTES as usize);
    bencher.counter(BytesCount::new(BULK_BYTES)).bench_local(|| {
        let read = Tmessage::Read { fid: Fid(1), offset: 0, count: BULK_BYTES };
        if let Rmessage::Read { data } = pair.ask(read) {
            pair.client.recycle(black_box(data));
        }
    });
}

/// Writes of nearly a megabyte to a tree that gives its vectors back; the caller gets each one as its next.
#[divan::bench]
fn bulk_write(bencher: Bencher<'_, '_>) {
    let mut pair = Pair::new(0);
    bencher
        .counter(BytesCount::new(BULK_BYTES))
        .with_inputs(|| vec![7; BULK_BYTES as usize])
        .bench_local_values(|data| {
            pair.ask(Tmessage::Write { fid: Fid(1), offset: 0, data });
            let written = pair.written.take().expect("the tree has it");
            pair.server.recycle(written);
        });
}

/// Two copies of a megabyte into memory that is there: what either of the above must cost.
#[divan::bench]
fn two_copies(bencher: Bencher<'_, '_>) {
    let from = vec![7_u8; BULK_BYTES as usize];
    let (mut once, mut twice) = (from.clone(), from.clone());
    bencher.counter(BytesCount::new(BULK_BYTES)).bench_local(|| {
        once.copy_from_slice(black_box(&from));
        twice.copy_from_slice(black_box(&once));
        black_box(&mut twice);
    });
}

#[divan::bench]
fn walk_open_read_clunk(bencher: Bencher<'_, '_>) {
    let mut pair = Pair::new(64);
    bencher.bench_local(|| {
        let fid = Fid(2);
        pair.ask(Tmessage::Walk { fid: Fid(0), newfid: fid, wname: vec!["file".into()] });
        pair.ask(Tmessage::Lopen { fid, flags: OpenFlags::RDONLY });
        pair.ask(Tmessage::Read { fid, offset: 0, count: 64 });
        pair.ask(Tmessage::Clunk { fid })
    });
}

/// A connection from its first byte to its last.
#[divan::bench]
fn connect_attach_close(bencher: Bencher<'_, '_>) {
    bencher.bench_local(|| {
        let mut pair = Pair::new(64);
        pair.server.close();
        pair
    });
}
