//! Any message through its bytes and its line.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| secure9p::fuzzing::codec_messages(bytes));
