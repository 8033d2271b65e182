//! Replays what the fuzzers have found worth keeping: `tests/fuzz/corpus/<target>`, findings and seeds alike.

use std::{fs, path::PathBuf};

use secure9p::fuzzing::{BODIES, Body};

fn kept_inputs(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/corpus").join(target);
    let entries = fs::read_dir(&folder).expect("a folder for every target");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.map(|path| (path.clone(), fs::read(path).expect("a kept input"))).collect()
}

fn replay(target: &str, body: Body) {
    let inputs = kept_inputs(target);
    assert!(!inputs.is_empty(), "no input is kept for {target}");
    for (path, bytes) in inputs {
        // The name of the input is what one wants to know when the body panics.
        println!("{}", path.display());
        body(&bytes);
    }
}

/// Proves WIRE-11, WIRE-16, WIRE-18, WIRE-19, WIRE-20, WIRE-21.
#[test]
fn every_kept_input_keeps_every_promise() {
    for (target, body) in BODIES {
        replay(target, *body);
    }
}
