//! Replays what the fuzzer has found worth keeping: `tests/fuzz/corpus/ptx_load`, findings and seeds alike.

use std::{fs, path::Path};

/// Proves SOFT-7.
#[test]
fn every_kept_input_keeps_the_promise() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/corpus/ptx_load");
    let mut inputs = 0;
    for entry in fs::read_dir(folder).expect("a folder for the target") {
        let path = entry.expect("an entry").path();
        // The name of the input is what one wants to know when the body panics.
        println!("{}", path.display());
        mock_soft::fuzzing::load(&fs::read(&path).expect("a kept input"));
        inputs += 1;
    }
    assert!(inputs > 0, "no input is kept");
}
