//! Operations of several lanes together: shuffles, votes, barriers.

use crate::PtxError;
use crate::ir::{
    BarrierKind, BarrierReduction, MatchKind, Op, Operand, RedOp, RegClass, ShuffleKind, Type,
    VoteKind,
};
use crate::syntax;

use super::builder::Builder;
use super::opcode::Opcode;

type Operands<'a> = &'a [syntax::Operand<'a>];

/// `shfl{.sync}`
pub(super) fn shfl<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let is_sync = opcode.has("sync");
    let kind = opcode.require(&[
        ("up", ShuffleKind::Up),
        ("down", ShuffleKind::Down),
        ("bfly", ShuffleKind::Butterfly),
        ("idx", ShuffleKind::Index),
    ])?;
    opcode.ty_of(&[Type::B32])?;
    opcode.finish()?;
    let (d, a, lane, clamp, members) = match (is_sync, operands) {
        (true, [d, a, lane, clamp, members]) => (d, a, lane, clamp, Some(members)),
        (false, [d, a, lane, clamp]) => (d, a, lane, clamp, None),
        _ => return Err(b.malformed(format!("{} operands do not fit", operands.len()))),
    };
    let (d, p) = b.pair(d)?;
    let dst = b.dst(d, Type::B32)?;
    let in_range = p.map_or(Ok(None), |p| b.dst_wanted(p, RegClass::Predicate))?;
    let (src, lane) = (b.src(a, Type::B32)?, b.src(lane, Type::B32)?);
    let clamp = b.src(clamp, Type::B32)?;
    let members = members.map_or(Ok(None), |m| b.src(m, Type::B32).map(Some))?;
    b.emit(Op::Shuffle { kind, dst, in_range, src, lane, clamp, members });
    Ok(())
}

/// `vote{.sync}`
pub(super) fn vote<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let is_sync = opcode.has("sync");
    let kind = opcode.require(&[
        ("all", VoteKind::All),
        ("any", VoteKind::Any),
        ("uni", VoteKind::Uniform),
        ("ballot", VoteKind::Ballot),
    ])?;
    let ty = if kind == VoteKind::Ballot { Type::B32 } else { Type::Pred };
    opcode.ty_of(&[ty])?;
    opcode.finish()?;
    let (d, p, members) = match (is_sync, operands) {
        (true, [d, p, members]) => (d, p, Some(members)),
        (false, [d, p]) => (d, p, None),
        _ => return Err(b.malformed(format!("{} operands do not fit", operands.len()))),
    };
    let dst = b.dst(d, ty)?;
    let predicate = b.condition(p)?;
    let members = members.map_or(Ok(None), |m| b.src(m, Type::B32).map(Some))?;
    b.emit(Op::Vote { kind, dst, predicate, members });
    Ok(())
}

/// `match.sync`
pub(super) fn matching<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let [d, a, members] = b.exactly(operands)?;
    let kind = opcode.require(&[("any", MatchKind::Any), ("all", MatchKind::All)])?;
    opcode.require(&[("sync", ())])?;
    let ty = opcode.ty_of(&[Type::B32, Type::B64])?;
    opcode.finish()?;
    let (d, p) = b.pair(d)?;
    let dst = b.dst(d, Type::B32)?;
    let all_equal = p.map_or(Ok(None), |p| b.dst_wanted(p, RegClass::Predicate))?;
    if all_equal.is_some() && kind == MatchKind::Any {
        return Err(b.malformed("match.any has no predicate"));
    }
    let (src, members) = (b.src(a, ty)?, b.src(members, Type::B32)?);
    b.emit(Op::Match { kind, ty, dst, all_equal, src, members });
    Ok(())
}

/// `redux.sync`
pub(super) fn redux<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let [d, a, members] = b.exactly(operands)?;
    opcode.require(&[("sync", ())])?;
    let op = opcode.require(&[
        ("add", RedOp::Add),
        ("min", RedOp::Min),
        ("max", RedOp::Max),
        ("and", RedOp::And),
        ("or", RedOp::Or),
        ("xor", RedOp::Xor),
    ])?;
    let absolute = opcode.has("abs");
    let propagate_nan = opcode.has("NaN");
    let ty = match op {
        RedOp::Add => opcode.ty_of(&[Type::U32, Type::S32])?,
        RedOp::Min | RedOp::Max => opcode.ty_of(&[Type::U32, Type::S32, Type::F32])?,
        RedOp::And | RedOp::Or | RedOp::Xor => opcode.ty_of(&[Type::B32])?,
    };
    if (absolute || propagate_nan) && ty != Type::F32 {
        return Err(b.malformed(".abs and .NaN are for .f32"));
    }
    opcode.finish()?;
    let dst = b.dst(d, ty)?;
    let (src, members) = (b.src(a, ty)?, b.src(members, Type::B32)?);
    b.emit(Op::Reduce { op, ty, absolute, propagate_nan, dst, src, members });
    Ok(())
}

/// `activemask`
pub(super) fn activemask<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let [d] = b.exactly(operands)?;
    opcode.ty_of(&[Type::B32])?;
    opcode.finish()?;
    let dst = b.dst(d, Type::B32)?;
    b.emit(Op::ActiveMask { dst });
    Ok(())
}

/// `elect.sync`
pub(super) fn elect<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let [d, members] = b.exactly(operands)?;
    opcode.require(&[("sync", ())])?;
    opcode.finish()?;
    let (d, Some(p)) = b.pair(d)? else {
        return Err(b.malformed("elect.sync writes d|p"));
    };
    let leader = b.dst_wanted(d, RegClass::B32)?;
    let elected = b.dst(p, Type::Pred)?;
    let members = b.src(members, Type::B32)?;
    b.emit(Op::Elect { leader, elected, members });
    Ok(())
}

/// `bar`, `barrier`
pub(super) fn barrier<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    if opcode.has("cluster") {
        return Err(opcode.unsupported("a barrier of a cluster"));
    }
    if opcode.has("warp") {
        let [members] = b.exactly(operands)?;
        opcode.require(&[("sync", ())])?;
        opcode.finish()?;
        let members = b.src(members, Type::B32)?;
        b.emit(Op::WarpBarrier { members });
        return Ok(());
    }
    opcode.has("cta");
    // which threads of a warp run together is the engine's affair
    opcode.has("aligned");
    if opcode.has("red") {
        return reduction(b, opcode, operands);
    }
    let kind = opcode.require(&[("sync", BarrierKind::Sync), ("arrive", BarrierKind::Arrive)])?;
    opcode.finish()?;
    let (id, threads) = match (kind, operands) {
        (BarrierKind::Sync, [id]) => (id, None),
        (_, [id, threads]) => (id, Some(threads)),
        _ => return Err(b.malformed(format!("{} operands do not fit", operands.len()))),
    };
    let id = barrier_id(b, id)?;
    let threads = threads.map_or(Ok(None), |t| b.src(t, Type::U32).map(Some))?;
    b.emit(Op::Barrier { kind, id, threads, dst: None, predicate: None });
    Ok(())
}

/// `bar.red.popc.u32 d, a{, b}, {!}c`
fn reduction<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let reduction = opcode.require(&[
        ("popc", BarrierReduction::Population),
        ("and", BarrierReduction::And),
        ("or", BarrierReduction::Or),
    ])?;
    let ty = if reduction == BarrierReduction::Population { Type::U32 } else { Type::Pred };
    opcode.ty_of(&[ty])?;
    opcode.finish()?;
    let (d, id, threads, c) = match operands {
        [d, id, c] => (d, id, None, c),
        [d, id, threads, c] => (d, id, Some(threads), c),
        _ => return Err(b.malformed(format!("{} operands do not fit", operands.len()))),
    };
    let dst = Some(b.dst(d, ty)?);
    let id = barrier_id(b, id)?;
    let threads = threads.map_or(Ok(None), |t| b.src(t, Type::U32).map(Some))?;
    let predicate = Some(b.condition(c)?);
    b.emit(Op::Barrier { kind: BarrierKind::Reduce(reduction), id, threads, dst, predicate });
    Ok(())
}

/// A block has 16 barriers.
fn barrier_id<'a>(
    b: &mut Builder<'a, '_, '_>,
    operand: &syntax::Operand<'a>,
) -> Result<Operand, PtxError> {
    let id = b.src(operand, Type::U32)?;
    match id {
        Operand::Immediate(id @ 16..) => Err(b.malformed(format!("barrier {id}, wanted 0 to 15"))),
        id => Ok(id),
    }
}
