//! A run of a script: the broker, a clock, executors that do as they are told.

use std::fmt::Write as _;

use bridge_host_broker::{
    Answer, Broker, Caller, Command, Effect, Event, Eviction, ExecutorRef, JobNumber, JobOutcome,
    JobRequest, Policy,
};
use bridge_host_gpu::{BackendKind, ComputeCapability, GpuInfo, Health, MemoryEnforcement};
use ninedoor_abi::{
    Epoch, GpuId, MonoUs, Now, Role, Subject, TicketId, UnixMs,
    ctl::{LeaseAsk, LeaseSize},
    job::Extent,
    record::JobCode,
};

use crate::{
    checker::Checker,
    script::{Act, Step},
};

const GPU_MB: u32 = 6 * 1024;

pub(crate) struct Run {
    broker: Broker,
    now: Now,
    checker: Checker,
    executors: Vec<Executor>,
    resets: Vec<GpuId>,
    /// All that came out, as text.
    pub(crate) told: String,
}

struct Executor {
    id: ExecutorRef,
    ready: bool,
    killed: bool,
    jobs: Vec<JobNumber>,
}

impl Run {
    pub(crate) fn new() -> Self {
        let mut run = Self {
            broker: Broker::new(policy()),
            now: Now { unix_ms: UnixMs(1_700_000_000_000), mono_us: MonoUs(0) },
            checker: Checker::default(),
            executors: Vec::new(),
            resets: Vec::new(),
            told: String::new(),
        };
        run.add_gpus();
        run
    }

    fn add_gpus(&mut self) {
        for nth in 0..2 {
            self.checker.gpu(gpu(nth), GPU_MB.into());
            self.command(Command::AddGpu { gpu: gpu(nth), info: info(), executor_mb: 0 });
        }
    }

    pub(crate) fn step(&mut self, step: Step) {
        match step {
            Step::Lease { who, gpu: on, for_worker, mem_gb, streams, ttl_s, wait_s, priority } => {
                let size = LeaseSize {
                    mem_mb: u32::from(mem_gb) * 1024,
                    streams: streams.into(),
                    ttl_s: ttl_s.into(),
                };
                let worker = for_worker.then(|| subject(who));
                let by = if for_worker { queen() } else { caller(who) };
                let ask = LeaseAsk {
                    size: Some(size),
                    priority: Some(priority),
                    worker,
                    wait_s: wait_s.into(),
                };
                self.command(Command::Lease { by, gpu: gpu(on), ask });
            }
            Step::BareLease { who, gpu: on } => {
                self.command(Command::Lease {
                    by: caller(who),
                    gpu: gpu(on),
                    ask: LeaseAsk::default(),
                });
            }
            Step::Release { who, gpu: on } => {
                self.command(Command::Release { by: caller(who), gpu: gpu(on), lease: None });
            }
            Step::Renew { who, gpu: on, ttl_s } => {
                let ttl_s = Some(u32::from(ttl_s)).filter(|ttl_s| *ttl_s > 0);
                self.command(Command::Renew { by: caller(who), gpu: gpu(on), lease: None, ttl_s });
            }
            Step::Priority { who, gpu: on, priority } => {
                self.command(Command::Priority { by: caller(who), gpu: gpu(on), priority });
            }
            Step::Submit { who, gpu: on, name, mem_mb, timeout_ms, queue_timeout_ms, priority } => {
                let request = JobRequest {
                    job: format!("j{name}").parse().unwrap(),
                    grid: ONE,
                    block: ONE,
                    shared_bytes: 0,
                    memory_bytes: u64::from(mem_mb) << 20,
                    timeout_ms: timeout_ms.into(),
                    queue_timeout_ms: queue_timeout_ms.map(u32::from),
                    priority: Some(priority),
                };
                self.command(Command::Submit { by: caller(who), gpu: gpu(on), request });
            }
            Step::Cancel { who, gpu: on, name } => {
                let job = format!("j{name}").parse().unwrap();
                self.command(Command::Cancel { by: caller(who), gpu: gpu(on), job });
            }
            Step::Revoke { gpu: on, nth } => self.revoke(&gpu(on), nth),
            Step::RevokeTicket { who } => {
                self.command(Command::RevokeTicket { ticket: ticket(who) })
            }
            Step::Drain { gpu: on, drained: true } => self.command(Command::Drain { gpu: gpu(on) }),
            Step::Drain { gpu: on, drained: false } => {
                self.command(Command::Undrain { gpu: gpu(on) })
            }
            Step::Health { gpu: on, ok } => {
                let health = if ok { Health::Ok } else { Health::Unusable("scripted".into()) };
                self.command(Command::SetHealth { gpu: gpu(on), health });
            }
            Step::Reset { gpu: on } => self.command(Command::Reset { gpu: gpu(on) }),
            Step::ResetDone { failed } => self.reset_done(failed),
            Step::Executor { nth, act } => self.act(nth, act),
            Step::Pass { ms } => self.pass_ms(ms.into()),
            Step::WallJump { s } => {
                self.now.unix_ms = self.now.unix_ms.plus_s(s.into());
                self.pass_ms(0);
            }
            Step::Restart { down_s } => self.restart(down_s),
        }
    }

    fn command(&mut self, command: Command) {
        let answer = self.broker.handle(command, self.now);
        self.drain();
        let _ = writeln!(self.told, "{answer:?}");
        if let Ok(Answer::Accepted { job, .. }) = answer {
            self.checker.accepted(job);
        }
        self.checker.check();
    }

    fn event(&mut self, event: Event) {
        let outcome = self.broker.observe(event, self.now);
        self.drain();
        let _ = writeln!(self.told, "{outcome:?}");
        self.checker.check();
    }

    fn drain(&mut self) {
        while let Some(effect) = self.broker.poll_effect() {
            let _ = writeln!(self.told, "{effect:?}");
            self.checker.effect(&effect);
            match effect {
                Effect::SpawnExecutor { executor, .. } => {
                    self.executors.push(Executor {
                        id: executor,
                        ready: false,
                        killed: false,
                        jobs: Vec::new(),
                    });
                }
                Effect::Launch { executor, job, .. } => self.executor(&executor).jobs.push(job),
                Effect::Kill { executor, .. } => self.executor(&executor).killed = true,
                Effect::ResetGpu { gpu } => self.resets.push(gpu),
                _ => {}
            }
        }
    }

    fn executor(&mut self, id: &ExecutorRef) -> &mut Executor {
        self.executors.iter_mut().find(|executor| executor.id == *id).unwrap()
    }

    fn revoke(&mut self, on: &GpuId, nth: u8) {
        let leases = self.broker.leases(on);
        if let Some(lease) = nth_of(&leases, nth) {
            self.command(Command::Revoke { gpu: on.clone(), lease: lease.record.lease });
        }
    }

    fn reset_done(&mut self, failed: bool) {
        if let Some(gpu) = self.resets.pop() {
            self.event(Event::GpuReset { gpu, failed: failed.then(|| "scripted".into()) });
        }
    }

    fn act(&mut self, nth: u8, act: Act) {
        let Some(at) =
            (!self.executors.is_empty()).then(|| usize::from(nth) % self.executors.len())
        else {
            return;
        };
        let executor = &mut self.executors[at];
        let id = executor.id.clone();
        let finished = |job, outcome| Event::Finished { executor: id.clone(), job, outcome };
        match act {
            Act::Ready if !executor.ready => {
                executor.ready = true;
                self.checker.became_ready(&id);
                self.event(Event::Ready(id));
            }
            Act::Ready => {}
            Act::Finish { nth } => {
                if let Some(job) = take_nth(&mut executor.jobs, nth) {
                    self.event(finished(job, fine()));
                }
            }
            Act::Fail { nth, sticky } => {
                if let Some(job) = take_nth(&mut executor.jobs, nth) {
                    let outcome =
                        JobOutcome::Err { code: JobCode::Fault, detail: "scripted".into(), sticky };
                    self.event(finished(job, outcome));
                }
            }
            Act::Die => self.die(at),
            Act::Lie { job } => self.event(finished(JobNumber(1_000_000 + u64::from(job)), fine())),
            Act::SpeakFromTheGrave => {
                let epoch = Epoch(id.epoch.0.saturating_sub(1));
                let before = self.told.len();
                self.event(Event::Died {
                    executor: ExecutorRef { epoch, ..id },
                    detail: "long ago".into(),
                });
                let told = &self.told[before..];
                assert!(told.ends_with(&format!("epoch: Epoch({}) }})\n", epoch.0)), "{told}");
            }
        }
    }

    fn die(&mut self, at: usize) {
        let executor = self.executors.remove(at).id;
        self.checker.dies(&executor);
        self.event(Event::Died { executor: executor.clone(), detail: "scripted".into() });
        self.checker.died(&executor);
        self.checker.check();
    }

    /// Stops at every deadline on the way.
    fn pass_ms(&mut self, ms: u64) {
        let end = self.now.mono_us.plus_ms(ms);
        loop {
            let next =
                self.broker.next_deadline(self.now).filter(|next| *next < end).unwrap_or(end);
            self.now.unix_ms =
                self.now.unix_ms.plus_ms(next.us_since(self.now.mono_us).div_ceil(1000));
            self.now.mono_us = self.now.mono_us.max(next);
            self.broker.tick(self.now);
            self.drain();
            self.checker.check();
            if next >= end {
                return;
            }
        }
    }

    fn restart(&mut self, down_s: u8) {
        let snapshot = self.broker.snapshot();
        self.broker = Broker::new(policy());
        self.executors.clear();
        self.resets.clear();
        self.checker.restarted();
        self.now.mono_us = MonoUs(0);
        self.now.unix_ms = self.now.unix_ms.plus_s(down_s.into());
        self.add_gpus();
        self.broker.restore(snapshot, self.now);
        self.drain();
        self.checker.nothing_runs();
        self.checker.check();
    }

    /// Everybody behaves from here on, and nobody asks for more: all must come to its end.
    pub(crate) fn come_to_rest(&mut self) {
        for nth in 0..2 {
            self.command(Command::SetHealth { gpu: gpu(nth), health: Health::Ok });
            self.command(Command::Undrain { gpu: gpu(nth) });
        }
        for _ in 0..10_000 {
            if !self.one_good_deed() {
                let Some(next) = self.broker.next_deadline(self.now) else { break };
                self.pass_ms(next.us_since(self.now.mono_us).div_ceil(1000));
            }
        }
        assert_eq!(self.broker.next_deadline(self.now), None, "something is due for ever");
        self.checker.at_rest();
        for nth in 0..2 {
            let view = self.broker.gpu_view(&gpu(nth)).unwrap();
            assert_eq!(
                (view.leased_mb, view.jobs_queued, view.jobs_running, view.executors),
                (0, 0, 0, 0),
                "{view:?}"
            );
        }
    }

    fn one_good_deed(&mut self) -> bool {
        if !self.resets.is_empty() {
            self.reset_done(false);
            return true;
        }
        for at in 0..self.executors.len() {
            let nth = u8::try_from(at).unwrap();
            let executor = &self.executors[at];
            match (executor.killed, executor.ready, executor.jobs.is_empty()) {
                (true, ..) => self.die(at),
                (_, false, _) => self.act(nth, Act::Ready),
                (_, _, false) => self.act(nth, Act::Finish { nth: 0 }),
                _ => continue,
            }
            return true;
        }
        false
    }
}

fn nth_of<T>(list: &[T], nth: u8) -> Option<&T> {
    list.get(usize::from(nth).checked_rem(list.len())?)
}

fn take_nth<T>(list: &mut Vec<T>, nth: u8) -> Option<T> {
    let at = usize::from(nth).checked_rem(list.len())?;
    Some(list.remove(at))
}

const ONE: Extent = Extent { x: 1, y: 1, z: 1 };

/// Fewer than leases that may want one.
pub(crate) const EXECUTORS_MAX: u32 = 2;

fn policy() -> Policy {
    Policy {
        eviction: Eviction::LowerPriority,
        eviction_grace_s: 2,
        lease_waiters_max: 3,
        lease_jobs_max: 6,
        gpu_jobs_max: 12,
        leases_max: 4,
        executors_max: EXECUTORS_MAX,
        executor_starts_max: 2,
        ..Policy::default()
    }
}

fn gpu(nth: u8) -> GpuId {
    format!("GPU-{nth}").parse().unwrap()
}

fn subject(who: u8) -> Subject {
    format!("w{who}").parse().unwrap()
}

fn ticket(who: u8) -> TicketId {
    TicketId([0, 0, 0, who])
}

fn caller(who: u8) -> Caller {
    Caller { role: Role::WorkerGpu, subject: Some(subject(who)), ticket: Some(ticket(who)) }
}

fn queen() -> Caller {
    Caller { role: Role::Queen, subject: None, ticket: None }
}

fn fine() -> JobOutcome {
    JobOutcome::Ok { h2d_us: 1, kernel_us: 2, d2h_us: 3, outputs: Vec::new() }
}

fn info() -> GpuInfo {
    GpuInfo {
        uuid: "GPU-test".into(),
        name: "Test".into(),
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
