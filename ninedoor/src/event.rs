//! What the server tells its shell.

use alloc::string::String;

use ninedoor_abi::UnixMs;

use crate::{
    audit::AuditLine, connection::ConnectionId, revocation::Revocation, upstream::UpstreamId,
};

/// Something a shell may have to act on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// This connection has bytes to transmit, or can read again, through another's doing.
    Wake(ConnectionId),
    /// This connection must end, once what is ready has been transmitted.
    Close {
        /// Which.
        connection: ConnectionId,
        /// For the log.
        why: String,
    },
    /// This upstream has bytes to transmit.
    WakeUpstream(UpstreamId),
    /// This upstream broke the protocol or refused our ticket: hang up, then dial again.
    HangUp {
        /// Which.
        upstream: UpstreamId,
        /// For the log.
        why: String,
    },
    /// A line that was appended to the log, for a shell that keeps it elsewhere too.
    Audit {
        /// When.
        at: UnixMs,
        /// What.
        line: AuditLine,
    },
    /// That many lines are in the log alone: the shell has not come for more than it could be told.
    AuditOverrun {
        /// How many.
        lines: u64,
    },
    /// A ticket or a subject was revoked: to be kept where restarts do not reach, and given back in the configuration.
    Revoked(Revocation),
    /// Worker ids below this one are taken: to be kept where restarts do not reach, and given back in the configuration.
    WorkerIdsTaken {
        /// The first that is free.
        next: u64,
    },
}
