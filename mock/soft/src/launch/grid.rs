//! Extents of blocks and grids, and the order of what is in them: x fastest, z slowest.

/// Coordinates of element `index` of an extent.
#[must_use]
pub const fn coordinates(index: u64, extent: [u32; 3]) -> [u32; 3] {
    let (x, y) = (extent[0] as u64, extent[1] as u64);
    [(index % x) as u32, (index / x % y) as u32, (index / x / y) as u32]
}

/// How many elements an extent has.
#[must_use]
pub const fn volume(extent: [u32; 3]) -> u64 {
    extent[0] as u64 * extent[1] as u64 * extent[2] as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_counted_x_first() {
        assert_eq!(coordinates(0, [4, 3, 2]), [0, 0, 0]);
        assert_eq!(coordinates(5, [4, 3, 2]), [1, 1, 0]);
        assert_eq!(coordinates(23, [4, 3, 2]), [3, 2, 1]);
        assert_eq!(volume([0x7fff_ffff, 65_535, 1]), 0x7fff_ffff * 65_535);
    }
}
