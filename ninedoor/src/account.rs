//! What a ticket may still use up: operations, bytes, ticks, and operations a second in each scope.
//!
//! One account per ticket, whatever number of connections and attaches use it, kept after the last of them is gone: a budget
//! does not come back by attaching again.

use alloc::{collections::BTreeMap, vec::Vec};

use ninedoor_abi::{Claims, MonoUs, Refusal, TicketId, UnixMs};
use secure9p::Errno;

use crate::{
    limits::ACCOUNTS_MAX,
    slab::{Key, Slab},
};

/// What tells two tickets apart: the id of 32 bits alone might not, among many thousands.
type TicketName = (TicketId, UnixMs);

/// The account of one ticket.
#[derive(Debug)]
pub(crate) struct Account {
    ticket: TicketName,
    attaches: u32,
    expires_at: Option<UnixMs>,
    ops_left: Option<u64>,
    ticks_left: Option<u64>,
    bytes_left: Option<u64>,
    buckets: Vec<Bucket>,
}

impl Account {
    fn open(ticket: TicketName, claims: &Claims) -> Self {
        let bandwidth_bytes = claims.quotas.map_or(0, |quotas| quotas.bandwidth_bytes);
        Self {
            ticket,
            attaches: 0,
            expires_at: claims.expires_at(),
            ops_left: claims.budget.ops,
            ticks_left: claims.budget.ticks,
            bytes_left: (bandwidth_bytes > 0).then_some(bandwidth_bytes),
            buckets: claims.scopes.iter().map(|scope| Bucket::full(scope.rate_per_s)).collect(),
        }
    }

    /// Whether anything would be lost if this account were forgotten.
    fn has_budget(&self) -> bool {
        self.ops_left.is_some() || self.ticks_left.is_some() || self.bytes_left.is_some()
    }

    /// One operation, in the scope numbered `scope` of the ticket.
    ///
    /// # Errors
    /// EDQUOT when the budget is used up, EAGAIN when the rate is.
    pub(crate) fn charge_op(&mut self, scope: Option<u8>, now: MonoUs) -> Result<(), Errno> {
        if self.ops_left == Some(0) || self.bytes_left == Some(0) {
            return Err(Errno::EDQUOT);
        }
        if let Some(bucket) = scope.and_then(|scope| self.buckets.get_mut(usize::from(scope))) {
            bucket.take(now)?;
        }
        if let Some(left) = &mut self.ops_left {
            *left -= 1;
        }
        Ok(())
    }

    /// Bytes that went through; the operation that crosses the bound still passes, the next one does not.
    pub(crate) fn charge_bytes(&mut self, bytes: u64) {
        if let Some(left) = &mut self.bytes_left {
            *left = left.saturating_sub(bytes);
        }
    }

    /// One tick of a heartbeat.
    ///
    /// # Errors
    /// EDQUOT when there are none left.
    pub(crate) fn charge_tick(&mut self) -> Result<(), Errno> {
        match &mut self.ticks_left {
            Some(0) => Err(Errno::EDQUOT),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

/// A token bucket that holds one second's worth.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    rate_per_s: u32,
    /// Millionths of an operation.
    millionths: u64,
    filled_at: MonoUs,
}

impl Bucket {
    const fn full(rate_per_s: u32) -> Self {
        Self { rate_per_s, millionths: rate_per_s as u64 * 1_000_000, filled_at: MonoUs(0) }
    }

    fn take(&mut self, now: MonoUs) -> Result<(), Errno> {
        if self.rate_per_s == 0 {
            return Ok(());
        }
        let rate = u64::from(self.rate_per_s);
        let refill = now.us_since(self.filled_at).saturating_mul(rate);
        self.millionths = self.millionths.saturating_add(refill).min(rate * 1_000_000);
        self.filled_at = now;
        self.millionths = self.millionths.checked_sub(1_000_000).ok_or(Errno::EAGAIN)?;
        Ok(())
    }
}

/// All accounts, by ticket.
#[derive(Debug)]
pub(crate) struct Accounts {
    accounts: Slab<Account>,
    by_ticket: BTreeMap<TicketName, Key>,
}

impl Accounts {
    pub(crate) const fn new() -> Self {
        Self { accounts: Slab::new(), by_ticket: BTreeMap::new() }
    }

    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut Account> {
        self.accounts.get_mut(key)
    }

    /// An attach uses this ticket.
    ///
    /// # Errors
    /// EAGAIN when too many budgets are remembered already.
    pub(crate) fn attach(
        &mut self,
        id: TicketId,
        claims: &Claims,
        now: UnixMs,
    ) -> Result<Key, Refusal> {
        let ticket = (id, claims.issued_at_ms);
        let key = match self.by_ticket.get(&ticket) {
            Some(key) => *key,
            None => self.open(ticket, claims, now)?,
        };
        if let Some(account) = self.accounts.get_mut(key) {
            account.attaches += 1;
        }
        Ok(key)
    }

    fn open(&mut self, ticket: TicketName, claims: &Claims, now: UnixMs) -> Result<Key, Refusal> {
        if self.accounts.len() >= ACCOUNTS_MAX {
            self.forget_expired(now);
        }
        if self.accounts.len() >= ACCOUNTS_MAX {
            return Err(Refusal::new(
                ninedoor_abi::Errno::EAGAIN,
                alloc::format!(
                    "{ACCOUNTS_MAX} tickets with a budget are in use, wait until some expire"
                ),
            ));
        }
        let key = self.accounts.insert(Account::open(ticket, claims));
        self.by_ticket.insert(ticket, key);
        Ok(key)
    }

    /// An attach that used this ticket is gone.
    pub(crate) fn detach(&mut self, key: Key) {
        let Some(account) = self.accounts.get_mut(key) else { return };
        account.attaches = account.attaches.saturating_sub(1);
        if account.attaches == 0 && !account.has_budget() {
            self.forget(key);
        }
    }

    fn forget_expired(&mut self, now: UnixMs) {
        let expired: Vec<Key> = self
            .accounts
            .iter()
            .filter(|(_, account)| {
                account.attaches == 0 && account.expires_at.is_some_and(|at| now >= at)
            })
            .map(|(key, _)| key)
            .collect();
        expired.into_iter().for_each(|key| self.forget(key));
    }

    fn forget(&mut self, key: Key) {
        if let Some(account) = self.accounts.remove(key) {
            self.by_ticket.remove(&account.ticket);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ninedoor_abi::{Role, Scope, ScopeVerb};

    const NOW: UnixMs = UnixMs(1_000);
    const fn id(number: u32) -> TicketId {
        TicketId(number.to_be_bytes())
    }

    fn claims() -> Claims {
        Claims::new(Role::WorkerGpu, Some("worker-7".parse().unwrap()), NOW)
    }

    #[test]
    fn a_budget_is_not_refilled_by_attaching_again() {
        let mut accounts = Accounts::new();
        let mut claims = claims();
        claims.budget.ops = Some(2);
        let key = accounts.attach(id(1), &claims, NOW).unwrap();
        accounts.get_mut(key).unwrap().charge_op(None, MonoUs(0)).unwrap();
        accounts.detach(key);
        let key = accounts.attach(id(1), &claims, NOW).unwrap();
        assert_eq!(accounts.get_mut(key).unwrap().charge_op(None, MonoUs(0)), Ok(()));
        assert_eq!(accounts.get_mut(key).unwrap().charge_op(None, MonoUs(0)), Err(Errno::EDQUOT));
    }

    #[test]
    fn a_ticket_without_budget_is_forgotten_with_its_last_attach() {
        let mut accounts = Accounts::new();
        let first = accounts.attach(id(1), &claims(), NOW).unwrap();
        let second = accounts.attach(id(1), &claims(), NOW).unwrap();
        assert_eq!(first, second);
        accounts.detach(first);
        assert!(accounts.get_mut(second).is_some());
        accounts.detach(second);
        assert_eq!((accounts.accounts.len(), accounts.by_ticket.len()), (0, 0));
    }

    #[test]
    fn rate_of_a_scope_lets_one_second_burst_and_then_that_many_a_second() {
        let mut claims = claims();
        let path = "/gpu".parse().unwrap();
        claims.scopes = std::vec![Scope { path, verb: ScopeVerb::Both, rate_per_s: 2 }];
        let mut account = Account::open((id(1), NOW), &claims);
        let mut charge = |us| account.charge_op(Some(0), MonoUs(us));
        assert_eq!((charge(0), charge(0), charge(0)), (Ok(()), Ok(()), Err(Errno::EAGAIN)));
        assert_eq!(
            (charge(499_999), charge(500_000), charge(500_001)),
            (Err(Errno::EAGAIN), Ok(()), Err(Errno::EAGAIN))
        );
    }

    #[test]
    fn bytes_and_ticks_run_out() {
        let mut claims = claims();
        claims.budget.ticks = Some(1);
        claims.quotas = Some(ninedoor_abi::Quotas { bandwidth_bytes: 10, ..Default::default() });
        let mut account = Account::open((id(1), NOW), &claims);
        assert_eq!((account.charge_tick(), account.charge_tick()), (Ok(()), Err(Errno::EDQUOT)));
        account.charge_bytes(9);
        assert_eq!(account.charge_op(None, MonoUs(0)), Ok(()));
        account.charge_bytes(9);
        assert_eq!(account.charge_op(None, MonoUs(0)), Err(Errno::EDQUOT));
    }

    #[test]
    fn expired_budgets_make_room_and_live_ones_do_not() {
        let mut accounts = Accounts::new();
        let mut claims = claims();
        claims.budget.ops = Some(1);
        claims.budget.ttl_s = Some(1);
        for number in 0..u32::try_from(ACCOUNTS_MAX).unwrap() {
            let key = accounts.attach(id(number), &claims, NOW).unwrap();
            accounts.detach(key);
        }
        let refusal = accounts.attach(id(u32::MAX), &claims, NOW).unwrap_err();
        assert_eq!(refusal.text, "16384 tickets with a budget are in use, wait until some expire");
        assert!(accounts.attach(id(u32::MAX), &claims, NOW.plus_s(1)).is_ok());
        assert_eq!(accounts.accounts.len(), 1);
    }
}
