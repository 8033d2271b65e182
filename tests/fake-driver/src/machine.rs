//! A test's hand on a fake machine: which libraries are there, what they do, and when they go on.

use std::{
    env,
    fs::{self, File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use rustix::fs::{CWD, FileType, Mode};
use tempfile::TempDir;

use crate::script::{DIRECTORY, Script};

/// The two libraries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Library {
    /// `libcuda.so.1`.
    Cuda,
    /// `libnvidia-ml.so.1`.
    Nvml,
}

impl Library {
    const fn file_name(self) -> &'static str {
        match self {
            Self::Cuda => "libcuda.so.1",
            Self::Nvml => "libnvidia-ml.so.1",
        }
    }

    fn built(self) -> PathBuf {
        let name = match self {
            Self::Cuda => "libtests_fake_driver_cuda.so",
            Self::Nvml => "libtests_fake_driver_nvml.so",
        };
        static BUILT: OnceLock<()> = OnceLock::new();
        BUILT.get_or_init(build);
        target().join(name)
    }
}

/// A machine with a fake driver; gone when it is dropped.
#[derive(Debug)]
pub struct Machine {
    directory: TempDir,
}

impl Machine {
    /// A machine with both libraries.
    ///
    /// # Panics
    /// When it cannot be made, as below.
    #[must_use]
    pub fn new(script: &Script) -> Self {
        Self::with(script, &[Library::Cuda, Library::Nvml])
    }

    /// A machine that has only these libraries.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn with(script: &Script, libraries: &[Library]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        for library in libraries {
            // No symbolic link: an executor may open nothing outside of this directory.
            let (built, place) = (library.built(), directory.path().join(library.file_name()));
            fs::hard_link(&built, &place)
                .or_else(|_| fs::copy(&built, &place).map(|_| ()))
                .expect("room for a library");
        }
        let machine = Self { directory };
        machine.rewrite(script);
        machine
    }

    /// Takes a function out of a library: a driver that is older than it.
    ///
    /// # Panics
    /// When the library does not have it.
    #[must_use]
    pub fn without(self, library: Library, function: &str) -> Self {
        let path = self.path().join(library.file_name());
        let mut image = fs::read(&path).expect("the library is there");
        let name: Vec<u8> = [b"\0", function.as_bytes(), b"\0"].concat();
        let places: Vec<usize> = image
            .windows(name.len())
            .enumerate()
            .filter_map(|(at, bytes)| (bytes == name).then_some(at))
            .collect();
        assert!(!places.is_empty(), "the fake {} has no {function}", library.file_name());
        // Under another name the loader does not find it: the table is looked up by a hash of the name, then by the name.
        for at in places {
            image[at + 1] = b'_';
        }
        fs::remove_file(&path).expect("it is ours");
        fs::write(&path, image).expect("room for a library");
        self
    }

    /// Its directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// From the next call on the libraries do this.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn rewrite(&self, script: &Script) {
        for (function, _) in &script.gates {
            let gate = self.path().join(format!("gate-{function}"));
            if !gate.exists() {
                rustix::fs::mknodat(CWD, &gate, FileType::Fifo, Mode::RWXU, 0).expect("a pipe");
            }
        }
        let fresh = self.path().join("script.new");
        fs::write(&fresh, script.to_text()).expect("room for a script");
        fs::rename(&fresh, self.path().join("script")).expect("the same directory");
    }

    /// Something happens: NVML's listeners hear the type's bit, its data and the device it is on.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn tell(&self, kind: u64, data: u64, device: usize) {
        let file = OpenOptions::new().create(true).append(true).open(self.path().join("events"));
        let line = format!("{kind} {data} {device}\n");
        file.and_then(|mut file| file.write_all(line.as_bytes())).expect("room for an event");
    }

    /// Waits until a call stands in its gate; it goes on when what is given back is dropped.
    ///
    /// # Panics
    /// When the script has no such gate.
    #[must_use]
    pub fn until_at(&self, function: &str) -> File {
        let path = self.path().join(format!("gate-{function}"));
        OpenOptions::new().write(true).open(path).expect("a gate of the script")
    }

    /// Makes a program find this machine.
    pub fn around<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("LD_LIBRARY_PATH", self.path()).env(DIRECTORY, self.path())
    }

    /// Runs the test `name` of the running test program again, in a process that is on this machine.
    ///
    /// # Panics
    /// When it fails there.
    pub fn run_test(&self, name: &str) {
        let program = env::current_exe().expect("a running test has a path");
        let mut command = Command::new(program);
        let output = self
            .around(command.args(["--exact", name, "--nocapture", "--test-threads=1"]))
            .output()
            .expect("a test program starts");
        let said = String::from_utf8_lossy(&output.stdout);
        let why = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}{why}");
        // Its standard output may be what kernels print to, so it leaves a sign.
        assert!(self.path().join("reached").exists(), "no test {name} here\n{said}{why}");
    }
}

/// Whether this process is on a fake machine; leaves a sign there.
#[must_use]
pub fn is_here() -> bool {
    let here = env::var_os(DIRECTORY);
    // Without the sign the test that started this process fails.
    here.is_some_and(|directory| fs::write(Path::new(&directory).join("reached"), "").is_ok())
}

/// `target/debug`, or whatever profile this test was built in: a test runs in its `deps`, a program above it.
fn target() -> PathBuf {
    let program = env::current_exe().expect("a running program has a path");
    let place = program.parent().expect("a file is in a directory");
    let profile = if place.ends_with("deps") { place.parent() } else { Some(place) };
    profile.expect("deps is in the profile's directory").to_owned()
}

/// Cargo builds what is stale, and knows best what that is.
fn build() {
    let profile = target();
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .args(["build", "--quiet", "--locked", "--lib", "--target-dir"])
        .arg(profile.parent().expect("a profile is in the target directory"))
        .args(["--package", "tests-fake-driver-cuda", "--package", "tests-fake-driver-nvml"]);
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    assert!(cargo.status().expect("cargo can be run").success(), "the fake libraries do not build");
}
