//! Any bytes as PTX: the whole front end.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mock_ptx::fuzzing::text(bytes));
