//! Kernels whose operands and result may lie in memory: what is loaded for one operation alone is not written to a register first.
//!
//! They are those of the [families](super) that programs mostly feed so, and give the same bits.

use mock_ptx::ir::Rounding;

use super::{Binary32, Ternary32};
use crate::ops::float;
use crate::raw::{Walks, lanewise};

const NEAREST: Rounding = Rounding::NearestEven;

impl Binary32 {
    /// Whether its operands may lie in memory.
    #[must_use]
    pub const fn fetches(self) -> bool {
        matches!(
            self,
            Self::Add
                | Self::Sub
                | Self::MulLo
                | Self::AddF { flush: false }
                | Self::SubF { flush: false }
                | Self::MulF { flush: false }
        )
    }
}

impl Ternary32 {
    /// Whether its operands may lie in memory.
    #[must_use]
    pub const fn fetches(self) -> bool {
        matches!(self, Self::MadLo | Self::FmaF { flush: false })
    }
}

/// [`Binary32`] that [fetches](Binary32::fetches).
#[inline(always)]
pub fn fetch_binary32(op: Binary32, walks: Walks<'_>) {
    macro_rules! float {
        ($f:path) => {
            lanewise(walks, |a, b, _| $f(f32::from_bits(a), f32::from_bits(b), NEAREST).to_bits())
        };
    }
    match op {
        Binary32::Add => lanewise(walks, |a, b, _| a.wrapping_add(b)),
        Binary32::Sub => lanewise(walks, |a, b, _| a.wrapping_sub(b)),
        Binary32::MulLo => lanewise(walks, |a, b, _| a.wrapping_mul(b)),
        Binary32::AddF { .. } => float!(float::add),
        Binary32::SubF { .. } => float!(float::sub),
        Binary32::MulF { .. } => float!(float::mul),
        _ => unreachable!("{op:?} fetches nothing"),
    }
}

/// [`Ternary32`] that [fetches](Ternary32::fetches).
#[inline(always)]
pub fn fetch_ternary32(op: Ternary32, walks: Walks<'_>) {
    match op {
        Ternary32::MadLo => {
            lanewise(walks, |a, b, c| a.wrapping_mul(b).wrapping_add(c));
        }
        Ternary32::FmaF { .. } => lanewise(walks, |a, b, c| {
            let [a, b, c] = [a, b, c].map(f32::from_bits);
            float::fma(a, b, c, NEAREST).to_bits()
        }),
        _ => unreachable!("{op:?} fetches nothing"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{Chunk, View, binary32, ternary32};
    use crate::limits::WARP_LANES;

    const VALUES: [u32; 8] =
        [0, 1, 0x8000_0000, 0x7f80_0000, 0xffc0_0001, 0x3f80_0000, 3, 0xff7f_ffff];

    /// Operands that meet each other in every way.
    fn chunk(stride: usize) -> Chunk<u32> {
        Chunk(std::array::from_fn(|lane| VALUES[lane * stride / 4 % VALUES.len()]))
    }

    #[test]
    fn fetching_kernels_compute_what_the_others_do() {
        let [a, b, c] = [1, 3, 5].map(chunk);
        let [each_a, each_b, each_c] =
            [&a, &b, &c].map(|chunk| View::each(std::slice::from_ref(chunk)));
        let fetched = |run: &dyn Fn(Walks<'_>)| {
            let mut d = [0; WARP_LANES];
            let mut walks = Walks::to_register([WARP_LANES as u32, 1, 1], &mut d);
            [&a, &b, &c].iter().enumerate().for_each(|(i, chunk)| walks.read_register(i, &chunk.0));
            run(walks);
            d
        };
        use Binary32 as B;
        let float = [B::AddF { flush: false }, B::SubF { flush: false }, B::MulF { flush: false }];
        for op in [B::Add, B::Sub, B::MulLo].into_iter().chain(float) {
            let mut d = [Chunk::default()];
            binary32(op, &mut d, each_a, each_b);
            assert!(op.fetches());
            assert_eq!(fetched(&|walks| fetch_binary32(op, walks)), d[0].0, "{op:?}");
        }
        for op in [Ternary32::MadLo, Ternary32::FmaF { flush: false }] {
            let mut d = [Chunk::default()];
            ternary32(op, &mut d, each_a, each_b, each_c);
            assert!(op.fetches());
            assert_eq!(fetched(&|walks| fetch_ternary32(op, walks)), d[0].0, "{op:?}");
        }
    }
}
