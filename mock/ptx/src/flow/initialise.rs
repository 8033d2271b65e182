//! Registers that may be read before they are written are zero.

use crate::ir::{Instruction, Op, Operand};
use crate::unit::Unit;

use super::liveness::Liveness;

/// Sets to zero what is live where the unit begins.
pub(super) fn zero_what_is_read_first(unit: &mut Unit, live: &Liveness) {
    let Some(entry) = unit.blocks.first_mut() else { return };
    let line = entry.instructions.first().map_or(entry.terminator_line, |first| first.line);
    let zeros = live.live_in(0).map(|dst| Instruction {
        guard: None,
        op: Op::Move { dst, src: Operand::Immediate(0) },
        line,
    });
    let zeros: Vec<_> = zeros.collect();
    entry.instructions.splice(0..0, zeros);
}
