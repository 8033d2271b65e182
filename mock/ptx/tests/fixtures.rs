//! What real compilers make of the project's own kernels.

use std::fs;
use std::path::Path;

/// Name and text of every fixture.
fn fixtures() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut texts: Vec<(String, String)> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "ptx"))
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    texts.sort();
    texts
}

#[test]
fn every_fixture_parses() {
    for (name, text) in fixtures() {
        mock_ptx::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}
