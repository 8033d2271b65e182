//! What the vector engine does to whole registers: one loop per operation and type, over the lanes of every warp.
//!
//! Each family is one function that chooses the loop by a small enum. The functions are compiled several times, for the vector
//! instructions a processor may have ([`crate::raw::Isa`]); their bodies are plain Rust and the same everywhere, and so are their
//! results.

pub mod chunk;
mod families;
mod fetch;
mod tiles;

pub use chunk::{Chunk, View};
pub use families::*;
pub use fetch::*;
pub use tiles::*;
