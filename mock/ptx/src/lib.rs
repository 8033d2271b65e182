//! The software GPU's front end: PTX text in, a typed program out.
//!
//! ```text
//!  text ──parse──▶ syntax::Ast ──lower──▶ ir::Module ──▶ an engine (mock-soft)
//!                      │
//!                      └──▶ signatures (the daemon's parameter check)
//! ```
//!
//! Everything that can be refused is refused here, with the line, the instruction's own text and what
//! is not supported; an engine that gets an [`ir::Module`] never looks at a string again. This crate
//! knows nothing of lanes, memory or time: it does no I/O and runs nothing.

#![forbid(unsafe_code)]

mod error;
pub mod ir;
pub mod limits;
pub mod syntax;

pub use error::{Fault, PtxError};

/// Reads a text without looking at what it means.
///
/// # Errors
/// Where the text is no PTX, with line and column.
pub fn parse(text: &str) -> Result<syntax::Ast<'_>, PtxError> {
    syntax::parse(text)
}
