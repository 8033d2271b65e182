//! Certificates whose time is over.

use std::{fs, sync::Arc};

use rcgen::{CertificateParams, Issuer, KeyPair, date_time_ymd};
use secure9p_tokio::{
    ConnectOptions, Limits, ListenOptions, Listener, dial,
    tls::{self, ClientTls, ServerTls, Trust},
};

use crate::{lines::Hive, world::start};

/// Proves PIPE-15.
#[tokio::test]
async fn a_certificate_whose_time_is_over_is_not_trusted_and_the_refusal_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let files = tls::init(directory.path(), &names).unwrap();
    let read = |name: &str| fs::read_to_string(directory.path().join(name)).unwrap();
    let authority_key = KeyPair::from_pem(&read("ca.key")).unwrap();
    let authority = Issuer::from_ca_cert_pem(&read("ca.pem"), authority_key).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(names).unwrap();
    (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
    let certificate = params.signed_by(&key, &authority).unwrap();
    fs::write(files.server().certificate, certificate.pem()).unwrap();
    fs::write(files.server().key, key.serialize_pem()).unwrap();

    let server_tls = ServerTls::load(&files.server(), None).unwrap();
    let options = ListenOptions { tls: Some(server_tls), allow_plaintext: false };
    let listener = Listener::bind(&"tls://127.0.0.1:0".parse().unwrap(), &options).await.unwrap();
    let uri = listener.uri().clone();
    let _server = start(listener, &Arc::<Hive>::default(), Limits::default());
    let tls = ClientTls::load(&Trust::Authority(files.authority()), None).unwrap();
    let options = ConnectOptions { tls: Some(tls), ..ConnectOptions::default() };
    let refused = dial(&uri, &options).await.map(drop).unwrap_err().to_string();
    assert!(refused.contains("certificate expired"), "{refused}");
}
