//! A peer that asks and does not read: what it costs, and that it costs nobody else anything.

use secure9p::{
    Bytes, Dialect, Fid, Msize, NumericUname, OpenFlags, Qid, Reply, Request, ServerLimits,
    ServerSession, Tag, Tmessage,
};

const LIMITS: ServerLimits = ServerLimits {
    msize_max: Msize::MAX,
    fids_max: 16,
    requests_max: 64,
    held_bytes_max: 1 << 20,
    transmit_bytes_max: 2 << 20,
};

const COUNT: u32 = (1 << 20) - 24;

/// A session with fid 1 open, and what a client would send.
struct Server {
    session: ServerSession<u8>,
}

impl Server {
    fn new() -> Self {
        let mut server = Self { session: ServerSession::new(LIMITS) };
        let (fid, afid, n_uname) = (Fid(0), Fid::NOFID, NumericUname::NONE);
        let (uname, aname) = (String::new(), String::new());
        let version = "9P2000.L".into();
        server.hears(Tag::NOTAG, &Tmessage::Version { msize: u32::MAX, version });
        server.hears(Tag(0), &Tmessage::Attach { fid, afid, uname, aname, n_uname });
        server.hears(Tag(0), &Tmessage::Walk { fid, newfid: Fid(1), wname: vec!["file".into()] });
        server.hears(Tag(0), &Tmessage::Lopen { fid: Fid(1), flags: OpenFlags::RDWR });
        server.peer_reads_all();
        server
    }

    fn hears(&mut self, tag: Tag, message: &Tmessage) -> usize {
        let mut frame = Vec::new();
        message.encode(tag, Dialect::Linux, u32::MAX, &mut frame).expect("a well-behaved peer");
        self.session.receive(&frame).expect("a well-behaved peer");
        self.serve()
    }

    /// Answers what may be answered; how many there were.
    fn serve(&mut self) -> usize {
        let mut answered = 0;
        while let Some((owed, request)) = self.session.poll_request() {
            let reply = match request {
                Request::Attach { .. } => Reply::Attach { node: 0, qid: Qid::directory(0) },
                Request::Walk { .. } => Reply::Walk { qids: vec![Qid::file(1)], node: Some(1) },
                Request::Open { node, .. } => Reply::Open { node, qid: Qid::file(1), iounit: 0 },
                Request::Read { count, .. } => Reply::Read(Bytes::Owned(vec![7; count as usize])),
                Request::Write { data, .. } => {
                    Reply::Write { count: u32::try_from(data.len()).expect("a well-behaved peer") }
                }
                _ => Reply::Done,
            };
            self.session.answer(owed, Ok(reply));
            answered += 1;
        }
        answered
    }

    fn peer_reads_all(&mut self) {
        let unread = self.session.transmit().len();
        self.session.sent(unread);
    }
}

fn tread(count: u32) -> Tmessage {
    Tmessage::Read { fid: Fid(1), offset: 0, count }
}

/// Proves WIRE-18, WIRE-24.
#[test]
fn a_peer_that_does_not_read_stops_being_read() {
    let mut server = Server::new();
    assert!(server.session.wants_read());
    let answered: usize = (1..=8).map(|tag| server.hears(Tag(tag), &tread(COUNT))).sum();
    assert_eq!(answered, 2, "two answers fill the buffer, the others wait");
    assert!(!server.session.wants_read());
    let bytes_max = ServerSession::<u8>::memory_bytes_max(&LIMITS, 64);
    assert!(server.session.memory_bytes() <= bytes_max);

    server.peer_reads_all();
    assert_eq!(server.serve(), 2);
    server.peer_reads_all();
    assert_eq!(server.serve(), 2);
    server.peer_reads_all();
    assert_eq!(server.serve(), 2);
    server.peer_reads_all();
    assert!(server.session.wants_read());
}

/// Proves WIRE-24.
#[test]
fn answers_that_the_tree_still_owes_count_as_made() {
    let mut server = Server::new();
    let mut owed = Vec::new();
    for tag in 1..=8 {
        let mut frame = Vec::new();
        tread(COUNT).encode(Tag(tag), Dialect::Linux, u32::MAX, &mut frame).unwrap();
        server.session.receive(&frame).unwrap();
        owed.extend(server.session.poll_request());
    }
    assert_eq!(owed.len(), 2);
    // The tree is slow, not the peer: a Tflush must still be heard.
    assert!(server.session.wants_read());
    let flushed = server.hears(Tag(9), &Tmessage::Flush { oldtag: Tag(1) });
    assert_eq!((flushed, server.session.transmit().len()), (0, 7));
}

/// Proves WIRE-24.
#[test]
fn writes_that_pile_up_stop_the_reading() {
    let mut session = Server::new().session;
    let mut frame = Vec::new();
    let write = Tmessage::Write { fid: Fid(1), offset: 0, data: vec![7; 600_000] };
    for tag in 1..=2 {
        assert!(session.wants_read());
        frame.clear();
        write.encode(Tag(tag), Dialect::Linux, u32::MAX, &mut frame).unwrap();
        session.receive(&frame).unwrap();
    }
    assert!(!session.wants_read(), "1.2 of 1 MB are held");
    assert!(session.poll_request().is_some());
    assert!(session.wants_read());
}

/// Proves WIRE-26.
#[test]
fn an_idle_session_costs_little_after_bulk_data() {
    let mut server = Server::new();
    for _ in 0..4 {
        server.hears(Tag(1), &tread(COUNT));
        server.hears(Tag(1), &Tmessage::Write { fid: Fid(1), offset: 0, data: vec![7; 1 << 19] });
        server.peer_reads_all();
    }
    // What every reader does at the end: it reads nothing, and clunks.
    for _ in 0..5 {
        server.hears(Tag(1), &tread(0));
        server.peer_reads_all();
    }
    assert!(server.session.memory_bytes() < 8 << 10, "{}", server.session.memory_bytes());

    server.hears(Tag(1), &tread(COUNT));
    server.peer_reads_all();
    server.session.shrink();
    assert!(server.session.memory_bytes() < 8 << 10, "{}", server.session.memory_bytes());
}

/// Proves WIRE-25.
#[test]
fn the_log_line_of_a_violation_shows_messages_and_no_text() {
    let mut server = Server::new();
    let (uname, aname) = ("queen".into(), "cohesix-ticket-00ff".into());
    let (fid, afid, n_uname) = (Fid(2), Fid::NOFID, NumericUname::NONE);
    server.hears(Tag(3), &Tmessage::Attach { fid, afid, uname, aname, n_uname });
    let violation = server.session.receive(&[7, 0, 0, 0, 109, 1, 0]).unwrap_err();
    assert_eq!(violation.to_string(), "message of type 109 (Rflush), want a T-message");
    let recent = server.session.recent();
    assert!(
        recent.contains("Tattach tag 3 fid 2 size 47; Rattach tag 3 size 20; Rflush tag 1 size 7"),
        "{recent}"
    );
    assert!(!recent.contains("ticket") && !recent.contains("queen"), "{recent}");
    let again = server.session.receive(&[]).unwrap_err();
    assert_eq!(again, violation, "a session that is over stays over");
}
