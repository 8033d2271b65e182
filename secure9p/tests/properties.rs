//! Promises that hold for any bytes: the bodies that the fuzzers run, on random input.

use proptest::{collection::vec, prelude::*};
use secure9p::fuzzing;

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// Proves WIRE-19.
    #[test]
    fn any_bytes_as_a_frame_are_refused_or_understood_twice_alike(bytes in vec(any::<u8>(), 0..256)) {
        fuzzing::codec_bytes(&bytes);
    }

    /// Proves WIRE-19.
    #[test]
    fn any_message_survives_its_bytes_and_its_line(bytes in vec(any::<u8>(), 0..512)) {
        fuzzing::codec_messages(&bytes);
    }

    /// Proves WIRE-16, WIRE-18, WIRE-19.
    #[test]
    fn no_bytes_panic_a_server_and_its_memory_stays_under_its_bound(bytes in vec(any::<u8>(), 0..2048)) {
        fuzzing::server_bytes(&bytes);
    }

    /// Proves WIRE-20.
    #[test]
    fn however_a_stream_is_cut_the_replies_are_the_same(bytes in vec(any::<u8>(), 0..1024)) {
        fuzzing::server_cuts(&bytes);
    }

    /// Proves WIRE-19, WIRE-21.
    #[test]
    fn no_server_panics_a_client(bytes in vec(any::<u8>(), 0..1024)) {
        fuzzing::client_bytes(&bytes);
    }

    /// Proves WIRE-11, WIRE-16, WIRE-21.
    #[test]
    fn our_two_sides_understand_each_other_whatever_the_wire_and_the_tree_do(bytes in vec(any::<u8>(), 0..2048)) {
        fuzzing::operations(&bytes);
    }
}
