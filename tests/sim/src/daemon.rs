//! The daemon: the real broker, and a store that commits in groups. Nothing is carried out or answered before it is stored.

use std::collections::BTreeMap;

use bridge_host_broker::{Answer, Broker, Command, Effect, Event, EventRefused, Policy};
use bridge_host_gpu::{BackendKind, ComputeCapability, GpuInfo, Health, MemoryEnforcement};
use ninedoor_abi::{Errno, GpuId, MonoUs, Now, Refusal, UnixMs};

use crate::{
    happening::{Reply, Request},
    store::Store,
};

/// The wall clock when the simulation begins.
const DAWN_MS: u64 = 1_700_000_000_000;
/// Device memory of each GPU.
pub(crate) const GPU_MB: u32 = 4096;

#[derive(Debug)]
pub(crate) struct Daemon {
    broker: Broker,
    boot_us: u64,
    /// How far the wall clock was set ahead, in milliseconds.
    pub(crate) wall_ahead_ms: u64,
    /// What is being stored, and what comes after it.
    committing: Option<Batch>,
    next: Batch,
}

/// Effects, and the answers that may be given once they are stored, each to its worker and session.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) effects: Vec<Effect>,
    pub(crate) answers: Vec<(usize, u64, Reply)>,
    requests: BTreeMap<ninedoor_abi::JobId, bridge_host_broker::JobRequest>,
}

impl Daemon {
    pub(crate) fn boot(now_us: u64, wall_ahead_ms: u64, store: &Store) -> Self {
        let broker = Broker::new(policy());
        let mut daemon = Self {
            broker,
            boot_us: now_us,
            wall_ahead_ms,
            committing: None,
            next: Batch::default(),
        };
        let now = daemon.now(now_us);
        for gpu in gpus() {
            let command = Command::AddGpu { gpu, info: info(), executor_mb: 0 };
            daemon.broker.handle(command, now).unwrap();
        }
        daemon.broker.restore(store.snapshot(), now);
        daemon.drain();
        daemon
    }

    pub(crate) fn now(&self, now_us: u64) -> Now {
        let unix_ms = UnixMs(DAWN_MS + now_us / 1000 + self.wall_ahead_ms);
        Now { unix_ms, mono_us: MonoUs(now_us - self.boot_us) }
    }

    /// When the broker wants to be called next, in the simulation's time.
    pub(crate) fn due_us(&self, now_us: u64) -> Option<u64> {
        self.broker.next_deadline(self.now(now_us)).map(|at| self.boot_us + at.0)
    }

    pub(crate) fn tick(&mut self, now_us: u64) {
        self.broker.tick(self.now(now_us));
        self.drain();
    }

    pub(crate) fn request(
        &mut self,
        now_us: u64,
        worker: usize,
        session: u64,
        request: Request,
        store: &Store,
    ) {
        let reply = match request {
            Request::WhichEnded(jobs) => {
                Reply::Ended(jobs.into_iter().filter(|job| store.has_ended(job)).collect())
            }
            Request::Do(command) => self.command(now_us, *command),
        };
        self.next.answers.push((worker, session, reply));
    }

    pub(crate) fn command(&mut self, now_us: u64, command: Command) -> Reply {
        if let Command::Submit { request, .. } = &command {
            // Only of an accepted job is there a record to store with it.
            self.next.requests.entry(request.job.clone()).or_insert_with(|| request.clone());
        }
        let answer = self.broker.handle(command, self.now(now_us));
        self.drain();
        match answer {
            Ok(Answer::Leased(granted)) => Reply::Leased(granted),
            Ok(Answer::Waiting(_)) => Reply::Waiting,
            Ok(Answer::Done) => Reply::Done,
            Ok(Answer::Accepted { .. }) => Reply::Accepted,
            Err(Refusal { errno, .. }) => Reply::Refused(errno.name().unwrap()),
        }
    }

    pub(crate) fn event(&mut self, now_us: u64, event: Event) -> Result<(), EventRefused> {
        let outcome = self.broker.observe(event, self.now(now_us));
        self.drain();
        outcome
    }

    fn drain(&mut self) {
        while let Some(effect) = self.broker.poll_effect() {
            self.next.effects.push(effect);
        }
    }

    /// Begins to store what came up, unless the store is busy; whether it began.
    pub(crate) fn begin_commit(&mut self) -> bool {
        let idle = self.committing.is_none()
            && !(self.next.effects.is_empty() && self.next.answers.is_empty());
        if idle {
            self.committing = Some(core::mem::take(&mut self.next));
        }
        idle
    }

    /// It is stored: now it may be carried out.
    pub(crate) fn committed(&mut self, store: &mut Store) -> Batch {
        let batch = self.committing.take().expect("one commit at a time");
        for effect in &batch.effects {
            let request = match effect {
                Effect::Record { record, .. } => batch.requests.get(&record.job),
                _ => None,
            };
            store.apply(effect, request);
        }
        batch
    }

    /// Leases there are, to choose one of.
    pub(crate) fn lease_nth(&self, gpu: &GpuId, nth: u64) -> Option<ninedoor_abi::LeaseId> {
        let leases = self.broker.leases(gpu);
        let at = usize::try_from(nth).ok()?.checked_rem(leases.len())?;
        leases.get(at).map(|lease| lease.record.lease)
    }

    /// Nothing is left of anybody.
    pub(crate) fn is_at_rest(&self) -> bool {
        let idle = |gpu: &GpuId| {
            let view = self.broker.gpu_view(gpu).unwrap();
            (view.leased_mb, view.jobs_queued, view.jobs_running, view.executors) == (0, 0, 0, 0)
        };
        self.broker.gpus().all(idle) && self.committing.is_none() && self.next.effects.is_empty()
    }
}

/// Whether a refusal means "later".
pub(crate) fn means_later(errno: &str) -> bool {
    [Errno::EBUSY, Errno::ENODEV].iter().any(|later| later.name() == Some(errno))
}

pub(crate) fn gpus() -> [GpuId; 2] {
    ["GPU-0", "GPU-1"].map(|gpu| gpu.parse().unwrap())
}

fn policy() -> Policy {
    Policy { lease_jobs_max: 4, ..Policy::default() }
}

fn info() -> GpuInfo {
    GpuInfo {
        uuid: "GPU-sim".into(),
        name: "Simulated".into(),
        vendor: "Nobody".into(),
        backend: BackendKind::Mock,
        memory_mb: GPU_MB,
        memory_reserved_mb: 0,
        sm_count: 4,
        compute_capability: ComputeCapability { major: 8, minor: 0 },
        driver_version: "0".into(),
        runtime_version: "0".into(),
        pci_bus_id: None,
        streams_max: 16,
        block_threads_max: 1024,
        block_max: [1024, 1024, 64],
        grid_max: [2_147_483_647, 65_535, 65_535],
        shared_bytes_max: 49_152,
        memory_enforcement: MemoryEnforcement::Accounting,
        topology: bridge_host_gpu::Topology::default(),
        mig: None,
        health: Health::Ok,
    }
}
