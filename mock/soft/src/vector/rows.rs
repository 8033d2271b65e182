//! Rows of lanes between registers and memory, where offsets have a shape: all places have been checked.

use std::marker::PhantomData;
use std::ops::Range;

use super::code::Format;
use super::file::{File, SlotId};
use super::mask::Mask;
use super::part::Part;
use super::run::Scope;
use super::shape::{Affine, Bits, Extent};
use super::width::{Width, finish};
use crate::kernels::{TILE_WIDTHS, View};
use crate::limits::WARP_LANES;
use crate::ops::convert::sign_extend;
use crate::raw::{Isa, Loop, Region, Tile, Word, lanes, lanes_mut};

/// Runs `$body` with `$w` as the unsigned type of that many bytes.
macro_rules! by_bytes {
    ($bytes:expr, |$w:ident| $body:expr) => {
        match $bytes {
            1 => {
                type $w = u8;
                $body
            }
            2 => {
                type $w = u16;
                $body
            }
            4 => {
                type $w = u32;
                $body
            }
            _ => {
                type $w = u64;
                $body
            }
        }
    };
}
pub(super) use by_bytes;

/// How values of a type become what a register holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extension {
    signed: bool,
    bits: u32,
}

impl Extension {
    pub(super) const fn of(ty: Format) -> Self {
        Self { signed: ty.is_signed(), bits: ty.bits() }
    }

    #[inline(always)]
    pub(super) fn apply<W: Word, T: Bits>(self, value: W) -> T {
        let value = value.number();
        T::cut(if self.signed { sign_extend(value, self.bits) } else { value })
    }
}

/// Which lanes are meant.
#[derive(Clone, Copy)]
pub(super) struct Reach<'s> {
    pub(super) isa: Isa,
    pub(super) scope: &'s Scope,
    pub(super) part: &'s Part,
}

/// One register of all lanes in reach, from offsets with a shape.
pub(super) fn load_into<T: Width>(
    file: &mut File<T>,
    (slot, keep): (SlotId, bool),
    Reach { isa, scope, part }: Reach<'_>,
    (region, offsets, ty): (&Region, &Affine<u64>, Format),
) {
    let extent = file.extent();
    let mut target = file.take(slot, keep);
    let d = lanes_mut(&mut target.chunks);
    let same_size = ty.bytes() * 8 == T::BITS;
    if let Some((tile, lanes)) = tile_of(offsets, extent, part, ty.bytes()).filter(|_| same_size) {
        T::load_tile(isa, region, &tile, &mut d[lanes]);
    } else {
        let (course, lanes, extension) = ((region, offsets), (extent, part), Extension::of(ty));
        by_bytes!(ty.bytes(), |W| {
            isa.run(ReadRows::<W, T> { course, lanes, d, extension, word: PhantomData });
        });
    }
    finish(file, isa, scope, (slot, keep), target);
}

/// One register of the mask's lanes, to offsets with a shape.
pub(super) fn store_from<T: Width>(
    file: &mut File<T>,
    slot: SlotId,
    Reach { isa, scope, part }: Reach<'_>,
    (region, offsets, ty): (&Region, &Affine<u64>, Format),
) {
    file.spell(slot);
    let (view, extent) = (file.view(slot, 0), file.extent());
    if let Some(chunks) = view.chunks_of_each().filter(|_| part.full) {
        let values = lanes(chunks);
        let tile = tile_of(offsets, extent, part, ty.bytes()).filter(|(tile, _)| !tile.spread);
        if let Some((tile, lanes)) = tile.filter(|_| ty.bytes() * 8 == T::BITS) {
            T::store_tile(isa, region, &tile, &values[lanes]);
            return;
        }
        let (course, lanes) = ((region, offsets), (extent, part));
        by_bytes!(ty.bytes(), |W| {
            isa.run(WriteRows::<W, T> { course, lanes, values, word: PhantomData });
        });
        return;
    }
    by_bytes!(ty.bytes(), |W| {
        write_lanes::<W, T>((region, offsets), extent, &scope.mask, view, |value| {
            W::narrow(value.number())
        });
    });
}

/// The rows of a box of lanes as a tile, where they are whole, of a usual width, and do not lie one behind the other; and its lanes.
fn tile_of(
    offsets: &Affine<u64>,
    all: Extent,
    part: &Part,
    bytes: u32,
) -> Option<(Tile, Range<usize>)> {
    let [n0, n1, _] = all.0;
    let [width, height, depth] = part.extent.0;
    let [step, row_step, plane_step] = offsets.step;
    let spread = step == 0;
    if width != n0 || !TILE_WIDTHS.contains(&(width as usize)) || depth > 1 && height != n1 {
        return None;
    }
    if !spread && step != u64::from(bytes) {
        return None;
    }
    let (rows, planes) = ((height as usize, row_step), (depth as usize, plane_step));
    let tile = Tile { start: offsets.at(part.start), width: width as usize, spread, rows, planes };
    let first = part.first_lane(all);
    Some((tile, first..first + part.extent.lanes()))
}

/// Whether no two lanes touch the same byte, judged from the steps alone.
pub(super) fn disjoint(offsets: &Affine<u64>, extent: Extent, bytes: i64) -> bool {
    let mut dimensions = [(0, 1); 3];
    for ((dimension, step), n) in dimensions.iter_mut().zip(offsets.step).zip(extent.0) {
        if n > 1 {
            *dimension = (step.signed().saturating_abs(), i64::from(n));
        }
    }
    dimensions.sort_unstable();
    let mut reach = bytes;
    for (step, n) in dimensions.into_iter().filter(|(_, n)| *n > 1) {
        if step < reach {
            return false;
        }
        reach = step.saturating_mul(n - 1).saturating_add(reach);
    }
    true
}

/// Whether the step from each lane to the next is the same everywhere.
#[inline]
fn is_one_row(offsets: &Affine<u64>, extent: Extent) -> bool {
    let [n0, n1, n2] = extent.0;
    let [step, row_step, plane_step] = offsets.step;
    (n1 == 1 || row_step == step.wrapping_mul(n0.into()))
        && (n2 == 1 || plane_step == step.wrapping_mul(u64::from(n0) * u64::from(n1)))
}

/// Runs of lanes whose offsets go up by the same step: which lanes, and the first one's offset.
#[inline(always)]
fn runs(
    offsets: &Affine<u64>,
    extent: Extent,
    reach: Range<usize>,
    mut each: impl FnMut(Range<usize>, u64),
) {
    let [n0, n1, _] = extent.0;
    let [step, row_step, _] = offsets.step;
    if is_one_row(offsets, extent) {
        let at = offsets.base.wrapping_add(step.wrapping_mul(reach.start as u64));
        each(reach, at);
        return;
    }
    // Row by row, without a division for each.
    let mut lane = reach.start;
    let [x, mut y, mut z] = extent.of(lane);
    let mut at = offsets.at([x, y, z]);
    let mut row = offsets.at([0, y, z]);
    let mut end = lane - x as usize + n0 as usize;
    while lane < reach.end {
        each(lane..end.min(reach.end), at);
        (lane, end, y) = (end, end + n0 as usize, y + 1);
        row = row.wrapping_add(row_step);
        if y == n1 {
            (y, z) = (0, z + 1);
            row = offsets.at([0, 0, z]);
        }
        at = row;
    }
}

/// The same of a box of lanes, whole rows or a part of one.
#[inline(always)]
fn runs_of_box(
    offsets: &Affine<u64>,
    (all, part): (Extent, &Part),
    mut each: impl FnMut(Range<usize>, u64),
) {
    let [n0, n1, _] = all.0.map(|n| n as usize);
    let [width, height, depth] = part.extent.0.map(|n| n as usize);
    let [step, row_step, plane_step] = offsets.step;
    let (plane, follows) = (n0 * n1, |count: usize| step.wrapping_mul(count as u64));
    let (mut length, mut rows, mut planes) = (width, height, depth);
    if rows > 1 && row_step == follows(n0) {
        (length, rows) = (n0 * rows, 1);
    }
    if planes > 1 && rows == 1 && length == plane && plane_step == follows(plane) {
        (length, planes) = (plane * planes, 1);
    }
    if length == 0 {
        return;
    }
    let (mut first, mut start) = (part.first_lane(all), offsets.at(part.start));
    for _ in 0..planes {
        let (mut lane, mut at) = (first, start);
        for _ in 0..rows {
            each(lane..lane + length, at);
            (lane, at) = (lane + n0, at.wrapping_add(row_step));
        }
        (first, start) = (first + plane, start.wrapping_add(plane_step));
    }
}

/// A load of a box of lanes.
struct ReadRows<'r, W, T> {
    course: (&'r Region, &'r Affine<u64>),
    lanes: (Extent, &'r Part),
    d: &'r mut [T],
    extension: Extension,
    word: PhantomData<W>,
}

impl<W: Word, T: Width> Loop for ReadRows<'_, W, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { course: (region, offsets), lanes, d, extension, .. } = self;
        runs_of_box(offsets, lanes, |run, at| {
            if size_of::<W>() == size_of::<T>() {
                read_row(region, (at, offsets.step[0]), &mut d[run], |value: W| {
                    T::narrow(value.number())
                });
            } else {
                read_row(region, (at, offsets.step[0]), &mut d[run], |value: W| {
                    extension.apply(value)
                });
            }
        });
    }
}

/// Reads values that lie at equal steps.
#[inline(always)]
fn read_row<W: Word, T: Bits + Word>(
    region: &Region,
    (at, step): (u64, u64),
    d: &mut [T],
    extend: impl Fn(W) -> T,
) {
    let bytes = size_of::<W>() as u64;
    if step == 0 {
        fill(d, extend(region.load(at)));
    } else if step == bytes && size_of::<W>() == size_of::<T>() {
        load_row(region, at, d);
    } else if step == bytes {
        let mut piece = [W::default(); WARP_LANES];
        let (wholes, rest) = d.as_chunks_mut::<WARP_LANES>();
        let behind = at + (wholes.len() * WARP_LANES) as u64 * bytes;
        for (d, i) in wholes.iter_mut().zip(0..) {
            region.load_row(at + i * bytes * WARP_LANES as u64, &mut piece);
            d.iter_mut().zip(piece).for_each(|(d, value)| *d = extend(value));
        }
        let piece = &mut piece[..rest.len()];
        region.load_row(behind, piece);
        rest.iter_mut().zip(piece).for_each(|(d, value)| *d = extend(*value));
    } else {
        region.load_steps(at, step, d, extend);
    }
}

/// A store of a box of lanes.
struct WriteRows<'r, W, T> {
    course: (&'r Region, &'r Affine<u64>),
    lanes: (Extent, &'r Part),
    values: &'r [T],
    word: PhantomData<W>,
}

impl<W: Word, T: Width> Loop for WriteRows<'_, W, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { course: (region, offsets), lanes, values, .. } = self;
        let (step, bytes) = (offsets.step[0], size_of::<W>() as u64);
        runs_of_box(offsets, lanes, |run, at| {
            let values = &values[run];
            if step == bytes && size_of::<W>() == size_of::<T>() {
                region.store_row(at, values);
                expect_next(region, at, values.len() as u64 * bytes);
            } else {
                region.store_steps(at, step, values, |value| W::narrow(value.number()));
            }
        });
    }
}

/// Rows as short as these are usual for blocks with two coordinates; their copies need no call.
const SHORT_ROWS: [usize; 2] = [16, 32];

#[inline(always)]
fn fill<T: Copy>(d: &mut [T], value: T) {
    if let Ok(d) = <&mut [T; SHORT_ROWS[0]]>::try_from(&mut *d) {
        *d = [value; SHORT_ROWS[0]];
    } else if let Ok(d) = <&mut [T; SHORT_ROWS[1]]>::try_from(&mut *d) {
        *d = [value; SHORT_ROWS[1]];
    } else {
        d.fill(value);
    }
}

#[inline(always)]
fn load_row<T: Word>(region: &Region, at: u64, d: &mut [T]) {
    if let Ok(d) = <&mut [T; SHORT_ROWS[0]]>::try_from(&mut *d) {
        region.load_row(at, d);
    } else if let Ok(d) = <&mut [T; SHORT_ROWS[1]]>::try_from(&mut *d) {
        region.load_row(at, d);
    } else {
        region.load_row(at, d);
        expect_next(region, at, size_of_val(d) as u64);
    }
}

/// Long rows are mostly followed by those behind them, when the next blocks come.
#[inline(always)]
fn expect_next(region: &Region, at: u64, bytes: u64) {
    if bytes >= LONG_ROW_BYTES {
        region.expect_row(at.saturating_add(bytes), bytes);
    }
}

/// The same for the words of all lanes, where they are one row.
pub(super) fn expect_behind(region: &Region, offsets: &Affine<u64>, extent: Extent) {
    if offsets.step[0] == 4 && is_one_row(offsets, extent) {
        expect_next(region, offsets.base, 4 * extent.lanes() as u64);
    }
}

/// Rows from this size on come from memory rather than from a cache.
const LONG_ROW_BYTES: u64 = 1024;

/// Writes one value for each lane of the mask, which may have any.
fn write_lanes<W: Word, T: Bits + Word>(
    (region, offsets): (&Region, &Affine<u64>),
    extent: Extent,
    mask: &Mask,
    view: View<'_, T>,
    cut: impl Fn(T) -> W,
) {
    let step = offsets.step[0];
    let bytes = size_of::<W>() as u64;
    for warp in mask.warps().each() {
        let word = mask.0[warp];
        let start = warp * WARP_LANES;
        let values = view.chunk(warp);
        let in_reach = start..(start + WARP_LANES).min(extent.lanes());
        runs(offsets, extent, in_reach, |run, at| {
            let own = &values[run.start - start..run.end - start];
            let mut left = (word >> (run.start - start)) & (u32::MAX >> (WARP_LANES - own.len()));
            let (first, count) = (left.trailing_zeros() as usize, left.count_ones() as usize);
            if count > 0 && left >> first == u32::MAX >> (WARP_LANES - count) {
                // those that go stand side by side
                let own = &own[first..first + count];
                let at = at.wrapping_add(step.wrapping_mul(first as u64));
                if step == bytes && size_of::<W>() == size_of::<T>() {
                    region.store_row(at, own);
                } else {
                    region.store_steps(at, step, own, &cut);
                }
                return;
            }
            while left != 0 {
                let lane = left.trailing_zeros();
                let at = at.wrapping_add(step.wrapping_mul(lane.into()));
                region.store(at, cut(own[lane as usize]));
                left &= left - 1;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_that_share_no_byte_are_told_from_those_that_do() {
        let offsets = |step: [i64; 3]| Affine { base: 0, step: step.map(|step| step as u64) };
        let extent = Extent([16, 4, 1]);
        assert!(disjoint(&offsets([4, 64, 0]), extent, 4));
        assert!(disjoint(&offsets([64, 1024, 7]), extent, 16));
        assert!(disjoint(&offsets([-4, 64, 0]), extent, 4));
        assert!(!disjoint(&offsets([4, 0, 0]), extent, 4));
        assert!(!disjoint(&offsets([4, 60, 0]), extent, 4));
        assert!(!disjoint(&offsets([4, 64, 0]), extent, 8));
    }

    #[test]
    fn runs_cover_every_lane_once_and_start_at_its_offset() {
        for extent in [Extent([16, 4, 2]), Extent([5, 3, 1]), Extent([64, 1, 1])] {
            for step in [[4u64, 64, 256], [4, 20, 60], [0, 8, 0]] {
                let offsets = Affine { base: 12, step };
                let mut seen = Vec::new();
                let reach = 3..extent.lanes();
                runs(&offsets, extent, reach.clone(), |run, at| {
                    for (lane, i) in run.zip(0..) {
                        seen.push(lane);
                        assert_eq!(at + step[0] * i, offsets.at(extent.of(lane)), "{extent:?}");
                    }
                });
                assert_eq!(seen, reach.collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn rows_are_moved_as_their_lanes_would_be() {
        let region = Region::zeroed(4096).expect("memory");
        (0..4096).for_each(|i| region.store(i, (i * 7 % 251) as u8));
        let boxes = [
            ([16, 4, 1], [0, 0, 0], [16, 4, 1]),
            ([16, 4, 1], [3, 2, 0], [9, 1, 1]),
            ([8, 4, 2], [0, 1, 0], [8, 2, 2]),
            ([32, 1, 2], [4, 0, 0], [20, 1, 2]),
        ];
        for (extent, start, part) in boxes {
            let (extent, part) = (Extent(extent), Part { start, extent: Extent(part), full: true });
            for step in [[2u64, 32, 64], [0, 2, 8], [6, 200, 300], [4, 100, 400], [8, 64, 500]] {
                let offsets = Affine { base: 12, step };
                let (course, lanes) = ((&region, &offsets), (extent, &part));
                let mut d = [7u32; 64];
                let extension = Extension { signed: false, bits: 16 };
                ReadRows::<u16, u32> { course, lanes, d: &mut d, extension, word: PhantomData }
                    .run();
                let copy = Region::zeroed(4096).expect("memory");
                let course = (&copy, &offsets);
                WriteRows::<u16, u32> { course, lanes, values: &d, word: PhantomData }.run();
                for (lane, value) in d.iter().enumerate() {
                    let at = extent.of(lane);
                    let inside =
                        (0..3).all(|i| (start[i]..start[i] + part.extent.0[i]).contains(&at[i]));
                    let at = offsets.at(at);
                    let wanted = if inside { region.load::<u16>(at).into() } else { 7 };
                    assert_eq!(*value, wanted, "{step:?} lane {lane}");
                    assert!(
                        !inside || copy.load::<u16>(at) == wanted as u16,
                        "{step:?} lane {lane}"
                    );
                }
            }
        }
    }
}
