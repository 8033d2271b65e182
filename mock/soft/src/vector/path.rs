//! Where lanes stand that stand together.
//!
//! ```text
//!             ┌── its turn ──▶ running ── branch both ways ──▶ two paths
//!   Ready ────┤                  │  └──── all lanes ended ───▶ gone
//!     ▲       └── same place ──▶ joined
//!     │                          ▼
//!     └──── all have come ── Waiting (for lanes of its warps, or at a barrier)
//! ```

use mock_ptx::ir::BlockId;

use super::mask::Mask;

/// A set of lanes at one place of the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// The block of code.
    pub block: u32,
    /// The next step in it.
    pub place: u32,
    /// Who.
    pub mask: Mask,
    /// Calls that are open, the innermost last.
    pub stack: Vec<Frame>,
    /// Where the frame begins in local memory.
    pub frame: u64,
    /// Whether it can run.
    pub state: State,
    /// When it last ran, in turns.
    pub stamp: u64,
}

/// A call that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// Where to go on.
    pub then: BlockId,
    /// The caller's frame.
    pub frame: u64,
}

/// Whether a path can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It can.
    Ready,
    /// At an operation of a warp, for lanes that have not come.
    Members,
    /// At a barrier of the block.
    Barrier(u32),
}

impl Path {
    /// At the kernel's first instruction.
    #[must_use]
    pub const fn entry(mask: Mask) -> Self {
        Self {
            block: 0,
            place: 0,
            mask,
            stack: Vec::new(),
            frame: 0,
            state: State::Ready,
            stamp: 0,
        }
    }

    /// The same place with other lanes.
    #[must_use]
    pub fn with(&self, mask: Mask) -> Self {
        Self { mask, ..self.clone() }
    }

    /// Who goes first: deeper calls, then earlier code.
    #[must_use]
    pub fn order(&self) -> (std::cmp::Reverse<usize>, u32, u32) {
        (std::cmp::Reverse(self.stack.len()), self.block, self.place)
    }

    /// Whether two paths stand at the same place of the same calls.
    #[must_use]
    pub fn meets(&self, other: &Self) -> bool {
        (self.block, self.place, self.frame) == (other.block, other.place, other.frame)
            && self.stack == other.stack
    }
}
