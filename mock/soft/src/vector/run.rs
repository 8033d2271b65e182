//! Steps, branches, and whose turn it is.

use std::cell::OnceCell;

use mock_ptx::ir::{BlockId, Guard, RegClass, Terminator};

use super::code::{Detour, Line, Step};
use super::file::SlotId;
use super::mask::{Mask, Warps};
use super::part::Part;
use super::path::{Frame, Path, State};
use super::shape::Extent;
use super::unit::{LaneFault, Unit};
use crate::eval::lanes::Lanes;
use crate::eval::single;
use crate::eval::system::{self, System};
use crate::fault::Cause;
use crate::launch::job::{Halt, Progress};
use crate::limits::{CALL_DEPTH_MAX, QUANTUM_BACK_EDGES};

/// For whom a step is done.
#[derive(Debug, Clone)]
pub(super) struct Scope {
    pub(super) mask: Mask,
    /// All lanes of the unit.
    pub(super) whole: bool,
    pub(super) keep: Keep,
    pub(super) warps: Warps,
    part: OnceCell<Part>,
}

impl Scope {
    /// The box that its lanes lie in.
    #[inline]
    pub(super) fn part(&self, extent: Extent) -> &Part {
        self.part.get_or_init(|| {
            if self.whole { Part::whole(extent) } else { Part::of(&self.mask, extent) }
        })
    }
}

/// Which registers lanes outside of a scope's mask still want.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// What the other paths want.
    Others,
    /// That, and what is live where the rest of the running path stands while a part takes a detour.
    Meeting(BlockId),
    /// Every one.
    All,
}

/// Where the running path goes after a block.
enum Onward {
    To(BlockId),
    Split,
    Gone,
}

/// Steps of one straight line after which it is asked whether the block shall end: a text of megabytes need not have a loop.
const ASK_AFTER_STEPS: u32 = 256;
/// The same in lines, where each leads on to the next.
const ASK_AFTER_LINES: u64 = 16;

/// What the running path does next.
enum Next {
    Step,
    Yield,
}

impl Unit<'_> {
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
        self.check_end(system)?;
        loop {
            if self.path.mask.is_empty() && !self.next_path()? {
                return Ok(Progress::Finished);
            }
            let before = self.back_edges;
            self.run_path(system)?;
            if self.back_edges > before || self.clock.is_multiple_of(ASK_AFTER_LINES) {
                self.check_end(system)?;
                if self.back_edges >= turn_end && !self.path.mask.is_empty() {
                    return Ok(Progress::Unfinished);
                }
            }
        }
    }

    fn check_end(&self, system: &impl System) -> Result<(), Halt> {
        if system.ends() {
            return Err(Halt::Stopped);
        }
        if self.job.fuel.is_some_and(|fuel| self.back_edges > fuel) {
            return Err(Halt::OutOfFuel);
        }
        Ok(())
    }

    /// The running path to the end of its block, or to where it waits.
    fn run_path(&mut self, system: &mut impl System) -> Result<(), Halt> {
        let code = self.code;
        let block = self.path.block;
        self.clock += 1;
        let Some(line) = code.blocks.get(block as usize) else {
            return Err(self.fault_at_end((0, Cause::Trap(mock_ptx::ir::TrapKind::FellOff))));
        };
        let scope = self.scope(self.path.mask, Keep::Others);
        if let Next::Yield = self.run_line(line, &scope, system)? {
            return Ok(());
        }
        if let Some(detour) = line.detour {
            return self.take_detour(detour, system);
        }
        let Some((terminator, _)) = self.terminator(block) else { return Ok(()) };
        let onward = self.leave(terminator).map_err(|fault| self.fault_at_end(fault))?;
        match onward {
            Onward::To(target) => self.go(block, target),
            Onward::Split => self.settle(),
            Onward::Gone => {}
        }
        Ok(())
    }

    /// A branch around short lines. Where only a part of the lanes takes one, that part does and comes back, and no path is split.
    fn take_detour(&mut self, detour: Detour, system: &mut impl System) -> Result<(), Halt> {
        let Detour { condition, body, other, meets } = detour;
        let (from, whole) = (self.path.block, self.path.mask);
        let goes = self.holding(condition, &whole);
        if goes == whole {
            self.go(from, body);
            return Ok(());
        }
        if goes.is_empty() {
            self.go(from, other.unwrap_or(meets));
            return Ok(());
        }
        self.run_aside(body, goes, other.unwrap_or(meets), system)?;
        if let Some(other) = other {
            self.run_aside(other, whole.without(&goes), meets, system)?;
        }
        self.path.mask = whole;
        self.go(from, meets);
        Ok(())
    }

    /// A short line for a part of the running path; the rest of it stands at `rest` meanwhile.
    fn run_aside(
        &mut self,
        line: BlockId,
        mask: Mask,
        rest: BlockId,
        system: &mut impl System,
    ) -> Result<(), Halt> {
        let code = self.code;
        let Some(steps) = code.blocks.get(line.index()) else { return Ok(()) };
        (self.path.block, self.path.place, self.path.mask) = (line.0, 0, mask);
        self.clock += 1;
        let scope = self.scope(mask, Keep::Meeting(rest));
        let next = self.run_line(steps, &scope, system)?;
        debug_assert!(matches!(next, Next::Step), "nobody waits on a detour");
        Ok(())
    }

    fn run_line(
        &mut self,
        line: &Line,
        scope: &Scope,
        system: &mut impl System,
    ) -> Result<Next, Halt> {
        while let Some(guarded) = line.steps.get(self.path.place as usize) {
            let narrow;
            let scope = match guarded.guard {
                None => scope,
                Some(guard) => {
                    let mask = self.holding(guard, &scope.mask);
                    if mask.is_empty() {
                        self.path.place += 1;
                        continue;
                    }
                    let keep = if mask == scope.mask { scope.keep } else { Keep::All };
                    narrow = self.scope(mask, keep);
                    &narrow
                }
            };
            if guarded.ordered && self.job.in_order {
                system.turn()?;
            }
            match &guarded.step {
                Step::Together => {
                    if !self.together(scope)? {
                        return Ok(Next::Yield);
                    }
                }
                Step::Barrier => {
                    if !self.arrive(scope)? {
                        return Ok(Next::Yield);
                    }
                }
                Step::Library => self.library(scope, system)?,
                step => self.step(step, scope).map_err(|fault| self.fault(fault))?,
            }
            self.path.place += 1;
            if self.path.place.is_multiple_of(ASK_AFTER_STEPS) {
                self.check_end(system)?;
            }
        }
        Ok(Next::Step)
    }

    pub(super) fn scope(&self, mask: Mask, keep: Keep) -> Scope {
        let whole = mask == self.all;
        let warps = if whole { Warps::first(self.warps()) } else { mask.warps() };
        Scope { mask, whole, keep, warps, part: OnceCell::new() }
    }

    /// Whether lanes that do not take part still want a register.
    #[inline]
    pub(super) fn keeps(&self, scope: &Scope, class: RegClass, slot: SlotId) -> bool {
        if scope.whole {
            return false;
        }
        let number = self.code.live.numbering().of(class, slot as usize);
        let others = || !self.others.is_empty() && self.wanted.has(number);
        match scope.keep {
            Keep::All => true,
            Keep::Others => others(),
            Keep::Meeting(block) => self.code.live.at_start(block).has(number) || others(),
        }
    }

    /// A fault in the step that the running path is at.
    pub(super) fn fault(&self, (lane, cause): LaneFault) -> Halt {
        let instruction = self.instruction(self.path.block, self.path.place);
        self.fault_in_line(lane, instruction.map_or(0, |instruction| instruction.line), cause)
    }

    fn fault_at_end(&self, (lane, cause): LaneFault) -> Halt {
        let line = self.terminator(self.path.block).map_or(0, |(_, line)| line);
        self.fault_in_line(lane, line, cause)
    }

    pub(super) fn fault_in_line(&self, lane: usize, line: u32, cause: Cause) -> Halt {
        let (block, thread) = self.thread(lane);
        self.job.fault(block, thread, line, cause).into()
    }

    /// The operation of the running path's step, lane by lane.
    pub(super) fn singly(&mut self, scope: &Scope) -> Result<(), LaneFault> {
        let Some(instruction) = self.instruction(self.path.block, self.path.place) else {
            return Ok(());
        };
        for lane in scope.mask.lanes() {
            let done =
                single::execute(&instruction.op, lane, self).map_err(|cause| (lane, cause))?;
            assert!(done, "{:?} is no operation of one lane", instruction.op);
        }
        Ok(())
    }

    fn library(&mut self, scope: &Scope, system: &mut impl System) -> Result<(), Halt> {
        let instruction = self.instruction(self.path.block, self.path.place);
        if let Some(mock_ptx::ir::Op::Intrinsic(intrinsic)) = instruction.map(|i| &i.op) {
            for lane in scope.mask.lanes() {
                // one lane may print megabytes
                self.check_end(system)?;
                system::execute(intrinsic, lane, self, system)
                    .map_err(|cause| self.fault((lane, cause)))?;
            }
        }
        Ok(())
    }

    /// The end of a block of code.
    fn leave(&mut self, terminator: &Terminator) -> Result<Onward, LaneFault> {
        Ok(match terminator {
            Terminator::Jump(to) => Onward::To(*to),
            Terminator::Branch { condition, taken, otherwise, .. } => {
                return Ok(self.branch(*condition, *taken, *otherwise));
            }
            Terminator::Switch { index, targets } => {
                let index = *index;
                self.split_by(|unit, lane| {
                    let index = unit.read(lane, index);
                    let target = usize::try_from(index).ok().and_then(|index| targets.get(index));
                    target.copied().ok_or(Cause::NoTarget { index, targets: targets.len() })
                })?;
                Onward::Split
            }
            Terminator::Call { callee, frame_bytes, then } => {
                let entry = self.job.kernel.function(*callee);
                let address = callee.address();
                let lane = self.path.mask.lowest().unwrap_or(0);
                let entry = *entry.ok_or((lane, Cause::NoFunction { address }))?;
                let call = (entry.frame_bytes, *frame_bytes, *then);
                self.call(call).map_err(|cause| (lane, cause))?;
                Onward::To(entry.entry)
            }
            Terminator::CallIndirect { address, frame_bytes, then } => {
                let (address, frame_bytes, then) = (*address, *frame_bytes, *then);
                let kernel = self.job.kernel;
                let lane = self.path.mask.lowest().unwrap_or(0);
                let mut largest = 0;
                for lane in self.path.mask.lanes() {
                    let address = self.read(lane, address);
                    let entry = kernel.function_at(address);
                    let entry = entry.ok_or((lane, Cause::NoFunction { address }))?;
                    largest = largest.max(entry.frame_bytes);
                }
                self.call((largest, frame_bytes, then)).map_err(|cause| (lane, cause))?;
                self.split_by(|unit, lane| {
                    let address = unit.read(lane, address);
                    let entry = kernel.function_at(address);
                    entry.map(|entry| entry.entry).ok_or(Cause::NoFunction { address })
                })?;
                Onward::Split
            }
            Terminator::Return => match self.path.stack.pop() {
                Some(Frame { then, frame }) => {
                    self.path.frame = frame;
                    Onward::To(then)
                }
                None => self.end_path(),
            },
            Terminator::Exit => self.end_path(),
            Terminator::Trap(kind) => {
                return Err((self.path.mask.lowest().unwrap_or(0), Cause::Trap(*kind)));
            }
        })
    }

    fn end_path(&mut self) -> Onward {
        self.alive = self.alive.without(&self.path.mask);
        self.path.mask = Mask::EMPTY;
        Onward::Gone
    }

    fn call(
        &mut self,
        (callee_bytes, caller_bytes, then): (u32, u32, BlockId),
    ) -> Result<(), Cause> {
        let frame = self.path.frame + u64::from(caller_bytes);
        let end = frame + u64::from(callee_bytes);
        let depth = self.path.stack.len();
        if depth >= CALL_DEPTH_MAX || end > self.job.local_bytes {
            return Err(Cause::StackOverflow { depth });
        }
        self.local_used_bytes = self.local_used_bytes.max(end);
        self.path.stack.push(Frame { then, frame: self.path.frame });
        self.path.frame = frame;
        Ok(())
    }

    fn branch(&mut self, condition: Guard, taken: BlockId, otherwise: BlockId) -> Onward {
        let goes = self.holding(condition, &self.path.mask);
        if goes == self.path.mask {
            return Onward::To(taken);
        }
        if goes.is_empty() {
            return Onward::To(otherwise);
        }
        if taken.0 <= self.path.block || otherwise.0 <= self.path.block {
            self.count_back_edge();
        }
        let stays = self.path.mask.without(&goes);
        let mut other = self.path.with(goes);
        self.path.mask = stays;
        (other.block, other.place) = (taken.0, 0);
        (self.path.block, self.path.place) = (otherwise.0, 0);
        self.put_aside(other);
        Onward::Split
    }

    /// Splits the running path by where each lane goes.
    fn split_by(
        &mut self,
        target: impl Fn(&Self, usize) -> Result<BlockId, Cause>,
    ) -> Result<(), LaneFault> {
        let mut parts: Vec<(BlockId, Mask)> = Vec::new();
        for lane in self.path.mask.lanes() {
            let to = target(self, lane).map_err(|cause| (lane, cause))?;
            match parts.iter_mut().find(|(other, _)| *other == to) {
                Some((_, mask)) => mask.add(lane),
                None => {
                    let mut mask = Mask::EMPTY;
                    mask.add(lane);
                    parts.push((to, mask));
                }
            }
        }
        if parts.iter().any(|(to, _)| to.0 <= self.path.block) {
            self.count_back_edge();
        }
        for (to, mask) in parts {
            let mut part = self.path.with(mask);
            (part.block, part.place) = (to.0, 0);
            self.put_aside(part);
        }
        self.path.mask = Mask::EMPTY;
        Ok(())
    }

    /// The running path goes on at `target`.
    #[inline]
    fn go(&mut self, from: u32, BlockId(target): BlockId) {
        (self.path.block, self.path.place) = (target, 0);
        if target <= from {
            self.count_back_edge();
        }
        if !self.others.is_empty() {
            self.choose();
        }
    }

    /// After a split: joins what meets, and lets the right one run.
    fn settle(&mut self) {
        if !self.path.mask.is_empty() {
            self.choose();
        }
    }

    fn count_back_edge(&mut self) {
        self.back_edges += 1;
        self.turn_back_edges += 1;
    }

    /// Lets lanes wait for their turn, together with those that stand at the same place already.
    pub(super) fn put_aside(&mut self, path: Path) {
        let here = |other: &&mut Path| other.state == State::Ready && other.meets(&path);
        match self.others.iter_mut().find(here) {
            Some(other) => other.mask = other.mask.or(&path.mask),
            None => {
                self.others.push(path);
                self.wanted_is_stale = true;
            }
        }
    }

    /// The running path has just come to a block's start, and others exist: who runs?
    fn choose(&mut self) {
        self.join_those_here();
        if self.others.is_empty() {
            return;
        }
        if self.turn_back_edges >= QUANTUM_BACK_EDGES {
            self.rotate();
            return;
        }
        if let Some(first) = self.first_ready()
            && !self.pinned
            && self.others[first].order() < self.path.order()
        {
            std::mem::swap(&mut self.path, &mut self.others[first]);
            self.wanted_is_stale = true;
            self.join_those_here();
        }
        if self.wanted_is_stale {
            self.want();
        }
    }

    /// Joins to the running path whoever stands at the same place.
    fn join_those_here(&mut self) {
        let mut i = 0;
        while i < self.others.len() {
            if self.others[i].state == State::Ready && self.others[i].meets(&self.path) {
                let other = self.others.swap_remove(i);
                self.path.mask = self.path.mask.or(&other.mask);
                self.wanted_is_stale = true;
            } else {
                i += 1;
            }
        }
    }

    /// A turn is over: the path that has waited longest runs, and is not interrupted for a turn.
    fn rotate(&mut self) {
        self.turn += 1;
        self.path.stamp = self.turn;
        let longest = self
            .others
            .iter()
            .enumerate()
            .filter(|(_, other)| other.state == State::Ready)
            .min_by_key(|(_, other)| other.stamp)
            .map(|(i, _)| i);
        self.turn_back_edges = 0;
        if let Some(i) = longest {
            std::mem::swap(&mut self.path, &mut self.others[i]);
            self.pinned = true;
            self.join_those_here();
        } else {
            self.pinned = false;
        }
        self.want();
    }

    /// The running path is gone or waits: the first that is ready runs. False where no lane is left.
    pub(super) fn next_path(&mut self) -> Result<bool, Halt> {
        self.release()?;
        self.pinned = false;
        match self.first_ready() {
            Some(i) => {
                self.path = self.others.swap_remove(i);
                self.join_those_here();
                self.want();
                Ok(true)
            }
            None if self.others.is_empty() => Ok(false),
            None => Err(self.deadlock()),
        }
    }

    /// Of those that could run, the one that stands first.
    fn first_ready(&self) -> Option<usize> {
        let ready = self.others.iter().enumerate().filter(|(_, other)| other.state == State::Ready);
        ready.min_by_key(|(_, other)| other.order()).map(|(i, _)| i)
    }

    /// Finds what those that do not run still want.
    pub(super) fn want(&mut self) {
        self.wanted_is_stale = false;
        self.wanted.clear();
        for other in &self.others {
            self.code.live.join_at(other.block, other.place, &mut self.wanted);
        }
    }
}
