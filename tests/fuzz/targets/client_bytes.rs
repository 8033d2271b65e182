//! Any server before a client session.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| secure9p::fuzzing::client_bytes(bytes));
