//! The executor's threads: one reads orders, one for each stream works.

use std::{
    os::fd::OwnedFd,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, Receiver, Sender},
    },
    thread,
};

use bridge_host_gpu::{BackendKind, DeviceLimits, GpuBackend, GpuDevice, GpuError, StopSignal};

use super::{
    channel::Channel,
    confine::{bound_memory, confine},
    protocol::{Bind, Failure, Order, Report, Run, RunId},
    run::Workbench,
};
use crate::{backend::Backend, config::ConfinementChoice};

/// The hidden first argument that makes any embedding program an executor.
pub(crate) const EXECUTOR_ARGUMENT: &str = "executor";

/// Exit code after a failure that leaves the GPU context unusable.
const EXIT_STICKY: u8 = 70;

/// If this process was started as an executor, does an executor's work and never returns.
///
/// A program that embeds the bridge calls this first thing in `main`: the bridge starts its executors by running the same
/// program again.
pub fn executor_main() {
    executor_main_with(Backend::load);
}

/// The same with devices of the program's own.
///
/// `load` is called before the executor gives up files and system calls, and what it gives opens the GPU afterwards.
pub fn executor_main_with(load: fn(Backend) -> Result<Box<dyn GpuBackend>, GpuError>) {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() != Some(EXECUTOR_ARGUMENT) {
        return;
    }
    let code = match Start::of(arguments) {
        Some(start) => serve(&start, load),
        None => usage(),
    };
    std::process::exit(i32::from(code));
}

/// What an executor is started with.
struct Start {
    backend: Backend,
    confinement_required: bool,
    cgroup: Option<PathBuf>,
}

impl Start {
    fn of(mut arguments: impl Iterator<Item = String>) -> Option<Self> {
        let backend = arguments.next()?.parse().ok()?;
        let confinement_required =
            arguments.next()?.parse::<ConfinementChoice>().ok()?.is_required();
        Some(Self { backend, confinement_required, cgroup: arguments.next().map(PathBuf::from) })
    }
}

fn usage() -> u8 {
    eprintln!(
        "executor: internal command; wanted: executor nvidia|soft[,GPUS,MB,CORES,ATOMICS]|mock best-effort|required [CGROUP], with a packet socket as standard input"
    );
    2
}

/// The orders' end of the socket, given to the work thread to report on.
type Outbox = Arc<Channel>;

/// Stop signals of the runs not yet ended.
type Stops = Arc<Mutex<Vec<(RunId, StopSignal)>>>;

struct Task {
    run: Run,
    files: Vec<OwnedFd>,
    stop: StopSignal,
}

fn serve(start: &Start, load: fn(Backend) -> Result<Box<dyn GpuBackend>, GpuError>) -> u8 {
    let Ok(end) = rustix::io::dup(rustix::stdio::stdin()) else { return usage() };
    let outbox = Outbox::new(Channel::inherited(end));
    // NVIDIA's driver opens what it needs when it is loaded, and is let through to it later.
    let kind = start.backend.kind;
    let early = (kind != BackendKind::Nvidia).then(|| load(start.backend));
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let confinement = confine(kind, start.cgroup.as_deref());
    let missing = confinement.missing();
    if report(&outbox, &Report::Ready { confinement: Box::new(confinement) }).is_err() {
        return usage();
    }
    let Some(bind) = first_order(&outbox) else { return 0 };
    if start.confinement_required && !missing.is_empty() {
        let detail = format!(
            "executors.confinement is required and this machine lacks {}",
            missing.join(", ")
        );
        return not_bound(&outbox, Failure::of("DEVICE", detail));
    }
    if let Err(errno) = bound_memory(kind, bind.memory_bytes, bind.streams, processors) {
        return not_bound(&outbox, Failure::of("INTERNAL", format!("bound memory: {errno}")));
    }
    let backend = match early.unwrap_or_else(|| load(start.backend)) {
        Ok(backend) => backend,
        Err(error) => return not_bound(&outbox, error.into()),
    };
    let bench = Bench { backend: Mutex::new(backend), bind };
    match bench.open() {
        Ok(device) => work(&outbox, bench, device),
        Err(failure) => not_bound(&outbox, failure),
    }
}

fn not_bound(outbox: &Outbox, failure: Failure) -> u8 {
    let _ = report(outbox, &Report::NotBound(failure)); // the exit code says it too
    EXIT_STICKY
}

/// The daemon closes the socket of a spare that it no longer wants.
fn first_order(channel: &Channel) -> Option<Bind> {
    match channel.receive::<Order>() {
        Ok(Some(packet)) => match packet.message {
            Order::Bind(bind) => Some(bind),
            Order::Run(_) | Order::Stop { .. } => None,
        },
        _ => None,
    }
}

/// How a device is opened here: once for each of the lease's streams, when it has something to do.
struct Bench {
    backend: Mutex<Box<dyn GpuBackend>>,
    bind: Bind,
}

impl Bench {
    fn open(&self) -> Result<Box<dyn GpuDevice>, Failure> {
        let Bind { uuid, memory_bytes, streams, printf_bytes } = &self.bind;
        let limits = DeviceLimits {
            memory_bytes: *memory_bytes,
            streams: *streams,
            printf_bytes: *printf_bytes,
        };
        Ok(lock(&self.backend).open(uuid, limits)?)
    }
}

/// What the work threads share. That all runs together stay within the lease's memory is the daemon's care.
struct Shop {
    outbox: Outbox,
    stops: Stops,
    bench: Bench,
    inbox: Mutex<Receiver<Task>>,
}

fn work(outbox: &Outbox, bench: Bench, device: Box<dyn GpuDevice>) -> u8 {
    let streams = bench.bind.streams;
    let stops = Stops::default();
    let (tasks, inbox) = mpsc::channel();
    let shop = Arc::new(Shop {
        outbox: Arc::clone(outbox),
        stops: Arc::clone(&stops),
        bench,
        inbox: Mutex::new(inbox),
    });
    let mut open = Some(Workbench::new(device));
    for _ in 0..streams.max(1) {
        let (shop, bench) = (Arc::clone(&shop), open.take());
        thread::spawn(move || perform_all(&shop, bench));
    }
    if report(outbox, &Report::Bound).is_err() {
        return 0;
    }
    read_orders(outbox, &stops, &tasks);
    0 // the daemon is gone: there is no one to finish for
}

/// Ends when the daemon closes its end.
fn read_orders(channel: &Channel, stops: &Stops, tasks: &Sender<Task>) {
    while let Ok(Some(packet)) = channel.receive::<Order>() {
        match packet.message {
            Order::Run(run) => {
                let stop = StopSignal::new();
                lock(stops).push((run.run, stop.clone()));
                if tasks.send(Task { run: *run, files: packet.files, stop }).is_err() {
                    return;
                }
            }
            Order::Stop { run } => raise(stops, run),
            Order::Bind(_) => return,
        }
    }
}

fn raise(stops: &Stops, run: RunId) {
    if let Some((_, stop)) = lock(stops).iter().find(|(id, _)| *id == run) {
        stop.raise();
    }
}

/// One stream: performs runs, one after the other, until the process ends.
fn perform_all(shop: &Shop, mut bench: Option<Workbench>) {
    let _lookout = PanicIsDeath;
    loop {
        let Ok(Task { run, files, stop }) = lock(&shop.inbox).recv() else { return };
        let outcome = match &mut bench {
            Some(bench) => bench.perform(&run, files, &stop),
            none => shop
                .bench
                .open()
                .and_then(|device| none.insert(Workbench::new(device)).perform(&run, files, &stop)),
        };
        lock(&shop.stops).retain(|(id, _)| *id != run.run);
        let sticky = outcome.as_ref().is_err_and(|failure| failure.sticky);
        let said = match outcome {
            Ok(finished) => report(&shop.outbox, &Report::Finished(finished)),
            Err(failure) => report(&shop.outbox, &Report::Failed { run: run.run, failure }),
        };
        if sticky || said.is_err() {
            std::process::exit(i32::from(EXIT_STICKY));
        }
    }
}

/// A work thread that panics takes the process with it: the daemon then knows that its run is lost, and need not wait.
struct PanicIsDeath;

impl Drop for PanicIsDeath {
    fn drop(&mut self) {
        if thread::panicking() {
            std::process::exit(i32::from(EXIT_STICKY));
        }
    }
}

fn report(outbox: &Channel, report: &Report) -> std::io::Result<()> {
    outbox.send(report, &[])
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
