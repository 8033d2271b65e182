//! Any sequence of operations on a client and a server.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| secure9p::fuzzing::operations(bytes));
