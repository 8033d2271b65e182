//! `ld`, `st`, and hints about memory.

use crate::PtxError;
use crate::ir::{Coherence, FenceScope, Op, Operand, Ordering, Reg, RegClass, Space, Type};
use crate::syntax;

use super::builder::Builder;
use super::names::Place;
use super::opcode::Opcode;
use super::operands::{ACCESS_SPACES, AccessSpace, nth};

type Operands<'a> = &'a [syntax::Operand<'a>];

pub(super) const SCOPES: [(&str, FenceScope); 4] = [
    ("cta", FenceScope::Block),
    // a cluster is one block
    ("cluster", FenceScope::Block),
    ("gpu", FenceScope::Device),
    ("sys", FenceScope::System),
];

const VECTORS: [(&str, usize); 3] = [("v2", 2), ("v4", 4), ("v8", 8)];

/// What an access says beside its space and type.
struct Qualifiers {
    coherence: Coherence,
    /// A last operand that only hints.
    has_hint_operand: bool,
}

/// Takes everything that orders an access, and hints, which change nothing here.
fn qualifiers(opcode: &mut Opcode<'_>, orderings: &[(&str, Ordering)]) -> Qualifiers {
    let scope = opcode.choose(&SCOPES);
    let ordering = opcode.choose(orderings);
    // .mmio says how, .relaxed or another one said in which order
    opcode.has("mmio");
    let coherence = match ordering {
        None | Some(Ordering::Weak) => Coherence::WEAK,
        Some(ordering) => Coherence { ordering, scope: scope.unwrap_or(FenceScope::System) },
    };
    Qualifiers { coherence, has_hint_operand: hints(opcode) }
}

/// Takes cache hints; true where one of them comes with an operand.
pub(super) fn hints(opcode: &mut Opcode<'_>) -> bool {
    let mut has_operand = false;
    while let Some(is_policy) = opcode.take(|part| match part {
        "ca" | "cg" | "cs" | "lu" | "cv" | "wb" | "wt" | "nc" | "unified" => Some(false),
        "L2::cache_hint" | "level::cache_hint" => Some(true),
        _ if part.starts_with("L1::") || part.starts_with("L2::") => Some(false),
        _ => None,
    }) {
        has_operand |= is_policy;
    }
    has_operand
}

/// Without the operand of a hint.
pub(super) fn without_hint<'a>(
    b: &mut Builder<'a, '_, '_>,
    operands: Operands<'a>,
    has_hint_operand: bool,
) -> Result<Operands<'a>, PtxError> {
    if !has_hint_operand {
        return Ok(operands);
    }
    let Some((hint, rest)) = operands.split_last() else {
        return Err(b.malformed("the cache policy is missing"));
    };
    b.src(hint, Type::B64)?;
    Ok(rest)
}

/// The type in memory: predicates and packed types are not there.
fn memory_type(opcode: &mut Opcode<'_>) -> Result<Type, PtxError> {
    let ty = opcode.ty()?;
    if ty.bytes() == 0 || ty == Type::Tf32 {
        return Err(opcode.bad_type(ty));
    }
    Ok(ty)
}

/// `ld`, `ldu`
pub(super) fn ld<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let space = opcode.choose(&ACCESS_SPACES).unwrap_or(AccessSpace::Generic);
    let Qualifiers { coherence, has_hint_operand } = qualifiers(
        opcode,
        &[
            ("weak", Ordering::Weak),
            ("volatile", Ordering::Relaxed),
            ("relaxed", Ordering::Relaxed),
            ("acquire", Ordering::Acquire),
        ],
    );
    let vector = opcode.choose(&VECTORS);
    let is_wide = opcode.has("b128");
    let ty = if is_wide { Type::B64 } else { memory_type(opcode)? };
    opcode.finish()?;
    let operands = without_hint(b, operands, has_hint_operand)?;
    let [d, a] = b.exactly(operands)?;
    let (space, address) = b.address(a, space)?;
    if is_wide {
        if vector.is_some() {
            return Err(b.unsupported("vectors of .b128 are"));
        }
        let dsts = wide_registers(b, d)?;
        b.emit(Op::LoadVector { ty, space, coherence, dsts, address });
        return Ok(());
    }
    let Some(count) = vector else {
        let dst = b.dst_wide(d, ty)?;
        b.emit(Op::Load { ty, space, coherence, dst, address });
        return Ok(());
    };
    let dsts = b.dst_parts(d, ty)?;
    check_count(b, count, dsts.len())?;
    b.emit(Op::LoadVector { ty, space, coherence, dsts, address });
    Ok(())
}

/// `st`
pub(super) fn st<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let space = opcode.choose(&ACCESS_SPACES).unwrap_or(AccessSpace::Generic);
    let Qualifiers { coherence, has_hint_operand } = qualifiers(
        opcode,
        &[
            ("weak", Ordering::Weak),
            ("volatile", Ordering::Relaxed),
            ("relaxed", Ordering::Relaxed),
            ("release", Ordering::Release),
        ],
    );
    let vector = opcode.choose(&VECTORS);
    let is_wide = opcode.has("b128");
    if opcode.left().contains(&"async") || opcode.left().contains(&"bulk") {
        return Err(opcode.unsupported("an asynchronous store"));
    }
    let ty = if is_wide { Type::B64 } else { memory_type(opcode)? };
    opcode.finish()?;
    let operands = without_hint(b, operands, has_hint_operand)?;
    let [a, src] = b.exactly(operands)?;
    let (space, address) = b.address(a, space)?;
    if matches!(space, Space::Constant | Space::Parameter) {
        return Err(b.malformed("this space is only read"));
    }
    if is_wide {
        let halves = wide_registers(b, src)?;
        let srcs = halves.iter().map(|half| Operand::Register(*half)).collect();
        b.emit(Op::StoreVector { ty, space, coherence, srcs, address });
        return Ok(());
    }
    let Some(count) = vector else {
        let src = b.src_wide(src, ty)?;
        b.emit(Op::Store { ty, space, coherence, src, address });
        return Ok(());
    };
    let srcs = b.src_parts(src, ty)?;
    check_count(b, count, srcs.len())?;
    b.emit(Op::StoreVector { ty, space, coherence, srcs, address });
    Ok(())
}

fn check_count(b: &Builder<'_, '_, '_>, wanted: usize, got: usize) -> Result<(), PtxError> {
    if wanted == got {
        return Ok(());
    }
    Err(b.malformed(format!("a vector of {wanted} parts, got {got}")))
}

/// The two halves of a 128-bit register.
fn wide_registers<'a>(
    b: &mut Builder<'a, '_, '_>,
    operand: &syntax::Operand<'a>,
) -> Result<Box<[Reg]>, PtxError> {
    if let syntax::Operand::Name(name) = operand
        && let Place::Registers { first, wide: true, .. } = b.place(name)?
    {
        return Ok(Box::new([first, nth(first, 1)]));
    }
    Err(b.malformed("wanted a 128-bit register"))
}

/// `prefetch`, `prefetchu`, `discard`, `applypriority`: checked, and then nothing.
pub(super) fn hint<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    if opcode.has("tensormap") {
        return Err(opcode.unsupported("a tensor map"));
    }
    let space = opcode.choose(&ACCESS_SPACES).unwrap_or(AccessSpace::Generic);
    while opcode.take(|part| (part == "L1" || part.starts_with("L2")).then_some(())).is_some() {}
    opcode.finish()?;
    let Some(address) = operands.first() else {
        return Err(b.malformed("the address is missing"));
    };
    b.address(address, space)?;
    Ok(())
}

/// `createpolicy`: policies are hints, all of them the same one.
pub(super) fn createpolicy<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    opcode.require(&[("fractional", ()), ("range", ()), ("cvt", ())])?;
    opcode.has("global");
    while opcode.take(|part| part.starts_with("L2").then_some(())).is_some() {}
    opcode.ty_of(&[Type::B64])?;
    opcode.finish()?;
    let Some(d) = operands.first() else {
        return Err(b.malformed("the result is missing"));
    };
    let dst = b.dst_class(d, RegClass::B64)?;
    b.emit(Op::Move { dst, src: Operand::Immediate(0) });
    Ok(())
}

/// `membar`
pub(super) fn membar<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
) -> Result<(), PtxError> {
    let scope = if opcode.has("proxy") {
        opcode.require(&[("alias", FenceScope::System)])?
    } else {
        opcode.require(&[
            ("cta", FenceScope::Block),
            ("gl", FenceScope::Device),
            ("gpu", FenceScope::Device),
            ("sys", FenceScope::System),
        ])?
    };
    opcode.finish()?;
    b.emit(Op::Fence { ordering: Ordering::SequentiallyConsistent, scope });
    Ok(())
}

/// `fence`. There is one way to memory here, so a fence between proxies is a fence.
pub(super) fn fence<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
) -> Result<(), PtxError> {
    let (ordering, scope) = if opcode.has("proxy") {
        opcode.require(&[("alias", ()), ("async", ()), ("async::generic", ())])?;
        opcode.choose(&ACCESS_SPACES);
        (None, FenceScope::System)
    } else if opcode.has("mbarrier_init") {
        opcode.has("release");
        opcode.has("cluster");
        (None, FenceScope::Block)
    } else {
        let ordering = opcode.choose(&[
            ("sc", Ordering::SequentiallyConsistent),
            ("acq_rel", Ordering::AcquireRelease),
            // a stronger one keeps the promise of a weaker one
            ("acquire", Ordering::AcquireRelease),
            ("release", Ordering::AcquireRelease),
        ]);
        (ordering, opcode.require(&SCOPES)?)
    };
    opcode.finish()?;
    b.emit(Op::Fence { ordering: ordering.unwrap_or(Ordering::AcquireRelease), scope });
    Ok(())
}
