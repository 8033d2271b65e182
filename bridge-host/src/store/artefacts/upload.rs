//! An artefact on its way in, and what all of them together have of the disk.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc::Sender},
};

use ninedoor_abi::Refusal;

use super::{Owner, scribe::Task};

/// Bytes by which an upload takes room: not at every write, for that looks at every name.
pub(super) const ROOM_BYTES: u64 = 64 * 1024;

/// One upload of this daemon's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct UploadId(pub(super) u64);

/// An artefact on its way in. Dropping it forgets it.
#[derive(Debug)]
pub(crate) struct Upload {
    pub(super) id: UploadId,
    pub(super) owner: Owner,
    pub(super) name: String,
    /// Bytes taken, of which the scribe may not have written the last yet.
    pub(super) bytes: u64,
    /// What is counted for it among all that is coming in.
    pub(super) room_bytes: u64,
    pub(super) incoming: Arc<Mutex<Incoming>>,
    pub(super) desk: Sender<Task>,
}

impl Upload {
    /// Where these bytes would end. Artefacts are hashed as they arrive, so they are written front to back.
    pub(super) fn end_of(&self, offset: u64, bytes: usize) -> Result<u64, Refusal> {
        if offset == self.bytes {
            return Ok(self.bytes.saturating_add(bytes as u64));
        }
        let text =
            format!("write at offset {offset} of artefact {}, wanted {}", self.name, self.bytes);
        Err(Refusal::invalid(text))
    }
}

impl Drop for Upload {
    /// What was placed has moved away, and the scribe finds nothing to remove.
    fn drop(&mut self) {
        lock(&self.incoming).end(&self.owner, &self.name, self.room_bytes);
        let _ = self.desk.send(Task::Forget { upload: self.id }); // where nobody writes any more the next start removes it
    }
}

/// What unfinished uploads have of the disk, or may have without asking again. It counts like what is staged: else a peer could
/// fill the disk and never finish.
#[derive(Debug, Default)]
pub(super) struct Incoming(BTreeMap<Owner, Unfinished>);

#[derive(Debug, Default)]
struct Unfinished {
    /// How many uploads there are of each name.
    names: BTreeMap<String, usize>,
    bytes: u64,
}

impl Incoming {
    pub(super) fn begin(&mut self, owner: &Owner, name: &str) {
        *self.0.entry(owner.clone()).or_default().names.entry(name.to_owned()).or_default() += 1;
    }

    pub(super) fn take_room(&mut self, owner: &Owner, bytes: u64) {
        self.0.entry(owner.clone()).or_default().bytes += bytes;
    }

    fn end(&mut self, owner: &Owner, name: &str, bytes: u64) {
        let Some(unfinished) = self.0.get_mut(owner) else { return };
        unfinished.bytes -= bytes;
        if let Some(count) = unfinished.names.get_mut(name) {
            *count -= 1;
            if *count == 0 {
                unfinished.names.remove(name);
            }
        }
        if unfinished.names.is_empty() {
            self.0.remove(owner);
        }
    }

    pub(super) fn uploads_of(&self, owner: &Owner) -> usize {
        self.0.get(owner).map_or(0, |unfinished| unfinished.names.values().sum())
    }

    pub(super) fn names_of(&self, owner: &Owner) -> Vec<String> {
        self.0
            .get(owner)
            .map_or_else(Vec::new, |unfinished| unfinished.names.keys().cloned().collect())
    }

    pub(super) fn has(&self, owner: &Owner, name: &str) -> bool {
        self.0.get(owner).is_some_and(|unfinished| unfinished.names.contains_key(name))
    }

    pub(super) fn bytes_of(&self, owner: &Owner) -> u64 {
        self.0.get(owner).map_or(0, |unfinished| unfinished.bytes)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.0.values().map(|unfinished| unfinished.bytes).sum()
    }
}

pub(super) fn lock(incoming: &Mutex<Incoming>) -> MutexGuard<'_, Incoming> {
    incoming.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_being_written_until_its_last_upload_ends() {
        let (mut incoming, owner) = (Incoming::default(), Owner::Shared);
        incoming.begin(&owner, "x");
        incoming.begin(&owner, "x");
        incoming.take_room(&owner, 5);
        incoming.end(&owner, "x", 5);
        assert!(incoming.has(&owner, "x") && incoming.bytes() == 0);
        incoming.end(&owner, "x", 0);
        assert!(!incoming.has(&owner, "x") && incoming.names_of(&owner).is_empty());
        assert!(incoming.0.is_empty());
    }
}
