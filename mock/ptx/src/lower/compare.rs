//! `setp` and `set`: comparisons.

use crate::PtxError;
use crate::ir::{BooleanOp, Comparison, Guard, Op, Operand, RegClass, Type};
use crate::syntax;

use super::builder::Builder;
use super::opcode::Opcode;

type Operands<'a> = &'a [syntax::Operand<'a>];

const BOOLEANS: [(&str, BooleanOp); 3] =
    [("and", BooleanOp::And), ("or", BooleanOp::Or), ("xor", BooleanOp::Xor)];

/// What a comparison is made for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    /// Any type.
    Any,
    /// Types with an order.
    Ordered,
    /// Unsigned integers.
    Unsigned,
    /// Floats.
    Float,
}

const COMPARISONS: [(&str, (Comparison, Sign)); 18] = [
    ("eq", (Comparison::Eq, Sign::Any)),
    ("ne", (Comparison::Ne, Sign::Any)),
    ("lt", (Comparison::Lt, Sign::Ordered)),
    ("le", (Comparison::Le, Sign::Ordered)),
    ("gt", (Comparison::Gt, Sign::Ordered)),
    ("ge", (Comparison::Ge, Sign::Ordered)),
    ("lo", (Comparison::Lt, Sign::Unsigned)),
    ("ls", (Comparison::Le, Sign::Unsigned)),
    ("hi", (Comparison::Gt, Sign::Unsigned)),
    ("hs", (Comparison::Ge, Sign::Unsigned)),
    ("equ", (Comparison::Equ, Sign::Float)),
    ("neu", (Comparison::Neu, Sign::Float)),
    ("ltu", (Comparison::Ltu, Sign::Float)),
    ("leu", (Comparison::Leu, Sign::Float)),
    ("gtu", (Comparison::Gtu, Sign::Float)),
    ("geu", (Comparison::Geu, Sign::Float)),
    ("num", (Comparison::Num, Sign::Float)),
    ("nan", (Comparison::Nan, Sign::Float)),
];

/// What the opcode of a comparison says, but for its types.
struct Question {
    comparison: Comparison,
    sign: Sign,
    combine: Option<BooleanOp>,
    flush_subnormals: bool,
}

fn question(opcode: &mut Opcode<'_>) -> Result<Question, PtxError> {
    let (comparison, sign) = opcode.require(&COMPARISONS)?;
    let combine = opcode.choose(&BOOLEANS);
    let flush_subnormals = opcode.has("ftz");
    Ok(Question { comparison, sign, combine, flush_subnormals })
}

impl Question {
    /// Whether values of this type are compared so.
    fn check(&self, opcode: &Opcode<'_>, ty: Type) -> Result<(), PtxError> {
        let known = match self.sign {
            Sign::Any => true,
            Sign::Ordered => ty.is_integer() || ty.is_float(),
            Sign::Unsigned => ty.is_integer() && !ty.is_signed(),
            Sign::Float => ty.is_float(),
        };
        let flushes = !self.flush_subnormals || ty.is_float() && ty != Type::F64;
        let comparable = ty.bits() >= 16 && !matches!(ty, Type::U16x2 | Type::S16x2 | Type::Tf32);
        if known && flushes && comparable { Ok(()) } else { Err(opcode.bad_type(ty)) }
    }
}

/// Two sources, and how their comparison meets a predicate.
type Sources = (Operand, Operand, Option<(BooleanOp, Guard)>);

/// The sources, and the predicate they meet.
fn sources<'a>(
    b: &mut Builder<'a, '_, '_>,
    question: &Question,
    sources: Operands<'a>,
    ty: Type,
) -> Result<Sources, PtxError> {
    match (question.combine, sources) {
        (None, [x, y]) => Ok((b.src(x, ty)?, b.src(y, ty)?, None)),
        (Some(op), [x, y, c]) => Ok((b.src(x, ty)?, b.src(y, ty)?, Some((op, b.condition(c)?)))),
        _ => Err(b.malformed(format!("{} sources do not fit", sources.len()))),
    }
}

/// `setp`
pub(super) fn setp<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let Some((d, rest)) = operands.split_first() else {
        return Err(b.malformed("setp takes 3 operands, got 0"));
    };
    let question = question(opcode)?;
    let ty = opcode.ty()?;
    question.check(opcode, ty)?;
    opcode.finish()?;
    let (p, q) = b.pair(d)?;
    let first = b.dst_wanted(p, RegClass::Predicate)?;
    let second = q.map_or(Ok(None), |q| b.dst_wanted(q, RegClass::Predicate))?;
    let (x, y, combine) = sources(b, &question, rest, ty)?;
    let Question { comparison, flush_subnormals, .. } = question;
    b.emit(if ty.is_packed() {
        let (low, high) = (first, second);
        Op::ComparePacked { comparison, ty, flush_subnormals, low, high, a: x, b: y, combine }
    } else {
        let (dst, complement) = (first, second);
        Op::Compare { comparison, ty, flush_subnormals, dst, complement, a: x, b: y, combine }
    });
    Ok(())
}

/// `set`
pub(super) fn set<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let Some((d, rest)) = operands.split_first() else {
        return Err(b.malformed("set takes 3 operands, got 0"));
    };
    let question = question(opcode)?;
    let to = opcode.ty_of(&[
        Type::U16,
        Type::S16,
        Type::U32,
        Type::S32,
        Type::F16,
        Type::Bf16,
        Type::F16x2,
        Type::Bf16x2,
        Type::F32,
    ])?;
    let ty = opcode.ty()?;
    question.check(opcode, ty)?;
    let packed_result = matches!(to, Type::F16x2 | Type::Bf16x2);
    let fits = if ty.is_packed() {
        packed_result || matches!(to, Type::U32 | Type::S32)
    } else {
        !packed_result
    };
    if !fits {
        return Err(opcode.bad_type(to));
    }
    opcode.finish()?;
    let dst = b.dst(d, to)?;
    let (x, y, combine) = sources(b, &question, rest, ty)?;
    let Question { comparison, flush_subnormals, .. } = question;
    b.emit(Op::Set { comparison, ty, to, flush_subnormals, dst, a: x, b: y, combine });
    Ok(())
}
