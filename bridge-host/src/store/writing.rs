//! Bytes that owners have under way: counted from when a job's outputs are made until they are shown or dropped.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::Owner;

/// All that is under way.
#[derive(Debug, Clone, Default)]
pub(super) struct Writing(Arc<Mutex<BTreeMap<Owner, u64>>>);

/// What one job has under way. Dropping it gives it back.
#[derive(Debug)]
pub(super) struct Underway {
    owner: Owner,
    bytes: u64,
    writing: Writing,
}

impl Writing {
    pub(super) fn take(&self, owner: &Owner, bytes: u64) -> Underway {
        *self.lock().entry(owner.clone()).or_default() += bytes;
        Underway { owner: owner.clone(), bytes, writing: self.clone() }
    }

    pub(super) fn of(&self, owner: &Owner) -> u64 {
        self.lock().get(owner).copied().unwrap_or_default()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.lock().values().sum()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Owner, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        let mut writing = self.writing.lock();
        if let Some(bytes) = writing.get_mut(&self.owner) {
            *bytes -= self.bytes;
            if *bytes == 0 {
                writing.remove(&self.owner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_under_way_is_given_back_when_it_is_dropped() {
        let (writing, owner) = (Writing::default(), Owner::Shared);
        let (first, second) = (writing.take(&owner, 3), writing.take(&owner, 4));
        assert_eq!((writing.of(&owner), writing.bytes()), (7, 7));
        drop(first);
        assert_eq!(writing.of(&owner), 4);
        drop(second);
        assert!(writing.lock().is_empty());
    }
}
