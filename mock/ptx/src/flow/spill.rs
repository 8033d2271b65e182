//! Around a call nothing stays in registers: the callee uses the same ones.

use std::collections::HashMap;

use crate::PtxError;
use crate::ir::{
    Address, Base, Coherence, Comparison, Guard, Instruction, Op, Operand, Reg, RegClass, Space,
    Terminator, Type,
};
use crate::limits::KERNEL_INSTRUCTIONS_MAX;
use crate::unit::{Unit, frame_offset};

use super::liveness::Liveness;

/// Whether a unit calls anything.
pub(super) fn has_calls(unit: &Unit) -> bool {
    unit.blocks.iter().any(|block| return_of(&block.terminator).is_some())
}

/// Where a call comes back to.
fn return_of(terminator: &Terminator) -> Option<usize> {
    match terminator {
        Terminator::Call { then, .. } | Terminator::CallIndirect { then, .. } => Some(then.index()),
        _ => None,
    }
}

/// Saves what is live across each call into the frame, and restores it behind.
pub(super) fn around_calls(unit: &mut Unit, line: u32) -> Result<(), PtxError> {
    let live = Liveness::of(&mut unit.blocks, unit.counts, line)?;
    let mut slots = HashMap::new();
    let mut moves_left = KERNEL_INSTRUCTIONS_MAX;
    for block in 0..unit.blocks.len() {
        let Some(then) = return_of(&unit.blocks[block].terminator) else { continue };
        let line = unit.blocks[block].terminator_line;
        let mut restores = Vec::new();
        for reg in live.live_in(then) {
            moves_left = moves_left.checked_sub(2).ok_or_else(|| {
                let reason =
                    format!("more than {KERNEL_INSTRUCTIONS_MAX} registers to save around calls");
                PtxError::too_large(line, reason)
            })?;
            let address = slot(unit, &mut slots, reg, line)?;
            let saves = save(unit, reg, address);
            let with_line = |op| Instruction { guard: None, op, line };
            unit.blocks[block].instructions.extend(saves.into_iter().map(with_line));
            restores.extend(restore(unit, reg, address).into_iter().map(with_line));
        }
        unit.blocks[then].instructions.splice(0..0, restores);
    }
    Ok(())
}

/// A register's place in the frame.
fn slot(
    unit: &mut Unit,
    slots: &mut HashMap<Reg, Address>,
    reg: Reg,
    line: u32,
) -> Result<Address, PtxError> {
    if let Some(address) = slots.get(&reg) {
        return Ok(*address);
    }
    let bytes = memory_type(reg.class()).bytes();
    let variable = unit.frame_variable(bytes.into(), bytes, line)?;
    let offset = frame_offset::encode(variable, 0).unwrap_or_default();
    let address = Address { base: Base::Frame, offset };
    slots.insert(reg, address);
    Ok(address)
}

/// Predicates are saved as words.
const fn memory_type(class: RegClass) -> Type {
    match class {
        RegClass::Predicate | RegClass::B32 => Type::B32,
        RegClass::B16 => Type::B16,
        RegClass::B64 => Type::B64,
    }
}

fn save(unit: &mut Unit, reg: Reg, address: Address) -> Vec<Op> {
    let store = |src| Op::Store {
        ty: memory_type(reg.class()),
        space: Space::Local,
        coherence: Coherence::WEAK,
        src: Operand::Register(src),
        address,
    };
    if reg.class() != RegClass::Predicate {
        return vec![store(reg)];
    }
    let dst = unit.register(RegClass::B32);
    let (a, b) = (Operand::Immediate(1), Operand::Immediate(0));
    let condition = Guard { predicate: reg, negated: false };
    vec![Op::Select { dst, a, b, condition }, store(dst)]
}

fn restore(unit: &mut Unit, reg: Reg, address: Address) -> Vec<Op> {
    let load = |dst| Op::Load {
        ty: memory_type(reg.class()),
        space: Space::Local,
        coherence: Coherence::WEAK,
        dst,
        address,
    };
    if reg.class() != RegClass::Predicate {
        return vec![load(reg)];
    }
    let word = unit.register(RegClass::B32);
    let compare = Op::Compare {
        comparison: Comparison::Ne,
        ty: Type::B32,
        flush_subnormals: false,
        dst: Some(reg),
        complement: None,
        a: Operand::Register(word),
        b: Operand::Immediate(0),
        combine: None,
    };
    vec![load(word), compare]
}
