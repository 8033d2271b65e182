//! Any bytes as PTX: loaded, and run on both engines.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mock_soft::fuzzing::load(bytes));
