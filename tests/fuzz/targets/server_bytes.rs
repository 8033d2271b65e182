//! Any stream into a server session that answers at once.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| secure9p::fuzzing::server_bytes(bytes));
