//! Which registers are live where blocks begin and end.
//!
//! Only registers that are read before they are written in some block are tracked; all others live
//! within one block.

use crate::PtxError;
use crate::ir::{Block, Reg, RegClass, RegisterCounts, Role};
use crate::limits::LIVENESS_WORDS_MAX;

use super::bits::BitTable;
use super::graph::Edges;

/// Numbers registers of all classes one after the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct RegisterNumbers {
    starts: [usize; 4],
    pub(super) count: usize,
}

impl RegisterNumbers {
    pub(super) fn new(counts: RegisterCounts) -> Self {
        let mut starts = [0; 4];
        let mut count = 0;
        for (start, class) in starts.iter_mut().zip(RegClass::ALL) {
            *start = count;
            count += counts.of(class) as usize;
        }
        Self { starts, count }
    }

    pub(super) fn of(&self, reg: Reg) -> usize {
        self.starts[reg.class() as usize] + reg.index()
    }
}

/// Not tracked.
const UNTRACKED: u32 = u32::MAX;

/// Live registers at the edges of blocks.
#[derive(Debug)]
pub(super) struct Liveness {
    pub(super) numbers: RegisterNumbers,
    /// The tracked registers.
    tracked: Vec<Reg>,
    live_in: BitTable,
    live_out: BitTable,
}

impl Liveness {
    pub(super) fn of(
        blocks: &mut [Block],
        counts: RegisterCounts,
        line: u32,
    ) -> Result<Self, PtxError> {
        let numbers = RegisterNumbers::new(counts);
        let (tracked, place) = tracked(blocks, numbers);
        let words = BitTable::row_words(tracked.len()).saturating_mul(blocks.len());
        if words > LIVENESS_WORDS_MAX {
            let reason = format!(
                "{} registers that live across {} blocks, which is too many to place",
                tracked.len(),
                blocks.len()
            );
            return Err(PtxError::too_large(line, reason));
        }
        let mut read_first = BitTable::new(blocks.len(), tracked.len());
        let mut written = BitTable::new(blocks.len(), tracked.len());
        for (row, block) in blocks.iter_mut().enumerate() {
            for_each_access(block, |reg, role, always| {
                let bit = place[numbers.of(reg)];
                if bit == UNTRACKED {
                    return;
                }
                let bit = bit as usize;
                match role {
                    Role::Read if !written.has(row, bit) => read_first.set(row, bit),
                    Role::Write if always => written.set(row, bit),
                    Role::Read | Role::Write => {}
                }
            });
        }
        let mut liveness = Self {
            numbers,
            tracked,
            live_out: BitTable::new(blocks.len(), read_first.row(0).len() * 64),
            live_in: read_first,
        };
        liveness.spread(blocks, &written);
        Ok(liveness)
    }

    /// Until nothing changes: live out is what successors want, live in is that and what is read first.
    fn spread(&mut self, blocks: &[Block], written: &BitTable) {
        let successors = Edges::successors(blocks);
        let predecessors = successors.reversed();
        let mut pending: Vec<usize> = (0..blocks.len()).collect();
        let mut is_pending = vec![true; blocks.len()];
        while let Some(block) = pending.pop() {
            is_pending[block] = false;
            for to in successors.of(block) {
                let row = self.live_in.row(*to as usize);
                for (out, wanted) in self.live_out.row_mut(block).iter_mut().zip(row) {
                    *out |= wanted;
                }
            }
            let mut changed = false;
            let row = self.live_out.row(block).iter().zip(written.row(block));
            for (into, (out, written)) in self.live_in.row_mut(block).iter_mut().zip(row) {
                let more = *into | (out & !written);
                changed |= more != *into;
                *into = more;
            }
            if changed {
                for from in predecessors.of(block) {
                    if !is_pending[*from as usize] {
                        is_pending[*from as usize] = true;
                        pending.push(*from as usize);
                    }
                }
            }
        }
    }

    /// Registers live where a block begins.
    pub(super) fn live_in(&self, block: usize) -> impl Iterator<Item = Reg> + '_ {
        self.live_in.bits(block).map(|bit| self.tracked[bit])
    }

    /// Registers live where a block ends.
    pub(super) fn live_out(&self, block: usize) -> impl Iterator<Item = Reg> + '_ {
        self.live_out.bits(block).map(|bit| self.tracked[bit])
    }
}

/// Registers that some block reads before writing them, and their places in that list.
fn tracked(blocks: &mut [Block], numbers: RegisterNumbers) -> (Vec<Reg>, Vec<u32>) {
    let mut tracked: Vec<Reg> = Vec::new();
    let mut place = vec![UNTRACKED; numbers.count];
    // the last block that wrote a register
    let mut written_in = vec![usize::MAX; numbers.count];
    for (row, block) in blocks.iter_mut().enumerate() {
        for_each_access(block, |reg, role, always| {
            let number = numbers.of(reg);
            match role {
                Role::Read if written_in[number] != row && place[number] == UNTRACKED => {
                    place[number] = u32::try_from(tracked.len()).unwrap_or(UNTRACKED);
                    tracked.push(reg);
                }
                Role::Write if always => written_in[number] = row,
                Role::Read | Role::Write => {}
            }
        });
    }
    (tracked, place)
}

/// Every access of a block in order. A write under a guard reads as well, since lanes outside of the
/// guard keep what was there; `always` is false for it.
pub(super) fn for_each_access(block: &mut Block, mut visit: impl FnMut(Reg, Role, bool)) {
    for instruction in &mut block.instructions {
        let guarded = instruction.guard.is_some();
        instruction.for_each_register(|reg, role| match role {
            Role::Write if guarded => {
                visit(*reg, Role::Read, false);
                visit(*reg, Role::Write, false);
            }
            role => visit(*reg, role, true),
        });
    }
    block.terminator.for_each_register(|reg, role| visit(*reg, role, true));
}
