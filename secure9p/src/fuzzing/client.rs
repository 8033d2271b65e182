//! Bytes into a client session: a server that says anything at all.

use alloc::vec::Vec;

use super::Dice;
use crate::{
    client::ClientSession,
    dialect::Dialect,
    ids::Tag,
    limits::{ClientLimits, Msize},
    message::{Rmessage, Tmessage},
};

/// Any server: nothing panics, and no call is answered twice.
///
/// # Panics
/// When a promise is broken.
pub fn client_bytes(bytes: &[u8]) {
    let mut dice = Dice::new(bytes);
    let dialect = if dice.bool() { Dialect::Linux } else { Dialect::Plan9 };
    let limits = ClientLimits { calls_max: 8, dialect, ..ClientLimits::default() };
    let mut client = ClientSession::new(limits);
    if dice.byte() < 250 {
        let version = dialect.version().into();
        hear(
            &mut client,
            Tag::NOTAG,
            &Rmessage::Version { msize: Msize::DEFAULT.bytes(), version },
        );
        assert!(client.negotiated().is_some(), "the server said what was asked");
    }
    let mut calls = Vec::new();
    let mut answered = Vec::new();
    while !dice.is_empty() {
        match dice.below(8) {
            0 => drop(client.receive(dice.bytes(24))),
            1..3 => calls.extend(client.call(Tmessage::sample(&mut dice, dialect))),
            3 => dice.pick(&calls).into_iter().for_each(|call| client.cancel(call)),
            4 => hear(&mut client, Tag((dice.byte() % 16).into()), &Rmessage::Flush {}),
            _ => {
                let tag = Tag((dice.byte() % 16).into());
                hear(&mut client, tag, &Rmessage::sample(&mut dice, dialect));
            }
        }
        answered.extend(core::iter::from_fn(|| client.poll_reply()).map(|(call, _)| call));
    }
    for (at, call) in answered.iter().enumerate() {
        assert!(calls.contains(call), "an answer to {call:?}, which was never made");
        assert!(
            !answered.iter().take(at).any(|earlier| earlier == call),
            "{call:?} answered twice"
        );
    }
}

fn hear(client: &mut ClientSession, tag: Tag, message: &Rmessage) {
    let mut frame = Vec::new();
    let _ = message.encode(tag, client.dialect(), u32::MAX, &mut frame);
    let _ = client.receive(&frame);
}
