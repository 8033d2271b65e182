//! A hive in virtual time, from a seed.
//!
//! Workers ask for leases, submit jobs, renew, are cut off and come back; the daemon (the real broker over a store in two steps:
//! the system, then the disk) is killed or loses its power, and restarts; executors start late, hang, crash, lie and die slowly; a queen revokes, drains and resets; the
//! wall clock is set. A checker sees what an outsider sees: answers that arrived, effects that were carried out. Nothing here
//! sleeps, reads a clock or draws from anything but the seed: the same seed gives the same bytes.
//!
//! ```text
//!   Worker ──Request──▶ Link (delay, cut) ──▶ Daemon: Broker ─effects─▶ Store ─▶ carried out ─▶ Executors
//!     ▲                                          │ answers, once the disk has them                  │
//!     └──────────────── Link ◀───────────────────┘◀───────────────────── events ────────────────────┘
//! ```
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a simulation that goes wrong must stop and say so"
)]

mod checker;
mod daemon;
mod dice;
mod executors;
mod happening;
mod store;
mod worker;
mod world;

pub use dice::Dice;
pub use world::{Report, run};
