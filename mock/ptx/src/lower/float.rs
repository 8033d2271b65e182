//! Floating-point arithmetic.

use crate::PtxError;
use crate::ir::{FloatBinary, FloatClass, FloatMode, FloatTernary, FloatUnary, Op, Rounding, Type};
use crate::syntax;

use super::builder::Builder;
use super::opcode::Opcode;

type Operands<'a> = &'a [syntax::Operand<'a>];

/// Whether the opcode's first type is a float: which family `add`, `mul` and others belong to.
pub(super) fn is_float(opcode: &Opcode<'_>) -> bool {
    opcode.left().iter().find_map(|part| super::opcode::type_of(part)).is_some_and(Type::is_float)
}

/// Directed roundings, as arithmetic has them.
pub(super) const ROUNDINGS: [(&str, Rounding); 4] = [
    ("rn", Rounding::NearestEven),
    ("rz", Rounding::Zero),
    ("rm", Rounding::Down),
    ("rp", Rounding::Up),
];

const ALL: [Type; 6] = [Type::F16, Type::F16x2, Type::Bf16, Type::Bf16x2, Type::F32, Type::F64];
const SINGLE_DOUBLE: [Type; 2] = [Type::F32, Type::F64];

/// The modifiers of arithmetic, and the type.
fn modifiers(opcode: &mut Opcode<'_>, types: &[Type]) -> Result<(FloatMode, Type), PtxError> {
    let rounding = opcode.choose(&ROUNDINGS);
    let flush_subnormals = opcode.has("ftz");
    let saturate = opcode.has("sat");
    let relu = opcode.has("relu");
    let ty = opcode.ty_of(types)?;
    let refuse = |modifier: &str| {
        let reason =
            format!("{} has no .{modifier} for .{}", opcode.name, super::opcode::name_of(ty));
        Err(PtxError::malformed(opcode.line, reason))
    };
    let is_half = ty.element().bits() == 16;
    let is_bf16 = ty.element() == Type::Bf16;
    if flush_subnormals && (ty == Type::F64 || is_bf16) {
        return refuse("ftz");
    }
    if saturate && (ty == Type::F64 || is_bf16) {
        return refuse("sat");
    }
    if is_half && rounding.is_some_and(|rounding| rounding != Rounding::NearestEven) {
        return refuse("rz, .rm or .rp");
    }
    if relu && !is_half {
        return refuse("relu");
    }
    let rounding = rounding.unwrap_or(Rounding::NearestEven);
    Ok((FloatMode { rounding, flush_subnormals, saturate, relu }, ty))
}

impl<'a> Builder<'a, '_, '_> {
    fn float_unary(
        &mut self,
        operands: Operands<'a>,
        op: FloatUnary,
        ty: Type,
        mode: FloatMode,
    ) -> Result<(), PtxError> {
        let [d, a] = self.exactly(operands)?;
        let (dst, a) = (self.dst(d, ty)?, self.src(a, ty)?);
        self.emit(Op::FloatUnary { op, ty, mode, dst, a });
        Ok(())
    }

    fn float_binary(
        &mut self,
        operands: Operands<'a>,
        op: FloatBinary,
        ty: Type,
        mode: FloatMode,
    ) -> Result<(), PtxError> {
        let [d, a, b] = self.exactly(operands)?;
        let (dst, a, b) = (self.dst(d, ty)?, self.src(a, ty)?, self.src(b, ty)?);
        self.emit(Op::FloatBinary { op, ty, mode, dst, a, b });
        Ok(())
    }
}

/// `add`, `sub`, `mul` on floats.
pub(super) fn add_sub_mul<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let (mode, ty) = modifiers(opcode, &ALL)?;
    if mode.relu {
        return Err(b.malformed(format!("{} has no .relu", opcode.name)));
    }
    opcode.finish()?;
    let op = match opcode.name {
        "add" => FloatBinary::Add,
        "sub" => FloatBinary::Sub,
        _ => FloatBinary::Mul,
    };
    b.float_binary(operands, op, ty, mode)
}

/// `fma`, and `mad` on floats, which has been the same since sm_20.
pub(super) fn fma<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let rounded = opcode.left().iter().any(|part| ROUNDINGS.iter().any(|(name, _)| name == part));
    if !rounded {
        return Err(b.malformed(format!("{} needs one of .rn .rz .rm .rp", opcode.name)));
    }
    let (mode, ty) = modifiers(opcode, &ALL)?;
    if mode.relu && mode.saturate {
        return Err(b.malformed(".relu and .sat exclude each other"));
    }
    opcode.finish()?;
    let [d, a, y, c] = b.exactly(operands)?;
    let dst = b.dst(d, ty)?;
    let (a, y, c) = (b.src(a, ty)?, b.src(y, ty)?, b.src(c, ty)?);
    b.emit(Op::FloatTernary { op: FloatTernary::Fma, ty, mode, dst, a, b: y, c });
    Ok(())
}

/// How exact a division or root is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Precision {
    Approximate,
    Full,
    Rounded,
}

/// `.approx`, `.full`, or a rounding, which stays.
fn precision(b: &Builder<'_, '_, '_>, opcode: &mut Opcode<'_>) -> Result<Precision, PtxError> {
    let named = opcode.choose(&[("approx", Precision::Approximate), ("full", Precision::Full)]);
    let rounded = opcode.left().iter().any(|part| ROUNDINGS.iter().any(|(name, _)| name == part));
    match (named, rounded) {
        (Some(precision), false) => Ok(precision),
        (None, true) => Ok(Precision::Rounded),
        _ => Err(b.malformed(format!("{} needs one of .approx .rn .rz .rm .rp", opcode.name))),
    }
}

/// `div` on floats.
pub(super) fn div<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let precision = precision(b, opcode)?;
    let types = if precision == Precision::Rounded { &SINGLE_DOUBLE[..] } else { &[Type::F32][..] };
    let (mode, ty) = modifiers(opcode, types)?;
    without_saturation(b, opcode, mode)?;
    opcode.finish()?;
    let op = match precision {
        Precision::Approximate => FloatBinary::DivideApprox,
        Precision::Full => FloatBinary::DivideFull,
        Precision::Rounded => FloatBinary::Divide,
    };
    b.float_binary(operands, op, ty, mode)
}

fn without_saturation(
    b: &Builder<'_, '_, '_>,
    opcode: &Opcode<'_>,
    mode: FloatMode,
) -> Result<(), PtxError> {
    if mode.saturate || mode.relu {
        return Err(b.malformed(format!("{} has no .sat and no .relu", opcode.name)));
    }
    Ok(())
}

/// `rcp`, `sqrt`
pub(super) fn rcp_sqrt<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let precision = precision(b, opcode)?;
    let is_rcp = opcode.name == "rcp";
    // rcp.approx.ftz.f64 is the only approximate form for doubles
    let flushes = opcode.has("ftz");
    let (mode, ty) = modifiers(opcode, &SINGLE_DOUBLE)?;
    without_saturation(b, opcode, mode)?;
    opcode.finish()?;
    let mode = FloatMode { flush_subnormals: flushes, ..mode };
    let op = match (is_rcp, precision, ty, flushes) {
        (true, Precision::Rounded, Type::F32, _) | (true, Precision::Rounded, Type::F64, false) => {
            FloatUnary::Reciprocal
        }
        (true, Precision::Approximate, Type::F32, _)
        | (true, Precision::Approximate, Type::F64, true) => FloatUnary::ReciprocalApprox,
        (false, Precision::Rounded, Type::F32, _)
        | (false, Precision::Rounded, Type::F64, false) => FloatUnary::SquareRoot,
        (false, Precision::Approximate, Type::F32, _) => FloatUnary::SquareRootApprox,
        _ => return Err(opcode.bad_type(ty)),
    };
    b.float_unary(operands, op, ty, mode)
}

/// `rsqrt`, `sin`, `cos`, `lg2`, `ex2`, `tanh`: approximate always.
pub(super) fn approximate<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    const HALF_TOO: [Type; 5] = [Type::F32, Type::F16, Type::F16x2, Type::Bf16, Type::Bf16x2];
    opcode.require(&[("approx", ())])?;
    let (op, types) = match opcode.name {
        "rsqrt" => (FloatUnary::ReciprocalSquareRootApprox, &SINGLE_DOUBLE[..]),
        "sin" => (FloatUnary::SineApprox, &[Type::F32][..]),
        "cos" => (FloatUnary::CosineApprox, &[Type::F32][..]),
        "lg2" => (FloatUnary::Log2Approx, &[Type::F32][..]),
        "ex2" => (FloatUnary::Exp2Approx, &HALF_TOO[..]),
        _ => (FloatUnary::TanhApprox, &HALF_TOO[..]),
    };
    let flush_subnormals = opcode.has("ftz");
    let ty = opcode.ty_of(types)?;
    if flush_subnormals && op == FloatUnary::TanhApprox {
        return Err(b.malformed("tanh has no .ftz"));
    }
    opcode.finish()?;
    b.float_unary(operands, op, ty, FloatMode { flush_subnormals, ..FloatMode::DEFAULT })
}

/// `neg`, `abs` on floats.
pub(super) fn neg_abs<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let (mode, ty) = modifiers(opcode, &ALL)?;
    without_saturation(b, opcode, mode)?;
    opcode.finish()?;
    let op = if opcode.name == "neg" { FloatUnary::Neg } else { FloatUnary::Abs };
    b.float_unary(operands, op, ty, mode)
}

/// `min`, `max` on floats.
pub(super) fn min_max<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let propagate_nan = opcode.has("NaN");
    let xor_sign = opcode.has("xorsign");
    if xor_sign && !opcode.has("abs") {
        return Err(b.malformed(".xorsign goes with .abs"));
    }
    let (mode, ty) = modifiers(opcode, &ALL)?;
    without_saturation(b, opcode, mode)?;
    if ty == Type::F64 && (propagate_nan || xor_sign) {
        return Err(b.malformed(format!("{}.f64 has no .NaN and no .xorsign", opcode.name)));
    }
    if operands.len() == 4 {
        return Err(b.unsupported("three sources of min and max are"));
    }
    opcode.finish()?;
    let op = match opcode.name {
        "min" => FloatBinary::Min { propagate_nan, xor_sign },
        _ => FloatBinary::Max { propagate_nan, xor_sign },
    };
    b.float_binary(operands, op, ty, mode)
}

/// `copysign`
pub(super) fn copysign<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let ty = opcode.ty_of(&SINGLE_DOUBLE)?;
    opcode.finish()?;
    b.float_binary(operands, FloatBinary::CopySign, ty, FloatMode::DEFAULT)
}

/// `testp`
pub(super) fn testp<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let [p, a] = b.exactly(operands)?;
    let class = opcode.require(&[
        ("finite", FloatClass::Finite),
        ("infinite", FloatClass::Infinite),
        ("number", FloatClass::Number),
        ("notanumber", FloatClass::NotANumber),
        ("normal", FloatClass::Normal),
        ("subnormal", FloatClass::Subnormal),
    ])?;
    let ty = opcode.ty_of(&SINGLE_DOUBLE)?;
    opcode.finish()?;
    let (dst, a) = (b.dst(p, Type::Pred)?, b.src(a, ty)?);
    b.emit(Op::TestFloat { class, ty, dst, a });
    Ok(())
}
