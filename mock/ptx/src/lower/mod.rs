//! From the tree to the typed program: names are resolved, types checked, instructions lowered one by one.
//!
//! ```text
//!  Ast ──▶ Symbols (what names mean) ──▶ Usage (who calls what, which shared variables)
//!                                             │
//!            for each kernel:  Plan (what is inlined) ──▶ Builder (statements → Unit)
//!                                                               │
//!                                                               ▼
//!                                                   flow (order, registers, frame) ──▶ Kernel
//! ```

mod access;
mod asynchronous;
mod atomic;
mod builder;
mod call;
mod compare;
mod constant;
mod control;
mod convert;
mod dispatch;
mod float;
mod image;
mod integer;
mod layout;
mod matrix;
mod module;
mod moves;
mod names;
mod opcode;
mod operands;
mod plan;
mod signature;
mod special;
mod symbols;
mod usage;
mod video;
mod warp;

pub(crate) use module::{compile, compile_each};
pub(crate) use signature::signatures;
