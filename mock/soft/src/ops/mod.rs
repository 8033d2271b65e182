//! What one PTX instruction computes for one lane: pure functions on plain numbers.
//!
//! Knows no registers, no lanes, no memory. Nothing here depends on the host's math library or on its NaN bits: the same inputs
//! give the same bits on every machine. Integer results are modulo the width, as PTX says; an `f32` result that is not a number
//! is always [`float::NAN_F32`].
pub mod approx;
pub mod bits;
pub mod carry;
pub mod compare;
pub mod convert;
pub mod dot;
pub mod float;
pub mod half;
pub mod int;
pub mod round;
pub mod video;
