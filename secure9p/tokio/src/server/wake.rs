//! The bell of one connection: how a service stirs a connection through another's doing.
//!
//! Carries no bytes: it only says that there are some to fetch, or that the end has come.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
};

/// A cheap handle on one connection. Outliving the connection is harmless: it then does nothing.
#[derive(Clone)]
pub struct Wake(Arc<Mutex<Bell>>);

/// What rang since the connection last looked.
#[derive(Default)]
struct Bell {
    /// The connection's task, while it sleeps.
    sleeper: Option<Waker>,
    rung: Rung,
    pace: Pace,
}

/// How lively a connection is, by looking at it now and then.
///
/// ```text
///              awake                 awake
///  Resting ─────────────▶ Busy ◀────────────── Slowing
///     ▲                     │ look               ▲ │ look: rings `rest`
///     │                     └────────────────────┘ │
///     └────────────────────────────────────────────┘
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Pace {
    #[default]
    Resting,
    Busy,
    Slowing,
}

/// Why a connection was stirred. `ring` alone means: fetch what there is to transmit.
#[derive(Debug, Default)]
pub(crate) struct Rung {
    /// Something rang at all.
    pub(crate) ring: bool,
    /// Nothing else has happened for a while.
    pub(crate) rest: bool,
    /// Read no more, answer what is owed, then close.
    pub(crate) drain: bool,
    /// Close now, for this reason.
    pub(crate) close: Option<String>,
}

impl Wake {
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    /// The connection has bytes to transmit.
    pub fn wake(&self) {
        self.stir(|_| ());
    }

    /// Closes the connection, what is ready to transmit excepted; `why` goes to the log.
    pub fn close(&self, why: impl Into<String>) {
        self.stir(|rung| rung.close = Some(why.into()));
    }

    /// Lets the connection answer what it owes, then closes it.
    pub(crate) fn drain(&self) {
        self.stir(|rung| rung.drain = true);
    }

    /// Looks how lively the connection is; one that was asleep since the last look is told, once, that it may rest.
    pub(crate) fn look(&self) {
        let mut bell = self.bell();
        let pace = bell.pace;
        bell.pace = if pace == Pace::Busy { Pace::Slowing } else { Pace::Resting };
        drop(bell);
        if pace == Pace::Slowing {
            self.stir(|rung| rung.rest = true);
        }
    }

    /// What rang since the last call. The connection is awake from now on: rings are kept, nobody is called.
    pub(crate) fn answer(&self) -> Rung {
        let mut bell = self.bell();
        bell.sleeper = None;
        if !bell.rung.rest {
            bell.pace = Pace::Busy;
        }
        std::mem::take(&mut bell.rung)
    }

    /// The connection goes to sleep, unless something rang meanwhile (`false`).
    pub(crate) fn sleep(&self, waker: &Waker) -> bool {
        let mut bell = self.bell();
        if bell.rung.ring {
            return false;
        }
        bell.sleeper = Some(waker.clone());
        true
    }

    fn stir(&self, note: impl FnOnce(&mut Rung)) {
        let mut bell = self.bell();
        bell.rung.ring = true;
        note(&mut bell.rung);
        let sleeper = bell.sleeper.take();
        drop(bell);
        if let Some(sleeper) = sleeper {
            sleeper.wake();
        }
    }

    fn bell(&self) -> MutexGuard<'_, Bell> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Wake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Wake").field(&self.bell().rung).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        task::Wake as Task,
    };

    use super::*;

    struct Calls(AtomicUsize);

    impl Task for Calls {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn sleeper() -> (Arc<Calls>, Waker) {
        let calls = Arc::new(Calls(AtomicUsize::new(0)));
        (Arc::clone(&calls), Waker::from(calls))
    }

    #[test]
    fn a_sleeping_connection_is_called_once_however_often_it_rings() {
        let (calls, waker) = sleeper();
        let wake = Wake::new();
        assert!(wake.sleep(&waker));
        wake.wake();
        wake.wake();
        assert_eq!(calls.0.load(Ordering::Relaxed), 1);
        assert!(wake.answer().ring);
        assert!(!wake.answer().ring);
    }

    #[test]
    fn a_connection_that_slept_from_one_look_to_the_next_may_rest_and_is_told_once() {
        let (calls, waker) = sleeper();
        let wake = Wake::new();
        let _awake = wake.answer();
        assert!(wake.sleep(&waker));
        wake.look();
        assert_eq!(calls.0.load(Ordering::Relaxed), 0, "it was awake a moment ago");
        wake.look();
        assert_eq!(calls.0.load(Ordering::Relaxed), 1);
        assert!(wake.answer().rest);
        assert!(wake.sleep(&waker));
        wake.look();
        wake.look();
        assert_eq!(calls.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_ring_before_sleep_is_not_lost() {
        let (calls, waker) = sleeper();
        let wake = Wake::new();
        wake.close("ticket 1234abcd was revoked");
        assert!(!wake.sleep(&waker));
        assert_eq!(wake.answer().close.as_deref(), Some("ticket 1234abcd was revoked"));
        assert!(wake.sleep(&waker));
        assert_eq!(calls.0.load(Ordering::Relaxed), 0);
    }
}
