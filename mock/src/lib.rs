//! Scripted devices, machines as data, and the software GPU behind the port.
pub mod machines;
pub mod scripted;
mod signatures;
pub mod soft;

pub use signatures::signatures;
