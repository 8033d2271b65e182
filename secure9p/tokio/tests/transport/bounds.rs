//! Too many peers, too many bytes: what is refused, and that nobody else pays for it.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use secure9p_tokio::Limits;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    task::JoinSet,
    time::sleep,
};

use crate::{
    lines::{Hive, PIECE_BYTES},
    world::{connected, dialled, embedded, tcp, within},
};

/// Proves PIPE-5.
#[tokio::test]
async fn a_thousand_connects_at_once_are_all_served() {
    secure9p_tokio::raise_descriptor_limit();
    let (_server, address) = tcp(&Arc::<Hive>::default(), Limits::default()).await;
    let mut peers = JoinSet::new();
    for number in 0..1000 {
        let address = address.clone();
        peers.spawn(async move {
            let mut peer = connected(&address).await;
            peer.attach().await;
            peer.send(&format!("echo {number}\n")).await;
            peer.expect(&format!("{number}\n")).await;
            peer
        });
    }
    let open = within(peers.join_all()).await;
    assert_eq!(open.len(), 1000);
}

/// Proves PIPE-7.
#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_is_not_read_from() {
    let hive = Arc::<Hive>::default();
    let (_server, dialer) = embedded(&hive, Limits::default());
    let mut greedy = dialled(&dialer).await;
    greedy.attach().await;
    let gave = 16 * PIECE_BYTES;
    greedy.send(&format!("give {gave}\n")).await;
    // its replies fill the pair and one piece beside it; then its further requests are left where they are
    let asked = "echo and another thing\n".repeat(50_000);
    let (mut from, mut to) = tokio::io::split(greedy.0);
    let asking = tokio::spawn(async move {
        to.write_all(asked.as_bytes()).await.unwrap();
        to
    });
    // on a paused clock this is until nothing moves any more
    sleep(Duration::from_secs(1)).await;
    assert!(!asking.is_finished());

    let mut heard = vec![0; gave];
    within(from.read_exact(&mut heard)).await.unwrap();
    assert!(heard.iter().all(|byte| *byte == b'x'));
    let mut answers = vec![0; "and another thing\n".len() * 50_000];
    within(from.read_exact(&mut answers)).await.unwrap();
    within(asking).await.unwrap();
}

/// Proves PIPE-7.
#[tokio::test]
async fn a_service_that_wants_no_more_is_given_no_more_until_it_wakes() {
    let hive = Arc::<Hive>::default();
    let (_server, dialer) = embedded(&hive, Limits::default());
    let mut peer = dialled(&dialer).await;
    peer.attach().await;
    peer.send("owe\nbusy\n").await;
    let mut other = dialled(&dialer).await;
    other.attach().await;
    peer.send("echo after\n").await;
    other.send("echo meanwhile\n").await;
    other.expect("meanwhile\n").await;
    hive.pay();
    peer.expect("paid\nafter\n").await;
}

/// Proves PIPE-8.
#[tokio::test]
async fn a_place_is_free_again_when_its_peer_has_left() {
    let hive = Arc::<Hive>::default();
    let limits = Limits { connections_per_peer_max: 1, ..Limits::default() };
    let (_server, address) = tcp(&hive, limits).await;
    for _ in 0..3 {
        let mut peer = connected(&address).await;
        peer.attach().await;
        peer.0.shutdown().await.unwrap();
        assert_eq!(peer.rest().await, b"");
    }
    assert_eq!(hive.open.load(Ordering::SeqCst), 0);
    assert_eq!(hive.peers.lock().unwrap().len(), 3);
}
