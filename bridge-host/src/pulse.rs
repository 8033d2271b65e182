//! Whether the daemon lives: its lock can be had, its dispatcher answers, its timer keeps up.
//!
//! For whoever must tell a daemon that works from one that only exists: the watchdog of a service manager.

use std::time::Duration;

use ninedoor_abi::MonoUs;

use crate::bridge::BridgeHive;

/// Feels the pulse of one bridge.
#[derive(Debug, Clone)]
pub struct Pulse(pub(crate) BridgeHive);

impl Pulse {
    /// Waits for the lock, asks the dispatcher what is due, and says whether that is being kept up with: a deadline that is past by
    /// `patience` means that nobody looks at the clock. Does not return while something holds the lock.
    #[must_use]
    pub fn beats(&self, patience: Duration) -> bool {
        self.0.with(|_, publisher, now| {
            let late = lateness(publisher.dispatcher.next_deadline(now), now.mono_us);
            late < patience
        })
    }
}

fn lateness(due: Option<MonoUs>, now: MonoUs) -> Duration {
    Duration::from_micros(due.map_or(0, |due| now.us_since(due)))
}

#[cfg(test)]
mod tests {
    use std::{path::PathBuf, sync::mpsc, thread};

    use secure9p_tokio::Uri;

    use super::*;
    use crate::{BackendChoice, Bridge, Config};

    /// Proves CONF-6.
    #[tokio::test(flavor = "multi_thread")]
    async fn there_is_no_pulse_while_something_holds_the_lock() {
        let place = tempfile::tempdir().unwrap();
        let mut config = Config {
            backend: BackendChoice::Mock,
            listen: vec![Uri::Embedded],
            state_dir: place.path().join("state"),
            ..Config::default()
        };
        config.executors.spares = 0;
        config.executors.program = Some(PathBuf::from("/bin/false"));
        let bridge = Bridge::start(config).await.unwrap();
        let pulse = bridge.pulse();
        assert!(pulse.beats(Duration::from_secs(60)));

        let (events, heard) = mpsc::channel();
        let (stuck, felt) = (pulse.clone(), pulse);
        let (release, released) = mpsc::channel::<()>();
        let (holds, held) = mpsc::channel();
        let said = events.clone();
        let holder = thread::spawn(move || {
            stuck.0.with(|_, _, _| {
                holds.send(()).unwrap();
                released.recv().unwrap();
                said.send("let go").unwrap();
            });
        });
        held.recv().unwrap();
        let (asks, asked) = mpsc::channel();
        let feeler = thread::spawn(move || {
            asks.send(()).unwrap();
            assert!(felt.beats(Duration::from_secs(60)));
            events.send("beat").unwrap();
        });
        asked.recv().unwrap();
        release.send(()).unwrap();
        assert_eq!((heard.recv(), heard.recv()), (Ok("let go"), Ok("beat")));
        holder.join().unwrap();
        feeler.join().unwrap();
    }

    /// Proves CONF-6.
    #[test]
    fn a_deadline_that_nobody_kept_shows_how_late_it_is() {
        let now = MonoUs(5_000_000);
        assert_eq!(lateness(None, now), Duration::ZERO);
        assert_eq!(lateness(Some(MonoUs(9_000_000)), now), Duration::ZERO);
        assert_eq!(lateness(Some(MonoUs(2_000_000)), now), Duration::from_secs(3));
    }
}
