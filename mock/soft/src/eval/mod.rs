//! One operation of the IR on one lane's values: which function of [`crate::ops`] an operation and a type mean.
//!
//! Values are bits in a `u64`, zero above their width, and so are results. Both engines compute through here; the vector engine
//! has faster forms of the common ones, which must agree.
pub mod atomic;
pub mod compare;
pub mod convert;
pub mod float;
pub mod integer;
pub mod lanes;
pub mod matrix;
pub mod mbarrier;
pub mod print;
pub mod single;
mod sparse;
pub mod system;
pub mod warp;
