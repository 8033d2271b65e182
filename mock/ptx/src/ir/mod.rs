//! What an engine executes: kernels as control-flow graphs over typed operations.
//!
//! # The machine
//!
//! A **lane** (one CUDA thread) has registers, a private local memory with a frame pointer, and a
//! call stack. Registers come in four classes by width ([`RegClass`]); a [`Reg`] is a class and an
//! index, already the result of liveness allocation: a kernel's file has [`RegisterCounts`] of each
//! class, and one register serves several PTX registers whose lives do not meet. A register holds
//! bits; the operation says what they mean. All registers that a program may read before it writes
//! are set to zero by instructions of the entry block, so nothing depends on what a file held before.
//!
//! A result may be the same register as a source of its operation. All sources are read before any
//! result is written, by all lanes that act together; only the address of a load of several values
//! is never among its results.
//!
//! # Control flow
//!
//! A [`Kernel`] is a list of [`Block`]s, straight lines that end in one [`Terminator`]. Block 0 is the
//! entry. Blocks are numbered so that in reducible code every edge to a block of equal or lower
//! number closes a loop (a *back edge*, where engines count fuel), loops are contiguous, and running the lowest
//! numbered pending block first reconverges lanes early. [`Block::reconvergence`] names the immediate
//! post-dominator for engines that prefer a stack.
//!
//! # Calls
//!
//! Direct calls that are not recursive are inlined. What remains ([`Terminator::Call`],
//! [`Terminator::CallIndirect`]) keeps one register file: the caller has saved what it still needs
//! into its frame in local memory before the call, and restores it after, with ordinary local stores
//! and loads. A call pushes (return block, frame pointer), adds `frame_bytes` to the frame pointer and goes on
//! at the callee's entry; [`Terminator::Return`] pops. Arguments and results travel in local
//! memory at the callee's frame base, again by ordinary loads and stores.
//!
//! # Addresses
//!
//! [`Address`] is a base plus a signed byte offset. Which number an address is depends on its space:
//! - *global* and *constant* addresses are generic addresses; `cvta` to and from them changes nothing;
//! - *shared* addresses count from the block's shared window, *local* ones from the lane's local window,
//!   *parameter* ones from the kernel's parameter block; the engine chooses where these windows
//!   lie in the generic space, and [`Op::ConvertAddress`] adds or subtracts that.
//!
//! Variables of module scope are [`Global`]s; the engine places them at load and resolves
//! [`Base::Symbol`] and [`Relocation`]s. Shared and local variables are already plain offsets.
//!
//! # Types
//!
//! An operation on [`Type`] `t` reads operands of `t`'s class unless its page says otherwise. An
//! immediate ([`Operand::Immediate`]) holds the bits, already rounded and truncated to the
//! operand's width, zero above. `Type::B*`, `U*`, `S*`, `F*` of the same width share registers.

mod arithmetic;
mod block;
mod check;
mod floating;
mod matrix;
mod memory;
mod module;
mod op;
mod register;
mod special;
mod types;
mod video;
mod visit;
mod warp;

pub use arithmetic::{
    BooleanOp, CarryOp, Comparison, IntegerBinary, IntegerTernary, IntegerUnary, PermuteMode,
    ShiftWrap,
};
pub use block::{Block, BlockId, Guard, Instruction, Terminator, TrapKind};
pub use floating::{
    Conversion, FloatBinary, FloatClass, FloatMode, FloatTernary, FloatUnary, PackedConversion,
    Rounding,
};
pub use matrix::{
    BitProduct, MatrixElement, MatrixLayout, MatrixMove, MatrixMultiply, MatrixShape, Sparsity,
    WmmaAccess, WmmaFragment,
};
pub use memory::{
    Address, AsyncCopy, AtomicOp, Base, Coherence, FenceScope, MbarrierOp, Ordering, Space,
};
pub use module::{
    FunctionEntry, FunctionId, Global, GlobalId, GlobalSpace, Kernel, LaunchBounds, Module,
    Parameter, Relocation, SharedLayout, TargetVersion,
};
pub use op::{Intrinsic, Op};
pub use register::{Operand, Reg, RegClass, RegisterCounts};
pub use special::{Axis, ReservedShared, SpecialRegister};
pub use types::Type;
pub use video::{
    ScalarVideo, SecondOp, SimdVideo, VideoMultiply, VideoOp, VideoOperand, VideoPart,
};
pub use visit::{Role, Visit};
pub use warp::{BarrierKind, BarrierReduction, MatchKind, RedOp, ShuffleKind, VoteKind};
