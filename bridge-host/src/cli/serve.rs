//! `serve`: a bridge until a signal ends it.
//!
//! ```text
//!   serving ─SIGTERM, SIGINT─▶ draining (nothing new; jobs go on) ─all ended─▶ stopped
//!      │                           └────────── a second one ──────────────────▶ stopped
//!      └─ SIGHUP: settings are read again; revoked tickets and rotated secrets are looked for
//! ```

use std::{future::pending, time::Duration};

use tokio::{
    runtime::Builder,
    signal::unix::{Signal, SignalKind, signal},
    time::{Interval, MissedTickBehavior, interval},
};

use super::{ServeWords, log, manager::Manager};
use crate::{Bridge, BridgeHandle, Config, Pulse};

pub(super) fn serve(words: &ServeWords) -> anyhow::Result<()> {
    let config = words.settle()?;
    log::start();
    secure9p_tokio::raise_descriptor_limit();
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(until_ended(words, config));
    // A driver that does not answer must not keep a bridge that has ended.
    runtime.shutdown_timeout(Duration::from_secs(1));
    ended
}

async fn until_ended(words: &ServeWords, config: Config) -> anyhow::Result<()> {
    let mut signals = Signals::listen()?;
    let manager = Manager::of_this_process();
    let bridge = Bridge::start(config).await?;
    let status = announce(&bridge);
    manager.ready(&status);
    let mut life = Life::of(&bridge, &manager);
    let reload = || {
        manager.reloading();
        reload(words, &bridge);
        manager.ready(&status);
    };
    signals.asked_to_end(&mut life, &manager, reload).await;
    tracing::info!("draining: nothing new is taken; a second signal stops at once");
    manager.stopping("draining: jobs that were accepted go on to their end");
    tokio::select! {
        () = bridge.drain() => {}
        () = signals.asked_to_end(&mut life, &manager, || ()) => {
            tracing::info!("stopping: jobs that still run are lost");
        }
    }
    manager.stopping("stopping");
    bridge.stop().await;
    Ok(())
}

fn announce(bridge: &BridgeHandle) -> String {
    if let Some(note) = bridge.note() {
        tracing::warn!("{note}");
    }
    tracing::info!(backend = %bridge.backend(), "serving");
    let uris: Vec<_> = bridge.uris().iter().map(ToString::to_string).collect();
    for uri in &uris {
        println!("listening {uri}");
    }
    if let Some(at) = bridge.metrics() {
        println!("metrics http://{at}/metrics");
    }
    format!("serving {} GPUs on {}", bridge.backend(), uris.join(" "))
}

/// Reads the settings again: what can change does, what cannot is named, and what is wrong changes nothing.
fn reload(words: &ServeWords, bridge: &BridgeHandle) {
    bridge.look_for_changes();
    let outcome = words.settle().and_then(|wanted| Ok(bridge.reload(&wanted)?));
    match outcome {
        Ok(reloaded) => {
            tracing::info!(applied = ?reloaded.applied, "settings were read again");
            if !reloaded.left.is_empty() {
                tracing::warn!(left = ?reloaded.left, "these settings change at the next start only");
            }
        }
        Err(error) => {
            let why = format!("{error:#}");
            tracing::error!(%why, "the new settings are wrong, the old ones stay");
            bridge.reload_refused(&why);
        }
    }
}

/// The signs of life that the service manager waits for.
struct Life {
    pulse: Pulse,
    patience: Duration,
    rounds: Option<Interval>,
}

impl Life {
    fn of(bridge: &BridgeHandle, manager: &Manager) -> Self {
        let patience = manager.watchdog().unwrap_or(Duration::MAX);
        let rounds = manager.watchdog().map(|period| {
            let mut rounds = interval(period / 2);
            rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
            rounds
        });
        Self { pulse: bridge.pulse(), patience, rounds }
    }

    async fn round(&mut self) {
        match &mut self.rounds {
            Some(rounds) => drop(rounds.tick().await),
            None => pending().await,
        }
    }

    /// Gives one, where there is life.
    fn show(&self, manager: &Manager) {
        if self.pulse.beats(self.patience) {
            manager.alive();
        } else {
            tracing::error!("timers are not kept: no sign of life is given");
        }
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

    /// Shows life on the way, and does what SIGHUP asks for.
    async fn asked_to_end(&mut self, life: &mut Life, manager: &Manager, hung_up: impl Fn()) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hang_up.recv() => hung_up(),
                () = life.round() => life.show(manager),
            }
        }
    }
}
