//! What the fuzzers run, so that `cargo test` can replay whatever they found.
//!
//! Each body takes bytes and panics when a promise is broken. The targets under `tests/fuzz` are one line each; the same bodies run on random bytes
//! in `tests/properties.rs` and on the kept corpus in `tests/corpus.rs`.

mod client;
mod codec;
mod dice;
mod operations;
mod sample;
mod server;

pub use client::client_bytes;
pub use codec::{codec_bytes, codec_messages};
pub use operations::operations;
pub use server::{server_bytes, server_cuts};

pub(crate) use dice::Dice;
pub(crate) use sample::Sample;

/// Longest file the toy tree makes here: enough to be read in several pieces, and cheap to make.
const FILE_BYTES_MAX: usize = 2 << 10;

/// A body: bytes in, a panic where a promise is broken.
pub type Body = fn(&[u8]);

/// Every body, by the name of its target and of its folder in the corpus.
pub const BODIES: &[(&str, Body)] = &[
    ("codec_bytes", codec_bytes),
    ("codec_messages", codec_messages),
    ("server_bytes", server_bytes),
    ("server_cuts", server_cuts),
    ("client_bytes", client_bytes),
    ("operations", operations),
];
