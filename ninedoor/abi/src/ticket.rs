//! Tickets: `cohesix-ticket-` + hex(payload) + `.` + hex(mac), as Cohesix writes them.
//!
//! A [`Ticket`] that was parsed is an allegation: it says which role's secret would prove it. [`Ticket::verify`] turns it into
//! [`Claims`], which can act, or says why not. The other way, [`Claims::mint`] makes the ticket. Neither prints itself: what
//! goes into logs is the [`TicketId`], the first eight hex digits of the MAC.
//!
//! ```text
//! text ──parse──▶ Ticket ──verify(secret, now)──▶ Claims ──admits(identity)──▶ a session
//!                            Claims ──mint(secret)──▶ Ticket ──expose()──▶ text
//! ```

mod claims;
mod payload;
mod scope;

use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use core::{fmt, str::FromStr};

pub use claims::{Budget, Claims, MountSpec};
pub use scope::{Quotas, Scope, ScopeVerb};

use crate::{Errno, Identity, Refusal, Role, UnixMs, limits::TICKET_CHARS_MAX};

const PREFIX: &str = "cohesix-ticket-";

/// What proves tickets of one role. Prints as nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// These bytes, of any length.
    #[must_use]
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    fn mac(&self, payload: &[u8]) -> blake3::Hash {
        blake3::keyed_hash(blake3::hash(&self.0).as_bytes(), payload)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// How a ticket is named in logs: the first four bytes of its MAC, in hex.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TicketId(pub [u8; 4]);

impl fmt::Display for TicketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TicketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TicketId({self})")
    }
}

impl FromStr for TicketId {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        unhex(text).and_then(|bytes| bytes.try_into().ok()).map(Self).ok_or_else(|| {
            let seen: String = text.chars().take(16).collect();
            Refusal::invalid(alloc::format!("ticket id is {seen:?}, wanted 8 hex digits"))
        })
    }
}

/// A ticket as it was presented: well-formed, not yet proved.
#[derive(Clone, PartialEq, Eq)]
pub struct Ticket {
    payload: Vec<u8>,
    claims: Claims,
    mac: blake3::Hash,
}

impl Ticket {
    /// Reads a ticket's text, without proving anything.
    ///
    /// # Errors
    /// What is wrong with its form.
    pub fn parse(text: &str) -> Result<Self, TicketRefused> {
        let malformed = |why: &str| TicketRefused::Malformed(why.to_string());
        if text.len() > TICKET_CHARS_MAX {
            return Err(TicketRefused::Malformed(alloc::format!(
                "it has {} characters, wanted at most {TICKET_CHARS_MAX}",
                text.len()
            )));
        }
        let body = text
            .strip_prefix(PREFIX)
            .ok_or_else(|| malformed("it does not begin with cohesix-ticket-"))?;
        let (payload, mac) =
            body.split_once('.').ok_or_else(|| malformed("it has no dot before the mac"))?;
        let payload =
            unhex(payload).ok_or_else(|| malformed("its payload is not lower-case hex"))?;
        let mac: [u8; 32] = unhex(mac)
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or_else(|| malformed("its mac is not 64 lower-case hex digits"))?;
        let claims = payload::decode(&payload)?;
        Ok(Self { payload, claims, mac: mac.into() })
    }

    /// How logs name it.
    #[must_use]
    pub fn id(&self) -> TicketId {
        let [a, b, c, d, ..] = *self.mac.as_bytes();
        TicketId([a, b, c, d])
    }

    /// The role it says it is for, to choose the secret by. Nothing else may be done with it.
    #[must_use]
    pub fn alleged_role(&self) -> Role {
        self.claims.role
    }

    /// The name its holder attaches under: a client that was given a ticket has nothing else to go by. `None` where the ticket
    /// leaves the subject open and the role needs one.
    #[must_use]
    pub fn alleged_identity(&self) -> Option<Identity> {
        let identity = Identity { role: self.claims.role, subject: self.claims.subject.clone() };
        (identity.subject.is_some() || !identity.role.needs_subject()).then_some(identity)
    }

    /// Proves it: the MAC is this secret's, and its time is not over.
    ///
    /// # Errors
    /// [`TicketRefused::Forged`] or [`TicketRefused::Expired`].
    pub fn verify(&self, secret: &Secret, now: UnixMs) -> Result<&Claims, TicketRefused> {
        // `blake3::Hash` compares in constant time.
        if secret.mac(&self.payload) != self.mac {
            return Err(TicketRefused::Forged(self.id()));
        }
        match self.claims.expires_at() {
            Some(expired_ms) if now >= expired_ms => {
                Err(TicketRefused::Expired { id: self.id(), expired_ms })
            }
            _ => Ok(&self.claims),
        }
    }

    /// The whole text, for the one it is meant for. Never for a log.
    #[must_use]
    pub fn expose(&self) -> String {
        alloc::format!("{PREFIX}{}.{}", hex(&self.payload), self.mac.to_hex())
    }
}

impl Claims {
    /// Makes the ticket that proves these claims.
    ///
    /// # Errors
    /// Claims that no ticket can carry: too many or too long, or a worker without subject.
    pub fn mint(&self, secret: &Secret) -> Result<Ticket, Refusal> {
        self.check()?;
        let payload = payload::encode(self)?;
        let mac = secret.mac(&payload);
        Ok(Ticket { payload, claims: self.clone(), mac })
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ticket({}, {})", self.id(), self.claims.role)
    }
}

/// Shows the id alone.
impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.id(), f)
    }
}

/// Why a ticket does not open the door.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TicketRefused {
    /// It is no ticket.
    #[error("ticket is malformed: {0}")]
    Malformed(String),
    /// Its MAC was made with another secret, or its payload was changed.
    #[error("ticket {0} is not proved by this server's secret, wanted one minted here")]
    Forged(TicketId),
    /// Its time is over.
    #[error("ticket {id} expired at {expired_ms}, ask for a new one")]
    Expired {
        /// Which.
        id: TicketId,
        /// When.
        expired_ms: UnixMs,
    },
    /// It is for somebody else.
    #[error("ticket is for {ticket}, uname says {uname}")]
    WrongIdentity {
        /// Whom the ticket is for.
        ticket: String,
        /// Who attaches.
        uname: Identity,
    },
}

impl From<TicketRefused> for Refusal {
    fn from(refused: TicketRefused) -> Self {
        let errno = match refused {
            TicketRefused::Malformed(_) => Errno::EINVAL,
            TicketRefused::Forged(_) => Errno::EKEYREJECTED,
            TicketRefused::Expired { .. } => Errno::EKEYEXPIRED,
            TicketRefused::WrongIdentity { .. } => Errno::EACCES,
        };
        Self::new(errno, refused.to_string())
    }
}

fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Lower-case hex only: a ticket has one spelling.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{PathName, Subject};

    const QUEEN: &str = "cohesix-ticket-010000000000000000000000000000.574095c8f358416843eadd2c94e7f2e8f3dae33e2248533350573a01c3532331";
    const WORKER: &str = "cohesix-ticket-01020e400000000000000078000000000000000800776f726b65722d310068e5cf8b01000000000000.5e1c4c4fa93771ddc1589f45e6edde8aa2763a8dd698d95ab97dbe102bcf5813";

    fn worker() -> Claims {
        let subject: Subject = "worker-1".parse().unwrap();
        let mut claims = Claims::new(Role::WorkerGpu, Some(subject), UnixMs(1_700_000_000_000));
        claims.budget = Budget { ticks: None, ops: Some(64), ttl_s: Some(120) };
        claims
    }

    fn full() -> Claims {
        let scope =
            |path: &str, verb, rate_per_s| Scope { path: path.parse().unwrap(), verb, rate_per_s };
        let mut claims = worker();
        claims.budget.ticks = Some(9);
        claims.mount = MountSpec { service: "gpu-bridge".into(), at: "/gpu".into() };
        claims.scopes = Vec::from([
            scope("/gpu/GPU-0", ScopeVerb::Both, 0),
            scope("/bundles", ScopeVerb::Read, 500),
        ]);
        claims.quotas =
            Some(Quotas { bandwidth_bytes: 1 << 40, cursor_resumes: 2, cursor_advances: 3 });
        claims
    }

    fn refused(text: &str) -> String {
        Ticket::parse(text).unwrap_err().to_string()
    }

    /// Proves TICKET-2.
    #[test]
    fn both_check_vectors_are_minted_and_verified() {
        let queen = Claims::new(Role::Queen, None, UnixMs(0));
        assert_eq!(queen.mint(&Secret::new("bootstrap")).unwrap().expose(), QUEEN);
        assert_eq!(worker().mint(&Secret::new("worker-gpu")).unwrap().expose(), WORKER);
        let ticket = Ticket::parse(WORKER).unwrap();
        assert_eq!(
            ticket.verify(&Secret::new("worker-gpu"), UnixMs(1_700_000_000_000)),
            Ok(&worker())
        );
        assert_eq!(ticket.id().to_string(), "5e1c4c4f");
    }

    /// Proves TICKET-3.
    #[test]
    fn ticket_with_every_field_is_read_back_as_it_was_minted() {
        let secret = Secret::new([7; 32]);
        let ticket = Ticket::parse(&full().mint(&secret).unwrap().expose()).unwrap();
        assert_eq!(ticket.verify(&secret, UnixMs(0)), Ok(&full()));
    }

    /// Proves TICKET-4.
    #[test]
    fn ticket_with_any_bit_changed_is_refused() {
        let secret = Secret::new([7; 32]);
        let ticket = full().mint(&secret).unwrap();
        let text = ticket.expose();
        let (prefix, body) = text.split_at(PREFIX.len());
        let (payload, mac) = body.split_once('.').unwrap();
        let bytes = unhex(payload).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let text = alloc::format!("{prefix}{}.{mac}", hex(&changed));
            let outcome = Ticket::parse(&text).and_then(|t| t.verify(&secret, UnixMs(0)).cloned());
            assert!(outcome.is_err(), "bit {bit}");
        }
        assert_eq!(
            ticket.verify(&Secret::new("another"), UnixMs(0)),
            Err(TicketRefused::Forged(ticket.id()))
        );
    }

    /// Proves TICKET-5.
    #[test]
    fn ticket_holds_until_its_last_millisecond() {
        let ticket = Ticket::parse(WORKER).unwrap();
        let at = |ms: u64| ticket.verify(&Secret::new("worker-gpu"), UnixMs(ms)).map(|_| ());
        assert_eq!(at(1_700_000_119_999), Ok(()));
        let expired = at(1_700_000_120_000).unwrap_err();
        assert_eq!(
            expired.to_string(),
            "ticket 5e1c4c4f expired at 1700000120000, ask for a new one"
        );
        assert_eq!(Refusal::from(expired).errno, Errno::EKEYEXPIRED);
    }

    /// Proves TICKET-6.
    #[test]
    fn malformed_ticket_is_refused_with_what_is_wrong() {
        assert_eq!(
            refused("ticket"),
            "ticket is malformed: it does not begin with cohesix-ticket-"
        );
        assert_eq!(
            refused("cohesix-ticket-01"),
            "ticket is malformed: it has no dot before the mac"
        );
        assert_eq!(
            refused(&QUEEN.to_uppercase().replace("COHESIX-TICKET", "cohesix-ticket")),
            "ticket is malformed: its mac is not 64 lower-case hex digits"
        );
        assert_eq!(
            refused(&QUEEN[..QUEEN.len() - 1]),
            "ticket is malformed: its mac is not 64 lower-case hex digits"
        );
        let mac = "00".repeat(32);
        let of_payload = |payload: &str| refused(&alloc::format!("{PREFIX}{payload}.{mac}"));
        assert_eq!(of_payload("0x"), "ticket is malformed: its payload is not lower-case hex");
        assert_eq!(of_payload("0"), "ticket is malformed: its payload is not lower-case hex");
        assert_eq!(of_payload(""), "ticket is malformed: it ends in version");
        assert_eq!(of_payload("02"), "ticket is malformed: version is 2, wanted 1");
        assert_eq!(
            of_payload("0103"),
            "ticket is malformed: role is 3, wanted 0 (queen), 1 (worker-heartbeat), 2 (worker-gpu) or 5 (observer)"
        );
        assert_eq!(
            of_payload("010040"),
            "ticket is malformed: flags are 0x40, wanted none outside 0x3f"
        );
        assert_eq!(of_payload("010000000000"), "ticket is malformed: it ends in issued_at_ms");
        assert_eq!(
            of_payload("01000000000000000000000000000000"),
            "ticket is malformed: 1 bytes follow its end"
        );
        assert_eq!(
            of_payload("010200000000000000000000000000"),
            "ticket is malformed: a worker-gpu ticket needs a subject"
        );
        assert_eq!(
            of_payload("01001000000000000000000000000000"),
            "ticket is malformed: it has 0 scopes, wanted 1 to 32"
        );
        assert_eq!(
            refused(&"x".repeat(5000)),
            "ticket is malformed: it has 5000 characters, wanted at most 4176"
        );
    }

    /// Proves TICKET-7.
    #[test]
    fn neither_ticket_nor_secret_gets_into_a_log() {
        let secret = Secret::new("worker-gpu");
        let ticket = worker().mint(&secret).unwrap();
        assert_eq!(
            alloc::format!("{ticket} {ticket:?} {secret:?}"),
            "5e1c4c4f Ticket(5e1c4c4f, worker-gpu) Secret(..)"
        );
    }

    /// Proves TICKET-8.
    #[test]
    fn ticket_opens_only_to_the_name_it_is_for() {
        let refused =
            |uname: &str| worker().admits(&uname.parse().unwrap()).map_err(|r| r.to_string());
        assert_eq!(refused("worker-gpu:worker-1"), Ok(()));
        assert_eq!(
            refused("worker-gpu:worker-2"),
            Err("ticket is for worker-gpu:worker-1, uname says worker-gpu:worker-2".into())
        );
        assert_eq!(
            refused("queen"),
            Err("ticket is for worker-gpu:worker-1, uname says queen".into())
        );
        let observer = Claims::new(Role::Observer, None, UnixMs(0));
        assert_eq!(observer.admits(&"observer:anyone".parse().unwrap()), Ok(()));
    }

    #[test]
    fn holder_can_tell_whom_its_ticket_is_for() {
        let ticket = Ticket::parse(WORKER).unwrap();
        assert_eq!(ticket.alleged_identity(), "worker-gpu:worker-1".parse().ok());
        let observer = Claims::new(Role::Observer, None, UnixMs(0));
        assert_eq!(observer.mint(&Secret::new("x")).unwrap().alleged_identity(), None);
    }

    /// Proves TICKET-9.
    #[test]
    fn scope_opens_its_path_and_all_below_for_its_verb_alone() {
        let claims = full();
        let path = |text: &str| text.parse::<PathName>().unwrap();
        assert!(claims.allows(&path("/gpu/GPU-0/ctl"), ScopeVerb::Write));
        assert!(claims.allows(&path("/bundles/a"), ScopeVerb::Read));
        assert!(!claims.allows(&path("/bundles/a"), ScopeVerb::Write));
        assert!(!claims.allows(&path("/gpu/GPU-1/ctl"), ScopeVerb::Read));
        assert_eq!(claims.gpus(), ["GPU-0".parse().unwrap()]);
        assert!(worker().allows(&path("/anything"), ScopeVerb::Both));
    }

    #[test]
    fn claims_that_no_ticket_can_carry_are_not_minted() {
        let secret = Secret::new("s");
        let text = |claims: &Claims| claims.mint(&secret).unwrap_err().text;
        assert_eq!(
            text(&Claims::new(Role::WorkerGpu, None, UnixMs(0))),
            "a worker-gpu ticket needs a subject"
        );
        let mut claims = full();
        claims.scopes = alloc::vec![claims.scopes[0].clone(); 33];
        assert_eq!(text(&claims), "ticket has 33 scopes, wanted at most 32");
        claims.scopes.clear();
        claims.mount.at = "x".repeat(3000);
        assert!(text(&claims).starts_with("ticket payload has 30"), "{}", text(&claims));
        claims.mount.at = "x".repeat(70_000);
        assert_eq!(text(&claims), "mount.at has 70000 bytes, wanted at most 65535");
    }
}
