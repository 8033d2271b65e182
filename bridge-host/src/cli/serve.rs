//! `serve`: a bridge until a signal ends it.
//!
//! ```text
//!   serving ─SIGTERM, SIGINT─▶ draining (nothing new; jobs go on) ─all ended─▶ stopped
//!                                  └────────── a second one ──────────────────▶ stopped
//! ```

use std::time::Duration;

use tokio::{
    runtime::Builder,
    signal::unix::{Signal, SignalKind, signal},
};

use super::log;
use crate::{Bridge, BridgeHandle, Config};

pub(super) fn serve(config: Config) -> anyhow::Result<()> {
    log::start();
    secure9p_tokio::raise_descriptor_limit();
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(until_ended(config));
    // A driver that does not answer must not keep a bridge that has ended.
    runtime.shutdown_timeout(Duration::from_secs(1));
    ended
}

async fn until_ended(config: Config) -> anyhow::Result<()> {
    let mut signals = Signals::listen()?;
    let bridge = Bridge::start(config).await?;
    announce(&bridge);
    signals.asked_to_end(&bridge).await;
    tracing::info!("draining: nothing new is taken; a second signal stops at once");
    tokio::select! {
        () = bridge.drain() => {}
        () = signals.asked_to_end(&bridge) => tracing::info!("stopping: jobs that still run are lost"),
    }
    bridge.stop().await;
    Ok(())
}

fn announce(bridge: &BridgeHandle) {
    if let Some(note) = bridge.note() {
        tracing::warn!("{note}");
    }
    tracing::info!(backend = %bridge.backend(), "serving");
    for uri in bridge.uris() {
        println!("listening {uri}");
    }
    if let Some(at) = bridge.metrics() {
        println!("metrics http://{at}/metrics");
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn listen() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// SIGHUP on the way makes the bridge look for what others have changed.
    async fn asked_to_end(&mut self, bridge: &BridgeHandle) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hang_up.recv() => bridge.look_for_changes(),
            }
        }
    }
}
