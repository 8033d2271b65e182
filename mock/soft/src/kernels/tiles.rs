//! Rows of blocks with two coordinates, moved between registers and memory.

use crate::raw::{Region, Tile, Word};

/// How wide rows are that have a loop of their own.
pub const TILE_WIDTHS: [usize; 3] = [8, 16, 32];

#[inline(always)]
fn load_tile<W: Word>(region: &Region, tile: &Tile, d: &mut [W]) {
    match tile.width {
        8 => region.load_tile::<W, 8>(tile, d),
        16 => region.load_tile::<W, 16>(tile, d),
        _ => region.load_tile::<W, 32>(tile, d),
    }
}

#[inline(always)]
fn store_tile<W: Word>(region: &Region, tile: &Tile, values: &[W]) {
    match tile.width {
        8 => region.store_tile::<W, 8>(tile, values),
        16 => region.store_tile::<W, 16>(tile, values),
        _ => region.store_tile::<W, 32>(tile, values),
    }
}

macro_rules! tiles {
    ($($load:ident $store:ident $word:ty;)*) => {$(
        /// Loads a tile whose width is one of [`TILE_WIDTHS`].
        #[inline(always)]
        pub fn $load(region: &Region, tile: &Tile, d: &mut [$word]) {
            load_tile(region, tile, d);
        }

        /// Stores a tile whose width is one of [`TILE_WIDTHS`].
        #[inline(always)]
        pub fn $store(region: &Region, tile: &Tile, values: &[$word]) {
            store_tile(region, tile, values);
        }
    )*};
}
tiles! {
    load_tile16 store_tile16 u16;
    load_tile32 store_tile32 u32;
    load_tile64 store_tile64 u64;
}
