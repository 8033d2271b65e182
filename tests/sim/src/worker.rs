//! A worker: it wants so many jobs ended, and does whatever it takes.

use std::collections::BTreeSet;

use bridge_host_broker::{Caller, Command, JobRequest};
use ninedoor_abi::{
    GpuId, JobId, Role, Subject,
    ctl::{LeaseAsk, LeaseSize},
    job::Extent,
};

use crate::{
    daemon::means_later,
    dice::Dice,
    happening::{Reply, Request},
};

#[derive(Debug)]
pub(crate) struct Worker {
    name: Subject,
    gpu: GpuId,
    ask: LeaseAsk,
    /// Whether it asks how its lease stands, rather than for one.
    ask_bare: bool,
    wanted: usize,
    ended: usize,
    named: u64,
    /// Submitted, or about to be, and not known to have ended.
    open: BTreeSet<JobId>,
    doing: Doing,
    /// Grows with each request: an answer to an earlier one came over a connection that was given up.
    pub(crate) session: u64,
    /// Grows with each step: a timer of an earlier step does nothing.
    pub(crate) turn: u64,
    /// When it renews next, in the simulation's time.
    renew_us: u64,
}

#[derive(Debug, Clone)]
enum Doing {
    Leasing,
    Submitting(JobRequest),
    Watching,
    Renewing,
    Cancelling(JobId),
    Releasing,
    Finished,
}

impl Worker {
    pub(crate) fn new(nth: usize, gpu: GpuId, dice: &mut Dice) -> Self {
        let number = |low, high, dice: &mut Dice| u32::try_from(dice.between(low, high)).unwrap();
        let size = LeaseSize {
            mem_mb: number(256, 4096, dice),
            streams: u16::try_from(dice.between(1, 3)).unwrap(),
            ttl_s: number(2, 30, dice),
        };
        let priority = u8::try_from(dice.between(0, 3)).ok();
        Self {
            name: format!("worker-{nth}").parse().unwrap(),
            gpu,
            ask_bare: false,
            ask: LeaseAsk { size: Some(size), priority, worker: None, wait_s: 3600 },
            wanted: usize::try_from(dice.between(15, 50)).unwrap(),
            ended: 0,
            named: 0,
            open: BTreeSet::new(),
            doing: Doing::Leasing,
            session: 0,
            turn: 0,
            renew_us: u64::MAX,
        }
    }

    pub(crate) fn is_finished(&self) -> bool {
        matches!(self.doing, Doing::Finished)
    }

    /// What it says when it never gets there.
    pub(crate) fn complaint(&self) -> String {
        format!(
            "{} has {} of {} jobs ended and is {:?}",
            self.name, self.ended, self.wanted, self.doing
        )
    }

    /// What it asks next; the same again when the answer to it was lost.
    pub(crate) fn request(&self) -> Option<Request> {
        let (by, gpu) = (self.caller(), self.gpu.clone());
        let command = match &self.doing {
            Doing::Leasing if self.ask_bare => Command::Lease { by, gpu, ask: LeaseAsk::default() },
            Doing::Leasing => Command::Lease { by, gpu, ask: self.ask.clone() },
            Doing::Submitting(request) => Command::Submit { by, gpu, request: request.clone() },
            Doing::Renewing => Command::Renew { by, gpu, lease: None, ttl_s: None },
            Doing::Cancelling(job) => Command::Cancel { by, gpu, job: job.clone() },
            Doing::Releasing => Command::Release { by, gpu, lease: None },
            Doing::Watching => {
                return Some(Request::WhichEnded(self.open.iter().cloned().collect()));
            }
            Doing::Finished => return None,
        };
        Some(Request::Do(Box::new(command)))
    }

    /// Takes a reply in, and says how long it waits before it goes on.
    pub(crate) fn reply(&mut self, reply: Reply, now_us: u64, dice: &mut Dice) -> u64 {
        let doing = core::mem::replace(&mut self.doing, Doing::Watching);
        match (doing, reply) {
            (Doing::Leasing, Reply::Leased(granted)) => {
                self.renew_us = now_us + u64::from(granted.ttl_s) * 500_000;
            }
            // Bare LEASE tells how it stands.
            (Doing::Leasing, Reply::Waiting) => {
                self.doing = Doing::Leasing;
                self.ask_bare = true;
                return 200_000;
            }
            // It has one already: the answer that said so was lost, and a bare LEASE tells.
            (Doing::Leasing, Reply::Refused(errno)) => {
                self.forget_lease();
                self.ask_bare = errno == "EBUSY" && dice.chance(900);
                return 300_000;
            }
            (Doing::Submitting(_), Reply::Accepted | Reply::Refused("EEXIST")) => {}
            (Doing::Submitting(request), Reply::Refused(errno)) if means_later(errno) => {
                self.doing = Doing::Submitting(request);
                return self.sleep_or_renew(now_us, 150_000);
            }
            (Doing::Submitting(request), Reply::Refused(_)) => {
                // It was never accepted, and the lease is gone.
                self.open.remove(&request.job);
                self.forget_lease();
                return 1_000;
            }
            (Doing::Watching, Reply::Ended(jobs)) => {
                for job in jobs {
                    self.ended += usize::from(self.open.remove(&job));
                }
            }
            (Doing::Renewing, Reply::Leased(granted)) => {
                self.renew_us = now_us + u64::from(granted.ttl_s) * 500_000
            }
            (Doing::Renewing, _) => self.renew_us = u64::MAX,
            (Doing::Releasing, _) => {
                self.doing = Doing::Finished;
                return 0;
            }
            (Doing::Cancelling(_), _) => {}
            (doing, reply) => panic!("{} was {doing:?} and is answered {reply:?}", self.name),
        }
        self.go_on(now_us, dice)
    }

    fn forget_lease(&mut self) {
        self.doing = Doing::Leasing;
        self.renew_us = u64::MAX;
        self.ask_bare = false;
    }

    fn sleep_or_renew(&mut self, now_us: u64, sleep_us: u64) -> u64 {
        if now_us < self.renew_us {
            return sleep_us;
        }
        // The job is submitted anew afterwards, under another name.
        if let Doing::Submitting(request) = &self.doing {
            self.open.remove(&request.job);
        }
        self.doing = Doing::Renewing;
        1_000
    }

    fn go_on(&mut self, now_us: u64, dice: &mut Dice) -> u64 {
        if now_us >= self.renew_us {
            self.doing = Doing::Renewing;
            return 1_000;
        }
        if self.ended >= self.wanted && self.open.is_empty() {
            self.doing = Doing::Releasing;
            return 1_000;
        }
        let oldest = self.open.first().cloned();
        if let Some(job) = oldest.filter(|_| dice.chance(20)) {
            self.doing = Doing::Cancelling(job);
            return 1_000;
        }
        if self.open.len() < 6 && self.ended + self.open.len() < self.wanted {
            let request = self.next_job(dice);
            self.open.insert(request.job.clone());
            self.doing = Doing::Submitting(request);
            return 1_000;
        }
        self.doing = Doing::Watching;
        100_000
    }

    fn next_job(&mut self, dice: &mut Dice) -> JobRequest {
        self.named += 1;
        let one = Extent { x: 1, y: 1, z: 1 };
        JobRequest {
            job: format!("{}.{}", self.name, self.named).parse().unwrap(),
            grid: one,
            block: one,
            shared_bytes: 0,
            memory_bytes: dice.between(1, 256) << 20,
            timeout_ms: u32::try_from(dice.between(50, 1_500)).unwrap(),
            queue_timeout_ms: dice.chance(200).then_some(2_000),
            priority: u8::try_from(dice.between(0, 2)).ok(),
        }
    }

    fn caller(&self) -> Caller {
        Caller { role: Role::WorkerGpu, subject: Some(self.name.clone()), ticket: None }
    }
}
