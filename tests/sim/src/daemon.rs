//! The daemon: the real broker, over a store in two steps. What the broker decides is handed to the system before it is carried
//! out; it is answered when it is on the disk, in groups.

use std::collections::{BTreeMap, VecDeque};

use bridge_host_broker::{
    Answer, Broker, Command, Effect, Event, EventRefused, JobRequest, Policy,
};
use bridge_host_gpu::{BackendKind, ComputeCapability, GpuInfo, Health, MemoryEnforcement};
use ninedoor_abi::{Errno, GpuId, JobId, MonoUs, Now, Refusal, UnixMs};

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
    /// What is to be handed to the system, and then carried out.
    effects: VecDeque<Effect>,
    /// What descriptors say of jobs that are being accepted.
    requests: BTreeMap<JobId, JobRequest>,
    /// Answers that are given when the sync that is under way is done.
    syncing: Option<Vec<Answered>>,
    /// Answers that the next sync is for.
    waiting: Vec<Answered>,
    /// Whether something was handed over since the last sync began.
    dirty: bool,
}

/// A reply to a worker's session.
pub(crate) type Answered = (usize, u64, Reply);

impl Daemon {
    pub(crate) fn boot(now_us: u64, wall_ahead_ms: u64, store: &Store) -> Self {
        let broker = Broker::new(policy());
        let mut daemon = Self {
            broker,
            boot_us: now_us,
            wall_ahead_ms,
            effects: VecDeque::new(),
            requests: BTreeMap::new(),
            syncing: None,
            waiting: Vec::new(),
            dirty: false,
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
        self.waiting.push((worker, session, reply));
    }

    pub(crate) fn command(&mut self, now_us: u64, command: Command) -> Reply {
        if let Command::Submit { request, .. } = &command {
            // Only of an accepted job is there a record to store with it.
            self.requests.insert(request.job.clone(), request.clone());
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
        self.effects.extend(core::iter::from_fn(|| self.broker.poll_effect()));
    }

    /// Hands the next effect to the system; now it may be carried out.
    pub(crate) fn store_next(&mut self, store: &mut Store) -> Option<Effect> {
        let effect = self.effects.pop_front()?;
        let request = match &effect {
            Effect::Record { record, .. } => self.requests.remove(&record.job),
            _ => None,
        };
        store.apply(&effect, request.as_ref());
        self.dirty = true;
        Some(effect)
    }

    /// Begins to sync, unless the disk is busy; whether it began.
    pub(crate) fn begin_sync(&mut self) -> bool {
        let begins = self.syncing.is_none() && (self.dirty || !self.waiting.is_empty());
        if begins {
            self.dirty = false;
            self.syncing = Some(core::mem::take(&mut self.waiting));
        }
        begins
    }

    /// It is on the disk: now it may be answered.
    pub(crate) fn synced(&mut self) -> Vec<Answered> {
        self.syncing.take().expect("one sync at a time")
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
        self.broker.gpus().all(idle) && self.syncing.is_none() && self.effects.is_empty()
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
