//! The daemon's side of executors: who is there, for which lease, and what became of it.
//!
//! Knows processes and orders, not policy: when a job runs, stops or is killed is the broker's decision.
//!
//! ```text
//!            order (no waiting: the socket holds it until the process reads)
//!   Fleet ───────────────────────────────────────────────▶ executor process
//!     │ birth                                                   │ reports, exit
//!     ▼                                                         ▼
//!   Watch, one thread: spawns, reads reports, reaps ─────▶ Warden (the daemon): reported, exited, tick
//!
//!   an executor:   Spare ─run for a lease─▶ Bound(lease) ─▶ gone
//!                    └──────────── killed, crashed ─────────▶ (its runs are lost, its spare is replaced)
//! ```

mod child;
mod roster;
mod watch;

pub(crate) use child::{ExecutorProgram, ExitNote, Pidfd};
pub(crate) use roster::{ExecutorId, Fleet, News};
pub(crate) use watch::{Warden, Watch, WatchHandle};
