//! Unix sockets and TLS: who the peer is, and who may be one.

use std::{path::Path, sync::Arc};

use secure9p_tokio::{
    ConnectOptions, Limits, ListenOptions, Listener, Stream, Transport, Uri, dial,
    tls::{self, AuthorityFiles, ClientTls, ServerTls, Trust},
};

use crate::{
    lines::Hive,
    world::{RawPeer, Running, connected, start},
};

/// Proves PIPE-9.
#[tokio::test]
async fn a_unix_peer_is_known_by_its_uid() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("hive.sock");
    let uri: Uri = format!("unix://{}", path.display()).parse().unwrap();
    let listener = Listener::bind(&uri, &ListenOptions::default()).await.unwrap();
    let hive = Arc::<Hive>::default();
    let mut server = start(listener, &hive, Limits::default());
    let mut peer = RawPeer(dial(&uri, &ConnectOptions::default()).await.unwrap());
    peer.attach().await;
    let known = hive.peers.lock().unwrap().pop().unwrap();
    assert_eq!(known.transport, Transport::Unix);
    assert_eq!(known.uid, Some(rustix::process::geteuid().as_raw()));
    drop(peer);
    server.tell();
    server.ended().await;
    assert!(!path.exists());
}

/// A TLS server on this machine, and the certificates it was made with.
struct Secured {
    _server: Running,
    uri: Uri,
    files: AuthorityFiles,
    hive: Arc<Hive>,
}

async fn secured(directory: &Path, clients_need_certificates: bool) -> Secured {
    let files = tls::init(directory, &["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let authority = files.authority();
    let client_authority = clients_need_certificates.then_some(authority.as_path());
    let server_tls = ServerTls::load(&files.server(), client_authority).unwrap();
    let options = ListenOptions { tls: Some(server_tls), allow_plaintext: false };
    let listener = Listener::bind(&"tls://127.0.0.1:0".parse().unwrap(), &options).await.unwrap();
    let (uri, hive) = (listener.uri().clone(), Arc::<Hive>::default());
    Secured { _server: start(listener, &hive, Limits::default()), uri, files, hive }
}

async fn dialled(secured: &Secured, tls: ClientTls) -> Result<RawPeer<Stream>, String> {
    let options = ConnectOptions { tls: Some(tls), ..ConnectOptions::default() };
    dial(&secured.uri, &options).await.map(RawPeer).map_err(|refused| refused.to_string())
}

/// Proves PIPE-15.
#[tokio::test]
async fn a_server_is_trusted_by_its_authority_or_by_its_very_certificate() {
    let directory = tempfile::tempdir().unwrap();
    let secured = secured(directory.path(), false).await;
    for trust in [
        Trust::Authority(secured.files.authority()),
        Trust::Pinned(secured.files.server().certificate),
    ] {
        let mut peer = dialled(&secured, ClientTls::load(&trust, None).unwrap()).await.unwrap();
        peer.attach().await;
        let known = secured.hive.peers.lock().unwrap().pop().unwrap();
        assert_eq!((known.transport, known.certificate_subject), (Transport::Tls, None));
        peer.send("give 3000000\n").await;
        peer.expect(&"x".repeat(3_000_000)).await;
    }
}

/// Proves PIPE-15.
#[tokio::test]
async fn a_server_that_is_another_is_not_trusted() {
    let (directory, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let secured = secured(directory.path(), false).await;
    let others = tls::init(elsewhere.path(), &["127.0.0.1".to_owned()]).unwrap();

    let trust = Trust::Authority(others.authority());
    let refused = dialled(&secured, ClientTls::load(&trust, None).unwrap()).await.err().unwrap();
    assert!(refused.starts_with(&format!("cannot connect to {}: ", secured.uri)), "{refused}");
    assert!(refused.contains("invalid peer certificate"), "{refused}");

    let trust = Trust::Pinned(others.server().certificate);
    let refused = dialled(&secured, ClientTls::load(&trust, None).unwrap()).await.err().unwrap();
    assert!(refused.contains("the server's certificate is not the pinned one"), "{refused}");
}

/// Proves PIPE-16.
#[tokio::test]
async fn where_clients_need_certificates_the_service_learns_whose_it_was() {
    let (directory, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let secured = secured(directory.path(), true).await;
    let trust = Trust::Authority(secured.files.authority());
    let identity = secured.files.issue_client("worker-7").unwrap();
    let tls = ClientTls::load(&trust, Some(&identity)).unwrap();
    dialled(&secured, tls).await.unwrap().attach().await;
    let known = secured.hive.peers.lock().unwrap().pop().unwrap();
    assert_eq!(known.certificate_subject.as_deref(), Some("CN=worker-7"));

    let others = tls::init(elsewhere.path(), &["x".to_owned()]).unwrap();
    let foreign = others.issue_client("worker-7").unwrap();
    for stranger in [None, Some(&foreign)] {
        let tls = ClientTls::load(&trust, stranger).unwrap();
        // in TLS 1.3 a client learns only from its first read that its certificate was refused
        if let Ok(mut peer) = dialled(&secured, tls).await {
            let mut heard = [0];
            let heard = tokio::io::AsyncReadExt::read(&mut peer.0, &mut heard).await;
            assert!(heard.is_err(), "{heard:?}");
        }
    }
    assert!(secured.hive.peers.lock().unwrap().is_empty());
}

/// Proves PIPE-15.
#[tokio::test]
async fn a_server_speaks_nothing_older_than_tls_1_3() {
    let directory = tempfile::tempdir().unwrap();
    let secured = secured(directory.path(), false).await;
    let Uri::Tls(at) = &secured.uri else { panic!("bound as TLS") };
    let mut stream = tokio::net::TcpStream::connect((at.host.as_str(), at.port)).await.unwrap();
    // a ClientHello of TLS 1.2 alone: random, no session, one suite, no compression; groups and signatures, no versions
    let mut hello = vec![0x16, 3, 1, 0, 63, 1, 0, 0, 59, 3, 3];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0xc0, 0x2b, 1, 0]);
    hello.extend([0, 16, 0, 0x0a, 0, 4, 0, 2, 0, 0x1d, 0, 0x0d, 0, 4, 0, 2, 4, 3]);
    tokio::io::AsyncWriteExt::write_all(&mut stream, &hello).await.unwrap();
    let mut alert = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut alert).await.unwrap();
    // a fatal alert: protocol_version
    assert_eq!(alert, [0x15, 3, 3, 0, 2, 2, 70]);
}

/// Proves PIPE-6.
#[tokio::test(start_paused = true)]
async fn a_peer_that_never_begins_tls_is_closed_after_the_handshake_timeout() {
    let directory = tempfile::tempdir().unwrap();
    let secured = secured(directory.path(), false).await;
    let Uri::Tls(at) = &secured.uri else { panic!("bound as TLS") };
    let began_at = tokio::time::Instant::now();
    let mut silent = connected(&format!("{}:{}", at.host, at.port)).await;
    assert_eq!(silent.rest().await, b"");
    assert_eq!(began_at.elapsed(), Limits::default().handshake_timeout);
    assert!(secured.hive.peers.lock().unwrap().is_empty());
}

/// Proves PIPE-15.
#[test]
fn files_that_hold_no_certificate_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let files = tls::init(directory.path(), &["localhost".to_owned()]).unwrap();
    let swapped = tls::Identity { certificate: files.server().key, key: files.server().key };
    let refused = ServerTls::load(&swapped, None).unwrap_err().to_string();
    assert!(refused.starts_with("cannot read server certificate "), "{refused}");
    assert!(refused.ends_with("server.key: there is no PEM certificate in it"), "{refused}");
    let missing = Trust::Authority(directory.path().join("no.pem"));
    let refused = ClientTls::load(&missing, None).unwrap_err().to_string();
    assert!(refused.contains("no.pem: No such file"), "{refused}");
    let mixed = tls::Identity { key: files.issue_client("x").unwrap().key, ..files.server() };
    let refused = ServerTls::load(&mixed, None).unwrap_err().to_string();
    assert!(refused.starts_with("cannot use server certificate "), "{refused}");
}
