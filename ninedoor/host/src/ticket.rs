//! `ticket mint|show|revoke|rotate`: tickets of a server, by the secrets in its state directory. The same verbs for `ninedoor` and
//! `gpu-bridge-host`.
//!
//! Works beside a server that runs: that finds out by itself, within a second, what was revoked or rotated.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use ninedoor::Revocation;
use ninedoor_abi::{
    Claims, GpuId, PathName, Quotas, Role, Scope, ScopeVerb, Subject, Ticket, TicketId, UnixMs,
};

use crate::{audit::leave_ticket, clock::Clock, keeper::Keeper};

/// What to do with tickets.
#[derive(Debug, Clone, Subcommand)]
pub enum TicketVerb {
    /// Print a new ticket, alone on its line.
    Mint(MintWords),
    /// Say what a ticket is for, and whether it opens this server's door.
    Show {
        /// The ticket, or @FILE to read it from.
        ticket: String,
        /// Where the secrets are.
        #[command(flatten)]
        state: StateWords,
    },
    /// Make a ticket, or all that somebody was given until now, open nothing any more.
    Revoke {
        /// The ticket, its id, or @FILE to read it from.
        #[arg(required_unless_present = "subject")]
        ticket: Option<String>,
        /// Everything this subject was given until now.
        #[arg(long, conflicts_with = "ticket")]
        subject: Option<Subject>,
        /// Where the secrets are.
        #[command(flatten)]
        state: StateWords,
    },
    /// Draw another secret for a role: every ticket of that role is void from now on.
    Rotate {
        /// Whose.
        #[arg(long, value_parser = role)]
        role: Role,
        /// Where the secrets are.
        #[command(flatten)]
        state: StateWords,
    },
}

/// Where the secrets are.
#[derive(Debug, Clone, Args)]
pub struct StateWords {
    /// The server's state directory.
    #[arg(long, value_name = "DIR", env = "COHESIX_STATE_DIR")]
    state_dir: Option<PathBuf>,
}

/// What a new ticket says.
#[derive(Debug, Clone, Args)]
pub struct MintWords {
    /// queen, worker-gpu, worker-heartbeat or observer.
    #[arg(long, value_parser = role)]
    role: Role,
    /// Whom it is for; every role but queen needs one.
    #[arg(long)]
    subject: Option<Subject>,
    /// A GPU it opens; may be given more than once.
    #[arg(long = "gpu", value_name = "ID")]
    gpus: Vec<GpuId>,
    /// A place it opens: PATH[:read|write|both][@OPS_PER_SECOND]; may be given more than once.
    #[arg(long = "scope", value_name = "SCOPE", value_parser = scope)]
    scopes: Vec<Scope>,
    /// How long it holds: 90s, 10m, 2h, 1d, or seconds.
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    ttl: Option<u64>,
    /// Operations it is good for.
    #[arg(long, value_name = "N")]
    ops: Option<u64>,
    /// Heartbeats it is good for.
    #[arg(long, value_name = "N")]
    ticks: Option<u64>,
    /// Bytes it may read and write.
    #[arg(long, value_name = "BYTES")]
    bandwidth: Option<u64>,
    #[command(flatten)]
    state: StateWords,
}

/// Does it, leaves it for the audit log, and prints what came of it: no ticket is shown that is not in there. `default` is the state
/// directory where none is named.
///
/// # Errors
/// What is in the way.
pub fn run_noted(
    verb: &TicketVerb,
    default: &Path,
    clock: &Clock,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let mut said = Vec::new();
    run(verb, default, clock, &mut said)?;
    leave_ticket(verb, verb.state_dir().unwrap_or(default), &said)?;
    out.write_all(&said)?;
    Ok(())
}

/// Does it, and prints what came of it; `default` is the state directory where none is named.
///
/// # Errors
/// What is in the way.
pub fn run(
    verb: &TicketVerb,
    default: &Path,
    clock: &Clock,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let now = clock.now().unix_ms;
    match verb {
        TicketVerb::Mint(words) => {
            let keeper = words.state.open(default)?;
            let ticket = words.claims(now)?.mint(&keeper.secret(words.role)?)?;
            writeln!(out, "{}", ticket.expose())?;
        }
        TicketVerb::Show { ticket, state } => {
            show(&spelled_out(ticket)?, &state.open(default)?, now, out)?
        }
        TicketVerb::Revoke { ticket, subject, state } => {
            let revocation = match (ticket, subject) {
                (_, Some(subject)) => {
                    Revocation::Subject { subject: subject.clone(), until_ms: now }
                }
                (Some(ticket), None) => Revocation::Ticket(id_of(&spelled_out(ticket)?)?),
                (None, None) => bail!("name a ticket or a --subject"),
            };
            state.open(default)?.note_revocation(&revocation)?;
            match revocation {
                Revocation::Ticket(id) => writeln!(out, "revoked ticket {id}")?,
                Revocation::Subject { subject, .. } => {
                    writeln!(out, "revoked what {subject} was given until now")?
                }
            }
        }
        TicketVerb::Rotate { role, state } => {
            state.open(default)?.rotate(*role)?;
            writeln!(out, "every earlier {role} ticket is void")?;
        }
    }
    Ok(())
}

impl TicketVerb {
    /// The state directory that was named.
    #[must_use]
    pub fn state_dir(&self) -> Option<&Path> {
        let (Self::Mint(MintWords { state, .. })
        | Self::Show { state, .. }
        | Self::Revoke { state, .. }
        | Self::Rotate { state, .. }) = self;
        state.state_dir.as_deref()
    }
}

impl StateWords {
    fn open(&self, default: &Path) -> anyhow::Result<Keeper> {
        Ok(Keeper::open(self.state_dir.as_deref().unwrap_or(default))?)
    }
}

impl MintWords {
    fn claims(&self, now: UnixMs) -> anyhow::Result<Claims> {
        if self.role.needs_subject() && self.subject.is_none() {
            bail!("role {} needs --subject", self.role);
        }
        let mut claims = Claims::new(self.role, self.subject.clone(), now);
        claims.budget.ttl_s = self.ttl;
        claims.budget.ops = self.ops;
        claims.budget.ticks = self.ticks;
        claims.quotas =
            self.bandwidth.map(|bandwidth_bytes| Quotas { bandwidth_bytes, ..Quotas::default() });
        for gpu in &self.gpus {
            let path = format!("/gpu/{gpu}").parse()?;
            claims.scopes.push(Scope { path, verb: ScopeVerb::Both, rate_per_s: 0 });
        }
        claims.scopes.extend(self.scopes.iter().cloned());
        Ok(claims)
    }
}

fn show(text: &str, keeper: &Keeper, now: UnixMs, out: &mut impl Write) -> anyhow::Result<()> {
    let ticket = Ticket::parse(text)?;
    writeln!(out, "id        {}", ticket.id())?;
    // Beyond the MAC nothing of it is to be believed, so nothing of it is shown.
    let claims = match ticket.verify(&keeper.secret(ticket.alleged_role())?, UnixMs(0)) {
        Ok(claims) => claims,
        Err(refused) => {
            writeln!(out, "valid     no: {refused}")?;
            return Ok(());
        }
    };
    writeln!(out, "role      {}", claims.role)?;
    if let Some(subject) = &claims.subject {
        writeln!(out, "subject   {subject}")?;
    }
    writeln!(out, "issued    {} ms", claims.issued_at_ms)?;
    if let Some(at) = claims.expires_at() {
        writeln!(out, "expires   {at} ms, {} s from now", at.ms_since(now) / 1000)?;
    }
    let budget = [("ops", claims.budget.ops), ("ticks", claims.budget.ticks)];
    for (name, amount) in budget.into_iter().filter_map(|(name, amount)| Some((name, amount?))) {
        writeln!(out, "{name:<10}{amount}")?;
    }
    if let Some(quotas) = claims.quotas {
        writeln!(out, "bandwidth {} bytes", quotas.bandwidth_bytes)?;
    }
    for Scope { path, verb, rate_per_s } in &claims.scopes {
        let rate =
            if *rate_per_s > 0 { format!(" at {rate_per_s} a second") } else { String::new() };
        writeln!(out, "scope     {path} {verb}{rate}")?;
    }
    let expired = claims.expires_at().is_some_and(|at| now >= at);
    let revoked =
        keeper.revocations()?.iter().any(|revocation| concerns(revocation, &ticket, claims));
    let valid = match (expired, revoked) {
        (_, true) => "no: it was revoked",
        (true, _) => "no: its time is over",
        (false, false) => "yes",
    };
    writeln!(out, "valid     {valid}")?;
    Ok(())
}

fn concerns(revocation: &Revocation, ticket: &Ticket, claims: &Claims) -> bool {
    match revocation {
        Revocation::Ticket(id) => *id == ticket.id(),
        Revocation::Subject { subject, until_ms } => {
            claims.subject.as_ref() == Some(subject) && claims.issued_at_ms <= *until_ms
        }
    }
}

/// The text, or that of the file it names.
///
/// # Errors
/// The file cannot be read.
pub fn spelled_out(text: &str) -> anyhow::Result<String> {
    let Some(file) = text.strip_prefix('@') else { return Ok(text.trim().to_owned()) };
    let text =
        std::fs::read_to_string(file).with_context(|| format!("read the ticket in {file}"))?;
    Ok(text.trim().to_owned())
}

fn id_of(text: &str) -> anyhow::Result<TicketId> {
    if text.starts_with("cohesix-ticket-") {
        return Ok(Ticket::parse(text)?.id());
    }
    Ok(text.parse()?)
}

fn role(text: &str) -> Result<Role, String> {
    text.parse().map_err(|refusal: ninedoor_abi::Refusal| refusal.text)
}

fn seconds(text: &str) -> Result<u64, String> {
    let (digits, unit_s) = match text.as_bytes().last() {
        Some(b's') => (&text[..text.len() - 1], 1),
        Some(b'm') => (&text[..text.len() - 1], 60),
        Some(b'h') => (&text[..text.len() - 1], 3600),
        Some(b'd') => (&text[..text.len() - 1], 86_400),
        _ => (text, 1),
    };
    let number: Option<u64> = digits.parse().ok().filter(|number| *number > 0);
    number
        .and_then(|number| number.checked_mul(unit_s))
        .ok_or_else(|| format!("time is {text:?}, wanted like 90s, 10m, 2h or 1d"))
}

fn scope(text: &str) -> Result<Scope, String> {
    let (text, rate) = text.split_once('@').map_or((text, None), |(text, rate)| (text, Some(rate)));
    let (path, verb) = text.split_once(':').map_or((text, None), |(path, verb)| (path, Some(verb)));
    let path: PathName = path.parse().map_err(|bad: ninedoor_abi::BadPath| bad.to_string())?;
    let verb = verb.map_or(Ok(ScopeVerb::Both), str::parse);
    let verb = verb.map_err(|refusal: ninedoor_abi::Refusal| refusal.text)?;
    let rate = rate.map_or(Ok(0), str::parse);
    let rate_per_s = rate
        .map_err(|_| "the rate of a scope is no number, wanted PATH@OPS_PER_SECOND".to_owned())?;
    Ok(Scope { path, verb, rate_per_s })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use ninedoor_abi::{MonoUs, Now};

    #[derive(Debug, Parser)]
    struct Line {
        #[command(subcommand)]
        verb: TicketVerb,
    }

    struct Desk(tempfile::TempDir, Clock);

    impl Desk {
        fn new() -> Self {
            let now = Now { unix_ms: UnixMs(1_700_000_000_000), mono_us: MonoUs(0) };
            Self(tempfile::tempdir().unwrap(), Clock::set(now))
        }

        fn say(&self, line: &str) -> Result<String, String> {
            let words = std::iter::once("ticket").chain(line.split_whitespace());
            let line = Line::try_parse_from(words).map_err(|error| error.to_string())?;
            let mut out = Vec::new();
            run(&line.verb, self.0.path(), &self.1, &mut out).map_err(|error| error.to_string())?;
            Ok(String::from_utf8(out).unwrap())
        }
    }

    /// Proves AUTH-13.
    #[test]
    fn a_minted_ticket_is_printed_alone_and_shown_with_all_it_says() {
        let desk = Desk::new();
        let ticket = desk
            .say("mint --role worker-gpu --subject worker-7 --gpu GPU-0 --ttl 10m --ops 64 --scope /bundles:read@5")
            .unwrap();
        assert!(ticket.starts_with("cohesix-ticket-") && ticket.lines().count() == 1, "{ticket}");
        let shown = desk.say(&format!("show {ticket}")).unwrap();
        let id = Ticket::parse(ticket.trim()).unwrap().id();
        assert_eq!(
            shown,
            format!(
                "id        {id}\nrole      worker-gpu\nsubject   worker-7\nissued    1700000000000 ms\n\
                 expires   1700000600000 ms, 600 s from now\nops       64\nscope     /gpu/GPU-0 both\n\
                 scope     /bundles read at 5 a second\nvalid     yes\n"
            )
        );
    }

    /// Proves AUTH-13.
    #[test]
    fn a_revoked_expired_or_foreign_ticket_is_shown_as_such() {
        let desk = Desk::new();
        let ticket = desk.say("mint --role observer --subject eve --ttl 60").unwrap();
        let valid = |desk: &Desk, ticket: &str| {
            desk.say(&format!("show {ticket}")).unwrap().lines().last().unwrap().to_owned()
        };
        assert_eq!(valid(&desk, &ticket), "valid     yes");
        desk.1.advance(std::time::Duration::from_secs(60));
        assert_eq!(valid(&desk, &ticket), "valid     no: its time is over");
        desk.say("revoke --subject eve").unwrap();
        assert_eq!(valid(&desk, &ticket), "valid     no: it was revoked");
        let queen = desk.say("mint --role queen").unwrap();
        assert_eq!(valid(&desk, &queen), "valid     yes");
        desk.say(&format!("revoke {queen}")).unwrap();
        assert_eq!(valid(&desk, &queen), "valid     no: it was revoked");
        let queen = desk.say("mint --role queen").unwrap();
        desk.say("rotate --role queen").unwrap();
        assert!(valid(&desk, &queen).contains("is not proved by this server's secret"));
        assert!(valid(&Desk::new(), &ticket).starts_with("valid     no: ticket "));
    }

    #[test]
    fn words_that_make_no_ticket_are_refused_with_what_was_wanted() {
        let desk = Desk::new();
        let refused = |line: &str| desk.say(line).unwrap_err();
        assert_eq!(refused("mint --role observer"), "role observer needs --subject");
        assert!(
            refused("mint --role king").contains(
                "role is \"king\", wanted queen, worker-heartbeat, worker-gpu or observer"
            )
        );
        assert!(
            refused("mint --role queen --ttl soon")
                .contains("time is \"soon\", wanted like 90s, 10m, 2h or 1d")
        );
        assert!(refused("mint --role queen --scope gpu").contains("is not absolute"));
        assert!(refused("revoke").contains("required"));
        assert_eq!(refused("revoke xyz"), "ticket id is \"xyz\", wanted 8 hex digits");
    }
}
