//! One flow graph in the making: a kernel with what is inlined into it, or a function that is called.
//!
//! Registers are numbered per class without end, places in the frame are a variable and an offset
//! within it; `flow` turns both into what engines see.

use crate::PtxError;
use crate::ir::{Block, BlockId, Reg, RegClass, RegisterCounts, Terminator};
use crate::limits::{ARGUMENT_ALIGN, FRAME_BYTES_MAX};

/// A variable of the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameSlot {
    pub(crate) bytes: u32,
    pub(crate) align: u32,
}

/// A flow graph whose registers and frame are not allocated yet.
#[derive(Debug)]
pub(crate) struct Unit {
    /// Block 0 is the entry. In the order in which labels were seen, not of the text.
    pub(crate) blocks: Vec<Block>,
    /// Where each block stands in the text.
    pub(crate) positions: Vec<u32>,
    /// Registers used so far.
    pub(crate) counts: RegisterCounts,
    /// Variables of the frame; the first two are [`Unit::INCOMING`] and [`Unit::OUTGOING`].
    pub(crate) frame: Vec<FrameSlot>,
    /// The carry of `add.cc` and its like, once it is used.
    pub(crate) carry: Option<Reg>,
    /// It is a kernel's, not that of a called function.
    pub(crate) is_kernel: bool,
    positions_given: u32,
}

impl Unit {
    /// The frame variable that stands for the unit's own arguments and results.
    pub(crate) const INCOMING: u32 = 0;
    /// The frame variable that stands for what lies behind the frame: those of functions it calls.
    pub(crate) const OUTGOING: u32 = 1;

    /// Of a kernel, or of a called function whose arguments and results take so many bytes.
    pub(crate) fn new(is_kernel: bool, incoming_bytes: u32) -> Self {
        let arguments = |bytes| FrameSlot { bytes, align: ARGUMENT_ALIGN };
        let mut unit = Self {
            blocks: Vec::new(),
            positions: Vec::new(),
            counts: RegisterCounts::default(),
            frame: vec![arguments(incoming_bytes), arguments(0)],
            carry: None,
            is_kernel,
            positions_given: 0,
        };
        let entry = unit.block();
        unit.place(entry);
        unit
    }

    /// A new, empty block.
    pub(crate) fn block(&mut self) -> BlockId {
        let id = BlockId(u32::try_from(self.blocks.len()).unwrap_or(u32::MAX));
        self.blocks.push(Block {
            instructions: Vec::new(),
            terminator: Terminator::Exit,
            terminator_line: 0,
            reconvergence: None,
        });
        self.positions.push(u32::MAX);
        id
    }

    /// Says that this block's text comes next.
    pub(crate) fn place(&mut self, block: BlockId) {
        if let Some(position) = self.positions.get_mut(block.index()) {
            *position = self.positions_given;
            self.positions_given += 1;
        }
    }

    /// A new register.
    pub(crate) fn register(&mut self, class: RegClass) -> Reg {
        let next = self.counts.of_mut(class);
        let reg = Reg::new(class, *next);
        *next += 1;
        reg
    }

    /// A new variable of the frame.
    pub(crate) fn frame_variable(
        &mut self,
        bytes: u64,
        align: u32,
        line: u32,
    ) -> Result<u32, PtxError> {
        // what is promoted to registers does not count in the end; `flow` looks at the sum
        let bytes = u32::try_from(bytes)
            .ok()
            .filter(|bytes| u64::from(*bytes) <= FRAME_BYTES_MAX)
            .ok_or_else(|| {
                let reason = format!("more than {FRAME_BYTES_MAX} bytes of local memory");
                PtxError::too_large(line, reason)
            })?;
        self.frame.push(FrameSlot { bytes, align });
        Ok(u32::try_from(self.frame.len() - 1).unwrap_or(u32::MAX))
    }

    /// What a variable of the frame is aligned to.
    pub(crate) fn frame_align(&self, variable: u32) -> u32 {
        self.frame.get(variable as usize).map_or(1, |slot| slot.align)
    }
}

/// `offset` moved up to a multiple of `align`, a power of two.
pub(crate) const fn align_up(offset: u64, align: u32) -> u64 {
    let align = align as u64;
    offset.div_ceil(align) * align
}

/// Offsets in the frame before it is laid out: the variable above, bytes past its start below.
pub(crate) mod frame_offset {
    /// Offsets within a variable lie within ± this.
    const HALF: i64 = 1 << 31;

    /// The place `offset` bytes past the start of a variable; none where it lies too far off.
    pub(crate) fn encode(variable: u32, offset: i64) -> Option<i64> {
        (-HALF..HALF).contains(&offset).then_some((i64::from(variable) << 32) + offset)
    }

    /// The variable, and bytes past its start.
    pub(crate) fn decode(encoded: i64) -> (u32, i64) {
        let variable = (encoded + HALF) >> 32;
        (u32::try_from(variable).unwrap_or(0), encoded - (variable << 32))
    }
}

#[cfg(test)]
mod tests {
    use super::frame_offset::{decode, encode};

    #[test]
    fn places_in_the_frame_survive_encoding() {
        for (variable, offset) in [(0, 0), (1, -8), (2, 1 << 20), (70_000, -(1 << 31))] {
            assert_eq!(decode(encode(variable, offset).unwrap()), (variable, offset));
        }
        assert_eq!(encode(3, 1 << 31), None);
    }
}
