//! GPUs without hardware, behind the port: scripted ones, and the software GPU.
//!
//! ```text
//! bridge_host_gpu (the port) ◀─┬─ scripted   launches end as a script says; nothing is computed
//!                              │    └─ machines   the inventories it may start from, as data
//!                              └─ soft       PTX text ─▶ mock_ptx (typed program) ─▶ mock_soft (results)
//! ```
//!
//! Knows no leases, no 9P and no daemon.
pub mod machines;
pub mod scripted;
mod signatures;
pub mod soft;

pub use signatures::signatures;
