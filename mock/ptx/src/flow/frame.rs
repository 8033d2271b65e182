//! Where the variables of a frame lie, from the frame pointer on.
//!
//! ```text
//!  frame pointer                                       frame pointer + frame_bytes
//!  │ own arguments and results │ variables, saved registers │ those of what is called …
//! ```

use std::collections::HashMap;

use crate::PtxError;
use crate::ir::{Address, Base, Op};
use crate::limits::{ARGUMENT_ALIGN, FRAME_BYTES_MAX};
use crate::unit::{Unit, align_up, frame_offset};

/// A laid out frame.
#[derive(Debug)]
pub(super) struct FrameLayout {
    starts: HashMap<u32, u64>,
    /// Of all variables together.
    pub(super) bytes: u64,
    /// The largest alignment of any variable.
    pub(super) align: u32,
}

impl FrameLayout {
    /// Places the variables that are still used.
    pub(super) fn of(unit: &mut Unit, line: u32) -> Result<Self, PtxError> {
        let mut used: Vec<u32> = Vec::new();
        for block in &mut unit.blocks {
            for instruction in &mut block.instructions {
                for_each_place(&mut instruction.op, |offset| {
                    used.push(frame_offset::decode(*offset).0);
                });
            }
        }
        used.sort_unstable();
        used.dedup();
        let arguments = unit.frame.first().map_or(0, |slot| slot.bytes);
        let mut layout =
            Self { starts: HashMap::new(), bytes: arguments.into(), align: ARGUMENT_ALIGN };
        layout.starts.insert(Unit::INCOMING, 0);
        for variable in used {
            if variable == Unit::INCOMING || variable == Unit::OUTGOING {
                continue;
            }
            let Some(slot) = unit.frame.get(variable as usize) else { continue };
            let start = align_up(layout.bytes, slot.align);
            layout.starts.insert(variable, start);
            layout.bytes = start + u64::from(slot.bytes);
            layout.align = layout.align.max(slot.align);
        }
        if layout.bytes > FRAME_BYTES_MAX {
            let reason = format!(
                "{} bytes of local memory, at most {FRAME_BYTES_MAX} are taken",
                layout.bytes
            );
            return Err(PtxError::too_large(line, reason));
        }
        Ok(layout)
    }

    /// Puts plain offsets from the frame pointer into an operation.
    pub(super) fn resolve(&self, op: &mut Op, frame_bytes: u64) {
        for_each_place(op, |encoded| {
            let (variable, offset) = frame_offset::decode(*encoded);
            let start = if variable == Unit::OUTGOING {
                frame_bytes
            } else {
                self.starts.get(&variable).copied().unwrap_or(0)
            };
            *encoded = offset.wrapping_add_unsigned(start);
        });
    }
}

/// Every place in the frame that an operation names.
fn for_each_place(op: &mut Op, mut visit: impl FnMut(&mut i64)) {
    if let Op::FrameAddress { offset, .. } = op {
        visit(offset);
    }
    for_each_address(op, |address| {
        if address.base == Base::Frame {
            visit(&mut address.offset);
        }
    });
}

/// Every address of an operation.
pub(super) fn for_each_address(op: &mut Op, mut visit: impl FnMut(&mut Address)) {
    match op {
        Op::Load { address, .. }
        | Op::LoadVector { address, .. }
        | Op::Store { address, .. }
        | Op::StoreVector { address, .. }
        | Op::Atomic { address, .. }
        | Op::Mbarrier { address, .. } => visit(address),
        Op::MatrixMove(part) => visit(&mut part.address),
        Op::WmmaAccess(access) => visit(&mut access.address),
        Op::AsyncCopy(copy) => {
            visit(&mut copy.to);
            visit(&mut copy.from);
        }
        _ => {}
    }
}
