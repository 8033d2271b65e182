//! Executors: processes that mostly do what they are told, and sometimes do not.

use std::collections::BTreeMap;

use bridge_host_broker::{ExecutorRef, JobNumber, JobOutcome};
use ninedoor_abi::record::JobCode;

use crate::{
    dice::Dice,
    happening::{Agenda, Happening},
};

/// What lives at the moment.
#[derive(Debug, Default)]
pub(crate) struct Executors {
    alive: BTreeMap<ExecutorRef, Executor>,
}

#[derive(Debug, Default)]
struct Executor {
    /// What it was handed and has not ended; whether it will listen to a soft stop.
    jobs: BTreeMap<JobNumber, bool>,
    dying: bool,
}

/// When and where something is set in motion.
pub(crate) struct Moment<'a> {
    pub(crate) now_us: u64,
    pub(crate) boot: u64,
    pub(crate) agenda: &'a mut Agenda,
    pub(crate) dice: &'a mut Dice,
}

impl Moment<'_> {
    fn after_us(&mut self, low_us: u64, high_us: u64, happening: Happening) {
        let at_us = self.now_us + self.dice.between(low_us, high_us);
        self.agenda.at(at_us, happening);
    }
}

impl Executors {
    pub(crate) fn spawn(&mut self, executor: &ExecutorRef, moment: &mut Moment<'_>) {
        self.alive.insert(executor.clone(), Executor::default());
        let (boot, executor) = (moment.boot, executor.clone());
        if moment.dice.chance(30) {
            moment.after_us(1_000, 50_000, Happening::ExecutorDies { boot, executor });
        } else if !moment.dice.chance(10) {
            moment.after_us(1_000, 300_000, Happening::ExecutorReady { boot, executor });
        }
        // The rest of them never say a word.
    }

    pub(crate) fn launch(
        &mut self,
        executor: &ExecutorRef,
        job: JobNumber,
        moment: &mut Moment<'_>,
    ) {
        let Some(there) = self.alive.get_mut(executor).filter(|there| !there.dying) else { return };
        let listens = !moment.dice.chance(300);
        there.jobs.insert(job, listens);
        let (boot, executor) = (moment.boot, executor.clone());
        let ends = |executor: ExecutorRef, outcome| Happening::ExecutorEnds {
            boot,
            executor,
            job,
            outcome,
        };
        let failed =
            |code, sticky| JobOutcome::Err { code, detail: "as the dice fell".into(), sticky };
        match moment.dice.between(0, 999) {
            0..40 => {} // It hangs.
            40..60 => moment.after_us(100, 100_000, Happening::ExecutorDies { boot, executor }),
            60..100 => moment.after_us(100, 100_000, ends(executor, failed(JobCode::Fault, true))),
            100..150 => {
                moment.after_us(100, 100_000, ends(executor, failed(JobCode::Invalid, false)))
            }
            150..160 => {
                let lie = Happening::ExecutorEnds {
                    boot,
                    executor,
                    job: JobNumber(u64::MAX),
                    outcome: fine(),
                };
                moment.after_us(100, 100_000, lie);
            }
            _ => moment.after_us(100, 400_000, ends(executor, fine())),
        }
    }

    pub(crate) fn soft_stop(
        &mut self,
        executor: &ExecutorRef,
        job: JobNumber,
        moment: &mut Moment<'_>,
    ) {
        let listens = self
            .alive
            .get(executor)
            .and_then(|there| there.jobs.get(&job))
            .copied()
            .unwrap_or(false);
        if listens {
            let outcome = JobOutcome::Err {
                code: JobCode::Cancelled,
                detail: "stopped".into(),
                sticky: false,
            };
            let (boot, executor) = (moment.boot, executor.clone());
            moment.after_us(100, 100_000, Happening::ExecutorEnds { boot, executor, job, outcome });
        }
    }

    pub(crate) fn kill(&mut self, executor: &ExecutorRef, moment: &mut Moment<'_>) {
        let Some(there) = self.alive.get_mut(executor) else { return };
        there.dying = true;
        let high_us = if moment.dice.chance(30) { 8_000_000 } else { 20_000 };
        let (boot, executor) = (moment.boot, executor.clone());
        moment.after_us(100, high_us, Happening::ExecutorDies { boot, executor });
    }

    /// Whether it can still end this job: it lives, and has not ended it before. A lie it can always tell.
    pub(crate) fn ends(&mut self, executor: &ExecutorRef, job: JobNumber) -> bool {
        let lie = job == JobNumber(u64::MAX);
        self.alive.get_mut(executor).is_some_and(|there| there.jobs.remove(&job).is_some() || lie)
    }

    pub(crate) fn lives(&self, executor: &ExecutorRef) -> bool {
        self.alive.contains_key(executor)
    }

    /// Whether it lived until now.
    pub(crate) fn dies(&mut self, executor: &ExecutorRef) -> bool {
        self.alive.remove(executor).is_some()
    }

    /// They die with the daemon.
    pub(crate) fn all_die(&mut self) {
        self.alive.clear();
    }
}

fn fine() -> JobOutcome {
    JobOutcome::Ok { h2d_us: 1, kernel_us: 2, d2h_us: 3, outputs: Vec::new() }
}
