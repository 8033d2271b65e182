//! The vocabulary on the trust line: what a peer may say, as types that cannot be wrong.
//!
//! Every word that crosses from one program to another has its type here: paths, roles, tickets, control lines and their
//! status lines, records, job descriptors, ids, times. Each is read by one fallible function ([`core::str::FromStr`] or
//! `parse`) and written by [`core::fmt::Display`] or `to_line`, and what was read prints back to the same text.
//! Knows no behaviour: nothing here decides who may do what, grants a lease or runs a job.
//!
//! ```text
//! peer's bytes ──parse──▶ Ticket / CtlLine / QueenCommand / JobDescriptor ──▶ a core that may act on it
//!                 └────▶ Refusal { errno, text }: names the field, the value seen, the value wanted
//! ```
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;

pub mod ctl;
pub mod job;
pub mod limits;
pub mod queen;
pub mod record;
pub mod ticket;

mod ids;
mod json;
mod lifecycle;
mod path;
mod refusal;
mod role;
mod time;

pub use ctl::{CtlLine, StatusLine};
pub use ids::{BadId, Epoch, GpuId, JobId, LeaseId, Subject, WorkerId};
pub use job::JobDescriptor;
pub use lifecycle::LifecycleWord;
pub use path::{BadPath, PathName};
pub use queen::QueenCommand;
pub use record::{JobRecord, LeaseRecord};
pub use refusal::{Errno, Refusal};
pub use role::{Identity, Role};
pub use ticket::{Claims, Quotas, Scope, ScopeVerb, Secret, Ticket, TicketId, TicketRefused};
pub use time::{MonoUs, Now, UnixMs};
