//! The server's side of one connection: a [`ServerSession`] between a peer's bytes and a tree's nodes.
//!
//! Knows fids, tags and order. Knows no files: what a node is, and who may touch it, is the tree's affair.

mod answer;
mod ask;
mod fids;
mod first_use;
mod owed;
mod queue;
mod request;
mod session;
mod tags;

pub use owed::{Owed, OwedId};
pub use request::{Reply, Request};
pub use session::ServerSession;
