//! The client's side of one connection: a [`ClientSession`] that keeps many calls in flight and believes nothing.
//!
//! Knows tags, and which reply belongs to which call. Knows no paths: walking, opening and reading to the end is the caller's plan.

mod calls;
mod fids;
mod session;

pub use calls::{CallId, CallRefused};
pub use session::ClientSession;
