//! What real compilers make of the project's own kernels.

use std::fs;
use std::path::Path;

/// Name and text of every fixture.
fn fixtures() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let entries = fs::read_dir(folder).expect("the fixtures are there");
    let mut texts: Vec<(String, String)> = entries
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "ptx"))
        .map(|path| {
            let text = fs::read_to_string(&path).expect("a readable fixture");
            (path.display().to_string(), text)
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

#[test]
fn every_fixture_lowers() {
    for (name, text) in fixtures() {
        mock_ptx::compile(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}
