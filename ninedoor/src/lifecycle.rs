//! The life of a hive, as `/queen/lifecycle/ctl` steers it and `/proc/lifecycle` shows it.
//!
//! ```text
//!             first tick                 a bridge is lost              cordon
//!  BOOTING ─────────────▶ ONLINE ◀──────────────────────▶ DEGRADED ───────────┐
//!     ▲                    │  ▲        every bridge is back                   ▼
//!     │ reset (from any)   │  └───────────────── resume (from any) ◀─── DRAINING ── drain ──▶ QUIESCED
//!     │                    └── cordon ──────────────────────────────────▶ │                     ▲
//!     └──────────────────────── quiesce (from ONLINE, DEGRADED, DRAINING) ──────────────────────┘
//! ```
//!
//! BOOTING ends by itself. `drain`, `quiesce` and `reset` want no worker left: kill them first.

use alloc::{format, string::String};

use ninedoor_abi::{Errno, LifecycleWord, Refusal, UnixMs};

/// Where a hive stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Booting,
    Online,
    Degraded,
    Draining,
    Quiesced,
}

impl State {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Booting => "BOOTING",
            Self::Online => "ONLINE",
            Self::Degraded => "DEGRADED",
            Self::Draining => "DRAINING",
            Self::Quiesced => "QUIESCED",
        }
    }
}

/// The state, since when and why.
#[derive(Debug, Clone)]
pub(crate) struct Lifecycle {
    pub(crate) state: State,
    pub(crate) reason: &'static str,
    pub(crate) since: UnixMs,
}

impl Lifecycle {
    pub(crate) const fn boot(now: UnixMs) -> Self {
        Self { state: State::Booting, reason: "boot", since: now }
    }

    /// Carries out an order; answers with the log line of the transition.
    ///
    /// # Errors
    /// EINVAL for an order that means nothing in this state, EBUSY while there are workers.
    pub(crate) fn order(
        &mut self,
        word: LifecycleWord,
        workers: usize,
        now: UnixMs,
    ) -> Result<String, Refusal> {
        use LifecycleWord as Word;
        let next = match (word, self.state) {
            (Word::Cordon, State::Online | State::Degraded) => State::Draining,
            (Word::Drain, State::Draining) => State::Quiesced,
            (Word::Resume, State::Degraded | State::Draining | State::Quiesced) => State::Online,
            (Word::Quiesce, State::Online | State::Degraded | State::Draining) => State::Quiesced,
            (Word::Reset, State::Online | State::Degraded | State::Draining | State::Quiesced) => {
                State::Booting
            }
            (_, state) => {
                return Err(Refusal::invalid(format!(
                    "{word} means nothing while {}",
                    state.as_str()
                )));
            }
        };
        let wants_no_worker = matches!(next, State::Quiesced | State::Booting);
        if wants_no_worker && workers > 0 {
            return Err(Refusal::new(
                Errno::EBUSY,
                format!("{word} wants no worker, there are {workers}; kill them first"),
            ));
        }
        Ok(self.enter(next, word.as_str(), now))
    }

    /// What time and bridges do to the state: booting ends, lost bridges degrade.
    pub(crate) fn observe(&mut self, bridges_away: bool, now: UnixMs) -> Option<String> {
        match (self.state, bridges_away) {
            (State::Booting | State::Online, true) => {
                Some(self.enter(State::Degraded, "bridge-away", now))
            }
            (State::Booting, false) => Some(self.enter(State::Online, "boot-complete", now)),
            (State::Degraded, false) => Some(self.enter(State::Online, "bridge-back", now)),
            _ => None,
        }
    }

    fn enter(&mut self, next: State, reason: &'static str, now: UnixMs) -> String {
        let line = format!(
            "lifecycle transition old={} new={} reason={reason}",
            self.state.as_str(),
            next.as_str()
        );
        *self = Self { state: next, reason, since: now };
        line
    }

    /// Whether new workers may be made.
    ///
    /// # Errors
    /// EBUSY, with the way out.
    pub(crate) fn takes_work(&self) -> Result<(), Refusal> {
        match self.state {
            State::Booting | State::Online | State::Degraded => Ok(()),
            State::Draining | State::Quiesced => Err(Refusal::new(
                Errno::EBUSY,
                format!(
                    "the hive is {} since {}, write resume to /queen/lifecycle/ctl",
                    self.state.as_str(),
                    self.since
                ),
            )),
        }
    }

    /// Whether workers may attach.
    ///
    /// # Errors
    /// EBUSY, with the way out.
    pub(crate) fn takes_workers(&self) -> Result<(), Refusal> {
        if self.state == State::Quiesced { self.takes_work() } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: UnixMs = UnixMs(1000);

    fn online() -> Lifecycle {
        let mut life = Lifecycle::boot(T0);
        let line = life.observe(false, T0).unwrap();
        assert_eq!(line, "lifecycle transition old=BOOTING new=ONLINE reason=boot-complete");
        life
    }

    #[test]
    fn a_lost_bridge_degrades_and_its_return_heals() {
        let mut life = online();
        assert!(life.observe(true, T0).is_some());
        assert_eq!((life.state, life.reason), (State::Degraded, "bridge-away"));
        assert_eq!(life.observe(true, T0), None);
        assert!(life.observe(false, T0).is_some());
        assert_eq!(life.state, State::Online);
    }

    #[test]
    fn cordon_takes_no_work_and_drain_waits_for_the_last_worker() {
        let mut life = online();
        life.order(LifecycleWord::Cordon, 1, T0).unwrap();
        assert_eq!(
            life.takes_work().unwrap_err().text,
            "the hive is DRAINING since 1000, write resume to /queen/lifecycle/ctl"
        );
        assert_eq!(life.takes_workers(), Ok(()));
        let refusal = life.order(LifecycleWord::Drain, 1, T0).unwrap_err();
        assert_eq!(refusal.text, "drain wants no worker, there are 1; kill them first");
        life.order(LifecycleWord::Drain, 0, T0).unwrap();
        assert!(life.takes_workers().is_err());
        life.order(LifecycleWord::Resume, 0, T0).unwrap();
        assert_eq!(life.takes_work(), Ok(()));
    }

    #[test]
    fn an_order_that_means_nothing_is_refused_by_name() {
        let refusal = online().order(LifecycleWord::Drain, 0, T0).unwrap_err();
        assert_eq!(refusal.text, "drain means nothing while ONLINE");
        let refusal = Lifecycle::boot(T0).order(LifecycleWord::Reset, 0, T0).unwrap_err();
        assert_eq!(refusal.text, "reset means nothing while BOOTING");
    }
}
