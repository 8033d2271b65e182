//! TLS 1.3, and nothing older: certificates from files, and what a peer's certificate says.
//!
//! Knows no roles: a certificate's subject is a fact about a peer, and what it may do is the service's business.

mod authority;
mod pin;

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::CryptoProvider,
    server::{ServerSessionMemoryCache, WebPkiClientVerifier},
    version::TLS13,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

pub use self::authority::{AuthorityFiles, InitRefused, init};
use crate::limits::TLS_SESSIONS_MAX;

/// What a server needs to speak TLS.
#[derive(Clone)]
pub struct ServerTls(Arc<ServerConfig>);

/// What a client needs to speak TLS.
#[derive(Clone)]
pub struct ClientTls(Arc<ClientConfig>);

/// A certificate chain and its key, each a PEM file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate, then those that vouch for it.
    pub certificate: PathBuf,
    /// The key of the first certificate.
    pub key: PathBuf,
}

/// Whom a client trusts to be the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// Whoever has a certificate for the host's name from one of the authorities in this PEM file.
    Authority(PathBuf),
    /// Whoever has exactly the certificate in this PEM file, whatever names it bears.
    Pinned(PathBuf),
}

/// Why certificates or keys are not usable.
#[derive(Debug, thiserror::Error)]
pub enum TlsRefused {
    /// A file could not be read, or is no PEM.
    #[error("cannot read {what} {path}: {cause}", path = .path.display())]
    Unreadable {
        /// What it should hold.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// The contents do not fit together, or are not good enough.
    #[error("cannot use {what} {path}: {cause}", path = .path.display())]
    Unusable {
        /// What it should hold.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
}

impl ServerTls {
    /// Loads the server's identity. With `client_authority` (a PEM file) only clients with a certificate from one of
    /// its authorities are let in, and [`crate::Peer::certificate_subject`] says which.
    pub fn load(server: &Identity, client_authority: Option<&Path>) -> Result<Self, TlsRefused> {
        let builder = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .expect("the provider has TLS 1.3 suites");
        let builder = match client_authority {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let roots = Arc::new(authorities("client authority", path)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider())
                    .build()
                    .map_err(|cause| unusable("client authority", path, cause))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder
            .with_single_cert(chain("server certificate", &server.certificate)?, key(&server.key)?)
            .map_err(|cause| unusable("server certificate", &server.certificate, cause))?;
        config.session_storage = ServerSessionMemoryCache::new(TLS_SESSIONS_MAX);
        Ok(Self(Arc::new(config)))
    }

    pub(crate) fn acceptor(&self) -> tokio_rustls::TlsAcceptor {
        Arc::clone(&self.0).into()
    }
}

impl ClientTls {
    /// Loads whom to trust, and who we are where the server asks for a client certificate.
    pub fn load(trust: &Trust, identity: Option<&Identity>) -> Result<Self, TlsRefused> {
        let builder = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .expect("the provider has TLS 1.3 suites");
        let builder = match trust {
            Trust::Authority(path) => {
                builder.with_root_certificates(authorities("authority", path)?)
            }
            Trust::Pinned(path) => {
                let pinned = chain("pinned certificate", path)?.swap_remove(0);
                let verifier = pin::PinnedServer::new(pinned, &provider());
                builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
            }
        };
        let config = match identity {
            None => builder.with_no_client_auth(),
            Some(Identity { certificate, key: key_file }) => builder
                .with_client_auth_cert(chain("client certificate", certificate)?, key(key_file)?)
                .map_err(|cause| unusable("client certificate", certificate, cause))?,
        };
        Ok(Self(Arc::new(config)))
    }

    pub(crate) fn connector(&self) -> tokio_rustls::TlsConnector {
        Arc::clone(&self.0).into()
    }
}

/// The subject of a certificate that has been verified, as in `CN=worker-7`.
pub(crate) fn subject(certificate: &CertificateDer<'_>) -> Option<String> {
    let (_, certificate) = x509_parser::parse_x509_certificate(certificate).ok()?;
    Some(certificate.subject().to_string())
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn authorities(what: &'static str, path: &Path) -> Result<RootCertStore, TlsRefused> {
    let mut roots = RootCertStore::empty();
    for certificate in chain(what, path)? {
        roots.add(certificate).map_err(|cause| unusable(what, path, cause))?;
    }
    Ok(roots)
}

/// All certificates of a PEM file; at least one.
fn chain(what: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsRefused> {
    let unreadable = |cause| unreadable(what, path, cause);
    let chain: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|cause| unreadable(explained(cause)))?;
    if chain.is_empty() {
        return Err(unreadable("there is no PEM certificate in it".to_owned()));
    }
    Ok(chain)
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsRefused> {
    PrivateKeyDer::from_pem_file(path)
        .map_err(|cause| unreadable("private key", path, explained(cause)))
}

fn explained(cause: rustls_pki_types::pem::Error) -> String {
    use rustls_pki_types::pem::Error;
    match cause {
        Error::NoItemsFound => "there is no PEM item of that kind in it".to_owned(),
        Error::Io(cause) => cause.to_string(),
        cause => cause.to_string(),
    }
}

fn unreadable(what: &'static str, path: &Path, cause: String) -> TlsRefused {
    TlsRefused::Unreadable { what, path: path.to_owned(), cause }
}

fn unusable(what: &'static str, path: &Path, cause: impl fmt::Display) -> TlsRefused {
    TlsRefused::Unusable { what, path: path.to_owned(), cause: cause.to_string() }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerTls")
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientTls")
    }
}
