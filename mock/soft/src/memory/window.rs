//! Where the spaces of a lane lie in the generic space.

use mock_ptx::ir::Space;

/// Bytes of each window.
pub const BYTES: u64 = 1 << 36;
/// The block's shared memory.
pub const SHARED: u64 = 0x0010_0000_0000;
/// The lane's local memory.
pub const LOCAL: u64 = 0x0020_0000_0000;
/// The kernel's parameter block.
pub const PARAMETER: u64 = 0x0030_0000_0000;
/// What a launch has for itself: its heap, where a cooperative grid meets.
pub const LAUNCHES: u64 = 0x5000_0000_0000;
/// The constants of modules.
pub const CONSTANTS: u64 = 0x5800_0000_0000;
/// The variables of modules.
pub const VARIABLES: u64 = 0x6000_0000_0000;
/// What is allocated.
pub const BUFFERS: u64 = 0x7000_0000_0000;
/// No allocation reaches this.
pub const BUFFERS_END: u64 = 0x8000_0000_0000;

const _: () = assert!(SHARED + BYTES == LOCAL && LOCAL + BYTES == PARAMETER);
const _: () = assert!(PARAMETER + BYTES <= LAUNCHES && LAUNCHES < CONSTANTS);
const _: () = assert!(CONSTANTS < VARIABLES && VARIABLES < BUFFERS);

/// Where a space's window begins; spaces whose addresses are generic ones begin at 0.
#[must_use]
pub const fn start(space: Space) -> u64 {
    match space {
        Space::Shared => SHARED,
        Space::Local => LOCAL,
        Space::Parameter => PARAMETER,
        Space::Generic | Space::Global | Space::Constant => 0,
    }
}

/// Whether a generic address belongs to a space.
#[must_use]
pub const fn is_in(space: Space, address: u64) -> bool {
    let is_constant = CONSTANTS <= address && address < VARIABLES;
    match (space, resolve(address).0) {
        (Space::Constant, Space::Global) => is_constant,
        (Space::Global, Space::Global) => !is_constant,
        (wanted, found) => wanted as u8 == found as u8,
    }
}

/// The space a generic address belongs to, and the address within it. Constants lie among the allocations.
#[inline(always)]
#[must_use]
pub const fn resolve(address: u64) -> (Space, u64) {
    match address {
        SHARED..LOCAL => (Space::Shared, address - SHARED),
        LOCAL..PARAMETER => (Space::Local, address - LOCAL),
        PARAMETER..0x0040_0000_0000 => (Space::Parameter, address - PARAMETER),
        _ => (Space::Global, address),
    }
}
