//! Connections inside one process: a listener without a socket, and the dialler that reaches it.

use tokio::{
    io::{DuplexStream, duplex},
    sync::mpsc,
};

use crate::limits::{MEMORY_BACKLOG, MEMORY_PAIR_BYTES};

/// Opens connections to the in-memory listener it was made with.
#[derive(Debug, Clone)]
pub struct Dialer(mpsc::Sender<DuplexStream>);

/// The in-memory listener is gone: its server has shut down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server in this process has shut down")]
pub struct DialRefused;

impl Dialer {
    /// Our end of a fresh connection; waits while too many others wait to be accepted.
    pub async fn dial(&self) -> Result<DuplexStream, DialRefused> {
        let (ours, theirs) = duplex(MEMORY_PAIR_BYTES);
        self.0.send(theirs).await.map_err(|_| DialRefused)?;
        Ok(ours)
    }
}

/// The accepting side.
#[derive(Debug)]
pub(crate) struct MemoryListener(mpsc::Receiver<DuplexStream>);

impl MemoryListener {
    pub(crate) fn new() -> (Self, Dialer) {
        let (sender, receiver) = mpsc::channel(MEMORY_BACKLOG);
        (Self(receiver), Dialer(sender))
    }

    /// The next connection; never again once every dialler is gone.
    pub(crate) async fn accept(&mut self) -> DuplexStream {
        match self.0.recv().await {
            Some(stream) => stream,
            None => std::future::pending().await,
        }
    }
}
