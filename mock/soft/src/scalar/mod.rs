//! The reference engine: one lane at a time, no shapes, no tricks.
//!
//! It exists to be obviously right, so that the fast engine can be compared with it. A lane runs until it ends, waits, or has
//! closed as many loops as its turn allows; then the next one runs. What several lanes do together happens when all of them wait.

mod collect;
mod lane;

use mock_ptx::ir::{Instruction, Op, Terminator};

use crate::eval::lanes::Lanes;
use crate::eval::single;
use crate::eval::system::{self, System};
use crate::fault::Cause;
use crate::launch::barrier::Barrier;
use crate::launch::job::{Halt, Job, Progress};
use crate::limits::{BARRIERS, CALL_DEPTH_MAX, QUANTUM_BACK_EDGES};
use crate::raw::Region;
use lane::{Frame, Lane, Registers, State};

/// One block, with all its lanes.
#[derive(Debug)]
pub struct Block<'a> {
    job: &'a Job<'a>,
    index: [u32; 3],
    lanes: Vec<Lane>,
    registers: Registers,
    shared: Region,
    local: Region,
    barriers: [Barrier; BARRIERS],
    clock: u64,
    back_edges: u64,
}

/// How a lane's turn ended.
enum Turn {
    Over,
    Fault(u32, Cause),
}

impl<'a> Block<'a> {
    /// The block at `index` of the grid, before its first instruction; none where the host has no memory for it.
    #[must_use]
    pub fn new(job: &'a Job<'a>, index: [u32; 3]) -> Option<Self> {
        let threads = job.threads();
        Some(Self {
            job,
            index,
            lanes: vec![Lane::default(); threads],
            registers: Registers::new(job.kernel.registers, threads),
            shared: Region::zeroed(job.shared_bytes.into())?,
            local: Region::zeroed(job.local_bytes * threads as u64)?,
            barriers: [Barrier::default(); BARRIERS],
            clock: 0,
            back_edges: 0,
        })
    }

    /// Runs until all lanes have ended, or `turn_back_edges` loops have been closed.
    ///
    /// # Errors
    /// A broken rule, an end of fuel, a wish to stop.
    pub fn run(
        &mut self,
        turn_back_edges: u64,
        system: &mut impl System,
    ) -> Result<Progress, Halt> {
        let turn_end = self.back_edges.saturating_add(turn_back_edges);
        loop {
            if system.ends() {
                return Err(Halt::Stopped);
            }
            for lane in 0..self.lanes.len() {
                if let Turn::Fault(line, cause) = self.run_lane(lane, system) {
                    return Err(self.job.fault(self.index, lane, line, cause).into());
                }
            }
            if self.job.fuel.is_some_and(|fuel| self.back_edges > fuel) {
                return Err(Halt::OutOfFuel);
            }
            self.meet()?;
            if self.lanes.iter().all(|lane| lane.state == State::Ended) {
                return Ok(Progress::Finished);
            }
            if self.back_edges >= turn_end {
                return Ok(Progress::Unfinished);
            }
        }
    }

    /// One lane, until it waits, ends, or its turn is over.
    fn run_lane(&mut self, lane: usize, system: &mut impl System) -> Turn {
        let job = self.job;
        let mut loops = 0;
        while self.lanes[lane].state == State::Ready && loops < QUANTUM_BACK_EDGES {
            self.clock += 1;
            let Lane { block, next, .. } = self.lanes[lane];
            let Some(code) = job.kernel.block(block) else {
                return Turn::Fault(0, Cause::Trap(mock_ptx::ir::TrapKind::FellOff));
            };
            match code.instructions.get(next) {
                Some(instruction) => {
                    if let Err(cause) = self.step(lane, instruction, system) {
                        return Turn::Fault(instruction.line, cause);
                    }
                }
                None => {
                    if let Err(cause) = self.leave(lane, &code.terminator) {
                        return Turn::Fault(code.terminator_line, cause);
                    }
                    loops += u32::from(self.lanes[lane].block <= block);
                }
            }
        }
        self.back_edges += u64::from(loops);
        Turn::Over
    }

    /// One instruction.
    fn step(
        &mut self,
        lane: usize,
        instruction: &Instruction,
        system: &mut impl System,
    ) -> Result<(), Cause> {
        let view = self.view();
        if instruction.guard.is_none_or(|guard| view.holds(lane, guard)) {
            let wait = collect::wait_for(&instruction.op, lane, &view)?;
            self.arrive(lane, &instruction.op);
            if let Some(wait) = wait {
                self.lanes[lane].state = State::Waiting(wait);
                return Ok(());
            }
            let mut view = self.view();
            match &instruction.op {
                Op::Barrier { .. } => {}
                Op::Intrinsic(intrinsic) => system::execute(intrinsic, lane, &mut view, system)?,
                op => {
                    let done = single::execute(op, lane, &mut view)?;
                    assert!(done, "{op:?} is no operation of one lane");
                }
            }
        }
        self.lanes[lane].next += 1;
        Ok(())
    }

    /// The end of a block of code.
    fn leave(&mut self, lane: usize, terminator: &Terminator) -> Result<(), Cause> {
        let kernel = self.job.kernel;
        let view = self.view();
        let target = match terminator {
            Terminator::Jump(to) => *to,
            Terminator::Branch { condition, taken, otherwise, .. } => {
                if view.holds(lane, *condition) { *taken } else { *otherwise }
            }
            Terminator::Switch { index, targets } => {
                let index = view.read(lane, *index);
                let target = usize::try_from(index).ok().and_then(|index| targets.get(index));
                *target.ok_or(Cause::NoTarget { index, targets: targets.len() })?
            }
            Terminator::Call { callee, frame_bytes, then } => {
                let entry = kernel.function(*callee);
                let entry =
                    *entry.ok_or_else(|| Cause::NoFunction { address: callee.address() })?;
                self.call(lane, entry.frame_bytes, *frame_bytes, *then)?;
                entry.entry
            }
            Terminator::CallIndirect { address, frame_bytes, then } => {
                let address = view.read(lane, *address);
                let entry = *kernel.function_at(address).ok_or(Cause::NoFunction { address })?;
                self.call(lane, entry.frame_bytes, *frame_bytes, *then)?;
                entry.entry
            }
            Terminator::Return => match self.lanes[lane].stack.pop() {
                Some(Frame { then, frame }) => {
                    self.lanes[lane].frame = frame;
                    then
                }
                None => return self.end(lane),
            },
            Terminator::Exit => return self.end(lane),
            Terminator::Trap(kind) => return Err(Cause::Trap(*kind)),
        };
        let state = &mut self.lanes[lane];
        (state.block, state.next) = (target, 0);
        Ok(())
    }

    fn end(&mut self, lane: usize) -> Result<(), Cause> {
        self.lanes[lane].state = State::Ended;
        Ok(())
    }

    fn call(
        &mut self,
        lane: usize,
        callee_bytes: u32,
        caller_bytes: u32,
        then: mock_ptx::ir::BlockId,
    ) -> Result<(), Cause> {
        let state = &mut self.lanes[lane];
        let frame = state.frame + u64::from(caller_bytes);
        let depth = state.stack.len();
        if depth >= CALL_DEPTH_MAX || frame + u64::from(callee_bytes) > self.job.local_bytes {
            return Err(Cause::StackOverflow { depth });
        }
        state.stack.push(Frame { then, frame: state.frame });
        state.frame = frame;
        Ok(())
    }

    fn view(&mut self) -> lane::View<'_> {
        lane::View {
            job: self.job,
            block: self.index,
            lanes: &self.lanes,
            registers: &mut self.registers,
            shared: &self.shared,
            local: &self.local,
            clock: self.clock,
        }
    }
}
