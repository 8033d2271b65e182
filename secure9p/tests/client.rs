//! The client's side, against servers that are slow, hostile, or ours.

use secure9p::{
    Bytes, CallId, ClientLimits, ClientSession, Dialect, Errno, Fid, Msize, NumericUname, Qid,
    Rmessage, ServerLimits, Tmessage, Violation,
    toy::{ToyServer, ToyTree, exchange},
    transcript::{self, Message},
};

/// A client, and a server whose every word is written in the test.
struct Dialogue {
    client: ClientSession,
}

impl Dialogue {
    fn begin(limits: ClientLimits) -> Self {
        let mut dialogue = Self { client: ClientSession::new(limits) };
        dialogue.read_calls();
        dialogue
    }

    fn open() -> Self {
        Self::open_with(ClientLimits::default())
    }

    fn open_with(limits: ClientLimits) -> Self {
        let mut dialogue = Self::begin(limits);
        dialogue
            .server_says("Rversion tag NOTAG msize 8192 version '9P2000.L'")
            .expect("what was asked for");
        dialogue
    }

    fn server_says(&mut self, line: &str) -> Result<(), Violation> {
        let (tag, message) = transcript::parse(line).expect("a line");
        let mut frame = Vec::new();
        match message {
            Message::R(message) => message.encode(tag, Dialect::Linux, u32::MAX, &mut frame),
            Message::T(message) => message.encode(tag, Dialect::Linux, u32::MAX, &mut frame),
        }
        .expect("fits");
        self.client.receive(&frame)
    }

    /// What the client has sent, in one-line form.
    fn read_calls(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut bytes = self.client.transmit();
        while let Some((size, _)) = bytes.split_first_chunk::<4>() {
            let (frame, rest) = bytes.split_at(u32::from_le_bytes(*size) as usize);
            let (tag, message) = Tmessage::decode(frame, Dialect::Linux).expect("our own message");
            lines.push(transcript::print(tag, &message.into()));
            bytes = rest;
        }
        let sent = self.client.transmit().len();
        self.client.sent(sent);
        lines
    }

    fn read(&mut self, count: u32) -> CallId {
        self.client.call(tread(count)).expect("room for a call")
    }

    /// What the server's next words do to a client that waits for 5 bytes under tag 0.
    fn reason_to_leave(line: &str) -> String {
        let mut dialogue = Self::open();
        dialogue.read(5);
        let reason = dialogue.server_says(line).expect_err("a violation").to_string();
        assert!(dialogue.client.call(tread(5)).is_err(), "the session is over");
        reason
    }
}

fn tread(count: u32) -> Tmessage {
    Tmessage::Read { fid: Fid(1), offset: 0, count }
}

fn data(bytes: &[u8]) -> Rmessage {
    Rmessage::Read { data: Bytes::Owned(bytes.to_vec()) }
}

/// Proves WIRE-21.
#[test]
fn many_calls_are_in_flight_and_answered_in_any_order() {
    let mut dialogue = Dialogue::open();
    let calls: Vec<_> = (1..=3).map(|count| dialogue.read(count)).collect();
    assert_eq!(
        dialogue.read_calls(),
        [
            "Tread tag 0 fid 1 offset 0 count 1",
            "Tread tag 1 fid 1 offset 0 count 2",
            "Tread tag 2 fid 1 offset 0 count 3",
        ]
    );
    dialogue.server_says("Rread tag 2 count 3 'abc'").unwrap();
    dialogue.server_says("Rlerror tag 0 ecode EACCES").unwrap();
    dialogue.server_says("Rread tag 1 count 0").unwrap();
    assert_eq!(dialogue.client.poll_reply(), Some((calls[2], Ok(data(b"abc")))));
    assert_eq!(dialogue.client.poll_reply(), Some((calls[0], Err(Errno::EACCES))));
    assert_eq!(dialogue.client.poll_reply(), Some((calls[1], Ok(data(b"")))));
    assert_eq!(dialogue.client.poll_reply(), None);
    assert_eq!(dialogue.client.in_flight(), 0);
}

/// Proves WIRE-21.
#[test]
fn a_cancelled_call_keeps_its_tag_until_the_server_has_let_go_of_it() {
    let mut dialogue = Dialogue::open();
    let call = dialogue.read(5);
    dialogue.client.cancel(call);
    dialogue.client.cancel(call);
    assert_eq!(
        dialogue.read_calls(),
        ["Tread tag 0 fid 1 offset 0 count 5", "Tflush tag 1 oldtag 0"]
    );
    let next = dialogue.read(6);
    assert_eq!(dialogue.read_calls(), ["Tread tag 2 fid 1 offset 0 count 6"]);

    dialogue.server_says("Rflush tag 1").unwrap();
    assert_eq!(dialogue.client.poll_reply(), Some((call, Err(Errno::EINTR))));
    dialogue.server_says("Rread tag 2 count 2 'ok'").unwrap();
    assert_eq!(dialogue.client.poll_reply(), Some((next, Ok(data(b"ok")))));
    dialogue.read(7);
    assert_eq!(dialogue.read_calls(), ["Tread tag 0 fid 1 offset 0 count 7"]);
}

/// Proves WIRE-21.
#[test]
fn a_reply_that_was_faster_than_the_cancellation_counts() {
    let mut dialogue = Dialogue::open();
    let call = dialogue.read(5);
    dialogue.client.cancel(call);
    dialogue.server_says("Rread tag 0 count 5 'hello'").unwrap();
    assert_eq!(dialogue.client.poll_reply(), Some((call, Ok(data(b"hello")))));
    assert_eq!(dialogue.client.in_flight(), 2, "neither tag is free before Rflush");
    dialogue.read_calls();
    dialogue.read(1);
    assert_eq!(dialogue.read_calls(), ["Tread tag 2 fid 1 offset 0 count 1"]);
    dialogue.server_says("Rflush tag 1").unwrap();
    assert_eq!(dialogue.client.poll_reply(), None);
    assert_eq!(dialogue.client.in_flight(), 1);
}

/// Proves WIRE-22.
#[test]
fn nothing_a_server_says_is_believed_unseen() {
    let reason = Dialogue::reason_to_leave;
    assert_eq!(
        reason("Rread tag 9 count 0"),
        "Rread with tag 9, which no call has, want a tag in flight"
    );
    assert_eq!(reason("Rwrite tag 0 count 5"), "Rwrite in answer to Tread, want Rread or an error");
    assert_eq!(reason("Rflush tag 0"), "Rflush in answer to Tread, want Rread or an error");
    assert_eq!(reason("Rread tag 0 count 6 'hello!'"), "Rread carries 6, want at most 5");
    assert_eq!(
        reason("Tread tag 0 fid 1 offset 0 count 5"),
        "message of type 116 (Tread), want an R-message of the agreed dialect"
    );
    assert_eq!(
        reason("Rversion tag NOTAG msize 8192 version '9P2000.L'"),
        "Rversion with tag NOTAG, which no call has, want a tag in flight"
    );
}

/// Proves WIRE-22.
#[test]
fn a_flush_is_answered_by_rflush_only() {
    let mut dialogue = Dialogue::open();
    let call = dialogue.read(5);
    dialogue.client.cancel(call);
    let reason = dialogue.server_says("Rlerror tag 1 ecode EIO").unwrap_err();
    assert_eq!(reason.to_string(), "Rlerror in answer to Tflush, want Rflush or an error");
}

/// Proves WIRE-22.
#[test]
fn counts_of_writes_walks_and_directories_are_checked() {
    let answer = |call: Tmessage, line: &str| {
        let mut dialogue = Dialogue::open();
        dialogue.client.call(call).unwrap();
        dialogue.server_says(line).map_err(|violation| violation.to_string())
    };
    let write = Tmessage::Write { fid: Fid(1), offset: 0, data: b"abc".to_vec() };
    assert_eq!(answer(write.clone(), "Rwrite tag 0 count 3"), Ok(()));
    assert_eq!(
        answer(write, "Rwrite tag 0 count 4"),
        Err("Rwrite carries 4, want at most 3".into())
    );
    let walk = Tmessage::Walk { fid: Fid(0), newfid: Fid(1), wname: vec!["a".into()] };
    let qid = "(0000000000000001 0 '')";
    assert_eq!(
        answer(walk, &format!("Rwalk tag 0 nwqid 2 {qid} {qid}")),
        Err("Rwalk carries 2, want at most 1".into())
    );
    let readdir = Tmessage::Readdir { fid: Fid(1), offset: 0, count: 24 };
    assert_eq!(
        answer(readdir, &format!("Rreaddir tag 0 entries 1 {qid} offset 1 type 8 'a'")),
        Err("Rreaddir carries 25, want at most 24".into())
    );
}

/// Proves WIRE-22.
#[test]
fn the_version_agreed_on_is_the_one_asked_for() {
    let refusal = |line: &str| {
        let mut dialogue = Dialogue::begin(ClientLimits::default());
        assert_eq!(dialogue.client.negotiated(), None);
        let refusal = dialogue.server_says(line).expect_err("a violation").to_string();
        assert_eq!(dialogue.client.negotiated(), None);
        refusal
    };
    assert_eq!(
        refusal("Rversion tag NOTAG msize 8192 version 'unknown'"),
        "server answered version 'unknown', want '9P2000.L'"
    );
    assert_eq!(
        refusal("Rversion tag NOTAG msize 8192 version '9P2000'"),
        "server answered version '9P2000', want '9P2000.L'"
    );
    assert_eq!(
        refusal("Rversion tag NOTAG msize 8193 version '9P2000.L'"),
        "server answered msize 8193, want 512 to 8192"
    );
    assert_eq!(
        refusal("Rversion tag NOTAG msize 0 version '9P2000.L'"),
        "server answered msize 0, want 512 to 8192"
    );
    assert_eq!(
        refusal("Rlerror tag NOTAG ecode EAGAIN"),
        "server answered Tversion with EAGAIN (try again)"
    );
}

/// Proves WIRE-23.
#[test]
fn calls_that_cannot_be_made_are_refused_and_nothing_is_sent() {
    let limits = ClientLimits { calls_max: 2, transmit_bytes_max: 9000, ..ClientLimits::default() };
    let mut early = Dialogue::begin(limits);
    let refusal = |dialogue: &mut Dialogue, message: Tmessage| {
        let refused = dialogue.client.call(message).expect_err("a refusal").to_string();
        assert_eq!(dialogue.read_calls(), [""; 0]);
        refused
    };
    assert_eq!(
        refusal(&mut early, tread(5)),
        "no version is agreed on, want the server's Rversion first"
    );

    let mut dialogue = Dialogue::open_with(limits);
    assert_eq!(
        refusal(&mut dialogue, tread(8182)),
        "message does not fit into a frame of 8192 bytes"
    );
    let write = |bytes: usize| Tmessage::Write { fid: Fid(1), offset: 0, data: vec![7; bytes] };
    assert_eq!(
        refusal(&mut dialogue, write(8170)),
        "message does not fit into a frame of 8192 bytes"
    );
    assert_eq!(
        refusal(&mut dialogue, Tmessage::Stat { fid: Fid(1) }),
        "Tstat is not for callers of this dialect, want another message"
    );
    assert_eq!(
        refusal(&mut dialogue, Tmessage::Flush { oldtag: secure9p::Tag(0) }),
        "Tflush is not for callers of this dialect, want another message"
    );

    dialogue.client.call(write(8169)).unwrap();
    dialogue.client.call(tread(5)).unwrap();
    let refused = dialogue.client.call(tread(5)).unwrap_err().to_string();
    assert_eq!(refused, "2 calls are in flight, want fewer than 2: take replies first");
    dialogue.server_says("Rwrite tag 0 count 8169").unwrap();
    dialogue.client.call(write(1000)).unwrap();
    dialogue.server_says("Rread tag 1 count 0").unwrap();
    let refused = dialogue.client.call(tread(5)).unwrap_err().to_string();
    assert_eq!(refused, "9238 bytes wait to be sent, want fewer than 9000: send first");
}

/// Proves WIRE-22.
#[test]
fn a_name_that_is_not_utf8_costs_one_call_not_the_connection() {
    let mut dialogue = Dialogue::open();
    let call = dialogue.client.call(Tmessage::Readlink { fid: Fid(1) }).unwrap();
    dialogue.client.receive(&[11, 0, 0, 0, 23, 0, 0, 2, 0, 0xff, b'a']).unwrap();
    assert_eq!(dialogue.client.poll_reply(), Some((call, Err(Errno::EILSEQ))));
    dialogue.read(5);
}

/// Proves WIRE-17, WIRE-21.
#[test]
fn both_dialects_are_spoken_by_both_sides() {
    for dialect in [Dialect::Linux, Dialect::Plan9] {
        let limits = ClientLimits { dialect, msize: Msize::MAX, ..ClientLimits::default() };
        let mut client = ClientSession::new(limits);
        let mut server = ToyServer::new(ServerLimits::default(), ToyTree::new());
        exchange(&mut client, &mut server).unwrap();
        assert_eq!(client.negotiated(), Some(Msize::MAX));

        let (root, file) = (client.new_fid().unwrap(), client.new_fid().unwrap());
        let (uname, aname, n_uname) = ("glenda".into(), String::new(), NumericUname::NONE);
        let attach = Tmessage::Attach { fid: root, afid: Fid::NOFID, uname, aname, n_uname };
        let open = match dialect {
            Dialect::Linux => Tmessage::Lopen { fid: file, flags: secure9p::OpenFlags::RDONLY },
            Dialect::Plan9 => Tmessage::Open { fid: file, mode: secure9p::OpenMode::READ },
        };
        client.call(attach).unwrap();
        for (name, expected) in [("nothing", Err(Errno::ENOENT)), ("hello", Ok(()))] {
            // Walk, open, read and clunk leave together; the server puts them in order.
            let wname = vec![name.into()];
            client.call(Tmessage::Walk { fid: root, newfid: file, wname }).unwrap();
            client.call(open.clone()).unwrap();
            client.call(Tmessage::Read { fid: file, offset: 7, count: 5 }).unwrap();
            client.call(Tmessage::Clunk { fid: file }).unwrap();
            exchange(&mut client, &mut server).unwrap();
            let mut replies = std::iter::from_fn(|| client.poll_reply()).map(|(_, reply)| reply);
            if expected.is_err() {
                assert_eq!(replies.next(), Some(Ok(Rmessage::Attach { qid: Qid::directory(0) })));
                assert_eq!(replies.next(), Some(Err(Errno::ENOENT)));
                assert!(replies.all(|reply| reply == Err(Errno::EBADF)));
            } else {
                assert_eq!(replies.nth(2), Some(Ok(data(b"world"))));
                assert_eq!(replies.next(), Some(Ok(Rmessage::Clunk {})));
            }
        }
        client.forget_fid(file);
        assert_eq!(client.new_fid(), Some(file));
    }
}
