//! Attaches: one root fid for one user and one ticket, and everything that is reached through it.
//!
//! ```text
//! Tattach let in ─▶ live ── its time is over, or it was revoked ──▶ ended: every request but Tclunk is answered EPERM
//!                    └───────────── its last fid is gone ─────────────┴─▶ forgotten
//! ```

use alloc::{collections::BTreeSet, sync::Arc, vec::Vec};

use ninedoor_abi::UnixMs;

use crate::{
    ask::Caller,
    slab::{Key, Slab},
    upstream::User,
};

/// One attach.
#[derive(Debug)]
pub(crate) struct Attachment {
    pub(crate) caller: Arc<Caller>,
    /// As whom it is known upstream.
    pub(crate) user: User,
    /// What its ticket may use up; none where nothing is bounded.
    pub(crate) account: Option<Key>,
    pub(crate) issued_at: UnixMs,
    pub(crate) expires_at: Option<UnixMs>,
    /// Nothing works any more.
    pub(crate) ended: bool,
    /// Fids that are reached through it, and errands under way for it.
    holders: usize,
}

impl Attachment {
    pub(crate) const fn new(
        caller: Arc<Caller>,
        user: User,
        account: Option<Key>,
        issued_at: UnixMs,
        expires_at: Option<UnixMs>,
    ) -> Self {
        Self { caller, user, account, issued_at, expires_at, ended: false, holders: 0 }
    }
}

/// All attaches, and when the first of them runs out.
#[derive(Debug)]
pub(crate) struct Attachments {
    all: Slab<Attachment>,
    expiries: BTreeSet<(UnixMs, Key)>,
    workers: usize,
}

impl Attachments {
    pub(crate) const fn new() -> Self {
        Self { all: Slab::new(), expiries: BTreeSet::new(), workers: 0 }
    }

    pub(crate) fn add(&mut self, attachment: Attachment) -> Key {
        let expires_at = attachment.expires_at;
        self.workers += usize::from(attachment.caller.role.is_worker());
        let key = self.all.insert(attachment);
        self.expiries.extend(expires_at.map(|at| (at, key)));
        key
    }

    pub(crate) fn get(&self, key: Key) -> Option<&Attachment> {
        self.all.get(key)
    }

    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut Attachment> {
        self.all.get_mut(key)
    }

    /// Attaches of workers.
    pub(crate) const fn workers(&self) -> usize {
        self.workers
    }

    /// One more fid or errand needs it.
    pub(crate) fn hold(&mut self, key: Key) {
        if let Some(attachment) = self.all.get_mut(key) {
            attachment.holders += 1;
        }
    }

    /// One less; gives the attach back when that was the last.
    pub(crate) fn let_go(&mut self, key: Key) -> Option<Attachment> {
        let attachment = self.all.get_mut(key)?;
        attachment.holders = attachment.holders.saturating_sub(1);
        if attachment.holders > 0 {
            return None;
        }
        let gone = self.all.remove(key)?;
        self.workers -= usize::from(gone.caller.role.is_worker());
        if let Some(at) = gone.expires_at {
            self.expiries.remove(&(at, key));
        }
        Some(gone)
    }

    /// When the next of them runs out.
    pub(crate) fn next_expiry(&self) -> Option<UnixMs> {
        self.expiries.first().map(|(at, _)| *at)
    }

    /// Those whose time is over, each once.
    pub(crate) fn take_expired(&mut self, now: UnixMs) -> Vec<Key> {
        let mut expired = Vec::new();
        while let Some((at, key)) = self.expiries.first().copied()
            && at <= now
        {
            self.expiries.pop_first();
            expired.push(key);
        }
        expired
    }

    /// Those that `is_meant` picks and that have not ended yet.
    pub(crate) fn live(&self, is_meant: impl Fn(&Attachment) -> bool) -> Vec<Key> {
        self.all
            .iter()
            .filter(|(_, attachment)| !attachment.ended && is_meant(attachment))
            .map(|(key, _)| key)
            .collect()
    }
}
