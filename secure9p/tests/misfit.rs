//! A tree that answers with a reply that does not belong to the request: our own fault. Loud in tests; in a release one peer is told EIO.

use secure9p::{Dialect, Fid, NumericUname, Reply, ServerLimits, ServerSession, Tag, Tmessage};

fn answered_wrongly() -> ServerSession<u8> {
    let mut session = ServerSession::new(ServerLimits::default());
    let (fid, afid, n_uname) = (Fid(0), Fid::NOFID, NumericUname::NONE);
    let (uname, aname) = (String::new(), String::new());
    let mut hears = |tag, message: Tmessage| {
        let mut frame = Vec::new();
        message.encode(tag, Dialect::Linux, u32::MAX, &mut frame).expect("fits");
        session.receive(&frame).expect("a well-behaved peer");
    };
    hears(Tag::NOTAG, Tmessage::Version { msize: 8192, version: "9P2000.L".into() });
    hears(Tag(1), Tmessage::Attach { fid, afid, uname, aname, n_uname });
    session.sent(session.transmit().len());
    let (owed, _) = session.poll_request().expect("the attach");
    session.answer(owed, Ok(Reply::Walk { qids: vec![], node: Some(7) }));
    session
}

#[test]
#[cfg_attr(debug_assertions, should_panic(expected = "the tree's reply does not fit its request"))]
fn a_misfit_is_loud_in_tests_and_eio_in_a_release() {
    let mut session = answered_wrongly();
    assert_eq!(session.transmit(), [11, 0, 0, 0, 7, 1, 0, 5, 0, 0, 0], "Rlerror EIO");
    assert_eq!(session.poll_released(), Some(7), "its node is nobody's");
    assert_eq!(session.fids(), 0);
}
