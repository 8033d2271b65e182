//! `bra`, `brx`, `ret`, `exit`, `trap`: where a lane goes on.

use crate::PtxError;
use crate::ir::{Op, Terminator, TrapKind, Type};
use crate::syntax;

use super::builder::Builder;
use super::names::Place;
use super::opcode::Opcode;

type Operands<'a> = &'a [syntax::Operand<'a>];

/// `bra`
pub(super) fn bra<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let [target] = b.exactly(operands)?;
    let uniform = opcode.has("uni");
    opcode.finish()?;
    let syntax::Operand::Name(name) = target else {
        return Err(b.malformed("wanted a label"));
    };
    let block = b.label(name)?;
    b.branch(block, uniform);
    Ok(())
}

/// `brx.idx`
pub(super) fn brx<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let [index, list] = b.exactly(operands)?;
    opcode.require(&[("idx", ())])?;
    opcode.has("uni");
    opcode.finish()?;
    let syntax::Operand::Name(name) = list else {
        return Err(b.malformed("wanted a list of labels"));
    };
    let Place::Targets(list) = b.place(name)? else {
        return Err(b.malformed(format!("`{name}` is no list of labels")));
    };
    let index = b.src(index, Type::U32)?;
    b.context.spend(list.names.len(), b.line)?;
    let targets = list.names.iter().map(|name| b.label(name)).collect::<Result<_, _>>()?;
    b.end_guarded(Terminator::Switch { index, targets });
    Ok(())
}

/// `ret`, `exit`, `trap`, `brkpt`
pub(super) fn end<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    b.exactly::<0>(operands)?;
    opcode.has("uni");
    opcode.finish()?;
    match opcode.name {
        "ret" => b.return_from_function(),
        "exit" => b.end_guarded(Terminator::Exit),
        "trap" => b.end_guarded(Terminator::Trap(TrapKind::Trap)),
        _ => b.end_guarded(Terminator::Trap(TrapKind::Breakpoint)),
    }
    Ok(())
}

/// `nanosleep`
pub(super) fn nanosleep<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let [time] = b.exactly(operands)?;
    opcode.ty_of(&[Type::U32])?;
    opcode.finish()?;
    let nanoseconds = b.src(time, Type::U32)?;
    b.emit(Op::Sleep { nanoseconds });
    Ok(())
}

/// `griddepcontrol`, `pmevent`: hints to schedulers and profilers; nothing happens.
pub(super) fn hint<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    if opcode.name == "griddepcontrol" {
        opcode.require(&[("wait", ()), ("launch_dependents", ())])?;
        b.exactly::<0>(operands)?;
    } else {
        opcode.has("mask");
        let [event] = b.exactly(operands)?;
        b.constant(event)?;
    }
    opcode.finish()
}
