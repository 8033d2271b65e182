//! Memory: where, in what order, and what atomics do.

use super::{GlobalId, Operand, Reg};

/// State spaces as operations name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Space {
    /// Any of the others, told by the address itself.
    Generic,
    /// The device's memory.
    Global,
    /// Constant memory: reads only.
    Constant,
    /// The block's shared window.
    Shared,
    /// The lane's own memory.
    Local,
    /// The kernel's parameter block: reads only.
    Parameter,
}

/// What an address counts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Base {
    /// The start of the space's window.
    Window,
    /// A 64-bit register.
    Register(Reg),
    /// A 32-bit register, in shared, local and parameter windows: base plus offset wraps at 32 bits,
    /// and is then extended with zeros.
    Register32(Reg),
    /// A variable of module scope.
    Symbol(GlobalId),
    /// The lane's frame pointer (local space).
    Frame,
}

/// Base plus offset, in bytes; the sum wraps at 64 bits, of a [`Base::Register32`] at 32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Address {
    /// What it counts from.
    pub base: Base,
    /// Bytes past it.
    pub offset: i64,
}

/// Memory order of one access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ordering {
    /// No order promised; `.weak` and plain accesses.
    Weak,
    /// `.volatile`, `.relaxed`, `.mmio`: single-copy, may not be cached or merged.
    Relaxed,
    /// `.acquire`.
    Acquire,
    /// `.release`.
    Release,
    /// `.acq_rel`.
    AcquireRelease,
    /// `fence.sc`.
    SequentiallyConsistent,
}

/// Among whom an order holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FenceScope {
    /// The block (`.cta`; `.cluster` too, a cluster here is one block).
    Block,
    /// The device (`.gpu`).
    Device,
    /// Everything (`.sys`).
    System,
}

/// Order and scope of one access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Coherence {
    /// Its order.
    pub ordering: Ordering,
    /// Among whom.
    pub scope: FenceScope,
}

impl Coherence {
    /// A plain access.
    pub const WEAK: Self = Self { ordering: Ordering::Weak, scope: FenceScope::Block };
}

/// What an atomic does to memory; the old value is its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AtomicOp {
    /// U32, S32, U64, S64 wrapping; F16, F16x2, Bf16, Bf16x2, F32 (subnormals of f32 in global memory kept; NUM says), F64.
    Add,
    /// U32, S32, U64, S64; F16 and Bf16 types.
    Min,
    /// U32, S32, U64, S64; F16 and Bf16 types.
    Max,
    /// B32, B64.
    And,
    /// B32, B64.
    Or,
    /// B32, B64.
    Xor,
    /// U32: `old >= value ? 0 : old + 1`.
    Increment,
    /// U32: `old == 0 || old > value ? value : old - 1`.
    Decrement,
    /// B32, B64.
    Exchange,
    /// B16, B32, B64: the value where memory equals `compare`.
    CompareAndSwap,
}

/// `cp.async`: global to shared memory, done by the next wait at the latest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AsyncCopy {
    /// In shared memory.
    pub to: Address,
    /// In global memory.
    pub from: Address,
    /// 4, 8 or 16.
    pub bytes: u32,
    /// 32 bits: how many are read, the rest are zeros; all where absent.
    pub source_bytes: Option<Operand>,
    /// All zeros where this predicate holds.
    pub ignore_source: Option<super::Guard>,
}

/// Operations on a 64-bit barrier object in shared memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MbarrierOp {
    /// Starts it with `count` (32 bits) expected arrivals.
    Init {
        /// Expected arrivals per phase.
        count: Operand,
    },
    /// Ends its life.
    Invalidate,
    /// Arrives `count` times (1 where absent); the old state goes to `state`.
    Arrive {
        /// 64 bits; absent for `_`.
        state: Option<Reg>,
        /// 32 bits.
        count: Option<Operand>,
        /// Arrives and lowers what later phases expect.
        drop: bool,
        /// Do not complete the phase (`.noComplete`).
        no_complete: bool,
    },
    /// Whether the phase of `state` is over.
    TestState {
        /// A predicate.
        done: Reg,
        /// 64 bits.
        state: Operand,
    },
    /// Whether the phase of this parity is over.
    TestParity {
        /// A predicate.
        done: Reg,
        /// 32 bits, 0 or 1.
        parity: Operand,
    },
    /// An arrival when all earlier `cp.async` of the lane are done.
    AsyncArrive {
        /// Does not raise the pending count first (`.noinc`).
        no_increment: bool,
    },
}
