//! Keeps a connection to another server, for a hive that mounts it: dials, moves bytes, dials again with growing patience.
//!
//! ```text
//!           dialled                     end of stream, broken protocol, Event::HangUp
//! dialling ─────────▶ upstream_connected ─────────────────────────────▶ upstream_lost ─┐
//!    ▲ ▲── failed: wait 0.1 s, then twice as long each time, 10 s at most               │
//!    └────────────────────────── wait, unless it had been up ◀─────────────────────────┘
//! ```

use std::time::Duration;

use ninedoor::UpstreamId;
use secure9p_tokio::{ConnectOptions, Uri, dial};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split},
    time::sleep,
};
use tracing::{info, warn};

use crate::{
    hive::{Bell, Hive},
    provider::LocalProvider,
};

/// First wait after a failure.
const PATIENCE_MIN: Duration = Duration::from_millis(100);
/// Longest wait.
const PATIENCE_MAX: Duration = Duration::from_secs(10);
/// Bytes moved at a time.
const CHUNK_BYTES: usize = 256 * 1024;

/// A server to be mounted.
#[derive(Debug, Clone)]
pub struct BridgeLink {
    /// By which name `/queen/ctl` knows it.
    pub service: String,
    /// Where it is.
    pub uri: Uri,
    /// What to attach with; empty where none is needed.
    pub ticket: String,
    /// How to connect.
    pub options: ConnectOptions,
}

/// Stays connected to a server, for ever.
pub(crate) async fn stay_connected<P: LocalProvider>(
    hive: Hive<P>,
    upstream: UpstreamId,
    link: BridgeLink,
) {
    let bell = hive.bell(upstream);
    let mut patience = PATIENCE_MIN;
    loop {
        match dial(&link.uri, &link.options).await {
            Ok(stream) => {
                info!(service = link.service, uri = %link.uri, "connected");
                bell.take_hang_up();
                hive.with(|server, _, now| server.upstream_connected(upstream, now));
                let (reads, writes) = split(stream);
                let why = tokio::select! {
                    why = take(&hive, upstream, reads) => why,
                    why = give(&hive, upstream, &bell, writes) => why,
                };
                let was_up = hive.with(|server, _, now| {
                    let was_up = server.upstream_is_up(upstream);
                    server.upstream_lost(upstream, &why, now);
                    was_up
                });
                warn!(service = link.service, uri = %link.uri, "lost: {why}");
                if was_up {
                    patience = PATIENCE_MIN;
                }
            }
            Err(cause) => {
                warn!(service = link.service, "{cause}; next try in {} ms", patience.as_millis())
            }
        }
        sleep(patience).await;
        patience = (patience * 2).min(PATIENCE_MAX);
    }
}

/// Bytes of the server into the hive, until there are no more.
async fn take<P: LocalProvider, S>(
    hive: &Hive<P>,
    upstream: UpstreamId,
    mut reads: ReadHalf<S>,
) -> String
where
    ReadHalf<S>: AsyncReadExt + Unpin,
{
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let count = match reads.read(&mut chunk).await {
            Ok(0) => return "it closed the connection".to_owned(),
            Ok(count) => count,
            Err(cause) => return cause.to_string(),
        };
        let bytes = chunk.get(..count).unwrap_or_default();
        if let Err(closed) =
            hive.with(|server, _, now| server.upstream_receive(upstream, bytes, now))
        {
            return closed.why;
        }
    }
}

/// Bytes of the hive to the server, whenever the bell rings.
async fn give<P: LocalProvider, S>(
    hive: &Hive<P>,
    upstream: UpstreamId,
    bell: &Bell,
    mut writes: WriteHalf<S>,
) -> String
where
    WriteHalf<S>: AsyncWriteExt + Unpin,
{
    loop {
        loop {
            let chunk = hive.with(|server, _, now| {
                let bytes = server.upstream_transmit(upstream);
                let chunk = bytes.get(..bytes.len().min(CHUNK_BYTES)).unwrap_or_default().to_vec();
                server.upstream_sent(upstream, chunk.len(), now);
                chunk
            });
            if chunk.is_empty() {
                break;
            }
            let written = async {
                writes.write_all(&chunk).await?;
                writes.flush().await
            };
            if let Err(cause) = written.await {
                return cause.to_string();
            }
        }
        bell.rung.notified().await;
        if let Some(why) = bell.take_hang_up() {
            return why;
        }
    }
}
