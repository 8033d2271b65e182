//! A GPU with many leases and many jobs that wait, for the benchmarks.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a benchmark that cannot be set up must not run"
)]

use bridge_host_broker::{
    Answer, Broker, Caller, Command, Effect, Event, ExecutorRef, JobNumber, JobOutcome, JobRequest,
    Policy,
};
use bridge_host_gpu::{BackendKind, ComputeCapability, GpuInfo, Health, MemoryEnforcement};
use ninedoor_abi::{
    GpuId, MonoUs, Now, Role, UnixMs,
    ctl::{LeaseAsk, LeaseSize},
    job::Extent,
};

/// Leases on the GPU.
pub(crate) const LEASES: u64 = 300;

/// A broker in which something always runs, and the clock it is told.
pub(crate) struct Crowd {
    broker: Broker,
    now: Now,
    submitted: u64,
    running: Option<(ExecutorRef, JobNumber)>,
}

impl Crowd {
    /// So many jobs wait in [`LEASES`] leases, each with an executor that is ready.
    pub(crate) fn new(jobs: u64) -> Self {
        let policy = Policy {
            lease_jobs_max: 1 << 20,
            gpu_jobs_max: 1 << 20,
            executors_max: 1 << 10,
            ..Policy::default()
        };
        let now = Now { unix_ms: UnixMs(1_700_000_000_000), mono_us: MonoUs(0) };
        let mut crowd = Self { broker: Broker::new(policy), now, submitted: 0, running: None };
        crowd.command(Command::AddGpu { gpu: gpu(), info: info(), executor_mb: 0 });
        for nth in 0..LEASES {
            let size = LeaseSize { mem_mb: 64, streams: 1, ttl_s: 3600 };
            let priority = u8::try_from(nth % 4).ok();
            let ask = LeaseAsk { size: Some(size), priority, ..LeaseAsk::default() };
            crowd.command(Command::Lease { by: caller(nth), gpu: gpu(), ask });
        }
        (0..jobs.max(LEASES)).for_each(|_| crowd.submit());
        crowd
    }

    /// One more job, of the next lease.
    pub(crate) fn submit(&mut self) {
        self.submitted += 1;
        self.now.mono_us = self.now.mono_us.plus_us(3);
        let request = JobRequest {
            job: format!("jid-{}", self.submitted).parse().unwrap(),
            grid: ONE,
            block: ONE,
            shared_bytes: 0,
            memory_bytes: 1 << 20,
            timeout_ms: 5_000,
            queue_timeout_ms: Some(86_400_000),
            priority: u8::try_from(self.submitted % 3).ok(),
        };
        let by = caller(self.submitted % LEASES);
        self.command(Command::Submit { by, gpu: gpu(), request });
    }

    /// What runs ends, and another is launched.
    pub(crate) fn finish(&mut self) {
        let (executor, job) = self.running.take().unwrap();
        let outcome = JobOutcome::Ok { h2d_us: 1, kernel_us: 2, d2h_us: 3, outputs: Vec::new() };
        self.now.mono_us = self.now.mono_us.plus_us(7);
        self.broker.observe(Event::Finished { executor, job, outcome }, self.now).unwrap();
        self.drain();
        assert!(self.running.is_some(), "something always runs");
    }

    fn command(&mut self, command: Command) -> Answer {
        let answer = self.broker.handle(command, self.now).unwrap();
        self.drain();
        answer
    }

    fn drain(&mut self) {
        while let Some(effect) = self.broker.poll_effect() {
            match effect {
                Effect::SpawnExecutor { executor, .. } => {
                    self.broker.observe(Event::Ready(executor), self.now).unwrap();
                }
                Effect::Launch { executor, job, .. } => self.running = Some((executor, job)),
                _ => {}
            }
        }
    }

    /// A lease that nothing could ever hold.
    #[allow(dead_code, reason = "one of the two benchmarks asks")]
    pub(crate) fn ask_too_much(&mut self) -> bool {
        let size = LeaseSize { mem_mb: 999_999_999, streams: 1, ttl_s: 60 };
        let ask = LeaseAsk { size: Some(size), ..LeaseAsk::default() };
        self.broker
            .handle(Command::Lease { by: caller(LEASES), gpu: gpu(), ask }, self.now)
            .is_err()
    }
}

const ONE: Extent = Extent { x: 1, y: 1, z: 1 };

fn gpu() -> GpuId {
    "GPU-0".parse().unwrap()
}

fn caller(nth: u64) -> Caller {
    Caller {
        role: Role::WorkerGpu,
        subject: Some(format!("worker-{nth}").parse().unwrap()),
        ticket: None,
    }
}

fn info() -> GpuInfo {
    GpuInfo {
        uuid: "GPU-test".into(),
        name: "Test".into(),
        vendor: "Nobody".into(),
        backend: BackendKind::Mock,
        memory_mb: 81_920,
        memory_reserved_mb: 0,
        sm_count: 144,
        compute_capability: ComputeCapability { major: 9, minor: 0 },
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
