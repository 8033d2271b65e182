//! The box of lanes that a mask lies in: what an address must be good for, and which lanes are worth reading.

use std::ops::Range;

use super::mask::{Mask, WARPS_MAX};
use super::shape::{Affine, Extent};
use crate::limits::WARP_LANES;

/// A box in the coordinates of lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) start: [u32; 3],
    /// Where it has several rows, they are whole.
    pub(super) extent: Extent,
    /// The mask has every lane of it.
    pub(super) full: bool,
}

impl Part {
    /// All lanes.
    pub(super) const fn whole(extent: Extent) -> Self {
        Self { start: [0; 3], extent, full: true }
    }

    /// The smallest box that is easily found.
    pub(super) fn of(mask: &Mask, extent: Extent) -> Self {
        let [n0, n1, n2] = extent.0;
        let Some((folded, planes, alike)) = folded(mask, extent) else {
            return Self { full: false, ..Self::whole(extent) };
        };
        let (Some(low), Some(high)) = (folded.lowest(), folded.highest()) else {
            return Self { start: [0; 3], extent: Extent([0, n1, n2]), full: true };
        };
        let one_run = Mask::first(high + 1).without(&Mask::first(low)) == folded;
        let (low, high) = (low as u32, high as u32);
        let (first_row, last_row) = (low / n0, high / n0);
        let one_row = first_row == last_row;
        let (x, width) = if one_row { (low % n0, high - low + 1) } else { (0, n0) };
        let whole_rows = low.is_multiple_of(n0) && (high + 1).is_multiple_of(n0);
        Self {
            start: [x, first_row, planes.start],
            extent: Extent([width, last_row - first_row + 1, planes.end - planes.start]),
            full: alike && one_run && (one_row || whole_rows),
        }
    }

    /// An address of these lanes alone, counted from the box's corner.
    pub(super) fn seen_from_here(&self, shape: &Affine<u64>) -> Affine<u64> {
        Affine { base: shape.at(self.start), ..*shape }
    }

    /// Its first lane, of `all`.
    #[inline]
    pub(super) const fn first_lane(&self, all: Extent) -> usize {
        let ([x, y, z], [n0, n1, _]) = (self.start, all.0);
        ((z * n1 + y) * n0 + x) as usize
    }
}

/// The lanes of all planes laid over each other, the planes from the first to the last that has any, and whether those are alike;
/// none where planes do not consist of warps.
fn folded(mask: &Mask, extent: Extent) -> Option<(Mask, Range<u32>, bool)> {
    let [n0, n1, n2] = extent.0;
    let lanes = (n0 * n1) as usize;
    if n2 == 1 {
        return Some((*mask, 0..1, true));
    }
    if !lanes.is_multiple_of(WARP_LANES) {
        return None;
    }
    let warps = lanes / WARP_LANES;
    let mut folded = Mask::EMPTY;
    let (mut first, mut end) = (n2, 0);
    for (plane, words) in (0..n2).zip(mask.0[..WARPS_MAX].chunks(warps)) {
        if words.iter().any(|word| *word != 0) {
            first = first.min(plane);
            end = plane + 1;
        }
        folded.0.iter_mut().zip(words).for_each(|(all, word)| *all |= word);
    }
    let planes = first.min(end)..end;
    let mut between = mask.0.chunks(warps).take(end as usize).skip(planes.start as usize);
    let alike = between.all(|words| words == &folded.0[..warps]);
    Some((folded, planes, alike))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(lanes: impl IntoIterator<Item = usize>) -> Mask {
        let mut mask = Mask::EMPTY;
        lanes.into_iter().for_each(|lane| mask.add(lane));
        mask
    }

    /// Every box holds its mask, and a full one nothing else.
    #[test]
    fn a_box_holds_its_lanes() {
        let mut full = 0;
        for extent in [[64, 1, 1], [16, 4, 1], [16, 4, 4], [128, 1, 3], [5, 3, 2]].map(Extent) {
            for lanes in [
                vec![0],
                vec![3, 7],
                vec![2, 30],
                (0..extent.lanes()).collect(),
                (16..48).collect(),
                (0..3).flat_map(|plane| 128 * plane + 5..128 * plane + 70).collect(),
            ] {
                let mask = mask(lanes.into_iter().filter(|lane| *lane < extent.lanes()));
                let part = Part::of(&mask, extent);
                let inside = |lane: usize| {
                    let at = extent.of(lane);
                    (0..3)
                        .all(|i| part.start[i] <= at[i] && at[i] < part.start[i] + part.extent.0[i])
                };
                for lane in mask.lanes() {
                    assert!(inside(lane), "{lane} of {extent:?} in {part:?}");
                }
                let all = (0..extent.lanes()).filter(|lane| inside(*lane)).count();
                let wanted = mask.count() as usize == all;
                assert!(wanted || !part.full, "{all} lanes in {part:?}");
                full += usize::from(part.full);
            }
        }
        assert!(full > 12, "{full} of them full");
    }

    #[test]
    fn the_same_few_lanes_of_many_planes_make_a_thin_box() {
        let extent = Extent([256, 1, 4]);
        let part = Part::of(&mask([0, 3, 256, 515, 768]), extent);
        assert_eq!(part, Part { start: [0, 0, 0], extent: Extent([4, 1, 4]), full: false });
        let part = Part::of(&mask([2, 3, 258, 259]), extent);
        assert_eq!(part, Part { start: [2, 0, 0], extent: Extent([2, 1, 2]), full: true });
        assert_eq!(part.first_lane(extent), 2);
    }
}
