//! The executor: the process that holds a GPU context, does the jobs of one lease, and may die.
//!
//! Knows no leases, no tickets, no 9P: it gets orders and open files from the daemon over one socket (its standard input),
//! and reports back on the same. It opens no file by name after it has started.
//!
//! ```text
//!  daemon                                    executor process
//!  ──────                                    ────────────────
//!  spawn ───────────────────────────────────▶ confine itself, load the backend
//!        ◀──────────────────────────── Ready    (a warm spare waits here)
//!  Bind {gpu, memory, streams} ─────────────▶ open the GPU within these limits
//!        ◀──────────────────────────── Bound
//!  Run {kernel, buffers, …} + open files ───▶ ┌ main thread: reads orders, raises stop signals
//!  Stop {run} ──────────────────────────────▶ └ a work thread for each stream: hash, load, h2d, launch, d2h, hash
//!        ◀────────────── Finished | Failed      (after a sticky failure it exits with 70)
//!  close, SIGKILL ──────────────────────────▶ gone; the kernel frees what it held
//! ```

pub(crate) mod channel;
pub(crate) mod confine;
mod mapping;
mod process;
pub(crate) mod protocol;
mod run;

pub(crate) use process::EXECUTOR_ARGUMENT;
pub use process::{executor_main, executor_main_with};
