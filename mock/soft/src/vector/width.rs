//! The three widths of registers, by the kernels that each has.

use super::file::{File, SlotId, Target};
use super::run::Scope;
use super::shape::Bits;
use super::unit::Unit;
use crate::kernels::Chunk;
use crate::raw::{Isa, Region, Tile, Word};

/// A width, with its own copy of the kernels that are the same for all.
pub(super) trait Width: Bits + Word {
    /// The unit's registers of this width.
    fn file<'u>(unit: &'u Unit<'_>) -> &'u File<Self>;
    /// The same, to write.
    fn file_mut<'u>(unit: &'u mut Unit<'_>) -> &'u mut File<Self>;
    /// Writes the lanes whose bit is set.
    fn blend(isa: Isa, d: &mut [Chunk<Self>], masks: &[u32], a: &[Chunk<Self>]);
    /// Loads rows.
    fn load_tile(isa: Isa, region: &Region, tile: &Tile, d: &mut [Self]);
    /// Stores rows.
    fn store_tile(isa: Isa, region: &Region, tile: &Tile, values: &[Self]);
}

macro_rules! width {
    ($($word:ty, $file:ident, $blend:ident, $load:ident, $store:ident;)*) => {$(
        impl Width for $word {
            #[inline]
            fn file<'u>(unit: &'u Unit<'_>) -> &'u File<Self> {
                &unit.$file
            }
            #[inline]
            fn file_mut<'u>(unit: &'u mut Unit<'_>) -> &'u mut File<Self> {
                &mut unit.$file
            }
            #[inline]
            fn blend(isa: Isa, d: &mut [Chunk<Self>], masks: &[u32], a: &[Chunk<Self>]) {
                isa.$blend(d, masks, a);
            }
            #[inline]
            fn load_tile(isa: Isa, region: &Region, tile: &Tile, d: &mut [Self]) {
                isa.$load(region, tile, d);
            }
            #[inline]
            fn store_tile(isa: Isa, region: &Region, tile: &Tile, values: &[Self]) {
                isa.$store(region, tile, values);
            }
        }
    )*};
}
width! {
    u16, file16, blend16, load_tile16, store_tile16;
    u32, file32, blend32, load_tile32, store_tile32;
    u64, file64, blend64, load_tile64, store_tile64;
}

/// Puts back what was written, aside where lanes outside of the scope keep theirs.
pub(super) fn finish<T: Width>(
    file: &mut File<T>,
    isa: Isa,
    scope: &Scope,
    (slot, keep): (SlotId, bool),
    target: Target<T>,
) {
    if keep {
        file.put_masked(slot, target, scope.warps, &scope.mask, |d, masks, a| {
            T::blend(isa, d, masks, a);
        });
    } else {
        file.put(slot, target);
    }
}
