//! The sixteen barriers of a block, by how many have come.

use mock_ptx::ir::BarrierReduction;

use crate::fault::Cause;
use crate::limits::{BARRIERS, BLOCK_THREADS_MAX, WARP_LANES};

/// One barrier in one phase.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Barrier {
    threads: Option<u32>,
    arrived: u32,
    asked: u32,
    holding: u32,
}

/// Checks a barrier's number and count as a lane names them.
///
/// # Errors
/// Numbers that the hardware does not have.
pub fn check(id: u32, threads: Option<u32>) -> Result<(), Cause> {
    if id as usize >= BARRIERS {
        let detail = format!("barrier {id}, and a block has barriers 0 to {}", BARRIERS - 1);
        return Err(Cause::BadBarrier { detail });
    }
    let wanted = |n: u32| n > 0 && n <= BLOCK_THREADS_MAX && n.is_multiple_of(WARP_LANES as u32);
    match threads {
        Some(n) if !wanted(n) => {
            let detail = format!(
                "barrier {id} of {n} threads, wanted a multiple of {WARP_LANES} up to {BLOCK_THREADS_MAX}"
            );
            Err(Cause::BadBarrier { detail })
        }
        _ => Ok(()),
    }
}

impl Barrier {
    /// Lanes come, of which `holding` say yes to a reduction.
    pub const fn arrive(&mut self, lanes: u32, threads: Option<u32>, holding: u32) {
        self.arrived += lanes;
        self.asked += lanes;
        self.holding += holding;
        if threads.is_some() {
            self.threads = threads;
        }
    }

    /// Whether all that it waits for have come; `alive` lanes have not ended.
    #[must_use]
    pub fn is_complete(&self, alive: u32) -> bool {
        self.arrived > 0 && self.arrived >= self.threads.unwrap_or(alive)
    }

    /// What the reduction gives.
    #[must_use]
    pub fn answer(&self, reduction: BarrierReduction) -> u64 {
        match reduction {
            BarrierReduction::Population => u64::from(self.holding),
            BarrierReduction::And => u64::from(self.holding == self.asked),
            BarrierReduction::Or => u64::from(self.holding > 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_barrier_waits_for_the_living_or_for_its_count() {
        let mut barrier = Barrier::default();
        assert!(!barrier.is_complete(64));
        barrier.arrive(32, None, 0);
        assert!(!barrier.is_complete(64));
        assert!(barrier.is_complete(32));
        barrier.arrive(32, Some(96), 0);
        assert!(!barrier.is_complete(64));
        barrier.arrive(32, Some(96), 0);
        assert!(barrier.is_complete(128));
    }

    #[test]
    fn reductions_ask_all_that_came() {
        let mut barrier = Barrier::default();
        barrier.arrive(32, None, 5);
        barrier.arrive(32, None, 32);
        assert_eq!(barrier.answer(BarrierReduction::Population), 37);
        assert_eq!(barrier.answer(BarrierReduction::And), 0);
        assert_eq!(barrier.answer(BarrierReduction::Or), 1);
    }

    #[test]
    fn impossible_barriers_are_named() {
        let text = |id, threads| check(id, threads).expect_err("impossible").to_string();
        assert_eq!(text(16, None), "barrier 16, and a block has barriers 0 to 15");
        assert_eq!(
            text(1, Some(33)),
            "barrier 1 of 33 threads, wanted a multiple of 32 up to 1024"
        );
        assert!(check(15, Some(64)).is_ok());
    }
}
