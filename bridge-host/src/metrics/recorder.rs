//! Makes the page anew every second, so that a scrape takes what is there: no lock, no driver, no disk.
//!
//! ```text
//!   every second:  hive's lock ─▶ figures copied ─▶ lock gone ─▶ pages written ─▶ Latest ◀── scrapes
//! ```

use std::{
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use ninedoor_abi::UnixMs;
use secure9p_tokio::Tally;
use tokio::time::{MissedTickBehavior, interval};

use super::{
    process::ProcessFigures,
    write::{Identity, Moment, Pages},
};
use crate::{backend::Backend, bridge::BridgeHive};

/// Between two pages.
const PERIOD: Duration = Duration::from_secs(1);

/// The newest pages.
#[derive(Debug, Default)]
pub(crate) struct Latest(RwLock<Arc<Pages>>);

impl Latest {
    pub(crate) fn pages(&self) -> Arc<Pages> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn put(&self, pages: Pages) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(pages);
    }
}

/// Where figures come from, besides the hive.
#[derive(Debug)]
pub(crate) struct Sources {
    pub(crate) tally: Arc<Tally>,
    pub(crate) state_directory: PathBuf,
    pub(crate) backend: Backend,
}

/// Makes pages.
pub(crate) struct Recorder {
    hive: BridgeHive,
    sources: Sources,
    identity: Identity,
    latest: Arc<Latest>,
    started_at: UnixMs,
    took: Duration,
}

impl Recorder {
    /// Makes the first page.
    pub(crate) async fn start(hive: BridgeHive, sources: Sources) -> Self {
        let identity = Identity {
            version: env!("CARGO_PKG_VERSION"),
            backend: sources.backend.kind.as_str(),
            host: host(),
        };
        let started_at = hive.clock().now().unix_ms;
        let latest = Arc::default();
        let recorder = Self { hive, sources, identity, latest, started_at, took: Duration::ZERO };
        recorder.away_from_others().await
    }

    pub(crate) fn latest(&self) -> Arc<Latest> {
        Arc::clone(&self.latest)
    }

    /// Makes pages for ever.
    pub(crate) async fn keep_recording(mut self) {
        let mut period = interval(PERIOD);
        period.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            period.tick().await;
            self = self.away_from_others().await;
        }
    }

    /// The lock may be held for a while, and a disk may be slow: that is no reason to keep a worker thread.
    async fn away_from_others(self) -> Self {
        let recording = tokio::task::spawn_blocking(move || self.record());
        recording.await.expect("no panic in recording, and blocking tasks are not aborted")
    }

    fn record(mut self) -> Self {
        let begun = Instant::now();
        let mut process = ProcessFigures::read(&self.sources.state_directory);
        process.start_time_seconds = Some(super::write::seconds(self.started_at));
        let (figures, at) = self.hive.with(|server, publisher, now| {
            (publisher.dispatcher.figures(server.traffic()), now.unix_ms)
        });
        let moment = Moment {
            figures: &figures,
            transport: &self.sources.tally.read(),
            process: &process,
            identity: &self.identity,
            at,
            took: self.took,
        };
        self.latest.put(Pages::of(&moment, &self.latest.pages()));
        self.took = begun.elapsed();
        self
    }
}

/// What dcgm-exporter calls `Hostname`.
fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}
