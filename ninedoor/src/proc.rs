//! `/proc`: what the server counts, and the texts that show it.

use alloc::{format, string::String};

use secure9p::Errno;

use crate::{hive::Hive, limits, server::Server};

/// A text made from figures when it is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Figure {
    LifecycleState,
    LifecycleReason,
    LifecycleSince,
    Sessions,
    Outstanding,
    Fids,
    Traffic,
    Limits,
    Busy,
    Quota,
    Cut,
    Policy,
    Mounts,
}

impl Figure {
    /// What every server shows.
    pub(crate) const EVERYWHERE: [(&'static str, Self); 10] = [
        ("/proc/9p/sessions", Self::Sessions),
        ("/proc/9p/outstanding", Self::Outstanding),
        ("/proc/9p/fids", Self::Fids),
        ("/proc/9p/traffic", Self::Traffic),
        ("/proc/9p/limits", Self::Limits),
        ("/proc/pressure/busy", Self::Busy),
        ("/proc/pressure/quota", Self::Quota),
        ("/proc/pressure/cut", Self::Cut),
        ("/proc/pressure/policy", Self::Policy),
        ("/proc/mounts", Self::Mounts),
    ];

    /// What a hive shows besides.
    pub(crate) const HIVE: [(&'static str, Self); 3] = [
        ("/proc/lifecycle/state", Self::LifecycleState),
        ("/proc/lifecycle/reason", Self::LifecycleReason),
        ("/proc/lifecycle/since", Self::LifecycleSince),
    ];
}

/// What a server has counted since it began, and what it holds: for metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Peers connected now.
    pub connections: usize,
    /// Fids in use now.
    pub fids: usize,
    /// Questions to mounts that are not answered yet.
    pub outstanding: usize,
    /// Users let in.
    pub attaches: u64,
    /// Requests of peers.
    pub requests: u64,
    /// Requests that were refused, of every kind.
    pub refusals: u64,
    /// Of those, by what a caller can do about it: `busy`, `quota`, `cut`, `policy`.
    pub pressure: [(&'static str, u64); 4],
    /// Bytes from peers.
    pub bytes_in: u64,
    /// Bytes to peers.
    pub bytes_out: u64,
    /// Lines of the log.
    pub audit_lines: u64,
    /// Of those, lines that the shell was not told.
    pub audit_lines_dropped: u64,
}

/// What is counted as it happens.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counters {
    pub(crate) sessions_served: u64,
    pub(crate) attaches: u64,
    pub(crate) requests: u64,
    pub(crate) refusals: u64,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    pub(crate) audit_lines: u64,
    pub(crate) audit_lines_dropped: u64,
    busy: u64,
    quota: u64,
    cut: u64,
    policy: u64,
}

impl Counters {
    /// Sorts a refusal by what a caller can do about it.
    pub(crate) fn refused(&mut self, errno: Errno) {
        self.refusals += 1;
        match errno {
            Errno::EBUSY | Errno::EAGAIN => self.busy += 1,
            Errno::EDQUOT | Errno::ENOSPC | Errno::EMFILE => self.quota += 1,
            Errno::EIO | Errno::ECONNRESET | Errno::ETIMEDOUT => self.cut += 1,
            Errno::EPERM
            | Errno::EACCES
            | Errno::EKEYEXPIRED
            | Errno::EKEYREVOKED
            | Errno::EKEYREJECTED => {
                self.policy += 1;
            }
            _ => {}
        }
    }
}

impl Server {
    /// What was counted, and what is held now.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        let counters = &self.counters;
        Traffic {
            connections: self.connections.len(),
            fids: self.fids,
            outstanding: self.errands.len(),
            attaches: counters.attaches,
            requests: counters.requests,
            refusals: counters.refusals,
            pressure: [
                ("busy", counters.busy),
                ("quota", counters.quota),
                ("cut", counters.cut),
                ("policy", counters.policy),
            ],
            bytes_in: counters.bytes_in,
            bytes_out: counters.bytes_out,
            audit_lines: counters.audit_lines,
            audit_lines_dropped: counters.audit_lines_dropped,
        }
    }

    /// The text of a figure, now.
    pub(crate) fn show(&self, figure: Figure) -> String {
        let counters = &self.counters;
        match figure {
            Figure::Busy => format!("busy={}\n", counters.busy),
            Figure::Quota => format!("quota={}\n", counters.quota),
            Figure::Cut => format!("cut={}\n", counters.cut),
            Figure::Policy => format!("policy={}\n", counters.policy),
            Figure::Outstanding => {
                format!(
                    "outstanding current={} limit={}\n",
                    self.errands.len(),
                    self.session_limits.requests_max
                )
            }
            Figure::Sessions => self.show_sessions(),
            Figure::Fids => format!(
                "fids current={} limit_per_session={}\n",
                self.fids, self.session_limits.fids_max
            ),
            Figure::Traffic => format!(
                "requests={} refusals={} attaches={} bytes_in={} bytes_out={} audit_lines_dropped={}\n",
                counters.requests,
                counters.refusals,
                counters.attaches,
                counters.bytes_in,
                counters.bytes_out,
                counters.audit_lines_dropped
            ),
            Figure::Limits => self.show_limits(),
            Figure::Mounts => self.show_mounts(),
            Figure::LifecycleState => {
                self.show_lifecycle(|hive| format!("state={}\n", hive.lifecycle.state.as_str()))
            }
            Figure::LifecycleReason => {
                self.show_lifecycle(|hive| format!("reason={}\n", hive.lifecycle.reason))
            }
            Figure::LifecycleSince => {
                self.show_lifecycle(|hive| format!("since_ms={}\n", hive.lifecycle.since))
            }
        }
    }

    fn show_lifecycle(&self, show: impl FnOnce(&Hive) -> String) -> String {
        self.hive.as_ref().map(show).unwrap_or_default()
    }

    fn show_sessions(&self) -> String {
        format!(
            "sessions total={} worker={} served={}\n",
            self.connections.len(),
            self.attachments.workers(),
            self.counters.sessions_served
        )
    }

    fn show_limits(&self) -> String {
        let session = &self.session_limits;
        format!(
            "msize_bytes_max={}\nfids_per_session_max={}\nrequests_per_session_max={}\nsessions_max={}\ntree_depth_max={}\n\
             record_bytes_max={}\nlog_bytes_max={}\nworkers_max={}\nmounts_max={}\n",
            session.msize_max.bytes(),
            session.fids_max,
            session.requests_max,
            limits::CONNECTIONS_MAX,
            limits::TREE_DEPTH_MAX,
            limits::RECORD_BYTES_MAX,
            limits::LOG_BYTES_MAX,
            limits::WORKERS_MAX,
            limits::MOUNTS_MAX
        )
    }

    fn show_mounts(&self) -> String {
        let mut text = String::new();
        for (at, service, state) in self.mounted() {
            text.push_str(&format!("at={at} service={service} state={state}\n"));
        }
        text
    }
}
