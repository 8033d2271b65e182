//! Whom the shell talks to, and as whom.
//!
//! ```text
//! --connect URI ─┐                     ┌─ tcp, tls, unix: a client
//! --role ROLE   ─┼─▶ Target ─▶ Attached ┤
//! --ticket T    ─┘                     └─ embedded: the hive in this process, started when first needed
//! ```

use std::path::{Path, PathBuf};

use ninedoor_abi::{Identity, Ticket};
use secure9p::Msize;
use secure9p_tokio::tls::{ClientTls, Identity as Certificate, Trust};
use secure9p_tokio::{Client, ConnectOptions, NINEDOOR_PORT, Uri};

use crate::args::Connect;
use crate::embedded::Embedded;
use crate::error::CommandError;
use crate::hive::{self, Hive};

/// Where distributions keep the authorities that the system trusts, first found first taken.
const SYSTEM_AUTHORITIES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// Whom to talk to and as whom, understood.
#[derive(Debug)]
pub struct Target {
    uri: Uri,
    identity: Option<Identity>,
    ticket: Option<Ticket>,
    connect: Connect,
    embedded: Option<Embedded>,
}

impl Target {
    /// Understands the options of the command line. Connects to nothing yet.
    ///
    /// # Errors
    /// A URI, role, ticket or certificate that cannot be used.
    pub fn of(connect: &Connect) -> Result<Self, CommandError> {
        let uri = Uri::parse(&connect.connect, NINEDOOR_PORT)
            .map_err(|refused| CommandError::usage(format!("--connect: {refused}")))?;
        let mut target =
            Self { uri, identity: None, ticket: None, connect: connect.clone(), embedded: None };
        target.become_someone(connect.role.as_deref(), connect.ticket.as_deref())?;
        Ok(target)
    }

    /// Who to be from now on; what is left out is as the ticket says, else the queen without a ticket.
    ///
    /// # Errors
    /// A role or a ticket that is none.
    pub fn become_someone(
        &mut self,
        role: Option<&str>,
        ticket: Option<&str>,
    ) -> Result<(), CommandError> {
        let identity = role.map(str::parse::<Identity>).transpose();
        let identity = identity.map_err(|refusal| CommandError::usage(refusal.text))?;
        // An empty COHSH_TICKET is one that was unset by hand.
        let ticket = ticket.filter(|ticket| !ticket.is_empty());
        self.ticket = ticket.map(read_ticket).transpose()?;
        self.identity = identity;
        Ok(())
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> String {
        self.uri.to_string()
    }

    /// The same, as a URI.
    #[must_use]
    pub const fn uri(&self) -> &Uri {
        &self.uri
    }

    /// How to connect to this URI, by what the command line says of transports.
    ///
    /// # Errors
    /// A certificate that cannot be used.
    pub fn options_for(&self, uri: &Uri) -> Result<ConnectOptions, CommandError> {
        Ok(ConnectOptions {
            tls: if matches!(uri, Uri::Tls(_)) { Some(tls(&self.connect)?) } else { None },
            embedded: self.embedded.as_ref().map(Embedded::dialer),
            allow_plaintext: self.connect.insecure_plaintext,
            msize: Msize::MAX,
            ..ConnectOptions::default()
        })
    }

    /// Ends the hive in this process, if there is one.
    pub async fn close(&mut self) {
        if let Some(embedded) = self.embedded.take() {
            embedded.stop().await;
        }
    }

    fn identity(&self) -> Result<Identity, CommandError> {
        match (&self.identity, &self.ticket) {
            (Some(identity), _) => Ok(identity.clone()),
            (None, None) => Ok(Identity::QUEEN),
            (None, Some(ticket)) => ticket.alleged_identity().ok_or_else(|| {
                CommandError::usage("the ticket does not say for whom it is")
                    .hint("say so: --role observer:NAME")
            }),
        }
    }

    async fn client(&mut self) -> Result<Client, CommandError> {
        if self.uri == Uri::Embedded && self.embedded.is_none() {
            self.embedded = Some(Embedded::start(self.connect.state_dir.as_deref()).await?);
        }
        let options = self.options_for(&self.uri)?;
        Client::connect(&self.uri, options).await.map_err(hive::failed)
    }
}

/// A connection, and the root that one attached to over it.
#[derive(Debug)]
pub struct Attached {
    hive: Hive,
}

impl Attached {
    /// Connects and attaches.
    ///
    /// # Errors
    /// When the hive cannot be reached, or will not have us.
    pub async fn to(target: &mut Target) -> Result<Self, CommandError> {
        let identity = target.identity()?;
        let client = target.client().await?;
        let ticket = target.ticket.as_ref().map(Ticket::expose).unwrap_or_default();
        let root = client.attach(&identity.to_string(), &ticket).await.map_err(hive::failed)?;
        Ok(Self { hive: Hive::new(root, &target.address(), identity) })
    }

    /// The hive.
    #[must_use]
    pub fn hive(&self) -> Hive {
        self.hive.clone()
    }

    /// Whether the connection has broken.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        !self.hive.is_connected()
    }
}

/// The ticket itself, or what the file after `@` holds.
fn read_ticket(ticket: &str) -> Result<Ticket, CommandError> {
    let text = match ticket.strip_prefix('@') {
        None => ticket.to_owned(),
        Some(file) => std::fs::read_to_string(file)
            .map_err(|error| CommandError::local("read", Path::new(file), &error))?,
    };
    Ticket::parse(text.trim()).map_err(|refused| CommandError::usage(refused.to_string()))
}

fn tls(connect: &Connect) -> Result<ClientTls, CommandError> {
    let authority = connect.tls_ca.clone().or_else(system_authority).ok_or_else(|| {
        CommandError::usage("this system has no list of authorities it trusts")
            .hint("name the one that vouches for the server: --tls-ca FILE")
    })?;
    let certificate = connect.tls_cert.clone().zip(connect.tls_key.clone());
    let certificate = certificate.map(|(certificate, key)| Certificate { certificate, key });
    ClientTls::load(&Trust::Authority(authority), certificate.as_ref())
        .map_err(|refused| CommandError::usage(refused.to_string()))
}

fn system_authority() -> Option<PathBuf> {
    SYSTEM_AUTHORITIES.iter().map(PathBuf::from).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORKER: &str = "cohesix-ticket-01020e400000000000000078000000000000000800776f726b65722d310068e5cf8b01000000000000.5e1c4c4fa93771ddc1589f45e6edde8aa2763a8dd698d95ab97dbe102bcf5813";

    fn target(role: Option<&str>, ticket: Option<&str>) -> Result<Target, CommandError> {
        Target::of(&Connect {
            connect: "tcp://127.0.0.1".to_owned(),
            role: role.map(str::to_owned),
            ticket: ticket.map(str::to_owned),
            ..Connect::default()
        })
    }

    fn identity(role: Option<&str>, ticket: Option<&str>) -> String {
        target(role, ticket).unwrap().identity().unwrap().to_string()
    }

    /// Proves SH-16.
    #[test]
    fn one_is_whom_the_ticket_is_for_unless_one_says_otherwise() {
        assert_eq!(identity(None, None), "queen");
        assert_eq!(identity(None, Some("")), "queen");
        assert_eq!(identity(None, Some(WORKER)), "worker-gpu:worker-1");
        assert_eq!(identity(Some("observer:o"), Some(WORKER)), "observer:o");
    }

    /// Proves SH-16.
    #[test]
    fn ninedoors_port_is_the_default() {
        assert_eq!(target(None, None).unwrap().address(), "tcp://127.0.0.1:5641");
    }

    #[test]
    fn a_role_or_a_ticket_that_is_none_is_refused_before_anything_is_sent() {
        let error = |role, ticket| target(role, ticket).unwrap_err().text;
        assert!(error(Some("root"), None).starts_with("role is \"root\", wanted queen"));
        assert!(error(None, Some("secret")).contains("it does not begin with cohesix-ticket-"));
        assert!(error(None, Some("@/nowhere")).starts_with("read /nowhere: "));
    }
}
