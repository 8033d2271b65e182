//! What the daemon keeps in its state directory.
//!
//! Bytes, names and rows on disk; knows no 9P and decides nothing about leases. Every part survives `kill -9` at any instruction: what was
//! acknowledged is there again, what was half done is gone.

mod artefacts;
mod journal;
mod kin;
mod outputs;
mod state_dir;
mod writing;

pub(crate) use artefacts::{
    Artefact, ArtefactQuota, Artefacts, Done, Owner, Receipt, Scribes, Upload,
};
pub(crate) use journal::{
    AcceptedJob, Input, Journal, JournalThreads, Position, Row, Rows, Stage, Step,
};
pub use journal::{JournalDamage, JournalError};
pub(crate) use kin::KinList;
pub(crate) use outputs::{Output, OutputQuota, Outputs, Pending};
pub(crate) use state_dir::StateDir;
pub use state_dir::StateDirError;
