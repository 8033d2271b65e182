//! What only a hive has: workers, the queen's desk, a lifecycle.
//!
//! ```text
//! spawn ─▶ (a GPU worker: LEASE and TICKET on the bridge) ─▶ live: /worker/<id>/{telemetry,ticket} ─┬ kill ────▶ gone:
//!                                                                                                   └ ttl over ─▶ its tickets are
//!                                                            revoked here, its lease there (later, if the bridge is away)
//! ```

use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    format,
};

use ninedoor_abi::{
    Errno, GpuId, LeaseId, Now, Refusal, TicketId, UnixMs, WorkerId, ticket::Budget,
};

use crate::{
    audit::AuditLine, desk::Desk, gate::Admitted, lifecycle::Lifecycle, revocation::Revocation,
    server::Server, spawn::Talks, tree::NodeId, upstream::UpstreamId,
};

/// What only a hive has.
#[derive(Debug)]
pub(crate) struct Hive {
    pub(crate) lifecycle: Lifecycle,
    pub(crate) desk: Desk,
    pub(crate) talks: Talks,
    /// What workers get that are spawned without a budget.
    pub(crate) budget: Budget,
    pub(crate) next_worker: u64,
    pub(crate) binds: usize,
    workers: BTreeMap<WorkerId, Worker>,
    /// When each worker's time is over.
    retirements: BTreeSet<(UnixMs, WorkerId)>,
    /// Leases to be revoked when their bridge is back.
    pub(crate) revokes_owed: VecDeque<Leased>,
}

/// One worker.
#[derive(Debug, Clone)]
pub(crate) struct Worker {
    pub(crate) directory: NodeId,
    pub(crate) ticket: TicketId,
    pub(crate) spawned_at: UnixMs,
    pub(crate) expires_at: Option<UnixMs>,
    pub(crate) leased: Option<Leased>,
}

/// A lease a bridge has given to a worker.
#[derive(Debug, Clone)]
pub(crate) struct Leased {
    pub(crate) bridge: UpstreamId,
    pub(crate) gpu: GpuId,
    pub(crate) lease: LeaseId,
}

impl Hive {
    pub(crate) fn new(next_worker: u64, now: UnixMs) -> Self {
        Self {
            lifecycle: Lifecycle::boot(now),
            desk: Desk::default(),
            talks: Talks::default(),
            budget: Budget::default(),
            next_worker,
            binds: 0,
            workers: BTreeMap::new(),
            retirements: BTreeSet::new(),
            revokes_owed: VecDeque::new(),
        }
    }

    pub(crate) fn workers(&self) -> usize {
        self.workers.len()
    }

    pub(crate) fn add_worker(&mut self, id: WorkerId, worker: Worker) {
        self.retirements.extend(worker.expires_at.map(|at| (at, id)));
        self.workers.insert(id, worker);
    }

    fn remove_worker(&mut self, id: WorkerId) -> Option<Worker> {
        let worker = self.workers.remove(&id)?;
        if let Some(at) = worker.expires_at {
            self.retirements.remove(&(at, id));
        }
        Some(worker)
    }

    fn next_retirement(&self) -> Option<(UnixMs, WorkerId)> {
        self.retirements.first().copied()
    }

    /// Whether a worker may attach now: while the hive takes workers, and not with the ticket of an earlier worker of this name.
    pub(crate) fn welcomes(&self, admitted: &Admitted) -> Result<(), Refusal> {
        self.lifecycle.takes_workers()?;
        let Some(subject) = &admitted.identity.subject else { return Ok(()) };
        let worker = subject.as_str().parse().ok().and_then(|id: WorkerId| self.workers.get(&id));
        match (worker, &admitted.ticket) {
            (Some(worker), Some((id, claims)))
                if *id != worker.ticket && claims.issued_at_ms < worker.spawned_at =>
            {
                Err(Refusal::new(
                    Errno::EKEYREVOKED,
                    format!("ticket {id} is of an earlier {subject}, ask for a new one"),
                ))
            }
            _ => Ok(()),
        }
    }
}

impl Server {
    /// Takes a worker away: its directory, everything it has open, and what bridges know of it. Answers with what it had on a bridge.
    fn take_away(&mut self, id: WorkerId) -> Option<Option<Leased>> {
        let worker = self.hive.as_mut()?.remove_worker(id)?;
        self.tree.remove(worker.directory);
        self.dismiss_worker(&id.into(), worker.leased.as_ref());
        Some(worker.leased)
    }

    /// Takes a worker away before its time: its tickets are void from now on.
    pub(crate) fn end_worker(&mut self, id: WorkerId, now: Now) -> Result<Option<Leased>, Refusal> {
        let leased = self
            .take_away(id)
            .ok_or_else(|| Refusal::new(Errno::ENOENT, format!("there is no {id}")))?;
        let revocation = Revocation::Subject { subject: id.into(), until_ms: now.unix_ms };
        if let Err(refusal) = self.revoke_now(&revocation, now) {
            let line = AuditLine::own().refused("REVOKE", &refusal, format!("subject={id}"));
            self.audit(line, now);
        }
        Ok(leased)
    }

    /// Takes away the workers whose time is over. Their tickets have ended by themselves.
    pub(crate) fn retire_workers(&mut self, now: Now) {
        while let Some((at, id)) = self.hive.as_ref().and_then(Hive::next_retirement)
            && now.unix_ms >= at
            && let Some(leased) = self.take_away(id)
        {
            self.audit(AuditLine::own().done("RETIRE", format!("id={id} reason=ttl")), now);
            self.owe_revoke(leased);
        }
        self.pay_revokes();
    }

    pub(crate) fn next_retirement(&self) -> Option<UnixMs> {
        self.hive.as_ref()?.next_retirement().map(|(at, _)| at)
    }
}
