//! Executors that attack: a device driver that is hostile, in a real executor process, under a real bridge.
//!
//! This program is its own executor: what its kernels do, an intruder could do who has taken an executor over by a hole in an
//! engine or a driver. Each attack harms one lease at most; the next job of that lease, and of another on the same GPU, runs.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod world;

use std::{
    fs::File,
    io::ErrorKind::PermissionDenied,
    net::TcpStream,
    os::unix::net::UnixStream,
    panic::{self, AssertUnwindSafe},
    process::Command,
    thread,
};

use bridge_host::{BackendChoice, ConfinementChoice};
use bridge_host_gpu::{
    DeviceLimits, DevicePtr, ErrorKind, GpuBackend, GpuDevice, GpuError, KernelSignature,
    LaunchSpec, LaunchTimes, ModuleId, ModuleImage, StopSignal,
};
use mock::{machines, scripted::ScriptedBackend};
use serde_json::{Value, json};
use world::{World, ctl, end_of, inline_job, records, submit};

/// What the kernels of this name do, and how their jobs end.
const ATTACKS: [(&str, &str); 14] = [
    ("opens_files", "OK"),
    ("calls_up", "OK"),
    ("starts_processes", "OK"),
    ("signals_others", "OK"),
    ("starts_threads", "OK"),
    ("overstates", "OK"),
    ("eats_memory", "LOST"),
    ("lies_of_a_run", "LOST"),
    ("lies_of_itself", "LOST"),
    ("babbles", "LOST"),
    ("floods", "LOST"),
    ("exits", "LOST"),
    ("crashes", "LOST"),
    ("spins", "TIMEOUT"),
];

fn main() {
    bridge_host::executor_main_with(|_| Ok(Box::new(Hostile)));
    let stories: [(&str, fn()); 3] = [
        ("every_attack_harms_one_lease_only", every_attack_harms_one_lease_only),
        ("info_shows_what_executors_gave_up", info_shows_what_executors_gave_up),
        (
            "an_executor_that_must_be_confined_and_is_not_refuses_its_lease",
            an_executor_that_must_be_confined_and_is_not_refuses_its_lease,
        ),
    ];
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|part| name.contains(part));
    let mut failed = false;
    for (name, story) in stories.into_iter().filter(|(name, _)| is_wanted(name)) {
        let passed = panic::catch_unwind(AssertUnwindSafe(story)).is_ok();
        println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
        failed |= !passed;
    }
    std::process::exit(i32::from(failed));
}

fn in_a_world<F: Future<Output = ()>>(
    confinement: ConfinementChoice,
    story: impl FnOnce(World) -> F,
) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let world = World::with(BackendChoice::Mock, |config| {
            config.executors.program = Some(std::env::current_exe().unwrap());
            config.executors.confinement = confinement;
            config.executors.stderr = false;
        });
        story(world.await).await;
    });
}

const LEASE: &str = "LEASE mem_mb=64 streams=1 ttl_s=600";

/// Proves EXEC-2, EXEC-6, EXEC-7.
fn every_attack_harms_one_lease_only() {
    in_a_world(ConfinementChoice::BestEffort, |world| async move {
        let attacker = world.worker("attacker", &["GPU-0"]).await;
        let bystander = world.worker("bystander", &["GPU-0"]).await;
        for worker in [&attacker, &bystander] {
            let leased = ctl(worker, "GPU-0", LEASE).await;
            assert!(leased.starts_with("OK LEASE"), "{leased}");
        }
        for (kernel, end) in ATTACKS {
            let mut job = inline_job(kernel, kernel);
            if end == "TIMEOUT" {
                job["timeout_ms"] = json!(50);
            }
            let accepted = submit(&attacker, "GPU-0", &job).await;
            assert!(accepted.starts_with("OK JOB"), "{accepted}");
            let records = records(&attacker, "GPU-0", kernel).await;
            let last = records.last().unwrap();
            let seen = last["code"].as_str().unwrap_or("OK");
            assert_eq!(seen, end, "{kernel} ended {last}");
            for (worker, whose) in [(&bystander, "another's"), (&attacker, "its own")] {
                let next = format!("after-{kernel}-{}", whose.len());
                submit(worker, "GPU-0", &inline_job(&next, "anything")).await;
                let records = world::records(worker, "GPU-0", &next).await;
                let after = records.last().unwrap();
                assert_eq!(after["state"], "OK", "{next}: {after}");
                let ms = after["ts_ms"].as_u64().unwrap() - last["ts_ms"].as_u64().unwrap();
                println!("after {kernel} ({end}) {whose} next job was done {ms} ms later");
            }
        }
    });
}

async fn confinement(world: &World) -> Value {
    let queen = world.queen().await;
    ctl(&queen, "GPU-0", LEASE).await;
    submit(&queen, "GPU-0", &inline_job("j", "anything")).await;
    assert_eq!(end_of(&queen, "GPU-0", "j").await, "OK");
    let info: Value =
        serde_json::from_slice(&queen.read("/gpu/GPU-0/info").await.unwrap()).unwrap();
    info["confinement"].clone()
}

/// Proves EXEC-6.
fn info_shows_what_executors_gave_up() {
    in_a_world(ConfinementChoice::BestEffort, |world| async move {
        let seen = confinement(&world).await;
        for measure in
            ["no_new_privs", "no_capabilities", "rlimits", "not_dumpable", "dies_with_daemon"]
        {
            assert_eq!(seen[measure], true, "{measure} of {seen}");
        }
        assert_eq!(seen["seccomp"], "allow-list");
        for (measure, held) in [("landlock", "abi "), ("cgroup", "memory,pids")] {
            let text = seen[measure].as_str().unwrap();
            assert!(text.starts_with(held) || text.starts_with("none: "), "{measure}: {text}");
        }
        eprintln!("here: {seen}");
    });
}

/// Proves EXEC-6.
fn an_executor_that_must_be_confined_and_is_not_refuses_its_lease() {
    let (sender, seen) = std::sync::mpsc::channel();
    in_a_world(ConfinementChoice::BestEffort, |world| async move {
        sender.send(confinement(&world).await).unwrap();
    });
    let seen = seen.recv().unwrap();
    let lacks = |measure: &str| seen[measure].as_str().unwrap().starts_with("none: ");
    let is_whole = !["seccomp", "landlock", "cgroup"].into_iter().any(lacks);
    in_a_world(ConfinementChoice::Required, |world| async move {
        let queen = world.queen().await;
        ctl(&queen, "GPU-0", LEASE).await;
        submit(&queen, "GPU-0", &inline_job("j", "anything")).await;
        if is_whole {
            return assert_eq!(end_of(&queen, "GPU-0", "j").await, "OK");
        }
        let log = loop {
            let log = String::from_utf8(queen.read("/log/bridge.log").await.unwrap()).unwrap();
            if log.contains("its executor is replaced") {
                break log;
            }
        };
        assert!(log.contains("executors.confinement is required and this machine lacks "), "{log}");
    });
}

/// The driver: a scripted one, until it launches.
struct Hostile;

struct HostileDevice(Box<dyn GpuDevice>);

impl GpuBackend for Hostile {
    fn open(&mut self, uuid: &str, limits: DeviceLimits) -> Result<Box<dyn GpuDevice>, GpuError> {
        let scripted = ScriptedBackend::new(machines::workstation()).open(uuid, limits)?;
        Ok(Box::new(HostileDevice(scripted)))
    }
}

impl GpuDevice for HostileDevice {
    fn load(&mut self, image: ModuleImage<'_>) -> Result<ModuleId, GpuError> {
        self.0.load(image)
    }

    fn unload(&mut self, module: ModuleId) -> Result<(), GpuError> {
        self.0.unload(module)
    }

    fn kernel(&self, module: ModuleId, name: &str) -> Result<KernelSignature, GpuError> {
        self.0.kernel(module, name)
    }

    fn alloc(&mut self, bytes: u64) -> Result<DevicePtr, GpuError> {
        self.0.alloc(bytes)
    }

    fn free(&mut self, pointer: DevicePtr) -> Result<(), GpuError> {
        self.0.free(pointer)
    }

    fn write(&mut self, to: DevicePtr, bytes: &[u8]) -> Result<(), GpuError> {
        self.0.write(to, bytes)
    }

    fn read(&mut self, from: DevicePtr, bytes: &mut [u8]) -> Result<(), GpuError> {
        self.0.read(from, bytes)
    }

    fn launch(&mut self, launch: &LaunchSpec, stop: &StopSignal) -> Result<LaunchTimes, GpuError> {
        match attack(&launch.kernel) {
            Ok(Some(times)) => Ok(times),
            Ok(None) => self.0.launch(launch, stop),
            Err(what) => {
                Err(GpuError::new(ErrorKind::Fault, "attack", format!("got away: {what}")))
            }
        }
    }

    fn take_printf(&mut self) -> String {
        self.0.take_printf()
    }

    fn memory_used(&self) -> u64 {
        self.0.memory_used()
    }
}

/// Does what the kernel's name says. `Err` with what it got away with.
fn attack(kernel: &str) -> Result<Option<LaunchTimes>, String> {
    match kernel {
        "opens_files" => {
            for path in ["/etc/passwd", "/proc/self/mem", "/proc/1/environ", "/", "/dev/null"] {
                refused(path, File::open(path))?;
            }
            refused("a new file", File::create("/tmp/hostile"))?;
            refused("a directory", std::fs::read_dir("/proc"))?;
        }
        "calls_up" => {
            refused("tcp", TcpStream::connect("127.0.0.1:9"))?;
            refused("unix", UnixStream::connect("/run/systemd/private"))?;
        }
        "starts_processes" => {
            for _ in 0..100 {
                refused("a shell", Command::new("/bin/sh").spawn())?;
            }
        }
        "signals_others" => {
            let first = rustix::process::Pid::INIT;
            let signalled = rustix::process::kill_process(first, rustix::process::Signal::CONT);
            refused("a signal to another process", signalled.map_err(Into::into))?;
        }
        "starts_threads" => bomb(),
        "eats_memory" => {
            let hoard: Vec<Vec<u8>> = (0..256).map(|_| vec![1; 64 << 20]).collect();
            return Err(format!("{} times 64 MiB", hoard.len()));
        }
        "overstates" => return Ok(Some(LaunchTimes { kernel_us: u64::MAX })),
        "lies_of_a_run" => say(
            br#"{"report":"finished","run":4242,"load_us":0,"h2d_us":0,"kernel_us":0,"d2h_us":0,"outputs_sha256":[],"printf_bytes":0}"#,
        ),
        "lies_of_itself" => say(br#"{"report":"not_bound","code":"DEVICE","detail":"","sticky":false}"#),
        "babbles" => say(b"\xff\x00{{{"),
        "floods" => loop {
            say(br#"{"report":"bound"}"#);
        },
        "exits" => std::process::exit(0),
        "crashes" => std::process::abort(),
        "spins" => loop {
            std::hint::spin_loop();
        },
        _ => {}
    }
    Ok(None)
}

fn refused<T>(what: &str, outcome: std::io::Result<T>) -> Result<(), String> {
    match outcome {
        Err(error) if error.kind() == PermissionDenied => Ok(()),
        Err(error) => Err(format!("{what} failed by chance: {error}")),
        Ok(_) => Err(what.to_owned()),
    }
}

/// As many threads as there may be.
fn bomb() {
    let alive = std::sync::Arc::new(());
    let mut threads = Vec::new();
    for _ in 0..100_000 {
        let alive = std::sync::Arc::downgrade(&alive);
        let parked = thread::Builder::new().spawn(move || {
            while alive.strong_count() > 0 {
                thread::park();
            }
        });
        match parked {
            Ok(parked) => threads.push(parked),
            Err(_) => break,
        }
    }
    drop(alive);
    for parked in threads {
        parked.thread().unpark();
        let _ = parked.join();
    }
}

/// A packet on the socket to the daemon, which is this process's standard input.
fn say(packet: &[u8]) {
    let _ = rustix::io::write(rustix::stdio::stdin(), packet);
}
