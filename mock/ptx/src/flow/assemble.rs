//! The units of one kernel become one list of blocks.

use crate::PtxError;
use crate::ir::{Base, Block, BlockId, Op, Operand, RegClass, RegisterCounts, Terminator};
use crate::limits::FRAME_BYTES_MAX;
use crate::unit::align_up;

use super::FinishedUnit;
use super::frame::for_each_address;
use super::graph::redirect;

/// A kernel's blocks, registers and frames.
#[derive(Debug)]
pub(crate) struct Assembled {
    pub(crate) blocks: Vec<Block>,
    pub(crate) registers: RegisterCounts,
    pub(crate) frame_bytes: u32,
    pub(crate) frame_bytes_max: u32,
    /// Entry block and frame of each unit but the first.
    pub(crate) entries: Vec<(BlockId, u32)>,
}

/// Puts units one behind the other; the first is the kernel's own.
pub(crate) fn assemble(units: Vec<FinishedUnit>, line: u32) -> Result<Assembled, PtxError> {
    let align = units.iter().map(|unit| unit.frame.align).max().unwrap_or(1);
    let has_calls = units.len() > 1 || units.iter().any(calls_indirectly);
    let mut assembled = Assembled {
        blocks: Vec::new(),
        registers: RegisterCounts::default(),
        frame_bytes: 0,
        frame_bytes_max: 0,
        entries: Vec::new(),
    };
    for (index, unit) in units.into_iter().enumerate() {
        let frame_bytes = align_up(unit.frame.bytes, align);
        let bytes = u32::try_from(frame_bytes)
            .ok()
            .filter(|bytes| u64::from(*bytes) <= FRAME_BYTES_MAX)
            .ok_or_else(|| {
                let reason = format!(
                    "{frame_bytes} bytes of local memory, at most {FRAME_BYTES_MAX} are taken"
                );
                PtxError::too_large(line, reason)
            })?;
        let first = u32::try_from(assembled.blocks.len()).unwrap_or(u32::MAX);
        if index == 0 {
            assembled.frame_bytes = bytes;
        } else {
            assembled.entries.push((BlockId(first), bytes));
        }
        assembled.frame_bytes_max = assembled.frame_bytes_max.max(bytes);
        for class in RegClass::ALL {
            let most = assembled.registers.of_mut(class);
            *most = (*most).max(unit.registers.of(class));
        }
        let FinishedUnit { mut blocks, frame, .. } = unit;
        for block in &mut blocks {
            for instruction in &mut block.instructions {
                frame.resolve(&mut instruction.op, frame_bytes);
                if !has_calls {
                    without_frame_pointer(&mut instruction.op);
                }
            }
            redirect(&mut block.terminator, |to| BlockId(to.0 + first));
            if let Some(to) = &mut block.reconvergence {
                to.0 += first;
            }
            match &mut block.terminator {
                Terminator::Call { frame_bytes, .. }
                | Terminator::CallIndirect { frame_bytes, .. } => *frame_bytes = bytes,
                _ => {}
            }
        }
        assembled.blocks.extend(blocks);
    }
    Ok(assembled)
}

fn calls_indirectly(unit: &FinishedUnit) -> bool {
    let mut terminators = unit.blocks.iter().map(|block| &block.terminator);
    terminators.any(|terminator| matches!(terminator, Terminator::CallIndirect { .. }))
}

/// Without calls the frame pointer is 0: places in the frame are places in the window.
fn without_frame_pointer(op: &mut Op) {
    if let Op::FrameAddress { dst, offset } = *op {
        let bits = offset.cast_unsigned();
        let kept = if dst.class() == RegClass::B64 { bits } else { bits & u64::from(u32::MAX) };
        *op = Op::Move { dst, src: Operand::Immediate(kept) };
        return;
    }
    for_each_address(op, |address| {
        if address.base == Base::Frame {
            address.base = Base::Window;
        }
    });
}
