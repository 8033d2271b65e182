//! Matrix operations of a warp.

use mock_ptx::ir::Op;

use super::lanes::Lanes;
use crate::fault::Cause;

/// Does `op` for the active lanes of the warp that begins at lane `first`.
///
/// # Errors
/// When memory does not allow a lane's access; the lane, and why.
pub fn execute(
    op: &Op,
    first: usize,
    active: u32,
    lanes: &mut impl Lanes,
) -> Result<bool, (usize, Cause)> {
    let _ = (op, first, active, lanes);
    Ok(false)
}
