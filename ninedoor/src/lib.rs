//! NineDoor: the namespace server without I/O. Who is calling, what they may see, which file a path is, and what it says.
//!
//! Knows no sockets, clocks, GPUs or lease policy. Bytes of peers, answers of providers and `now` come in; bytes,
//! questions to providers and events go out. The same [`Server`] is the guest's NineDoor, the host bridge, the hive inside
//! `cohsh`, and the world of the tests: the [`Config`] and the mounts make the difference.
//!
//! ```text
//!                 receive / transmit / sent              poll_ask / answer        (a provider in this process)
//!   peer ⇄ shell ⇄────────────────────────▶ Server ◀────────────────────────▶ provider: /gpu /bundles /worker
//!                                             │  ▲
//!                          poll_event()       │  │ upstream_receive / upstream_transmit / upstream_sent
//!   shell ◀──── Wake Close Audit Revoked ─────┘  └──────────────────────────▶ another NineDoor, mounted through
//!                                                                              `secure9p::ClientSession`
//! ```
//!
//! One request goes through five rooms, in this order; each can refuse, none can be skipped:
//!
//! ```text
//! session (secure9p)   is it 9P?                                    violation: the connection ends
//!   └▶ gate            attach: ticket, role, subject, expiry        EACCES; three failures: EAGAIN for 90 s
//!       └▶ account     ops, bytes, ticks, rates, expiry             EDQUOT, EAGAIN, EPERM
//!           └▶ authority   role × place × act, and scopes           invisible: ENOENT; forbidden: EACCES, EPERM
//!               └▶ tree    a local node answers now, or a mount is asked and answers later
//! ```
//!
//! The drive loop of a shell; after any call that takes `now`, drain asks and events:
//!
//! ```text
//! server.receive(connection, bytes, now)?;
//! while let Some(ask) = server.poll_ask() { provider takes it; server.answer(ask.id, answer, now), now or later }
//! while let Some(node) = server.poll_released() { provider forgets node }
//! while let Some(event) = server.poll_event() { wake, close, log, persist }
//! socket.write(server.transmit(connection)); server.sent(connection, n);
//! sleep until server.next_deadline(), then server.tick(now)
//! ```
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;
#[cfg(test)]
extern crate std;

mod account;
mod ask;
mod attach;
mod attachment;
mod audit;
mod authority;
mod config;
mod connection;
mod data;
mod desk;
mod errand;
mod event;
mod fid;
mod gate;
mod hive;
mod lifecycle;
pub mod limits;
mod lockout;
mod mount;
mod open;
mod peer;
mod place;
mod proc;
mod queen;
pub mod record;
mod remote;
mod revocation;
pub mod ring;
mod serve;
mod server;
mod slab;
mod spawn;
mod stat;
mod tree;
mod upstream;
mod walk;

pub use ask::{Ask, AskId, Caller, MountId, ProviderNode};
pub use audit::{AuditLine, Failure};
pub use config::{Config, Flavour, Secrets};
pub use connection::{Closed, ConnectionId};
pub use errand::Answer;
pub use event::Event;
pub use peer::Peer;
pub use proc::Traffic;
pub use revocation::Revocation;
pub use server::Server;
pub use upstream::UpstreamId;
