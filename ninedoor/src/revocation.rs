//! What was revoked: tickets by their id, and everything a subject was given before a moment.

use alloc::collections::{BTreeMap, BTreeSet};

use ninedoor_abi::{Claims, Errno, Refusal, Subject, TicketId, UnixMs};

use crate::limits::REVOCATIONS_MAX;

/// One revocation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Revocation {
    /// Every ticket with this id.
    Ticket(TicketId),
    /// Every ticket of this subject that was minted before this moment.
    Subject {
        /// Whose.
        subject: Subject,
        /// Minted at this moment or earlier.
        until_ms: UnixMs,
    },
}

/// All revocations in force.
#[derive(Debug, Clone, Default)]
pub(crate) struct Revocations {
    tickets: BTreeSet<TicketId>,
    subjects: BTreeMap<Subject, UnixMs>,
}

impl Revocations {
    /// Notes one.
    ///
    /// # Errors
    /// ENOSPC when the list is full: what was revoked before stays revoked.
    pub(crate) fn note(&mut self, revocation: &Revocation) -> Result<(), Refusal> {
        if self.tickets.len() + self.subjects.len() >= REVOCATIONS_MAX && !self.knows(revocation) {
            return Err(Refusal::new(
                Errno::ENOSPC,
                alloc::format!(
                    "{REVOCATIONS_MAX} revocations are kept; rotate the secrets, which revokes everything"
                ),
            ));
        }
        match revocation {
            Revocation::Ticket(id) => {
                self.tickets.insert(*id);
            }
            Revocation::Subject { subject, until_ms } => {
                let until = self.subjects.entry(subject.clone()).or_default();
                *until = (*until).max(*until_ms);
            }
        }
        Ok(())
    }

    fn knows(&self, revocation: &Revocation) -> bool {
        match revocation {
            Revocation::Ticket(id) => self.tickets.contains(id),
            Revocation::Subject { subject, .. } => self.subjects.contains_key(subject),
        }
    }

    /// Whether a ticket that is otherwise good still opens the door.
    pub(crate) fn check(&self, id: TicketId, claims: &Claims) -> Result<(), Refusal> {
        let subject_revoked = claims
            .subject
            .as_ref()
            .and_then(|subject| self.subjects.get(subject))
            .is_some_and(|until| claims.issued_at_ms <= *until);
        if self.tickets.contains(&id) || subject_revoked {
            let whose = claims.subject.as_ref().map_or("nobody", Subject::as_str);
            return Err(Refusal::new(
                Errno::EKEYREVOKED,
                alloc::format!("ticket {id} of {whose} was revoked, ask for a new one"),
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ninedoor_abi::Role;

    fn claims(subject: &str, issued_ms: u64) -> Claims {
        Claims::new(Role::WorkerGpu, Some(subject.parse().unwrap()), UnixMs(issued_ms))
    }

    const ID: TicketId = TicketId([1, 2, 3, 4]);

    #[test]
    fn a_revoked_subject_may_come_back_with_a_newer_ticket() {
        let mut revoked = Revocations::default();
        let until_ms = UnixMs(1000);
        revoked
            .note(&Revocation::Subject { subject: "worker-7".parse().unwrap(), until_ms })
            .unwrap();
        let refusal = revoked.check(ID, &claims("worker-7", 1000)).unwrap_err();
        assert_eq!(refusal.errno, Errno::EKEYREVOKED);
        assert_eq!(refusal.text, "ticket 01020304 of worker-7 was revoked, ask for a new one");
        assert_eq!(revoked.check(ID, &claims("worker-7", 1001)), Ok(()));
        assert_eq!(revoked.check(ID, &claims("worker-8", 1)), Ok(()));
    }

    #[test]
    fn a_full_list_refuses_and_forgets_nothing() {
        let mut revoked = Revocations::default();
        for number in 0..u32::try_from(REVOCATIONS_MAX).unwrap() {
            revoked.note(&Revocation::Ticket(TicketId(number.to_be_bytes()))).unwrap();
        }
        let refusal = revoked.note(&Revocation::Ticket(TicketId([0xff; 4]))).unwrap_err();
        assert_eq!(
            refusal.text,
            "16384 revocations are kept; rotate the secrets, which revokes everything"
        );
        assert!(revoked.note(&Revocation::Ticket(TicketId([0; 4]))).is_ok());
        assert!(revoked.check(TicketId([0; 4]), &claims("worker-7", 1)).is_err());
    }
}
