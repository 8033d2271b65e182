//! Control lines: `ctl` and `lease`, each to a command of the broker and back to a status line.

use bridge_host_broker::{Answer, Caller as By, Command};
use ninedoor::{AuditLine, Caller};
use ninedoor_abi::{
    Claims, CtlLine, Errno, GpuId, Now, Refusal, Role, Scope, ScopeVerb, StatusLine,
    ctl::{Outcome, RenewLine, Revocation, TicketAsk, Verb},
};

use super::{Dispatcher, Wish};
use crate::{limits::DETAIL_BYTES_MAX, store::Owner};

impl Dispatcher {
    /// One line written to `ctl`.
    pub(crate) fn control(
        &mut self,
        gpu: &GpuId,
        caller: &Caller,
        line: &str,
        now: Now,
    ) -> StatusLine {
        let verb = Verb::of_line(line);
        let outcome = line.parse().and_then(|line| self.obey(gpu, caller, line, now));
        self.conclude(gpu, caller, verb, outcome, now)
    }

    /// One line written to `lease`.
    pub(crate) fn renew(
        &mut self,
        gpu: &GpuId,
        caller: &Caller,
        line: &str,
        now: Now,
    ) -> StatusLine {
        let outcome = line.parse().and_then(|RenewLine { lease, ttl_s }| {
            let command = Command::Renew { by: by(caller), gpu: gpu.clone(), lease, ttl_s };
            self.ask(Verb::Renew, command, now)
        });
        self.conclude(gpu, caller, Verb::Renew, outcome, now)
    }

    /// What a fresh open of `ctl` reads.
    pub(crate) fn recent_control(&self, gpu: &GpuId, viewer: &Owner) -> String {
        self.gpus.get(gpu).map_or_else(String::new, |gpu| gpu.control.seen_by(viewer))
    }

    /// What `lease` reads: one record a line.
    pub(crate) fn lease_lines(&self, gpu: &GpuId, viewer: &Owner) -> String {
        let may_see = |worker| match viewer {
            Owner::Shared => true,
            Owner::Subject(own) => own == worker,
        };
        let leases =
            self.leases.values().filter(|lease| lease.gpu_id == *gpu && may_see(&lease.worker_id));
        leases.map(|lease| lease.to_line() + "\n").collect()
    }

    /// Notes what became of a line where people look for it.
    pub(super) fn conclude(
        &mut self,
        gpu: &GpuId,
        caller: &Caller,
        verb: Verb,
        outcome: Result<StatusLine, Refusal>,
        now: Now,
    ) -> StatusLine {
        let status = outcome.unwrap_or_else(|refusal| StatusLine::err(verb, cut(refusal)));
        let worker = caller.role.is_worker().then(|| caller.subject.clone()).flatten();
        if let Some(gpu) = self.gpus.get_mut(gpu) {
            gpu.work.order(&status);
            gpu.control.note(now.unix_ms, worker, &status);
        }
        self.wishes.push_back(Wish::Audit(entry(gpu, caller, &status)));
        status
    }

    fn obey(
        &mut self,
        gpu: &GpuId,
        caller: &Caller,
        line: CtlLine,
        now: Now,
    ) -> Result<StatusLine, Refusal> {
        let (by, gpu) = (by(caller), gpu.clone());
        let queen = |verb: Verb| match caller.role {
            Role::Queen => Ok(()),
            _ => Err(Refusal::new(Errno::EPERM, format!("{} is for the queen", verb.as_str()))),
        };
        let (verb, command) = match line {
            CtlLine::Lease(ask) => (Verb::Lease, Command::Lease { by, gpu, ask }),
            CtlLine::Release(lease) => (Verb::Release, Command::Release { by, gpu, lease }),
            CtlLine::Priority(priority) => {
                (Verb::Priority, Command::Priority { by, gpu, priority })
            }
            CtlLine::Cancel(job) => (Verb::Cancel, Command::Cancel { by, gpu, job }),
            CtlLine::Reset => (Verb::Reset, Command::Reset { gpu }),
            CtlLine::Drain => (Verb::Drain, Command::Drain { gpu }),
            CtlLine::Undrain => {
                queen(Verb::Undrain)?;
                return self.undrain(&gpu, now);
            }
            CtlLine::Revoke(Revocation::Lease(lease)) => {
                (Verb::Revoke, Command::Revoke { gpu, lease })
            }
            CtlLine::Revoke(Revocation::Ticket(ticket)) => {
                queen(Verb::Revoke)?;
                self.wishes.push_back(Wish::RevokeTicket(ticket));
                (Verb::Revoke, Command::RevokeTicket { ticket })
            }
            CtlLine::Ticket(ask) => {
                queen(Verb::Ticket)?;
                return self.mint(&gpu, &ask, now);
            }
        };
        if matches!(verb, Verb::Reset | Verb::Drain | Verb::Revoke) {
            queen(verb)?;
        }
        self.ask(verb, command, now)
    }

    fn ask(&mut self, verb: Verb, command: Command, now: Now) -> Result<StatusLine, Refusal> {
        // What stops work is done even when it cannot be stored at once.
        if !matches!(verb, Verb::Cancel | Verb::Reset | Verb::Revoke) {
            self.check_store()?;
        }
        let answer = self.broker.handle(command, now)?;
        self.settle(now);
        self.check_stored()?;
        Ok(match answer {
            Answer::Done => StatusLine::ok(verb),
            Answer::Leased(granted) => granted.status(verb),
            Answer::Waiting(queued) => queued.status(),
            Answer::Accepted { lease, pos, .. } => {
                StatusLine::ok(verb).with("lease", lease).with("pos", pos)
            }
        })
    }

    /// A ticket with which a worker attaches here itself: to this GPU, its artefacts and its outputs.
    fn mint(&self, gpu: &GpuId, ask: &TicketAsk, now: Now) -> Result<StatusLine, Refusal> {
        let secret = self.keeper.secret(Role::WorkerGpu).map_err(|error| {
            Refusal::new(Errno::EIO, format!("no secret to mint with: {error}"))
        })?;
        let mut claims = Claims::new(Role::WorkerGpu, Some(ask.worker.clone()), now.unix_ms);
        claims.budget.ttl_s = Some(u64::from(ask.ttl_s));
        claims.budget.ops = ask.ops;
        claims.scopes = vec![Scope {
            path: format!("/gpu/{gpu}").parse::<ninedoor_abi::PathName>()?,
            verb: ScopeVerb::Both,
            rate_per_s: 0,
        }];
        let ticket = claims.mint(&secret)?;
        Ok(StatusLine::ok(Verb::Ticket)
            .with("worker", &ask.worker)
            .with("ttl_s", ask.ttl_s)
            .with("ticket", ticket.expose()))
    }
}

/// What the log says of one line: its outcome in full, as the writer was told it.
fn entry(gpu: &GpuId, caller: &Caller, status: &StatusLine) -> AuditLine {
    let (line, verb) = (AuditLine::of(caller), status.verb.as_str());
    match &status.outcome {
        Outcome::Err(refusal) => line.refused(verb, refusal, format!("gpu={gpu}")),
        Outcome::Ok(_) => {
            let said = status.for_log();
            let words = said.strip_prefix("OK ").and_then(|said| said.strip_prefix(verb));
            line.done(verb, format!("gpu={gpu}{}", words.unwrap_or_default()))
        }
    }
}

/// The text of a refusal is kept in logs, and may quote what a peer sent.
fn cut(mut refusal: Refusal) -> Refusal {
    let fits = |at: &usize| refusal.text.is_char_boundary(*at);
    if let Some(end) = (0..=DETAIL_BYTES_MAX).rev().find(fits) {
        refusal.text.truncate(end);
    }
    refusal
}

/// On whose behalf the broker is asked.
pub(super) fn by(caller: &Caller) -> By {
    By { role: caller.role, subject: caller.subject.clone(), ticket: caller.ticket }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_that_quotes_too_much_is_cut_between_characters() {
        let long = cut(Refusal::invalid("a".to_owned() + &"ü".repeat(DETAIL_BYTES_MAX)));
        assert_eq!(long.text.len(), DETAIL_BYTES_MAX - 1);
        assert_eq!(cut(Refusal::invalid("short")).text, "short");
    }
}
