//! Ctrl-C: the first ends the command, which gives back what it borrowed; a second meanwhile ends the program at once.

use std::sync::Arc;

use tokio::sync::watch;

use crate::error::ErrorKind;

/// Tells a command that its operator wants it to end.
#[derive(Debug, Clone)]
pub struct Interrupt(Arc<watch::Sender<bool>>);

impl Interrupt {
    /// Raised by Ctrl-C from now on.
    #[must_use]
    pub fn of_process() -> Self {
        let interrupt = Self::never();
        let raise = interrupt.0.clone();
        tokio::spawn(async move {
            while tokio::signal::ctrl_c().await.is_ok() {
                if raise.send_replace(true) {
                    std::process::exit(i32::from(ErrorKind::Interrupted.exit_code()));
                }
            }
        });
        interrupt
    }

    /// Never raised.
    #[must_use]
    pub fn never() -> Self {
        Self(Arc::new(watch::channel(false).0))
    }

    /// Forgets what was raised before now: a new command begins.
    pub fn forget(&self) {
        self.0.send_replace(false);
    }

    /// Resolves when it is raised.
    pub async fn raised(&self) {
        let waited = self.0.subscribe().wait_for(|raised| *raised).await.is_ok();
        debug_assert!(waited, "the sender lives as long as self");
    }
}
