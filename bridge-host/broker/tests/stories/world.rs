//! A broker with GPUs, a clock that is set by hand, and words to tell stories in.

use bridge_host_broker::{
    Answer, Broker, Caller, Command, Effect, Event, EventRefused, ExecutorRef, JobNumber,
    JobOutcome, JobRequest, Policy, Snapshot,
};
use bridge_host_gpu::{BackendKind, ComputeCapability, GpuInfo, Health, MemoryEnforcement};
use ninedoor_abi::{
    GpuId, JobId, LeaseId, MonoUs, Now, Refusal, Role, TicketId, UnixMs,
    ctl::{LeaseAsk, LeaseGranted, LeaseQueued, LeaseSize},
    job::Extent,
    record::{JobCode, JobStep},
};

/// The wall clock at the start of every story.
pub(crate) const DAWN_MS: u64 = 1_700_000_000_000;

pub(crate) struct World {
    pub(crate) broker: Broker,
    pub(crate) now: Now,
    /// Every effect since the start.
    pub(crate) log: Vec<Effect>,
    /// Microseconds past the millisecond that the wall shows.
    wall_us: u64,
}

impl World {
    /// GPU-0 with 4096 MiB.
    pub(crate) fn new() -> Self {
        Self::with_policy(Policy::default())
    }

    pub(crate) fn with_policy(policy: Policy) -> Self {
        let mut world = Self::without_gpu(policy);
        world.add_gpu("GPU-0", 4096);
        world
    }

    pub(crate) fn without_gpu(policy: Policy) -> Self {
        let now = Now { unix_ms: UnixMs(DAWN_MS), mono_us: MonoUs(0) };
        Self { broker: Broker::new(policy), now, log: Vec::new(), wall_us: 0 }
    }

    pub(crate) fn add_gpu(&mut self, id: &str, memory_mb: u32) {
        self.command(Command::AddGpu { gpu: gpu(id), info: gpu_info(memory_mb), executor_mb: 0 })
            .unwrap();
    }

    pub(crate) fn command(&mut self, command: Command) -> Result<Answer, Refusal> {
        let answer = self.broker.handle(command, self.now);
        self.drain();
        answer
    }

    pub(crate) fn event(&mut self, event: Event) -> Result<(), EventRefused> {
        let outcome = self.broker.observe(event, self.now);
        self.drain();
        outcome
    }

    fn drain(&mut self) {
        while let Some(effect) = self.broker.poll_effect() {
            self.log.push(effect);
        }
    }

    /// Lets time pass, stopping at every deadline on the way.
    pub(crate) fn pass_ms(&mut self, ms: u64) {
        let end = self.now.mono_us.plus_ms(ms);
        while let Some(next) = self.broker.next_deadline(self.now).filter(|next| *next <= end) {
            self.pass_to(next);
        }
        self.pass_to(end);
    }

    fn pass_to(&mut self, at: MonoUs) {
        let wall_us = self.wall_us + at.us_since(self.now.mono_us);
        self.now.unix_ms = self.now.unix_ms.plus_ms(wall_us / 1000);
        self.wall_us = wall_us % 1000;
        self.now.mono_us = at;
        self.broker.tick(self.now);
        self.drain();
    }

    /// Does what is due at the moment the clock shows.
    pub(crate) fn tick(&mut self) {
        self.broker.tick(self.now);
        self.drain();
    }

    pub(crate) fn restore(&mut self, snapshot: Snapshot) {
        self.broker.restore(snapshot, self.now);
        self.drain();
    }

    /// A lease that is granted at once, whatever is asked for.
    pub(crate) fn lease_with(&mut self, who: &str, ask: LeaseAsk) -> LeaseId {
        match self.ask(who, ask) {
            Ok(Answer::Leased(granted)) => granted.id,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn lease_streams(&mut self, who: &str, mem_mb: u32, streams: u16) -> LeaseId {
        let size = LeaseSize { mem_mb, streams, ttl_s: 600 };
        self.lease_with(who, LeaseAsk { size: Some(size), ..LeaseAsk::default() })
    }

    pub(crate) fn set_priority(&mut self, who: &str, priority: u8) -> Result<Answer, String> {
        let command = Command::Priority { by: caller(who), gpu: gpu("GPU-0"), priority };
        self.command(command).map_err(|refusal| format!("{} {}", refusal.errno, refusal.text))
    }

    pub(crate) fn lease(
        &mut self,
        who: &str,
        mem_mb: u32,
        ttl_s: u32,
    ) -> Result<LeaseGranted, String> {
        match self.ask(who, ask(mem_mb, ttl_s)) {
            Ok(Answer::Leased(granted)) => Ok(granted),
            Ok(other) => panic!("{other:?}"),
            Err(refusal) => Err(format!("{} {}", refusal.errno, refusal.text)),
        }
    }

    pub(crate) fn lease_waiting(
        &mut self,
        who: &str,
        mem_mb: u32,
        ttl_s: u32,
        wait_s: u32,
        priority: u8,
    ) -> LeaseQueued {
        let ask = LeaseAsk { wait_s, priority: Some(priority), ..ask(mem_mb, ttl_s) };
        match self.ask(who, ask) {
            Ok(Answer::Waiting(queued)) => queued,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn ask(&mut self, who: &str, ask: LeaseAsk) -> Result<Answer, Refusal> {
        self.command(Command::Lease { by: caller(who), gpu: gpu("GPU-0"), ask })
    }

    pub(crate) fn release(&mut self, who: &str) {
        self.command(Command::Release { by: caller(who), gpu: gpu("GPU-0"), lease: None }).unwrap();
    }

    pub(crate) fn renew(&mut self, who: &str, ttl_s: Option<u32>) -> Result<Answer, String> {
        let command = Command::Renew { by: caller(who), gpu: gpu("GPU-0"), lease: None, ttl_s };
        self.command(command).map_err(|refusal| format!("{} {}", refusal.errno, refusal.text))
    }

    pub(crate) fn submit(&mut self, who: &str, job: &str) -> JobNumber {
        self.submit_request(who, request(job)).unwrap()
    }

    pub(crate) fn submit_request(
        &mut self,
        who: &str,
        request: JobRequest,
    ) -> Result<JobNumber, String> {
        match self.command(Command::Submit { by: caller(who), gpu: gpu("GPU-0"), request }) {
            Ok(Answer::Accepted { job, .. }) => Ok(job),
            Ok(other) => panic!("{other:?}"),
            Err(refusal) => Err(format!("{} {}", refusal.errno, refusal.text)),
        }
    }

    pub(crate) fn cancel(&mut self, who: &str, job: &str) -> Result<Answer, String> {
        let command =
            Command::Cancel { by: caller(who), gpu: gpu("GPU-0"), job: job.parse().unwrap() };
        self.command(command).map_err(|refusal| format!("{} {}", refusal.errno, refusal.text))
    }

    /// The executor that was last spawned for a lease.
    pub(crate) fn executor_of(&self, lease: LeaseId) -> ExecutorRef {
        let spawned = self.log.iter().rev().find_map(|effect| match effect {
            Effect::SpawnExecutor { executor, .. } if executor.lease == lease => {
                Some(executor.clone())
            }
            _ => None,
        });
        spawned.unwrap_or_else(|| panic!("no executor was spawned for {lease}"))
    }

    pub(crate) fn ready(&mut self, lease: LeaseId) {
        let executor = self.executor_of(lease);
        self.event(Event::Ready(executor)).unwrap();
    }

    pub(crate) fn finish(&mut self, lease: LeaseId, job: JobNumber) {
        let executor = self.executor_of(lease);
        self.event(Event::Finished { executor, job, outcome: fine() }).unwrap();
    }

    pub(crate) fn fail(&mut self, lease: LeaseId, job: JobNumber, code: JobCode, sticky: bool) {
        let executor = self.executor_of(lease);
        let outcome = JobOutcome::Err { code, detail: "as scripted".into(), sticky };
        self.event(Event::Finished { executor, job, outcome }).unwrap();
    }

    pub(crate) fn die(&mut self, lease: LeaseId) {
        let executor = self.executor_of(lease);
        self.event(Event::Died { executor, detail: "was killed by signal 9".into() }).unwrap();
    }

    /// The executor that was asked for never came to be.
    pub(crate) fn not_spawned(&mut self, lease: LeaseId) {
        let executor = self.executor_of(lease);
        let detail = "could not be spawned: no such file".into();
        self.event(Event::Died { executor, detail }).unwrap();
    }

    /// The leases for which executors were spawned so far, in order.
    pub(crate) fn spawned(&self) -> Vec<String> {
        let spawns = self.log.iter().filter_map(|effect| match effect {
            Effect::SpawnExecutor { executor, .. } => Some(executor.lease.to_string()),
            _ => None,
        });
        spawns.collect()
    }

    /// The steps of a job so far, in short: `QUEUED`, `RUNNING`, `OK`, `ERR TIMEOUT`.
    pub(crate) fn story(&self, job: &str) -> Vec<String> {
        self.steps(job).map(short).collect()
    }

    pub(crate) fn first_step(&self, job: &str) -> JobStep {
        self.steps(job).next().unwrap().clone()
    }

    pub(crate) fn last_step(&self, job: &str) -> JobStep {
        self.steps(job).last().unwrap().clone()
    }

    fn steps(&self, job: &str) -> impl Iterator<Item = &JobStep> {
        let job: JobId = job.parse().unwrap();
        self.log.iter().filter_map(move |effect| match effect {
            Effect::Record { record, .. } if record.job == job => Some(&record.step),
            _ => None,
        })
    }

    pub(crate) fn last_launch(&self) -> (LeaseId, JobNumber) {
        let launch = self.log.iter().rev().find_map(|effect| match effect {
            Effect::Launch { executor, job, .. } => Some((executor.lease, *job)),
            _ => None,
        });
        launch.unwrap()
    }

    pub(crate) fn soft_stops(&self) -> Vec<String> {
        let stops = self.log.iter().filter_map(|effect| match effect {
            Effect::SoftStop { executor, job } => Some(format!("{} {}", executor.lease, job.0)),
            _ => None,
        });
        stops.collect()
    }

    /// The jobs launched so far, in order.
    pub(crate) fn launched(&self) -> Vec<String> {
        let launches = self.log.iter().filter_map(|effect| match effect {
            Effect::Launch { id, .. } => Some(id.to_string()),
            _ => None,
        });
        launches.collect()
    }

    /// The states of a lease so far.
    pub(crate) fn lease_story(&self, lease: LeaseId) -> Vec<String> {
        let changes = self.log.iter().filter_map(|effect| match effect {
            Effect::LeaseChanged { record, detail, .. } if record.lease == lease => {
                Some(format!("{} {detail}", record.state))
            }
            _ => None,
        });
        changes.map(|change| change.trim_end().to_owned()).collect()
    }

    pub(crate) fn kills(&self) -> Vec<String> {
        let kills = self.log.iter().filter_map(|effect| match effect {
            Effect::Kill { executor, reason } => Some(format!("{} {reason}", executor.lease)),
            _ => None,
        });
        kills.collect()
    }
}

fn short(step: &JobStep) -> String {
    match step {
        JobStep::Queued { .. } => "QUEUED".into(),
        JobStep::Running => "RUNNING".into(),
        JobStep::Ok { .. } => "OK".into(),
        JobStep::Err { code, .. } => format!("ERR {code}"),
    }
}

pub(crate) fn gpu(id: &str) -> GpuId {
    id.parse().unwrap()
}

/// `queen`, or a worker by its name. Each has a ticket of its own.
pub(crate) fn caller(who: &str) -> Caller {
    let ticket = Some(ticket(who));
    match who {
        "queen" => Caller { role: Role::Queen, subject: None, ticket },
        worker => Caller { role: Role::WorkerGpu, subject: Some(worker.parse().unwrap()), ticket },
    }
}

/// A ticket that is another for another name.
pub(crate) fn ticket(who: &str) -> TicketId {
    let sum = who.bytes().fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    TicketId(sum.to_be_bytes())
}

pub(crate) fn ask(mem_mb: u32, ttl_s: u32) -> LeaseAsk {
    LeaseAsk { size: Some(LeaseSize { mem_mb, streams: 1, ttl_s }), ..LeaseAsk::default() }
}

/// A small job that may run for 5 s.
pub(crate) fn request(job: &str) -> JobRequest {
    let one = Extent { x: 1, y: 1, z: 1 };
    JobRequest {
        job: job.parse().unwrap(),
        grid: one,
        block: one,
        shared_bytes: 0,
        memory_bytes: 1 << 20,
        timeout_ms: 5_000,
        queue_timeout_ms: None,
        priority: None,
    }
}

pub(crate) fn fine() -> JobOutcome {
    JobOutcome::Ok { h2d_us: 1, kernel_us: 2, d2h_us: 3, outputs: Vec::new() }
}

pub(crate) fn gpu_info(memory_mb: u32) -> GpuInfo {
    GpuInfo {
        uuid: "GPU-test".into(),
        name: "Test".into(),
        vendor: "Nobody".into(),
        backend: BackendKind::Mock,
        memory_mb,
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
