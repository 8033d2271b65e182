//! How connections end: by either side, by a violation, by a drain.

use std::sync::Arc;

use secure9p_tokio::Limits;
use tokio::io::AsyncWriteExt;
use tracing::Level;

use crate::{
    lines::Hive,
    log::Log,
    world::{connected, dialled, embedded, tcp, within},
};

/// Proves PIPE-10.
#[tokio::test]
async fn a_violation_closes_that_connection_only_and_logs_one_line() {
    let (log, _guard) = Log::capture(Level::WARN);
    let (_server, address) = tcp(&Arc::<Hive>::default(), Limits::default()).await;
    let mut good = connected(&address).await;
    good.attach().await;
    let mut bad = connected(&address).await;
    let at = bad.0.local_addr().unwrap();
    bad.send("attach\necho before\nviolate\necho after\n").await;
    assert_eq!(bad.rest().await, b"attached\nbefore\n");
    good.send("echo fine\n").await;
    good.expect("fine\n").await;
    let lines = log.lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    let wanted = format!("connection closed: no such line; last: \"violate\" peer=\"tcp {at}\"");
    assert!(lines[0].ends_with(&wanted), "{}", lines[0]);
}

/// Proves PIPE-11.
#[tokio::test]
async fn a_drain_answers_what_was_asked_and_reads_no_more() {
    let hive = Arc::<Hive>::default();
    let (mut server, address) = tcp(&hive, Limits::default()).await;
    let mut peer = connected(&address).await;
    peer.attach().await;
    peer.send("owe\ngive 1000000\n").await;
    peer.expect("xxxx").await;
    server.tell();
    // the listener goes first: once nobody can connect, the drain has begun
    while tokio::net::TcpStream::connect(&address).await.is_ok() {}
    peer.send("echo too late\n").await;
    hive.pay();
    let rest = peer.rest().await;
    assert_eq!(rest.len(), 1_000_000 - 4 + "paid\n".len());
    drop(peer);
    server.ended().await;
    assert_eq!(hive.open_count(), 0);
}

/// Proves PIPE-11.
#[tokio::test(start_paused = true)]
async fn a_drain_waits_no_longer_than_its_timeout() {
    let (mut server, dialer) = embedded(&Arc::<Hive>::default(), Limits::default());
    let mut peer = dialled(&dialer).await;
    peer.attach().await;
    peer.send("owe\n").await;
    peer.send("echo in order\n").await;
    peer.expect("in order\n").await;
    let start = tokio::time::Instant::now();
    server.tell();
    server.ended().await;
    assert_eq!(start.elapsed(), Limits::default().drain_timeout);
    assert_eq!(peer.rest().await, b"");
}

/// Proves PIPE-11.
#[tokio::test]
async fn an_abandoned_server_closes_everything() {
    let hive = Arc::<Hive>::default();
    let (server, address) = tcp(&hive, Limits::default()).await;
    let mut peer = connected(&address).await;
    peer.attach().await;
    server.abandon();
    assert_eq!(peer.rest().await, b"");
}

/// Proves PIPE-12.
#[tokio::test]
async fn a_peer_that_has_said_its_last_word_still_gets_its_answers() {
    let hive = Arc::<Hive>::default();
    let (_server, address) = tcp(&hive, Limits::default()).await;
    let mut peer = connected(&address).await;
    peer.send("attach\ngive 300000\nowe\n").await;
    peer.0.shutdown().await.unwrap();
    peer.expect("attached\nxxxx").await;
    hive.pay();
    let rest = peer.rest().await;
    assert_eq!(rest.len(), 300_000 - 4 + "paid\n".len());
    within(async {
        while hive.open_count() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// Proves PIPE-13.
#[tokio::test]
async fn a_service_can_close_a_connection_through_another_s_doing() {
    let hive = Arc::<Hive>::default();
    let (_server, address) = tcp(&hive, Limits::default()).await;
    let (mut first, mut second) = (connected(&address).await, connected(&address).await);
    first.attach().await;
    second.attach().await;
    let wake = hive.wakes.lock().unwrap()[0].clone();
    wake.close("ticket 1234abcd was revoked");
    assert_eq!(first.rest().await, b"");
    second.send("echo here\n").await;
    second.expect("here\n").await;
    wake.close("again, to no effect");
}

/// Proves PIPE-13.
#[tokio::test(start_paused = true)]
async fn a_ring_after_the_farewell_does_no_harm() {
    let hive = Arc::<Hive>::default();
    let (_server, dialer) = embedded(&hive, Limits::default());
    let mut peer = dialled(&dialer).await;
    peer.attach().await;
    peer.send("owe\n").await;
    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    hive.wakes.lock().unwrap()[0].close("kill worker-7");
    assert_eq!(peer.rest().await, b"");
    hive.pay();
    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    assert_eq!(hive.open_count(), 1, "it still waits for the peer's farewell");
    drop(peer);
    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    assert_eq!(hive.open_count(), 0);
}
