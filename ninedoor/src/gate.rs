//! The gate: who may attach, as what.
//!
//! ```text
//! Tattach uname aname ─▶ locked out? ─▶ ticket given? ─ yes ─▶ parse ─▶ proved by its role's secret ─▶ time left
//!                         EAGAIN            │                   ─▶ same role and subject as uname ─▶ not revoked ─▶ in
//!                                           └ no ─▶ the server's own user, as queen ─▶ in; anybody else: EACCES
//! ```
//!
//! A client that serves many users attaches once more for each, with an empty uname and the same aname (Linux,
//! `access=user`): then the ticket alone says who it is.

use alloc::format;

use ninedoor_abi::{Claims, Errno, Identity, Now, Refusal, Role, Secret, Ticket, TicketId};

use crate::{config::Secrets, lockout::Lockout, peer::Peer, revocation::Revocations};

/// What the gate needs to know.
#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) secrets: Secrets,
    pub(crate) revocations: Revocations,
    pub(crate) lockout: Lockout,
}

/// Whom the gate let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Admitted {
    pub(crate) identity: Identity,
    /// The ticket's id and claims; none for the server's own user.
    pub(crate) ticket: Option<(TicketId, Claims)>,
}

impl Gate {
    /// Lets a peer in, or says why not. Failures count against the peer.
    pub(crate) fn attach(
        &mut self,
        uname: &str,
        aname: &str,
        peer: &Peer,
        now: Now,
    ) -> Result<Admitted, Refusal> {
        self.lockout.check(&peer.party, now.mono_us)?;
        let admitted = self.admit(uname, aname, peer, now);
        match &admitted {
            Ok(_) => self.lockout.succeeded(&peer.party),
            Err(_) => self.lockout.failed(&peer.party, now.mono_us),
        }
        admitted
    }

    fn admit(&self, uname: &str, aname: &str, peer: &Peer, now: Now) -> Result<Admitted, Refusal> {
        if aname.is_empty() {
            return admit_owner(uname, peer);
        }
        let ticket = Ticket::parse(aname)?;
        let claims = ticket.verify(self.secret(&ticket)?, now.unix_ms)?;
        let identity = match uname {
            "" => Identity { role: claims.role, subject: claims.subject.clone() },
            uname => uname.parse()?,
        };
        claims.admits(&identity)?;
        self.revocations.check(ticket.id(), claims)?;
        Ok(Admitted { identity, ticket: Some((ticket.id(), claims.clone())) })
    }

    fn secret(&self, ticket: &Ticket) -> Result<&Secret, Refusal> {
        let role = ticket.alleged_role();
        self.secrets.of(role).ok_or_else(|| {
            Refusal::new(Errno::EACCES, format!("this server has no secret for {role} tickets"))
        })
    }
}

fn admit_owner(uname: &str, peer: &Peer) -> Result<Admitted, Refusal> {
    let identity = if uname.is_empty() { Identity::QUEEN } else { uname.parse()? };
    if peer.is_owner && identity.role == Role::Queen {
        return Ok(Admitted { identity, ticket: None });
    }
    let hint = if peer.is_owner { "without one only queen may attach" } else { "give it as aname" };
    Err(Refusal::new(Errno::EACCES, format!("{identity} needs a ticket, {hint}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;
    use ninedoor_abi::{MonoUs, Subject, UnixMs};
    use std::string::String;

    const NOW: Now = Now { unix_ms: UnixMs(1_700_000_000_000), mono_us: MonoUs(0) };

    fn secret(role: Role) -> Secret {
        Secret::new(role.as_str())
    }

    fn gate() -> Gate {
        let secrets: BTreeMap<_, _> =
            Role::ALL.into_iter().map(|role| (role, secret(role))).collect();
        Gate {
            secrets: Secrets::new(secrets),
            revocations: Revocations::default(),
            lockout: Lockout::default(),
        }
    }

    fn stranger() -> Peer {
        Peer { name: "tcp 10.0.0.7:4711".into(), party: "10.0.0.7".into(), is_owner: false }
    }

    fn owner() -> Peer {
        Peer { is_owner: true, ..stranger() }
    }

    fn claims(role: Role, subject: Option<&str>) -> Claims {
        Claims::new(role, subject.map(|text| text.parse().unwrap()), NOW.unix_ms)
    }

    fn text(claims: &Claims) -> String {
        claims.mint(&secret(claims.role)).unwrap().expose()
    }

    fn refused(uname: &str, aname: &str, peer: &Peer) -> (Errno, String) {
        let refusal = gate().attach(uname, aname, peer, NOW).unwrap_err();
        (refusal.errno, refusal.text)
    }

    /// Proves AUTH-1.
    #[test]
    fn a_ticket_admits_the_role_and_subject_it_was_minted_for() {
        let worker = text(&claims(Role::WorkerGpu, Some("worker-7")));
        let admitted = gate().attach("worker-gpu:worker-7", &worker, &stranger(), NOW).unwrap();
        assert_eq!(admitted.identity.subject, Some("worker-7".parse::<Subject>().unwrap()));
        let (errno, why) = refused("worker-gpu:worker-8", &worker, &stranger());
        assert_eq!(
            (errno, why.as_str()),
            (Errno::EACCES, "ticket is for worker-gpu:worker-7, uname says worker-gpu:worker-8")
        );
        assert_eq!(refused("queen", &worker, &stranger()).0, Errno::EACCES);
        let check_vector = "cohesix-ticket-010000000000000000000000000000.574095c8f358416843eadd2c94e7f2e8f3dae33e2248533350573a01c3532331";
        assert_eq!(refused("queen", check_vector, &stranger()).0, Errno::EKEYREJECTED);
    }

    /// Proves AUTH-2.
    #[test]
    fn an_attach_for_one_more_user_takes_its_name_from_the_ticket() {
        let worker = text(&claims(Role::WorkerGpu, Some("worker-7")));
        let admitted = gate().attach("", &worker, &stranger(), NOW).unwrap();
        assert_eq!(std::format!("{}", admitted.identity), "worker-gpu:worker-7");
    }

    /// Proves AUTH-3.
    #[test]
    fn only_the_servers_own_user_is_queen_without_a_ticket() {
        assert!(gate().attach("queen", "", &owner(), NOW).is_ok());
        assert!(gate().attach("", "", &owner(), NOW).is_ok());
        let (errno, why) = refused("queen", "", &stranger());
        assert_eq!(
            (errno, why.as_str()),
            (Errno::EACCES, "queen needs a ticket, give it as aname")
        );
        let (_, why) = refused("observer:eve", "", &owner());
        assert_eq!(why, "observer:eve needs a ticket, without one only queen may attach");
    }

    /// Proves AUTH-4.
    #[test]
    fn an_expired_or_revoked_ticket_admits_nobody() {
        let mut expiring = claims(Role::Observer, Some("eve"));
        expiring.budget.ttl_s = Some(10);
        let ticket = text(&expiring);
        let mut gate = gate();
        assert!(gate.attach("observer:eve", &ticket, &stranger(), NOW).is_ok());
        let later = Now { unix_ms: NOW.unix_ms.plus_s(10), ..NOW };
        let refusal = gate.attach("observer:eve", &ticket, &stranger(), later).unwrap_err();
        assert_eq!(refusal.errno, Errno::EKEYEXPIRED);
        let id = Ticket::parse(&ticket).unwrap().id();
        gate.revocations.note(&crate::revocation::Revocation::Ticket(id)).unwrap();
        let refusal = gate.attach("observer:eve", &ticket, &stranger(), NOW).unwrap_err();
        assert_eq!(refusal.errno, Errno::EKEYREVOKED);
    }

    #[test]
    fn a_locked_out_peer_is_not_even_looked_at() {
        let mut gate = gate();
        for _ in 0..3 {
            assert!(gate.attach("queen", "", &stranger(), NOW).is_err());
        }
        let good = text(&claims(Role::Queen, None));
        assert_eq!(gate.attach("queen", &good, &stranger(), NOW).unwrap_err().errno, Errno::EAGAIN);
    }
}
