//! End to end: the real programs, on loopback, doing what README and `docs/INTERFACES.md` promise.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod embedded;
mod interrupt;
mod mock_list;
mod operators;
mod plain_files;
mod queen;
mod reference;
mod refusals;
mod scripts;
mod three_processes;
mod tls;

use std::path::{Path, PathBuf};

/// A file of `docs/examples`.
fn example(name: &str) -> PathBuf {
    tests_support::program::root().join("docs/examples").join(name)
}

/// A path as a word of a command line.
fn word(path: &Path) -> &str {
    path.to_str().expect("paths of tests are UTF-8")
}
