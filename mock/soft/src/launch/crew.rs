//! The threads that run a launch's units, and what becomes of units that do not end in one go.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::job::{Halt, Job, Progress};
use super::library::{Desk, Library};
use super::turns::Turns;
use super::{Engine, LaunchError, Options, grid};
use crate::limits::{
    COOPERATIVE_TURN_BACK_EDGES, RESIDENT_BYTES_MAX, RESIDENT_UNITS_MAX, TURN_BACK_EDGES,
    UNIT_BYTES_MAX, UNIT_LANES_MAX, WARP_LANES, WORTH_A_THREAD_LANES,
};
use crate::memory::MemoryError;
use crate::raw::Isa;
use crate::scalar;
use crate::vector::{Code, Unit};

/// How a launch's blocks are spread.
pub(super) struct Crew<'a> {
    job: &'a Job<'a>,
    code: &'a Code,
    engine: Engine,
    library: &'a Library,
    turns: Turns<Runner<'a>>,
    /// Blocks of one unit, along x.
    joined: u32,
    units_in_row: u64,
    workers: usize,
    failed: Mutex<Option<Failed>>,
    /// The unit that failed; the largest number where none has.
    failed_at: AtomicU64,
}

/// The first unit of its round that failed.
pub(super) struct Failed {
    pub(super) unit: u64,
    pub(super) error: LaunchError,
}

/// A block or unit of either engine.
enum Runner<'a> {
    Scalar(Box<scalar::Block<'a>>),
    Vector(Box<Unit<'a>>),
}

impl<'a> Crew<'a> {
    pub(super) fn new(
        job: &'a Job<'a>,
        code: &'a Code,
        options: &Options,
        library: &'a Library,
    ) -> Self {
        let ordered = job.in_order && code.ordered;
        let joined = match options.engine {
            Engine::Vector(_) if code.joinable && !ordered => {
                joined_blocks(job, options.unit_lanes)
            }
            _ => 1,
        };
        let [x, y, z] = job.grid.map(u64::from);
        let units_in_row = x.div_ceil(joined.into());
        let units = units_in_row * y * z;
        let lanes = u128::from(grid::volume(job.grid)) * job.threads() as u128;
        let worth = usize::try_from(lanes / WORTH_A_THREAD_LANES).unwrap_or(usize::MAX);
        let most = usize::try_from(units).unwrap_or(usize::MAX).min(worth).max(1);
        let unit_bytes = (job.block_bytes * u64::from(joined)).max(1);
        // Two at least: who spins must be able to step back for another one.
        let resident = (RESIDENT_BYTES_MAX / unit_bytes).clamp(2, RESIDENT_UNITS_MAX);
        let round = if job.grid_workspace.is_some() { units } else { resident };
        Self {
            job,
            code,
            engine: options.engine,
            library,
            turns: Turns::new(units, round),
            joined,
            units_in_row,
            workers: options.workers.clamp(1, most),
            failed: Mutex::new(None),
            failed_at: AtomicU64::new(u64::MAX),
        }
    }

    /// Runs all units, or what stands before the first in the order that fails.
    pub(super) fn run(self) -> Result<(), Failed> {
        std::thread::scope(|scope| {
            for _ in 1..self.workers {
                scope.spawn(|| self.work());
            }
            self.work();
        });
        let failed = self.failed.into_inner().unwrap_or_else(PoisonError::into_inner);
        failed.map_or(Ok(()), Err)
    }

    /// Whether a unit shall end: somebody wishes it, or a unit before it in the round has failed. Those before that one go on to the
    /// end of their turn, for one of them may fail as well: which failure is told does not depend on the number of threads.
    fn ends(&self, unit: u64) -> bool {
        (self.job.stop)() || self.failed_at.load(Ordering::Relaxed) < unit
    }

    /// One thread: turn after turn, until there is none.
    fn work(&self) {
        let _lookout = Lookout(self);
        let mut spare: Option<Runner<'a>> = None;
        let turn = match self.job.grid_workspace {
            Some(_) => COOPERATIVE_TURN_BACK_EDGES,
            None => TURN_BACK_EDGES,
        };
        while let Some((unit, left)) = self.turns.begin() {
            let Some(mut runner) = left.or_else(|| self.start(unit, spare.take())) else {
                self.record(unit, LaunchError::Memory(MemoryError::NoRoomToRun));
                return;
            };
            let ends = || self.ends(unit);
            let mut desk = Desk { library: self.library, turns: &self.turns, ends: &ends, unit };
            match runner.run(turn, &mut desk) {
                Ok(Progress::Finished) => {
                    self.turns.finish(unit);
                    spare = Some(runner);
                }
                Ok(Progress::Unfinished) => self.turns.step_back(unit, runner),
                Err(halt) => self.fail(unit, &halt),
            }
        }
    }

    /// The first block of a unit, and how many there are.
    fn blocks_of(&self, unit: u64) -> ([u32; 3], u32) {
        let [x, y, _] = self.job.grid;
        let (row, part) = (unit / self.units_in_row, unit % self.units_in_row);
        let first = part as u32 * self.joined;
        let place = [first, (row % u64::from(y)) as u32, (row / u64::from(y)) as u32];
        (place, self.joined.min(x - first))
    }

    /// A unit before its first instruction; none where the host has no memory for it.
    fn start(&self, unit: u64, spare: Option<Runner<'a>>) -> Option<Runner<'a>> {
        let (first, blocks) = self.blocks_of(unit);
        match (self.engine, spare) {
            (Engine::Scalar, _) => {
                scalar::Block::new(self.job, first).map(|block| Runner::Scalar(Box::new(block)))
            }
            (Engine::Vector(_), Some(Runner::Vector(mut unit))) => {
                unit.start(first, blocks);
                Some(Runner::Vector(unit))
            }
            (Engine::Vector(level), _) => {
                let isa = level.and_then(Isa::at).unwrap_or_else(Isa::best);
                let mut unit = Unit::new(self.job, self.code, isa, self.joined)?;
                unit.start(first, blocks);
                Some(Runner::Vector(Box::new(unit)))
            }
        }
    }

    fn fail(&self, unit: u64, halt: &Halt) {
        let error = match halt {
            Halt::Fault(fault) => LaunchError::Fault(fault.clone()),
            // A unit that was told to stop because another one failed has nothing to say of its own.
            Halt::Stopped if !(self.job.stop)() => return,
            Halt::Stopped => LaunchError::Stopped,
            Halt::OutOfFuel => LaunchError::OutOfFuel { fuel: self.job.fuel.unwrap_or(0) },
        };
        self.record(unit, error);
    }

    fn record(&self, unit: u64, error: LaunchError) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if failed.as_ref().is_none_or(|earlier| unit < earlier.unit) {
            *failed = Some(Failed { unit, error });
            self.failed_at.store(unit, Ordering::Relaxed);
        }
        drop(failed);
        self.turns.end();
    }
}

/// A thread that panics lets the others come to their end, so that the panic is heard.
struct Lookout<'c, 'a>(&'c Crew<'a>);

impl Drop for Lookout<'_, '_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.failed_at.store(0, Ordering::Relaxed);
            self.0.turns.end();
        }
    }
}

/// Blocks are joined as long as a row of the grid still makes so many units.
const UNITS_OF_A_ROW: u32 = 4;

/// How many blocks fit side by side into one unit.
fn joined_blocks(job: &Job<'_>, unit_lanes: u32) -> u32 {
    let threads = job.threads();
    if job.block[2] > 1 || !threads.is_multiple_of(WARP_LANES) {
        return 1;
    }
    // Small grids are worth more spread over threads than joined.
    let most = (job.grid[0] / UNITS_OF_A_ROW).max(1);
    let most = most.min((UNIT_BYTES_MAX / job.block_bytes.max(1)).clamp(1, most.into()) as u32);
    (unit_lanes.min(UNIT_LANES_MAX) / threads as u32).clamp(1, most)
}

impl Runner<'_> {
    fn run(&mut self, turn_back_edges: u64, desk: &mut Desk<'_, Self>) -> Result<Progress, Halt> {
        match self {
            Self::Scalar(block) => block.run(turn_back_edges, desk),
            Self::Vector(unit) => unit.run(turn_back_edges, desk),
        }
    }
}
