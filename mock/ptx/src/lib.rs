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

pub mod conformance;
mod error;
mod flow;
pub mod fuzzing;
pub mod ir;
pub mod limits;
mod lower;
pub mod syntax;
mod unit;

pub use error::{Fault, PtxError};

/// Reads a text without looking at what it means.
///
/// # Errors
/// Where the text is no PTX, with line and column.
pub fn parse(text: &str) -> Result<syntax::Ast<'_>, PtxError> {
    syntax::parse(text)
}

/// A kernel's name, parameters and bounds: what a launch must fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelSignature {
    /// As in the text, mangled where it is.
    pub name: String,
    /// In order.
    pub parameters: Vec<ir::Parameter>,
    /// Size of the parameter block.
    pub parameter_bytes: u32,
    /// Shared memory it takes whatever the launch says.
    pub static_shared_bytes: u32,
    /// What it says about its launches.
    pub bounds: ir::LaunchBounds,
}

/// What a text says of its kernels. Their instructions are parsed, not checked.
///
/// # Errors
/// Where the text is no PTX, or its declarations are not such as we take.
pub fn signatures(text: &str) -> Result<Vec<KernelSignature>, PtxError> {
    lower::signatures(text, &syntax::parse(text)?)
}

/// A kernel that cannot be run, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its name.
    pub kernel: String,
    /// Why.
    pub error: PtxError,
}

/// The whole text as a program.
///
/// # Errors
/// The first thing that is refused, whichever kernel it is in.
pub fn compile(text: &str) -> Result<ir::Module, PtxError> {
    lower::compile(text, &syntax::parse(text)?)
}

/// The kernels of a text that can be run, and those that cannot, each with its reason.
///
/// # Errors
/// Where the text is no PTX, or its declarations are not such as we take: then no kernel can be run.
pub fn compile_each(text: &str) -> Result<(ir::Module, Vec<Refused>), PtxError> {
    lower::compile_each(text, &syntax::parse(text)?)
}
