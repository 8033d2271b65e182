//! Instructions, the straight lines they form, and how those end.

use super::{FunctionId, Op, Operand, Reg};

/// A block's number within its kernel; its place in [`super::Kernel::blocks`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlockId(pub u32);

impl BlockId {
    /// As an index.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A condition: a predicate register, or its contrary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Guard {
    /// The register, of class `Predicate`.
    pub predicate: Reg,
    /// True where the condition holds when the register is 0.
    pub negated: bool,
}

/// One operation, where it stands in the text, and when it is done.
#[derive(Debug, Clone, PartialEq)]
pub struct Instruction {
    /// Lanes for which this is false do nothing, write nothing and take no part.
    pub guard: Option<Guard>,
    /// What is done.
    pub op: Op,
    /// Line in the PTX text, from 1. Several operations may come from one line.
    pub line: u32,
}

/// A straight line: entered at its start, left at its end.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// In order.
    pub instructions: Vec<Instruction>,
    /// How it ends.
    pub terminator: Terminator,
    /// The PTX line of the terminator.
    pub terminator_line: u32,
    /// Where all paths from here meet again within the same function (its immediate post-dominator);
    /// none where they only meet at the end.
    pub reconvergence: Option<BlockId>,
}

/// How a block ends.
#[derive(Debug, Clone, PartialEq)]
pub enum Terminator {
    /// Go on there.
    Jump(BlockId),
    /// One way or the other.
    Branch {
        /// Asked per lane.
        condition: Guard,
        /// Where lanes go for which it holds.
        taken: BlockId,
        /// Where the others go.
        otherwise: BlockId,
        /// The compiler promised that all active lanes agree (`bra.uni`); a hint, it may be wrong.
        uniform: bool,
    },
    /// `brx.idx`: by number. An index past the end is a fault.
    Switch {
        /// A 32-bit register.
        index: Operand,
        /// By index.
        targets: Box<[BlockId]>,
    },
    /// A call of a known function; see the module page.
    Call {
        /// Always present in [`super::Kernel::functions`].
        callee: FunctionId,
        /// What to add to the frame pointer: the caller's frame.
        frame_bytes: u32,
        /// Where the lane goes on after the callee's [`Terminator::Return`].
        then: BlockId,
    },
    /// A call through a function's address; a fault where no function of
    /// [`super::Kernel::functions`] has that address ([`super::Kernel::function_at`]).
    CallIndirect {
        /// 64 bits.
        address: Operand,
        /// What to add to the frame pointer: the caller's frame.
        frame_bytes: u32,
        /// Where the lane goes on after the callee's [`Terminator::Return`].
        then: BlockId,
    },
    /// The end of a called function.
    Return,
    /// The end of the lane.
    Exit,
    /// The end of the launch: a fault.
    Trap(TrapKind),
}

/// Why a program stops itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TrapKind {
    /// `trap`.
    Trap,
    /// `brkpt`, and no debugger is there.
    Breakpoint,
    /// A place that the compiler said is never reached: code that runs off a function's end.
    FellOff,
}

impl Terminator {
    /// The blocks this may go on at, calls by their return.
    pub fn for_each_successor(&self, mut visit: impl FnMut(BlockId)) {
        match self {
            Self::Jump(to) => visit(*to),
            Self::Branch { taken, otherwise, .. } => {
                visit(*taken);
                visit(*otherwise);
            }
            Self::Switch { targets, .. } => targets.iter().copied().for_each(visit),
            Self::Call { then, .. } | Self::CallIndirect { then, .. } => visit(*then),
            Self::Return | Self::Exit | Self::Trap(_) => {}
        }
    }
}
