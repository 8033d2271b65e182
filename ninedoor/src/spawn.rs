//! Making and killing workers: what a bridge has to be asked for it.
//!
//! ```text
//! spawn gpu:  LEASE … worker=worker-7 ─▶ TICKET worker=worker-7 ─▶ our own ticket, /worker/worker-7 ─▶ OK SPAWN
//!                │ refused                  │ refused: the lease is revoked again
//!                └──────────────────────────┴──▶ ERR SPAWN, no id is used up
//! kill:       everything here is closed at once ─▶ REVOKE lease-7 ─▶ OK KILL; a bridge that is away is told when it is back
//! ```

use alloc::{collections::BTreeMap, format, string::String, vec, vec::Vec};

use ninedoor_abi::{
    Claims, CtlLine, Errno, Now, PathName, Refusal, Role, Scope, ScopeVerb, StatusLine, Subject,
    Ticket, TicketId, WorkerId,
    ctl::{LeaseAsk, LeaseGranted, LeaseSize, Revocation as Revoke, TicketAsk},
    limits::TTL_S_MAX,
    queen::GpuLeaseSpec,
    ticket::{Budget, MountSpec},
};

use crate::{
    audit::AuditLine,
    desk::{Carried, no_hive},
    event::Event,
    hive::{Leased, Worker},
    limits::{REVOKES_OWED_MAX, TELEMETRY_BYTES_MAX, WORKERS_MAX},
    mount::Backend,
    queen::over,
    ring::LogRing,
    server::{Server, path},
    tree::Kind,
    upstream::{DialogueId, Said, UpstreamId},
};

/// How long a ticket holds that a worker gets from a bridge when its own has no end: it asks again then.
const BRIDGE_TICKET_TTL_S: u32 = 86_400;

/// Dialogues with bridges, and what they are for.
#[derive(Debug, Default)]
pub(crate) struct Talks {
    under_way: BTreeMap<(UpstreamId, DialogueId), Purpose>,
}

/// What a dialogue is for.
#[derive(Debug)]
enum Purpose {
    /// The order at the desk: a new worker.
    Spawn { lease: GpuLeaseSpec, budget: Budget },
    /// The order at the desk: a worker's end.
    Kill { worker: WorkerId, leased: Leased },
    /// A worker whose bridge ticket we do not have, any more or yet.
    Fetch { worker: Subject },
    /// A lease whose revocation was owed.
    Revoke { leased: Leased },
    /// A bridge ticket whose worker is no more.
    RevokeTicket { worker: Subject, ticket: TicketId },
}

impl Server {
    /// Asks the bridge for a lease and a ticket; the worker is made when it has both.
    pub(crate) fn spawn_gpu(&mut self, lease: GpuLeaseSpec, budget: Budget) -> Carried {
        match self.ask_for_worker(lease, budget) {
            Ok(()) => Carried::UnderWay,
            Err(refusal) => Carried::Out(Err(refusal)),
        }
    }

    fn ask_for_worker(&mut self, lease: GpuLeaseSpec, budget: Budget) -> Result<(), Refusal> {
        let worker = self.next_worker()?;
        let hive = self.hive.as_ref().ok_or_else(no_hive)?;
        let budget = Budget { ticks: None, ..over(budget, hive.budget) };
        let budget = Budget { ttl_s: budget.ttl_s.or_else(|| Some(lease.ttl_s.into())), ..budget };
        let bridge = self.bridge()?;
        let size = LeaseSize { mem_mb: lease.mem_mb, streams: lease.streams, ttl_s: lease.ttl_s };
        let orders = vec![
            CtlLine::Lease(LeaseAsk {
                size: Some(size),
                priority: lease.priority,
                worker: Some(worker.into()),
                wait_s: 0,
            }),
            ticket_order(worker.into(), budget.ttl_s),
        ];
        let gpu = lease.gpu_id.clone();
        self.talk(bridge, gpu.as_str(), &orders, Purpose::Spawn { lease, budget });
        Ok(())
    }

    /// The id the next worker will have, if there may be one.
    fn next_worker(&self) -> Result<WorkerId, Refusal> {
        let hive = self.hive.as_ref().ok_or_else(no_hive)?;
        hive.lifecycle.takes_work()?;
        if hive.workers() >= WORKERS_MAX {
            return Err(Refusal::new(
                Errno::EBUSY,
                format!("{WORKERS_MAX} workers live, kill one"),
            ));
        }
        Ok(WorkerId(hive.next_worker))
    }

    /// The bridge behind `/gpu`.
    fn bridge(&self) -> Result<UpstreamId, Refusal> {
        let none = || Refusal::new(Errno::EBUSY, "no bridge is mounted at /gpu");
        let mount = self
            .tree
            .find(&path("/gpu"))
            .and_then(|id| self.tree.get(id)?.mount())
            .ok_or_else(none)?;
        match self.mounts.get(mount).map(|mount| mount.backend) {
            Some(Backend::Remote(id)) => match self.upstreams.get(id.0 as usize) {
                Some(upstream) if upstream.is_up() => Ok(id),
                Some(upstream) => Err(Refusal::new(
                    Errno::EBUSY,
                    format!("bridge {} is away, try again when it is back", upstream.service()),
                )),
                None => Err(none()),
            },
            _ => Err(none()),
        }
    }

    fn talk(&mut self, bridge: UpstreamId, gpu: &str, orders: &[CtlLine], purpose: Purpose) {
        let orders: Vec<String> = orders.iter().map(|order| format!("{order}")).collect();
        let (Some(upstream), Some(hive)) =
            (self.upstreams.get_mut(bridge.0 as usize), &mut self.hive)
        else {
            return;
        };
        let dialogue = upstream.say(&["gpu", gpu, "ctl"], orders);
        hive.talks.under_way.insert((bridge, dialogue), purpose);
    }

    /// A dialogue with a bridge is over.
    pub(crate) fn talk_over(
        &mut self,
        bridge: UpstreamId,
        dialogue: DialogueId,
        said: Said,
        now: Now,
    ) {
        let purpose =
            self.hive.as_mut().and_then(|hive| hive.talks.under_way.remove(&(bridge, dialogue)));
        match purpose {
            Some(Purpose::Spawn { lease, budget }) => {
                let spawned = self.spawned(bridge, &lease, budget, said, now);
                self.order_over("SPAWN", spawned, now);
            }
            Some(Purpose::Kill { worker, leased }) => {
                let outcome = self.revoked_there(leased, said.refusal);
                self.order_over("KILL", Ok(format!("id={worker} {outcome}")), now);
            }
            Some(Purpose::Fetch { worker }) => self.fetched(bridge, &worker, said, now),
            Some(Purpose::Revoke { leased }) => {
                let outcome = self.revoked_there(leased, said.refusal);
                self.audit(AuditLine::own().done("REVOKE", outcome), now);
            }
            Some(Purpose::RevokeTicket { worker, ticket }) => {
                let detail = format!("worker={worker} bridge_ticket={ticket}");
                let line = match said.refusal {
                    None => AuditLine::own().done("REVOKE", detail),
                    Some(refusal) => AuditLine::own().refused("REVOKE", &refusal, detail),
                };
                self.audit(line, now);
            }
            None => {}
        }
    }

    fn spawned(
        &mut self,
        bridge: UpstreamId,
        lease: &GpuLeaseSpec,
        budget: Budget,
        said: Said,
        now: Now,
    ) -> Result<String, Refusal> {
        let granted = said.statuses.first().and_then(LeaseGranted::of_status);
        let leased = granted.map(|granted| Leased { bridge, gpu: granted.gpu, lease: granted.id });
        let made = match (said.refusal, &leased, said.statuses.get(1).and_then(ticket_of)) {
            (Some(refusal), ..) => Err(refusal),
            (None, Some(leased), Some(ticket)) => {
                self.make_gpu_worker(lease, budget, leased, ticket, now)
            }
            (None, ..) => Err(Refusal::new(
                Errno::EPROTO,
                "the bridge granted neither a lease nor a ticket that can be read",
            )),
        };
        if made.is_err() {
            self.owe_revoke(leased);
            self.pay_revokes();
        }
        made
    }

    fn make_gpu_worker(
        &mut self,
        lease: &GpuLeaseSpec,
        budget: Budget,
        leased: &Leased,
        bridge_ticket: String,
        now: Now,
    ) -> Result<String, Refusal> {
        let scope = format!("/gpu/{}", lease.gpu_id).parse::<PathName>()?;
        let scopes = vec![Scope { path: scope, verb: ScopeVerb::Both, rate_per_s: 0 }];
        let (id, ticket) =
            self.make_worker(Role::WorkerGpu, budget, scopes, Some(leased.clone()), now)?;
        if let Some(upstream) = self.upstream_mut(leased.bridge) {
            upstream.set_ticket(&id.into(), bridge_ticket);
        }
        Ok(format!(
            "id={id} role=worker-gpu ticket={ticket} gpu={} lease={}",
            leased.gpu, leased.lease
        ))
    }

    /// `spawn heartbeat` needs nobody.
    pub(crate) fn spawn_heartbeat(
        &mut self,
        ticks: u64,
        budget: Budget,
        now: Now,
    ) -> Result<String, Refusal> {
        let default = self.hive.as_ref().ok_or_else(no_hive)?.budget;
        let budget = Budget { ticks: Some(ticks), ..over(budget, default) };
        let (id, ticket) =
            self.make_worker(Role::WorkerHeartbeat, budget, Vec::new(), None, now)?;
        Ok(format!("id={id} role=worker-heartbeat ticket={ticket} ticks={ticks}"))
    }

    /// A worker with a ticket and a directory. Its id is used up only when all of it was done.
    fn make_worker(
        &mut self,
        role: Role,
        budget: Budget,
        scopes: Vec<Scope>,
        leased: Option<Leased>,
        now: Now,
    ) -> Result<(WorkerId, TicketId), Refusal> {
        let id = self.next_worker()?;
        let mount = MountSpec { service: String::new(), at: String::new() };
        let subject = Some(id.into());
        let claims = Claims {
            role,
            subject,
            budget,
            issued_at_ms: now.unix_ms,
            mount,
            scopes,
            quotas: None,
        };
        let secret = self.gate.secrets.of(role).ok_or_else(|| {
            Refusal::new(Errno::EACCES, format!("this server has no secret for {role} tickets"))
        })?;
        let ticket = claims.mint(secret)?;
        let taken = |_| Refusal::new(Errno::EEXIST, format!("/worker/{id} is taken"));
        let at = path("/worker").join(&format!("{id}"))?;
        let text = format!("{}\n", ticket.expose());
        self.tree.plant(&at.join("ticket")?, Kind::text(&text)).map_err(taken)?;
        let telemetry = Kind::Telemetry(LogRing::new(TELEMETRY_BYTES_MAX));
        self.tree.plant(&at.join("telemetry")?, telemetry).map_err(taken)?;
        let directory = self.tree.find(&at).unwrap_or_else(|| self.tree.root());
        if let Some(hive) = &mut self.hive {
            let (spawned_at, expires_at) = (now.unix_ms, claims.expires_at());
            hive.add_worker(
                id,
                Worker { directory, ticket: ticket.id(), spawned_at, expires_at, leased },
            );
            hive.next_worker = id.0 + 1;
            self.events.push_back(Event::WorkerIdsTaken { next: id.0 + 1 });
        }
        Ok((id, ticket.id()))
    }

    /// Ends a worker here at once, and then its lease on the bridge.
    pub(crate) fn kill(&mut self, worker: WorkerId, now: Now) -> Carried {
        match self.end_worker(worker, now) {
            Err(refusal) => Carried::Out(Err(refusal)),
            Ok(None) => Carried::Out(Ok(format!("id={worker}"))),
            Ok(Some(leased)) => {
                let orders = [CtlLine::Revoke(Revoke::Lease(leased.lease))];
                let gpu = leased.gpu.clone();
                self.talk(leased.bridge, gpu.as_str(), &orders, Purpose::Kill { worker, leased });
                Carried::UnderWay
            }
        }
    }

    /// A worker is no more: whatever is asked in its name over there is refused, and its tickets there are revoked. One that cannot be
    /// revoked because the bridge is away was known to nobody but us, and is forgotten.
    pub(crate) fn dismiss_worker(&mut self, worker: &Subject, leased: Option<&Leased>) {
        let mut tickets = Vec::new();
        for (upstream, number) in self.upstreams.iter_mut().zip(0..) {
            tickets.extend(upstream.ticket_of(worker).map(|ticket| (UpstreamId(number), ticket)));
            upstream.dismiss(worker, secure9p::Errno::EPERM);
        }
        let Some(leased) = leased else { return };
        for (bridge, ticket) in tickets {
            let orders = [CtlLine::Revoke(Revoke::Ticket(ticket))];
            let purpose = Purpose::RevokeTicket { worker: worker.clone(), ticket };
            self.talk(bridge, leased.gpu.as_str(), &orders, purpose);
        }
    }

    /// What the bridge said to a revocation: a lease that is over already is as good as revoked.
    fn revoked_there(&mut self, leased: Leased, refusal: Option<Refusal>) -> String {
        let (gpu, lease) = (leased.gpu.clone(), leased.lease);
        match refusal {
            None => format!("gpu={gpu} lease={lease} bridge=revoked"),
            Some(refusal) if matches!(refusal.errno, Errno::EBUSY | Errno::EIO | Errno::EAGAIN) => {
                self.owe_revoke(Some(leased));
                format!("gpu={gpu} lease={lease} bridge=away")
            }
            Some(refusal) => format!("gpu={gpu} lease={lease} bridge={}", refusal.errno),
        }
    }

    pub(crate) fn owe_revoke(&mut self, leased: Option<Leased>) {
        if let (Some(leased), Some(hive)) = (leased, &mut self.hive) {
            if hive.revokes_owed.len() >= REVOKES_OWED_MAX {
                hive.revokes_owed.pop_front();
            }
            hive.revokes_owed.push_back(leased);
        }
    }

    /// Tells every bridge that is there which leases are over.
    pub(crate) fn pay_revokes(&mut self) {
        let Some(hive) = &mut self.hive else { return };
        for leased in core::mem::take(&mut hive.revokes_owed) {
            if self.upstreams.get(leased.bridge.0 as usize).is_some_and(|upstream| upstream.is_up())
            {
                let orders = [CtlLine::Revoke(Revoke::Lease(leased.lease))];
                let gpu = leased.gpu.clone();
                self.talk(leased.bridge, gpu.as_str(), &orders, Purpose::Revoke { leased });
            } else {
                self.owe_revoke(Some(leased));
            }
        }
    }

    /// A worker that we did not spawn, or not in this life, wants to go to a bridge: its ticket names its GPUs.
    pub(crate) fn fetch_ticket(&mut self, bridge: UpstreamId, worker: &Subject, now: Now) {
        let attachments =
            self.attachments.live(|attachment| attachment.caller.subject.as_ref() == Some(worker));
        let attachment = attachments.first().and_then(|key| self.attachments.get(*key));
        let gpu = attachment.and_then(|attachment| {
            attachment.caller.scopes.iter().find_map(|scope| scope.path.gpu())
        });
        let ttl_s = attachment
            .and_then(|attachment| attachment.expires_at)
            .map(|at| at.ms_since(now.unix_ms).div_ceil(1000));
        let Some(gpu) = gpu else {
            if let Some(upstream) = self.upstream_mut(bridge) {
                upstream.dismiss(worker, secure9p::Errno::EACCES);
            }
            return;
        };
        let orders = [ticket_order(worker.clone(), ttl_s)];
        self.talk(bridge, gpu.as_str(), &orders, Purpose::Fetch { worker: worker.clone() });
    }

    fn fetched(&mut self, bridge: UpstreamId, worker: &Subject, said: Said, now: Now) {
        let ticket = said.statuses.first().and_then(ticket_of);
        let outcome = match (&ticket, &said.refusal) {
            (Some(ticket), None) => {
                let id = Ticket::parse(ticket)
                    .map(|ticket| format!("{}", ticket.id()))
                    .unwrap_or_default();
                AuditLine::own().done("TICKET", format!("worker={worker} bridge_ticket={id}"))
            }
            (_, Some(refusal)) => {
                AuditLine::own().refused("TICKET", refusal, format!("worker={worker}"))
            }
            (None, None) => {
                AuditLine::own().done("TICKET", format!("worker={worker} bridge_ticket=-"))
            }
        };
        self.audit(outcome, now);
        if let Some(upstream) = self.upstream_mut(bridge) {
            match (ticket, said.refusal) {
                (Some(ticket), None) => upstream.set_ticket(worker, ticket),
                (_, refusal) => {
                    let errno = refusal.map_or(secure9p::Errno::EPROTO, |refusal| {
                        secure9p::Errno(refusal.errno.0)
                    });
                    upstream.dismiss(worker, errno);
                }
            }
        }
    }
}

fn ticket_order(worker: Subject, ttl_s: Option<u64>) -> CtlLine {
    let ttl_s =
        ttl_s.map_or(BRIDGE_TICKET_TTL_S, |ttl_s| u32::try_from(ttl_s).unwrap_or(TTL_S_MAX));
    CtlLine::Ticket(TicketAsk { worker, ttl_s: ttl_s.clamp(1, TTL_S_MAX), ops: None })
}

/// The ticket in a status line.
fn ticket_of(status: &StatusLine) -> Option<String> {
    status.field("ticket").map(String::from)
}
