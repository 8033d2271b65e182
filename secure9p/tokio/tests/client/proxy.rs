//! The relay for clients that know no TLS.

use std::{future::pending, sync::Arc};

use secure9p::{Errno, Msize};
use secure9p_tokio::{
    Client, ConnectOptions, Limits, ListenOptions, Listener, Uri, proxy,
    tls::{self, ClientTls, ServerTls, Trust},
};

use crate::toy::{Toy, start};

/// Proves PIPE-29.
#[tokio::test]
async fn a_client_without_tls_uses_a_server_that_insists_on_it() {
    let directory = tempfile::tempdir().unwrap();
    let files = tls::init(directory.path(), &["127.0.0.1".to_owned()]).unwrap();
    let server_tls = ServerTls::load(&files.server(), None).unwrap();
    let options = ListenOptions { tls: Some(server_tls), allow_plaintext: false };
    let far = Listener::bind(&"tls://127.0.0.1:0".parse().unwrap(), &options).await.unwrap();
    let to = far.uri().clone();
    start(far, &Toy::new());

    let near: Uri = format!("unix://{}/near.sock", directory.path().display()).parse().unwrap();
    let listener = Listener::bind(&near, &ListenOptions::default()).await.unwrap();
    let trust = Trust::Authority(files.authority());
    let tls = Some(ClientTls::load(&trust, None).unwrap());
    let options = ConnectOptions { tls, ..ConnectOptions::default() };
    tokio::spawn(proxy(vec![listener], to, options, Limits::default(), pending()));

    let options = ConnectOptions { msize: Msize::MAX, ..ConnectOptions::default() };
    let client = Client::connect(&near, options).await.unwrap();
    let root = client.attach("queen", "").await.unwrap();
    let data: Arc<[u8]> = vec![7; 900_000].into();
    root.put("/far", &data).await.unwrap();
    assert!(root.read("/far").await.unwrap() == *data);
}

/// Proves PIPE-29.
#[tokio::test]
async fn when_the_far_end_cannot_be_reached_the_near_one_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let near: Uri = format!("unix://{}/near.sock", directory.path().display()).parse().unwrap();
    let listener = Listener::bind(&near, &ListenOptions::default()).await.unwrap();
    let to = "unix:///no/such.sock".parse().unwrap();
    let options = ConnectOptions::default();
    let (shutdown, told) = tokio::sync::oneshot::channel();
    let proxying = tokio::spawn(proxy(vec![listener], to, options, Limits::default(), async {
        told.await.unwrap();
    }));
    let refused = Client::connect(&near, ConnectOptions::default()).await.unwrap_err();
    assert_eq!(refused.errno(), Some(Errno::EHOSTUNREACH));
    shutdown.send(()).unwrap();
    proxying.await.unwrap();
    assert!(Client::connect(&near, ConnectOptions::default()).await.is_err());
}
