//! The audit log on disk: every line of `/log/bridge.log` or `/log/queen.log`, kept, each bound to the one before it by that one's SHA-256.
//!
//! One source, two views: the namespace server makes the lines; that file shows the newest, and here they are kept until
//! rotation takes them. Knows no 9P, no leases, and nothing of what a line says.
//!
//! ```text
//!  hive ── note(line) ──▶ queue (bounded) ──▶ writer (thread) ──▶ chain ──▶ audit/audit-00000007.jsonl, synced every second
//!  never waits              full: counted        retries, loud                audit/head.json: the last line that was synced
//! ```
//!
//! The state of a line, and what takes it further:
//!
//! ```text
//!   queued ─writer─▶ written (survives kill -9) ─a second─▶ synced (survives power loss), vouched for by the head ─rotation─▶ gone
//!      └─ no room: one LOST line says how many and when
//! ```
//!
//! SHA-256 without a key: whoever may write these files may also read what lies beside them, so that a key would keep nobody out,
//! and without one anybody can check a copy: `sed -n 7p FILE | tr -d '\n' | sha256sum` is what line 8 says. A chain that was
//! written anew as a whole is found out by a head noted elsewhere: `audit verify --head`.

mod chain;
mod command;
mod directory;
mod inbox;
mod line;
mod log;
mod verify;

pub use self::{
    chain::ChainBounds,
    command::{AuditVerb, Form, leave_ticket, run},
    directory::AuditDir,
    inbox::Inbox,
    line::{Entry, Link},
    log::{AuditLog, AuditState, AuditWriter},
    verify::{Fault, FaultKind, FileFacts, Report, verify},
};
