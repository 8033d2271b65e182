//! The only `unsafe` of this crate: bytes that several worker threads share, and code compiled for the processor at hand.
//!
//! What is offered from here is safe to call: every offset is checked, every feature is asked for before it is used.
#![allow(
    unsafe_code,
    reason = "device memory is racy by nature, and CPU features are chosen at run time; both live here and nowhere else"
)]

#[cfg(target_arch = "x86_64")]
mod intrinsics;
mod isa;
mod lanes;
mod lanewise;
mod region;
mod rows;

pub use isa::{Isa, Level, Loop};
pub use lanes::{lanes, lanes_mut};
pub use lanewise::{HALF_LANES, Place, Walks, lanewise};
pub use region::{Region, Word};
pub use rows::{Spots, Tile};
