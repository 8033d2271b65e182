//! Many calls at once, and calls that are given up.

use std::{sync::Arc, time::Duration};

use secure9p::{Errno, OpenFlags, Rmessage, Tmessage};
use secure9p_tokio::{Cause, ConnectOptions};
use tokio::task::JoinSet;

use crate::{
    script::Script,
    toy::{attached, quiet},
};

fn impatient() -> ConnectOptions {
    ConnectOptions { call_timeout: Some(Duration::from_secs(3)), ..ConnectOptions::default() }
}

/// Proves PIPE-19.
#[tokio::test(start_paused = true)]
async fn calls_do_not_wait_for_each_other_and_answers_find_their_callers() {
    let (root, mut script) = Script::attached(ConnectOptions::default()).await;
    let mut asking = JoinSet::new();
    for number in 0..10_u64 {
        let root = root.clone();
        asking.spawn(async move { (number, root.stat(&format!("/{number}")).await) });
    }
    let mut walks = Vec::new();
    for _ in 0..10 {
        walks.push(script.hear().await);
    }
    // the last to ask is the first to be answered
    for (tag, message) in walks.into_iter().rev() {
        let Tmessage::Walk { wname, .. } = message else { panic!("{message:?}") };
        script.refuse(tag, Errno(1000 + wname[0].parse::<u32>().unwrap())).await;
    }
    for (number, outcome) in asking.join_all().await {
        let errno = outcome.unwrap_err().errno().unwrap();
        assert_eq!(u64::from(errno.0), 1000 + number);
    }
}

/// Proves PIPE-20.
#[tokio::test(start_paused = true)]
async fn a_bound_on_calls_makes_callers_wait_not_fail() {
    let options = ConnectOptions { calls_max: 3, ..ConnectOptions::default() };
    let (toy, root) = attached(options).await;
    let root = Arc::new(root);
    let mut reading = JoinSet::new();
    for _ in 0..100 {
        let root = Arc::clone(&root);
        reading.spawn(async move { root.read("/hello").await.unwrap().len() });
    }
    assert_eq!(reading.join_all().await, [13; 100]);
    quiet().await;
    assert_eq!(toy.live_nodes(), 1);
}

/// Proves PIPE-19, PIPE-20.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_threads_share_one_connection() {
    let options = ConnectOptions { calls_max: 8, ..ConnectOptions::default() };
    let (_toy, root) = attached(options).await;
    let mut working = JoinSet::new();
    for worker in 0..8 {
        let root = root.clone();
        working.spawn(async move {
            for round in 0..20 {
                let (path, data) = (format!("/dir/{worker}"), format!("{worker} {round}"));
                root.put(&path, data.as_bytes()).await.unwrap();
                assert_eq!(root.read(&path).await.unwrap(), data.as_bytes());
                // given up at some moment or other
                drop(tokio::time::timeout(Duration::ZERO, root.read("/big")).await);
                root.remove(&path).await.unwrap();
            }
        });
    }
    working.join_all().await;
    assert_eq!(root.list("/dir").await.unwrap().len(), 3);
}

/// Proves PIPE-21.
#[tokio::test(start_paused = true)]
async fn a_call_that_is_given_up_is_flushed_and_its_fid_is_not_lost() {
    let (root, mut script) = Script::attached(ConnectOptions::default()).await;
    let asking = tokio::spawn({
        let root = root.clone();
        async move { root.stat("/slow").await }
    });
    let (walk_tag, walk) = script.hear().await;
    let Tmessage::Walk { newfid, .. } = walk else { panic!("{walk:?}") };
    asking.abort();
    let (flush_tag, flush) = script.hear().await;
    assert_eq!(flush, Tmessage::Flush { oldtag: walk_tag });
    // the walk succeeds after all, before the flush is answered: there is a fid that nobody wants
    script.say(walk_tag, Rmessage::Walk { wqid: vec![secure9p::Qid::file(1)] }).await;
    script.say(flush_tag, Rmessage::Flush {}).await;
    let (tag, clunk) = script.hear().await;
    assert_eq!(clunk, Tmessage::Clunk { fid: newfid });
    script.say(tag, Rmessage::Clunk {}).await;
    quiet().await;

    let _asking = tokio::spawn(async move { root.stat("/again").await });
    let (_, walk) = script.hear().await;
    assert!(matches!(walk, Tmessage::Walk { newfid: again, .. } if again == newfid), "{walk:?}");
}

/// Proves PIPE-21.
#[tokio::test(start_paused = true)]
async fn a_call_that_takes_too_long_is_given_up_with_that_error() {
    let (root, mut script) = Script::attached(impatient()).await;
    let asking = tokio::spawn(async move { root.stat("/slow").await });
    let (walk_tag, _) = script.hear().await;
    let late = asking.await.unwrap().unwrap_err();
    assert_eq!(late.to_string(), "cannot stat /slow: no answer within 3000 ms");
    assert_eq!(late.cause, Cause::TimedOut(Duration::from_secs(3)));
    assert_eq!(script.hear().await.1, Tmessage::Flush { oldtag: walk_tag });
}

/// Proves PIPE-22.
#[tokio::test(start_paused = true)]
async fn what_the_server_says_to_a_clunk_is_told() {
    let (root, mut script) = Script::attached(ConnectOptions::default()).await;
    let writing = tokio::spawn(async move { root.write("/bundles/x", b"data").await });
    script.grant_walk().await;
    script.grant_open().await;
    let (tag, _) = script.hear().await;
    script.say(tag, Rmessage::Write { count: 4 }).await;
    let (tag, clunk) = script.hear().await;
    assert!(matches!(clunk, Tmessage::Clunk { .. }), "{clunk:?}");
    script.refuse(tag, Errno::EDQUOT).await;
    let refused = writing.await.unwrap().unwrap_err().to_string();
    assert_eq!(refused, "cannot write /bundles/x: EDQUOT (quota exceeded)");
}

/// Proves PIPE-22.
#[tokio::test(start_paused = true)]
async fn a_close_that_takes_too_long_still_happens() {
    let (root, mut script) = Script::attached(impatient()).await;
    let opening = tokio::spawn({
        let root = root.clone();
        async move { root.open("/x", OpenFlags::RDONLY).await }
    });
    script.grant_walk().await;
    script.grant_open().await;
    let file = opening.await.unwrap().unwrap();
    let closing = tokio::spawn(file.close());
    let (tag, clunk) = script.hear().await;
    assert!(matches!(clunk, Tmessage::Clunk { .. }), "{clunk:?}");
    let late = closing.await.unwrap().unwrap_err().to_string();
    assert_eq!(late, "cannot close /x: no answer within 3000 ms");
    // no Tflush: only the clunk's own answer tells when the fid is free
    script.say(tag, Rmessage::Clunk {}).await;
    drop(root);
    let (_, next) = script.hear().await;
    assert!(matches!(next, Tmessage::Clunk { .. }), "the root's, and no Tflush: {next:?}");
}
