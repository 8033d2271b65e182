//! Bytes into a server session.

use alloc::vec::Vec;

use super::{Dice, FILE_BYTES_MAX};
use crate::{
    dialect::Dialect,
    ids::{Fid, NumericUname, Tag},
    limits::{Msize, ServerLimits},
    message::Tmessage,
    server::ServerSession,
    toy::{ToyNode, ToyServer, ToyTree},
    violation::Violation,
};

/// Small bounds, so that they are met.
const LIMITS: ServerLimits = ServerLimits {
    msize_max: Msize::DEFAULT,
    fids_max: 6,
    requests_max: 6,
    held_bytes_max: 4096,
    transmit_bytes_max: 8192,
};

/// Most bytes one `receive` is given.
const CHUNK_BYTES_MAX: usize = 256;

/// Any stream, served as it comes: nothing panics, memory stays under its bound, every node comes back.
///
/// # Panics
/// When a promise is broken.
pub fn server_bytes(bytes: &[u8]) {
    let mut dice = Dice::new(bytes);
    let stream = stream(&mut dice);
    let mut server = ToyServer::new(LIMITS, ToyTree::new().with_file_bytes_max(FILE_BYTES_MAX));
    let mut rest = &stream[..];
    while !rest.is_empty() {
        let (chunk, later) = rest.split_at((dice.below(CHUNK_BYTES_MAX) + 1).min(rest.len()));
        rest = later;
        let outcome = server.receive(chunk);
        stays_within_bounds(&server.session);
        // A peer that reads, and one that does not.
        let read = if dice.bool() { server.session.transmit().len() } else { 0 };
        server.session.sent(read);
        server.serve();
        if outcome.is_err() || !server.session.wants_read() {
            break;
        }
    }
    server.session.close();
    server.serve();
    assert_eq!(server.tree.live_nodes(), 0, "every node comes back");
}

/// Any stream, cut in two ways: the same replies, the same end.
///
/// # Panics
/// When a promise is broken.
pub fn server_cuts(bytes: &[u8]) {
    let mut dice = Dice::new(bytes);
    let stream = stream(&mut dice);
    let whole = play(stream.chunks(stream.len().max(1)));
    let cut_bytes = dice.below(64) + 1;
    assert_eq!(whole, play(stream.chunks(cut_bytes)), "cut into {cut_bytes} bytes each");
}

/// All of the stream, then all of the answers.
fn play<'a>(mut chunks: impl Iterator<Item = &'a [u8]>) -> (Result<(), Violation>, Vec<u8>) {
    let mut server = ToyServer::new(LIMITS, ToyTree::new().with_file_bytes_max(FILE_BYTES_MAX));
    let outcome = chunks.try_for_each(|chunk| server.session.receive(chunk));
    let mut said = Vec::new();
    server.serve();
    while !server.session.transmit().is_empty() {
        said.extend(server.session.transmit());
        server.session.sent(server.session.transmit().len());
        server.serve();
    }
    (outcome, said)
}

fn stays_within_bounds(session: &ServerSession<ToyNode>) {
    let (memory_bytes, bytes_max) = (
        session.memory_bytes(),
        ServerSession::<ToyNode>::memory_bytes_max(&LIMITS, CHUNK_BYTES_MAX),
    );
    assert!(memory_bytes <= bytes_max, "{memory_bytes} bytes, want at most {bytes_max}");
    assert!(session.fids() <= LIMITS.fids_max);
    assert!(session.requests() <= LIMITS.requests_max);
}

/// A stream that begins as a client would, goes on with messages of every kind, and with bytes of no kind.
fn stream(dice: &mut Dice<'_>) -> Vec<u8> {
    let dialect = if dice.bool() { Dialect::Linux } else { Dialect::Plan9 };
    let mut stream = Vec::new();
    let mut say = |tag, message: &Tmessage| {
        let _ = message.encode(tag, dialect, u32::MAX, &mut stream);
    };
    if dice.byte() < 250 {
        let (msize, version) = (Msize::MAX.bytes(), dialect.version().into());
        say(Tag::NOTAG, &Tmessage::Version { msize, version });
        let (uname, aname) = ("glenda".into(), "".into());
        let (fid, afid, n_uname) = (Fid(0), Fid::NOFID, NumericUname::NONE);
        say(Tag(0), &Tmessage::Attach { fid, afid, uname, aname, n_uname });
    }
    let mut tag = 1;
    while !dice.is_empty() && stream.len() < 1 << 16 {
        match dice.byte() {
            0 => stream.extend(dice.bytes(24)),
            choice => {
                tag = if choice < 8 { u16::from(choice) } else { tag + 1 };
                let message = Tmessage::sample(dice, dialect);
                let _ = message.encode(Tag(tag), dialect, u32::MAX, &mut stream);
            }
        }
    }
    stream
}
