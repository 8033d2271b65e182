//! Secure9P: 9P2000.L and 9P2000 over a byte stream, without I/O. Bytes in, bytes out.
//!
//! Knows nothing of clocks, sockets, TLS, roles or GPUs. Deadlines belong to the shell (`secure9p-tokio`); what a file
//! is belongs to the namespace (`ninedoor`).
//!
//! ```text
//!            receive(&[u8])            poll_request()                       answer(owed, Ok(reply))
//! peer ────────────────────▶ session ───────────────▶ namespace, a tree ───────────────────────┐
//!      ◀──────────────────── session ◀─────────────────────────────────────────────────────────┘
//!            transmit()/sent(n)
//! ```
//!
//! Both sides are driven alike: bytes in, everything that follows, bytes out. Here with both ends in one place, and a [`toy`] for a tree:
//!
//! ```
//! use secure9p::{ClientLimits, ClientSession, ServerLimits, ServerSession, toy::ToyTree};
//!
//! let (mut client, mut server) = (ClientSession::new(ClientLimits::default()), ServerSession::new(ServerLimits::default()));
//! let mut tree = ToyTree::new();
//!
//! server.receive(client.transmit())?;             // Err(Violation): close this connection, log it
//! client.sent(client.transmit().len());
//! while let Some((owed, request)) = server.poll_request() {
//!     server.answer(owed, tree.handle(request));  // now or later, in any order
//! }
//! while let Some(node) = server.poll_released() {
//!     tree.release(node);
//! }
//! client.receive(server.transmit())?;
//! server.sent(server.transmit().len());           // and ask poll_request again: there is room now
//!
//! assert_eq!(client.negotiated(), Some(ClientLimits::default().msize));
//! # Ok::<(), secure9p::Violation>(())
//! ```
//!
//! Where to look: [`server`] and [`client`] for the two sessions, [`message`] for the tables of all messages, [`transcript`] for their one-line
//! form, [`limits`] for every bound.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;
#[cfg(test)]
extern crate std;

mod bytes;
pub mod client;
mod dialect;
mod errno;
pub mod fuzzing;
mod glimpse;
mod ids;
pub mod limits;
pub mod message;
mod name;
mod open;
mod outbox;
pub mod server;
pub mod toy;
pub mod transcript;
mod violation;
mod wire;

pub use bytes::Bytes;
pub use client::{CallId, CallRefused, ClientSession};
pub use dialect::Dialect;
pub use errno::Errno;
pub use ids::{Fid, NumericUname, Qid, QidKind, Tag};
pub use limits::{ClientLimits, Msize, ServerLimits};
pub use message::{Rmessage, Tmessage};
pub use name::{BadName, Name};
pub use open::{Access, OpenFlags, OpenMode};
pub use server::{Owed, OwedId, Reply, Request, ServerSession};
pub use violation::Violation;
