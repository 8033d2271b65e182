//! `mov`, `cvta`, `isspacep`, `selp`, `slct`: values that are moved, not computed.

use crate::PtxError;
use crate::ir::{Address, Base, Op, Operand, Reg, RegClass, Space, Type};
use crate::syntax;

use super::builder::Builder;
use super::names::Place;
use super::opcode::Opcode;
use super::operands::{ACCESS_SPACES, AccessSpace, Parts, nth};
use super::special;

type Operands<'a> = &'a [syntax::Operand<'a>];

/// `mov`, of values, vectors, and addresses.
pub(super) fn mov<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let [d, a] = b.exactly(operands)?;
    if opcode.has("b128") {
        opcode.finish()?;
        return mov_parts(b, d, a, 128);
    }
    let vector = opcode.choose(&[("v2", 2), ("v4", 4), ("v8", 8)]);
    let ty = opcode.ty()?;
    opcode.finish()?;
    if let Some(count) = vector {
        return mov_parts(b, d, a, count * ty.bits());
    }
    if is_vector(b, d)? || is_vector(b, a)? {
        return mov_parts(b, d, a, ty.bits());
    }
    let dst = b.dst(d, ty)?;
    match a {
        syntax::Operand::Name(name) => mov_name(b, dst, name, 0, ty),
        syntax::Operand::Offset(name, offset) => mov_name(b, dst, name, *offset, ty),
        syntax::Operand::Element(name, index) => {
            let offset = b.element_offset(name, *index)?;
            mov_name(b, dst, name, offset, ty)
        }
        operand => {
            let src = b.src(operand, ty)?;
            b.emit(Op::Move { dst, src });
            Ok(())
        }
    }
}

/// Whether an operand is `{a, b}`, or a register of several parts.
fn is_vector<'a>(
    b: &mut Builder<'a, '_, '_>,
    operand: &syntax::Operand<'a>,
) -> Result<bool, PtxError> {
    Ok(match operand {
        syntax::Operand::Vector(list) => list.count > 1,
        syntax::Operand::Name(name) => {
            matches!(b.find(name)?, Some(Place::Registers { wide: false, .. }))
        }
        _ => false,
    })
}

/// The value or address of a name.
fn mov_name<'a>(
    b: &mut Builder<'a, '_, '_>,
    dst: Reg,
    name: &'a str,
    offset: i64,
    ty: Type,
) -> Result<(), PtxError> {
    let place = match b.find(name)? {
        None if offset == 0 => {
            if let Some(register) = special::register(name) {
                b.emit(Op::ReadSpecial { dst, register });
                return Ok(());
            }
            let src = b.src(&syntax::Operand::Name(name), ty)?;
            b.emit(Op::Move { dst, src });
            return Ok(());
        }
        None => return Err(b.malformed(format!("`{name}` is not declared"))),
        Some(Place::Register(_)) => {
            let operand = match offset {
                0 => syntax::Operand::Name(name),
                offset => syntax::Operand::Offset(name, offset),
            };
            let src = b.src(&operand, ty)?;
            b.emit(Op::Move { dst, src });
            return Ok(());
        }
        Some(place) => place,
    };
    if dst.class() < RegClass::B32 {
        return Err(b.malformed(format!("the address of `{name}` takes 32 or 64 bits")));
    }
    if let Place::Function(id) = place {
        let bits = id.address().wrapping_add_signed(offset);
        b.emit(Op::Move { dst, src: address_bits(dst, bits) });
        return Ok(());
    }
    let (_, address) = b.symbol_address(name, place, offset)?;
    emit_address(b, dst, address);
    Ok(())
}

/// The number of an address, as an operand of `dst`'s width.
fn address_bits(dst: Reg, bits: u64) -> Operand {
    let kept = if dst.class() == RegClass::B64 { bits } else { bits & u64::from(u32::MAX) };
    Operand::Immediate(kept)
}

/// The address of a variable in its own space.
fn emit_address(b: &mut Builder<'_, '_, '_>, dst: Reg, Address { base, offset }: Address) {
    match base {
        Base::Window => {
            b.emit(Op::Move { dst, src: address_bits(dst, offset.cast_unsigned()) });
        }
        Base::Symbol(symbol) => b.emit(Op::SymbolAddress { dst, symbol, offset }),
        Base::Frame => b.emit(Op::FrameAddress { dst, offset }),
        Base::Register(_) | Base::Register32(_) => {}
    }
}

/// Moves where one side has several parts: packs, unpacks, or moves one by one.
fn mov_parts<'a>(
    b: &mut Builder<'a, '_, '_>,
    d: &'a syntax::Operand<'a>,
    a: &'a syntax::Operand<'a>,
    bits: u32,
) -> Result<(), PtxError> {
    let (to, from) = (b.parts(d)?, b.parts(a)?);
    match (part_count(to), part_count(from)) {
        (1, 1) => Err(b.malformed("wanted a vector")),
        (1, count) => {
            let ty = part_type(b, bits, count)?;
            let dst = b.dst_class(d, class_of(bits).ok_or_else(|| b.malformed("too wide"))?)?;
            let parts = sources(b, from, ty)?;
            let part_bits = u8::try_from(ty.bits()).unwrap_or(0);
            b.emit(Op::Pack { dst, parts, part_bits });
            Ok(())
        }
        (count, 1) => {
            let ty = part_type(b, bits, count)?;
            let src = b.src(a, bits_type(bits).ok_or_else(|| b.malformed("too wide"))?)?;
            let parts = destinations(b, to, ty)?;
            let part_bits = u8::try_from(ty.bits()).unwrap_or(0);
            b.emit(Op::Unpack { parts, src, part_bits });
            Ok(())
        }
        (to_count, from_count) if to_count == from_count => {
            let ty = part_type(b, bits, to_count)?;
            let sources = sources(b, from, ty)?;
            let destinations = destinations(b, to, ty)?;
            move_all(b, &destinations, &sources);
            Ok(())
        }
        (to, from) => Err(b.malformed(format!("{to} parts from {from}"))),
    }
}

/// All at once, as far as anyone can see: sources are read before destinations are written.
fn move_all(b: &mut Builder<'_, '_, '_>, destinations: &[Reg], sources: &[Operand]) {
    let overlap =
        sources.iter().filter_map(|src| src.register()).any(|r| destinations.contains(&r));
    let held: Vec<Operand> = sources
        .iter()
        .zip(destinations)
        .map(|(src, dst)| match src {
            Operand::Register(_) if overlap => {
                let held = b.temporary(dst.class());
                b.emit_always(Op::Move { dst: held, src: *src });
                Operand::Register(held)
            }
            src => *src,
        })
        .collect();
    for (dst, src) in destinations.iter().zip(held) {
        b.emit(Op::Move { dst: *dst, src });
    }
}

fn part_count(parts: Parts<'_>) -> u32 {
    match parts {
        Parts::Listed(list) => u32::try_from(list.len()).unwrap_or(u32::MAX),
        Parts::Registers(_, count) => count,
    }
}

fn part_type(b: &Builder<'_, '_, '_>, bits: u32, count: u32) -> Result<Type, PtxError> {
    bits.checked_div(count)
        .filter(|part| part * count == bits)
        .and_then(bits_type)
        .ok_or_else(|| b.malformed(format!("{bits} bits are not {count} parts of 8 to 64 bits")))
}

fn bits_type(bits: u32) -> Option<Type> {
    Some(match bits {
        8 => Type::B8,
        16 => Type::B16,
        32 => Type::B32,
        64 => Type::B64,
        _ => return None,
    })
}

fn class_of(bits: u32) -> Option<RegClass> {
    bits_type(bits).map(Type::class)
}

fn sources<'a>(
    b: &mut Builder<'a, '_, '_>,
    parts: Parts<'a>,
    ty: Type,
) -> Result<Box<[Operand]>, PtxError> {
    match parts {
        Parts::Listed(list) => list.iter().map(|part| b.src(part, ty)).collect(),
        Parts::Registers(first, count) => {
            check_part(b, first, ty)?;
            Ok((0..count).map(|index| Operand::Register(nth(first, index))).collect())
        }
    }
}

fn destinations<'a>(
    b: &mut Builder<'a, '_, '_>,
    parts: Parts<'a>,
    ty: Type,
) -> Result<Box<[Reg]>, PtxError> {
    match parts {
        Parts::Listed(list) => list.iter().map(|part| b.dst(part, ty)).collect(),
        Parts::Registers(first, count) => {
            check_part(b, first, ty)?;
            Ok((0..count).map(|index| nth(first, index)).collect())
        }
    }
}

fn check_part(b: &Builder<'_, '_, '_>, first: Reg, ty: Type) -> Result<(), PtxError> {
    if first.class() == ty.class() {
        Ok(())
    } else {
        Err(b.malformed(format!("parts of {} bits, wanted {}", first.class().bits(), ty.bits())))
    }
}

/// `cvta`: between generic addresses and those of a space.
pub(super) fn cvta<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let [d, a] = b.exactly(operands)?;
    let to_space = opcode.has("to");
    let space = opcode.require(&ACCESS_SPACES)?;
    opcode.ty_of(&[Type::U64])?;
    opcode.finish()?;
    let dst = b.dst(d, Type::U64)?;
    let (src, in_kernel) = (address_operand(b, a)?, b.in_kernel());
    let space = match space {
        AccessSpace::Shared => Space::Shared,
        AccessSpace::Local => Space::Local,
        AccessSpace::Parameter if in_kernel => Space::Parameter,
        // parameters of a function lie in its frame
        AccessSpace::Parameter => Space::Local,
        // these are generic addresses as they are
        AccessSpace::Global | AccessSpace::Constant | AccessSpace::Generic => {
            b.emit(Op::Move { dst, src });
            return Ok(());
        }
    };
    b.emit(Op::ConvertAddress { space, to_space, dst, src });
    Ok(())
}

/// A 64-bit address: a register, or a variable's.
fn address_operand<'a>(
    b: &mut Builder<'a, '_, '_>,
    operand: &syntax::Operand<'a>,
) -> Result<Operand, PtxError> {
    let (name, offset) = match operand {
        syntax::Operand::Name(name) => (*name, 0),
        syntax::Operand::Offset(name, offset) => (*name, *offset),
        operand => return b.src(operand, Type::U64),
    };
    match b.find(name)? {
        None | Some(Place::Register(_)) => b.src(operand, Type::U64),
        Some(place) => {
            let dst = b.temporary(RegClass::B64);
            let (_, address) = b.symbol_address(name, place, offset)?;
            emit_address(b, dst, address);
            Ok(Operand::Register(dst))
        }
    }
}

/// `isspacep`: whether a generic address lies in a space.
pub(super) fn isspacep<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let [p, a] = b.exactly(operands)?;
    let space = match opcode.require(&ACCESS_SPACES)? {
        AccessSpace::Global => Space::Global,
        AccessSpace::Constant => Space::Constant,
        AccessSpace::Shared => Space::Shared,
        AccessSpace::Local => Space::Local,
        AccessSpace::Parameter => Space::Parameter,
        AccessSpace::Generic => return Err(opcode.unsupported("isspacep.generic")),
    };
    opcode.finish()?;
    let dst = b.dst(p, Type::Pred)?;
    let src = b.src(a, Type::U64)?;
    b.emit(Op::IsSpace { space, dst, src });
    Ok(())
}

/// `selp`
pub(super) fn selp<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let [d, a, c, p] = b.exactly(operands)?;
    let ty = opcode.ty()?;
    if ty == Type::Pred || ty.bits() == 8 {
        return Err(opcode.bad_type(ty));
    }
    opcode.finish()?;
    let dst = b.dst(d, ty)?;
    let (a, otherwise) = (b.src(a, ty)?, b.src(c, ty)?);
    let condition = b.condition(p)?;
    b.emit(Op::Select { dst, a, b: otherwise, condition });
    Ok(())
}

/// `slct`
pub(super) fn slct<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let [d, a, otherwise, c] = b.exactly(operands)?;
    let flush_subnormals = opcode.has("ftz");
    let ty = opcode.ty()?;
    if ty.bits() < 16 || ty.is_packed() {
        return Err(opcode.bad_type(ty));
    }
    let sign_of = opcode.ty_of(&[Type::S32, Type::F32])?;
    opcode.finish()?;
    let dst = b.dst(d, ty)?;
    let (a, otherwise, c) = (b.src(a, ty)?, b.src(otherwise, ty)?, b.src(c, sign_of)?);
    b.emit(Op::SelectBySign { dst, a, b: otherwise, c, sign_of, flush_subnormals });
    Ok(())
}
