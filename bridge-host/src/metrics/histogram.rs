//! Durations, counted by how long they are. The bounds are fixed, so that every bridge's figures add up.

/// Upper bounds of the buckets, in microseconds; longer ones are counted as well.
pub(crate) const BOUNDS_US: [u64; 15] = [
    50,
    100,
    250,
    500,
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    100_000,
    500_000,
    2_500_000,
    10_000_000,
    60_000_000,
    600_000_000,
];

/// How many durations were how long.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Histogram {
    /// Of each bucket alone; the last has what is longer than every bound.
    buckets: [u64; BOUNDS_US.len() + 1],
    sum_us: u64,
}

impl Histogram {
    /// Counts one duration.
    pub(crate) fn observe(&mut self, us: u64) {
        let bucket = BOUNDS_US.partition_point(|bound| *bound < us);
        self.buckets[bucket] += 1;
        self.sum_us = self.sum_us.saturating_add(us);
    }

    /// Each bound, and how many durations were no longer.
    pub(crate) fn cumulative(&self) -> impl Iterator<Item = (u64, u64)> {
        let counts = self.buckets.iter().scan(0, |sum, count| {
            *sum += count;
            Some(*sum)
        });
        BOUNDS_US.into_iter().zip(counts)
    }

    pub(crate) fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    pub(crate) const fn sum_us(&self) -> u64 {
        self.sum_us
    }
}

const _: () = {
    let mut at = 1;
    while at < BOUNDS_US.len() {
        assert!(BOUNDS_US[at - 1] < BOUNDS_US[at], "bounds must grow");
        at += 1;
    }
};

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves MET-4.
    #[test]
    fn a_duration_is_counted_at_the_first_bound_that_it_does_not_exceed() {
        let mut histogram = Histogram::default();
        for us in [0, 50, 51, 600_000_000, 600_000_001, u64::MAX] {
            histogram.observe(us);
        }
        let counts: Vec<_> = histogram.cumulative().map(|(_, count)| count).collect();
        assert_eq!(counts[..3], [2, 3, 3]);
        assert_eq!(counts.last(), Some(&4));
        assert_eq!((histogram.count(), histogram.sum_us()), (6, u64::MAX));
    }
}
