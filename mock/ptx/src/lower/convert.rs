//! `cvt`: between types.

use crate::PtxError;
use crate::ir::{Conversion, Op, PackedConversion, Rounding, Type};
use crate::syntax;

use super::builder::Builder;
use super::float::ROUNDINGS;
use super::opcode::Opcode;

type Operands<'a> = &'a [syntax::Operand<'a>];

/// Roundings to an integral value.
const INTEGRAL_ROUNDINGS: [(&str, Rounding); 4] = [
    ("rni", Rounding::NearestEven),
    ("rzi", Rounding::Zero),
    ("rmi", Rounding::Down),
    ("rpi", Rounding::Up),
];

/// Types that are read and written one by one.
const SCALARS: [Type; 12] = [
    Type::U8,
    Type::U16,
    Type::U32,
    Type::U64,
    Type::S8,
    Type::S16,
    Type::S32,
    Type::S64,
    Type::F16,
    Type::Bf16,
    Type::F32,
    Type::F64,
];

/// `cvt` in all its forms.
pub(super) fn cvt<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    if opcode.has("pack") {
        return pack(b, opcode, operands);
    }
    if opcode.left().iter().any(|part| is_tiny_float(part)) {
        return Err(opcode.unsupported("a float of 8 bits or less"));
    }
    let target = opcode.left().iter().find_map(|part| super::opcode::type_of(part));
    match target {
        Some(Type::F16x2 | Type::Bf16x2) => two_floats(b, opcode, operands),
        Some(Type::Tf32) => tf32(b, opcode, operands),
        _ => one(b, opcode, operands),
    }
}

/// Formats of tensor cores later than sm_80.
fn is_tiny_float(part: &str) -> bool {
    ["e4m3", "e5m2", "e2m1", "e2m3", "e3m2", "ue8m0"].iter().any(|name| part.starts_with(name))
}

fn one<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let [d, a] = b.exactly(operands)?;
    let integral = opcode.choose(&INTEGRAL_ROUNDINGS);
    let plain = opcode.choose(&ROUNDINGS);
    let flush_subnormals = opcode.has("ftz");
    let saturate = opcode.has("sat");
    let relu = opcode.has("relu");
    let (to, from) = (opcode.ty_of(&SCALARS)?, opcode.ty_of(&SCALARS)?);
    opcode.finish()?;
    let conversion = Conversion {
        to,
        from,
        rounding: integral.or(plain).unwrap_or(Rounding::NearestEven),
        to_integral: to.is_float() && integral.is_some(),
        flush_subnormals,
        saturate,
        relu,
    };
    check(b, conversion, integral.is_some(), plain.is_some())?;
    let (dst, src) = (b.dst_wide(d, to)?, b.src_wide(a, from)?);
    b.emit(Op::Convert { conversion, dst, src });
    Ok(())
}

/// Which roundings and modifiers a conversion must have, and may not have.
fn check(
    b: &Builder<'_, '_, '_>,
    Conversion { to, from, flush_subnormals, relu, .. }: Conversion,
    integral: bool,
    plain: bool,
) -> Result<(), PtxError> {
    let name = super::opcode::name_of;
    let refuse =
        |what: &str| Err(b.malformed(format!("cvt from .{} to .{} {what}", name(from), name(to))));
    let narrows = to.is_float() && from.is_float() && loses_precision(from, to);
    match (to.is_float(), from.is_float()) {
        (false, true) if !integral => return refuse("needs one of .rni .rzi .rmi .rpi"),
        (true, false) if !plain => return refuse("needs one of .rn .rz .rm .rp"),
        (true, true) if narrows && !plain => return refuse("needs one of .rn .rz .rm .rp"),
        (true, true) if narrows && integral => return refuse("rounds once, not twice"),
        (true, true) if from == to && plain => return refuse("takes one of .rni .rzi .rmi .rpi"),
        (false, false) if integral || plain => return refuse("rounds nothing"),
        _ => {}
    }
    if integral && plain {
        return refuse("has two roundings");
    }
    if flush_subnormals && to != Type::F32 && from != Type::F32 {
        return refuse("has no .ftz");
    }
    if relu && to.element().bits() != 16 {
        return refuse("has no .relu");
    }
    Ok(())
}

/// Whether some values of `from` have no equal in `to`.
fn loses_precision(from: Type, to: Type) -> bool {
    let digits = |ty| match ty {
        Type::F64 => 53,
        Type::F32 => 24,
        Type::F16 => 11,
        _ => 8,
    };
    let exponent = |ty| match ty {
        Type::F64 => 11,
        Type::F32 | Type::Bf16 => 8,
        _ => 5,
    };
    digits(to) < digits(from) || exponent(to) < exponent(from)
}

/// `cvt.rn.f16x2.f32 d, a, b`
fn two_floats<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let rounding = opcode.require(&[("rn", Rounding::NearestEven), ("rz", Rounding::Zero)])?;
    let relu = opcode.has("relu");
    let saturate_finite = opcode.has("satfinite");
    let to = opcode.ty()?;
    opcode.ty_of(&[Type::F32])?;
    opcode.finish()?;
    let [d, high, low] = b.exactly(operands)?;
    let dst = b.dst(d, to)?;
    let (high, low) = (b.src(high, Type::F32)?, b.src(low, Type::F32)?);
    let conversion = PackedConversion::FromF32 { to, rounding, relu, saturate_finite };
    b.emit(Op::ConvertPacked { conversion, dst, a: high, b: low, c: None });
    Ok(())
}

/// `cvt.rna.tf32.f32 d, a`
fn tf32<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let [d, a] = b.exactly(operands)?;
    let rounding = opcode.require(&[
        ("rna", Rounding::NearestAway),
        ("rn", Rounding::NearestEven),
        ("rz", Rounding::Zero),
    ])?;
    let relu = opcode.has("relu");
    let to = opcode.ty_of(&[Type::Tf32])?;
    let from = opcode.ty_of(&[Type::F32])?;
    opcode.finish()?;
    let conversion = Conversion {
        to,
        from,
        rounding,
        to_integral: false,
        flush_subnormals: false,
        saturate: false,
        relu,
    };
    let (dst, src) = (b.dst(d, to)?, b.src(a, from)?);
    b.emit(Op::Convert { conversion, dst, src });
    Ok(())
}

/// `cvt.pack.sat.u8.s32.b32 d, a, b, c`
fn pack<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    opcode.require(&[("sat", ())])?;
    let to = opcode.take(|part| match part {
        "u16" => Some(Type::U16),
        "s16" => Some(Type::S16),
        "u8" => Some(Type::U8),
        "s8" => Some(Type::S8),
        _ => None,
    });
    let Some(to) = to else { return Err(opcode.unsupported("cvt.pack of this type")) };
    opcode.ty_of(&[Type::S32])?;
    let (d, x, y, c) = if to.bits() == 8 {
        opcode.ty_of(&[Type::B32])?;
        let [d, x, y, c] = b.exactly(operands)?;
        (d, x, y, Some(c))
    } else {
        let [d, x, y] = b.exactly(operands)?;
        (d, x, y, None)
    };
    opcode.finish()?;
    let dst = b.dst(d, Type::B32)?;
    let (x, y) = (b.src(x, Type::S32)?, b.src(y, Type::S32)?);
    let c = c.map_or(Ok(None), |c| b.src(c, Type::B32).map(Some))?;
    let conversion = PackedConversion::FromS32 { to };
    b.emit(Op::ConvertPacked { conversion, dst, a: x, b: y, c });
    Ok(())
}
