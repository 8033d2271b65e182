//! The one place where clocks are read.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use ninedoor_abi::{MonoUs, Now, UnixMs};

/// Where a server's time comes from. Cheap to clone; clones show the same time.
#[derive(Debug, Clone)]
pub struct Clock(Hands);

#[derive(Debug, Clone)]
enum Hands {
    System {
        began: Instant,
    },
    /// Moves when a test moves it.
    Set(Arc<Mutex<Now>>),
}

impl Clock {
    /// The machine's clocks.
    #[must_use]
    pub fn system() -> Self {
        Self(Hands::System { began: Instant::now() })
    }

    /// A clock that stands still until it is moved.
    #[must_use]
    pub fn set(now: Now) -> Self {
        Self(Hands::Set(Arc::new(Mutex::new(now))))
    }

    /// Moves a clock that was set; the machine's cannot be moved.
    pub fn advance(&self, by: Duration) {
        if let Hands::Set(now) = &self.0 {
            let mut now = now.lock().unwrap_or_else(PoisonError::into_inner);
            now.unix_ms = now.unix_ms.plus_ms(whole(by.as_millis()));
            now.mono_us = now.mono_us.plus_us(whole(by.as_micros()));
        }
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Now {
        match &self.0 {
            Hands::System { began } => Now {
                unix_ms: UnixMs(whole(
                    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis(),
                )),
                mono_us: MonoUs(whole(began.elapsed().as_micros())),
            },
            Hands::Set(now) => *now.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// The moment at which the monotonic clock shows `at`, for a runtime's timer.
    #[must_use]
    pub fn instant(&self, at: MonoUs) -> Instant {
        match &self.0 {
            Hands::System { began } => *began + Duration::from_micros(at.0),
            Hands::Set(_) => {
                Instant::now() + Duration::from_micros(at.us_since(self.now().mono_us))
            }
        }
    }
}

fn whole(amount: u128) -> u64 {
    u64::try_from(amount).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_moves_on_both_hands_and_for_every_clone() {
        let clock = Clock::set(Now { unix_ms: UnixMs(1000), mono_us: MonoUs(0) });
        clock.clone().advance(Duration::from_millis(5));
        assert_eq!(clock.now(), Now { unix_ms: UnixMs(1005), mono_us: MonoUs(5000) });
    }

    #[test]
    fn the_machines_clock_runs_forward_and_shows_this_century() {
        let clock = Clock::system();
        let (first, second) = (clock.now(), clock.now());
        assert!(second.mono_us >= first.mono_us);
        assert!(first.unix_ms > UnixMs(1_600_000_000_000));
    }
}
