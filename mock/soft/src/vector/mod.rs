//! The fast engine: a whole block in lockstep.
//!
//! ```text
//! Code (one step for each instruction) ──▶ Unit ──▶ for every step of the running path:
//!                                            │         shapes known?  ──▶ rules      O(1)
//!   path: lanes that stand together          │         else           ──▶ kernels    all lanes
//!   others: lanes that stand elsewhere ◀─────┘         no kernel      ──▶ eval, lane by lane
//! ```
//! Lanes that branch apart become two paths; the path that stands earliest in the program runs, and paths that meet join.

mod access;
mod alu;
mod atomic;
pub mod code;
pub mod file;
mod interval;
pub mod live;
pub mod lower;
pub mod mask;
mod meet;
mod part;
pub mod path;
mod rows;
mod rules;
mod run;
mod scattered;
pub mod shape;
pub mod unit;
mod width;

pub use code::Code;
pub use lower::lower;
pub use unit::Unit;
