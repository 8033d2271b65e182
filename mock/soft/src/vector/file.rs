//! The registers of one width, of all lanes of a unit.
//!
//! ```text
//!   Slot ── shape known ──▶ Affine ── lanes needed ──▶ Affine, spelled out
//!     ▲                        ▲                            │ (both true)
//!     └── lanes written ───────┴──── Vector ◀───────────────┘
//! ```
//! A slot whose shape is known has its lanes written only when a kernel asks for them; a uniform one needs a single warp's worth.

use std::sync::{Mutex, PoisonError};

use super::mask::{Mask, Warps};
use super::shape::{Affine, Bits, Extent};
use crate::kernels::{Chunk, View};
use crate::limits::WARP_LANES;

/// A register's number in its file; immediates follow the registers.
pub type SlotId = u32;

/// One register of all lanes.
#[derive(Debug)]
struct Slot<T> {
    chunks: Box<[Chunk<T>]>,
    shape: Option<Affine<T>>,
    spelled: bool,
}

/// All registers of one width.
#[derive(Debug)]
pub struct File<T> {
    slots: Vec<Slot<T>>,
    scratch: Box<[Chunk<T>]>,
    extent: Extent,
    warps: usize,
    capacity_warps: usize,
}

impl<T: Bits> File<T> {
    /// `registers` slots for up to `warps` warps, then one for each constant.
    #[must_use]
    pub fn new(registers: usize, constants: &[T], warps: usize) -> Self {
        let chunks = |warps: usize| vec![Chunk::default(); warps].into_boxed_slice();
        let zero = Some(Affine::uniform(T::default()));
        let slot = |_| Slot { chunks: chunks(warps), shape: zero, spelled: false };
        let mut slots: Vec<_> = (0..registers).map(slot).collect();
        slots.extend(constants.iter().map(|value| Slot {
            chunks: vec![Chunk([*value; WARP_LANES])].into_boxed_slice(),
            shape: Some(Affine::uniform(*value)),
            spelled: true,
        }));
        Self { slots, scratch: chunks(warps), extent: Extent([1; 3]), warps, capacity_warps: warps }
    }

    /// No registers.
    pub(super) fn empty() -> Self {
        let (slots, scratch) = (Vec::new(), Box::default());
        Self { slots, scratch, extent: Extent([1; 3]), warps: 0, capacity_warps: 0 }
    }

    /// Begins a new set of lanes; registers hold anything, as the IR allows.
    pub fn restart(&mut self, extent: Extent, registers: usize) {
        if extent == self.extent {
            return;
        }
        self.extent = extent;
        self.warps = extent.lanes().div_ceil(WARP_LANES);
        for slot in self.slots.iter_mut().take(registers) {
            slot.shape = Some(Affine::uniform(T::default()));
            slot.spelled = false;
        }
    }

    /// How the lanes lie.
    #[inline]
    #[must_use]
    pub const fn extent(&self) -> Extent {
        self.extent
    }

    /// What is known of a register.
    #[inline]
    #[must_use]
    pub fn shape(&self, slot: SlotId) -> Option<Affine<T>> {
        self.slots[slot as usize].shape
    }

    /// Whether a register's shape is known.
    #[inline]
    #[must_use]
    pub fn is_known(&self, slot: SlotId) -> bool {
        self.slots[slot as usize].shape.is_some()
    }

    /// Gives a register a shape, in all lanes.
    #[inline]
    pub fn set_shape(&mut self, slot: SlotId, shape: Affine<T>) {
        let slot = &mut self.slots[slot as usize];
        slot.shape = Some(shape);
        slot.spelled = false;
    }

    /// One lane of a register.
    #[must_use]
    pub fn lane(&self, slot: SlotId, lane: usize) -> T {
        let slot = &self.slots[slot as usize];
        match slot.shape {
            Some(shape) => shape.at(self.extent.of(lane)),
            None => slot.chunks[lane / WARP_LANES].0[lane % WARP_LANES],
        }
    }

    /// Writes one lane; the others stay.
    pub fn set_lane(&mut self, slot: SlotId, lane: usize, value: T) {
        self.spell_all(slot);
        let slot = &mut self.slots[slot as usize];
        slot.shape = None;
        slot.chunks[lane / WARP_LANES].0[lane % WARP_LANES] = value;
    }

    /// Makes sure that kernels can read a register.
    #[inline]
    pub fn spell(&mut self, slot: SlotId) {
        let place = &mut self.slots[slot as usize];
        if let Some(shape) = place.shape
            && !place.spelled
        {
            place.spelled = true;
            if shape.is_uniform() {
                place.chunks[0].0.fill(shape.base);
            } else {
                fill(&mut place.chunks[..self.warps], &shape, self.extent);
            }
        }
    }

    /// Makes sure that every lane is written out, also of a uniform register.
    fn spell_all(&mut self, slot: SlotId) {
        let place = &mut self.slots[slot as usize];
        if let Some(shape) = place.shape
            && (!place.spelled || shape.is_uniform())
        {
            place.spelled = true;
            fill(&mut place.chunks[..self.warps], &shape, self.extent);
        }
    }

    /// What kernels read of a register that was spelled, from a warp on.
    #[inline]
    #[must_use]
    pub fn view(&self, slot: SlotId, warp: usize) -> View<'_, T> {
        let slot = &self.slots[slot as usize];
        match slot.shape {
            Some(shape) if shape.is_uniform() => View::same(&slot.chunks),
            _ => View::each(&slot.chunks[warp..]),
        }
    }

    /// Whether a kernel may write straight into a register while it reads others.
    #[inline]
    pub fn take(&mut self, slot: SlotId, aside: bool) -> Target<T> {
        let chunks = if aside { &mut self.scratch } else { &mut self.slots[slot as usize].chunks };
        Target { chunks: std::mem::take(chunks), aside }
    }

    /// Puts back what a kernel wrote: all lanes of these warps are new.
    #[inline]
    pub fn put(&mut self, slot: SlotId, target: Target<T>) {
        let place = &mut self.slots[slot as usize];
        place.shape = None;
        if target.aside {
            self.scratch = std::mem::replace(&mut place.chunks, target.chunks);
        } else {
            place.chunks = target.chunks;
        }
    }

    /// Puts back what a kernel wrote aside: only lanes of the mask are new.
    pub fn put_masked(
        &mut self,
        slot: SlotId,
        target: Target<T>,
        warps: Warps,
        mask: &Mask,
        blend: impl Fn(&mut [Chunk<T>], &[u32], &[Chunk<T>]),
    ) {
        debug_assert!(target.aside, "a masked write goes aside first");
        self.spell_all(slot);
        let place = &mut self.slots[slot as usize];
        place.shape = None;
        for run in warps.runs() {
            let (d, a) = (&mut place.chunks[run.clone()], &target.chunks[run.clone()]);
            blend(d, &mask.0[run], a);
        }
        self.scratch = target.chunks;
    }

    /// Puts back a single warp's worth whose lanes are all alike.
    #[inline]
    pub fn put_uniform(&mut self, slot: SlotId, target: Target<T>) {
        let value = target.chunks[0].0[0];
        self.put(slot, target);
        let place = &mut self.slots[slot as usize];
        place.shape = Some(Affine::uniform(value));
        place.spelled = true;
    }
}

/// The files of one unit.
#[derive(Debug)]
pub struct Files {
    pub(super) file16: File<u16>,
    pub(super) file32: File<u32>,
    pub(super) file64: File<u64>,
}

/// Files that no unit uses at the moment, of one kernel: to fetch memory from the host anew costs more than a small launch.
#[derive(Debug, Default)]
pub struct Spare(Mutex<Vec<Files>>);

/// More are given back to the host.
const SPARE_MAX: usize = 16;

impl Spare {
    /// Files for `warps` warps, if some are there.
    pub(super) fn take(&self, warps: usize) -> Option<Files> {
        let mut spare = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = spare.iter().position(|files| files.file32.capacity_warps == warps)?;
        Some(spare.swap_remove(place))
    }

    /// Keeps files for the next unit.
    pub(super) fn put(&self, files: Files) {
        let mut spare = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < SPARE_MAX {
            spare.push(files);
        }
    }
}

/// Where a kernel writes, out of its file for the time being.
#[derive(Debug)]
pub struct Target<T> {
    /// A chunk for each warp.
    pub chunks: Box<[Chunk<T>]>,
    aside: bool,
}

/// Writes a shape out, lane by lane.
fn fill<T: Bits>(chunks: &mut [Chunk<T>], shape: &Affine<T>, extent: Extent) {
    let row = extent.0[0] as usize;
    if shape.is_uniform() {
        chunks.iter_mut().for_each(|chunk| chunk.0.fill(shape.base));
        return;
    }
    if row.is_multiple_of(WARP_LANES) {
        // Every warp lies within one row.
        for (warp, chunk) in chunks.iter_mut().enumerate() {
            let start = shape.at(extent.of(warp * WARP_LANES));
            fill_row(&mut chunk.0, start, shape.step[0]);
        }
        return;
    }
    let mut lane = 0;
    for chunk in chunks {
        let mut place = 0;
        while place < WARP_LANES {
            let coordinates = extent.of(lane);
            let count = (row - coordinates[0] as usize).min(WARP_LANES - place);
            fill_row(&mut chunk.0[place..place + count], shape.at(coordinates), shape.step[0]);
            (place, lane) = (place + count, lane + count);
        }
    }
}

#[inline]
fn fill_row<T: Bits>(row: &mut [T], start: T, step: T) {
    for (i, place) in row.iter_mut().enumerate() {
        *place = start.plus(step.times(T::cut(i as u64)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::blend32;

    fn file(extent: Extent) -> File<u32> {
        let mut file = File::new(2, &[9], 4);
        file.restart(extent, 2);
        file
    }

    #[test]
    fn a_shape_spelled_out_is_the_same_lanes() {
        for extent in
            [Extent([64, 2, 1]), Extent([10, 5, 2]), Extent([16, 4, 1]), Extent([3, 1, 1])]
        {
            let shape = Affine { base: 100, step: [3, 50, 1000] };
            let mut file = file(extent);
            file.set_shape(0, shape);
            let known: Vec<_> = (0..extent.lanes()).map(|lane| file.lane(0, lane)).collect();
            file.spell(0);
            let view = file.view(0, 0);
            let spelled: Vec<_> = (0..extent.lanes())
                .map(|lane| view.chunk(lane / WARP_LANES)[lane % WARP_LANES])
                .collect();
            assert_eq!(known, spelled, "{extent:?}");
        }
    }

    #[test]
    fn writing_one_lane_leaves_the_others() {
        let mut file = file(Extent([64, 1, 1]));
        file.set_shape(1, Affine::uniform(7));
        file.spell(1);
        file.set_lane(1, 40, 8);
        assert_eq!([39, 40, 41, 0].map(|lane| file.lane(1, lane)), [7, 8, 7, 7]);
        assert_eq!(file.shape(1), None);
    }

    #[test]
    fn a_masked_write_leaves_the_rest_of_a_shape() {
        let mut file = file(Extent([64, 1, 1]));
        file.set_shape(0, Affine { base: 0, step: [1, 0, 0] });
        let mut target = file.take(0, true);
        target.chunks[0].0.fill(500);
        file.put_masked(0, target, Warps::first(1), &Mask::first(3), blend32);
        assert_eq!([0, 2, 3, 63].map(|lane| file.lane(0, lane)), [500, 500, 3, 63]);
    }

    #[test]
    fn constants_are_uniform_from_the_start() {
        let mut file = file(Extent([64, 1, 1]));
        file.spell(2);
        assert_eq!(file.view(2, 0).chunk(1)[5], 9);
    }
}
