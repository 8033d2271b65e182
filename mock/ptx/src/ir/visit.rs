//! Which registers an operation reads and writes.

use super::{
    Address, Base, Guard, Instruction, Intrinsic, MatrixMultiply, MbarrierOp, Op, Operand, Reg,
    ScalarVideo, SecondOp, Terminator, WmmaFragment,
};

/// What an operation does with a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Its value matters.
    Read,
    /// It gets a new value.
    Write,
}

/// Something that looks at registers, and may change them.
pub trait Visit {
    /// A register.
    fn register(&mut self, reg: &mut Reg, role: Role);

    /// A source; where it is a register, it is read.
    fn source(&mut self, operand: &mut Operand) {
        if let Operand::Register(reg) = operand {
            self.register(reg, Role::Read);
        }
    }
}

/// A closure that looks at registers.
struct Each<F>(F);

impl<F: FnMut(&mut Reg, Role)> Visit for Each<F> {
    fn register(&mut self, reg: &mut Reg, role: Role) {
        (self.0)(reg, role);
    }
}

/// Calls `$visit(register, role)` for every register of the places listed.
macro_rules! each {
    ($visit:expr; $($role:ident $place:expr),* $(,)?) => {{ $( $place.each(Role::$role, $visit); )* }};
}

impl Instruction {
    /// Every register of the instruction, reads before writes. A guarded instruction keeps the
    /// old value where its guard is false; liveness must take its writes for reads as well.
    pub fn for_each_register(&mut self, each: impl FnMut(&mut Reg, Role)) {
        self.visit(&mut Each(each));
    }

    /// The same for any visitor.
    pub fn visit(&mut self, visit: &mut impl Visit) {
        each!(visit; Read self.guard);
        self.op.visit(visit);
    }
}

impl Terminator {
    /// Every register of the terminator; all are read.
    pub fn for_each_register(&mut self, each: impl FnMut(&mut Reg, Role)) {
        self.visit(&mut Each(each));
    }

    /// The same for any visitor.
    pub fn visit(&mut self, visit: &mut impl Visit) {
        match self {
            Self::Branch { condition, .. } => each!(visit; Read condition),
            Self::Switch { index, .. } => each!(visit; Read index),
            Self::CallIndirect { address, .. } => each!(visit; Read address),
            Self::Jump(_) | Self::Call { .. } | Self::Return | Self::Exit | Self::Trap(_) => {}
        }
    }
}

impl Op {
    /// Every register of the operation, reads before writes.
    pub fn visit(&mut self, visit: &mut impl Visit) {
        match self {
            Self::Move { dst, src } => each!(visit; Read src, Write dst),
            Self::ReadSpecial { dst, .. }
            | Self::SymbolAddress { dst, .. }
            | Self::FrameAddress { dst, .. }
            | Self::ActiveMask { dst } => each!(visit; Write dst),
            Self::Pack { dst, parts, .. } => each!(visit; Read parts, Write dst),
            Self::Unpack { parts, src, .. } => each!(visit; Read src, Write parts),
            Self::Select { dst, a, b, condition } => {
                each!(visit; Read a, Read b, Read condition, Write dst);
            }
            Self::SelectBySign { dst, a, b, c, .. }
            | Self::IntegerTernary { dst, a, b, c, .. }
            | Self::FloatTernary { dst, a, b, c, .. } => {
                each!(visit; Read a, Read b, Read c, Write dst);
            }
            Self::IntegerUnary { dst, a, .. }
            | Self::FloatUnary { dst, a, .. }
            | Self::TestFloat { dst, a, .. } => each!(visit; Read a, Write dst),
            Self::IntegerBinary { dst, a, b, .. } | Self::FloatBinary { dst, a, b, .. } => {
                each!(visit; Read a, Read b, Write dst);
            }
            Self::BitFieldInsert { dst, field, base, position, length, .. } => {
                each!(visit; Read field, Read base, Read position, Read length, Write dst);
            }
            Self::Carry { dst, a, b, c, carry_in, carry_out, .. } => {
                each!(visit; Read a, Read b, Read c, Read carry_in, Write dst, Write carry_out);
            }
            Self::ScalarVideo(video) => scalar_video(video, visit),
            Self::VideoMultiply(video) => {
                each!(visit; Read video.a.value, Read video.b.value, Read video.c, Write video.dst);
            }
            Self::SimdVideo(video) => {
                each!(visit; Read video.a, Read video.b, Read video.c, Write video.dst);
            }
            Self::Convert { dst, src, .. }
            | Self::ConvertAddress { dst, src, .. }
            | Self::IsSpace { dst, src, .. }
            | Self::MatrixTranspose { dst, src } => each!(visit; Read src, Write dst),
            Self::ConvertPacked { dst, a, b, c, .. } => {
                each!(visit; Read a, Read b, Read c, Write dst);
            }
            Self::Compare { dst, complement, a, b, combine, .. } => {
                each!(visit; Read a, Read b, Read combine, Write dst, Write complement);
            }
            Self::ComparePacked { low, high, a, b, combine, .. } => {
                each!(visit; Read a, Read b, Read combine, Write low, Write high);
            }
            Self::Set { dst, a, b, combine, .. } => {
                each!(visit; Read a, Read b, Read combine, Write dst);
            }
            Self::Load { dst, address, .. } => each!(visit; Read address, Write dst),
            Self::LoadVector { dsts, address, .. } => each!(visit; Read address, Write dsts),
            Self::Store { src, address, .. } => each!(visit; Read src, Read address),
            Self::StoreVector { srcs, address, .. } => each!(visit; Read srcs, Read address),
            Self::Atomic { dst, address, value, compare, .. } => {
                each!(visit; Read address, Read value, Read compare, Write dst);
            }
            Self::AsyncCopy(copy) => {
                each!(visit; Read copy.to, Read copy.from, Read copy.source_bytes, Read copy.ignore_source);
            }
            Self::Mbarrier { op, address, .. } => {
                each!(visit; Read address);
                mbarrier(op, visit);
            }
            Self::MbarrierPendingCount { dst, state } => each!(visit; Read state, Write dst),
            Self::Shuffle { dst, in_range, src, lane, clamp, members, .. } => {
                each!(visit; Read src, Read lane, Read clamp, Read members, Write dst, Write in_range);
            }
            Self::Vote { dst, predicate, members, .. } => {
                each!(visit; Read predicate, Read members, Write dst);
            }
            Self::Match { dst, all_equal, src, members, .. } => {
                each!(visit; Read src, Read members, Write dst, Write all_equal);
            }
            Self::Reduce { dst, src, members, .. } => {
                each!(visit; Read src, Read members, Write dst);
            }
            Self::Elect { leader, elected, members } => {
                each!(visit; Read members, Write leader, Write elected);
            }
            Self::WarpBarrier { members } => each!(visit; Read members),
            Self::Barrier { id, threads, dst, predicate, .. } => {
                each!(visit; Read id, Read threads, Read predicate, Write dst);
            }
            Self::MatrixMove(part) => {
                each!(visit; Read part.address);
                let role = if part.store { Role::Read } else { Role::Write };
                part.registers.each(role, visit);
            }
            Self::MatrixMultiply(multiply) | Self::WmmaMultiply(multiply) => {
                matrix_multiply(multiply, visit);
            }
            Self::WmmaAccess(access) => {
                each!(visit; Read access.address, Read access.stride);
                let store = access.fragment == WmmaFragment::D;
                access.registers.each(if store { Role::Read } else { Role::Write }, visit);
            }
            Self::Sleep { nanoseconds } => each!(visit; Read nanoseconds),
            Self::Intrinsic(intrinsic) => intrinsic_registers(intrinsic, visit),
            Self::Fence { .. } | Self::AsyncCommit | Self::AsyncWait { .. } => {}
        }
    }
}

fn scalar_video(video: &mut ScalarVideo, visit: &mut impl Visit) {
    each!(visit; Read video.a.value, Read video.b.value);
    match &mut video.second {
        SecondOp::None => {}
        SecondOp::Add(c) | SecondOp::Min(c) | SecondOp::Max(c) | SecondOp::Merge(_, c) => {
            each!(visit; Read c);
        }
    }
    each!(visit; Write video.dst);
}

fn mbarrier(op: &mut MbarrierOp, visit: &mut impl Visit) {
    match op {
        MbarrierOp::Init { count } => each!(visit; Read count),
        MbarrierOp::Arrive { state, count, .. } => each!(visit; Read count, Write state),
        MbarrierOp::TestState { done, state } => each!(visit; Read state, Write done),
        MbarrierOp::TestParity { done, parity } => each!(visit; Read parity, Write done),
        MbarrierOp::Invalidate | MbarrierOp::AsyncArrive { .. } => {}
    }
}

fn matrix_multiply(multiply: &mut MatrixMultiply, visit: &mut impl Visit) {
    each!(visit; Read multiply.a, Read multiply.b, Read multiply.c);
    if let Some(sparsity) = &mut multiply.sparsity {
        each!(visit; Read sparsity.metadata);
    }
    each!(visit; Write multiply.d);
}

fn intrinsic_registers(intrinsic: &mut Intrinsic, visit: &mut impl Visit) {
    match intrinsic {
        Intrinsic::Print { dst, format, arguments } => {
            each!(visit; Read format, Read arguments, Write dst);
        }
        Intrinsic::AssertFail { message, file, line, function } => {
            each!(visit; Read message, Read file, Read line, Read function);
        }
        Intrinsic::Allocate { dst, bytes } => each!(visit; Read bytes, Write dst),
        Intrinsic::Free { pointer } => each!(visit; Read pointer),
    }
}

/// Something that holds registers.
trait Holds {
    fn each(&mut self, role: Role, visit: &mut impl Visit);
}

impl Holds for Reg {
    fn each(&mut self, role: Role, visit: &mut impl Visit) {
        visit.register(self, role);
    }
}

impl Holds for Operand {
    fn each(&mut self, _: Role, visit: &mut impl Visit) {
        visit.source(self);
    }
}

impl Holds for Guard {
    fn each(&mut self, role: Role, visit: &mut impl Visit) {
        visit.register(&mut self.predicate, role);
    }
}

impl Holds for Address {
    fn each(&mut self, role: Role, visit: &mut impl Visit) {
        if let Base::Register(reg) | Base::Register32(reg) = &mut self.base {
            visit.register(reg, role);
        }
    }
}

impl<T> Holds for (T, Guard) {
    fn each(&mut self, role: Role, visit: &mut impl Visit) {
        self.1.each(role, visit);
    }
}

impl<T: Holds> Holds for Option<T> {
    fn each(&mut self, role: Role, visit: &mut impl Visit) {
        if let Some(inner) = self {
            inner.each(role, visit);
        }
    }
}

impl<T: Holds> Holds for [T] {
    fn each(&mut self, role: Role, visit: &mut impl Visit) {
        for inner in self {
            inner.each(role, visit);
        }
    }
}

impl<T: Holds + ?Sized> Holds for &mut T {
    fn each(&mut self, role: Role, visit: &mut impl Visit) {
        (**self).each(role, visit);
    }
}

impl<T: Holds + ?Sized> Holds for Box<T> {
    fn each(&mut self, role: Role, visit: &mut impl Visit) {
        (**self).each(role, visit);
    }
}
