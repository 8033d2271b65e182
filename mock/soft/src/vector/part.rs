//! The box of lanes that a mask lies in: what an address must be good for, and which lanes are worth reading.

use std::ops::Range;

use super::mask::{Mask, WARPS_MAX};
use super::shape::{Affine, Extent};
use crate::limits::WARP_LANES;

/// A box in the coordinates of lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) start: [u32; 3],
    pub(super) extent: Extent,
}

impl Part {
    /// All lanes.
    pub(super) const fn whole(extent: Extent) -> Self {
        Self { start: [0; 3], extent }
    }

    /// The smallest box that is easily found.
    pub(super) fn of(mask: &Mask, extent: Extent) -> Self {
        let [n0, n1, n2] = extent.0;
        let Some((folded, planes)) = folded(mask, extent) else { return Self::whole(extent) };
        let (Some(low), Some(high)) = (folded.lowest(), folded.highest()) else {
            return Self { start: [0; 3], extent: Extent([0, n1, n2]) };
        };
        let (low, high) = (low as u32, high as u32);
        let (first_row, last_row) = (low / n0, high / n0);
        let (x, width) = if first_row == last_row { (low % n0, high - low + 1) } else { (0, n0) };
        Self {
            start: [x, first_row, planes.start],
            extent: Extent([width, last_row - first_row + 1, planes.end - planes.start]),
        }
    }

    /// An address of these lanes alone, counted from the box's corner.
    pub(super) fn seen_from_here(&self, shape: &Affine<u64>) -> Affine<u64> {
        Affine { base: shape.at(self.start), ..*shape }
    }

    /// Runs of lanes that cover the box, in order.
    pub(super) fn spans(&self, all: Extent) -> impl Iterator<Item = Range<usize>> + use<> {
        let [n0, n1, _] = all.0.map(|n| n as usize);
        let [x, y, z] = self.start.map(|c| c as usize);
        let [width, height, depth] = self.extent.0.map(|n| n as usize);
        let plane = n0 * n1;
        // planes that are taken as a whole lie one behind the other
        let (count, together) = if width * height == plane { (1, depth) } else { (depth, 1) };
        let first = y * n0 + x;
        let length =
            if width == 0 { 0 } else { (height - 1) * n0 + width + (together - 1) * plane };
        (0..count).map(move |i| {
            let from = (z + i) * plane + first;
            from..from + length
        })
    }
}

/// The lanes of all planes laid over each other, and the planes from the first to the last that has any; none where planes do not
/// consist of warps.
fn folded(mask: &Mask, extent: Extent) -> Option<(Mask, Range<u32>)> {
    let [n0, n1, n2] = extent.0;
    let lanes = (n0 * n1) as usize;
    if n2 == 1 {
        return Some((*mask, 0..1));
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
    Some((folded, first.min(end)..end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(lanes: impl IntoIterator<Item = usize>) -> Mask {
        let mut mask = Mask::EMPTY;
        lanes.into_iter().for_each(|lane| mask.add(lane));
        mask
    }

    /// Every box holds its mask, and its spans are its lanes at least.
    #[test]
    fn a_box_holds_its_lanes() {
        for extent in [[64, 1, 1], [16, 4, 1], [16, 4, 4], [128, 1, 3], [5, 3, 2]].map(Extent) {
            for lanes in [vec![0], vec![3, 7], vec![2, 30], (0..extent.lanes()).collect()] {
                let mask = mask(lanes.into_iter().filter(|lane| *lane < extent.lanes()));
                let part = Part::of(&mask, extent);
                let covered: Vec<usize> = part.spans(extent).flatten().collect();
                for lane in mask.lanes() {
                    let at = extent.of(lane);
                    let inside = (0..3).all(|i| {
                        part.start[i] <= at[i] && at[i] < part.start[i] + part.extent.0[i]
                    });
                    assert!(inside, "{lane} of {extent:?} in {part:?}");
                    assert!(covered.contains(&lane), "{lane} of {extent:?} in {part:?}");
                }
            }
        }
    }

    #[test]
    fn the_same_few_lanes_of_many_planes_make_a_thin_box() {
        let extent = Extent([256, 1, 4]);
        let part = Part::of(&mask([0, 3, 256, 515, 768]), extent);
        assert_eq!(part, Part { start: [0, 0, 0], extent: Extent([4, 1, 4]) });
        let spans: Vec<_> = part.spans(extent).collect();
        assert_eq!(spans, [0..4, 256..260, 512..516, 768..772]);
        let whole: Vec<_> =
            Part::whole(extent).spans(extent).map(|span| (span.start, span.end)).collect();
        assert_eq!(whole, [(0, 1024)]);
    }
}
