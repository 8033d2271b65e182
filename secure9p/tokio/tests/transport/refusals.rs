//! Peers that are not let in, and what they are told.

use std::{sync::Arc, time::Duration};

use secure9p::{Dialect, Errno, Rmessage, Tag, Tmessage};
use secure9p_tokio::Limits;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    time::Instant,
};

use crate::{
    lines::Hive,
    world::{RawPeer, connected, dialled, embedded, tcp, within},
};

fn tversion(version: &str) -> Vec<u8> {
    let mut frame = Vec::new();
    let message = Tmessage::Version { msize: 8192, version: version.to_owned() };
    message.encode(Tag::NOTAG, Dialect::Linux, 8192, &mut frame).unwrap();
    frame
}

async fn answer(peer: &mut RawPeer<DuplexStream>, version: &str, dialect: Dialect) -> Rmessage {
    peer.0.write_all(&tversion(version)).await.unwrap();
    let (tag, message) = Rmessage::decode(&peer.rest().await, dialect).unwrap();
    assert_eq!(tag, Tag::NOTAG);
    message
}

/// A server with one place, which is taken.
async fn full_house() -> (impl Sized, secure9p_tokio::Dialer) {
    let limits = Limits { connections_max: 1, ..Limits::default() };
    let (server, dialer) = embedded(&Arc::<Hive>::default(), limits);
    let mut first = dialled(&dialer).await;
    first.attach().await;
    ((server, first), dialer)
}

/// Proves PIPE-8.
#[tokio::test]
async fn one_peer_too_many_is_told_so_in_its_own_dialect() {
    let (_house, dialer) = full_house().await;
    let mut linux = dialled(&dialer).await;
    let told = answer(&mut linux, "9P2000.L", Dialect::Linux).await;
    assert_eq!(told, Rmessage::Lerror { ecode: Errno::EAGAIN });
    let mut plan9 = dialled(&dialer).await;
    let told = answer(&mut plan9, "9P2000", Dialect::Plan9).await;
    let why = "1 connections are open, the most this server takes; close one, or try again later";
    assert_eq!(told, Rmessage::Error { ename: why.to_owned() });
}

/// Proves PIPE-8.
#[tokio::test]
async fn one_party_too_greedy_is_told_so_and_others_are_served() {
    let hive = Arc::<Hive>::default();
    let limits = Limits { connections_per_peer_max: 2, ..Limits::default() };
    let (_server, address) = tcp(&hive, limits).await;
    let (mut first, mut second) = (connected(&address).await, connected(&address).await);
    first.attach().await;
    second.attach().await;
    let mut third = connected(&address).await;
    third.0.write_all(&tversion("9P2000.L")).await.unwrap();
    let (_, told) = Rmessage::decode(&third.rest().await, Dialect::Linux).unwrap();
    assert_eq!(told, Rmessage::Lerror { ecode: Errno::EAGAIN });
    drop((first, third));
    within(async {
        while hive.open_count() > 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    connected(&address).await.attach().await;
}

/// Proves PIPE-8.
#[tokio::test]
async fn a_service_may_refuse_a_peer_with_its_own_reason() {
    let hive = Arc::new(Hive::refusing(Errno::EACCES, "three attaches failed; wait 90 s"));
    let (_server, dialer) = embedded(&hive, Limits::default());
    let mut peer = dialled(&dialer).await;
    let told = answer(&mut peer, "9P2000", Dialect::Plan9).await;
    assert_eq!(told, Rmessage::Error { ename: "three attaches failed; wait 90 s".to_owned() });
}

/// Proves PIPE-8.
#[tokio::test(start_paused = true)]
async fn a_refused_peer_that_says_nothing_costs_no_more_than_a_moment() {
    let (_house, dialer) = full_house().await;
    let start = Instant::now();
    let mut silent = dialled(&dialer).await;
    assert_eq!(silent.rest().await, b"");
    assert_eq!(start.elapsed(), Duration::from_secs(2));

    let mut rambling = dialled(&dialer).await;
    rambling.0.write_all(&[0xff; 300]).await.unwrap();
    assert_eq!(rambling.rest().await, b"");
    assert!(start.elapsed() < Duration::from_secs(3));
}

/// Proves PIPE-8.
#[tokio::test(start_paused = true)]
async fn a_crowd_of_refused_peers_is_closed_without_a_word() {
    let (_house, dialer) = full_house().await;
    let start = Instant::now();
    let mut crowd = Vec::new();
    for _ in 0..65 {
        crowd.push(dialled(&dialer).await);
    }
    let mut last = crowd.pop().unwrap();
    assert_eq!(within(last.0.read(&mut [0])).await.unwrap(), 0);
    assert_eq!(start.elapsed(), Duration::ZERO);
}
