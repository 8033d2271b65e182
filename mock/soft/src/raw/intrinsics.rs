//! Kernels by AVX-512's own instructions: comparing into a mask of lanes, choosing by one, moving lanes about; the last by AVX2 too.
//!
//! Compilers do not find these in the plain loops of [`crate::kernels`]; what they make of those loops is several times slower than
//! for older processors. Results are the same bits.

use std::arch::x86_64::*;

use mock_ptx::ir::Comparison;

use super::Word;
use crate::kernels::{self, Chunk, Numbers, View};
use crate::limits::WARP_LANES;

/// The lanes of a warp in `N` registers.
#[inline(always)]
const fn registers<T: Word, const N: usize>(lanes: &[T; WARP_LANES]) -> [__m512i; N] {
    const { assert!(size_of::<[T; WARP_LANES]>() == size_of::<[__m512i; N]>()) };
    // SAFETY: as many bytes, all of them written, and any are a value of an integer register; the read asks for no alignment.
    unsafe { std::ptr::from_ref(lanes).cast::<[__m512i; N]>().read_unaligned() }
}

/// The same lanes back.
#[inline(always)]
const fn lanes<T: Word, const N: usize>(registers: [__m512i; N]) -> [T; WARP_LANES] {
    const { assert!(size_of::<[T; WARP_LANES]>() == size_of::<[__m512i; N]>()) };
    // SAFETY: as many bytes, and any are a value of a word.
    unsafe { std::ptr::from_ref(&registers).cast::<[T; WARP_LANES]>().read_unaligned() }
}

/// `choose` and `blend` of one width, whose warp takes `N` registers.
macro_rules! by_mask {
    ($($choose:ident $blend:ident $word:ty, $count:literal $bits:ty: $mix:ident;)*) => {$(
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
        pub(super) fn $choose(
            d: &mut [Chunk<$word>],
            masks: &[u32],
            a: View<'_, $word>,
            b: View<'_, $word>,
        ) {
            for (warp, (d, mask)) in d.iter_mut().zip(masks).enumerate() {
                let [a, b] = [a, b].map(|view| registers::<_, $count>(view.chunk(warp)));
                let mut mixed = b;
                for i in 0..$count {
                    let bits = (*mask >> (i * WARP_LANES / $count)) as $bits;
                    mixed[i] = $mix(bits, b[i], a[i]);
                }
                d.0 = lanes(mixed);
            }
        }

        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
        pub(super) fn $blend(d: &mut [Chunk<$word>], masks: &[u32], a: &[Chunk<$word>]) {
            for ((d, mask), a) in d.iter_mut().zip(masks).zip(a) {
                let [a, b] = [&a.0, &d.0].map(registers::<_, $count>);
                let mut mixed = b;
                for i in 0..$count {
                    let bits = (*mask >> (i * WARP_LANES / $count)) as $bits;
                    mixed[i] = $mix(bits, b[i], a[i]);
                }
                d.0 = lanes(mixed);
            }
        }
    )*};
}
by_mask! {
    choose16 blend16 u16, 1 u32: _mm512_mask_blend_epi16;
    choose32 blend32 u32, 2 u16: _mm512_mask_blend_epi32;
    choose64 blend64 u64, 4 u8: _mm512_mask_blend_epi64;
}

/// A mask for each warp, from comparisons of its `$count` registers.
macro_rules! tested {
    ($d:expr, $a:expr, $b:expr, $count:literal, |$x:ident, $y:ident| $mask:expr) => {
        for (warp, d) in $d.iter_mut().enumerate() {
            let [a, b] = [$a, $b].map(|view| registers::<_, $count>(view.chunk(warp)));
            let mut answers = 0;
            for i in 0..$count {
                let ($x, $y): (__m512i, __m512i) = (a[i], b[i]);
                answers |= u32::from($mask) << (i * WARP_LANES / $count);
            }
            *d = answers;
        }
    };
}

/// Runs `$body` with `$imm` as the instruction's number for a comparison.
macro_rules! by_comparison {
    ($comparison:expr, |$imm:ident| $body:expr; $($($name:ident)|+: $value:ident),* $(,)?) => {
        match $comparison {
            $($(Comparison::$name)|+ => {
                const $imm: i32 = $value;
                $body
            })*
        }
    };
}

/// The same of integers.
macro_rules! by_integer {
    ($comparison:expr, |$imm:ident| $body:expr) => {
        by_comparison!($comparison, |$imm| $body;
            Eq | Equ: _MM_CMPINT_EQ,
            Ne | Neu: _MM_CMPINT_NE,
            Lt | Ltu: _MM_CMPINT_LT,
            Le | Leu: _MM_CMPINT_LE,
            Gt | Gtu: _MM_CMPINT_NLE,
            Ge | Geu: _MM_CMPINT_NLT,
            Num: _MM_CMPINT_TRUE,
            Nan: _MM_CMPINT_FALSE,
        )
    };
}

/// The same of floats.
macro_rules! by_float {
    ($comparison:expr, |$imm:ident| $body:expr) => {
        by_comparison!($comparison, |$imm| $body;
            Eq: _CMP_EQ_OQ,
            Ne: _CMP_NEQ_OQ,
            Lt: _CMP_LT_OQ,
            Le: _CMP_LE_OQ,
            Gt: _CMP_GT_OQ,
            Ge: _CMP_GE_OQ,
            Equ: _CMP_EQ_UQ,
            Neu: _CMP_NEQ_UQ,
            Ltu: _CMP_NGE_UQ,
            Leu: _CMP_NGT_UQ,
            Gtu: _CMP_NLE_UQ,
            Geu: _CMP_NLT_UQ,
            Num: _CMP_ORD_Q,
            Nan: _CMP_UNORD_Q,
        )
    };
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) fn compare32(
    comparison: Comparison,
    numbers: Numbers,
    d: &mut [u32],
    a: View<'_, u32>,
    b: View<'_, u32>,
) {
    match numbers {
        Numbers::Signed => by_integer!(comparison, |IMM| tested!(d, a, b, 2, |x, y| {
            _mm512_cmp_epi32_mask::<IMM>(x, y)
        })),
        Numbers::Unsigned => by_integer!(comparison, |IMM| tested!(d, a, b, 2, |x, y| {
            _mm512_cmp_epu32_mask::<IMM>(x, y)
        })),
        Numbers::Float { flush: false } => {
            by_float!(comparison, |IMM| tested!(d, a, b, 2, |x, y| {
                _mm512_cmp_ps_mask::<IMM>(_mm512_castsi512_ps(x), _mm512_castsi512_ps(y))
            }))
        }
        Numbers::Float { flush: true } => kernels::compare32(comparison, numbers, d, a, b),
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) fn compare64(
    comparison: Comparison,
    numbers: Numbers,
    d: &mut [u32],
    a: View<'_, u64>,
    b: View<'_, u64>,
) {
    match numbers {
        Numbers::Signed => by_integer!(comparison, |IMM| tested!(d, a, b, 4, |x, y| {
            _mm512_cmp_epi64_mask::<IMM>(x, y)
        })),
        Numbers::Unsigned => by_integer!(comparison, |IMM| tested!(d, a, b, 4, |x, y| {
            _mm512_cmp_epu64_mask::<IMM>(x, y)
        })),
        Numbers::Float { .. } => by_float!(comparison, |IMM| tested!(d, a, b, 4, |x, y| {
            _mm512_cmp_pd_mask::<IMM>(_mm512_castsi512_pd(x), _mm512_castsi512_pd(y))
        })),
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) fn compare16(
    comparison: Comparison,
    signed: bool,
    d: &mut [u32],
    a: View<'_, u16>,
    b: View<'_, u16>,
) {
    if signed {
        by_integer!(comparison, |IMM| tested!(d, a, b, 1, |x, y| {
            _mm512_cmp_epi16_mask::<IMM>(x, y)
        }));
    } else {
        by_integer!(comparison, |IMM| tested!(d, a, b, 1, |x, y| {
            _mm512_cmp_epu16_mask::<IMM>(x, y)
        }));
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) fn shuffle32(
    d: &mut [Chunk<u32>],
    here: &[u32],
    a: View<'_, u32>,
    sources: &[u32; WARP_LANES],
) {
    let sources = registers::<_, 2>(sources);
    for (warp, (d, here)) in d.iter_mut().zip(here).enumerate() {
        let own = registers::<_, 2>(a.chunk(warp));
        let here = _mm512_set1_epi32(here.cast_signed());
        d.0 = lanes([0, 1].map(|half| {
            let there = _mm512_permutex2var_epi32(own[0], sources[half], own[1]);
            let bit = _mm512_srlv_epi32(here, sources[half]);
            let is_here = _mm512_test_epi32_mask(bit, _mm512_set1_epi32(1));
            _mm512_mask_blend_epi32(is_here, own[half], there)
        }));
    }
}

/// The same by AVX2, which moves eight lanes at a time: each eight lanes are chosen from the four eights.
#[target_feature(enable = "avx2")]
pub(super) fn shuffle32_by_eights(
    d: &mut [Chunk<u32>],
    here: &[u32],
    a: View<'_, u32>,
    sources: &[u32; WARP_LANES],
) {
    const EIGHTS: usize = WARP_LANES / 8;
    let sources = eights(sources);
    let from = [0, 1, 2, 3].map(|eight| {
        sources.map(|source| {
            _mm256_cmpeq_epi32(_mm256_srli_epi32::<3>(source), _mm256_set1_epi32(eight))
        })
    });
    let top = _mm256_set1_epi32(31);
    for (warp, (d, here)) in d.iter_mut().zip(here).enumerate() {
        let own = eights(a.chunk(warp));
        let here = _mm256_set1_epi32(here.cast_signed());
        let mut moved = own;
        for (to, moved) in moved.iter_mut().enumerate() {
            let mut there = _mm256_setzero_si256();
            for eight in 0..EIGHTS {
                let lanes = _mm256_permutevar8x32_epi32(own[eight], sources[to]);
                there = _mm256_or_si256(there, _mm256_and_si256(lanes, from[eight][to]));
            }
            // the bit of each source becomes the sign
            let is_here = _mm256_sllv_epi32(here, _mm256_sub_epi32(top, sources[to]));
            *moved = _mm256_castps_si256(_mm256_blendv_ps(
                _mm256_castsi256_ps(*moved),
                _mm256_castsi256_ps(there),
                _mm256_castsi256_ps(is_here),
            ));
        }
        // SAFETY: as many bytes, and any are an unsigned integer.
        d.0 = unsafe { std::mem::transmute::<[__m256i; EIGHTS], [u32; WARP_LANES]>(moved) };
    }
}

/// The lanes of a warp in registers of eight.
#[inline(always)]
const fn eights(lanes: &[u32; WARP_LANES]) -> [__m256i; WARP_LANES / 8] {
    // SAFETY: as many bytes, and any are a value of an integer register; the read asks for no alignment.
    unsafe { std::ptr::from_ref(lanes).cast::<[__m256i; WARP_LANES / 8]>().read_unaligned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raw::{Isa, Level};

    const COMPARISONS: [Comparison; 14] = {
        use Comparison::*;
        [Eq, Ne, Lt, Le, Gt, Ge, Equ, Neu, Ltu, Leu, Gtu, Geu, Num, Nan]
    };

    /// Lanes with every kind of number, of which many meet their like.
    fn warps<T: Copy>(seed: u64, cut: impl Fn(u64) -> T) -> Vec<Chunk<T>> {
        const EDGES: [u64; 8] = [
            0,
            1,
            u64::MAX,
            0x7fff_ffff_7fff_7fff,
            0x8000_0000_8000_8000,
            0x3f80_0000_3f80_0000,
            0x7fc0_0000_7fc0_0001,
            0xffc0_0000_ff80_0000,
        ];
        let number = |lane: u64| cut(EDGES[(lane * seed % 61 % 8) as usize]);
        (0..3).map(|warp| Chunk(std::array::from_fn(|i| number(warp * 32 + i as u64)))).collect()
    }

    #[test]
    fn masks_are_those_of_the_plain_loops() {
        let Some(isa) = Isa::at(Level::Avx512) else { return };
        let (a, b) = (warps(7, |n| n), warps(11, |n| n));
        let (a32, b32) = (warps(7, |n| n as u32), warps(11, |n| n as u32));
        let (a16, b16) = (warps(7, |n| n as u16), warps(11, |n| n as u16));
        let numbers = [
            Numbers::Signed,
            Numbers::Unsigned,
            Numbers::Float { flush: false },
            Numbers::Float { flush: true },
        ];
        for comparison in COMPARISONS {
            for numbers in numbers {
                let (mut seen, mut wanted) = ([0; 3], [0; 3]);
                isa.compare32(comparison, numbers, &mut seen, View::each(&a32), View::each(&b32));
                kernels::compare32(
                    comparison,
                    numbers,
                    &mut wanted,
                    View::each(&a32),
                    View::each(&b32),
                );
                assert_eq!(seen, wanted, "{comparison:?} of 32 bits, {numbers:?}");
                isa.compare64(comparison, numbers, &mut seen, View::each(&a), View::each(&b));
                kernels::compare64(
                    comparison,
                    numbers,
                    &mut wanted,
                    View::each(&a),
                    View::each(&b),
                );
                assert_eq!(seen, wanted, "{comparison:?} of 64 bits, {numbers:?}");
                let signed = numbers == Numbers::Signed;
                isa.compare16(comparison, signed, &mut seen, View::each(&a16), View::each(&b16));
                kernels::compare16(
                    comparison,
                    signed,
                    &mut wanted,
                    View::each(&a16),
                    View::each(&b16),
                );
                assert_eq!(seen, wanted, "{comparison:?} of 16 bits, signed: {signed}");
            }
        }
    }

    #[test]
    fn lanes_are_chosen_by_their_bits() {
        let Some(isa) = Isa::at(Level::Avx512) else { return };
        let masks = [0x8000_0001, 0, 0x1234_5678];
        macro_rules! widths {
            ($($word:ty, $choose:ident, $blend:ident;)*) => {$(
                let (a, b) = (warps(7, |n| n as $word), warps(11, |n| n as $word));
                let (mut seen, mut wanted) = (b.clone(), b.clone());
                isa.$choose(&mut seen, &masks, View::each(&a), View::same(&b));
                kernels::$choose(&mut wanted, &masks, View::each(&a), View::same(&b));
                assert_eq!(seen, wanted, stringify!($choose));
                isa.$blend(&mut seen, &masks, &b);
                kernels::$blend(&mut wanted, &masks, &b);
                assert_eq!(seen, wanted, stringify!($blend));
            )*};
        }
        widths! {
            u16, choose16, blend16;
            u32, choose32, blend32;
            u64, choose64, blend64;
        }
    }

    #[test]
    fn lanes_move_as_in_the_plain_loop() {
        let a = warps(7, |n| n as u32);
        let here = [u32::MAX, 0x00ff_f00f, 1];
        for isa in [Level::Avx2, Level::Avx512].into_iter().filter_map(Isa::at) {
            for sources in [
                std::array::from_fn(|i| 31 - i as u32),
                [5; 32],
                std::array::from_fn(|i| i as u32 * 7 % 32),
            ] {
                let (mut seen, mut wanted) = (a.clone(), a.clone());
                isa.shuffle32(&mut seen, &here, View::each(&a), &sources);
                kernels::shuffle32(&mut wanted, &here, View::each(&a), &sources);
                assert_eq!(seen, wanted, "{isa:?}");
            }
        }
    }
}
