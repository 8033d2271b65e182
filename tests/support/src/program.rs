//! Where the real programs are. They are the ones beside the running test, built if they are missing or stale.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;
use std::{env, fs};

/// The programs, and the packages that they are built from.
const PROGRAMS: [(&str, &str); 3] =
    [("cohsh", "cohsh"), ("ninedoor", "ninedoor-host"), ("gpu-bridge-host", "bridge-host")];

/// Where the programs' sources are; tests in them do not matter.
const SOURCES: [&str; 5] = ["bridge-host", "cohsh", "mock", "ninedoor", "secure9p"];

/// The workspace.
#[must_use]
pub fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The path of one of the three programs.
///
/// # Panics
/// When it is none of them, or cannot be built.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    static FRESH: OnceLock<()> = OnceLock::new();
    FRESH.get_or_init(build_if_stale);
    assert!(PROGRAMS.iter().any(|(known, _)| *known == name), "no program {name}");
    directory().join(name)
}

/// A command that runs one of the programs, knowing nothing of the tester's own settings.
#[must_use]
pub fn command(name: &str) -> Command {
    let mut command = Command::new(program(name));
    command.env_clear().current_dir(root());
    // Servers in tests say what goes wrong, unless the tester wants to hear more.
    command.env("RUST_LOG", "error");
    for kept in ["PATH", "HOME", "TMPDIR", "RUST_LOG", "RUST_BACKTRACE", "LD_LIBRARY_PATH"] {
        if let Some(value) = env::var_os(kept) {
            command.env(kept, value);
        }
    }
    command
}

/// `target/debug` (or whatever profile this test was built in): a test runs in its `deps`, a program above it.
fn directory() -> PathBuf {
    let test = env::current_exe().expect("a running test has a path");
    let place = test.parent().expect("a file is in a directory");
    let profile = if place.ends_with("deps") { place.parent() } else { Some(place) };
    profile.expect("deps is in the profile's directory").to_owned()
}

fn build_if_stale() {
    let built = PROGRAMS.iter().map(|(name, _)| modified(&directory().join(name)));
    let oldest = built.min().flatten();
    let newest = SOURCES.iter().filter_map(|room| newest_source(&root().join(room))).max();
    if oldest.is_none() || oldest < newest {
        build();
    }
}

fn build() {
    let profile = directory();
    let target = profile.parent().expect("a profile is in the target directory");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root()).arg("build").arg("--target-dir").arg(target);
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    for (name, package) in PROGRAMS {
        cargo.args(["--package", package, "--bin", name]);
    }
    let status = cargo.status().expect("cargo can be run");
    assert!(status.success(), "the programs do not build");
}

fn modified(file: &Path) -> Option<SystemTime> {
    fs::metadata(file).ok()?.modified().ok()
}

fn newest_source(directory: &Path) -> Option<SystemTime> {
    let entries = fs::read_dir(directory).ok()?.flatten();
    entries.filter_map(|entry| newest_of(&entry.path())).max()
}

fn newest_of(path: &Path) -> Option<SystemTime> {
    if path.is_dir() {
        return if path.ends_with("tests") { None } else { newest_source(path) };
    }
    let is_source = path.extension().is_some_and(|ending| ending == "rs" || ending == "toml");
    if is_source { modified(path) } else { None }
}
