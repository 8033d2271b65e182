//! The daemon's side of executors: who is there, for which lease, and what became of it.
//!
//! Knows processes and orders, not policy: when a job runs, stops or is killed is the broker's decision.
//!
//! ```text
//!            order (no waiting: the socket holds it until the process reads)
//!   Fleet ───────────────────────────────────────────────▶ executor process
//!     │ birth                                                   │ reports, exit
//!     ▼                                                         ▼
//!   Watch, one thread: spawns, reads reports, reaps ─────▶ Warden (the daemon): born, reported, exited
//!                                                               │ one that had a GPU
//!   Inspector, one thread: is that GPU still there? ◀───────────┘ ───▶ Warden: inspected
//!
//!   an executor:   Spare ─bind─▶ Bound(lease) ─▶ gone ─▶ GPU inspected ─▶ News::Died
//!                    └──── killed, crashed ─────▶ (its runs are lost, its spare is replaced)
//! ```

mod cgroup;
mod child;
mod inspector;
mod roster;
mod watch;

pub(crate) use child::{ExecutorProgram, ExitNote, Leash};
pub(crate) use inspector::Departure;
pub(crate) use roster::{ExecutorId, Fleet, News};
pub(crate) use watch::{Warden, Watch, WatchHandle};
