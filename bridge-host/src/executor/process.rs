//! The executor's threads: one reads orders, one for each stream works.

use std::{
    os::fd::OwnedFd,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, Receiver, Sender},
    },
    thread,
};

use bridge_host_gpu::{DeviceLimits, GpuDevice, StopSignal};

use super::{
    channel::Channel,
    confine::confine,
    protocol::{Bind, Failure, Order, Report, Run, RunId},
    run::Workbench,
};
use crate::backend::Backend;

/// The hidden first argument that makes any embedding program an executor.
pub(crate) const EXECUTOR_ARGUMENT: &str = "executor";

/// Exit code after a failure that leaves the GPU context unusable.
const EXIT_STICKY: u8 = 70;

/// If this process was started as an executor, does an executor's work and never returns.
///
/// A program that embeds the bridge calls this first thing in `main`: the bridge starts its executors by running the same
/// program again.
pub fn executor_main() {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() != Some(EXECUTOR_ARGUMENT) {
        return;
    }
    let code = match arguments.next().as_deref().map(str::parse::<Backend>) {
        Some(Ok(backend)) => serve(backend),
        _ => usage(),
    };
    std::process::exit(i32::from(code));
}

fn usage() -> u8 {
    eprintln!(
        "executor: internal command; wanted: executor nvidia|soft|mock, with a packet socket as standard input"
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

fn serve(backend: Backend) -> u8 {
    let Ok(end) = rustix::io::dup(rustix::stdio::stdin()) else { return usage() };
    let outbox = Outbox::new(Channel::inherited(end));
    let confinement = confine();
    if report(&outbox, &Report::Ready { confinement }).is_err() {
        return usage();
    }
    let Some(bind) = first_order(&outbox) else { return 0 };
    let bench = Bench { backend, bind };
    match bench.open() {
        Ok(device) => work(&outbox, bench, device),
        Err(failure) => {
            let _ = report(&outbox, &Report::NotBound(failure)); // the exit code says it too
            EXIT_STICKY
        }
    }
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
    backend: Backend,
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
        Ok(self.backend.open_device(uuid, limits)?)
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
