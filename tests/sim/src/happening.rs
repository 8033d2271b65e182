//! What can happen, and when: the agenda of the simulation.

use std::collections::BTreeMap;

use bridge_host_broker::{Command, ExecutorRef, JobNumber, JobOutcome};
use ninedoor_abi::{GpuId, JobId, ctl::LeaseGranted};

/// One thing that is to happen.
#[derive(Debug, Clone)]
pub(crate) enum Happening {
    /// A worker does its next step, unless it did something else meanwhile.
    WorkerWakes {
        worker: usize,
        turn: u64,
    },
    /// A request arrives at the daemon.
    RequestArrives {
        worker: usize,
        session: u64,
        request: Request,
    },
    /// A reply arrives at a worker.
    ReplyArrives {
        worker: usize,
        session: u64,
        reply: Reply,
    },
    /// The disk has what the system had when the sync began.
    Synced {
        boot: u64,
    },
    /// The daemon's own timer.
    DaemonDue {
        boot: u64,
    },
    ExecutorReady {
        boot: u64,
        executor: ExecutorRef,
    },
    ExecutorEnds {
        boot: u64,
        executor: ExecutorRef,
        job: JobNumber,
        outcome: JobOutcome,
    },
    ExecutorDies {
        boot: u64,
        executor: ExecutorRef,
    },
    GpuIsReset {
        boot: u64,
        gpu: GpuId,
    },
    /// It is killed: what was handed to the system stays. Or the power fails: what was synced stays.
    DaemonCrashes,
    DaemonBoots,
    QueenActs,
    QueenUndoes {
        command: Command,
    },
    /// Somebody sets the wall clock.
    WallIsSet,
}

/// What a worker asks, one at a time.
#[derive(Debug, Clone)]
pub(crate) enum Request {
    Do(Box<Command>),
    /// Which of these have ended, as `stats` tells.
    WhichEnded(Vec<JobId>),
}

#[derive(Debug, Clone)]
pub(crate) enum Reply {
    Leased(LeaseGranted),
    Waiting,
    Done,
    Accepted,
    Refused(&'static str),
    Ended(Vec<JobId>),
}

/// Happenings in order; those of one moment in the order they were set down.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    at: BTreeMap<(u64, u64), Happening>,
    set_down: u64,
}

impl Agenda {
    pub(crate) fn at(&mut self, at_us: u64, happening: Happening) {
        self.set_down += 1;
        self.at.insert((at_us, self.set_down), happening);
    }

    pub(crate) fn next(&mut self) -> Option<(u64, Happening)> {
        self.at.pop_first().map(|((at_us, _), happening)| (at_us, happening))
    }
}
