//! A token bucket: so many at once, so many a second on average.

use ninedoor_abi::MonoUs;

/// Holds tokens in millionths, so that it fills by microseconds without rounding.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bucket {
    per_s: u32,
    burst: u32,
    millionths: u64,
    filled_at: MonoUs,
}

const ONE: u64 = 1_000_000;

impl Bucket {
    /// A full bucket; `per_s` 0 is without bound.
    pub(crate) fn full(per_s: u32, burst: u32, now: MonoUs) -> Self {
        let burst = burst.max(1);
        Self { per_s, burst, millionths: u64::from(burst) * ONE, filled_at: now }
    }

    /// Takes one token, or says in how many microseconds there will be one.
    pub(crate) fn take(&mut self, now: MonoUs) -> Result<(), u64> {
        if self.per_s == 0 {
            return Ok(());
        }
        let per_s = u64::from(self.per_s);
        let gained = now.us_since(self.filled_at).saturating_mul(per_s);
        self.millionths = self.millionths.saturating_add(gained).min(u64::from(self.burst) * ONE);
        self.filled_at = self.filled_at.max(now);
        match self.millionths.checked_sub(ONE) {
            Some(left) => {
                self.millionths = left;
                Ok(())
            }
            None => Err((ONE - self.millionths).div_ceil(per_s)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn burst_then_average_then_the_wait_it_named() {
        let mut bucket = Bucket::full(10, 2, MonoUs(0));
        assert_eq!(bucket.take(MonoUs(0)), Ok(()));
        assert_eq!(bucket.take(MonoUs(0)), Ok(()));
        assert_eq!(bucket.take(MonoUs(0)), Err(100_000));
        assert_eq!(bucket.take(MonoUs(40_000)), Err(60_000));
        assert_eq!(bucket.take(MonoUs(100_000)), Ok(()));
        assert_eq!(bucket.take(MonoUs(100_000)), Err(100_000));
    }

    #[test]
    fn rest_fills_it_no_further_than_its_burst() {
        let mut bucket = Bucket::full(1_000, 2, MonoUs(0));
        let late = MonoUs(60_000_000);
        assert_eq!(
            [bucket.take(late), bucket.take(late), bucket.take(late)],
            [Ok(()), Ok(()), Err(1_000)]
        );
    }

    #[test]
    fn no_rate_is_no_bound() {
        let mut bucket = Bucket::full(0, 1, MonoUs(0));
        assert!((0..100).all(|_| bucket.take(MonoUs(0)).is_ok()));
    }
}
