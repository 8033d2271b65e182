//! The world: everybody, and the order in which things happen.

use std::fmt::Write as _;

use bridge_host_broker::{Command, Effect, Event, EventRefused};
use bridge_host_gpu::Health;

use crate::{
    checker::Checker,
    daemon::{Daemon, gpus},
    dice::Dice,
    executors::{Executors, Moment},
    happening::{Agenda, Happening, Reply},
    store::Store,
    worker::Worker,
};

const WORKERS: usize = 10;
/// By then everybody has what they wanted, or somebody starves.
const END_US: u64 = 3 * 3600 * 1_000_000;
/// A worker that hears nothing for so long dials again.
const PATIENCE_US: u64 = 2_000_000;
/// After this nothing fails any more, so that all can come to rest.
const CALM_US: u64 = 120_000_000;

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Everything that was carried out and answered, with its time.
    pub trace: String,
    /// Jobs that ended OK.
    pub jobs_ok: u64,
    /// Jobs that ended ERR.
    pub jobs_err: u64,
    /// Of those, jobs that were lost.
    pub jobs_lost: u64,
    /// Leases that were granted.
    pub leases_granted: u64,
    /// How often the daemon crashed.
    pub crashes: u64,
    /// How often of these the power failed, and the system forgot what was not on the disk.
    pub power_cuts: u64,
    /// Events of executors that did not count any more, and lies.
    pub events_refused: u64,
    /// When the last worker had what it wanted, in seconds of virtual time.
    pub took_s: u64,
}

struct World {
    now_us: u64,
    dice: Dice,
    agenda: Agenda,
    /// Whether the power may fail; it costs a copy of everything with each sync.
    bad_power: bool,
    /// What the system has, and would lose with its power.
    store: Store,
    /// What the disk has, and what had been seen by then.
    disk: (Store, Checker),
    /// What it will have when the sync that is under way is done.
    syncing: Option<(Store, Checker)>,
    daemon: Option<Daemon>,
    /// Counts the daemon's lives: what was set in motion in an earlier one comes to nothing.
    boot: u64,
    wall_ahead_ms: u64,
    due_us: Option<u64>,
    executors: Executors,
    workers: Vec<Worker>,
    checker: Checker,
    crashes: u64,
    power_cuts: u64,
    events_refused: u64,
    trace: String,
}

/// Runs one seed to its end.
///
/// # Panics
/// When a rule is broken, or somebody starves: the message says which and who.
#[must_use]
pub fn run(seed: u64) -> Report {
    let mut world = World::new(seed);
    while let Some((at_us, happening)) = world.agenda.next() {
        assert!(at_us < END_US, "starved: {:?}", world.complaints());
        world.now_us = at_us;
        world.happen(happening);
        world.arrange();
        if world.is_over() {
            break;
        }
    }
    world.report()
}

impl World {
    fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let workers =
            (0..WORKERS).map(|nth| Worker::new(nth, gpus()[nth % 2].clone(), &mut dice)).collect();
        let mut world = Self {
            now_us: 0,
            dice,
            agenda: Agenda::default(),
            bad_power: seed.is_multiple_of(4),
            store: Store::default(),
            disk: <(Store, Checker)>::default(),
            syncing: None,
            daemon: None,
            boot: 0,
            wall_ahead_ms: 0,
            due_us: None,
            executors: Executors::default(),
            workers,
            checker: Checker::default(),
            crashes: 0,
            power_cuts: 0,
            events_refused: 0,
            trace: String::new(),
        };
        world.agenda.at(0, Happening::DaemonBoots);
        for worker in 0..WORKERS {
            let at_us = world.dice.between(1, 2_000_000);
            world.agenda.at(at_us, Happening::WorkerWakes { worker, turn: 0 });
        }
        world.later(5_000_000, 20_000_000, Happening::DaemonCrashes);
        world.later(1_000_000, 5_000_000, Happening::QueenActs);
        world.later(10_000_000, 60_000_000, Happening::WallIsSet);
        world
    }

    fn later(&mut self, low_us: u64, high_us: u64, happening: Happening) {
        let at_us = self.now_us + self.dice.between(low_us, high_us);
        self.agenda.at(at_us, happening);
    }

    fn tell(&mut self, what: &dyn core::fmt::Debug) {
        let _ = writeln!(self.trace, "{} {what:?}", self.now_us);
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::WorkerWakes { worker, turn } => self.worker_wakes(worker, turn),
            Happening::RequestArrives { worker, session, request } => {
                let now_us = self.now_us;
                if let Some(daemon) = &mut self.daemon {
                    daemon.request(now_us, worker, session, request, &self.store);
                }
            }
            Happening::ReplyArrives { worker, session, reply } => {
                self.reply_arrives(worker, session, reply)
            }
            Happening::Synced { boot } if boot == self.boot => self.synced(),
            Happening::DaemonDue { boot } if boot == self.boot => {
                self.due_us = None;
                let now_us = self.now_us;
                if let Some(daemon) = &mut self.daemon {
                    daemon.tick(now_us);
                }
            }
            Happening::ExecutorReady { boot, executor } if boot == self.boot => {
                if self.executors.lives(&executor) {
                    self.event(Event::Ready(executor));
                }
            }
            Happening::ExecutorEnds { boot, executor, job, outcome } if boot == self.boot => {
                if self.executors.ends(&executor, job) {
                    self.event(Event::Finished { executor, job, outcome });
                }
            }
            Happening::ExecutorDies { boot, executor } if boot == self.boot => {
                if self.executors.dies(&executor) {
                    self.checker.executor_died(&executor, self.now_us);
                    self.event(Event::Died { executor, detail: "died".into() });
                }
            }
            Happening::GpuIsReset { boot, gpu } if boot == self.boot => {
                self.event(Event::GpuReset { gpu, failed: None });
            }
            Happening::DaemonCrashes => self.crash(),
            Happening::DaemonBoots => {
                self.daemon = Some(Daemon::boot(self.now_us, self.wall_ahead_ms, &self.store))
            }
            Happening::QueenActs => self.queen_acts(),
            Happening::QueenUndoes { command } if self.daemon.is_none() => {
                self.later(100_000, 500_000, Happening::QueenUndoes { command });
            }
            Happening::QueenUndoes { command } => self.queen(command),
            Happening::WallIsSet => self.wall_ahead_ms += self.dice.between(0, 5_000),
            // Set in motion in an earlier life of the daemon.
            Happening::Synced { .. }
            | Happening::DaemonDue { .. }
            | Happening::ExecutorReady { .. }
            | Happening::ExecutorEnds { .. }
            | Happening::ExecutorDies { .. }
            | Happening::GpuIsReset { .. } => {}
        }
    }

    /// What follows from whatever happened: effects are stored and carried out, the disk gets to work, the daemon's timer is set.
    fn arrange(&mut self) {
        while let Some(effect) =
            self.daemon.as_mut().and_then(|daemon| daemon.store_next(&mut self.store))
        {
            self.tell(&effect);
            self.checker.carried_out(&effect, self.now_us);
            self.carry_out(effect);
        }
        let (now_us, boot) = (self.now_us, self.boot);
        let Some(daemon) = &mut self.daemon else { return };
        daemon.wall_ahead_ms = self.wall_ahead_ms;
        if daemon.begin_sync() {
            self.syncing = self.bad_power.then(|| (self.store.clone(), self.checker.clone()));
            let at_us = now_us + self.dice.between(200, 3_000);
            self.agenda.at(at_us, Happening::Synced { boot });
        }
        let due_us = daemon.due_us(now_us).map(|due_us| due_us.max(now_us));
        if let Some(due_us) =
            due_us.filter(|due_us| self.due_us.is_none_or(|set_us| *due_us < set_us))
        {
            self.due_us = Some(due_us);
            self.agenda.at(due_us, Happening::DaemonDue { boot });
        }
    }

    fn synced(&mut self) {
        let Some(daemon) = &mut self.daemon else { return };
        let answers = daemon.synced();
        if let Some(synced) = self.syncing.take() {
            self.disk = synced;
        }
        for (worker, session, reply) in answers {
            self.send(Happening::ReplyArrives { worker, session, reply });
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        let (now_us, boot) = (self.now_us, self.boot);
        let mut moment = Moment { now_us, boot, agenda: &mut self.agenda, dice: &mut self.dice };
        match effect {
            Effect::SpawnExecutor { executor, .. } => self.executors.spawn(&executor, &mut moment),
            Effect::Launch { executor, job, .. } => {
                self.executors.launch(&executor, job, &mut moment)
            }
            Effect::SoftStop { executor, job } => {
                self.executors.soft_stop(&executor, job, &mut moment)
            }
            Effect::Kill { executor, .. } => self.executors.kill(&executor, &mut moment),
            Effect::ResetGpu { gpu } => {
                self.later(1_000, 500_000, Happening::GpuIsReset { boot, gpu })
            }
            Effect::Record { .. }
            | Effect::LeaseChanged { .. }
            | Effect::CloseFids { .. }
            | Effect::Drained { .. }
            | Effect::GrantKept(_)
            | Effect::GrantForgotten { .. } => {}
        }
    }

    fn event(&mut self, event: Event) {
        let now_us = self.now_us;
        let Some(daemon) = &mut self.daemon else { return };
        match daemon.event(now_us, event) {
            Ok(()) => {}
            Err(refused @ (EventRefused::Stale { .. } | EventRefused::Lie { .. })) => {
                self.events_refused += 1;
                self.tell(&refused);
            }
            Err(refused) => panic!("{refused}"),
        }
    }

    fn worker_wakes(&mut self, nth: usize, turn: u64) {
        let worker = &mut self.workers[nth];
        if worker.turn != turn || worker.is_finished() {
            return;
        }
        self.ask(nth);
    }

    /// Sends what a worker asks, and sets its patience.
    fn ask(&mut self, nth: usize) {
        let worker = &mut self.workers[nth];
        let Some(request) = worker.request() else { return };
        worker.turn += 1;
        let (session, turn) = (worker.session, worker.turn);
        self.send(Happening::RequestArrives { worker: nth, session, request });
        self.agenda.at(self.now_us + PATIENCE_US, Happening::WorkerWakes { worker: nth, turn });
        // If it has to be asked again, it is on a new connection.
        self.workers[nth].session += 1;
    }

    fn reply_arrives(&mut self, nth: usize, session: u64, reply: Reply) {
        let worker = &mut self.workers[nth];
        if session + 1 != worker.session || worker.is_finished() {
            return;
        }
        let _ = writeln!(self.trace, "{} worker-{nth} {reply:?}", self.now_us);
        let pause_us = worker.reply(reply, self.now_us, &mut self.dice);
        worker.turn += 1;
        let turn = worker.turn;
        self.agenda.at(self.now_us + pause_us, Happening::WorkerWakes { worker: nth, turn });
    }

    /// A message over a link: late, or never.
    fn send(&mut self, message: Happening) {
        let cut = self.is_stormy() && self.dice.chance(20);
        if !cut {
            self.later(20, 5_000, message);
        }
    }

    fn crash(&mut self) {
        if !self.is_stormy() {
            return;
        }
        self.crashes += 1;
        self.daemon = None;
        self.boot += 1;
        self.due_us = None;
        self.executors.all_die();
        self.syncing = None;
        if self.bad_power && self.dice.chance(500) {
            self.tell(&"power fails");
            (self.store, self.checker) = self.disk.clone();
            self.power_cuts += 1;
        } else {
            self.tell(&"killed");
        }
        self.checker.daemon_crashed();
        self.later(10_000, 3_000_000, Happening::DaemonBoots);
        self.later(5_000_000, 20_000_000, Happening::DaemonCrashes);
    }

    fn queen_acts(&mut self) {
        if !self.is_stormy() {
            return;
        }
        self.later(1_000_000, 5_000_000, Happening::QueenActs);
        let gpu = gpus()[usize::from(self.dice.chance(500))].clone();
        let nth = self.dice.between(0, 9);
        let Some(daemon) = &self.daemon else { return };
        let (act, undo) = match self.dice.between(0, 9) {
            0..5 => match daemon.lease_nth(&gpu, nth) {
                Some(lease) => (Command::Revoke { gpu, lease }, None),
                None => return,
            },
            5..7 => (Command::Drain { gpu: gpu.clone() }, Some(Command::Undrain { gpu })),
            7 => (Command::Reset { gpu }, None),
            _ => {
                let sick = Health::Unusable("as the dice fell".into());
                let well = Command::SetHealth { gpu: gpu.clone(), health: Health::Ok };
                (Command::SetHealth { gpu, health: sick }, Some(well))
            }
        };
        self.queen(act);
        if let Some(command) = undo {
            self.later(100_000, 2_000_000, Happening::QueenUndoes { command });
        }
    }

    fn queen(&mut self, command: Command) {
        let now_us = self.now_us;
        if let Some(daemon) = &mut self.daemon {
            let reply = daemon.command(now_us, command);
            self.tell(&reply);
        }
    }

    fn is_stormy(&self) -> bool {
        self.now_us < CALM_US
    }

    fn is_over(&self) -> bool {
        self.workers.iter().all(Worker::is_finished)
            && self.daemon.as_ref().is_some_and(Daemon::is_at_rest)
    }

    fn complaints(&self) -> Vec<String> {
        self.workers.iter().filter(|worker| !worker.is_finished()).map(Worker::complaint).collect()
    }

    fn report(self) -> Report {
        assert!(self.is_over(), "nothing happens any more: {:?}", self.complaints());
        self.checker.at_rest();
        Report {
            jobs_ok: self.checker.jobs_ok,
            jobs_err: self.checker.jobs_err,
            jobs_lost: self.checker.jobs_lost,
            leases_granted: self.checker.leases_granted,
            crashes: self.crashes,
            power_cuts: self.power_cuts,
            events_refused: self.events_refused,
            took_s: self.now_us / 1_000_000,
            trace: self.trace,
        }
    }
}
