//! What was used: per lease while it lives, per ticket as long as it is remembered.

use alloc::collections::BTreeMap;

use ninedoor_abi::TicketId;

/// What one lease, or all leases had by one ticket, used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Account {
    /// Jobs accepted.
    pub jobs_accepted: u64,
    /// Jobs that ended OK.
    pub jobs_ok: u64,
    /// Jobs that ended ERR.
    pub jobs_err: u64,
    /// Time that jobs waited.
    pub queue_us: u64,
    /// Time that jobs ran, stream by stream.
    pub running_us: u64,
    /// Executors that died before their time.
    pub executors_lost: u64,
}

impl Account {
    pub(crate) fn add(&mut self, other: &Self) {
        self.jobs_accepted += other.jobs_accepted;
        self.jobs_ok += other.jobs_ok;
        self.jobs_err += other.jobs_err;
        self.queue_us += other.queue_us;
        self.running_us += other.running_us;
        self.executors_lost += other.executors_lost;
    }
}

/// Accounts of tickets whose leases are over. Bounded: when it is full, the one not used for longest is forgotten.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger {
    entries: BTreeMap<TicketId, (u64, Account)>,
    uses: u64,
}

pub(crate) const LEDGER_MAX: usize = 4_096;

impl Ledger {
    pub(crate) fn add(&mut self, ticket: TicketId, account: &Account) {
        if self.entries.len() >= LEDGER_MAX && !self.entries.contains_key(&ticket) {
            self.forget_oldest();
        }
        self.uses += 1;
        let entry = self.entries.entry(ticket).or_default();
        entry.0 = self.uses;
        entry.1.add(account);
    }

    pub(crate) fn of(&self, ticket: TicketId) -> Account {
        self.entries.get(&ticket).map(|(_, account)| *account).unwrap_or_default()
    }

    fn forget_oldest(&mut self) {
        let oldest =
            self.entries.iter().min_by_key(|(_, (used, _))| *used).map(|(ticket, _)| *ticket);
        oldest.map(|ticket| self.entries.remove(&ticket));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_ledger_forgets_the_ticket_not_used_for_longest() {
        let id = |n: usize| TicketId(u32::try_from(n).unwrap().to_be_bytes());
        let one = Account { jobs_ok: 1, ..Account::default() };
        let mut ledger = Ledger::default();
        (0..LEDGER_MAX).for_each(|n| ledger.add(id(n), &one));
        ledger.add(id(0), &one);
        ledger.add(id(LEDGER_MAX), &one);
        assert_eq!(ledger.of(id(0)).jobs_ok, 2);
        assert_eq!(ledger.of(id(1)), Account::default());
        assert_eq!(ledger.of(id(LEDGER_MAX)).jobs_ok, 1);
        assert_eq!(ledger.entries.len(), LEDGER_MAX);
    }
}
