//! Where lanes of a unit wait for each other.

use mock_ptx::ir::{BarrierKind, Guard, Op, Operand, RegClass, VoteKind};

use super::mask::{Mask, WARPS_MAX};
use super::path::{Path, State};
use super::run::Scope;
use super::unit::Unit;
use super::width::finish;
use crate::eval::lanes::Lanes;
use crate::eval::{matrix, warp};
use crate::fault::Cause;
use crate::launch::barrier::{self, Barrier};
use crate::launch::job::Halt;
use crate::limits::{BARRIERS, WARP_LANES};

/// For whom an operation of a warp waits.
enum Members {
    /// For nobody: whoever is here takes part.
    Present,
    /// For the lanes of the operand's mask.
    Of(Operand),
    /// For the whole warp.
    All,
}

fn members(op: &Op) -> Members {
    match op {
        Op::Shuffle { members, .. } | Op::Vote { members, .. } => {
            members.map_or(Members::Present, Members::Of)
        }
        Op::Match { members, .. }
        | Op::Reduce { members, .. }
        | Op::Elect { members, .. }
        | Op::WarpBarrier { members } => Members::Of(*members),
        Op::ActiveMask { .. } => Members::Present,
        _ => Members::All,
    }
}

impl Unit<'_> {
    /// Does an operation of warps for whoever has all members here; false where the running path must wait.
    pub(super) fn together(&mut self, scope: &Scope) -> Result<bool, Halt> {
        let instruction = self.instruction(self.path.block, self.path.place);
        let Some(op) = instruction.map(|instruction| &instruction.op) else { return Ok(true) };
        let who = members(op);
        let complete = match who {
            Members::Present => scope.mask,
            _ if scope.mask == self.alive && self.names_all(&who, scope) => scope.mask,
            _ => return self.together_in_part(op, &who, scope),
        };
        if self.at_once(op, scope) {
            return Ok(true);
        }
        for warp in scope.warps.each() {
            self.collect(op, warp, complete.0[warp])?;
        }
        Ok(true)
    }

    /// Operations that have a loop of their own, for lanes that are complete warp by warp.
    fn at_once(&mut self, op: &Op, scope: &Scope) -> bool {
        self.shuffle_warps(op, scope) || self.vote_by_warps(op, scope)
    }

    /// The common shuffle: the same distance for all lanes. False where it is another one.
    fn shuffle_warps(&mut self, op: &Op, scope: &Scope) -> bool {
        let Op::Shuffle { kind, dst, in_range, src: Operand::Register(src), lane, clamp, .. } = op
        else {
            return false;
        };
        let (Some(distance), Some(clamp)) = (self.same32(*lane), self.same32(*clamp)) else {
            return false;
        };
        let mut in_range_lanes = 0;
        let sources: [u32; WARP_LANES] = std::array::from_fn(|i| {
            let (from, valid) = warp::shuffle_source(*kind, i, distance, clamp);
            in_range_lanes |= u32::from(valid) << i;
            from as u32
        });
        let isa = self.isa;
        let (d, a) = (dst.index() as u32, src.index() as u32);
        let keep = self.keeps(scope, RegClass::B32, d);
        self.file32.spell(a);
        let mut target = self.file32.take(d, keep || a == d);
        for run in scope.warps.runs() {
            let (here, a) = (&scope.mask.0[run.clone()], self.file32.view(a, run.start));
            isa.shuffle32(&mut target.chunks[run], here, a, &sources);
        }
        finish(&mut self.file32, isa, scope, (d, keep), target);
        if let Some(predicate) = in_range {
            let words = &mut self.predicates[predicate.index()].0;
            for warp in scope.warps.each() {
                let here = scope.mask.0[warp];
                words[warp] = words[warp] & !here | in_range_lanes & here;
            }
        }
        true
    }

    /// A vote of all lanes of the scope, warp by warp. False where it is another operation.
    fn vote_by_warps(&mut self, op: &Op, scope: &Scope) -> bool {
        let Op::Vote { kind, dst, predicate, .. } = op else { return false };
        let holding = self.holding(*predicate, &scope.mask);
        let d = dst.index();
        if *kind != VoteKind::Ballot {
            let mut answers = Mask::EMPTY;
            for warp in scope.warps.each() {
                let (yes, all) = (holding.0[warp], scope.mask.0[warp]);
                let answer = match kind {
                    VoteKind::Any => yes != 0,
                    VoteKind::Uniform => yes == all || yes == 0,
                    VoteKind::All | VoteKind::Ballot => yes == all,
                };
                answers.0[warp] = if answer { all } else { 0 };
            }
            let words = &mut self.predicates[d];
            *words = words.without(&scope.mask).or(&answers);
            return true;
        }
        let keep = self.keeps(scope, RegClass::B32, d as u32);
        let mut target = self.file32.take(d as u32, keep);
        for warp in scope.warps.each() {
            target.chunks[warp].0.fill(holding.0[warp]);
        }
        finish(&mut self.file32, self.isa, scope, (d as u32, keep), target);
        true
    }

    /// A 32-bit operand, where all lanes have the same.
    fn same32(&self, operand: Operand) -> Option<u32> {
        match operand {
            Operand::Immediate(bits) => Some(bits as u32),
            Operand::Register(reg) => {
                let shape = self.file32.shape(reg.index() as u32)?;
                shape.is_uniform().then_some(shape.base)
            }
        }
    }

    /// Whether the mask is one number, and names every lane of each warp.
    fn names_all(&self, who: &Members, _: &Scope) -> bool {
        match who {
            Members::Of(Operand::Immediate(mask)) => *mask as u32 == u32::MAX,
            Members::Of(Operand::Register(reg)) if reg.class() == RegClass::B32 => {
                let shape = self.file32.shape(reg.index() as u32);
                shape.is_some_and(|shape| shape.is_uniform() && shape.base == u32::MAX)
            }
            Members::All => true,
            _ => false,
        }
    }

    /// Some lanes may have to wait: those whose members are all here go on, the others stay.
    fn together_in_part(&mut self, op: &Op, who: &Members, scope: &Scope) -> Result<bool, Halt> {
        let mut waiting = Mask::EMPTY;
        let mut groups: Vec<(usize, u32)> = Vec::new();
        for warp in scope.warps.each() {
            let mut left = scope.mask.0[warp];
            while left != 0 {
                let first = left.trailing_zeros() as usize;
                let (group, wanted) = self.group(who, warp, first, left)?;
                if wanted & self.alive.0[warp] & !group == 0 {
                    groups.push((warp, group));
                } else {
                    waiting.0[warp] |= group;
                }
                left &= !group;
            }
        }
        let is_one_group = |(warp, group): &(usize, u32)| scope.mask.0[*warp] == *group;
        if waiting.is_empty() && groups.iter().all(is_one_group) && self.at_once(op, scope) {
            return Ok(true);
        }
        for (warp, group) in groups {
            self.collect(op, warp, group)?;
        }
        if waiting.is_empty() {
            return Ok(true);
        }
        let mut stays = self.path.with(waiting);
        stays.state = State::Members;
        self.others.push(stays);
        self.wanted_is_stale = true;
        // Lanes whose guard was false go on with those that are done.
        self.path.mask = self.path.mask.without(&waiting);
        self.path.place += 1;
        if !self.path.mask.is_empty() {
            let goes = self.path.clone();
            self.put_aside(goes);
            self.path.mask = Mask::EMPTY;
        }
        Ok(false)
    }

    /// The lanes of `left` that name the same members as lane `first`, and those members.
    fn group(
        &self,
        who: &Members,
        warp: usize,
        first: usize,
        left: u32,
    ) -> Result<(u32, u32), Halt> {
        let Members::Of(operand) = *who else { return Ok((left, u32::MAX)) };
        let named = |lane: usize| self.read32(warp * WARP_LANES + lane, operand);
        let wanted = named(first);
        let group = match self.same32(operand) {
            Some(_) => left,
            None => (0..WARP_LANES)
                .filter(|lane| left >> lane & 1 == 1 && named(*lane) == wanted)
                .fold(0u32, |group, lane| group | 1 << lane),
        };
        let outsider = group & !wanted;
        if outsider != 0 {
            let lane = warp * WARP_LANES + outsider.trailing_zeros() as usize;
            return Err(self.fault((lane, Cause::NotAMember { members: wanted })));
        }
        Ok((group, wanted))
    }

    fn collect(&mut self, op: &Op, warp: usize, active: u32) -> Result<(), Halt> {
        let first = warp * WARP_LANES;
        if !warp::execute(op, first, active, self) {
            matrix::execute(op, first, active, self).map_err(|fault| self.fault(fault))?;
        }
        Ok(())
    }

    /// Arrives at a barrier; false where the running path must wait.
    pub(super) fn arrive(&mut self, scope: &Scope) -> Result<bool, Halt> {
        let instruction = self.instruction(self.path.block, self.path.place);
        let Some(Op::Barrier { kind, id, threads, predicate, .. }) = instruction.map(|i| &i.op)
        else {
            return Ok(true);
        };
        if self.passes_at_once(scope, *kind, (*id, *threads), *predicate) {
            return Ok(true);
        }
        let mut left = scope.mask;
        let mut waiting = Mask::EMPTY;
        while let Some(lane) = left.lowest() {
            let number = self.read32(lane, *id);
            let count = threads.map(|threads| self.read32(lane, threads));
            barrier::check(number, count).map_err(|cause| self.fault((lane, cause)))?;
            let block = lane / self.threads;
            let group = self.naming(*id, number, &left.and(&self.lanes_of(block)));
            let holding = predicate.map_or(0, |guard| self.holding(guard, &group).count());
            self.barriers[block][number as usize].arrive(group.count(), count, holding);
            self.barriers_are_fresh = false;
            if *kind != BarrierKind::Arrive {
                let mut stays = self.path.with(group);
                stays.state = State::Barrier(number);
                self.others.push(stays);
                self.wanted_is_stale = true;
                waiting = waiting.or(&group);
            }
            left = left.without(&group);
        }
        if waiting.is_empty() {
            return Ok(true);
        }
        self.path.mask = self.path.mask.without(&waiting);
        self.path.place += 1;
        if !self.path.mask.is_empty() {
            let goes = self.path.clone();
            self.put_aside(goes);
            self.path.mask = Mask::EMPTY;
        }
        Ok(false)
    }

    /// The lanes of a mask for which a 32-bit operand is `number`.
    fn naming(&self, operand: Operand, number: u32, mask: &Mask) -> Mask {
        if let Operand::Immediate(_) = operand {
            return *mask;
        }
        let mut naming = Mask::EMPTY;
        mask.lanes()
            .filter(|lane| self.read32(*lane, operand) == number)
            .for_each(|lane| naming.add(lane));
        naming
    }

    /// The common case: everyone alive is here, at a barrier that waits for all of them.
    fn passes_at_once(
        &mut self,
        scope: &Scope,
        kind: BarrierKind,
        (id, threads): (Operand, Option<Operand>),
        predicate: Option<Guard>,
    ) -> bool {
        let Operand::Immediate(number) = id else { return false };
        let all = scope.mask == self.alive && threads.is_none() && kind != BarrierKind::Arrive;
        let is_fresh =
            |block: &[Barrier; BARRIERS]| block.get(number as usize) == Some(&Barrier::default());
        if !all || !self.barriers.iter().all(is_fresh) {
            return false;
        }
        if let BarrierKind::Reduce(reduction) = kind {
            for block in 0..self.blocks {
                let lanes = scope.mask.and(&self.lanes_of(block));
                let mut barrier = Barrier::default();
                let holding = predicate.map_or(0, |guard| self.holding(guard, &lanes).count());
                barrier.arrive(lanes.count(), None, holding);
                self.answer(lanes, barrier.answer(reduction));
            }
        }
        true
    }

    /// Gives lanes the outcome of the barrier that the running path stands at.
    fn answer(&mut self, mask: Mask, answer: u64) {
        let instruction = self.instruction(self.path.block, self.path.place);
        if let Some(Op::Barrier { dst: Some(dst), .. }) = instruction.map(|i| &i.op) {
            mask.lanes().for_each(|lane| self.set_register(lane, *dst, answer));
        }
    }

    /// Lets go on who waits for nobody any more.
    pub(super) fn release(&mut self) -> Result<(), Halt> {
        if self.others.is_empty() {
            return Ok(());
        }
        for block in 0..self.blocks {
            for id in 0..BARRIERS {
                if self.barriers[block][id] == Barrier::default() {
                    continue;
                }
                let alive = self.alive.and(&self.lanes_of(block)).count();
                if self.barriers[block][id].is_complete(alive) {
                    let barrier = std::mem::take(&mut self.barriers[block][id]);
                    self.pass(block, id as u32, barrier);
                }
            }
        }
        self.join_waiting();
        for i in 0..self.others.len() {
            if self.others[i].state == State::Members && self.is_complete(i) {
                self.others[i].state = State::Ready;
            }
        }
        Ok(())
    }

    /// All that wait at a barrier of one of the unit's blocks go on behind it.
    fn pass(&mut self, of_block: usize, id: u32, barrier: Barrier) {
        for i in 0..self.others.len() {
            let Path { block, place, mask, state, .. } = self.others[i];
            // who waits at a barrier waits with lanes of the same block alone
            let there = mask.lowest().is_some_and(|lane| lane / self.threads == of_block);
            if state != State::Barrier(id) || !there {
                continue;
            }
            let instruction = self.instruction(block, place);
            if let Some(Op::Barrier {
                kind: BarrierKind::Reduce(reduction), dst: Some(dst), ..
            }) = instruction.map(|i| &i.op)
            {
                let answer = barrier.answer(*reduction);
                mask.lanes().for_each(|lane| self.set_register(lane, *dst, answer));
            }
            self.others[i].state = State::Ready;
            self.others[i].place += 1;
        }
    }

    /// Joins paths that wait at the same operation of a warp.
    fn join_waiting(&mut self) {
        let mut i = 0;
        while i < self.others.len() {
            if self.others[i].state != State::Members {
                i += 1;
                continue;
            }
            let mut j = i + 1;
            while j < self.others.len() {
                let meets =
                    self.others[j].state == State::Members && self.others[i].meets(&self.others[j]);
                if meets {
                    let other = self.others.swap_remove(j);
                    self.others[i].mask = self.others[i].mask.or(&other.mask);
                } else {
                    j += 1;
                }
            }
            i += 1;
        }
    }

    /// Whether any group of a waiting path now has all its members.
    fn is_complete(&self, i: usize) -> bool {
        let Path { block, place, mask, .. } = self.others[i];
        let Some(instruction) = self.instruction(block, place) else { return true };
        let who = members(&instruction.op);
        (0..WARPS_MAX).filter(|warp| mask.0[*warp] != 0).any(|warp| {
            let mut left = mask.0[warp];
            while left != 0 {
                let first = left.trailing_zeros() as usize;
                match self.group(&who, warp, first, left) {
                    Ok((group, wanted)) if wanted & self.alive.0[warp] & !group != 0 => {
                        left &= !group
                    }
                    _ => return true,
                }
            }
            false
        })
    }

    /// Nobody can run, and somebody waits.
    pub(super) fn deadlock(&self) -> Halt {
        let first = self.others.iter().min_by_key(|other| other.mask.lowest());
        let Some(first) = first else { return Halt::Stopped };
        let block = self.lanes_of(first.mask.lowest().unwrap_or(0) / self.threads);
        let waiting: u32 = self.others.iter().map(|other| other.mask.and(&block).count()).sum();
        let at = match first.state {
            State::Barrier(_) => "a barrier",
            _ => "a warp operation",
        };
        let line = self.instruction(first.block, first.place).map_or(0, |i| i.line);
        let cause = Cause::Deadlock { waiting: waiting as usize, at };
        self.fault_in_line(first.mask.lowest().unwrap_or(0), line, cause)
    }
}
