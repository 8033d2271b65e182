//! Two clocks that must not be mixed up: the wall's, which people set, and the machine's, which only runs forward.

use core::{fmt, num::ParseIntError, str::FromStr};

/// Milliseconds since 1970 by the wall clock: expiry of tickets and leases, time stamps of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UnixMs(pub u64);

/// Microseconds by the monotonic clock of this process: timeouts and durations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct MonoUs(pub u64);

/// One moment on both clocks, read by a shell and passed to a core.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// By the wall.
    pub unix_ms: UnixMs,
    /// By the machine.
    pub mono_us: MonoUs,
}

impl UnixMs {
    /// This many milliseconds later.
    #[must_use]
    pub const fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// This many seconds later.
    #[must_use]
    pub const fn plus_s(self, s: u64) -> Self {
        self.plus_ms(s.saturating_mul(1000))
    }

    /// Milliseconds from `earlier` to here; 0 when it is not earlier.
    #[must_use]
    pub const fn ms_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl MonoUs {
    /// This many microseconds later.
    #[must_use]
    pub const fn plus_us(self, us: u64) -> Self {
        Self(self.0.saturating_add(us))
    }

    /// This many milliseconds later.
    #[must_use]
    pub const fn plus_ms(self, ms: u64) -> Self {
        self.plus_us(ms.saturating_mul(1000))
    }

    /// Microseconds from `earlier` to here; 0 when it is not earlier.
    #[must_use]
    pub const fn us_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Now {
    /// When the wall clock will show `deadline`, on the monotonic clock, if nobody sets the wall clock meanwhile.
    #[must_use]
    pub const fn mono_at(self, deadline: UnixMs) -> MonoUs {
        self.mono_us.plus_ms(deadline.ms_since(self.unix_ms))
    }
}

impl fmt::Display for UnixMs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for UnixMs {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        text.parse().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn far_future_does_not_wrap() {
        assert_eq!(UnixMs(5).plus_s(u64::MAX), UnixMs(u64::MAX));
        assert_eq!(MonoUs(5).plus_ms(u64::MAX), MonoUs(u64::MAX));
        assert_eq!(UnixMs(5).ms_since(UnixMs(9)), 0);
    }

    #[test]
    fn wall_deadline_is_found_on_the_monotonic_clock() {
        let now = Now { unix_ms: UnixMs(10_000), mono_us: MonoUs(70) };
        assert_eq!(now.mono_at(UnixMs(10_002)), MonoUs(2_070));
        assert_eq!(now.mono_at(UnixMs(9_000)), MonoUs(70));
    }
}
