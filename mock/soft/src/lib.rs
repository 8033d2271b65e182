//! The software GPU's engine: typed IR to results, every access checked.
//!
//! ```text
//! Program ──launch──▶ check ──▶ Job ──▶ blocks, run by an engine
//!                                          │
//!            memory ◀── every access ──────┤
//!            eval   ◀── what an operation of the IR means, by type
//!              └─▶ ops   what one instruction computes for one lane; pure, the same bits everywhere
//! ```
//!
//! Knows no PTX text, no ports, no files. Time and stopping come in as a question that is asked now and then.

#![allow(
    clippy::cast_possible_truncation,
    reason = "registers are cut to the width of a type all day, as PTX says; sizes are bounded by limits.rs before they get here"
)]

pub mod eval;
pub mod fault;
pub mod fuzzing;
pub mod kernels;
pub mod launch;
pub mod limits;
pub mod memory;
pub mod ops;
pub mod program;
pub mod raw;
pub mod scalar;
pub mod vector;

pub use fault::{Cause, Fault};
pub use launch::{Atomics, Engine, Launch, LaunchError, Options, Outcome, launch};
pub use memory::{DeviceMemory, MemoryError};
pub use program::Program;
pub use raw::Level;
