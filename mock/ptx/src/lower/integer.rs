//! Integer arithmetic, bits and logic.

use crate::PtxError;
use crate::ir::{
    CarryOp, IntegerBinary, IntegerTernary, IntegerUnary, Op, Operand, PermuteMode, Reg, RegClass,
    ShiftWrap, Type,
};
use crate::syntax;

use super::builder::Builder;
use super::opcode::Opcode;

type Operands<'a> = &'a [syntax::Operand<'a>];

const ARITHMETIC: [Type; 6] = [Type::U16, Type::U32, Type::U64, Type::S16, Type::S32, Type::S64];
const ARITHMETIC_AND_PACKED: [Type; 8] =
    [Type::U16, Type::U32, Type::U64, Type::S16, Type::S32, Type::S64, Type::U16x2, Type::S16x2];
const NARROW: [Type; 4] = [Type::U16, Type::U32, Type::S16, Type::S32];
const SIGNED: [Type; 3] = [Type::S16, Type::S32, Type::S64];
const WORDS: [Type; 2] = [Type::U32, Type::S32];
const WIDE: [Type; 4] = [Type::U32, Type::U64, Type::S32, Type::S64];
const BITS: [Type; 3] = [Type::B16, Type::B32, Type::B64];
const WIDE_BITS: [Type; 2] = [Type::B32, Type::B64];
const LOGIC: [Type; 4] = [Type::Pred, Type::B16, Type::B32, Type::B64];

/// The half of a product that is wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Half {
    Low,
    High,
    Wide,
}

const HALVES: [(&str, Half); 3] = [("lo", Half::Low), ("hi", Half::High), ("wide", Half::Wide)];

/// The type twice as wide.
const fn doubled(ty: Type) -> Type {
    match ty {
        Type::U16 => Type::U32,
        Type::S16 => Type::S32,
        Type::S32 => Type::S64,
        _ => Type::U64,
    }
}

impl<'a> Builder<'a, '_, '_> {
    fn integer_unary(
        &mut self,
        operands: Operands<'a>,
        op: IntegerUnary,
        ty: Type,
        to: Type,
    ) -> Result<(), PtxError> {
        let [d, a] = self.exactly(operands)?;
        let (dst, a) = (self.dst(d, to)?, self.src(a, ty)?);
        self.emit(Op::IntegerUnary { op, ty, dst, a });
        Ok(())
    }

    fn integer_binary(
        &mut self,
        operands: Operands<'a>,
        op: IntegerBinary,
        ty: Type,
        b_type: Type,
        to: Type,
    ) -> Result<(), PtxError> {
        let [d, a, b] = self.exactly(operands)?;
        let (dst, a, b) = (self.dst(d, to)?, self.src(a, ty)?, self.src(b, b_type)?);
        self.emit(Op::IntegerBinary { op, ty, dst, a, b });
        Ok(())
    }

    fn integer_ternary(
        &mut self,
        operands: Operands<'a>,
        op: IntegerTernary,
        ty: Type,
        [b_type, c_type, to]: [Type; 3],
    ) -> Result<(), PtxError> {
        let [d, a, b, c] = self.exactly(operands)?;
        let dst = self.dst(d, to)?;
        let (a, b, c) = (self.src(a, ty)?, self.src(b, b_type)?, self.src(c, c_type)?);
        self.emit(Op::IntegerTernary { op, ty, dst, a, b, c });
        Ok(())
    }
}

/// `add`, `sub` on integers.
pub(super) fn add_sub<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let is_add = opcode.name == "add";
    if opcode.has("cc") {
        return carry(b, opcode, operands, if is_add { CarryOp::Add } else { CarryOp::Sub }, true);
    }
    let saturates = opcode.has("sat");
    let ty = if saturates {
        opcode.ty_of(&[Type::S32])?
    } else if is_add {
        opcode.ty_of(&ARITHMETIC_AND_PACKED)?
    } else {
        opcode.ty_of(&ARITHMETIC)?
    };
    opcode.finish()?;
    let op = match (is_add, saturates) {
        (true, false) => IntegerBinary::Add,
        (true, true) => IntegerBinary::AddSat,
        (false, false) => IntegerBinary::Sub,
        (false, true) => IntegerBinary::SubSat,
    };
    b.integer_binary(operands, op, ty, ty, ty)
}

/// `addc`, `subc`, `madc`: with the carry of an instruction before.
pub(super) fn with_carry<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let writes = opcode.has("cc");
    let op = match opcode.name {
        "addc" => CarryOp::Add,
        "subc" => CarryOp::Sub,
        _ => carry_half(opcode)?,
    };
    let carry_in = Some(carry_register(b));
    emit_carry(b, opcode, operands, op, carry_in, writes)
}

fn carry_half(opcode: &mut Opcode<'_>) -> Result<CarryOp, PtxError> {
    opcode.require(&[("lo", CarryOp::MadLo), ("hi", CarryOp::MadHi)])
}

/// `add.cc`, `sub.cc`, `mad.cc`: the first of a chain.
fn carry<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
    op: CarryOp,
    writes: bool,
) -> Result<(), PtxError> {
    emit_carry(b, opcode, operands, op, None, writes)
}

fn carry_register(b: &mut Builder<'_, '_, '_>) -> Reg {
    if let Some(reg) = b.unit.carry {
        return reg;
    }
    let reg = b.temporary(RegClass::Predicate);
    b.unit.carry = Some(reg);
    reg
}

fn emit_carry<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
    op: CarryOp,
    carry_in: Option<Reg>,
    writes: bool,
) -> Result<(), PtxError> {
    let ty = opcode.ty_of(&WIDE)?;
    opcode.finish()?;
    let (d, a, y, c) = match (op, operands) {
        (CarryOp::Add | CarryOp::Sub, [d, a, y]) => (d, a, y, None),
        (CarryOp::MadLo | CarryOp::MadHi, [d, a, y, c]) => (d, a, y, Some(c)),
        _ => return Err(b.malformed(format!("{} operands do not fit", operands.len()))),
    };
    let dst = b.dst(d, ty)?;
    let (a, y) = (b.src(a, ty)?, b.src(y, ty)?);
    let c = c.map_or(Ok(Operand::Immediate(0)), |c| b.src(c, ty))?;
    if op != CarryOp::Sub {
        let carry_out = writes.then(|| carry_register(b));
        b.emit(Op::Carry { op, ty, dst, a, b: y, c, carry_in, carry_out });
        return Ok(());
    }
    // the condition code of a subtraction is that of `a + !b + 1`: 1 where nothing was borrowed. NVIDIA's own
    // 128-bit division reads it with `addc`.
    let borrow_in = carry_in.map(|carry| {
        let borrow = b.temporary(RegClass::Predicate);
        b.emit_always(negate(borrow, carry));
        borrow
    });
    let borrow_out = writes.then(|| b.temporary(RegClass::Predicate));
    b.emit(Op::Carry { op, ty, dst, a, b: y, c, carry_in: borrow_in, carry_out: borrow_out });
    if let Some(borrow) = borrow_out {
        let carry = carry_register(b);
        b.emit(negate(carry, borrow));
    }
    Ok(())
}

fn negate(dst: Reg, a: Reg) -> Op {
    Op::IntegerUnary { op: IntegerUnary::Not, ty: Type::Pred, dst, a: Operand::Register(a) }
}

/// `mul` on integers.
pub(super) fn mul<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let half = opcode.require(&HALVES)?;
    let ty = opcode.ty_of(if half == Half::Wide { &NARROW[..] } else { &ARITHMETIC[..] })?;
    opcode.finish()?;
    let (op, to) = match half {
        Half::Low => (IntegerBinary::MulLo, ty),
        Half::High => (IntegerBinary::MulHi, ty),
        Half::Wide => (IntegerBinary::MulWide, doubled(ty)),
    };
    b.integer_binary(operands, op, ty, ty, to)
}

/// `mad` on integers.
pub(super) fn mad<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    if opcode.has("cc") {
        let op = carry_half(opcode)?;
        return carry(b, opcode, operands, op, true);
    }
    let half = opcode.require(&HALVES)?;
    let saturates = opcode.has("sat");
    let ty = opcode.ty_of(if half == Half::Wide { &NARROW[..] } else { &ARITHMETIC[..] })?;
    if saturates && (half, ty) != (Half::High, Type::S32) {
        return Err(b.malformed(".sat is for mad.hi.s32"));
    }
    opcode.finish()?;
    let (op, to) = match half {
        Half::Low => (IntegerTernary::MadLo, ty),
        Half::High if saturates => (IntegerTernary::MadHiSat, ty),
        Half::High => (IntegerTernary::MadHi, ty),
        Half::Wide => (IntegerTernary::MadWide, doubled(ty)),
    };
    b.integer_ternary(operands, op, ty, [ty, to, to])
}

/// `mul24`, `mad24`
pub(super) fn by_24_bits<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let high = opcode.require(&[("lo", false), ("hi", true)])?;
    let saturates = opcode.has("sat");
    let ty = opcode.ty_of(&WORDS)?;
    let is_mad = opcode.name == "mad24";
    if saturates && !(is_mad && high && ty == Type::S32) {
        return Err(b.malformed(".sat is for mad24.hi.s32"));
    }
    opcode.finish()?;
    if !is_mad {
        let op = if high { IntegerBinary::Mul24Hi } else { IntegerBinary::Mul24Lo };
        return b.integer_binary(operands, op, ty, ty, ty);
    }
    let op = match (high, saturates) {
        (false, _) => IntegerTernary::Mad24Lo,
        (true, false) => IntegerTernary::Mad24Hi,
        (true, true) => IntegerTernary::Mad24HiSat,
    };
    b.integer_ternary(operands, op, ty, [ty; 3])
}

/// `div`, `rem`, `sad` on integers.
pub(super) fn div_rem_sad<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let ty = opcode.ty_of(&ARITHMETIC)?;
    opcode.finish()?;
    match opcode.name {
        "div" => b.integer_binary(operands, IntegerBinary::Div, ty, ty, ty),
        "rem" => b.integer_binary(operands, IntegerBinary::Rem, ty, ty, ty),
        _ => b.integer_ternary(operands, IntegerTernary::Sad, ty, [ty; 3]),
    }
}

/// `min`, `max` on integers.
pub(super) fn min_max<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let relu = opcode.has("relu");
    let ty = if relu {
        opcode.ty_of(&[Type::S32, Type::S16x2])?
    } else {
        opcode.ty_of(&ARITHMETIC_AND_PACKED)?
    };
    opcode.finish()?;
    let op = match (opcode.name, relu) {
        ("min", false) => IntegerBinary::Min,
        ("min", true) => IntegerBinary::MinRelu,
        (_, false) => IntegerBinary::Max,
        (_, true) => IntegerBinary::MaxRelu,
    };
    b.integer_binary(operands, op, ty, ty, ty)
}

/// `neg`, `abs` on integers.
pub(super) fn neg_abs<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let ty = opcode.ty_of(&SIGNED)?;
    opcode.finish()?;
    let op = if opcode.name == "neg" { IntegerUnary::Neg } else { IntegerUnary::Abs };
    b.integer_unary(operands, op, ty, ty)
}

/// `not`, `cnot`, `popc`, `clz`, `brev`, `bfind`: one source.
pub(super) fn bits_of_one<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let shift_amount = opcode.name == "bfind" && opcode.has("shiftamt");
    let (op, ty) = match opcode.name {
        "not" => (IntegerUnary::Not, opcode.ty_of(&LOGIC)?),
        "cnot" => (IntegerUnary::Cnot, opcode.ty_of(&BITS)?),
        "popc" => (IntegerUnary::Popc, opcode.ty_of(&WIDE_BITS)?),
        "clz" => (IntegerUnary::Clz, opcode.ty_of(&WIDE_BITS)?),
        "brev" => (IntegerUnary::Brev, opcode.ty_of(&WIDE_BITS)?),
        _ if shift_amount => (IntegerUnary::BfindShift, opcode.ty_of(&WIDE)?),
        _ => (IntegerUnary::Bfind, opcode.ty_of(&WIDE)?),
    };
    opcode.finish()?;
    let to = match op {
        IntegerUnary::Not | IntegerUnary::Cnot | IntegerUnary::Brev => ty,
        _ => Type::U32,
    };
    b.integer_unary(operands, op, ty, to)
}

/// `and`, `or`, `xor`
pub(super) fn logic<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let ty = opcode.ty_of(&LOGIC)?;
    opcode.finish()?;
    let op = match opcode.name {
        "and" => IntegerBinary::And,
        "or" => IntegerBinary::Or,
        _ => IntegerBinary::Xor,
    };
    b.integer_binary(operands, op, ty, ty, ty)
}

/// `shl`, `shr`
pub(super) fn shift<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let ty = opcode.ty()?;
    let is_left = opcode.name == "shl";
    if !(BITS.contains(&ty) || !is_left && ARITHMETIC.contains(&ty)) {
        return Err(opcode.bad_type(ty));
    }
    opcode.finish()?;
    let op = if is_left { IntegerBinary::Shl } else { IntegerBinary::Shr };
    b.integer_binary(operands, op, ty, Type::U32, ty)
}

const WRAPS: [(&str, ShiftWrap); 2] = [("clamp", ShiftWrap::Clamp), ("wrap", ShiftWrap::Wrap)];

/// `shf`
pub(super) fn funnel<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let is_left = opcode.require(&[("l", true), ("r", false)])?;
    let wrap = opcode.require(&WRAPS)?;
    let ty = opcode.ty_of(&[Type::B32])?;
    opcode.finish()?;
    let op =
        if is_left { IntegerTernary::FunnelLeft(wrap) } else { IntegerTernary::FunnelRight(wrap) };
    b.integer_ternary(operands, op, ty, [ty, Type::U32, ty])
}

/// `bmsk`, `szext`
pub(super) fn mask_and_extend<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let wrap = opcode.require(&WRAPS)?;
    let (op, ty) = if opcode.name == "bmsk" {
        (IntegerBinary::BitMask(wrap), opcode.ty_of(&[Type::B32])?)
    } else {
        (IntegerBinary::SignOrZeroExtend(wrap), opcode.ty_of(&WORDS)?)
    };
    opcode.finish()?;
    b.integer_binary(operands, op, ty, Type::U32, ty)
}

/// `bfe`
pub(super) fn bfe<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let ty = opcode.ty_of(&WIDE)?;
    opcode.finish()?;
    b.integer_ternary(operands, IntegerTernary::BitFieldExtract, ty, [Type::U32, Type::U32, ty])
}

/// `bfi`
pub(super) fn bfi<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let [d, field, base, position, length] = b.exactly(operands)?;
    let ty = opcode.ty_of(&WIDE_BITS)?;
    opcode.finish()?;
    let dst = b.dst(d, ty)?;
    let (field, base) = (b.src(field, ty)?, b.src(base, ty)?);
    let (position, length) = (b.src(position, Type::U32)?, b.src(length, Type::U32)?);
    b.emit(Op::BitFieldInsert { ty, dst, field, base, position, length });
    Ok(())
}

/// `prmt`
pub(super) fn prmt<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let mode = opcode.choose(&[
        ("f4e", PermuteMode::Forward4),
        ("b4e", PermuteMode::Backward4),
        ("rc8", PermuteMode::Replicate8),
        ("ecl", PermuteMode::EdgeLeft),
        ("ecr", PermuteMode::EdgeRight),
        ("rc16", PermuteMode::Replicate16),
    ]);
    let ty = opcode.ty_of(&[Type::B32])?;
    opcode.finish()?;
    let op = IntegerTernary::Permute(mode.unwrap_or(PermuteMode::Generic));
    b.integer_ternary(operands, op, ty, [ty; 3])
}

/// `fns`
pub(super) fn fns<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let ty = opcode.ty_of(&[Type::B32])?;
    opcode.finish()?;
    b.integer_ternary(operands, IntegerTernary::FindNthSet, ty, [Type::U32, Type::S32, ty])
}

/// `lop3`, with or without a predicate.
pub(super) fn lop3<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let combine = opcode.choose(&[("or", IntegerBinary::Or), ("and", IntegerBinary::And)]);
    let ty = opcode.ty_of(&[Type::B32])?;
    opcode.finish()?;
    let (d, a, y, c, table, q) = match (combine, operands) {
        (None, [d, a, y, c, table]) => (d, a, y, c, table, None),
        (Some(op), [d, a, y, c, table, q]) => (d, a, y, c, table, Some((op, q))),
        _ => return Err(b.malformed(format!("{} operands do not fit", operands.len()))),
    };
    let (d, p) = b.pair(d)?;
    let table = b.constant(table)?;
    let Ok(table) = u8::try_from(table) else {
        return Err(b.malformed(format!("a table of 8 bits, got {table:#x}")));
    };
    let (a, y, c) = (b.src(a, ty)?, b.src(y, ty)?, b.src(c, ty)?);
    let dst = b.dst(d, ty)?;
    let op = IntegerTernary::Lop3(table);
    match (q, p) {
        (None, None) => b.emit(Op::IntegerTernary { op, ty, dst, a, b: y, c }),
        (Some((combine, q)), Some(p)) => {
            let p = b.dst(p, Type::Pred)?;
            let q = b.condition(q)?;
            b.emit(Op::IntegerTernary { op, ty, dst, a, b: y, c });
            let combine = match combine {
                IntegerBinary::And => crate::ir::BooleanOp::And,
                _ => crate::ir::BooleanOp::Or,
            };
            b.emit(Op::Compare {
                comparison: crate::ir::Comparison::Ne,
                ty,
                flush_subnormals: false,
                dst: Some(p),
                complement: None,
                a: Operand::Register(dst),
                b: Operand::Immediate(0),
                combine: Some((combine, q)),
            });
        }
        _ => return Err(b.malformed("lop3.or and lop3.and write d|p")),
    }
    Ok(())
}

/// `dp4a`, `dp2a`
pub(super) fn dot<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let high = match opcode.name {
        "dp2a" => opcode.require(&[("lo", false), ("hi", true)])?,
        _ => false,
    };
    let (a_type, b_type) = (opcode.ty_of(&WORDS)?, opcode.ty_of(&WORDS)?);
    opcode.finish()?;
    let (a_signed, b_signed) = (a_type.is_signed(), b_type.is_signed());
    let op = match opcode.name {
        "dp2a" => IntegerTernary::Dp2a { a_signed, b_signed, high },
        _ => IntegerTernary::Dp4a { a_signed, b_signed },
    };
    let ty = if a_signed || b_signed { Type::S32 } else { Type::U32 };
    b.integer_ternary(operands, op, ty, [ty; 3])
}
