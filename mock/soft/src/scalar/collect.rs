//! Where lanes of the reference engine wait for each other, and what happens when they have met.

use mock_ptx::ir::{BarrierKind, Op, Operand};

use super::Block;
use super::lane::{Lane, State, View, Wait};
use crate::eval::lanes::Lanes;
use crate::eval::{matrix, warp};
use crate::fault::Cause;
use crate::launch::barrier::{self, Barrier};
use crate::launch::job::Halt;
use crate::limits::WARP_LANES;

/// What a lane must wait for before `op` can be done; none where it needs nobody.
pub(super) fn wait_for(op: &Op, lane: usize, view: &View<'_>) -> Result<Option<Wait>, Cause> {
    let mask = |members: Operand| {
        let members = view.read32(lane, members);
        let inside = members >> (lane % WARP_LANES) & 1 == 1;
        if inside { Ok(Some(Wait::Members(members))) } else { Err(Cause::NotAMember { members }) }
    };
    match op {
        Op::Shuffle { members, .. } | Op::Vote { members, .. } => {
            members.map_or(Ok(Some(Wait::Converged)), mask)
        }
        Op::Match { members, .. }
        | Op::Reduce { members, .. }
        | Op::Elect { members, .. }
        | Op::WarpBarrier { members } => mask(*members),
        Op::ActiveMask { .. } => Ok(Some(Wait::Converged)),
        Op::MatrixMove(_)
        | Op::MatrixTranspose { .. }
        | Op::MatrixMultiply(_)
        | Op::WmmaAccess(_)
        | Op::WmmaMultiply(_) => Ok(Some(Wait::Members(u32::MAX))),
        Op::Barrier { kind, id, threads, .. } => {
            let threads = threads.map(|threads| view.read32(lane, threads));
            let id = view.read32(lane, *id);
            barrier::check(id, threads)?;
            Ok((*kind != BarrierKind::Arrive).then_some(Wait::Barrier(id as usize)))
        }
        _ => Ok(None),
    }
}

impl Block<'_> {
    /// Lets go on who has met; a deadlock where nobody has, and nobody can run.
    pub(super) fn meet(&mut self) -> Result<(), Halt> {
        let mut met = false;
        for first in (0..self.lanes.len()).step_by(WARP_LANES) {
            met |= self.meet_in_warp(first)?;
        }
        for id in 0..self.barriers.len() {
            met |= self.meet_at_barrier(id);
        }
        let ready = self.lanes.iter().any(|lane| lane.state == State::Ready);
        let waiting = self.lanes.iter().position(|lane| matches!(lane.state, State::Waiting(_)));
        match waiting {
            Some(lane) if !met && !ready => Err(self.deadlock(lane)),
            _ => Ok(()),
        }
    }

    fn deadlock(&self, lane: usize) -> Halt {
        let is_waiting = |state: State| matches!(state, State::Waiting(_));
        let waiting = self.lanes.iter().filter(|lane| is_waiting(lane.state)).count();
        let at = match self.lanes[lane].state {
            State::Waiting(Wait::Barrier(_)) => "a barrier",
            _ => "a warp operation",
        };
        let line = self.instruction(lane).map_or(0, |(_, line)| line);
        self.job.fault(self.index, lane, line, Cause::Deadlock { waiting, at }).into()
    }

    /// The operation a lane stands before.
    fn instruction(&self, lane: usize) -> Option<(&Op, u32)> {
        let state = &self.lanes[lane];
        let block = self.job.kernel.block(state.block)?;
        let instruction = block.instructions.get(state.next)?;
        Some((&instruction.op, instruction.line))
    }

    /// The lanes of a warp that wait at the same place for the same lanes.
    fn gather(&self, first: usize, lane: usize) -> u32 {
        let one = &self.lanes[lane];
        let end = (first + WARP_LANES).min(self.lanes.len());
        (first..end)
            .filter(|other| {
                let other = &self.lanes[*other];
                (other.block, other.next, other.state) == (one.block, one.next, one.state)
            })
            .fold(0, |mask, other| mask | 1 << (other - first))
    }

    fn meet_in_warp(&mut self, first: usize) -> Result<bool, Halt> {
        let end = (first + WARP_LANES).min(self.lanes.len());
        let states = |wanted: fn(State) -> bool, lanes: &[Lane]| {
            (first..end)
                .filter(|lane| wanted(lanes[*lane].state))
                .fold(0u32, |mask, lane| mask | 1 << (lane - first))
        };
        let alive = states(|state| state != State::Ended, &self.lanes);
        let ready = states(|state| state == State::Ready, &self.lanes);
        let may_go = |lane: &usize| match self.lanes[*lane].state {
            State::Waiting(Wait::Members(members)) => {
                members & alive & !self.gather(first, *lane) == 0
            }
            State::Waiting(Wait::Converged) => ready == 0,
            _ => false,
        };
        // Those that need nobody else go last, deeper calls and earlier code first: others may still come to where they are.
        let order = |lane: &usize| {
            let Lane { block, next, stack, state, .. } = &self.lanes[*lane];
            (
                *state == State::Waiting(Wait::Converged),
                std::cmp::Reverse(stack.len()),
                *block,
                *next,
            )
        };
        let Some(lane) = (first..end).filter(may_go).min_by_key(order) else {
            return Ok(false);
        };
        self.together(first, lane, self.gather(first, lane))?;
        Ok(true)
    }

    /// Does the operation that `lane` waits at, for all of `group`.
    fn together(&mut self, first: usize, lane: usize, group: u32) -> Result<(), Halt> {
        let job = self.job;
        let state = &self.lanes[lane];
        let code =
            job.kernel.block(state.block).and_then(|block| block.instructions.get(state.next));
        let Some(instruction) = code else { return Ok(()) };
        let mut view = self.view();
        if !warp::execute(&instruction.op, first, group, &mut view) {
            matrix::execute(&instruction.op, first, group, &mut view)
                .map_err(|(lane, cause)| job.fault(self.index, lane, instruction.line, cause))?;
        }
        for member in (0..WARP_LANES).filter(|member| group >> member & 1 == 1) {
            let state = &mut self.lanes[first + member];
            state.state = State::Ready;
            state.next += 1;
        }
        Ok(())
    }

    /// Counts a lane's arrival; done once, when it comes.
    pub(super) fn arrive(&mut self, lane: usize, op: &Op) {
        let Op::Barrier { id, threads, predicate, .. } = op else { return };
        let view = self.view();
        let id = view.read32(lane, *id) as usize;
        let threads = threads.map(|threads| view.read32(lane, threads));
        let holding = u32::from(predicate.is_some_and(|guard| view.holds(lane, guard)));
        self.barriers[id].arrive(1, threads, holding);
    }

    fn meet_at_barrier(&mut self, id: usize) -> bool {
        let alive = self.lanes.iter().filter(|lane| lane.state != State::Ended).count();
        if !self.barriers[id].is_complete(alive as u32) {
            return false;
        }
        let barrier = std::mem::take(&mut self.barriers[id]);
        let mut any = false;
        for lane in 0..self.lanes.len() {
            if self.lanes[lane].state == State::Waiting(Wait::Barrier(id)) {
                self.pass(lane, barrier);
                any = true;
            }
        }
        any
    }

    fn pass(&mut self, lane: usize, barrier: Barrier) {
        let job = self.job;
        let Lane { block, next, .. } = self.lanes[lane];
        let instruction = job.kernel.block(block).and_then(|block| block.instructions.get(next));
        if let Some(Op::Barrier { kind: BarrierKind::Reduce(reduction), dst: Some(dst), .. }) =
            instruction.map(|instruction| &instruction.op)
        {
            self.view().set_register(lane, *dst, barrier.answer(*reduction));
        }
        self.lanes[lane].state = State::Ready;
        self.lanes[lane].next += 1;
    }
}
