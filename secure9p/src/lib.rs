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
//! The server's drive loop (the client's is the same, read from the other end):
//!
//! ```text
//! session.receive(bytes)?;                        // Err(Violation): close this connection, log it
//! while let Some((owed, request)) = session.poll_request() {
//!     session.answer(owed, tree.handle(request)); // now or later, in any order
//! }
//! while let Some(node) = session.poll_released() { tree.release(node) }
//! socket.write(session.transmit()); session.sent(n);
//! ```
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
