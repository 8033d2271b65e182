//! The transports, told by peers that are nothing but bytes and a service that speaks no 9P.
#![allow(clippy::unwrap_used, clippy::panic, reason = "what a test cannot do without fails it")]

mod bounds;
mod deadlines;
mod ends;
mod expiry;
mod lines;
mod log;
mod refusals;
mod transports;
mod world;
