//! Servers that are not there, not nice, or not for long.

use std::time::Duration;

use secure9p::{Errno, Qid, Rmessage, Tag};
use secure9p_tokio::{Cause, Client, ClientError, ConnectOptions, Uri};

use crate::{
    script::Script,
    toy::{Toy, attached, quiet, tcp},
};

async fn refusal(uri: &str, options: ConnectOptions) -> ClientError {
    let uri: Uri = uri.parse().unwrap();
    Client::connect(&uri, options).await.unwrap_err()
}

/// Proves PIPE-18, PIPE-3.
#[tokio::test]
async fn a_server_that_cannot_be_reached_is_named_with_the_reason() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("tcp://{}", closed.local_addr().unwrap());
    drop(closed);
    let refused = refusal(&uri, ConnectOptions::default()).await;
    assert!(matches!(refused.cause, Cause::Unreachable(_)), "{refused:?}");
    let text = refused.to_string();
    assert!(text.starts_with(&format!("cannot connect to {uri}: Connection refused")), "{text}");

    let missing = refusal("unix:///no/such.sock", ConnectOptions::default()).await;
    assert!(matches!(missing.cause, Cause::Unreachable(_)), "{missing:?}");
    let abroad = refusal("tcp://192.0.2.1:5640", ConnectOptions::default()).await;
    assert_eq!(
        abroad.to_string(),
        "cannot connect to tcp://192.0.2.1:5640: tickets would cross the network in the clear; use \
         tls://, or allow it with --insecure-plaintext"
    );
    let distrusted = refusal("tls://127.0.0.1:1", ConnectOptions::default()).await.to_string();
    assert!(
        distrusted.ends_with("it needs an authority or a certificate to trust"),
        "{distrusted}"
    );
    let nowhere = refusal("embedded:", ConnectOptions::default()).await.to_string();
    assert!(nowhere.ends_with("there is no server in this process"), "{nowhere}");
}

/// Proves PIPE-18.
#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_is_given_up() {
    let options =
        ConnectOptions { connect_timeout: Duration::from_secs(7), ..ConnectOptions::default() };
    let (client, _script) = Script::connecting(options);
    let late = client.await.unwrap().unwrap_err();
    assert_eq!(late.to_string(), "cannot connect to the script: no answer within 7000 ms");
}

/// Proves PIPE-18.
#[tokio::test]
async fn a_server_that_lets_nobody_in_is_quoted() {
    let (client, mut script) = Script::connecting(ConnectOptions::default());
    let (tag, _) = script.hear().await;
    script.refuse_slowly(tag, Errno::EAGAIN).await;
    let refused = client.await.unwrap().unwrap_err();
    assert_eq!(refused.to_string(), "cannot connect to the script: EAGAIN (try again)");
    assert_eq!(refused.errno(), Some(Errno::EAGAIN));
}

/// Proves PIPE-18.
#[tokio::test]
async fn a_server_of_another_dialect_is_told_apart_from_a_broken_one() {
    let (client, mut script) = Script::connecting(ConnectOptions::default());
    let (tag, _) = script.hear().await;
    let version = "unknown".to_owned();
    script.say(tag, Rmessage::Version { msize: 8192, version }).await;
    let refused = client.await.unwrap().unwrap_err();
    assert!(matches!(refused.cause, Cause::Nonsense(_)), "{refused:?}");
    assert!(refused.to_string().contains("'unknown', want '9P2000.L'"), "{refused}");
}

/// Proves PIPE-25.
#[tokio::test]
async fn a_violation_by_the_server_fails_every_call() {
    let (root, mut script) = Script::attached(ConnectOptions::default()).await;
    let asking = tokio::spawn({
        let root = root.clone();
        async move { tokio::join!(root.stat("/a"), root.stat("/b")) }
    });
    script.hear().await;
    script.hear().await;
    script.say(Tag(999), Rmessage::Attach { qid: Qid::file(1) }).await;
    let (first, second) = asking.await.unwrap();
    for failed in [first.unwrap_err(), second.unwrap_err(), root.stat("/c").await.unwrap_err()] {
        assert!(matches!(failed.cause, Cause::Nonsense(_)), "{failed:?}");
        assert!(failed.to_string().contains("tag 999"), "{failed}");
    }
    assert!(!root.is_connected());
    assert!(script.is_closed().await);
}

/// Proves PIPE-25.
#[tokio::test]
async fn a_reply_that_does_not_fit_the_call_is_no_answer() {
    let (root, mut script) = Script::attached(ConnectOptions::default()).await;
    let asking = tokio::spawn(async move { root.stat("/a").await });
    let (tag, _) = script.hear().await;
    script.say(tag, Rmessage::Clunk {}).await;
    let failed = asking.await.unwrap().unwrap_err();
    assert!(matches!(failed.cause, Cause::Nonsense(_)), "{failed:?}");
}

/// Proves PIPE-25.
#[tokio::test]
async fn a_lost_connection_fails_the_calls_that_wait_and_those_to_come() {
    let (root, mut script) = Script::attached(ConnectOptions::default()).await;
    let asking = tokio::spawn({
        let root = root.clone();
        async move { root.stat("/a").await }
    });
    script.hear().await;
    drop(script);
    let lost = asking.await.unwrap().unwrap_err();
    assert!(lost.is_lost(), "{lost:?}");
    assert!(lost.to_string().starts_with("cannot stat /a: the connection was lost: "), "{lost}");
    assert!(root.stat("/b").await.unwrap_err().is_lost());
}

/// Proves PIPE-26.
#[tokio::test(start_paused = true)]
async fn when_nobody_uses_it_any_more_a_connection_is_closed() {
    let (toy, root) = attached(ConnectOptions::default()).await;
    let file = root.open("/hello", secure9p::OpenFlags::RDONLY).await.unwrap();
    drop(root);
    assert_eq!(file.read_to_end(0).await.unwrap().len(), 13, "a file keeps its connection");
    drop(file);
    quiet().await;
    assert_eq!(toy.live_nodes(), 0);
    let (client, mut script) = Script::connected(ConnectOptions::default()).await;
    drop(client);
    assert!(script.is_closed().await);
}

/// Proves PIPE-26.
#[test]
fn a_runtime_that_ends_fails_its_calls_and_hangs_nobody() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (moving, asking) = (runtime(), runtime());
    let root = moving.block_on(async {
        let (_server, uri) = tcp(&Toy::new()).await;
        let client = Client::connect(&uri, ConnectOptions::default()).await.unwrap();
        client.attach("queen", "").await.unwrap()
    });
    drop(moving);
    let lost = asking.block_on(root.stat("/hello")).unwrap_err();
    assert!(lost.is_lost(), "{lost:?}");
}
