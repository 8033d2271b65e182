//! The fast engine: a whole block in lockstep, or several blocks side by side.
//!
//! ```text
//! Code (one step for each instruction) ──▶ Unit ──▶ for every step of the running path:
//!                                            │         shapes known?    ──▶ rules      O(1)
//!   path: lanes that stand together          │         else             ──▶ kernels    all lanes
//!   others: lanes that stand elsewhere ◀─────┘         no kernel        ──▶ eval, lane by lane
//!
//! loads and stores:  same place ──▶ one value       rows ──▶ copies, one check for the box of lanes (`part`, `rows`)
//!                    each its own ──▶ all checked, then all done (`scattered`)      refused ──▶ lane by lane, to say who
//! ```
//! Lanes that branch apart become two paths; the path that stands earliest in the program runs, and paths that meet join. A short
//! `if`, with an `else` or without, splits nothing: those lanes take the detour and come back.
//!
//! Blocks whose order cannot be seen run side by side up to [`crate::limits::UNIT_LANES_MAX`] lanes: coordinates of lanes are then
//! (x, y and z, block), so that what depends on the block has a shape too; each has its own shared memory, one behind the other, and
//! its own barriers.

mod access;
mod alu;
mod atomic;
pub mod code;
mod fetch;
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
