//! What an executor gives up before it touches anything a tenant sent.
//!
//! Each measure is tried, and the ones in force are reported by name: a kernel may lack one, and `info` says so.

use ninedoor_abi::limits::LEASE_STREAMS_MAX;
use rustix::process::{self, DumpableBehavior, Resource, Rlimit, Signal};

use super::channel::PACKET_FILES_MAX;

/// Open files: those of as many packets as a lease has streams, the GPU driver's device nodes, room to spare.
const OPEN_FILES_MAX: u64 = 32_768;
const _: () = assert!(LEASE_STREAMS_MAX as u64 * PACKET_FILES_MAX as u64 * 3 / 2 < OPEN_FILES_MAX);

/// Gives up what an executor does not need; returns the names of what took effect.
pub(super) fn confine() -> Vec<String> {
    let measures: [(&str, rustix::io::Result<()>); 5] = [
        ("parent-death-signal", process::set_parent_process_death_signal(Some(Signal::KILL))),
        ("no-new-privileges", rustix::thread::set_no_new_privs(true)),
        ("no-core-dump", limit(Resource::Core, 0)),
        ("open-files", limit(Resource::Nofile, OPEN_FILES_MAX)),
        ("not-dumpable", process::set_dumpable_behavior(DumpableBehavior::NotDumpable)),
    ];
    measures
        .into_iter()
        .filter(|(_, outcome)| outcome.is_ok())
        .map(|(name, _)| name.to_owned())
        .collect()
}

fn limit(resource: Resource, maximum: u64) -> rustix::io::Result<()> {
    let now = process::getrlimit(resource);
    let maximum = now.maximum.map_or(maximum, |hard| hard.min(maximum));
    process::setrlimit(resource, Rlimit { current: Some(maximum), maximum: Some(maximum) })
}
