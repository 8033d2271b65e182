//! Device memory: allocations at fixed addresses with exact bounds.
//!
//! ```text
//! 0x0000_0000_0000   null
//! 0x0010_0000_0000   the block's shared memory   ┐
//! 0x0020_0000_0000   the lane's local memory     ├ windows of the generic space
//! 0x0030_0000_0000   the kernel's parameters     ┘
//! 0x5000_0000_0000   what a launch has for itself: its heap
//! 0x5800_0000_0000   constants of modules        ┐ upwards,
//! 0x6000_0000_0000   variables of modules        │
//! 0x7000_0000_0000   buffers                     ┘ a gap behind each
//! 0xF000_0000_0000_0000   functions (no memory)
//! ```
//!
//! Addresses do not depend on the host: the same sequence of calls gives the same ones. A freed buffer's address is given again only
//! when there are no buffers any more, so that a stale pointer is found; the next job then has them where the last one had, whatever
//! modules were loaded meanwhile. So it is with variables.

mod device;
mod heap;
mod map;
pub mod window;

pub use device::{DeviceMemory, MemoryError};
pub use heap::Heap;
pub use map::{Access, AccessError, Map, Place, Refusal};
