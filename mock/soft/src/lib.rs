//! The software GPU's engine: typed IR to results, every access checked.
//!
//! ```text
//! ops      what one instruction computes for one lane; pure, the same bits everywhere
//! eval     which of them an operation of the IR means, by type
//! ```

pub mod eval;
pub mod ops;
