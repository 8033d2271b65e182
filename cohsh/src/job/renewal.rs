//! Keeps a lease of ours alive while a job waits or runs longer than its term.

use std::time::Duration;

use ninedoor_abi::ctl::{LeaseGranted, RenewLine};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::lease;
use crate::error::CommandError;
use crate::hive::Hive;

/// When the lease is to be renewed.
#[derive(Debug)]
pub struct Renewal {
    lease: LeaseGranted,
    ticks: Interval,
}

impl Renewal {
    /// Twice in a term, so that one may be lost.
    #[must_use]
    pub fn of(lease: LeaseGranted) -> Self {
        let period = Duration::from_millis(u64::from(lease.ttl_s) * 500);
        let mut ticks = interval_at(Instant::now() + period, period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { lease, ticks }
    }

    /// Waits until it is time, and renews.
    ///
    /// # Errors
    /// When the hive refuses it.
    pub async fn next(&mut self, hive: &Hive) -> Result<(), CommandError> {
        self.ticks.tick().await;
        let line = RenewLine { lease: Some(self.lease.id), ttl_s: Some(self.lease.ttl_s) };
        lease::renew(hive, &self.lease.gpu, line).await.map(drop)
    }
}
