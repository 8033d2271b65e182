//! Barrier objects in shared memory.
//!
//! The object is ours to lay out: bits 0 to 19 the arrivals still missing, 20 to 39 the arrivals of each phase, 40 up the phase's
//! number. A phase ends when no arrival is missing; the next one begins at once.

use mock_ptx::ir::{MbarrierOp, Space};

use super::lanes::Lanes;
use crate::fault::Cause;

const COUNT_BITS: u32 = 20;
const COUNT: u64 = (1 << COUNT_BITS) - 1;

/// The object of phase 0, waiting for `count` arrivals.
const fn fresh(count: u64) -> u64 {
    let count = count & COUNT;
    count | count << COUNT_BITS
}

const fn phase(object: u64) -> u64 {
    object >> (2 * COUNT_BITS)
}

/// The arrivals that were missing when this state was taken.
pub const fn pending_count(state: u64) -> u64 {
    state & COUNT
}

/// After `arrivals`, of which `dropped` are expected no more in later phases.
const fn arrive(object: u64, arrivals: u64, dropped: u64) -> u64 {
    let expected = ((object >> COUNT_BITS) & COUNT).saturating_sub(dropped);
    let missing = (object & COUNT).saturating_sub(arrivals);
    let number = phase(object);
    let (missing, number) = if missing == 0 { (expected, number + 1) } else { (missing, number) };
    missing | expected << COUNT_BITS | number << (2 * COUNT_BITS)
}

/// Does `op` for one lane on the object at `address`.
///
/// # Errors
/// When shared memory does not allow an access there.
pub fn execute(
    op: &MbarrierOp,
    space: Space,
    address: u64,
    lane: usize,
    lanes: &mut impl Lanes,
) -> Result<(), Cause> {
    match *op {
        MbarrierOp::Init { count } => {
            let object = fresh(lanes.read(lane, count));
            lanes.store(lane, space, address, 8, object)?;
        }
        MbarrierOp::Invalidate => lanes.store(lane, space, address, 8, 0)?,
        MbarrierOp::Arrive { state, count, drop, .. } => {
            let arrivals = count.map_or(1, |count| lanes.read(lane, count) & COUNT);
            let dropped = if drop { arrivals } else { 0 };
            let mut new = |object| arrive(object, arrivals, dropped);
            let old = lanes.update(lane, space, address, 8, &mut new)?;
            if let Some(state) = state {
                lanes.set_register(lane, state, old);
            }
        }
        MbarrierOp::TestState { done, state } => {
            let object = lanes.load(lane, space, address, 8)?;
            let over = phase(object) != phase(lanes.read(lane, state));
            lanes.set_register(lane, done, u64::from(over));
        }
        MbarrierOp::TestParity { done, parity } => {
            let object = lanes.load(lane, space, address, 8)?;
            let over = phase(object) & 1 != lanes.read(lane, parity) & 1;
            lanes.set_register(lane, done, u64::from(over));
        }
        // Copies are done when issued, so the arrival comes at once; without `.noinc` it is one that was not expected.
        MbarrierOp::AsyncArrive { no_increment } => {
            let arrivals = u64::from(no_increment);
            lanes.update(lane, space, address, 8, &mut |object| arrive_if(object, arrivals))?;
        }
    }
    Ok(())
}

const fn arrive_if(object: u64, arrivals: u64) -> u64 {
    if arrivals == 0 { object } else { arrive(object, arrivals, 0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_ends_with_its_last_arrival() {
        let object = fresh(3);
        let object = arrive(arrive(object, 1, 0), 1, 0);
        assert_eq!(phase(object), 0);
        let object = arrive(object, 1, 0);
        assert_eq!(phase(object), 1);
        assert_eq!(object & COUNT, 3);
    }

    #[test]
    fn dropped_arrivals_are_not_expected_again() {
        let object = arrive(fresh(2), 1, 1);
        let object = arrive(object, 1, 0);
        assert_eq!((phase(object), object & COUNT), (1, 1));
    }
}
