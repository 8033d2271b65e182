//! The registers of one warp, and loops over them.
#![allow(
    clippy::needless_range_loop,
    reason = "a plain index over arrays of one length is the form that compilers turn into vector instructions"
)]

use crate::limits::WARP_LANES;

/// One register of the 32 lanes of a warp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct Chunk<T>(pub [T; WARP_LANES]);

impl<T: Copy + Default> Default for Chunk<T> {
    fn default() -> Self {
        Self([T::default(); WARP_LANES])
    }
}

/// A source operand: a chunk for each warp, or one for all of them.
#[derive(Debug, Clone, Copy)]
pub struct View<'a, T> {
    chunks: &'a [Chunk<T>],
    step: usize,
}

impl<'a, T> View<'a, T> {
    /// Each warp has its own chunk.
    #[inline(always)]
    #[must_use]
    pub const fn each(chunks: &'a [Chunk<T>]) -> Self {
        Self { chunks, step: 1 }
    }

    /// All warps share the first chunk.
    #[inline(always)]
    #[must_use]
    pub const fn same(chunks: &'a [Chunk<T>]) -> Self {
        Self { chunks, step: 0 }
    }

    /// The chunk of a warp.
    #[inline(always)]
    #[must_use]
    pub fn chunk(&self, warp: usize) -> &'a [T; WARP_LANES] {
        &self.chunks[warp * self.step].0
    }

    /// All chunks, where each warp has its own.
    #[inline(always)]
    #[must_use]
    pub const fn chunks_of_each(&self) -> Option<&'a [Chunk<T>]> {
        if self.step == 1 { Some(self.chunks) } else { None }
    }
}

// Each loop reads copies and writes into an array of its own: only where nothing can overlap do compilers make vectors of it.

/// `d = f(a)` in every lane.
#[inline(always)]
pub fn map1<A: Copy, D: Copy + Default>(d: &mut [Chunk<D>], a: View<'_, A>, f: impl Fn(A) -> D) {
    for (warp, d) in d.iter_mut().enumerate() {
        let a = *a.chunk(warp);
        let mut out = [D::default(); WARP_LANES];
        for lane in 0..WARP_LANES {
            out[lane] = f(a[lane]);
        }
        d.0 = out;
    }
}

/// `d = f(a, b)` in every lane.
#[inline(always)]
pub fn map2<A: Copy, B: Copy, D: Copy + Default>(
    d: &mut [Chunk<D>],
    a: View<'_, A>,
    b: View<'_, B>,
    f: impl Fn(A, B) -> D,
) {
    for (warp, d) in d.iter_mut().enumerate() {
        let (a, b) = (*a.chunk(warp), *b.chunk(warp));
        let mut out = [D::default(); WARP_LANES];
        for lane in 0..WARP_LANES {
            out[lane] = f(a[lane], b[lane]);
        }
        d.0 = out;
    }
}

/// `d = f(a, b, c)` in every lane.
#[inline(always)]
pub fn map3<A: Copy, B: Copy, C: Copy, D: Copy + Default>(
    d: &mut [Chunk<D>],
    a: View<'_, A>,
    b: View<'_, B>,
    c: View<'_, C>,
    f: impl Fn(A, B, C) -> D,
) {
    for (warp, d) in d.iter_mut().enumerate() {
        let (a, b, c) = (*a.chunk(warp), *b.chunk(warp), *c.chunk(warp));
        let mut out = [D::default(); WARP_LANES];
        for lane in 0..WARP_LANES {
            out[lane] = f(a[lane], b[lane], c[lane]);
        }
        d.0 = out;
    }
}

/// The lanes for which `f(a, b)` holds, a bit each.
#[inline(always)]
pub fn test2<A: Copy>(d: &mut [u32], a: View<'_, A>, b: View<'_, A>, f: impl Fn(A, A) -> bool) {
    for (warp, d) in d.iter_mut().enumerate() {
        let (a, b) = (*a.chunk(warp), *b.chunk(warp));
        let mut bits = [0u32; WARP_LANES];
        for lane in 0..WARP_LANES {
            bits[lane] = u32::from(f(a[lane], b[lane])) << lane;
        }
        *d = bits.iter().fold(0, |mask, bit| mask | bit);
    }
}

/// A value that can be chosen by a bit, without a branch that would keep compilers from making vectors.
pub trait Lane: Copy + Default {
    /// This one where the bit is 1, the other where it is 0.
    #[must_use]
    fn or_other(self, other: Self, bit: u32) -> Self;
}

macro_rules! lane {
    ($($type:ty)*) => {$(
        impl Lane for $type {
            #[inline(always)]
            fn or_other(self, other: Self, bit: u32) -> Self {
                let ones = (bit as Self).wrapping_neg();
                self & ones | other & !ones
            }
        }
    )*};
}
lane!(u16 u32 u64);

/// `d = a` where the lane's bit is set, `b` elsewhere.
#[inline(always)]
pub fn choose<T: Lane>(d: &mut [Chunk<T>], masks: &[u32], a: View<'_, T>, b: View<'_, T>) {
    for (warp, (d, mask)) in d.iter_mut().zip(masks).enumerate() {
        d.0 = mixed(*mask, a.chunk(warp), b.chunk(warp));
    }
}

/// `d = a` where the lane's bit is set; elsewhere it stays.
#[inline(always)]
pub fn blend<T: Lane>(d: &mut [Chunk<T>], masks: &[u32], a: &[Chunk<T>]) {
    // as a view: where an index can fail, compilers leave the warps apart, and do not gather one lane of each
    let a = View::each(a);
    for (warp, (d, mask)) in d.iter_mut().zip(masks).enumerate() {
        d.0 = mixed(*mask, a.chunk(warp), &d.0);
    }
}

/// `a` where the lane's bit is set, `b` elsewhere.
#[inline(always)]
pub fn mixed<T: Lane>(mask: u32, a: &[T; WARP_LANES], b: &[T; WARP_LANES]) -> [T; WARP_LANES] {
    let (a, b) = (*a, *b);
    let mut out = [T::default(); WARP_LANES];
    for lane in 0..WARP_LANES {
        out[lane] = a[lane].or_other(b[lane], mask >> lane & 1);
    }
    out
}
