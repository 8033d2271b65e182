//! A kernel in the vector engine's own form: one step for each instruction of the IR, operands as slots.

use mock_ptx::ir::{
    AtomicOp, BlockId, BooleanOp, Comparison, Guard, Intrinsic, Kernel, Op, RegClass, Space,
    SpecialRegister, Type,
};

use super::file::{SlotId, Spare};
use super::live::Live;
use crate::eval::atomic;
use crate::kernels::{
    Binary32, Binary64, Narrow, Numbers, Shift64, Ternary32, Ternary64, Unary32, Unary64, Wide,
    Widen, Widen16,
};

/// A kernel, lowered for the vector engine.
#[derive(Debug)]
pub struct Code {
    /// Straight lines; blocks and instructions have the same places as in the kernel.
    pub blocks: Vec<Line>,
    /// Which registers are still wanted where.
    pub live: Live,
    /// Immediates of 16-bit operands, in slots behind the registers.
    pub constants16: Vec<u16>,
    /// Of 32-bit operands.
    pub constants32: Vec<u32>,
    /// Of 64-bit operands.
    pub constants64: Vec<u64>,
    /// Registers of units that have ended.
    pub spare: Spare,
    /// Whether any step is ordered.
    pub ordered: bool,
    /// Whether lanes of several blocks may run side by side in one unit.
    pub joinable: bool,
}

/// A straight line of steps.
#[derive(Debug)]
pub struct Line {
    /// In order.
    pub steps: Vec<Guarded>,
    /// Whether its end is a branch around short lines.
    pub detour: Option<Detour>,
}

/// Short lines that the lanes of a branch run before they meet again: `if`, with an `else` or without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Detour {
    /// Which lanes take the first line.
    pub condition: Guard,
    /// It.
    pub body: BlockId,
    /// The line that the others take behind it, if there is one.
    pub other: Option<BlockId>,
    /// Where all meet.
    pub meets: BlockId,
}

/// A step and its condition.
#[derive(Debug)]
pub struct Guarded {
    /// Lanes for which it is false do nothing.
    pub guard: Option<Guard>,
    /// What is done.
    pub step: Step,
    /// Whether the order of blocks can be seen in what it leaves: it waits for its block's turn.
    pub ordered: bool,
}

/// A predicate register's number.
pub type PredicateId = u32;

/// A predicate joined to a comparison's answer.
pub type Combine = Option<(BooleanOp, Guard)>;

/// An address of 64 bits: a slot, and bytes past what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pointer {
    /// Of the 64-bit file.
    pub base: SlotId,
    /// Added, modulo 2⁶⁴.
    pub offset: u64,
}

/// One operation.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    missing_docs,
    reason = "`d` is the result, `a b c` the sources, as everywhere in this engine"
)]
pub enum Step {
    Unary32 {
        op: Unary32,
        d: SlotId,
        a: SlotId,
    },
    Unary64 {
        op: Unary64,
        d: SlotId,
        a: SlotId,
    },
    Copy16 {
        d: SlotId,
        a: SlotId,
    },
    Widen {
        op: Widen,
        d: SlotId,
        a: SlotId,
    },
    Narrow {
        op: Narrow,
        d: SlotId,
        a: SlotId,
    },
    Widen16 {
        op: Widen16,
        d: SlotId,
        a: SlotId,
    },
    Narrow16 {
        d: SlotId,
        a: SlotId,
    },
    Binary32 {
        op: Binary32,
        d: SlotId,
        a: SlotId,
        b: SlotId,
    },
    Binary64 {
        op: Binary64,
        d: SlotId,
        a: SlotId,
        b: SlotId,
    },
    Shift64 {
        op: Shift64,
        d: SlotId,
        a: SlotId,
        b: SlotId,
    },
    Wide {
        op: Wide,
        d: SlotId,
        a: SlotId,
        b: SlotId,
    },
    Ternary32 {
        op: Ternary32,
        d: SlotId,
        a: SlotId,
        b: SlotId,
        c: SlotId,
    },
    Ternary64 {
        op: Ternary64,
        d: SlotId,
        a: SlotId,
        b: SlotId,
        c: SlotId,
    },
    MadWide {
        signed: bool,
        d: SlotId,
        a: SlotId,
        b: SlotId,
        c: SlotId,
    },
    /// The two halves of 64 bits.
    Split {
        low: SlotId,
        high: SlotId,
        a: SlotId,
    },
    Compare(Box<Compare>),
    Choose16 {
        d: SlotId,
        a: SlotId,
        b: SlotId,
        condition: Guard,
    },
    Choose32 {
        d: SlotId,
        a: SlotId,
        b: SlotId,
        condition: Guard,
    },
    Choose64 {
        d: SlotId,
        a: SlotId,
        b: SlotId,
        condition: Guard,
    },
    /// Predicate logic.
    Logic {
        op: Logic,
        d: PredicateId,
        a: Truth,
        b: Truth,
    },
    Special {
        d: SlotId,
        class: RegClass,
        register: SpecialRegister,
    },
    /// A place in the frame, in local space.
    Frame {
        d: SlotId,
        offset: u64,
    },
    Load(Box<Access>),
    Store(Box<Access>),
    Atomic(Box<Atomic>),
    /// Lanes of a warp together.
    Together,
    /// A barrier of the block.
    Barrier,
    /// What the device's library does.
    Library,
    /// Nothing: copies are done when issued, and a block's lanes see each other's writes at once.
    Nothing,
    /// Lane by lane, as the reference engine does it.
    Single,
}

/// `setp` of numbers.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "as in the IR")]
pub struct Compare {
    pub comparison: Comparison,
    pub numbers: Numbers,
    pub class: RegClass,
    pub dst: Option<PredicateId>,
    pub complement: Option<PredicateId>,
    pub a: SlotId,
    pub b: SlotId,
    pub combine: Combine,
}

/// A predicate operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// A register.
    Register(PredicateId),
    /// Known.
    Known(bool),
}

/// Operations on predicates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Logic {
    Copy,
    Not,
    And,
    Or,
    Xor,
}

/// What of a type a load or a store must know, every time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    bits: u32,
    signed: bool,
}

impl Format {
    /// Of a type.
    #[must_use]
    pub fn of(ty: Type) -> Self {
        Self { bits: ty.bits(), signed: ty.is_signed() }
    }

    /// Of a value in memory.
    #[inline]
    #[must_use]
    pub const fn bytes(self) -> u32 {
        self.bits.div_ceil(8)
    }

    /// Of a value.
    #[inline]
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.bits
    }

    /// Whether a wider register repeats its top bit.
    #[inline]
    #[must_use]
    pub const fn is_signed(self) -> bool {
        self.signed
    }
}

/// A load or a store of one value or several.
#[derive(Debug, Clone, PartialEq)]
pub struct Access {
    /// Of each value in memory.
    pub ty: Format,
    /// Where.
    pub space: Space,
    /// What the address counts from.
    pub address: At,
    /// The registers, in order of address; constants where stored.
    pub slots: Box<[(RegClass, SlotId)]>,
    /// Whether a load may be left to the one step that reads it.
    pub waits: bool,
}

/// An atomic on 32 or 64 bits.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "as in the IR")]
pub struct Atomic {
    pub op: AtomicOp,
    pub ty: Type,
    pub space: Space,
    pub address: At,
    pub value: SlotId,
    pub compare: Option<SlotId>,
    pub dst: Option<SlotId>,
}

/// An address, by what it counts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// The start of the space.
    Window(u64),
    /// A 64-bit register.
    Pointer(Pointer),
    /// A 32-bit register, zero-extended.
    Pointer32(Pointer),
    /// The frame.
    Frame(u64),
}

/// Whether what an operation leaves depends on which block comes first; `unread` says that nobody reads its result.
#[must_use]
pub fn is_ordered(op: &Op, unread: bool) -> bool {
    match op {
        Op::Atomic { op, ty, dst, space, .. } => {
            let asks = dst.is_some() && !unread;
            *space != Space::Shared && (asks || !atomic::commutes(*op, *ty))
        }
        Op::Intrinsic(intrinsic) => {
            matches!(**intrinsic, Intrinsic::Allocate { .. } | Intrinsic::Free { .. })
        }
        _ => false,
    }
}

/// Whether lanes of several blocks may run side by side in one unit: of what belongs to one block, only its shared memory and its
/// barriers are used, which a unit keeps for each. (Whether order can be seen is asked of the steps.)
#[must_use]
pub fn is_joinable(kernel: &Kernel) -> bool {
    let of_block = |op: &Op| {
        matches!(
            op,
            Op::Mbarrier { .. }
                | Op::Intrinsic(_)
                | Op::Shuffle { members: None, .. }
                | Op::Vote { members: None, .. }
                | Op::ReadSpecial { register: SpecialRegister::Environment(_), .. }
        )
    };
    let mut instructions = kernel.blocks.iter().flat_map(|block| &block.instructions);
    kernel.functions.is_empty() && !instructions.any(|instruction| of_block(&instruction.op))
}
