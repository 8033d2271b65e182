//! Every bound of the namespace server, and how the bounds relate.

use core::time::Duration;

/// Path elements from the root to the deepest file (`/worker/<id>/telemetry` is 3).
pub const TREE_DEPTH_MAX: usize = 8;
/// Names one Twalk may carry by the protocol (MAXWELEM); the tree's own depth is [`TREE_DEPTH_MAX`].
pub const WALK_NAMES_MAX: usize = 16;
/// Binds one walk may pass through before it is called a loop.
pub const BINDS_PER_WALK_MAX: usize = 8;

/// Connections served at once; one more is refused when it connects.
pub const CONNECTIONS_MAX: usize = 4096;
/// Attaches (users) of one connection.
pub const ATTACHES_PER_CONNECTION_MAX: usize = 256;
/// Tickets with a budget that are remembered at once; a ticket with a budget may not lose it by reconnecting.
pub const ACCOUNTS_MAX: usize = 16_384;
/// Revoked tickets and subjects remembered.
pub const REVOCATIONS_MAX: usize = 16_384;

/// Failed attaches of one peer within [`ATTACH_FAILURE_WINDOW`] that lock it out.
pub const ATTACH_FAILURES_MAX: u32 = 3;
/// How long a failed attach counts.
pub const ATTACH_FAILURE_WINDOW: Duration = Duration::from_secs(60);
/// How long a locked-out peer waits.
pub const ATTACH_LOCKOUT: Duration = Duration::from_secs(90);
/// Peers whose failed attaches are remembered; the one that failed longest ago makes room.
pub const ATTACH_OFFENDERS_MAX: usize = 4096;

/// One record of a telemetry file: a line.
pub const RECORD_BYTES_MAX: usize = 64 * 1024;
/// One order written to a control file: a line.
pub const ORDER_BYTES_MAX: usize = 8 * 1024;
/// What a control fid remembers of the status lines of its own writes.
pub const STATUS_BYTES_MAX: usize = 64 * 1024;
/// The recent control log that a fresh open of a control file reads.
pub const CONTROL_LOG_BYTES_MAX: usize = 16 * 1024;
/// One log under `/log`.
pub const LOG_BYTES_MAX: usize = 1024 * 1024;
/// One line of a log; a longer one is cut and says so.
pub const LOG_LINE_BYTES_MAX: usize = 2048;
/// One worker's telemetry.
pub const TELEMETRY_BYTES_MAX: usize = 64 * 1024;
/// A text that a shell publishes under `/proc`.
pub const TEXT_BYTES_MAX: usize = 64 * 1024;

/// Live workers of a hive.
pub const WORKERS_MAX: usize = 512;
/// Command lines waiting for the queen's desk; one more is refused with EBUSY.
pub const DESK_LINES_MAX: usize = 256;
/// Mounts in the tree.
pub const MOUNTS_MAX: usize = 64;
/// Binds in the tree.
pub const BINDS_MAX: usize = 64;
/// Upstream servers a hive knows.
pub const UPSTREAMS_MAX: usize = 16;
/// Calls in flight to one upstream; our own servers take several times that in a session.
pub const UPSTREAM_CALLS_MAX: usize = 256;
/// Requests that wait for their turn at one upstream; one more is refused with EAGAIN.
pub const UPSTREAM_BACKLOG_MAX: usize = 16_384;
/// How long an upstream may owe us an answer and say nothing.
pub const UPSTREAM_PATIENCE_US: u64 = 30_000_000;
/// Lease revocations kept for a bridge that is away.
pub const REVOKES_OWED_MAX: usize = 1024;
/// Events nobody has fetched yet before audit lines are only counted; they stay in the log.
pub const AUDIT_EVENTS_MAX: usize = 8192;

// Every order of the vocabulary can be written.
const _: () = assert!(ORDER_BYTES_MAX >= ninedoor_abi::limits::QUEEN_LINE_BYTES_MAX);
// Telemetry and logs hold at least one record each, or appending would lose it at once.
const _: () = assert!(TELEMETRY_BYTES_MAX >= RECORD_BYTES_MAX);
const _: () = assert!(LOG_BYTES_MAX >= RECORD_BYTES_MAX && LOG_LINE_BYTES_MAX < LOG_BYTES_MAX);
const _: () = assert!(CONTROL_LOG_BYTES_MAX >= LOG_LINE_BYTES_MAX);
// The path of every file must be walkable in one Twalk, with the prefix of its mount in front.
const _: () = assert!(2 * TREE_DEPTH_MAX <= WALK_NAMES_MAX);
const _: () = assert!(ATTACH_LOCKOUT.as_secs() > ATTACH_FAILURE_WINDOW.as_secs());
