//! Registers of several warps as one row of lanes.

use super::Word;
use crate::kernels::Chunk;
use crate::limits::WARP_LANES;

/// The lanes of all chunks, one after the other.
#[inline(always)]
#[must_use]
pub const fn lanes<T: Word>(chunks: &[Chunk<T>]) -> &[T] {
    const { assert!(size_of::<Chunk<T>>() == size_of::<T>() * WARP_LANES) };
    let count = chunks.len() * WARP_LANES;
    // SAFETY: a chunk is an array of `T` and nothing else: `repr(C)`, and no padding between chunks, as asserted.
    unsafe { std::slice::from_raw_parts(chunks.as_ptr().cast(), count) }
}

/// The lanes of all chunks, one after the other, to write.
#[inline(always)]
#[must_use]
pub const fn lanes_mut<T: Word>(chunks: &mut [Chunk<T>]) -> &mut [T] {
    const { assert!(size_of::<Chunk<T>>() == size_of::<T>() * WARP_LANES) };
    let count = chunks.len() * WARP_LANES;
    // SAFETY: a chunk is an array of `T` and nothing else: `repr(C)`, and no padding between chunks, as asserted. The slice is borrowed alone.
    unsafe { std::slice::from_raw_parts_mut(chunks.as_mut_ptr().cast(), count) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_their_lanes_one_after_the_other() {
        let mut chunks = [Chunk([1u16; WARP_LANES]), Chunk([2; WARP_LANES])];
        lanes_mut(&mut chunks)[WARP_LANES - 1] = 7;
        assert_eq!((chunks[0].0[31], chunks[1].0[0]), (7, 2));
        assert_eq!(lanes(&chunks)[30..34], [1, 7, 2, 2]);
        assert!(lanes::<u64>(&[]).is_empty());
    }
}
