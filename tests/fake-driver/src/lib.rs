//! A machine with NVIDIA GPUs that is none: the fake `libcuda.so.1` and `libnvidia-ml.so.1`, and a test's hand on them.
//!
//! Test-only. The libraries are C ABI, found through `LD_LIBRARY_PATH` by an unmodified program; this crate is what both sides share.
//!
//! ```text
//! test ─▶ Machine ── directory ─▶ libcuda.so.1, libnvidia-ml.so.1 (as built, or copies that lack a symbol)
//!            │            ├─ script   devices, failures by call and count, gates      read anew at every call
//!            │            ├─ events   one line an event, for nvmlEventSetWait
//!            │            └─ gate-*   a pipe for each gate: the call waits there until the test lets it go
//!            └─ environment ─▶ program under test ─▶ dlopen ─▶ the libraries ─▶ script
//! ```
#![allow(clippy::panic, reason = "what a test stands on fails by panicking")]

mod machine;
pub mod script;

pub use machine::{Library, Machine, is_here};
pub use script::{Device, Script};
