//! What one launch may ask for, and what one lane may use.

/// Lanes of a warp.
pub const WARP_LANES: usize = 32;
/// Threads of one block, at most.
pub const BLOCK_THREADS_MAX: u32 = 1024;
/// Extent of a block in x, y, z.
pub const BLOCK_MAX: [u32; 3] = [1024, 1024, 64];
/// Extent of a grid in x, y, z.
pub const GRID_MAX: [u32; 3] = [0x7fff_ffff, 65_535, 65_535];
/// Shared memory of a block, static and dynamic, as on sm_80.
pub const SHARED_BYTES_MAX: u32 = 163 * 1024;
/// Local memory of one lane, call frames included.
pub const LOCAL_BYTES_MAX: u64 = 512 * 1024;
/// Local memory of one block of lanes together.
pub const BLOCK_LOCAL_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Registers of one block of lanes together: hardware has 256 KiB, and compilers' unoptimised texts use far more.
pub const BLOCK_REGISTER_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Words of a kernel's tables of registers that are still wanted, one for each instruction and block of code.
pub const LIVENESS_WORDS_MAX: u64 = 1 << 25;
/// Calls that one lane may have open.
pub const CALL_DEPTH_MAX: usize = 1024;
/// Local memory of a lane for the frames of functions that are really called.
pub const STACK_BYTES: u64 = 64 * 1024;
/// What `malloc` on the device has to give to one launch: as much as CUDA gives unless it is told otherwise.
pub const HEAP_BYTES: u64 = 8 * 1024 * 1024;
/// Barriers of a block.
pub const BARRIERS: usize = 16;
/// Bytes of a text that `printf` or `assert` may read from device memory.
pub const TEXT_BYTES_MAX: u64 = 4096;
/// Loops a path may close before others get their turn.
pub const QUANTUM_BACK_EDGES: u32 = 4096;

/// Loops that a block may close before other blocks get their turn.
pub const TURN_BACK_EDGES: u64 = 1 << 19;
/// The same in grids whose blocks wait for each other all the time.
pub const COOPERATIVE_TURN_BACK_EDGES: u64 = 1 << 11;
/// Units that may have begun and not ended, as a GPU has room for so many blocks.
pub const RESIDENT_UNITS_MAX: u64 = 1024;
/// What these may take together, in registers, shared and local memory; two may take more.
pub const RESIDENT_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Blocks are joined into one unit as long as they do not take more than this together.
pub const UNIT_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Blocks of a cooperative grid: all of them are there at once.
pub const COOPERATIVE_BLOCKS_MAX: u64 = 1024;
/// What these may take together.
pub const COOPERATIVE_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// Lanes up to which blocks run side by side.
pub const UNIT_LANES_MAX: u32 = 2048;
/// Lanes of a launch for each thread of the host that is worth starting for it.
pub const WORTH_A_THREAD_LANES: u128 = 16 * 1024;
/// Where a cooperative grid meets.
pub const GRID_WORKSPACE_BYTES: u64 = 256;

const _: () = assert!((BLOCK_THREADS_MAX as usize).is_multiple_of(WARP_LANES));
const _: () = assert!(UNIT_LANES_MAX.is_multiple_of(BLOCK_THREADS_MAX));
const _: () = assert!(LOCAL_BYTES_MAX * 32 <= BLOCK_LOCAL_BYTES_MAX);
const _: () = assert!((SHARED_BYTES_MAX as u64) < crate::memory::window::BYTES);
