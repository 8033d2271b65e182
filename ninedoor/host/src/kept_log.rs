//! The provider of a hive, whose mounts are all on other machines: it keeps the log's lines.

use ninedoor::{Answer, Ask, AskId, AuditLine, ProviderNode};
use ninedoor_abi::{Now, UnixMs};

use crate::{
    audit::{AuditLog, Entry},
    provider::{LocalProvider, Order},
};

/// On disk, and on standard error as well.
#[derive(Debug)]
pub(crate) struct KeptLog {
    log: AuditLog,
    /// When this was last told the time.
    told: UnixMs,
}

impl KeptLog {
    pub(crate) const fn new(log: AuditLog, now: Now) -> Self {
        Self { log, told: now.unix_ms }
    }
}

impl LocalProvider for KeptLog {
    fn ask(&mut self, ask: Ask, now: Now) -> Option<Answer> {
        ().ask(ask, now)
    }

    fn released(&mut self, _node: ProviderNode) {}

    fn poll_answer(&mut self) -> Option<(AskId, Answer)> {
        None
    }

    fn poll_order(&mut self) -> Option<Order> {
        None
    }

    fn tick(&mut self, now: Now) {
        self.told = now.unix_ms;
    }

    fn next_deadline(&self) -> Option<UnixMs> {
        None
    }

    fn audit(&mut self, at: UnixMs, line: &AuditLine) {
        ().audit(at, line);
        self.told = at;
        self.log.note(Entry { at, line: line.clone() });
    }

    fn audit_overrun(&mut self, lines: u64) {
        ().audit_overrun(lines);
        self.log.note_lost(lines, self.told);
    }
}
