//! Failed attaches: three within a minute, and the peer waits a minute and a half, cheaply for us.
//!
//! ```text
//!            failure                  third failure within 60 s
//! (unknown) ─────────▶ failing(1..2) ───────────────────────────▶ locked out until +90 s ──▶ (unknown)
//!     ▲                   │ success, or 60 s without a failure
//!     └───────────────────┘
//! ```

use alloc::{collections::BTreeMap, string::String};
use core::time::Duration;

use ninedoor_abi::{Errno, MonoUs, Refusal};

use crate::limits::{
    ATTACH_FAILURE_WINDOW, ATTACH_FAILURES_MAX, ATTACH_LOCKOUT, ATTACH_OFFENDERS_MAX,
};

#[derive(Debug, Clone, Copy)]
struct Offender {
    failures: u32,
    first: MonoUs,
    latest: MonoUs,
    locked_until: Option<MonoUs>,
}

/// Peers whose attaches failed of late.
#[derive(Debug, Default)]
pub(crate) struct Lockout {
    offenders: BTreeMap<String, Offender>,
}

impl Lockout {
    /// Whether this peer may try at all; asked before its ticket is looked at.
    ///
    /// # Errors
    /// EAGAIN, with the seconds to wait.
    pub(crate) fn check(&mut self, party: &str, now: MonoUs) -> Result<(), Refusal> {
        let Some(offender) = self.offenders.get(party) else { return Ok(()) };
        match offender.locked_until {
            Some(until) if now < until => Err(Refusal::new(
                Errno::EAGAIN,
                alloc::format!(
                    "{ATTACH_FAILURES_MAX} attaches from {party} failed, wait {} s",
                    until.us_since(now).div_ceil(1_000_000)
                ),
            )),
            Some(_) => {
                self.offenders.remove(party);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// An attach failed.
    pub(crate) fn failed(&mut self, party: &str, now: MonoUs) {
        if !self.offenders.contains_key(party) && self.offenders.len() >= ATTACH_OFFENDERS_MAX {
            self.forget_oldest();
        }
        let fresh = Offender { failures: 0, first: now, latest: now, locked_until: None };
        let offender = self.offenders.entry(String::from(party)).or_insert(fresh);
        if now.us_since(offender.first) > micros(ATTACH_FAILURE_WINDOW) {
            *offender = fresh;
        }
        offender.failures += 1;
        offender.latest = now;
        if offender.failures >= ATTACH_FAILURES_MAX {
            offender.locked_until = Some(now.plus_us(micros(ATTACH_LOCKOUT)));
        }
    }

    /// An attach succeeded: earlier failures were typing errors.
    pub(crate) fn succeeded(&mut self, party: &str) {
        self.offenders.remove(party);
    }

    fn forget_oldest(&mut self) {
        let oldest = self
            .offenders
            .iter()
            .min_by_key(|(_, offender)| offender.latest)
            .map(|(party, _)| party.clone());
        if let Some(party) = oldest {
            self.offenders.remove(&party);
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    const fn at_s(s: u64) -> MonoUs {
        MonoUs(s * 1_000_000)
    }

    /// Proves AUTH-5.
    #[test]
    fn three_failures_in_a_minute_lock_a_peer_out_for_ninety_seconds() {
        let mut lockout = Lockout::default();
        for second in [0, 30, 59] {
            assert_eq!(lockout.check("10.0.0.7", at_s(second)), Ok(()));
            lockout.failed("10.0.0.7", at_s(second));
        }
        let refusal = lockout.check("10.0.0.7", at_s(60)).unwrap_err();
        assert_eq!(refusal.errno, Errno::EAGAIN);
        assert_eq!(refusal.text, "3 attaches from 10.0.0.7 failed, wait 89 s");
        assert_eq!(lockout.check("10.0.0.8", at_s(60)), Ok(()));
        assert_eq!(lockout.check("10.0.0.7", at_s(149)), Ok(()));
    }

    #[test]
    fn slow_failures_and_failures_before_a_success_do_not_add_up() {
        let mut lockout = Lockout::default();
        for second in [0, 59, 61, 120] {
            lockout.failed("slow", at_s(second));
        }
        assert_eq!(lockout.check("slow", at_s(121)), Ok(()));
        lockout.failed("typist", at_s(0));
        lockout.failed("typist", at_s(1));
        lockout.succeeded("typist");
        lockout.failed("typist", at_s(2));
        assert_eq!(lockout.check("typist", at_s(3)), Ok(()));
    }

    #[test]
    fn offenders_beyond_the_bound_push_out_the_one_that_failed_longest_ago() {
        let mut lockout = Lockout::default();
        for number in 0..=ATTACH_OFFENDERS_MAX {
            lockout.failed(&number.to_string(), at_s(number as u64));
        }
        assert_eq!(lockout.offenders.len(), ATTACH_OFFENDERS_MAX);
        assert!(!lockout.offenders.contains_key("0"));
    }
}
