//! Moves that say nothing new go away: a register that is written once, by a move, is what was moved.
//!
//! Sound where every read comes after its write on every way there; where a program reads what it
//! never wrote, PTX promises nothing about the value, and here it stays the same for every engine.

use crate::ir::{Block, Op, Operand, Reg, Role, Space, Type, Visit};
use crate::unit::Unit;

use super::liveness::RegisterNumbers;

/// Replaces copies by what they copy, and removes what nobody reads.
pub(super) fn simplify(unit: &mut Unit) {
    let numbers = RegisterNumbers::new(unit.counts);
    let mut copies = Copies::of(unit, numbers);
    for block in &mut unit.blocks {
        for instruction in &mut block.instructions {
            instruction.visit(&mut copies);
            narrow_immediates(&mut instruction.op);
        }
        block.terminator.visit(&mut copies);
    }
    remove_unread(unit, numbers);
}

/// Registers that are copies, by number.
struct Copies {
    numbers: RegisterNumbers,
    of: Vec<Option<Operand>>,
}

impl Copies {
    fn of(unit: &mut Unit, numbers: RegisterNumbers) -> Self {
        let mut writes = vec![0_u8; numbers.count];
        for block in &mut unit.blocks {
            for instruction in &mut block.instructions {
                instruction.for_each_register(|reg, role| {
                    if role == Role::Write {
                        let count = &mut writes[numbers.of(*reg)];
                        *count = count.saturating_add(1);
                    }
                });
            }
        }
        let mut copies = Self { numbers, of: vec![None; numbers.count] };
        for instruction in unit.blocks.iter().flat_map(|block| &block.instructions) {
            let (Op::Move { dst, src }, None) = (&instruction.op, instruction.guard) else {
                continue;
            };
            let stays =
                src.register().is_none_or(|reg| writes[numbers.of(reg)] == 1 && reg != *dst);
            if writes[numbers.of(*dst)] == 1 && stays {
                copies.of[numbers.of(*dst)] = Some(*src);
            }
        }
        copies
    }
}

impl Visit for Copies {
    /// Where only a register can stand, copies of registers are followed.
    fn register(&mut self, reg: &mut Reg, role: Role) {
        if role == Role::Write {
            return;
        }
        let mut at = *reg;
        for _ in 0..CHAIN_MAX {
            match self.of[self.numbers.of(at)] {
                Some(Operand::Register(next)) => at = next,
                _ => break,
            }
        }
        *reg = at;
    }

    fn source(&mut self, src: &mut Operand) {
        for _ in 0..CHAIN_MAX {
            let Operand::Register(reg) = *src else { return };
            let Some(next) = self.of[self.numbers.of(reg)] else { return };
            *src = next;
        }
    }
}

/// Where a register may be wider than what is read of it, a constant is not.
fn narrow_immediates(op: &mut Op) {
    let narrow = |src: &mut Operand, ty: Type| {
        if let Operand::Immediate(bits) = src
            && ty.bits() < 64
        {
            *bits &= (1 << ty.bits()) - 1;
        }
    };
    match op {
        Op::Convert { conversion, src, .. } => narrow(src, conversion.from),
        Op::Store { ty, src, .. } => narrow(src, *ty),
        Op::StoreVector { ty, srcs, .. } => srcs.iter_mut().for_each(|src| narrow(src, *ty)),
        _ => {}
    }
}

/// Longer chains of copies are followed in part.
const CHAIN_MAX: usize = 64;

/// Removes operations whose only effect is a result that nobody reads.
fn remove_unread(unit: &mut Unit, numbers: RegisterNumbers) {
    let mut reads = vec![0_u32; numbers.count];
    for block in &mut unit.blocks {
        count_reads(block, numbers, &mut reads);
    }
    // what an operation reads comes before it, as a rule: one sweep backwards finds nearly all
    for block in unit.blocks.iter_mut().rev() {
        let mut kept = Vec::with_capacity(block.instructions.len());
        for mut instruction in block.instructions.drain(..).rev() {
            let mut is_read = !is_pure(&instruction.op);
            instruction.for_each_register(|reg, role| {
                is_read |= role == Role::Write && reads[numbers.of(*reg)] > 0;
            });
            if is_read {
                kept.push(instruction);
                continue;
            }
            instruction.for_each_register(|reg, role| {
                if role == Role::Read {
                    reads[numbers.of(*reg)] -= 1;
                }
            });
        }
        kept.reverse();
        block.instructions = kept;
    }
}

fn count_reads(block: &mut Block, numbers: RegisterNumbers, reads: &mut [u32]) {
    let mut count = |reg: &mut Reg, role: Role| {
        if role == Role::Read {
            reads[numbers.of(*reg)] += 1;
        }
    };
    for instruction in &mut block.instructions {
        instruction.for_each_register(&mut count);
    }
    block.terminator.for_each_register(&mut count);
}

/// Whether an operation does nothing but compute its results. Loads may fault, and stay.
const fn is_pure(op: &Op) -> bool {
    match op {
        Op::Load { space, .. } => matches!(space, Space::Parameter),
        Op::Move { .. }
        | Op::ReadSpecial { .. }
        | Op::SymbolAddress { .. }
        | Op::FrameAddress { .. }
        | Op::Pack { .. }
        | Op::Unpack { .. }
        | Op::Select { .. }
        | Op::SelectBySign { .. }
        | Op::IntegerUnary { .. }
        | Op::IntegerBinary { .. }
        | Op::IntegerTernary { .. }
        | Op::BitFieldInsert { .. }
        | Op::Carry { .. }
        | Op::ScalarVideo(_)
        | Op::VideoMultiply(_)
        | Op::SimdVideo(_)
        | Op::FloatUnary { .. }
        | Op::FloatBinary { .. }
        | Op::FloatTernary { .. }
        | Op::TestFloat { .. }
        | Op::Convert { .. }
        | Op::ConvertPacked { .. }
        | Op::Compare { .. }
        | Op::ComparePacked { .. }
        | Op::Set { .. }
        | Op::ConvertAddress { .. }
        | Op::IsSpace { .. }
        | Op::MbarrierPendingCount { .. } => true,
        Op::LoadVector { .. }
        | Op::Store { .. }
        | Op::StoreVector { .. }
        | Op::Atomic { .. }
        | Op::Fence { .. }
        | Op::AsyncCopy(_)
        | Op::AsyncCommit
        | Op::AsyncWait { .. }
        | Op::Mbarrier { .. }
        | Op::Shuffle { .. }
        | Op::Vote { .. }
        | Op::Match { .. }
        | Op::Reduce { .. }
        | Op::ActiveMask { .. }
        | Op::Elect { .. }
        | Op::WarpBarrier { .. }
        | Op::Barrier { .. }
        | Op::MatrixMove(_)
        | Op::MatrixTranspose { .. }
        | Op::MatrixMultiply(_)
        | Op::WmmaAccess(_)
        | Op::WmmaMultiply(_)
        | Op::Sleep { .. }
        | Op::Intrinsic(_) => false,
    }
}

/// After allocation: moves from a place to itself.
pub(super) fn drop_idle_moves(blocks: &mut [Block]) {
    for block in blocks {
        block.instructions.retain(|instruction| {
            !matches!(&instruction.op, Op::Move { dst, src } if src.register() == Some(*dst))
        });
    }
}
