//! A small certificate authority, made on the spot: for a bridge and its guests, where nobody runs a larger one.
//!
//! Never overwrites: an authority that is replaced locks out everyone who trusts the old one.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};

use super::Identity;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How long the authority may vouch for others.
const AUTHORITY_LIFETIME: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// How long it vouches for one of them.
const CERTIFICATE_LIFETIME: Duration = Duration::from_secs(2 * 365 * 24 * 60 * 60);

/// The files of a small authority in one directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorityFiles {
    directory: PathBuf,
}

/// Why no certificates were made.
#[derive(Debug, thiserror::Error)]
pub enum InitRefused {
    /// The file is there already.
    #[error("{path} exists; it is never overwritten: remove it, or choose another directory or name", path = .0.display())]
    Exists(PathBuf),
    /// The name would leave the directory, or hide in it.
    #[error(
        "client name {0:?} must be 1 to 64 letters, digits, '-', '_' or '.', and start with a letter or digit"
    )]
    ClientName(String),
    /// A server needs a name or an address that clients will use.
    #[error("name at least one host name or address under which clients will reach the server")]
    NoServerName,
    /// A file could not be read or written.
    #[error("cannot read or write {path}: {cause}", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The certificate maker refused.
    #[error("cannot make a certificate for {subject}: {cause}")]
    Certificate {
        /// For whom.
        subject: String,
        /// What it said.
        cause: rcgen::Error,
    },
}

/// Makes an authority in `directory`, and one certificate for a server that is reached under `server_names` (host names
/// and IP addresses): `ca.pem ca.key server.pem server.key`, the keys readable by their owner only.
pub fn init(directory: &Path, server_names: &[String]) -> Result<AuthorityFiles, InitRefused> {
    let Some(first) = server_names.first() else {
        return Err(InitRefused::NoServerName);
    };
    let files = AuthorityFiles { directory: directory.to_owned() };
    let server = files.server();
    for path in [&files.authority(), &files.authority_key(), &server.certificate, &server.key] {
        refuse_existing(path)?;
    }
    fs::create_dir_all(directory)
        .map_err(|cause| InitRefused::Io { path: directory.to_owned(), cause })?;
    let authority = new_authority()?;
    write_new(&files.authority_key(), &authority.key().serialize_pem(), Secrecy::Secret)?;
    write_new(&files.authority(), &authority.pem(), Secrecy::Public)?;
    let usage = ExtendedKeyUsagePurpose::ServerAuth;
    issue(&authority, &server, first, server_names, usage)?;
    Ok(files)
}

impl AuthorityFiles {
    /// The files of an authority that was made earlier.
    #[must_use]
    pub fn of(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    /// What peers must trust.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.directory.join("ca.pem")
    }

    fn authority_key(&self) -> PathBuf {
        self.directory.join("ca.key")
    }

    /// The server's certificate and key.
    #[must_use]
    pub fn server(&self) -> Identity {
        self.identity("server")
    }

    /// A client's certificate and key.
    #[must_use]
    pub fn client(&self, name: &str) -> Identity {
        self.identity(&format!("client-{name}"))
    }

    fn identity(&self, stem: &str) -> Identity {
        Identity {
            certificate: self.directory.join(format!("{stem}.pem")),
            key: self.directory.join(format!("{stem}.key")),
        }
    }

    /// Makes a certificate for a client; servers will see the subject `CN=<name>`.
    pub fn issue_client(&self, name: &str) -> Result<Identity, InitRefused> {
        if !is_client_name(name) {
            return Err(InitRefused::ClientName(name.to_owned()));
        }
        let identity = self.client(name);
        refuse_existing(&identity.certificate)?;
        refuse_existing(&identity.key)?;
        let authority = self.load_authority()?;
        issue(&authority, &identity, name, &[], ExtendedKeyUsagePurpose::ClientAuth)?;
        Ok(identity)
    }

    fn load_authority(&self) -> Result<Issuer<'static, KeyPair>, InitRefused> {
        let read =
            |path: PathBuf| fs::read_to_string(&path).map_err(|cause| io_refused(&path, cause));
        let refused = |cause| certificate_refused("the authority", cause);
        let key = KeyPair::from_pem(&read(self.authority_key())?).map_err(refused)?;
        Issuer::from_ca_cert_pem(&read(self.authority())?, key).map_err(refused)
    }
}

fn new_authority() -> Result<CertifiedIssuer<'static, KeyPair>, InitRefused> {
    let refused = |cause| certificate_refused("the authority", cause);
    let mut params = dated(CertificateParams::default(), AUTHORITY_LIFETIME);
    params.distinguished_name = named("Cohesix hive authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate().map_err(refused)?;
    CertifiedIssuer::self_signed(params, key).map_err(refused)
}

/// Makes a key, and a certificate for it that the authority signs; writes both.
fn issue(
    authority: &Issuer<'_, KeyPair>,
    identity: &Identity,
    subject: &str,
    names: &[String],
    usage: ExtendedKeyUsagePurpose,
) -> Result<(), InitRefused> {
    let refused = |cause| certificate_refused(subject, cause);
    let params = CertificateParams::new(names).map_err(refused)?;
    let mut params = dated(params, CERTIFICATE_LIFETIME);
    params.distinguished_name = named(subject);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate().map_err(refused)?;
    let certificate = params.signed_by(&key, authority).map_err(refused)?;
    write_new(&identity.key, &key.serialize_pem(), Secrecy::Secret)?;
    write_new(&identity.certificate, &certificate.pem(), Secrecy::Public)
}

/// Valid from yesterday, for the clocks that go late.
fn dated(mut params: CertificateParams, lifetime: Duration) -> CertificateParams {
    let now = SystemTime::now();
    params.not_before = (now - DAY).into();
    params.not_after = (now + lifetime).into();
    params
}

fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

fn is_client_name(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

fn refuse_existing(path: &Path) -> Result<(), InitRefused> {
    match fs::symlink_metadata(path) {
        Ok(_) => Err(InitRefused::Exists(path.to_owned())),
        Err(_) => Ok(()),
    }
}

#[derive(Clone, Copy)]
enum Secrecy {
    Secret,
    Public,
}

fn write_new(path: &Path, text: &str, secrecy: Secrecy) -> Result<(), InitRefused> {
    let mode = match secrecy {
        Secrecy::Secret => 0o600,
        Secrecy::Public => 0o644,
    };
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
    written.map_err(|cause| match cause.kind() {
        io::ErrorKind::AlreadyExists => InitRefused::Exists(path.to_owned()),
        _ => io_refused(path, cause),
    })
}

fn io_refused(path: &Path, cause: io::Error) -> InitRefused {
    InitRefused::Io { path: path.to_owned(), cause }
}

fn certificate_refused(subject: &str, cause: rcgen::Error) -> InitRefused {
    InitRefused::Certificate { subject: subject.to_owned(), cause }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    /// Proves PIPE-14.
    #[test]
    fn keys_are_for_their_owner_only_and_nothing_is_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let names = ["hive.example".to_owned(), "127.0.0.1".to_owned()];
        let files = init(directory.path(), &names).unwrap();
        let client = files.issue_client("worker-7").unwrap();
        for secret in [&files.authority_key(), &files.server().key, &client.key] {
            assert_eq!(mode(secret), 0o600, "{}", secret.display());
        }
        assert!(client.certificate.ends_with("client-worker-7.pem"));

        let before = fs::read(files.authority()).unwrap();
        let refused = init(directory.path(), &names).unwrap_err().to_string();
        assert!(refused.contains("ca.pem exists; it is never overwritten"), "{refused}");
        assert_eq!(fs::read(files.authority()).unwrap(), before);
        assert!(matches!(files.issue_client("worker-7"), Err(InitRefused::Exists(_))));
    }

    /// Proves PIPE-14.
    #[test]
    fn odd_names_are_refused_before_anything_is_written() {
        let directory = tempfile::tempdir().unwrap();
        let made = init(&directory.path().join("tls"), &[]);
        assert!(matches!(made, Err(InitRefused::NoServerName)));
        for name in ["", "../server", ".hidden", "a b", &"x".repeat(65)] {
            let made = AuthorityFiles::of(directory.path()).issue_client(name);
            assert!(matches!(made, Err(InitRefused::ClientName(_))), "{name:?}");
        }
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
