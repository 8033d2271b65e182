//! The payload's bytes: little endian, present fields in a fixed order, nothing after them.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use super::{Budget, Claims, MountSpec, Quotas, Scope, ScopeVerb, TicketRefused};
use crate::{
    PathName, Refusal, Role, Subject, UnixMs,
    limits::{TICKET_PAYLOAD_BYTES_MAX, TICKET_SCOPES_MAX},
};

const VERSION: u8 = 1;

const TICKS: u8 = 1;
const OPS: u8 = 2;
const TTL: u8 = 4;
const SUBJECT: u8 = 8;
const SCOPES: u8 = 16;
const QUOTAS: u8 = 32;
const KNOWN_FLAGS: u8 = TICKS | OPS | TTL | SUBJECT | SCOPES | QUOTAS;

pub(super) fn encode(claims: &Claims) -> Result<Vec<u8>, Refusal> {
    let flag = |present: bool, flag: u8| if present { flag } else { 0 };
    let flags = flag(claims.budget.ticks.is_some(), TICKS)
        | flag(claims.budget.ops.is_some(), OPS)
        | flag(claims.budget.ttl_s.is_some(), TTL)
        | flag(claims.subject.is_some(), SUBJECT)
        | flag(!claims.scopes.is_empty(), SCOPES)
        | flag(claims.quotas.is_some(), QUOTAS);

    let mut out = Vec::from([VERSION, claims.role.byte(), flags]);
    for amount in
        [claims.budget.ticks, claims.budget.ops, claims.budget.ttl_s].into_iter().flatten()
    {
        out.extend(amount.to_le_bytes());
    }
    if let Some(subject) = &claims.subject {
        put_text(&mut out, "subject", subject.as_str())?;
    }
    out.extend(claims.issued_at_ms.0.to_le_bytes());
    put_text(&mut out, "mount.service", &claims.mount.service)?;
    put_text(&mut out, "mount.at", &claims.mount.at)?;
    put_scopes(&mut out, &claims.scopes)?;
    if let Some(quotas) = &claims.quotas {
        out.extend(quotas.bandwidth_bytes.to_le_bytes());
        out.extend(quotas.cursor_resumes.to_le_bytes());
        out.extend(quotas.cursor_advances.to_le_bytes());
    }
    if out.len() > TICKET_PAYLOAD_BYTES_MAX {
        return Err(too_long("ticket payload", out.len(), TICKET_PAYLOAD_BYTES_MAX));
    }
    Ok(out)
}

fn put_scopes(out: &mut Vec<u8>, scopes: &[Scope]) -> Result<(), Refusal> {
    if scopes.is_empty() {
        return Ok(());
    }
    let count = u8::try_from(scopes.len())
        .map_err(|_| too_long("scopes", scopes.len(), TICKET_SCOPES_MAX))?;
    out.push(count);
    for scope in scopes {
        put_text(out, "scope", scope.path.as_str())?;
        out.push(scope.verb.byte());
        out.extend(scope.rate_per_s.to_le_bytes());
    }
    Ok(())
}

fn put_text(out: &mut Vec<u8>, field: &str, text: &str) -> Result<(), Refusal> {
    let bytes =
        u16::try_from(text.len()).map_err(|_| too_long(field, text.len(), u16::MAX.into()))?;
    out.extend(bytes.to_le_bytes());
    out.extend(text.as_bytes());
    Ok(())
}

fn too_long(field: &str, seen: usize, wanted: usize) -> Refusal {
    Refusal::invalid(alloc::format!("{field} has {seen} bytes, wanted at most {wanted}"))
}

pub(super) fn decode(bytes: &[u8]) -> Result<Claims, TicketRefused> {
    if bytes.len() > TICKET_PAYLOAD_BYTES_MAX {
        return Err(TicketRefused::Malformed(
            too_long("payload", bytes.len(), TICKET_PAYLOAD_BYTES_MAX).text,
        ));
    }
    let mut reader = Reader { rest: bytes };
    let version = reader.u8("version")?;
    if version != VERSION {
        return Err(reader.malformed(alloc::format!("version is {version}, wanted {VERSION}")));
    }
    let role = reader.role()?;
    let flags = reader.u8("flags")?;
    if flags & !KNOWN_FLAGS != 0 {
        return Err(reader.malformed(alloc::format!(
            "flags are {flags:#04x}, wanted none outside {KNOWN_FLAGS:#04x}"
        )));
    }
    let claims = reader.claims(role, flags)?;
    if !reader.rest.is_empty() {
        return Err(reader.malformed(alloc::format!("{} bytes follow its end", reader.rest.len())));
    }
    claims.check().map_err(|refusal| TicketRefused::Malformed(refusal.text))?;
    Ok(claims)
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn claims(&mut self, role: Role, flags: u8) -> Result<Claims, TicketRefused> {
        let has = |flag: u8| flags & flag != 0;
        let budget = Budget {
            ticks: has(TICKS).then(|| self.u64("ticks")).transpose()?,
            ops: has(OPS).then(|| self.u64("ops")).transpose()?,
            ttl_s: has(TTL).then(|| self.u64("ttl_s")).transpose()?,
        };
        let subject = has(SUBJECT).then(|| self.subject()).transpose()?;
        let issued_at_ms = UnixMs(self.u64("issued_at_ms")?);
        let mount = MountSpec { service: self.text("mount.service")?, at: self.text("mount.at")? };
        let scopes = if has(SCOPES) { self.scopes()? } else { Vec::new() };
        let quotas = has(QUOTAS).then(|| self.quotas()).transpose()?;
        Ok(Claims { role, subject, budget, issued_at_ms, mount, scopes, quotas })
    }

    fn role(&mut self) -> Result<Role, TicketRefused> {
        let byte = self.u8("role")?;
        Role::from_byte(byte).ok_or_else(|| {
            self.malformed(alloc::format!(
                "role is {byte}, wanted 0 (queen), 1 (worker-heartbeat), 2 (worker-gpu) or 5 (observer)"
            ))
        })
    }

    fn subject(&mut self) -> Result<Subject, TicketRefused> {
        let text = self.text("subject")?;
        text.parse().map_err(|bad: crate::BadId| self.malformed(bad.to_string()))
    }

    fn scopes(&mut self) -> Result<Vec<Scope>, TicketRefused> {
        let count = self.u8("scopes")?;
        if count == 0 || usize::from(count) > TICKET_SCOPES_MAX {
            return Err(self.malformed(alloc::format!(
                "it has {count} scopes, wanted 1 to {TICKET_SCOPES_MAX}"
            )));
        }
        (0..count).map(|_| self.scope()).collect()
    }

    fn scope(&mut self) -> Result<Scope, TicketRefused> {
        let text = self.text("scope")?;
        let path: PathName =
            text.parse().map_err(|bad: crate::BadPath| self.malformed(bad.to_string()))?;
        let byte = self.u8("scope verb")?;
        let verb = ScopeVerb::from_byte(byte).ok_or_else(|| {
            self.malformed(alloc::format!(
                "scope verb is {byte}, wanted 0 (read), 1 (write) or 2 (both)"
            ))
        })?;
        Ok(Scope { path, verb, rate_per_s: self.u32("scope rate")? })
    }

    fn quotas(&mut self) -> Result<Quotas, TicketRefused> {
        Ok(Quotas {
            bandwidth_bytes: self.u64("bandwidth")?,
            cursor_resumes: self.u32("cursor_resumes")?,
            cursor_advances: self.u32("cursor_advances")?,
        })
    }

    fn text(&mut self, field: &str) -> Result<String, TicketRefused> {
        let count = u16::from_le_bytes(self.array(field)?);
        let bytes = self.take(field, usize::from(count))?;
        match core::str::from_utf8(bytes) {
            Ok(text) => Ok(text.to_string()),
            Err(_) => Err(self.malformed(alloc::format!("{field} is not UTF-8"))),
        }
    }

    fn u64(&mut self, field: &str) -> Result<u64, TicketRefused> {
        self.array(field).map(u64::from_le_bytes)
    }

    fn u32(&mut self, field: &str) -> Result<u32, TicketRefused> {
        self.array(field).map(u32::from_le_bytes)
    }

    fn u8(&mut self, field: &str) -> Result<u8, TicketRefused> {
        self.array(field).map(u8::from_le_bytes)
    }

    fn array<const N: usize>(&mut self, field: &str) -> Result<[u8; N], TicketRefused> {
        let (head, rest) = self.rest.split_first_chunk().ok_or_else(|| self.ends_in(field))?;
        self.rest = rest;
        Ok(*head)
    }

    fn take(&mut self, field: &str, count: usize) -> Result<&'a [u8], TicketRefused> {
        let (head, rest) = self.rest.split_at_checked(count).ok_or_else(|| self.ends_in(field))?;
        self.rest = rest;
        Ok(head)
    }

    fn ends_in(&self, field: &str) -> TicketRefused {
        self.malformed(alloc::format!("it ends in {field}"))
    }

    fn malformed(&self, why: String) -> TicketRefused {
        TicketRefused::Malformed(why)
    }
}
