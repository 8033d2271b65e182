//! A toy: a tree in memory and a server over it, for tests, fuzzing, benches and first steps.
//!
//! Knows no users, no permissions and no clock. Nothing that serves strangers should use it.

mod server;
mod tree;

pub use server::{ToyServer, exchange};
pub use tree::{ToyNode, ToyTree};
