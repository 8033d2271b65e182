//! What the device's own library does: `printf`, `assert`, `malloc`.

use mock_ptx::ir::{Intrinsic, Operand, Space};

use super::lanes::Lanes;
use super::print;
use crate::fault::Cause;
use crate::launch::job::Halt;
use crate::limits::TEXT_BYTES_MAX;

/// What a block asks of its launch.
pub trait System {
    /// Whether the block shall end where it stands.
    fn ends(&self) -> bool;
    /// Adds text to what the launch printed; false where the limit is reached.
    fn print(&mut self, text: &[u8]) -> bool;
    /// Waits until all blocks before this one have ended.
    ///
    /// # Errors
    /// When the launch ends before that.
    fn turn(&mut self) -> Result<(), Halt>;
    /// Heap memory, or null.
    fn allocate(&mut self, bytes: u64) -> u64;
    /// Gives heap memory back.
    ///
    /// # Errors
    /// For an address that the heap did not give.
    fn free(&mut self, address: u64) -> Result<(), Cause>;
}

/// Does `intrinsic` for one lane.
///
/// # Errors
/// A failed assertion, a bad pointer.
pub fn execute(
    intrinsic: &Intrinsic,
    lane: usize,
    lanes: &mut impl Lanes,
    system: &mut impl System,
) -> Result<(), Cause> {
    match *intrinsic {
        Intrinsic::Print { dst, format, arguments } => {
            let format = text(lane, lanes, format)?;
            let mut at = lanes.read(lane, arguments);
            let line = print::format(&format, |kind| argument(kind, lane, lanes, &mut at))?;
            let printed =
                if system.print(&line.text) { u64::from(line.arguments) } else { u64::MAX };
            if let Some(dst) = dst {
                lanes.set_register(lane, dst, printed);
            }
        }
        Intrinsic::AssertFail { message, file, line, function } => {
            let mut text = |operand| {
                text(lane, lanes, operand).map(|text| String::from_utf8_lossy(&text).into_owned())
            };
            let (message, file, function) = (text(message)?, text(file)?, text(function)?);
            let line = lanes.read32(lane, line);
            return Err(Cause::Assertion { message, file, line, function });
        }
        Intrinsic::Allocate { dst, bytes } => {
            let address = system.allocate(lanes.read(lane, bytes));
            if let Some(dst) = dst {
                lanes.set_register(lane, dst, address);
            }
        }
        Intrinsic::Free { pointer } => {
            let address = lanes.read(lane, pointer);
            if address != 0 {
                system.free(address)?;
            }
        }
    }
    Ok(())
}

/// The zero-terminated text at a generic address, cut at the limit.
fn text(lane: usize, lanes: &mut impl Lanes, address: Operand) -> Result<Vec<u8>, Cause> {
    let start = lanes.read(lane, address);
    text_at(lane, lanes, start)
}

fn text_at(lane: usize, lanes: &mut impl Lanes, start: u64) -> Result<Vec<u8>, Cause> {
    let mut text = Vec::new();
    for place in 0..TEXT_BYTES_MAX {
        match lanes.load(lane, Space::Generic, start.wrapping_add(place), 1)? as u8 {
            0 => break,
            byte => text.push(byte),
        }
    }
    Ok(text)
}

/// The next argument in the buffer, each at a multiple of its own size.
fn argument(
    kind: print::Kind,
    lane: usize,
    lanes: &mut impl Lanes,
    at: &mut u64,
) -> Result<print::Argument, Cause> {
    let bytes = kind.bytes();
    let place = at.next_multiple_of(u64::from(bytes));
    *at = place + u64::from(bytes);
    let bits = lanes.load(lane, Space::Generic, place, bytes)?;
    Ok(match kind {
        print::Kind::Text => print::Argument::Text(text_at(lane, lanes, bits)?),
        _ => print::Argument::Bits(bits),
    })
}
