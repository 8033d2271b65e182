//! Scripted devices, machines as data, and the software GPU behind the port.
pub mod soft;
