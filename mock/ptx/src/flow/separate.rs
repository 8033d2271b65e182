//! Loads of several values never write the register that holds their address: an engine may write one value
//! before it looks for the next.

use crate::ir::{Address, Base, Instruction, Op, Operand, Reg, WmmaFragment};
use crate::unit::Unit;

/// Whether results of this operation may be written while its address is still needed.
pub(super) const fn reads_while_it_writes(op: &Op) -> bool {
    match op {
        Op::LoadVector { .. } => true,
        Op::MatrixMove(part) => !part.store,
        Op::WmmaAccess(access) => !matches!(access.fragment, WmmaFragment::D),
        _ => false,
    }
}

/// Copies an address that one of the results would overwrite.
pub(super) fn separate(unit: &mut Unit) {
    for block in 0..unit.blocks.len() {
        let mut at = 0;
        while let Some(instruction) = unit.blocks[block].instructions.get_mut(at) {
            at += 1;
            let Some(base) = overwritten_base(&mut instruction.op) else { continue };
            let (from, line) = (*base, instruction.line);
            let copy = unit.register(from.class());
            if let Some(base) = overwritten_base(&mut unit.blocks[block].instructions[at - 1].op) {
                *base = copy;
            }
            let op = Op::Move { dst: copy, src: Operand::Register(from) };
            unit.blocks[block].instructions.insert(at - 1, Instruction { guard: None, op, line });
            at += 1;
        }
    }
}

/// The register of the address, if it is a result too.
fn overwritten_base(op: &mut Op) -> Option<&mut Reg> {
    let (address, results): (&mut Address, &[Reg]) = match op {
        Op::LoadVector { address, dsts, .. } => (address, dsts),
        Op::MatrixMove(part) if !part.store => (&mut part.address, &part.registers),
        Op::WmmaAccess(access) if access.fragment != WmmaFragment::D => {
            (&mut access.address, &access.registers)
        }
        _ => return None,
    };
    match &mut address.base {
        Base::Register(reg) | Base::Register32(reg) if results.contains(reg) => Some(reg),
        _ => None,
    }
}
