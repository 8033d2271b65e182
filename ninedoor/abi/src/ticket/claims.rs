//! What a proved ticket says.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use super::{Quotas, Scope, ScopeVerb, TicketRefused};
use crate::{GpuId, Identity, PathName, Refusal, Role, Subject, UnixMs, limits::TICKET_SCOPES_MAX};

/// How long a ticket's holder may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Budget {
    /// Heartbeats.
    pub ticks: Option<u64>,
    /// Operations.
    pub ops: Option<u64>,
    /// Seconds from `issued_at_ms`.
    pub ttl_s: Option<u64>,
}

/// The service a ticket is to be used with, where the minter said so; both may be empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MountSpec {
    /// The service's name.
    pub service: String,
    /// Where its holder mounts it.
    pub at: String,
}

/// The name that no worker may have.
const QUEEN: &str = "queen";

/// What a ticket says, proved or about to be minted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// What the holder is.
    pub role: Role,
    /// Whom it speaks for.
    pub subject: Option<Subject>,
    /// How long it may go on.
    pub budget: Budget,
    /// When it was minted.
    pub issued_at_ms: UnixMs,
    /// What it is to be used with.
    pub mount: MountSpec,
    /// The places it opens; none given means all that the role sees.
    pub scopes: Vec<Scope>,
    /// What it may use up.
    pub quotas: Option<Quotas>,
}

impl Claims {
    /// A ticket of this role and subject without any bound.
    #[must_use]
    pub fn new(role: Role, subject: Option<Subject>, issued_at_ms: UnixMs) -> Self {
        let (budget, mount) = (Budget::default(), MountSpec::default());
        Self { role, subject, budget, issued_at_ms, mount, scopes: Vec::new(), quotas: None }
    }

    /// When its time is over, if ever.
    #[must_use]
    pub fn expires_at(&self) -> Option<UnixMs> {
        self.budget.ttl_s.map(|ttl_s| self.issued_at_ms.plus_s(ttl_s))
    }

    /// Whether the holder may attach under this name.
    ///
    /// # Errors
    /// [`TicketRefused::WrongIdentity`], naming both.
    pub fn admits(&self, uname: &Identity) -> Result<(), TicketRefused> {
        let same_subject =
            self.subject == uname.subject || (self.subject.is_none() && !self.role.is_worker());
        if self.role == uname.role && same_subject {
            return Ok(());
        }
        let ticket = match &self.subject {
            Some(subject) => alloc::format!("{}:{subject}", self.role),
            None => self.role.to_string(),
        };
        Err(TicketRefused::WrongIdentity { ticket, uname: uname.clone() })
    }

    /// Whether a scope allows `act` on `path`; a ticket without scopes leaves it to the role.
    #[must_use]
    pub fn allows(&self, path: &PathName, act: ScopeVerb) -> bool {
        self.scopes.is_empty() || self.scopes.iter().any(|scope| scope.allows(path, act))
    }

    /// The GPUs that its scopes name, in order, each once.
    #[must_use]
    pub fn gpus(&self) -> Vec<GpuId> {
        let mut gpus: Vec<_> = self.scopes.iter().filter_map(|scope| scope.path.gpu()).collect();
        gpus.sort();
        gpus.dedup();
        gpus
    }

    /// What must hold of every ticket, minted or presented.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        if self.role.is_worker() && self.subject.is_none() {
            return Err(Refusal::invalid(alloc::format!("a {} ticket needs a subject", self.role)));
        }
        if self.role.is_worker() && self.subject.as_ref().map(Subject::as_str) == Some(QUEEN) {
            // The queen's own leases and jobs are kept under this name.
            return Err(Refusal::invalid(alloc::format!(
                "a {} ticket is for {QUEEN:?}, wanted another subject",
                self.role
            )));
        }
        if self.scopes.len() > TICKET_SCOPES_MAX {
            return Err(Refusal::invalid(alloc::format!(
                "ticket has {} scopes, wanted at most {TICKET_SCOPES_MAX}",
                self.scopes.len()
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves TICKET-11.
    #[test]
    fn no_ticket_makes_a_worker_of_the_queens_name() {
        let claims = |role, subject: &str| {
            Claims::new(role, Some(subject.parse().unwrap()), UnixMs(0)).check()
        };
        assert_eq!(
            claims(Role::WorkerGpu, "queen").unwrap_err().text,
            "a worker-gpu ticket is for \"queen\", wanted another subject"
        );
        assert_eq!(claims(Role::WorkerGpu, "queen-1"), Ok(()));
        assert_eq!(claims(Role::Queen, "queen"), Ok(()));
    }
}
