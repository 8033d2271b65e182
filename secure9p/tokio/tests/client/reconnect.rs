//! Connections that are lost and made again: what is repeated, and what must not be.

use std::{sync::Arc, time::Duration};

use secure9p::{Errno, OpenFlags};
use secure9p_tokio::{Cause, ConnectOptions, Listener, Reconnecting, Retry, Uri};
use tokio::time::Instant;

use crate::toy::{Toy, embedded, quiet, reaching, start};

fn reconnecting(options: ConnectOptions) -> Reconnecting {
    Reconnecting::new(Uri::Embedded, options, Retry::default(), "queen", "")
}

/// Proves PIPE-27.
#[tokio::test(start_paused = true)]
async fn reading_goes_on_over_the_next_connection() {
    let toy = Toy::new();
    let (_server, dialer) = embedded(&toy);
    let tree = reconnecting(reaching(&dialer));
    let file = tree.open("/hello", OpenFlags::RDONLY).await.unwrap();
    assert_eq!(file.read_at(0, 5).await.unwrap(), b"hello");
    toy.cut();
    assert_eq!(file.read_at(7, 5).await.unwrap(), b"world");
    toy.cut();
    quiet().await;
    assert_eq!(tree.list("/dir").await.unwrap().len(), 3);
    assert_eq!(tree.stat("/hello").await.unwrap().size, 13);
    drop((file, tree));
    quiet().await;
    assert_eq!(toy.live_nodes(), 0);
}

/// Proves PIPE-27.
#[tokio::test(start_paused = true)]
async fn what_begins_while_there_is_no_server_waits_for_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("hive.sock");
    let uri: Uri = format!("unix://{}", path.display()).parse().unwrap();
    let tree =
        Reconnecting::new(uri.clone(), ConnectOptions::default(), Retry::default(), "queen", "");
    let writing = tokio::spawn({
        let tree = tree.clone();
        async move { tree.append("/ctl", b"once\n").await }
    });
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(!writing.is_finished());
    let toy = Toy::new();
    let listener = Listener::bind(&uri, &Default::default()).await.unwrap();
    start(listener, &toy);
    writing.await.unwrap().unwrap();
    assert_eq!(tree.read("/ctl").await.unwrap(), b"once\n");
}

/// Proves PIPE-27.
#[tokio::test(start_paused = true)]
async fn patience_ends_and_the_last_error_is_told() {
    let uri: Uri = "unix:///no/such.sock".parse().unwrap();
    let retry = Retry { give_up_after: Duration::from_secs(20), ..Retry::default() };
    let tree = Reconnecting::new(uri, ConnectOptions::default(), retry, "queen", "");
    let start = Instant::now();
    let gone = tree.read("/x").await.unwrap_err();
    assert!(gone.to_string().starts_with("cannot connect to unix:///no/such.sock: "), "{gone}");
    let waited = start.elapsed().as_secs();
    assert!((15..=20).contains(&waited), "{waited} s");
}

/// Proves PIPE-27.
#[tokio::test(start_paused = true)]
async fn a_server_that_says_no_is_not_asked_again() {
    let toy = Toy::new();
    let (_server, dialer) = embedded(&toy);
    let options = reaching(&dialer);
    let tree = Reconnecting::new(Uri::Embedded, options, Retry::default(), "queen", "nowhere");
    let start = Instant::now();
    assert_eq!(tree.read("/x").await.unwrap_err().errno(), Some(Errno::ENOENT));
    assert_eq!(start.elapsed(), Duration::ZERO);
}

/// Proves PIPE-28.
#[tokio::test(start_paused = true)]
async fn a_write_that_may_have_happened_is_not_repeated() {
    let toy = Toy::new();
    let (_server, dialer) = embedded(&toy);
    let tree = reconnecting(reaching(&dialer));
    let file = Arc::new(tree.open("/ctl", OpenFlags::RDWR).await.unwrap());
    // the server takes the write and dies before it can say so
    toy.hold_answers();
    let writing = tokio::spawn({
        let file = Arc::clone(&file);
        async move { file.write_at(0, b"LEASE\n").await }
    });
    quiet().await;
    toy.cut();
    let uncertain = writing.await.unwrap().unwrap_err();
    assert!(matches!(uncertain.cause, Cause::Uncertain(_)), "{uncertain:?}");
    assert!(
        uncertain.to_string().ends_with("it may have happened, look before you try again"),
        "{uncertain}"
    );
    assert_eq!(file.read_at(0, 100).await.unwrap(), b"LEASE\n", "once, and not again");
    file.write_at(0, b"RELEASE\n").await.unwrap();
    assert_eq!(tree.read("/ctl").await.unwrap(), b"LEASE\nRELEASE\n");
}
