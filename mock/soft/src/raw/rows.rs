//! Rows of lanes: several values at once from one region, after one check for all of them.

use super::region::{Region, Word};
use crate::kernels::chunk::mixed;
use crate::limits::WARP_LANES;

/// Equal rows of values in memory: `rows` of them in each of `planes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tile {
    /// Where the first row begins.
    pub start: u64,
    /// Values of a row.
    pub width: usize,
    /// All values of a row are its first one.
    pub spread: bool,
    /// Rows of a plane, and from one to the next.
    pub rows: (usize, u64),
    /// Planes, and from one to the next.
    pub planes: (usize, u64),
}

/// The part of a region that lanes may reach, and where in it each of them goes.
#[derive(Debug, Clone, Copy)]
pub struct Spots<'o> {
    /// Where the part begins.
    pub start: u64,
    /// Its size.
    pub bytes: u64,
    /// From its start, for each lane.
    pub offsets: &'o [u64; WARP_LANES],
    /// The lanes that go there.
    pub mask: u32,
}

impl Spots<'_> {
    /// All bits that any offset of the lanes that go has.
    #[inline(always)]
    #[must_use]
    pub fn bits(&self) -> u64 {
        self.joined(|a, b| a | b)
    }

    /// The greatest of their offsets.
    #[inline(always)]
    fn most(&self) -> u64 {
        self.joined(u64::max)
    }

    /// Their offsets joined to one; 0 where there are none.
    #[inline(always)]
    fn joined(&self, join: impl Fn(u64, u64) -> u64) -> u64 {
        if self.mask == u32::MAX {
            return joined(self.offsets, join);
        }
        joined(&mixed(self.mask, self.offsets, &[0; WARP_LANES]), join)
    }
}

/// All of them joined, eight side by side, as vectors are.
#[inline(always)]
fn joined(offsets: &[u64; WARP_LANES], join: impl Fn(u64, u64) -> u64) -> u64 {
    let mut all = [0; 8];
    for eight in offsets.as_chunks::<8>().0 {
        all.iter_mut().zip(eight).for_each(|(all, offset)| *all = join(*all, *offset));
    }
    all.into_iter().fold(0, join)
}

/// What is fetched at once.
#[cfg(all(target_arch = "x86_64", not(miri)))]
const CACHE_LINE_BYTES: usize = 64;

impl Tile {
    /// How many values it has; none where that is no number.
    fn values(&self) -> Option<usize> {
        self.width.checked_mul(self.rows.0)?.checked_mul(self.planes.0)
    }

    /// Whether all of it lies between 0 and `bytes`.
    fn is_within(&self, bytes: u64, size: usize) -> bool {
        let row = if self.spread { size } else { self.width * size };
        let reach = |(count, step): (usize, u64)| {
            i128::from(step.cast_signed()) * (count.max(1) as i128 - 1)
        };
        let (down, deep) = (reach(self.rows), reach(self.planes));
        let low = i128::from(self.start) + down.min(0) + deep.min(0);
        let high = i128::from(self.start) + down.max(0) + deep.max(0) + row as i128;
        low >= 0 && high <= i128::from(bytes)
    }
}

impl Region {
    /// Runs `each` with every row's place in memory and among the lanes.
    #[inline(always)]
    fn for_each_row<W: Word>(
        &self,
        tile: &Tile,
        lanes: usize,
        mut each: impl FnMut(*mut u8, usize),
    ) {
        assert!(tile.values() == Some(lanes), "{lanes} lanes for {tile:?}");
        assert!(tile.is_within(self.bytes(), size_of::<W>()), "{tile:?} in {} bytes", self.bytes());
        let mut lane = 0;
        for plane in 0..tile.planes.0 as u64 {
            let mut at = tile.start.wrapping_add(tile.planes.1.wrapping_mul(plane));
            for _ in 0..tile.rows.0 {
                each(self.start().wrapping_add(at as usize), lane);
                at = at.wrapping_add(tile.rows.1);
                lane += tile.width;
            }
        }
    }

    /// Loads a tile's rows, one after the other.
    ///
    /// # Panics
    /// Where the tile reaches out of the region, or has not as many values as `d`.
    #[inline(always)]
    pub fn load_tile<W: Word, const WIDTH: usize>(&self, tile: &Tile, d: &mut [W]) {
        assert!(tile.width == WIDTH, "rows of {WIDTH}");
        let (to, count) = (d.as_mut_ptr(), d.len());
        self.for_each_row::<W>(tile, count, |from, lane| {
            // SAFETY: `for_each_row` gives places of whole rows inside the region and inside `d`, which is no part of it; any bytes
            // are a value of a word.
            unsafe {
                let to = to.add(lane);
                if tile.spread {
                    let value = from.cast::<W>().read_unaligned();
                    to.cast::<[W; WIDTH]>().write([value; WIDTH]);
                } else {
                    to.cast::<[W; WIDTH]>().write(from.cast::<[W; WIDTH]>().read_unaligned());
                }
            }
        });
    }

    /// Stores a tile's rows, one after the other; they share no byte.
    ///
    /// # Panics
    /// As for [`Region::load_tile`]; a spread tile cannot be stored.
    #[inline(always)]
    pub fn store_tile<W: Word, const WIDTH: usize>(&self, tile: &Tile, values: &[W]) {
        assert!(tile.width == WIDTH && !tile.spread, "rows of {WIDTH}");
        let from = values.as_ptr();
        self.for_each_row::<W>(tile, values.len(), |to, lane| {
            // SAFETY: as for `load_tile`, with `values` in the place of `d`.
            unsafe {
                let row = from.add(lane).cast::<[W; WIDTH]>().read();
                to.cast::<[W; WIDTH]>().write_unaligned(row);
            }
        });
    }

    /// Checks values at equal steps; where the first one is.
    #[inline(always)]
    fn at_steps<W: Word>(&self, start: u64, step: u64, count: usize) -> *mut u8 {
        let size = size_of::<W>();
        let tile = Tile { start, width: 1, spread: true, rows: (count, step), planes: (1, 0) };
        assert!(tile.is_within(self.bytes(), size), "{tile:?} in {} bytes", self.bytes());
        assert!((start | step).is_multiple_of(size as u64), "{tile:?} for {size} bytes");
        self.start().wrapping_add(start as usize)
    }

    /// Loads values that lie at equal steps.
    ///
    /// # Panics
    /// Where one is not aligned or not inside.
    #[inline(always)]
    pub fn load_steps<W: Word, T>(
        &self,
        start: u64,
        step: u64,
        d: &mut [T],
        extend: impl Fn(W) -> T,
    ) {
        let mut at = self.at_steps::<W>(start, step, d.len());
        let mut d = d;
        if size_of::<W>() == 4
            && step == 8
            && let Some(pairs) = d.len().checked_sub(1)
        {
            // every second word is the low half of a pair: compilers make vectors of that
            let (firsts, last) = d.split_at_mut(pairs);
            for (i, d) in firsts.iter_mut().enumerate() {
                // SAFETY: the second word of a pair lies before the next lane's, which `at_steps` has checked; any bytes are a value.
                let pair = unsafe { at.cast::<u64>().add(i).read_unaligned() };
                *d = extend(W::narrow(pair));
            }
            (d, at) = (last, at.wrapping_add(8 * pairs));
        }
        for d in d {
            // SAFETY: `at_steps` has checked the first and the last, and so all between.
            *d = extend(unsafe { W::load(at) });
            at = at.wrapping_add(step as usize);
        }
    }

    /// Stores values at equal steps.
    ///
    /// # Panics
    /// As for [`Region::load_steps`].
    #[inline(always)]
    pub fn store_steps<W: Word, T: Copy>(
        &self,
        start: u64,
        step: u64,
        values: &[T],
        cut: impl Fn(T) -> W,
    ) {
        let mut at = self.at_steps::<W>(start, step, values.len());
        for value in values {
            // SAFETY: as for `load_steps`.
            unsafe { cut(*value).store(at) };
            at = at.wrapping_add(step as usize);
        }
    }

    /// Tells the processor that a row will be wanted soon; what does not lie in the region is left out.
    #[inline(always)]
    pub fn expect_row(&self, start: u64, bytes: u64) {
        #[cfg(all(target_arch = "x86_64", not(miri)))]
        {
            let end = start.saturating_add(bytes).min(self.bytes());
            for at in (start..end).step_by(CACHE_LINE_BYTES) {
                // SAFETY: a hint reads nothing, and the place is inside the region anyway.
                unsafe {
                    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
                    _mm_prefetch::<_MM_HINT_T0>(self.start().wrapping_add(at as usize).cast());
                }
            }
        }
        #[cfg(not(all(target_arch = "x86_64", not(miri))))]
        let _ = (start, bytes);
    }

    /// Whether all spots are aligned and inside.
    ///
    /// # Panics
    /// Where the part itself is not inside, as for all methods below.
    #[inline(always)]
    #[must_use]
    pub fn takes<W: Word>(&self, spots: &Spots<'_>) -> bool {
        let size = size_of::<W>() as u64;
        let inside = spots.start <= self.bytes() && spots.bytes <= self.bytes() - spots.start;
        assert!(inside && spots.start.is_multiple_of(size), "{spots:?} of {} bytes", self.bytes());
        let Some(last) = spots.bytes.checked_sub(size) else { return spots.mask == 0 };
        // no offset is greater than all bits together, which is less to find out
        let bits = spots.bits();
        bits & (size - 1) == 0 && (bits <= last || spots.most() <= last)
    }

    /// Runs `each` with every lane that goes somewhere, and the place; false where one would leave the part, or is not aligned.
    #[inline(always)]
    fn for_each_spot<W: Word>(
        &self,
        spots: &Spots<'_>,
        mut each: impl FnMut(usize, *mut u8),
    ) -> bool {
        if !self.takes::<W>(spots) {
            return false;
        }
        let start = self.start().wrapping_add(spots.start as usize);
        if spots.mask == u32::MAX {
            for (lane, offset) in spots.offsets.iter().enumerate() {
                each(lane, start.wrapping_add(*offset as usize));
            }
            return true;
        }
        let mut left = spots.mask;
        while left != 0 {
            let lane = left.trailing_zeros() as usize;
            each(lane, start.wrapping_add(spots.offsets[lane] as usize));
            left &= left - 1;
        }
        true
    }

    /// Loads a value for each lane that goes somewhere; false, and nothing loaded, where one may not.
    #[inline(always)]
    pub fn gather<W: Word>(&self, spots: &Spots<'_>, mut put: impl FnMut(usize, W)) -> bool {
        self.for_each_spot::<W>(spots, |lane, at| {
            // SAFETY: `for_each_spot` gives aligned places inside the region.
            put(lane, unsafe { W::load(at) });
        })
    }

    /// Stores a value for each lane, in order; false, and nothing stored, where one may not.
    #[inline(always)]
    pub fn scatter<W: Word>(&self, spots: &Spots<'_>, value: impl Fn(usize) -> W) -> bool {
        self.for_each_spot::<W>(spots, |lane, at| {
            // SAFETY: as for `gather`.
            unsafe { value(lane).store(at) }
        })
    }

    /// Replaces each lane's value by a function of it, in order, each atomically among all threads; false, and nothing done, where
    /// one may not. The function may be asked several times for a lane; its last answer counts.
    #[inline(always)]
    pub fn amend<W: Word>(&self, spots: &Spots<'_>, mut new: impl FnMut(usize, W) -> W) -> bool {
        self.for_each_spot::<W>(spots, |lane, at| {
            // SAFETY: as for `gather`.
            unsafe { W::update(at, |old| new(lane, old)) };
        })
    }

    /// Replaces each lane's value by a function of it, in order; false, and nothing done, where one may not. Only for memory that no
    /// other thread writes: the two halves are not one access.
    #[inline(always)]
    pub fn revise<W: Word>(&self, spots: &Spots<'_>, mut new: impl FnMut(usize, W) -> W) -> bool {
        self.for_each_spot::<W>(spots, |lane, at| {
            // SAFETY: as for `gather`.
            unsafe { new(lane, W::load(at)).store(at) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region() -> Region {
        let region = Region::zeroed(1024).expect("memory");
        (0..256).for_each(|i| region.store(4 * i, i as u32));
        region
    }

    #[test]
    fn a_tile_is_its_rows_one_after_the_other() {
        let tile = Tile { start: 8, width: 8, spread: false, rows: (2, 64), planes: (2, 512) };
        let mut seen = [0u32; 32];
        region().load_tile::<u32, 8>(&tile, &mut seen);
        let wanted = [2u32, 18, 130, 146].into_iter().flat_map(|first| first..first + 8);
        assert_eq!(seen.to_vec(), wanted.collect::<Vec<_>>());
        let copy = Region::zeroed(1024).expect("memory");
        copy.store_tile::<u32, 8>(&tile, &seen);
        assert_eq!([8, 72, 520, 584, 40].map(|at| copy.load::<u32>(at)), [2, 18, 130, 146, 0]);
        let spread = Tile { spread: true, ..tile };
        region().load_tile::<u32, 8>(&spread, &mut seen);
        assert_eq!((seen[7], seen[8], seen[31]), (2, 18, 146));
    }

    #[test]
    #[should_panic(expected = "in 1024 bytes")]
    fn a_tile_that_reaches_out_is_not_loaded() {
        let back = 0u64.wrapping_sub(512);
        let tile = Tile { start: 500, width: 8, spread: true, rows: (4, 4), planes: (2, back) };
        region().load_tile::<u32, 8>(&tile, &mut [0; 64]);
    }

    #[test]
    #[should_panic(expected = "0 lanes for")]
    fn a_tile_of_more_values_than_there_are_numbers_is_not_loaded() {
        let tile = Tile { start: 0, width: 8, spread: false, rows: (1 << 61, 0), planes: (1, 0) };
        region().load_tile::<u32, 8>(&tile, &mut []);
    }

    #[test]
    #[should_panic(expected = "in 1024 bytes")]
    fn a_tile_whose_last_row_is_cut_is_not_stored() {
        let tile = Tile { start: 0, width: 8, spread: false, rows: (2, 996), planes: (1, 0) };
        region().store_tile::<u32, 8>(&tile, &[0; 16]);
    }

    #[test]
    #[should_panic(expected = "for 8 bytes")]
    fn steps_between_words_are_not_taken() {
        region().store_steps::<u64, u64>(8, 12, &[0; 2], |value| value);
    }

    #[test]
    fn the_last_word_of_a_part_is_reached_and_none_behind_it() {
        let region = region();
        for (bytes, reached) in [(8, true), (7, false), (4, true), (3, false), (0, false)] {
            let spots =
                Spots { start: 1016, bytes, offsets: &[bytes.saturating_sub(4); 32], mask: 1 };
            assert_eq!(region.takes::<u32>(&spots), reached, "{bytes}");
        }
        let far = Spots { start: 1024, bytes: 0, offsets: &[u64::MAX; 32], mask: 0 };
        assert!(region.takes::<u32>(&far), "nobody goes there");
    }

    #[test]
    #[should_panic(expected = "of 1024 bytes")]
    fn a_part_that_is_not_inside_stops_the_engine_not_the_host() {
        let spots = Spots { start: 1024, bytes: u64::MAX, offsets: &[0; 32], mask: 1 };
        let _ = region().takes::<u32>(&spots);
    }

    #[test]
    fn values_at_equal_steps_are_those() {
        let region = region();
        let mut seen = [0u64; 4];
        region.load_steps::<u32, u64>(1020, 0u64.wrapping_sub(340), &mut seen, u64::from);
        assert_eq!(seen, [255, 170, 85, 0]);
        region.store_steps::<u32, u64>(4, 8, &seen, |value| value as u32 + 1000);
        assert_eq!([4, 8, 12, 28].map(|at| region.load::<u32>(at)), [1255, 2, 1170, 1000]);
        region.expect_row(1000, 4096);
        region.expect_row(u64::MAX - 3, 64);
    }

    #[test]
    #[should_panic(expected = "in 1024 bytes")]
    fn steps_that_lead_out_are_not_taken() {
        region().load_steps::<u32, u32>(0, 344, &mut [0; 4], |value| value);
    }

    #[test]
    fn lanes_that_may_not_go_stop_all() {
        let offsets: [u64; 32] = std::array::from_fn(|lane| 4 * (lane as u64 ^ 5));
        let region = region();
        let spots = Spots { start: 512, bytes: 128, offsets: &offsets, mask: 0x8000_0003 };
        let mut seen = Vec::new();
        assert!(region.gather::<u32>(&spots, |lane, value| seen.push((lane, value))));
        assert_eq!(seen, [(0, 133), (1, 132), (31, 154)]);
        assert!(
            !region.gather::<u32>(&Spots { bytes: 104, ..spots }, |_, _: u32| {}),
            "lane 31 is at 104"
        );
        assert!(region.scatter::<u32>(&spots, |lane| lane as u32 + 7));
        assert_eq!(region.load::<u32>(512 + 4 * 26), 38);
        let odd = [2u64; 32];
        assert!(!region.scatter::<u32>(&Spots { offsets: &odd, ..spots }, |_| 0));
    }

    #[test]
    fn lanes_that_meet_come_in_order() {
        let region = Region::zeroed(64).expect("memory");
        let spots = Spots { start: 0, bytes: 64, offsets: &[8; 32], mask: u32::MAX };
        let mut olds = Vec::new();
        assert!(region.revise::<u64>(&spots, |_, old| {
            olds.push(old);
            old + 3
        }));
        assert_eq!((olds[31], region.load::<u64>(8)), (93, 96));
    }
}
