//! From the IR to the vector engine's steps: which kernel an operation and a type mean.
//!
//! What has no kernel becomes [`Step::Single`], so that everything the front end lets through can run.

use std::collections::BTreeMap;

use mock_ptx::ir::{
    Address, AtomicOp, Base, BlockId, BooleanOp, Comparison, Conversion, FloatBinary, FloatMode,
    FloatTernary, FloatUnary, Guard, Instruction, IntegerBinary, IntegerTernary, IntegerUnary,
    Kernel, Op, Operand, Reg, RegClass, Rounding, Space, Terminator, Type,
};

use super::code::{
    Access, At, Atomic, Code, Compare, Detour, Format, Guarded, Line, Logic, Pointer, Step, Truth,
    is_joinable, is_ordered,
};
use super::fetch;
use super::file::{SlotId, Spare};
use super::live::Live;
use crate::kernels::{
    Binary32, Binary64, Narrow, Numbers, Shift64, Ternary32, Ternary64, Unary32, Unary64, Wide,
    Widen, Widen16,
};
use crate::memory::window;

/// Lowers a kernel; `symbols` are the addresses of the module's variables.
#[must_use]
pub fn lower(kernel: &Kernel, symbols: &[u64]) -> Code {
    let mut lowerer = Lowerer { kernel, symbols, pools: [(); 3].map(|()| Pool::default()) };
    let unread = Live::unread(kernel, |op| matches!(op, Op::Atomic { .. }));
    let mut blocks = Vec::with_capacity(kernel.blocks.len());
    for (number, block) in kernel.blocks.iter().enumerate() {
        let steps = block.instructions.iter().enumerate().map(|(place, instruction)| {
            let unread = unread.contains(&(number, place));
            let mut step = lowerer.step(instruction);
            if let Step::Atomic(atomic) = &mut step
                && unread
            {
                atomic.dst = None;
            }
            Guarded { guard: instruction.guard, step, ordered: is_ordered(&instruction.op, unread) }
        });
        blocks.push(Line { steps: steps.collect(), detour: None });
    }
    for number in 0..blocks.len() {
        blocks[number].detour = detour(kernel, &blocks, number);
    }
    let waits = |block: u32, place: usize| {
        let Some(line) = blocks.get(block as usize) else { return false };
        // Before such a step, and behind it where a part of the lanes had to stay.
        let meets = |guarded: &Guarded| matches!(guarded.step, Step::Together | Step::Barrier);
        let here = line.steps.get(place).is_some_and(meets);
        here || place > 0 && line.steps.get(place - 1).is_some_and(meets)
    };
    let live = Live::of(kernel, waits);
    for (number, line) in blocks.iter_mut().enumerate() {
        fetch::mark(kernel, number, &live, &mut line.steps);
    }
    let [pool16, pool32, pool64] = lowerer.pools;
    let ordered = blocks.iter().flat_map(|line| &line.steps).any(|guarded| guarded.ordered);
    Code {
        live,
        spare: Spare::default(),
        ordered,
        joinable: is_joinable(kernel),
        constants16: pool16.values.iter().map(|value| *value as u16).collect(),
        constants32: pool32.values.iter().map(|value| *value as u32).collect(),
        constants64: pool64.values,
        blocks,
    }
}

/// The detour at the end of a block, where there is one.
fn detour(kernel: &Kernel, blocks: &[Line], number: usize) -> Option<Detour> {
    let Terminator::Branch { condition, taken, otherwise, .. } = kernel.blocks[number].terminator
    else {
        return None;
    };
    // where a short line behind this one leads
    let leads = |line: BlockId| match kernel.block(line)?.terminator {
        Terminator::Jump(meets) if number < line.index() && line < meets => {
            blocks.get(line.index()).is_some_and(is_short).then_some(meets)
        }
        _ => None,
    };
    let other_way = Guard { negated: !condition.negated, ..condition };
    let ways = [(condition, taken, otherwise), (other_way, otherwise, taken)];
    let with_else = |(condition, body, other): &(Guard, BlockId, BlockId)| {
        let meets = leads(*body).filter(|meets| body < other && leads(*other) == Some(*meets))?;
        Some(Detour { condition: *condition, body: *body, other: Some(*other), meets })
    };
    let without = |(condition, body, meets): &(Guard, BlockId, BlockId)| {
        leads(*body).filter(|to| to == meets)?;
        Some(Detour { condition: *condition, body: *body, other: None, meets: *meets })
    };
    ways.iter().find_map(without).or_else(|| ways.iter().find_map(with_else))
}

/// Whether nobody waits in a line, and it is done soon.
fn is_short(line: &Line) -> bool {
    let alone = |guarded: &Guarded| {
        let meets = matches!(guarded.step, Step::Together | Step::Barrier | Step::Library);
        !meets && !guarded.ordered
    };
    line.steps.len() <= DETOUR_STEPS_MAX && line.steps.iter().all(alone)
}

/// Longer lines get a path of their own, whose lanes join and leave as they come.
const DETOUR_STEPS_MAX: usize = 64;

/// Immediates of one width, each once.
#[derive(Debug, Default)]
struct Pool {
    values: Vec<u64>,
    places: BTreeMap<u64, u32>,
}

impl Pool {
    fn place(&mut self, value: u64) -> u32 {
        *self.places.entry(value).or_insert_with(|| {
            self.values.push(value);
            (self.values.len() - 1) as u32
        })
    }
}

struct Lowerer<'a> {
    kernel: &'a Kernel,
    symbols: &'a [u64],
    pools: [Pool; 3],
}

const fn slot(reg: Reg) -> SlotId {
    reg.index() as SlotId
}

impl Lowerer<'_> {
    /// The slot of an operand of a class.
    fn source(&mut self, class: RegClass, operand: Operand) -> SlotId {
        match operand {
            Operand::Register(reg) => slot(reg),
            Operand::Immediate(bits) => self.constant(class, bits),
        }
    }

    fn constant(&mut self, class: RegClass, bits: u64) -> SlotId {
        let (pool, mask) = match class {
            RegClass::Predicate | RegClass::B16 => (0, 0xffff),
            RegClass::B32 => (1, 0xffff_ffff),
            RegClass::B64 => (2, u64::MAX),
        };
        let class = if class == RegClass::Predicate { RegClass::B16 } else { class };
        self.kernel.registers.of(class) + self.pools[pool].place(bits & mask)
    }

    fn s32(&mut self, operand: Operand) -> SlotId {
        self.source(RegClass::B32, operand)
    }

    fn s64(&mut self, operand: Operand) -> SlotId {
        self.source(RegClass::B64, operand)
    }

    fn step(&mut self, instruction: &Instruction) -> Step {
        self.known(&instruction.op).unwrap_or(match &instruction.op {
            Op::Shuffle { .. }
            | Op::Vote { .. }
            | Op::Match { .. }
            | Op::Reduce { .. }
            | Op::ActiveMask { .. }
            | Op::Elect { .. }
            | Op::WarpBarrier { .. }
            | Op::MatrixMove(_)
            | Op::MatrixTranspose { .. }
            | Op::MatrixMultiply(_)
            | Op::WmmaAccess(_)
            | Op::WmmaMultiply(_) => Step::Together,
            Op::Barrier { .. } => Step::Barrier,
            Op::Intrinsic(_) => Step::Library,
            Op::Fence { .. } | Op::AsyncCommit | Op::AsyncWait { .. } | Op::Sleep { .. } => {
                Step::Nothing
            }
            _ => Step::Single,
        })
    }

    /// The kernel for an operation, where there is one.
    fn known(&mut self, op: &Op) -> Option<Step> {
        Some(match op {
            Op::Move { dst, src } => return self.copy(*dst, *src),
            Op::ReadSpecial { dst, register } => {
                let class = dst.class();
                if class != RegClass::B32 && class != RegClass::B64 {
                    return None;
                }
                Step::Special { d: slot(*dst), class, register: *register }
            }
            Op::SymbolAddress { dst, symbol, offset } => {
                let start = self.symbols.get(symbol.index()).copied().unwrap_or(0);
                let address = Operand::Immediate(start.wrapping_add_signed(*offset));
                return self.copy(*dst, address);
            }
            Op::FrameAddress { dst, offset } if dst.class() == RegClass::B64 => {
                Step::Frame { d: slot(*dst), offset: *offset as u64 }
            }
            Op::Pack { dst, parts, part_bits: 32 } => match **parts {
                [low, high] => {
                    let (a, b) = (self.s32(low), self.s32(high));
                    Step::Wide { op: Wide::Join, d: slot(*dst), a, b }
                }
                _ => return None,
            },
            Op::Unpack { parts, src, part_bits: 32 } => match **parts {
                [low, high] if low != high => {
                    Step::Split { low: slot(low), high: slot(high), a: self.s64(*src) }
                }
                _ => return None,
            },
            Op::Select { dst, a, b, condition } => self.select(*dst, *a, *b, *condition),
            Op::IntegerUnary { op, ty, dst, a } => return self.integer_unary(*op, *ty, *dst, *a),
            Op::IntegerBinary { op, ty, dst, a, b } => {
                return self.integer_binary(*op, *ty, *dst, *a, *b);
            }
            Op::IntegerTernary { op, ty, dst, a, b, c } => {
                return self.integer_ternary(*op, *ty, *dst, [*a, *b, *c]);
            }
            Op::FloatUnary { op, ty, mode, dst, a } => {
                return self.float_unary(*op, *ty, *mode, *dst, *a);
            }
            Op::FloatBinary { op, ty, mode, dst, a, b } => {
                return self.float_binary(*op, *ty, *mode, *dst, *a, *b);
            }
            Op::FloatTernary { op: FloatTernary::Fma, ty, mode, dst, a, b, c } => {
                let flush = plain(*mode)?;
                let d = slot(*dst);
                match ty {
                    Type::F32 => {
                        let [a, b, c] = [*a, *b, *c].map(|operand| self.s32(operand));
                        Step::Ternary32 { op: Ternary32::FmaF { flush }, d, a, b, c }
                    }
                    Type::F64 => {
                        let [a, b, c] = [*a, *b, *c].map(|operand| self.s64(operand));
                        Step::Ternary64 { op: Ternary64::FmaF, d, a, b, c }
                    }
                    _ => return None,
                }
            }
            Op::Convert { conversion, dst, src } => return self.convert(*conversion, *dst, *src),
            Op::ConvertAddress { space, to_space, dst, src } => {
                let start = window::start(*space);
                let a = self.s64(*src);
                let b = self.constant(RegClass::B64, start);
                let op = if *to_space { Binary64::Sub } else { Binary64::Add };
                Step::Binary64 { op, d: slot(*dst), a, b }
            }
            Op::Compare { comparison, ty, flush_subnormals, dst, complement, a, b, combine } => {
                return self.compare(
                    (*comparison, *ty, *flush_subnormals),
                    [*dst, *complement],
                    [*a, *b],
                    *combine,
                );
            }
            Op::Load { ty, space, dst, address, .. } => {
                Step::Load(self.access(*ty, *space, *address, &[Operand::Register(*dst)])?)
            }
            Op::LoadVector { ty, space, dsts, address, .. } => {
                let dsts: Vec<_> = dsts.iter().map(|dst| Operand::Register(*dst)).collect();
                Step::Load(self.access(*ty, *space, *address, &dsts)?)
            }
            Op::Store { ty, space, src, address, .. } => {
                Step::Store(self.access(*ty, *space, *address, &[*src])?)
            }
            Op::StoreVector { ty, space, srcs, address, .. } => {
                Step::Store(self.access(*ty, *space, *address, srcs)?)
            }
            Op::Atomic { op, ty, space, dst, address, value, compare, .. } => {
                return self.atomic((*op, *ty, *space), *dst, *address, (*value, *compare));
            }
            _ => return None,
        })
    }

    fn copy(&mut self, dst: Reg, src: Operand) -> Option<Step> {
        let d = slot(dst);
        Some(match dst.class() {
            RegClass::Predicate => {
                Step::Logic { op: Logic::Copy, d, a: truth(src), b: Truth::Known(false) }
            }
            RegClass::B16 => Step::Copy16 { d, a: self.source(RegClass::B16, src) },
            RegClass::B32 => Step::Unary32 { op: Unary32::Copy, d, a: self.s32(src) },
            RegClass::B64 => Step::Unary64 { op: Unary64::Copy, d, a: self.s64(src) },
        })
    }

    fn select(&mut self, dst: Reg, a: Operand, b: Operand, condition: Guard) -> Step {
        let class = dst.class();
        let (d, a, b) = (slot(dst), self.source(class, a), self.source(class, b));
        match class {
            RegClass::B64 => Step::Choose64 { d, a, b, condition },
            RegClass::B32 => Step::Choose32 { d, a, b, condition },
            RegClass::B16 | RegClass::Predicate => Step::Choose16 { d, a, b, condition },
        }
    }

    fn integer_unary(&mut self, op: IntegerUnary, ty: Type, dst: Reg, a: Operand) -> Option<Step> {
        use IntegerUnary as I;
        let d = slot(dst);
        if ty == Type::Pred {
            let b = Truth::Known(false);
            return (op == I::Not).then(|| Step::Logic { op: Logic::Not, d, a: truth(a), b });
        }
        let op = match (op, ty.bits()) {
            (I::Popc, 64) => return Some(Step::Narrow { op: Narrow::Popc, d, a: self.s64(a) }),
            (I::Clz, 64) => return Some(Step::Narrow { op: Narrow::Clz, d, a: self.s64(a) }),
            (_, 64) => {
                let op = match op {
                    I::Neg => Unary64::Neg,
                    I::Abs => Unary64::Abs,
                    I::Not => Unary64::Not,
                    I::Brev => Unary64::Brev,
                    _ => return None,
                };
                return Some(Step::Unary64 { op, d, a: self.s64(a) });
            }
            (I::Neg, 32) => Unary32::Neg,
            (I::Abs, 32) => Unary32::Abs,
            (I::Not, 32) => Unary32::Not,
            (I::Cnot, 32) => Unary32::Cnot,
            (I::Popc, 32) => Unary32::Popc,
            (I::Clz, 32) => Unary32::Clz,
            (I::Brev, 32) => Unary32::Brev,
            _ => return None,
        };
        Some(Step::Unary32 { op, d, a: self.s32(a) })
    }

    fn integer_binary(
        &mut self,
        op: IntegerBinary,
        ty: Type,
        dst: Reg,
        a: Operand,
        b: Operand,
    ) -> Option<Step> {
        let d = slot(dst);
        if ty == Type::Pred {
            let op = logic(op)?;
            return Some(Step::Logic { op, d, a: truth(a), b: truth(b) });
        }
        if ty.is_packed() {
            return None;
        }
        match (op, ty.bits()) {
            (IntegerBinary::MulWide, 32) => {
                let op = if ty.is_signed() { Wide::MulS } else { Wide::MulU };
                Some(Step::Wide { op, d, a: self.s32(a), b: self.s32(b) })
            }
            (IntegerBinary::Shl | IntegerBinary::Shr, 64) => {
                let op = match (op, ty.is_signed()) {
                    (IntegerBinary::Shl, _) => Shift64::Shl,
                    (_, true) => Shift64::ShrS,
                    (_, false) => Shift64::ShrU,
                };
                Some(Step::Shift64 { op, d, a: self.s64(a), b: self.s32(b) })
            }
            (_, 32) => {
                let op = binary32(op, ty.is_signed())?;
                Some(Step::Binary32 { op, d, a: self.s32(a), b: self.s32(b) })
            }
            (_, 64) => {
                let op = binary64(op, ty.is_signed())?;
                Some(Step::Binary64 { op, d, a: self.s64(a), b: self.s64(b) })
            }
            _ => None,
        }
    }

    fn integer_ternary(
        &mut self,
        op: IntegerTernary,
        ty: Type,
        dst: Reg,
        [a, b, c]: [Operand; 3],
    ) -> Option<Step> {
        let d = slot(dst);
        if ty.bits() == 64 {
            if op != IntegerTernary::MadLo {
                return None;
            }
            let [a, b, c] = [a, b, c].map(|operand| self.s64(operand));
            return Some(Step::Ternary64 { op: Ternary64::MadLo, d, a, b, c });
        }
        if ty.bits() != 32 {
            return None;
        }
        let signed = ty.is_signed();
        let op = match op {
            IntegerTernary::MadWide => {
                let (a, b, c) = (self.s32(a), self.s32(b), self.s64(c));
                return Some(Step::MadWide { signed, d, a, b, c });
            }
            IntegerTernary::MadLo => Ternary32::MadLo,
            IntegerTernary::Lop3(table) => Ternary32::Lop3(table),
            IntegerTernary::FunnelLeft(wrap) => Ternary32::FunnelLeft(wrap),
            IntegerTernary::FunnelRight(wrap) => Ternary32::FunnelRight(wrap),
            IntegerTernary::BitFieldExtract if signed => Ternary32::ExtractS,
            IntegerTernary::BitFieldExtract => Ternary32::ExtractU,
            IntegerTernary::Sad if signed => Ternary32::SadS,
            IntegerTernary::Sad => Ternary32::SadU,
            _ => return None,
        };
        let [a, b, c] = [a, b, c].map(|operand| self.s32(operand));
        Some(Step::Ternary32 { op, d, a, b, c })
    }

    fn float_unary(
        &mut self,
        op: FloatUnary,
        ty: Type,
        mode: FloatMode,
        dst: Reg,
        a: Operand,
    ) -> Option<Step> {
        use FloatUnary as F;
        let exact = !matches!(op, F::Reciprocal | F::SquareRoot);
        let mode = if exact { FloatMode { rounding: Rounding::NearestEven, ..mode } } else { mode };
        let flush = plain(mode)?;
        let d = slot(dst);
        if ty == Type::F64 {
            let op = match op {
                F::Neg => Unary64::NegF,
                F::Abs => Unary64::AbsF,
                F::Reciprocal => Unary64::Rcp,
                F::SquareRoot => Unary64::Sqrt,
                _ => return None,
            };
            return Some(Step::Unary64 { op, d, a: self.s64(a) });
        }
        if ty != Type::F32 {
            return None;
        }
        let op = match op {
            F::Neg => Unary32::NegF { flush },
            F::Abs => Unary32::AbsF { flush },
            F::Reciprocal | F::ReciprocalApprox => Unary32::Rcp { flush },
            F::SquareRoot | F::SquareRootApprox => Unary32::Sqrt { flush },
            F::ReciprocalSquareRootApprox => Unary32::Rsqrt { flush },
            F::SineApprox => Unary32::Sin { flush },
            F::CosineApprox => Unary32::Cos { flush },
            F::Log2Approx => Unary32::Log2 { flush },
            F::Exp2Approx => Unary32::Exp2 { flush },
            F::TanhApprox if !flush => Unary32::Tanh,
            F::TanhApprox => return None,
        };
        Some(Step::Unary32 { op, d, a: self.s32(a) })
    }

    fn float_binary(
        &mut self,
        op: FloatBinary,
        ty: Type,
        mode: FloatMode,
        dst: Reg,
        a: Operand,
        b: Operand,
    ) -> Option<Step> {
        use FloatBinary as F;
        let flush = plain(mode)?;
        let d = slot(dst);
        let extreme = |nan: bool, xor: bool| (!nan && !xor).then_some(());
        if ty == Type::F64 {
            let op = match op {
                F::Add => Binary64::AddF,
                F::Sub => Binary64::SubF,
                F::Mul => Binary64::MulF,
                F::Divide => Binary64::DivF,
                F::Min { propagate_nan, xor_sign } => {
                    extreme(propagate_nan, xor_sign).map(|()| Binary64::MinF)?
                }
                F::Max { propagate_nan, xor_sign } => {
                    extreme(propagate_nan, xor_sign).map(|()| Binary64::MaxF)?
                }
                _ => return None,
            };
            return Some(Step::Binary64 { op, d, a: self.s64(a), b: self.s64(b) });
        }
        if ty != Type::F32 {
            return None;
        }
        let op = match op {
            F::Add => Binary32::AddF { flush },
            F::Sub => Binary32::SubF { flush },
            F::Mul => Binary32::MulF { flush },
            F::Divide | F::DivideFull => Binary32::DivF { flush },
            F::DivideApprox => Binary32::DivApproxF { flush },
            F::Min { propagate_nan, xor_sign } => {
                extreme(propagate_nan, xor_sign).map(|()| Binary32::MinF { flush })?
            }
            F::Max { propagate_nan, xor_sign } => {
                extreme(propagate_nan, xor_sign).map(|()| Binary32::MaxF { flush })?
            }
            F::CopySign => return None,
        };
        Some(Step::Binary32 { op, d, a: self.s32(a), b: self.s32(b) })
    }

    fn convert(&mut self, conversion: Conversion, dst: Reg, src: Operand) -> Option<Step> {
        let Conversion { to, from, rounding, flush_subnormals: flush, .. } = conversion;
        if conversion.saturate || conversion.relu {
            return None;
        }
        let source = match src {
            Operand::Register(reg) => reg.class(),
            Operand::Immediate(_) => from.class(),
        };
        if from.is_float() || to.is_float() {
            return self.convert_float(conversion, dst, (source, src));
        }
        let d = slot(dst);
        // Narrower of the two types decides which bits count; the destination's type how they are extended.
        let bits = to.bits().min(from.bits());
        let signed = if to.bits() <= from.bits() { to.is_signed() } else { from.is_signed() };
        let _ = (rounding, flush);
        // A negative 8-bit value widened to an unsigned 16-bit type inside a wider register is cut again: leave that to the slow path.
        if to.bits() > from.bits() && to.bits() != dst.class().bits() {
            return None;
        }
        match (source, dst.class()) {
            (RegClass::B32, RegClass::B32) => {
                let op = match (bits, signed) {
                    (32, _) => Unary32::Copy,
                    (16, true) => Unary32::SignExtend16,
                    (16, false) => Unary32::ZeroExtend16,
                    (_, true) => Unary32::SignExtend8,
                    (_, false) => Unary32::ZeroExtend8,
                };
                Some(Step::Unary32 { op, d, a: self.s32(src) })
            }
            (RegClass::B64, RegClass::B64) => {
                let op = match (bits, signed) {
                    (64, _) => Unary64::Copy,
                    (32, true) => Unary64::SignExtend32,
                    (32, false) => Unary64::ZeroExtend32,
                    (16, true) => Unary64::SignExtend16,
                    (8, true) => Unary64::SignExtend8,
                    _ => return None,
                };
                Some(Step::Unary64 { op, d, a: self.s64(src) })
            }
            (RegClass::B32, RegClass::B64) if bits == 32 => {
                let op = if signed { Widen::Signed } else { Widen::Unsigned };
                Some(Step::Widen { op, d, a: self.s32(src) })
            }
            (RegClass::B64, RegClass::B32) if bits == 32 => {
                Some(Step::Narrow { op: Narrow::Low, d, a: self.s64(src) })
            }
            (RegClass::B16, RegClass::B32) => {
                let op = match (bits, signed) {
                    (16, true) => Widen16::Signed,
                    (16, false) => Widen16::Unsigned,
                    (_, true) => Widen16::Signed8,
                    (_, false) => Widen16::Unsigned8,
                };
                Some(Step::Widen16 { op, d, a: self.source(RegClass::B16, src) })
            }
            (RegClass::B32, RegClass::B16) if bits == 16 => {
                Some(Step::Narrow16 { d, a: self.s32(src) })
            }
            _ => None,
        }
    }

    fn convert_float(
        &mut self,
        conversion: Conversion,
        dst: Reg,
        (source, src): (RegClass, Operand),
    ) -> Option<Step> {
        let Conversion { to, from, rounding, to_integral, flush_subnormals: flush, .. } =
            conversion;
        let (d, nearest) = (slot(dst), rounding == Rounding::NearestEven);
        if dst.class() != to.class() || source != from.class() {
            return None;
        }
        let one32 = |op| move |this: &mut Self| Step::Unary32 { op, d, a: this.s32(src) };
        Some(match (from, to) {
            (Type::F32, Type::F32) if to_integral => {
                one32(Unary32::Integral(rounding, flush))(self)
            }
            (Type::F32, Type::S32) => one32(Unary32::FToSigned(rounding, flush))(self),
            (Type::F32, Type::U32) => one32(Unary32::FToUnsigned(rounding, flush))(self),
            (Type::S32, Type::F32) if nearest => one32(Unary32::SignedToF)(self),
            (Type::U32, Type::F32) if nearest => one32(Unary32::UnsignedToF)(self),
            (Type::F64, Type::F64) if to_integral => {
                Step::Unary64 { op: Unary64::Integral(rounding), d, a: self.s64(src) }
            }
            (Type::F64, Type::S64) => {
                Step::Unary64 { op: Unary64::FToSigned(rounding), d, a: self.s64(src) }
            }
            (Type::F64, Type::U64) => {
                Step::Unary64 { op: Unary64::FToUnsigned(rounding), d, a: self.s64(src) }
            }
            (Type::S64, Type::F64) if nearest => {
                Step::Unary64 { op: Unary64::SignedToF, d, a: self.s64(src) }
            }
            (Type::U64, Type::F64) if nearest => {
                Step::Unary64 { op: Unary64::UnsignedToF, d, a: self.s64(src) }
            }
            (Type::F32, Type::F64) if !flush && !to_integral => {
                Step::Widen { op: Widen::F32ToF64, d, a: self.s32(src) }
            }
            (Type::S32, Type::F64) => Step::Widen { op: Widen::SignedToF64, d, a: self.s32(src) },
            (Type::U32, Type::F64) => Step::Widen { op: Widen::UnsignedToF64, d, a: self.s32(src) },
            (Type::F32, Type::S64) if !flush => {
                Step::Widen { op: Widen::F32ToSigned(rounding), d, a: self.s32(src) }
            }
            (Type::F32, Type::U64) if !flush => {
                Step::Widen { op: Widen::F32ToUnsigned(rounding), d, a: self.s32(src) }
            }
            (Type::F64, Type::F32) if nearest && !flush && !to_integral => {
                Step::Narrow { op: Narrow::F64ToF32, d, a: self.s64(src) }
            }
            (Type::F64, Type::S32) => {
                Step::Narrow { op: Narrow::F64ToSigned(rounding), d, a: self.s64(src) }
            }
            (Type::F64, Type::U32) => {
                Step::Narrow { op: Narrow::F64ToUnsigned(rounding), d, a: self.s64(src) }
            }
            (Type::S64, Type::F32) if nearest => {
                Step::Narrow { op: Narrow::SignedToF32, d, a: self.s64(src) }
            }
            (Type::U64, Type::F32) if nearest => {
                Step::Narrow { op: Narrow::UnsignedToF32, d, a: self.s64(src) }
            }
            _ => return None,
        })
    }

    fn compare(
        &mut self,
        (comparison, ty, flush): (Comparison, Type, bool),
        [dst, complement]: [Option<Reg>; 2],
        [a, b]: [Operand; 2],
        combine: Option<(BooleanOp, Guard)>,
    ) -> Option<Step> {
        let numbers = match ty {
            Type::F32 | Type::F64 => Numbers::Float { flush: flush && ty == Type::F32 },
            _ if ty.is_float() || ty == Type::Pred || ty.bits() == 8 => return None,
            _ if ty.is_signed() => Numbers::Signed,
            _ => Numbers::Unsigned,
        };
        let class = ty.class();
        Some(Step::Compare(Box::new(Compare {
            comparison,
            numbers,
            class,
            dst: dst.map(slot),
            complement: complement.map(slot),
            a: self.source(class, a),
            b: self.source(class, b),
            combine,
        })))
    }

    fn access(
        &mut self,
        ty: Type,
        space: Space,
        address: Address,
        operands: &[Operand],
    ) -> Option<Box<Access>> {
        let address = self.at(address);
        let mut slots = Vec::with_capacity(operands.len());
        for operand in operands {
            let class = match operand {
                Operand::Register(reg) => reg.class(),
                Operand::Immediate(_) => ty.class(),
            };
            if class == RegClass::Predicate {
                return None;
            }
            slots.push((class, self.source(class, *operand)));
        }
        Some(Box::new(Access {
            ty: Format::of(ty),
            space,
            address,
            slots: slots.into(),
            waits: false,
        }))
    }

    fn atomic(
        &mut self,
        (op, ty, space): (AtomicOp, Type, Space),
        dst: Option<Reg>,
        address: Address,
        (value, compare): (Operand, Option<Operand>),
    ) -> Option<Step> {
        let class = ty.class();
        let fits = |operand: Operand| operand.register().is_none_or(|reg| reg.class() == class);
        let all = fits(value) && compare.is_none_or(fits) && dst.is_none_or(|d| d.class() == class);
        let address = self.at(address);
        if ty.bits() < 32 || !all {
            return None;
        }
        let value = self.source(class, value);
        let compare = compare.map(|operand| self.source(class, operand));
        let dst = dst.map(slot);
        Some(Step::Atomic(Box::new(Atomic { op, ty, space, address, value, compare, dst })))
    }

    /// What an address counts from, variables resolved.
    fn at(&self, address: Address) -> At {
        let offset = address.offset as u64;
        match address.base {
            Base::Window => At::Window(offset),
            Base::Register(reg) => At::Pointer(Pointer { base: slot(reg), offset }),
            Base::Register32(reg) => At::Pointer32(Pointer { base: slot(reg), offset }),
            Base::Symbol(id) => {
                let start = self.symbols.get(id.index()).copied().unwrap_or(0);
                At::Window(start.wrapping_add(offset))
            }
            Base::Frame => At::Frame(offset),
        }
    }
}

/// Whether results need nothing but flushing; none where a modifier asks for more.
fn plain(mode: FloatMode) -> Option<bool> {
    let more = mode.rounding != Rounding::NearestEven || mode.saturate || mode.relu;
    (!more).then_some(mode.flush_subnormals)
}

const fn truth(operand: Operand) -> Truth {
    match operand {
        Operand::Register(reg) => Truth::Register(slot(reg)),
        Operand::Immediate(bits) => Truth::Known(bits != 0),
    }
}

const fn logic(op: IntegerBinary) -> Option<Logic> {
    match op {
        IntegerBinary::And => Some(Logic::And),
        IntegerBinary::Or => Some(Logic::Or),
        IntegerBinary::Xor => Some(Logic::Xor),
        _ => None,
    }
}

const fn binary32(op: IntegerBinary, signed: bool) -> Option<Binary32> {
    use IntegerBinary as I;
    Some(match (op, signed) {
        (I::Add, _) => Binary32::Add,
        (I::Sub, _) => Binary32::Sub,
        (I::MulLo, _) => Binary32::MulLo,
        (I::MulHi, true) => Binary32::MulHiS,
        (I::MulHi, false) => Binary32::MulHiU,
        (I::Div, true) => Binary32::DivS,
        (I::Div, false) => Binary32::DivU,
        (I::Rem, true) => Binary32::RemS,
        (I::Rem, false) => Binary32::RemU,
        (I::Min, true) => Binary32::MinS,
        (I::Min, false) => Binary32::MinU,
        (I::Max, true) => Binary32::MaxS,
        (I::Max, false) => Binary32::MaxU,
        (I::And, _) => Binary32::And,
        (I::Or, _) => Binary32::Or,
        (I::Xor, _) => Binary32::Xor,
        (I::Shl, _) => Binary32::Shl,
        (I::Shr, true) => Binary32::ShrS,
        (I::Shr, false) => Binary32::ShrU,
        _ => return None,
    })
}

const fn binary64(op: IntegerBinary, signed: bool) -> Option<Binary64> {
    use IntegerBinary as I;
    Some(match (op, signed) {
        (I::Add, _) => Binary64::Add,
        (I::Sub, _) => Binary64::Sub,
        (I::MulLo, _) => Binary64::MulLo,
        (I::MulHi, true) => Binary64::MulHiS,
        (I::MulHi, false) => Binary64::MulHiU,
        (I::Div, true) => Binary64::DivS,
        (I::Div, false) => Binary64::DivU,
        (I::Rem, true) => Binary64::RemS,
        (I::Rem, false) => Binary64::RemU,
        (I::Min, true) => Binary64::MinS,
        (I::Min, false) => Binary64::MinU,
        (I::Max, true) => Binary64::MaxS,
        (I::Max, false) => Binary64::MaxU,
        (I::And, _) => Binary64::And,
        (I::Or, _) => Binary64::Or,
        (I::Xor, _) => Binary64::Xor,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The detours of a kernel's blocks: their first line, their second, and where they meet.
    fn detours(body: &str) -> Vec<(u32, Option<u32>, u32)> {
        let ptx = format!(
            ".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry k(.param .u64 out)\n{{\n\
             .reg .pred %p<3>; .reg .b32 %r<8>; .reg .b64 %rd<3>;\n\
             ld.param.u64 %rd1, [out]; mov.u32 %r1, %tid.x; setp.gt.u32 %p1, %r1, 7;\n\
             {body}\nst.global.u32 [%rd1], %r2; ret;\n}}"
        );
        let module = mock_ptx::compile(&ptx).expect("compiles");
        let code = lower(&module.kernels[0], &[]);
        let found = code.blocks.iter().filter_map(|line| line.detour);
        found.map(|d| (d.body.0, d.other.map(|other| other.0), d.meets.0)).collect()
    }

    #[test]
    fn short_lines_with_an_else_or_without_are_detours() {
        let alone = "mov.u32 %r2, 1; @%p1 bra END; add.u32 %r2, %r1, %r1; END:";
        assert_eq!(detours(alone), [(1, None, 2)]);
        let both =
            "@%p1 bra ELSE; add.u32 %r2, %r1, %r1; bra END; ELSE: mul.lo.u32 %r2, %r1, 9; END:";
        assert_eq!(detours(both), [(1, Some(2), 3)]);
        let meets_nowhere =
            "mov.u32 %r2, 1; @%p1 bra END; bar.warp.sync -1; add.u32 %r2, %r1, 5; END:";
        assert_eq!(detours(meets_nowhere), [], "somebody may wait there");
    }
}
