//! `cp.async` and `mbarrier`: copies that end later, and objects to wait on.

use crate::PtxError;
use crate::ir::{AsyncCopy, MbarrierOp, Op, RegClass, Space, Type};
use crate::syntax;

use super::access::{SCOPES, hints, without_hint};
use super::builder::Builder;
use super::names::Place;
use super::opcode::Opcode;
use super::operands::{ACCESS_SPACES, AccessSpace};

type Operands<'a> = &'a [syntax::Operand<'a>];

/// `cp.async…`
pub(super) fn cp<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    if !opcode.has("async") || opcode.has("bulk") {
        return Err(opcode.unsupported("a bulk or tensor copy"));
    }
    if opcode.has("commit_group") {
        opcode.finish()?;
        b.exactly::<0>(operands)?;
        b.emit(Op::AsyncCommit);
        return Ok(());
    }
    if opcode.has("wait_all") {
        opcode.finish()?;
        b.exactly::<0>(operands)?;
        b.emit(Op::AsyncWait { groups_open_max: None });
        return Ok(());
    }
    if opcode.has("wait_group") {
        opcode.finish()?;
        let [count] = b.exactly(operands)?;
        let count = b.constant(count)?;
        let groups_open_max = Some(u32::try_from(count).unwrap_or(u32::MAX));
        b.emit(Op::AsyncWait { groups_open_max });
        return Ok(());
    }
    if opcode.has("mbarrier") {
        return async_arrive(b, opcode, operands);
    }
    copy(b, opcode, operands)
}

/// `cp.async.ca.shared.global [to], [from], 4{, source bytes | ignore source}`
fn copy<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let has_hint_operand = hints(opcode);
    let to_space = opcode.require(&ACCESS_SPACES)?;
    let from_space = opcode.require(&ACCESS_SPACES)?;
    if (to_space, from_space) != (AccessSpace::Shared, AccessSpace::Global) {
        return Err(b.malformed("cp.async copies from .global to .shared"));
    }
    opcode.finish()?;
    let operands = without_hint(b, operands, has_hint_operand)?;
    let (to, from, size, rest) = match operands {
        [to, from, size, rest @ ..] if rest.len() <= 2 => (to, from, size, rest),
        _ => return Err(b.malformed(format!("{} operands do not fit", operands.len()))),
    };
    let bytes = match b.constant(size)? {
        4 => 4,
        8 => 8,
        16 => 16,
        other => return Err(b.malformed(format!("copies 4, 8 or 16 bytes, got {other}"))),
    };
    let mut copy = AsyncCopy {
        to: b.address(to, to_space)?.1,
        from: b.address(from, from_space)?.1,
        bytes,
        source_bytes: None,
        ignore_source: None,
    };
    for operand in rest {
        if is_predicate(b, operand)? {
            copy.ignore_source = Some(b.condition(operand)?);
        } else {
            copy.source_bytes = Some(b.src(operand, Type::U32)?);
        }
    }
    b.emit(Op::AsyncCopy(Box::new(copy)));
    Ok(())
}

fn is_predicate<'a>(
    b: &mut Builder<'a, '_, '_>,
    operand: &syntax::Operand<'a>,
) -> Result<bool, PtxError> {
    Ok(match operand {
        syntax::Operand::Not(_) => true,
        syntax::Operand::Name(name) => {
            matches!(b.find(name)?, Some(Place::Register(reg)) if reg.class() == RegClass::Predicate)
        }
        _ => false,
    })
}

/// `cp.async.mbarrier.arrive{.noinc}.shared.b64 [bar]`
fn async_arrive<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let [a] = b.exactly(operands)?;
    opcode.require(&[("arrive", ())])?;
    let no_increment = opcode.has("noinc");
    let space = opcode.choose(&ACCESS_SPACES).unwrap_or(AccessSpace::Generic);
    opcode.ty_of(&[Type::B64])?;
    opcode.finish()?;
    object(b, a, space, MbarrierOp::AsyncArrive { no_increment })
}

/// `mbarrier…`
pub(super) fn mbarrier<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    if opcode.has("pending_count") {
        opcode.ty_of(&[Type::B64])?;
        opcode.finish()?;
        let [d, state] = b.exactly(operands)?;
        let (dst, state) = (b.dst(d, Type::U32)?, b.src(state, Type::B64)?);
        b.emit(Op::MbarrierPendingCount { dst, state });
        return Ok(());
    }
    let verb = opcode.require(&[
        ("init", Verb::Init),
        ("inval", Verb::Invalidate),
        ("arrive", Verb::Arrive),
        ("arrive_drop", Verb::Drop),
        ("test_wait", Verb::Test),
        // waiting some time is waiting no time, and asking again
        ("try_wait", Verb::Test),
    ])?;
    if opcode.has("expect_tx") || opcode.has("complete_tx") {
        return Err(opcode.unsupported("a barrier that counts bytes"));
    }
    let no_complete = opcode.has("noComplete");
    let parity = opcode.has("parity");
    opcode.choose(&[("release", ()), ("acquire", ()), ("relaxed", ())]);
    opcode.choose(&SCOPES);
    let space = opcode.choose(&ACCESS_SPACES).unwrap_or(AccessSpace::Generic);
    opcode.ty_of(&[Type::B64])?;
    opcode.finish()?;
    match (verb, operands) {
        (Verb::Init, [a, count]) => {
            let count = b.src(count, Type::U32)?;
            object(b, a, space, MbarrierOp::Init { count })
        }
        (Verb::Invalidate, [a]) => object(b, a, space, MbarrierOp::Invalidate),
        (Verb::Arrive | Verb::Drop, [state, a, rest @ ..]) if rest.len() <= 1 => {
            let state = b.dst_wanted(state, RegClass::B64)?;
            let count = rest.first().map_or(Ok(None), |c| b.src(c, Type::U32).map(Some))?;
            let drop = matches!(verb, Verb::Drop);
            object(b, a, space, MbarrierOp::Arrive { state, count, drop, no_complete })
        }
        (Verb::Test, [done, a, what, rest @ ..]) if rest.len() <= 1 => {
            if let Some(hint) = rest.first() {
                b.src(hint, Type::U32)?;
            }
            let done = b.dst(done, Type::Pred)?;
            let op = if parity {
                MbarrierOp::TestParity { done, parity: b.src(what, Type::U32)? }
            } else {
                MbarrierOp::TestState { done, state: b.src(what, Type::B64)? }
            };
            object(b, a, space, op)
        }
        _ => Err(b.malformed(format!("{} operands do not fit", operands.len()))),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verb {
    Init,
    Invalidate,
    Arrive,
    Drop,
    Test,
}

/// Emits an operation on the object at an address.
fn object<'a>(
    b: &mut Builder<'a, '_, '_>,
    a: &syntax::Operand<'a>,
    space: AccessSpace,
    op: MbarrierOp,
) -> Result<(), PtxError> {
    let (space, address) = b.address(a, space)?;
    if !matches!(space, Space::Generic | Space::Shared) {
        return Err(b.malformed("barrier objects lie in shared memory"));
    }
    b.emit(Op::Mbarrier { op, space, address });
    Ok(())
}
