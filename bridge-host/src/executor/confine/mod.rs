//! What an executor gives up before it touches anything a tenant sent.
//!
//! Each measure is tried by itself, and reported as it took effect, never as it was wished: a kernel may lack one, an
//! unprivileged daemon may not be allowed another. That a measure is missing is said, and is fatal only where the operator
//! requires all of them.
//!
//! ```text
//! own cgroup ─▶ limits ─▶ no capabilities, no new privileges ─▶ no files (landlock) ─▶ few system calls (seccomp) ─▶ Ready
//! ```
//! The order is forced: each step needs something that a later one takes away.

mod calls;
mod cgroup;
mod files;
mod limits;

use std::{fmt, path::Path};

use bridge_host_gpu::BackendKind;
use rustix::{
    process::{self, DumpableBehavior, Signal},
    thread::{CapabilitySet, CapabilitySets},
};
use serde::{Deserialize, Serialize};

pub(super) use self::limits::bound_memory;

/// What an executor has given up, as it found it to be afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Confinement {
    /// No program that it could start would have more rights.
    pub no_new_privs: bool,
    /// None of root's powers, also where the daemon is root.
    pub no_capabilities: bool,
    /// Open files, threads, file sizes and core dumps are bounded.
    pub rlimits: bool,
    /// Nobody of the same user may look into it.
    pub not_dumpable: bool,
    /// The kernel ends it with its daemon.
    pub dies_with_daemon: bool,
    /// Which system calls it may make.
    pub seccomp: Measure,
    /// Which files it may open.
    pub landlock: Measure,
    /// Which controllers bound it together with everything it might start.
    pub cgroup: Measure,
}

/// One measure that not every machine has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Measure {
    /// What is in force.
    InForce(String),
    /// Why nothing is.
    Missing(String),
}

impl Measure {
    fn of(outcome: Result<String, impl fmt::Display>) -> Self {
        match outcome {
            Ok(what) => Self::InForce(what),
            Err(why) => Self::Missing(why.to_string()),
        }
    }
}

/// For `info`.
impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InForce(what) => f.write_str(what),
            Self::Missing(why) => write!(f, "none: {why}"),
        }
    }
}

impl Confinement {
    /// What is missing, by name and reason.
    pub(crate) fn missing(&self) -> Vec<String> {
        let flags = [
            ("no_new_privs", self.no_new_privs),
            ("no_capabilities", self.no_capabilities),
            ("rlimits", self.rlimits),
            ("not_dumpable", self.not_dumpable),
            ("dies_with_daemon", self.dies_with_daemon),
        ];
        let measures =
            [("seccomp", &self.seccomp), ("landlock", &self.landlock), ("cgroup", &self.cgroup)];
        let flags = flags.into_iter().filter(|(_, holds)| !holds).map(|(name, _)| name.to_owned());
        let measures = measures.into_iter().filter_map(|(name, measure)| match measure {
            Measure::InForce(_) => None,
            Measure::Missing(why) => Some(format!("{name} ({why})")),
        });
        flags.chain(measures).collect()
    }
}

/// Gives up what an executor of this backend does not need. To be called while the process has one thread.
pub(super) fn confine(backend: BackendKind, own_cgroup: Option<&Path>) -> Confinement {
    let cgroup = Measure::of(cgroup::join(own_cgroup));
    let dies_with_daemon = process::set_parent_process_death_signal(Some(Signal::KILL)).is_ok();
    let rlimits = limits::bound(backend).is_ok();
    let not_dumpable = process::set_dumpable_behavior(DumpableBehavior::NotDumpable).is_ok();
    let no_capabilities = drop_capabilities().is_ok();
    let no_new_privs = rustix::thread::set_no_new_privs(true).is_ok();
    let landlock = Measure::of(files::restrict(backend));
    let seccomp = Measure::of(calls::restrict(backend));
    Confinement {
        no_new_privs,
        no_capabilities,
        rlimits,
        not_dumpable,
        dies_with_daemon,
        seccomp,
        landlock,
        cgroup,
    }
}

fn drop_capabilities() -> rustix::io::Result<()> {
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    rustix::thread::set_capabilities(None, sets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole() -> Confinement {
        let held = || Measure::InForce("held".to_owned());
        Confinement {
            no_new_privs: true,
            no_capabilities: true,
            rlimits: true,
            not_dumpable: true,
            dies_with_daemon: true,
            seccomp: held(),
            landlock: held(),
            cgroup: held(),
        }
    }

    #[test]
    fn what_is_missing_is_told_by_name_and_reason() {
        assert!(whole().missing().is_empty());
        let cgroup = Measure::Missing("not permitted: /sys/fs/cgroup".to_owned());
        let partly = Confinement { rlimits: false, cgroup, ..whole() };
        assert_eq!(partly.missing(), ["rlimits", "cgroup (not permitted: /sys/fs/cgroup)"]);
        assert_eq!(partly.cgroup.to_string(), "none: not permitted: /sys/fs/cgroup");
    }
}
