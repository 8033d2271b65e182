//! How long to go on trying, and how long to wait between two tries. Pure: takes the time that has passed, and chance.

use std::time::Duration;

/// How patiently a lost connection is made again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry {
    /// Wait before the second try.
    pub first_delay: Duration,
    /// The wait doubles from try to try, up to this.
    pub delay_max: Duration,
    /// After this long without success the last error is told.
    pub give_up_after: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            first_delay: Duration::from_millis(100),
            delay_max: Duration::from_secs(5),
            give_up_after: Duration::from_secs(60),
        }
    }
}

/// The tries of one operation.
#[derive(Debug)]
pub(crate) struct Tries<'a> {
    retry: &'a Retry,
    delay: Duration,
}

impl<'a> Tries<'a> {
    pub(crate) fn new(retry: &'a Retry) -> Self {
        Self { retry, delay: retry.first_delay }
    }

    /// The wait before the next try, `elapsed` after the first; `None` to give up. `chance` spreads clients that lost the
    /// same server at the same moment: the wait is between half of what it would be and all of it.
    pub(crate) fn next(&mut self, elapsed: Duration, chance: u8) -> Option<Duration> {
        let half = self.delay / 2;
        let wait = half + half * u32::from(chance) / u32::from(u8::MAX);
        self.delay = (self.delay * 2).min(self.retry.delay_max);
        (elapsed + wait <= self.retry.give_up_after).then_some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn waits_double_up_to_their_most_and_end_in_giving_up() {
        let retry =
            Retry { first_delay: SECOND, delay_max: 4 * SECOND, give_up_after: 10 * SECOND };
        let mut tries = Tries::new(&retry);
        let waits: Vec<_> = (0..4).map(|_| tries.next(Duration::ZERO, u8::MAX)).collect();
        assert_eq!(waits, [1, 2, 4, 4].map(|seconds| Some(seconds * SECOND)));
        assert_eq!(tries.next(7 * SECOND, u8::MAX), None);
        assert_eq!(tries.next(7 * SECOND, 0), Some(2 * SECOND));
    }
}
