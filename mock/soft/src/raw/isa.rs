//! The kernels, compiled for several sets of vector instructions; which one is used is decided at run time.

use mock_ptx::ir::Comparison;

use crate::kernels::{
    self, Binary32, Binary64, Chunk, Narrow, Numbers, Shift64, Ternary32, Ternary64, Unary32,
    Unary64, View, Wide, Widen, Widen16,
};

use super::{Region, Tile, Walks};
use crate::limits::WARP_LANES;

/// A set of vector instructions. What it computes does not depend on it, only how fast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Level {
    /// What every processor of this architecture has.
    Baseline,
    /// x86-64: AVX2, FMA, BMI.
    Avx2,
    /// x86-64: AVX-512 F, BW, DQ, VL.
    Avx512,
}

/// A level that this processor was seen to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Isa(Level);

impl Isa {
    /// The best this processor has.
    #[must_use]
    pub fn best() -> Self {
        [Level::Avx512, Level::Avx2].into_iter().find_map(Self::at).unwrap_or(Self(Level::Baseline))
    }

    /// That level, if this processor has it.
    #[must_use]
    pub fn at(level: Level) -> Option<Self> {
        Self::has(level).then_some(Self(level))
    }

    /// Which it is.
    #[must_use]
    pub const fn level(self) -> Level {
        self.0
    }

    #[cfg(target_arch = "x86_64")]
    fn has(level: Level) -> bool {
        let avx2 = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("lzcnt")
            && is_x86_feature_detected!("popcnt");
        match level {
            Level::Baseline => true,
            Level::Avx2 => avx2,
            Level::Avx512 => {
                // F16C is part of what compilers take AVX-512 for.
                avx2 && is_x86_feature_detected!("f16c")
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
            }
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn has(level: Level) -> bool {
        level == Level::Baseline
    }
}

/// A loop over lanes that has types of its own: its body is inlined where it runs, and so compiled for each level.
pub trait Loop {
    /// What it comes to.
    type Output;
    /// Runs it; to be marked `#[inline(always)]`.
    fn run(self) -> Self::Output;
}

impl Isa {
    /// [`kernels::shuffle32`] by the instructions of this level.
    #[inline]
    pub fn shuffle32(
        self,
        d: &mut [Chunk<u32>],
        here: &[u32],
        a: View<'_, u32>,
        sources: &[u32; WARP_LANES],
    ) {
        match self.0 {
            // SAFETY: an `Isa` of this level exists only where the processor has its features.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => unsafe { super::intrinsics::shuffle32(d, here, a, sources) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => unsafe { super::intrinsics::shuffle32_by_eights(d, here, a, sources) },
            _ => kernels::shuffle32(d, here, a, sources),
        }
    }

    /// Runs a loop by the instructions of this level.
    #[inline]
    pub fn run<L: Loop>(self, each: L) -> L::Output {
        match self.0 {
            // SAFETY: an `Isa` of this level exists only where the processor has its features.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => unsafe { avx512::run(each) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => unsafe { avx2::run(each) },
            _ => each.run(),
        }
    }
}

/// For each kernel a method of [`Isa`], and a copy compiled for each level. The word before its name says whose code AVX-512 runs: the
/// same `kernels`, or `intrinsics`.
macro_rules! dispatch {
    ($($by:ident $name:ident($($argument:ident: $type:ty),*);)*) => {
        impl Isa {$(
            /// The kernel of this name, by the instructions of this level.
            #[inline]
            pub fn $name(self, $($argument: $type),*) {
                match self.0 {
                    // SAFETY: an `Isa` of this level is made by `at` and `best` alone, where the processor has its features.
                    #[cfg(target_arch = "x86_64")]
                    Level::Avx512 => unsafe { avx512::$name($($argument),*) },
                    // SAFETY: as above.
                    #[cfg(target_arch = "x86_64")]
                    Level::Avx2 => unsafe { avx2::$name($($argument),*) },
                    _ => kernels::$name($($argument),*),
                }
            }
        )*}

        #[cfg(target_arch = "x86_64")]
        mod avx2 {
            use super::*;
            #[target_feature(enable = "avx2,fma,bmi1,bmi2,lzcnt,popcnt")]
            pub(super) fn run<L: Loop>(each: L) -> L::Output {
                each.run()
            }
            $(
                #[target_feature(enable = "avx2,fma,bmi1,bmi2,lzcnt,popcnt")]
                pub(super) fn $name($($argument: $type),*) {
                    kernels::$name($($argument),*);
                }
            )*
        }

        #[cfg(target_arch = "x86_64")]
        mod avx512 {
            use super::super::intrinsics;
            use super::*;
            #[target_feature(
                enable = "avx2,fma,bmi1,bmi2,lzcnt,popcnt,avx512f,avx512bw,avx512dq,avx512vl"
            )]
            pub(super) fn run<L: Loop>(each: L) -> L::Output {
                each.run()
            }
            $(
                #[target_feature(
                    enable = "avx2,fma,bmi1,bmi2,lzcnt,popcnt,avx512f,avx512bw,avx512dq,avx512vl"
                )]
                pub(super) fn $name($($argument: $type),*) {
                    $by::$name($($argument),*);
                }
            )*
        }
    };
}

dispatch! {
    kernels unary32(op: Unary32, d: &mut [Chunk<u32>], a: View<'_, u32>);
    kernels binary32(op: Binary32, d: &mut [Chunk<u32>], a: View<'_, u32>, b: View<'_, u32>);
    kernels ternary32(op: Ternary32, d: &mut [Chunk<u32>], a: View<'_, u32>, b: View<'_, u32>, c: View<'_, u32>);
    kernels fetch_binary32(op: Binary32, walks: Walks<'_>);
    kernels fetch_ternary32(op: Ternary32, walks: Walks<'_>);
    kernels unary64(op: Unary64, d: &mut [Chunk<u64>], a: View<'_, u64>);
    kernels binary64(op: Binary64, d: &mut [Chunk<u64>], a: View<'_, u64>, b: View<'_, u64>);
    kernels shift64(op: Shift64, d: &mut [Chunk<u64>], a: View<'_, u64>, b: View<'_, u32>);
    kernels ternary64(op: Ternary64, d: &mut [Chunk<u64>], a: View<'_, u64>, b: View<'_, u64>, c: View<'_, u64>);
    kernels widen(op: Widen, d: &mut [Chunk<u64>], a: View<'_, u32>);
    kernels narrow(op: Narrow, d: &mut [Chunk<u32>], a: View<'_, u64>);
    kernels wide(op: Wide, d: &mut [Chunk<u64>], a: View<'_, u32>, b: View<'_, u32>);
    kernels mad_wide(signed: bool, d: &mut [Chunk<u64>], a: View<'_, u32>, b: View<'_, u32>, c: View<'_, u64>);
    kernels widen16(op: Widen16, d: &mut [Chunk<u32>], a: View<'_, u16>);
    kernels copy16(d: &mut [Chunk<u16>], a: View<'_, u16>);
    kernels narrow16(d: &mut [Chunk<u16>], a: View<'_, u32>);
    intrinsics compare16(comparison: Comparison, signed: bool, d: &mut [u32], a: View<'_, u16>, b: View<'_, u16>);
    intrinsics compare32(comparison: Comparison, numbers: Numbers, d: &mut [u32], a: View<'_, u32>, b: View<'_, u32>);
    intrinsics compare64(comparison: Comparison, numbers: Numbers, d: &mut [u32], a: View<'_, u64>, b: View<'_, u64>);
    intrinsics choose16(d: &mut [Chunk<u16>], masks: &[u32], a: View<'_, u16>, b: View<'_, u16>);
    intrinsics choose32(d: &mut [Chunk<u32>], masks: &[u32], a: View<'_, u32>, b: View<'_, u32>);
    intrinsics choose64(d: &mut [Chunk<u64>], masks: &[u32], a: View<'_, u64>, b: View<'_, u64>);
    intrinsics blend16(d: &mut [Chunk<u16>], masks: &[u32], a: &[Chunk<u16>]);
    intrinsics blend32(d: &mut [Chunk<u32>], masks: &[u32], a: &[Chunk<u32>]);
    intrinsics blend64(d: &mut [Chunk<u64>], masks: &[u32], a: &[Chunk<u64>]);
    kernels load_tile16(region: &Region, tile: &Tile, d: &mut [u16]);
    kernels load_tile32(region: &Region, tile: &Tile, d: &mut [u32]);
    kernels load_tile64(region: &Region, tile: &Tile, d: &mut [u64]);
    kernels store_tile16(region: &Region, tile: &Tile, values: &[u16]);
    kernels store_tile32(region: &Region, tile: &Tile, values: &[u32]);
    kernels store_tile64(region: &Region, tile: &Tile, values: &[u64]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_that_is_here_computes_the_same() {
        let a: Vec<_> = (0..3u32).map(|warp| Chunk([warp * 77 + 0x7f80_0000; 32])).collect();
        let with = |isa: Isa| {
            let mut d = vec![Chunk([0u32; 32]); 3];
            isa.ternary32(Ternary32::MadLo, &mut d, View::each(&a), View::same(&a), View::each(&a));
            d
        };
        let baseline = with(Isa::at(Level::Baseline).expect("every processor"));
        for isa in [Level::Avx2, Level::Avx512].into_iter().filter_map(Isa::at) {
            assert_eq!(with(isa), baseline, "{:?}", isa.level());
        }
        assert_eq!(with(Isa::best()), baseline);
    }
}
