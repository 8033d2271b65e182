//! Peers that take their time, on a clock that the runtime moves on when nothing else happens.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use secure9p_tokio::Limits;
use tokio::time::{Instant, advance, sleep};
use tracing::Level;

use crate::{
    lines::Hive,
    log::Log,
    world::{dialled, embedded},
};

const SECOND: Duration = Duration::from_secs(1);

fn limits() -> Limits {
    Limits { handshake_timeout: 10 * SECOND, stall_timeout: 30 * SECOND, ..Limits::default() }
}

/// Proves PIPE-6.
#[tokio::test(start_paused = true)]
async fn a_peer_that_never_attaches_is_closed_after_the_handshake_timeout() {
    let (log, _guard) = Log::capture(Level::INFO);
    let (_server, dialer) = embedded(&Arc::<Hive>::default(), limits());
    let start = Instant::now();
    let mut peer = dialled(&dialer).await;
    peer.send("echo busy doing nothing\n").await;
    assert_eq!(peer.rest().await, b"busy doing nothing\n");
    assert_eq!(start.elapsed().as_secs(), 10);
    let lines = log.lines();
    assert!(lines[0].contains("nobody attached within the handshake timeout"), "{lines:?}");
}

/// Proves PIPE-6.
#[tokio::test(start_paused = true)]
async fn an_attached_peer_may_be_silent_for_ever_unless_told_otherwise() {
    let (_server, dialer) = embedded(&Arc::<Hive>::default(), limits());
    let mut peer = dialled(&dialer).await;
    peer.attach().await;
    advance(365 * 24 * 3600 * SECOND).await;
    peer.send("echo still here\n").await;
    peer.expect("still here\n").await;
}

/// Proves PIPE-30.
#[tokio::test(start_paused = true)]
async fn a_connection_that_is_still_gives_back_memory_when_others_come() {
    let hive = Arc::<Hive>::default();
    let (_server, dialer) = embedded(&hive, limits());
    let (mut still, mut busy) = (dialled(&dialer).await, dialled(&dialer).await);
    still.attach().await;
    busy.attach().await;
    for rests in [0, 1, 1, 1] {
        sleep(10 * SECOND).await;
        busy.send("echo busy\n").await;
        busy.expect("busy\n").await;
        dialled(&dialer).await.attach().await;
        assert_eq!(hive.rests.load(Ordering::SeqCst), rests);
    }
}

/// Proves PIPE-6.
#[tokio::test(start_paused = true)]
async fn an_idle_timeout_counts_from_the_last_word() {
    let limits = Limits { idle_timeout: Some(60 * SECOND), ..limits() };
    let (_server, dialer) = embedded(&Arc::<Hive>::default(), limits);
    let mut peer = dialled(&dialer).await;
    peer.attach().await;
    for _ in 0..3 {
        sleep(50 * SECOND).await;
        peer.send("echo here\n").await;
        peer.expect("here\n").await;
    }
    let last_word = Instant::now();
    assert_eq!(peer.rest().await, b"");
    assert_eq!(last_word.elapsed().as_secs(), 60);
}

/// Proves PIPE-7.
#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_no_replies_is_closed_and_others_never_notice() {
    let hive = Arc::<Hive>::default();
    let (_server, dialer) = embedded(&hive, limits());
    let mut slow = dialled(&dialer).await;
    slow.attach().await;
    slow.send("give 100000000\n").await;
    let start = Instant::now();

    let mut brisk = dialled(&dialer).await;
    brisk.attach().await;
    sleep(29 * SECOND).await;
    assert_eq!(hive.open_count(), 2);
    brisk.send("echo hello\n").await;
    brisk.expect("hello\n").await;
    sleep(2 * SECOND).await;
    assert_eq!(hive.open_count(), 1);
    assert_eq!(start.elapsed().as_secs(), 31);
    brisk.send("echo hello again\n").await;
    brisk.expect("hello again\n").await;
}
