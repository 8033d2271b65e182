//! The service manager: systemd, or whoever has set `NOTIFY_SOCKET`. Nobody is told where nobody asked.
//!
//! ```text
//!   READY ─SIGHUP─▶ RELOADING ─▶ READY …  WATCHDOG at half its period, as long as the pulse beats  … ─SIGTERM─▶ STOPPING
//! ```

use std::time::Duration;

use sd_notify::NotifyState;

/// Tells the service manager.
#[derive(Debug)]
pub(super) struct Manager {
    watchdog: Option<Duration>,
}

impl Manager {
    /// Whoever started this process.
    pub(super) fn of_this_process() -> Self {
        Self { watchdog: sd_notify::watchdog_enabled().filter(|period| !period.is_zero()) }
    }

    /// How long it waits for a sign of life, if it does.
    pub(super) const fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// Everything runs.
    pub(super) fn ready(&self, status: &str) {
        tell(&[NotifyState::Ready, NotifyState::Status(status)]);
    }

    /// Settings are read again; [`Self::ready`] says when that is over.
    pub(super) fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => tell(&[NotifyState::Reloading, now]),
            Err(error) => tracing::warn!(%error, "cannot read the clock for the service manager"),
        }
    }

    /// Nothing new is taken any more.
    pub(super) fn stopping(&self, status: &str) {
        tell(&[NotifyState::Stopping, NotifyState::Status(status)]);
    }

    /// A sign of life.
    pub(super) fn alive(&self) {
        tell(&[NotifyState::Watchdog]);
    }
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "cannot tell the service manager");
    }
}
