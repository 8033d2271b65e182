//! Any bytes as a frame.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| secure9p::fuzzing::codec_bytes(bytes));
