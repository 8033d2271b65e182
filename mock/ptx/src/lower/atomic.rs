//! `atom` and `red`.

use crate::PtxError;
use crate::ir::{
    Address, AtomicOp, Coherence, FenceScope, Op, Operand, Ordering, Reg, Space, Type,
};
use crate::syntax;

use super::access::{SCOPES, hints, without_hint};
use super::builder::Builder;
use super::opcode::Opcode;
use super::operands::{ACCESS_SPACES, AccessSpace};

type Operands<'a> = &'a [syntax::Operand<'a>];

const OPERATIONS: [(&str, AtomicOp); 10] = [
    ("add", AtomicOp::Add),
    ("min", AtomicOp::Min),
    ("max", AtomicOp::Max),
    ("and", AtomicOp::And),
    ("or", AtomicOp::Or),
    ("xor", AtomicOp::Xor),
    ("inc", AtomicOp::Increment),
    ("dec", AtomicOp::Decrement),
    ("exch", AtomicOp::Exchange),
    ("cas", AtomicOp::CompareAndSwap),
];

const INTEGERS: [Type; 4] = [Type::U32, Type::S32, Type::U64, Type::S64];
const HALVES: [Type; 4] = [Type::F16, Type::F16x2, Type::Bf16, Type::Bf16x2];

/// Whether hardware does this operation on this type.
fn exists(op: AtomicOp, ty: Type) -> bool {
    match op {
        AtomicOp::Add => {
            INTEGERS.contains(&ty) || HALVES.contains(&ty) || matches!(ty, Type::F32 | Type::F64)
        }
        // halves only as vectors, but there is no harm in one
        AtomicOp::Min | AtomicOp::Max => INTEGERS.contains(&ty) || HALVES.contains(&ty),
        AtomicOp::And | AtomicOp::Or | AtomicOp::Xor => matches!(ty, Type::B32 | Type::B64),
        AtomicOp::Increment | AtomicOp::Decrement => ty == Type::U32,
        AtomicOp::Exchange => matches!(ty, Type::B32 | Type::B64),
        AtomicOp::CompareAndSwap => matches!(ty, Type::B16 | Type::B32 | Type::B64),
    }
}

/// Every vector of atomics is as many atomics, each on its own.
const VECTORS: [(&str, u32); 3] = [("v2", 2), ("v4", 4), ("v8", 8)];

/// `atom` and `red`.
pub(super) fn atomic<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    if opcode.has("async") {
        return Err(opcode.unsupported("an asynchronous reduction"));
    }
    let space = opcode.choose(&ACCESS_SPACES).unwrap_or(AccessSpace::Generic);
    let scope = opcode.choose(&SCOPES).unwrap_or(FenceScope::Device);
    let ordering = opcode.choose(&[
        ("relaxed", Ordering::Relaxed),
        ("acquire", Ordering::Acquire),
        ("release", Ordering::Release),
        ("acq_rel", Ordering::AcquireRelease),
    ]);
    let has_hint_operand = hints(opcode);
    let op = opcode.require(&OPERATIONS)?;
    opcode.has("noftz");
    let vector = opcode.choose(&VECTORS);
    if opcode.has("b128") {
        return Err(opcode.unsupported("a 128-bit atomic"));
    }
    let ty = opcode.ty()?;
    if !exists(op, ty) {
        return Err(opcode.bad_type(ty));
    }
    opcode.finish()?;
    let operands = without_hint(b, operands, has_hint_operand)?;
    let (d, rest) = match (opcode.name, operands) {
        ("atom", [d, rest @ ..]) => (Some(d), rest),
        (_, rest) => (None, rest),
    };
    let ordering = ordering.unwrap_or(Ordering::Relaxed);
    let coherence = Coherence { ordering, scope };
    let (a, value, compare) = match (op, rest) {
        (AtomicOp::CompareAndSwap, [a, compare, value]) => (a, value, Some(compare)),
        (AtomicOp::CompareAndSwap, _) => return Err(b.malformed("cas takes two values")),
        (_, [a, value]) => (a, value, None),
        _ => return Err(b.malformed(format!("{} operands do not fit", operands.len()))),
    };
    let (space, address) = b.address(a, space)?;
    if !matches!(space, Space::Generic | Space::Global | Space::Shared) {
        return Err(b.malformed("atomics are for global and shared memory"));
    }
    let target = Target { op, ty, space, coherence, address };
    match vector {
        None => {
            let dst = match d {
                Some(d) => b.dst_wanted(d, ty.class())?,
                None => None,
            };
            let value = b.src(value, ty)?;
            let compare = compare.map_or(Ok(None), |c| b.src(c, ty).map(Some))?;
            target.emit(b, 0, dst, value, compare);
        }
        Some(count) => {
            let dsts = d.map_or(Ok(None), |d| b.dst_parts(d, ty).map(Some))?;
            let values = b.src_parts(value, ty)?;
            let counts = [Some(values.len()), dsts.as_ref().map(|dsts| dsts.len())];
            if counts.into_iter().flatten().any(|parts| parts != count as usize) {
                return Err(b.malformed(format!("a vector of {count} parts")));
            }
            for (index, value) in values.iter().enumerate() {
                let dst = dsts.as_ref().and_then(|dsts| dsts.get(index)).copied();
                let index = u32::try_from(index).unwrap_or(u32::MAX);
                target.emit(b, index, dst, *value, None);
            }
        }
    }
    Ok(())
}

/// Where and how an atomic acts.
struct Target {
    op: AtomicOp,
    ty: Type,
    space: Space,
    coherence: Coherence,
    address: Address,
}

impl Target {
    fn emit(
        &self,
        b: &mut Builder<'_, '_, '_>,
        index: u32,
        dst: Option<Reg>,
        value: Operand,
        compare: Option<Operand>,
    ) {
        let Self { op, ty, space, coherence, address } = *self;
        let offset = address.offset.wrapping_add((index * ty.bytes()).into());
        let address = Address { offset, ..address };
        b.emit(Op::Atomic { op, ty, space, coherence, dst, address, value, compare });
    }
}
