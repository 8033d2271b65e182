//! The dispatcher: takes orders from the publisher, asks the broker, carries out what the broker decides.
//!
//! No decisions of its own about leases and jobs. What it checks is what only this side of the machine can know: that artefacts are
//! there, that the module's bytes and parameter table fit the descriptor.
//!
//! ```text
//!   ctl, lease, job lines ─▶ Command ─▶ Broker ─▶ Effect ─▶ Outbox ─▶ Fleet (executors), boards (stats), leases (lease),
//!                                         ▲                  │ rows     wishes (the server)
//!   Fleet's News, time ──────▶ Event ─────┘                  ▼
//!                                                         Journal ── synced ──▶ the answer to the line
//! ```

mod admission;
mod board;
mod control;
mod control_log;
mod cubin;
mod effects;
mod health;
mod launch;
mod metrics;
mod modules;
mod outbox;
mod readers;
mod reports;
mod restore;
mod sample;
mod self_test;
mod state;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use bridge_host_broker::{Broker, Command, JobNumber, Policy};
use bridge_host_gpu::{GpuInfo, GpuSample};
use ninedoor_abi::{
    Errno, GpuId, LeaseId, LeaseRecord, MonoUs, Now, Refusal, Subject, TicketId, UnixMs,
};

use ninedoor::AuditLine;
use ninedoor_host::Keeper;

pub(crate) use self::{
    admission::Submitted,
    board::Board,
    readers::{Readers, Reading},
    state::GpuState,
};
use self::{
    control_log::ControlLog, health::Condition, launch::Prepared, modules::Modules, outbox::Outbox,
    self_test::SelfTest,
};
use crate::{
    audit::AuditLog,
    fleet::{Fleet, WatchHandle},
    metrics::figures::{GpuFacts, WorkCounts},
    store::{Artefacts, Journal, Outputs},
};

/// The daemon behind its files.
#[derive(Debug)]
pub(crate) struct Dispatcher {
    broker: Broker,
    pub(crate) fleet: Fleet,
    bell: WatchHandle,
    pub(crate) artefacts: Artefacts,
    pub(crate) outputs: Outputs,
    pub(crate) journal: Journal,
    /// Keeps the log's lines.
    pub(crate) audit: AuditLog,
    outbox: Outbox,
    gpus: BTreeMap<GpuId, Gpu>,
    leases: BTreeMap<LeaseId, LeaseRecord>,
    jobs: BTreeMap<JobNumber, Prepared>,
    modules: Modules,
    keeper: Keeper,
    wishes: VecDeque<Wish>,
    draining: bool,
    /// Bytes of records that have no newline yet, of all fids.
    pub(crate) unfinished: usize,
    /// Self-tests begun, ever.
    self_tests: u64,
}

/// What the daemon keeps of one GPU for those who look.
#[derive(Debug)]
struct Gpu {
    info: GpuInfo,
    /// Device memory that each executor takes besides its lease's.
    executor_mb: u32,
    facts: Arc<GpuFacts>,
    sample: GpuSample,
    sampled_at: Option<UnixMs>,
    sample_errors: u64,
    board: Board,
    control: ControlLog,
    work: WorkCounts,
    condition: Condition,
    self_test: Option<SelfTest>,
}

/// What only the namespace server can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Close the fids by which a worker gives orders to a GPU.
    CloseOrders {
        /// Whose.
        worker: Subject,
        /// To which GPU.
        gpu: GpuId,
    },
    /// Close every session and fid of a ticket, and let it in no more.
    RevokeTicket(TicketId),
    /// Put a line into the log.
    Audit(AuditLine),
}

/// What a dispatcher is made of.
pub(crate) struct Parts {
    pub(crate) broker: Broker,
    pub(crate) fleet: Fleet,
    pub(crate) bell: WatchHandle,
    pub(crate) artefacts: Artefacts,
    pub(crate) outputs: Outputs,
    pub(crate) journal: Journal,
    pub(crate) audit: AuditLog,
    /// Knows the secret of the tickets that are minted here.
    pub(crate) keeper: Keeper,
}

/// How long until what could not be stored is tried again.
const STORE_RETRY_MS: u64 = 1_000;

impl Dispatcher {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { broker, fleet, bell, artefacts, outputs, journal, audit, keeper } = parts;
        Self {
            broker,
            fleet,
            bell,
            artefacts,
            outputs,
            journal,
            audit,
            outbox: Outbox::default(),
            gpus: BTreeMap::new(),
            leases: BTreeMap::new(),
            jobs: BTreeMap::new(),
            modules: Modules::default(),
            keeper,
            wishes: VecDeque::new(),
            draining: false,
            unfinished: 0,
            self_tests: 0,
        }
    }

    /// A GPU is there; each executor on it takes that much device memory besides its lease's.
    ///
    /// # Errors
    /// What the broker refuses about it.
    pub(crate) fn add_gpu(
        &mut self,
        id: GpuId,
        info: GpuInfo,
        executor_mb: u32,
        now: Now,
    ) -> Result<(), Refusal> {
        let command = Command::AddGpu { gpu: id.clone(), info: info.clone(), executor_mb };
        self.broker.handle(command, now)?;
        let gpu = Gpu {
            executor_mb,
            facts: Arc::new(GpuFacts::of(id.clone(), self.gpus.len(), &info)),
            info,
            sample: GpuSample::default(),
            sampled_at: None,
            sample_errors: 0,
            board: Board::default(),
            control: ControlLog::default(),
            work: WorkCounts::none(),
            condition: Condition::default(),
            self_test: None,
        };
        self.gpus.insert(id, gpu);
        self.settle(now);
        Ok(())
    }

    pub(crate) fn gpus(&self) -> impl Iterator<Item = &GpuId> {
        self.gpus.keys()
    }

    pub(crate) fn has_gpu(&self, id: &GpuId) -> bool {
        self.gpus.contains_key(id)
    }

    pub(crate) fn executor_mb(&self, id: &GpuId) -> u32 {
        self.gpus.get(id).map_or(0, |gpu| gpu.executor_mb)
    }

    pub(crate) fn gpu_info(&self, id: &GpuId) -> Result<&GpuInfo, Refusal> {
        self.gpu(id).map(|gpu| &gpu.info)
    }

    /// The next thing that the namespace server is to do.
    pub(crate) fn poll_wish(&mut self) -> Option<Wish> {
        self.wishes.pop_front()
    }

    /// Time has passed.
    pub(crate) fn tick(&mut self, now: Now) {
        self.broker.tick(now);
        self.outputs.expire(now.unix_ms);
        self.end_culprits(now);
        self.end_late_self_tests(now);
        self.artefacts.tell_time(now.unix_ms);
        self.artefacts.collect();
        self.settle(now);
    }

    /// When [`Self::tick`] has something to do next.
    pub(crate) fn next_deadline(&self, now: Now) -> Option<MonoUs> {
        let retry = self.outbox.is_stuck().then(|| now.mono_us.plus_ms(STORE_RETRY_MS));
        let own = [retry, self.culprits_due(), self.self_tests_due(), self.fleet.spares_due()];
        self.broker.next_deadline(now).into_iter().chain(own.into_iter().flatten()).min()
    }

    /// Grants and accepts nothing more: what is accepted goes on to its end.
    pub(crate) fn drain(&mut self, now: Now) {
        self.draining = true;
        for gpu in self.gpus.keys().cloned().collect::<Vec<_>>() {
            if let Err(refusal) = self.broker.handle(Command::Drain { gpu }, now) {
                tracing::warn!(%refusal, "cannot drain");
            }
        }
        self.settle(now);
    }

    /// Another policy from now on; what it makes possible happens now.
    pub(crate) fn set_policy(&mut self, policy: Policy, now: Now) {
        self.broker.set_policy(policy);
        self.tick(now);
    }

    /// Whether every job that was accepted has ended.
    pub(crate) fn is_idle(&self) -> bool {
        self.jobs.is_empty()
    }

    fn gpu(&self, id: &GpuId) -> Result<&Gpu, Refusal> {
        self.gpus.get(id).ok_or_else(|| no_gpu(id))
    }
}

fn no_gpu(id: &GpuId) -> Refusal {
    Refusal::new(Errno::ENODEV, format!("no gpu {id} here"))
}
