//! Which fid numbers are free.
//!
//! Knows nothing of what a fid stands for; the caller gives a number back when the server has let go of it.

use alloc::collections::BTreeSet;

use crate::ids::Fid;

/// The numbers given out so far: all below `next`, but for those that came back.
#[derive(Debug)]
pub(super) struct FreeFids {
    next: u32,
    returned: BTreeSet<Fid>,
    fids_max: usize,
}

impl FreeFids {
    pub(super) fn new(fids_max: usize) -> Self {
        Self { next: 0, returned: BTreeSet::new(), fids_max }
    }

    /// The lowest free number.
    pub(super) fn take(&mut self) -> Option<Fid> {
        if let Some(fid) = self.returned.pop_first() {
            return Some(fid);
        }
        let fid = Fid(self.next);
        if self.next as usize >= self.fids_max || fid == Fid::NOFID {
            return None;
        }
        self.next += 1;
        Some(fid)
    }

    /// A number is free again. One that was never given out is none of ours.
    pub(super) fn give_back(&mut self, fid: Fid) {
        if fid.0 < self.next {
            self.returned.insert(fid);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_lowest_first_and_run_out() {
        let mut fids = FreeFids::new(2);
        assert_eq!((fids.take(), fids.take(), fids.take()), (Some(Fid(0)), Some(Fid(1)), None));
        fids.give_back(Fid(0));
        fids.give_back(Fid(7));
        assert_eq!((fids.take(), fids.take()), (Some(Fid(0)), None));
    }
}
