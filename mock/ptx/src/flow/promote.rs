//! Variables of the frame that need no memory become registers: arguments and results of inlined calls.
//!
//! One does where its address is never taken, and every two accesses touch either the same bytes or
//! none in common.

use std::collections::BTreeMap;

use crate::ir::{
    Address, Base, Conversion, Instruction, Op, Operand, Reg, RegClass, Rounding, Space, Type,
};
use crate::unit::{Unit, frame_offset};

/// Bytes of a variable that are accessed together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Piece {
    offset: i64,
    bytes: u32,
}

/// Pieces of each variable that may become registers; none for those that may not.
type Pieces = BTreeMap<u32, Option<BTreeMap<Piece, Option<Reg>>>>;

/// Replaces loads and stores of such variables by moves.
pub(super) fn promote(unit: &mut Unit) {
    let mut pieces = Pieces::new();
    // memory that callees see stays memory
    pieces.insert(Unit::INCOMING, None);
    pieces.insert(Unit::OUTGOING, None);
    for block in &mut unit.blocks {
        for instruction in &mut block.instructions {
            note(&mut instruction.op, &mut pieces);
        }
    }
    pieces.retain(|_, found| found.as_ref().is_some_and(are_apart));
    if pieces.is_empty() {
        return;
    }
    let mut blocks = core::mem::take(&mut unit.blocks);
    for block in &mut blocks {
        if !block.instructions.iter().any(|instruction| is_promoted(&instruction.op, &pieces)) {
            continue;
        }
        let mut replaced = Vec::with_capacity(block.instructions.len());
        for instruction in block.instructions.drain(..) {
            replace(unit, &mut pieces, instruction, &mut replaced);
        }
        block.instructions = replaced;
    }
    unit.blocks = blocks;
}

/// The variable and offset of an address in the frame.
fn place(address: Address) -> Option<(u32, i64)> {
    (address.base == Base::Frame).then(|| frame_offset::decode(address.offset))
}

/// The plain accesses: type, how many values, where.
fn access(op: &Op) -> Option<(Type, usize, Address)> {
    match op {
        Op::Load { ty, space: Space::Local, address, .. }
        | Op::Store { ty, space: Space::Local, address, .. } => Some((*ty, 1, *address)),
        Op::LoadVector { ty, space: Space::Local, address, dsts, .. } => {
            Some((*ty, dsts.len(), *address))
        }
        Op::StoreVector { ty, space: Space::Local, address, srcs, .. } => {
            Some((*ty, srcs.len(), *address))
        }
        _ => None,
    }
}

/// Notes what an operation does to variables of the frame.
fn note(op: &mut Op, pieces: &mut Pieces) {
    if let Some((ty, count, address)) = access(op) {
        let Some((variable, offset)) = place(address) else { return };
        if let Some(found) = pieces.entry(variable).or_insert_with(|| Some(BTreeMap::new())) {
            for piece in pieces_of(ty, count, offset) {
                found.insert(piece, None);
            }
        }
        return;
    }
    let escaped = match op {
        Op::FrameAddress { offset, .. } => Some(frame_offset::decode(*offset).0),
        Op::Atomic { address, .. } | Op::Mbarrier { address, .. } => place(*address).map(|p| p.0),
        Op::MatrixMove(part) => place(part.address).map(|p| p.0),
        Op::WmmaAccess(access) => place(access.address).map(|p| p.0),
        Op::Load { address, .. }
        | Op::Store { address, .. }
        | Op::LoadVector { address, .. }
        | Op::StoreVector { address, .. } => place(*address).map(|p| p.0),
        _ => None,
    };
    if let Some(variable) = escaped {
        pieces.insert(variable, None);
    }
}

fn pieces_of(ty: Type, count: usize, offset: i64) -> impl Iterator<Item = Piece> {
    let bytes = ty.bytes();
    (0..count as i64).map(move |index| Piece { offset: offset + index * i64::from(bytes), bytes })
}

/// Whether no two pieces have bytes in common.
fn are_apart(pieces: &BTreeMap<Piece, Option<Reg>>) -> bool {
    let mut end = i64::MIN;
    pieces.keys().all(|piece| {
        let apart = piece.offset >= end;
        end = piece.offset + i64::from(piece.bytes);
        apart
    })
}

fn is_promoted(op: &Op, pieces: &Pieces) -> bool {
    access(op)
        .and_then(|(_, _, address)| place(address))
        .is_some_and(|(variable, _)| pieces.contains_key(&variable))
}

/// Emits what stands for an instruction.
fn replace(
    unit: &mut Unit,
    pieces: &mut Pieces,
    instruction: Instruction,
    out: &mut Vec<Instruction>,
) {
    let found = access(&instruction.op).and_then(|(ty, count, address)| {
        let (variable, offset) = place(address)?;
        let pieces = pieces.get_mut(&variable)?.as_mut()?;
        Some((ty, count, offset, pieces))
    });
    let Some((ty, count, offset, pieces)) = found else { return out.push(instruction) };
    let Instruction { guard, op, line } = instruction;
    let mut registers = pieces_of(ty, count, offset).filter_map(|piece| {
        let reg = pieces.get_mut(&piece)?;
        Some(*reg.get_or_insert_with(|| unit.register(class_of(piece.bytes))))
    });
    let mut emit = |op| out.push(Instruction { guard, op, line });
    match op {
        Op::Load { dst, .. } => registers.for_each(|from| emit(read(ty, dst, from))),
        Op::LoadVector { dsts, .. } => {
            dsts.iter().zip(registers).for_each(|(dst, from)| emit(read(ty, *dst, from)));
        }
        Op::Store { src, .. } => registers.for_each(|to| emit(write(ty, to, src))),
        Op::StoreVector { srcs, .. } => {
            srcs.iter().zip(&mut registers).for_each(|(src, to)| emit(write(ty, to, *src)));
        }
        _ => {}
    }
}

const fn class_of(bytes: u32) -> RegClass {
    match bytes {
        1 | 2 => RegClass::B16,
        4 => RegClass::B32,
        _ => RegClass::B64,
    }
}

/// A load, as a move that extends like it.
fn read(ty: Type, dst: Reg, from: Reg) -> Op {
    let src = Operand::Register(from);
    if dst.class() == from.class() && ty.bits() > 8 {
        return Op::Move { dst, src };
    }
    Op::Convert { conversion: extend(ty, dst.class()), dst, src }
}

/// A store, as a move that cuts like it.
fn write(ty: Type, to: Reg, src: Operand) -> Op {
    let narrows = src.register().is_some_and(|reg| reg.class() != to.class());
    if !narrows {
        return Op::Move { dst: to, src };
    }
    Op::Convert { conversion: extend(ty, to.class()), dst: to, src }
}

/// From the integer of `ty`'s width and sign to one as wide as `class`.
fn extend(ty: Type, class: RegClass) -> Conversion {
    let integer = |bits, signed| match (bits, signed) {
        (8, false) => Type::U8,
        (8, true) => Type::S8,
        (16, false) => Type::U16,
        (16, true) => Type::S16,
        (32, false) => Type::U32,
        (32, true) => Type::S32,
        (_, false) => Type::U64,
        (_, true) => Type::S64,
    };
    let signed = ty.is_signed();
    Conversion {
        to: integer(class.bits(), signed),
        from: integer(ty.bits(), signed),
        rounding: Rounding::NearestEven,
        to_integral: false,
        flush_subnormals: false,
        saturate: false,
        relu: false,
    }
}
