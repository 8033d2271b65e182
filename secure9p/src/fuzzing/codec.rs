//! Bytes into both codecs, and messages through both and back.

use alloc::vec::Vec;

use super::Dice;
use crate::{
    dialect::Dialect,
    ids::Tag,
    message::{Rmessage, Tmessage},
    transcript::{self, Message},
};

/// Any bytes as a frame: what is understood is understood again when we say it.
///
/// # Panics
/// When a promise is broken.
pub fn codec_bytes(bytes: &[u8]) {
    for dialect in [Dialect::Linux, Dialect::Plan9] {
        if let Ok((tag, message)) = Tmessage::decode(bytes, dialect) {
            survives(tag, &message.into(), dialect);
        }
        if let Ok((tag, message)) = Rmessage::decode(bytes, dialect) {
            survives(tag, &message.into(), dialect);
        }
    }
}

/// Any message: it survives its bytes and its line.
///
/// # Panics
/// When a promise is broken.
pub fn codec_messages(bytes: &[u8]) {
    let mut dice = Dice::new(bytes);
    let dialect = if dice.bool() { Dialect::Linux } else { Dialect::Plan9 };
    let tag = Tag(dice.byte().into());
    survives(tag, &Tmessage::sample(&mut dice, dialect).into(), dialect);
    survives(tag, &Rmessage::sample(&mut dice, dialect).into(), dialect);
}

fn survives(tag: Tag, message: &Message, dialect: Dialect) {
    let mut frame = Vec::new();
    let (fits, back) = match message {
        Message::T(message) => {
            let fits = message.encode(tag, dialect, u32::MAX, &mut frame);
            (fits, Tmessage::decode(&frame, dialect).map(|(tag, back)| (tag, Message::T(back))))
        }
        Message::R(message) => {
            let fits = message.encode(tag, dialect, u32::MAX, &mut frame);
            (fits, Rmessage::decode(&frame, dialect).map(|(tag, back)| (tag, Message::R(back))))
        }
    };
    assert_eq!(fits, Ok(()), "{message:?} fits a frame");
    assert_eq!(back.as_ref(), Ok(&(tag, message.clone())), "through {frame:02x?}");
    let line = transcript::print(tag, message);
    assert_eq!(transcript::parse(&line).as_ref(), Ok(&(tag, message.clone())), "through {line}");
}
