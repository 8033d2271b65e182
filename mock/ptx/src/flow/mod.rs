//! Flow graphs made ready to run: frame variables become registers, blocks get their order, registers and
//! the frame are allocated.
//!
//! Knows nothing of PTX text; only of operations, which registers they read and write, and where blocks lead.
//!
//! ```text
//!  Unit ─▶ promote ─▶ simplify ─▶ order ─▶ spill around calls ─▶ initialise ─▶ allocate ─▶ frame ─▶ FinishedUnit
//! ```

mod allocate;
mod assemble;
mod bits;
mod dominate;
mod frame;
mod graph;
mod initialise;
mod liveness;
mod loops;
mod order;
mod promote;
mod separate;
mod simplify;
mod spill;

use crate::PtxError;
use crate::ir::{Block, RegisterCounts};
use crate::unit::Unit;

pub(crate) use assemble::assemble;

/// A unit with its registers and frame allocated; block numbers and calls are still its own.
#[derive(Debug)]
pub(crate) struct FinishedUnit {
    blocks: Vec<Block>,
    registers: RegisterCounts,
    /// Where variables of the frame lie.
    frame: frame::FrameLayout,
}

/// Runs all passes over one unit.
pub(crate) fn finish(mut unit: Unit, line: u32) -> Result<FinishedUnit, PtxError> {
    promote::promote(&mut unit);
    simplify::simplify(&mut unit);
    separate::separate(&mut unit);
    order::order(&mut unit);
    if !unit.is_kernel || spill::has_calls(&unit) {
        spill::around_calls(&mut unit, line)?;
    }
    let live = liveness::Liveness::of(&mut unit.blocks, unit.counts, line)?;
    initialise::zero_what_is_read_first(&mut unit, &live);
    let live = liveness::Liveness::of(&mut unit.blocks, unit.counts, line)?;
    let registers = allocate::allocate(&mut unit.blocks, unit.counts, &live);
    simplify::drop_idle_moves(&mut unit.blocks);
    let frame = frame::FrameLayout::of(&mut unit, line)?;
    dominate::name_reconvergence(&mut unit.blocks);
    Ok(FinishedUnit { blocks: unit.blocks, registers, frame })
}
