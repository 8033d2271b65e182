//! The Linux kernel's own 9P client, in a guest under QEMU, against the real programs.
//!
//! A named step (`.ci/run guest`), because it needs Debian's QEMU and a kernel. The scripts that the guest runs are under
//! `guest/`; where one needs something done to a server, it asks over a control port.

mod control;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use tests_support::{
    hive::{configured_bridge, mint, start_bridge},
    program::{command, root},
    running::Running,
    said::Said,
};

use crate::control::Control;

/// A guest about to be started.
struct Guest {
    command: Command,
}

impl Guest {
    /// A guest that can reach the server at `uri`, and shows it this ticket.
    fn reaching(uri: &str, ticket: &Path) -> Self {
        let mut command = Command::new(root().join("tests/linux-guest/rig"));
        command.args(["run", "-p", port(uri)]);
        Self { command }.with("TICKET", fs::read_to_string(ticket).expect("a minted ticket").trim())
    }

    /// Sets a variable of the script's environment.
    fn with(mut self, name: &str, value: &str) -> Self {
        self.command.args(["-e", &format!("{name}={value}")]);
        self
    }

    /// Puts a file beside the script.
    fn bringing(mut self, file: &Path) -> Self {
        self.command.arg("-f").arg(file);
        self
    }

    /// Puts the main job beside the script, with its inputs and what must come of it, which is made in `directory`.
    fn bringing_vadd(mut self, directory: &Path) -> Self {
        let wanted = directory.join("wanted.f32");
        fs::write(&wanted, sum_of("vadd.a.f32", "vadd.b.f32")).expect("a file");
        for name in ["vadd.json", "vadd.ptx", "vadd.a.f32", "vadd.b.f32"] {
            self = self.bringing(&example(name));
        }
        self.bringing(&wanted)
    }

    /// Boots, runs the script to its end, and wants it to go well.
    #[track_caller]
    fn runs(mut self, script: &str) {
        let output = self
            .command
            .arg(root().join("tests/linux-guest/guest").join(script))
            .output()
            .expect("bash runs");
        let (out, err) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{script}: {}\n{out}{err}", output.status);
        print!("{out}");
    }
}

fn port(uri: &str) -> &str {
    uri.rsplit(':').next().expect("a TCP URI ends in its port")
}

fn queen_of(program: &str, state: &Path) -> PathBuf {
    let ticket = state.with_extension("ticket");
    mint(program, state, &["--role", "queen"], &ticket);
    ticket
}

fn signal(server: &Running, name: &str) {
    let status =
        Command::new("kill").args([name, &server.pid().to_string()]).status().expect("kill runs");
    assert!(status.success(), "kill {name}");
}

/// The script is `guest/files.sh`.
#[test]
fn what_people_do_to_files_works_on_a_mounted_bridge() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let state = directory.path().join("bridge");
    let bridge = start_bridge("soft", &state);
    let uri = bridge.uri().to_owned();
    let ticket = queen_of("gpu-bridge-host", &state);

    let mut server = Some(bridge);
    let same_place = uri.clone();
    let control = Control::start(move |wish| {
        assert_eq!(wish, "restart");
        drop(server.take());
        server = Some(Running::start(&mut configured_bridge("soft", &state, &same_place), 1));
    });
    Guest::reaching(&uri, &ticket).with("CONTROL", &control.port()).runs("files.sh");
}

/// The script is `guest/job.sh`.
#[test]
fn a_guest_runs_the_main_job_with_nothing_but_a_shell() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let state = directory.path().join("bridge");
    let bridge = start_bridge("soft", &state);
    let ticket = queen_of("gpu-bridge-host", &state);

    Guest::reaching(bridge.uri(), &ticket).bringing_vadd(directory.path()).runs("job.sh");
}

/// The kernel's client speaks no TLS: `cohsh proxy` beside it does. The script is `guest/job.sh`. Proves HOUSE-14.
#[test]
fn a_guest_runs_the_main_job_on_a_tls_server_behind_a_proxy() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = |name| directory.path().join(name);
    let mut init = command("gpu-bridge-host");
    init.args(["tls", "init", "--host", "127.0.0.1", "--dir"]).arg(directory.path());
    let _said = Said::by(&mut init).well();
    let (certificate, key) = (file("server.pem"), file("server.key"));
    let tls = format!("[tls]\ncertificate = {certificate:?}\nkey = {key:?}\n");
    fs::write(file("bridge.toml"), tls).expect("a file");

    let state = file("bridge");
    let mut bridge = configured_bridge("soft", &state, "tls://127.0.0.1:0");
    let bridge = Running::start(bridge.arg("--config").arg(file("bridge.toml")), 1);
    let ticket = queen_of("gpu-bridge-host", &state);
    let mut proxy = command("cohsh");
    proxy.arg("--tls-ca").arg(file("ca.pem"));
    proxy.args(["proxy", "--listen", "tcp://127.0.0.1:0", "--to", bridge.uri()]);
    let proxy = Running::start(&mut proxy, 1);
    Guest::reaching(proxy.uri(), &ticket).bringing_vadd(directory.path()).runs("job.sh");
}

/// The script is `guest/interrupt.sh`.
#[test]
fn a_read_that_hangs_on_a_stopped_bridge_can_be_interrupted() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let state = directory.path().join("bridge");
    let bridge = start_bridge("soft", &state);
    let bridge_ticket = queen_of("gpu-bridge-host", &state);

    let state = directory.path().join("ninedoor");
    let mut ninedoor = command("ninedoor");
    ninedoor.args([
        "serve",
        "--bridge",
        bridge.uri(),
        "--listen",
        "tcp://127.0.0.1:0",
        "--bridge-ticket",
    ]);
    ninedoor.arg(format!("@{}", bridge_ticket.display())).arg("--state-dir").arg(&state);
    let ninedoor = Running::start(&mut ninedoor, 1);
    let ticket = queen_of("ninedoor", &state);

    let control = Control::start(move |wish| match wish {
        "stop" => signal(&bridge, "-STOP"),
        "continue" => signal(&bridge, "-CONT"),
        other => panic!("the guest asked for {other:?}"),
    });
    Guest::reaching(ninedoor.uri(), &ticket).with("CONTROL", &control.port()).runs("interrupt.sh");
}

fn example(name: &str) -> PathBuf {
    root().join("docs/examples").join(name)
}

/// Element by element, in plain Rust.
fn sum_of(a: &str, b: &str) -> Vec<u8> {
    let floats = |name| {
        let bytes = fs::read(example(name)).expect("an example's input");
        bytes
            .chunks_exact(4)
            .map(|four| f32::from_le_bytes(four.try_into().expect("four bytes")))
            .collect::<Vec<_>>()
    };
    floats(a).iter().zip(floats(b)).flat_map(|(a, b)| (a + b).to_le_bytes()).collect()
}
