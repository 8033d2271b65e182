//! Any stream into a server session, cut in two ways.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| secure9p::fuzzing::server_cuts(bytes));
