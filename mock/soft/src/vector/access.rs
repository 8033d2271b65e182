//! Loads and stores of a whole unit.
//!
//! Where the address has a shape, one check of its two ends stands for all lanes, and rows of lanes are copied at once. Everything
//! else goes lane by lane, which is also how a fault finds its lane.

use std::ops::Range;

use mock_ptx::ir::{RegClass, Space, Type};

use super::code::{Access, At, Pointer};
use super::file::{File, SlotId, Target};
use super::mask::Mask;
use super::run::Scope;
use super::shape::{Affine, Bits, Extent};
use super::unit::{LaneFault, Unit};
use crate::kernels::{Chunk, View};
use crate::launch::job;
use crate::limits::WARP_LANES;
use crate::memory::{Access as Kind, Place};
use crate::ops::convert::sign_extend;
use crate::raw::{Region, Word, lanes, lanes_mut};

/// A place in memory for every lane: a region, and offsets with a shape.
#[derive(Clone, Copy)]
struct Rows<'a> {
    of: Owner<'a>,
    offsets: Affine<u64>,
}

/// Whose region it is.
#[derive(Clone, Copy)]
enum Owner<'a> {
    /// The unit's shared memory.
    Shared,
    /// The device's memory, or the launch's parameters.
    Device(&'a Region),
}

impl<'a> Owner<'a> {
    const fn region<'r>(self, shared: &'r Region) -> &'r Region
    where
        'a: 'r,
    {
        match self {
            Self::Shared => shared,
            Self::Device(region) => region,
        }
    }
}

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

impl<'a> Unit<'a> {
    /// A load of the running path.
    pub(super) fn load_step(&mut self, scope: &Scope, access: &Access) -> Result<(), LaneFault> {
        let done = match self.address_shape(access) {
            Some((space, shape)) if is_local_row(space, &shape) => {
                self.load_local_rows(scope, access, &shape)
            }
            Some((space, shape)) => self.load_rows(scope, access, (space, &shape)),
            None => self.load_gathered(scope, access),
        };
        if done { Ok(()) } else { self.singly(scope) }
    }

    /// A store of the running path.
    pub(super) fn store_step(&mut self, scope: &Scope, access: &Access) -> Result<(), LaneFault> {
        let done = match self.address_shape(access) {
            Some((space, shape)) if is_local_row(space, &shape) => {
                self.store_local_rows(scope, access, &shape)
            }
            Some((space, shape)) => self.store_rows(scope, access, (space, &shape)),
            None => false,
        };
        if done { Ok(()) } else { self.singly(scope) }
    }

    /// The shape of an address, and the space it is in.
    fn address_shape(&self, access: &Access) -> Option<(Space, Affine<u64>)> {
        let shape = match access.address {
            At::Window(offset) => Affine::uniform(offset),
            At::Frame(offset) => Affine::uniform(self.path.frame.wrapping_add(offset)),
            At::Pointer(Pointer { base, offset }) => {
                self.file64.shape(base)?.plus(&Affine::uniform(offset))
            }
            At::Pointer32(Pointer { base, offset }) => {
                // a 32-bit pointer and its offset wrap at 32 bits
                let shape: Affine<u32> =
                    self.file32.shape(base)?.plus(&Affine::uniform(offset as u32));
                shape.widened(self.extent(), false)?
            }
        };
        Some((access.space, shape))
    }

    /// Where all lanes of the scope's warps would access, if all of them may.
    fn rows(
        &self,
        (scope, access): (&Scope, &Access),
        (space, shape): (Space, &Affine<u64>),
        kind: Kind,
    ) -> Option<Rows<'a>> {
        let (low, high) = range_within(shape, self.extent(), scope)?;
        let (real, first) = job::resolve(space, low as u64);
        let (end, last) = job::resolve(space, high as u64);
        let bytes = u64::from(access.ty.bytes()) * access.slots.len() as u64;
        let aligned = shape.low_zeros() >= bytes.trailing_zeros();
        if real != end || !aligned {
            return None;
        }
        let span = last - first + bytes;
        let (of, offset) = match real {
            Space::Shared => (Owner::Shared, within(&self.shared, first, span)?),
            Space::Parameter if kind == Kind::Load => {
                let parameters = &self.job.parameters;
                (Owner::Device(parameters), within(parameters, first, span)?)
            }
            Space::Parameter | Space::Local => return None,
            _ => {
                let Place { region, offset } = self.job.map.range(first, span, kind).ok()?;
                (Owner::Device(region), offset)
            }
        };
        let base = shape.base.wrapping_sub(low as u64).wrapping_add(offset);
        Some(Rows { of, offsets: Affine { base, ..*shape } })
    }

    fn load_rows(
        &mut self,
        scope: &Scope,
        access: &Access,
        address: (Space, &Affine<u64>),
    ) -> bool {
        let Some(rows) = self.rows((scope, access), address, Kind::Load) else { return false };
        let ty = access.ty;
        for ((class, slot), i) in access.slots.iter().zip(0u64..) {
            let offsets = rows.offsets.plus(&Affine::uniform(i * u64::from(ty.bytes())));
            let keep = self.keeps(scope, *class, *slot);
            if offsets.is_uniform() && !keep {
                let region = rows.of.region(&self.shared);
                let value = by_bytes!(ty.bytes(), |W| region.load::<W>(offsets.base).widen());
                let value = if ty.is_signed() { sign_extend(value, ty.bits()) } else { value };
                self.set_uniform(*class, *slot, value);
                continue;
            }
            let region = rows.of.region(&self.shared);
            let from = (region, &offsets, ty);
            let isa = self.isa;
            match class {
                RegClass::B16 | RegClass::Predicate => {
                    let to = (&mut self.file16, *slot, keep);
                    load_into(to, scope, from, |d, m, a| isa.blend16(d, m, a));
                }
                RegClass::B32 => {
                    let to = (&mut self.file32, *slot, keep);
                    load_into(to, scope, from, |d, m, a| isa.blend32(d, m, a));
                }
                RegClass::B64 => {
                    let to = (&mut self.file64, *slot, keep);
                    load_into(to, scope, from, |d, m, a| isa.blend64(d, m, a));
                }
            }
        }
        true
    }

    fn store_rows(
        &mut self,
        scope: &Scope,
        access: &Access,
        address: (Space, &Affine<u64>),
    ) -> bool {
        let (extent, bytes) = (self.extent(), access.ty.bytes());
        let Some(rows) = self.rows((scope, access), address, Kind::Store) else { return false };
        // Lanes that share a place must come in order, each with all its values.
        let total = i64::from(bytes) * access.slots.len() as i64;
        if !disjoint(&rows.offsets, extent, total) {
            return false;
        }
        for ((class, slot), i) in access.slots.iter().zip(0u64..) {
            let offsets = rows.offsets.plus(&Affine::uniform(i * u64::from(bytes)));
            let to = (rows.of.region(&self.shared), &offsets, bytes);
            match class {
                RegClass::B16 | RegClass::Predicate => {
                    store_from(&mut self.file16, *slot, scope, to);
                }
                RegClass::B32 => store_from(&mut self.file32, *slot, scope, to),
                RegClass::B64 => store_from(&mut self.file64, *slot, scope, to),
            }
        }
        true
    }

    /// Loads of single values through pointers without a shape, where all lanes stay inside one allocation or window.
    fn load_gathered(&mut self, scope: &Scope, access: &Access) -> bool {
        let At::Pointer(Pointer { base, offset }) = access.address else { return false };
        let [(class, slot)] = *access.slots else { return false };
        let Some(first) = scope.mask.lowest() else { return true };
        let bytes = u64::from(access.ty.bytes());
        let start = self.file64.lane(base, first).wrapping_add(offset);
        let (space, at) = job::resolve(access.space, start);
        let (of, origin) = match space {
            Space::Shared => (Owner::Shared, start - at),
            Space::Global | Space::Constant => match self.job.map.range(at, bytes, Kind::Load) {
                Ok(Place { region, offset }) => (Owner::Device(region), at - offset),
                Err(_) => return false,
            },
            _ => return false,
        };
        let region = of.region(&self.shared);
        let Some(last) = region.bytes().checked_sub(bytes) else { return false };
        let shift = offset.wrapping_sub(origin);
        let pointers = self.file64.view(base, 0);
        let inside = scope.warps.clone().all(|warp| {
            let bad = pointers.chunk(warp).iter().enumerate().fold(0u32, |bad, (lane, pointer)| {
                let at = pointer.wrapping_add(shift);
                bad | u32::from(at > last || at & (bytes - 1) != 0) << lane
            });
            bad & scope.mask.0[warp] == 0
        });
        if !inside {
            return false;
        }
        let keep = self.keeps(scope, class, slot);
        let isa = self.isa;
        match class {
            RegClass::B32 => {
                let mut target = self.file32.take(slot, keep);
                let from = (of.region(&self.shared), self.file64.view(base, 0), shift);
                gather(&mut target.chunks, scope, from, access.ty);
                finish(&mut self.file32, slot, target, scope, keep, |d, m, a| isa.blend32(d, m, a));
            }
            RegClass::B64 => {
                let aside = keep || slot == base;
                let mut target = self.file64.take(slot, aside);
                let from = (of.region(&self.shared), self.file64.view(base, 0), shift);
                gather(&mut target.chunks, scope, from, access.ty);
                finish(&mut self.file64, slot, target, scope, keep, |d, m, a| isa.blend64(d, m, a));
            }
            RegClass::B16 | RegClass::Predicate => {
                let mut target = self.file16.take(slot, keep);
                let from = (of.region(&self.shared), self.file64.view(base, 0), shift);
                gather(&mut target.chunks, scope, from, access.ty);
                finish(&mut self.file16, slot, target, scope, keep, |d, m, a| isa.blend16(d, m, a));
            }
        }
        true
    }

    /// The offset of lane 0's word, where the access is aligned, inside, and of 32-bit words.
    fn local_row(&self, access: &Access, shape: &Affine<u64>) -> Option<u64> {
        let (_, address) = job::resolve(access.space, shape.base);
        let bytes = u64::from(access.ty.bytes()) * access.slots.len() as u64;
        let words =
            access.ty.bytes() == 4 && access.slots.iter().all(|(class, _)| *class == RegClass::B32);
        let size = self.job.local_bytes;
        let inside = job::check("local", size, address, bytes, Kind::Load).is_ok();
        (words && inside).then(|| self.local_offset(0, address))
    }

    fn load_local_rows(&mut self, scope: &Scope, access: &Access, shape: &Affine<u64>) -> bool {
        let Some(start) = self.local_row(access, shape) else { return false };
        let (isa, row) = (self.isa, 4 * self.local_lanes as u64);
        let reach = scope.warps.start * WARP_LANES..scope.warps.end * WARP_LANES;
        for ((class, slot), i) in access.slots.iter().zip(0..) {
            let keep = self.keeps(scope, *class, *slot);
            let mut target = self.file32.take(*slot, keep);
            let from = start + i * row + 4 * reach.start as u64;
            self.local.load_row(from, &mut lanes_mut(&mut target.chunks)[reach.clone()]);
            finish(&mut self.file32, *slot, target, scope, keep, |d, m, a| isa.blend32(d, m, a));
        }
        true
    }

    fn store_local_rows(&mut self, scope: &Scope, access: &Access, shape: &Affine<u64>) -> bool {
        let Some(start) = self.local_row(access, shape).filter(|_| scope.whole) else {
            return false;
        };
        let row = 4 * self.local_lanes as u64;
        for ((_, slot), i) in access.slots.iter().zip(0..) {
            self.file32.spell(*slot);
            let view = self.file32.view(*slot, 0);
            for warp in scope.warps.clone() {
                let at = start + i * row + 4 * (warp * WARP_LANES) as u64;
                self.local.store_row(at, view.chunk(warp));
            }
        }
        true
    }

    /// Gives a register one number in all lanes.
    fn set_uniform(&mut self, class: RegClass, slot: SlotId, value: u64) {
        match class {
            RegClass::B16 | RegClass::Predicate => {
                self.file16.set_shape(slot, Affine::uniform(value as u16));
            }
            RegClass::B32 => self.file32.set_shape(slot, Affine::uniform(value as u32)),
            RegClass::B64 => self.file64.set_shape(slot, Affine::uniform(value)),
        }
    }
}

/// The least and greatest address of the lanes of the scope's warps.
fn range_within(shape: &Affine<u64>, extent: Extent, scope: &Scope) -> Option<(i64, i64)> {
    let [n0, _, n2] = extent.0;
    if scope.whole || n2 > 1 {
        return shape.range(extent, false);
    }
    let first = extent.of(scope.warps.start * WARP_LANES);
    let last = extent.of((scope.warps.end * WARP_LANES).min(extent.lanes()).max(1) - 1);
    let (start, width) =
        if first[1] == last[1] { (first, last[0] - first[0] + 1) } else { ([0, first[1], 0], n0) };
    let part = Affine { base: shape.at(start), ..*shape };
    part.range(Extent([width, last[1] - first[1] + 1, 1]), false)
}

/// Whether an address is the same place of every lane's local memory.
#[inline]
fn is_local_row(space: Space, shape: &Affine<u64>) -> bool {
    matches!(space, Space::Local | Space::Generic)
        && shape.is_uniform()
        && job::resolve(space, shape.base).0 == Space::Local
}

/// Where a span begins, if the region holds it.
fn within(region: &Region, first: u64, span: u64) -> Option<u64> {
    (first.checked_add(span)? <= region.bytes()).then_some(first)
}

/// Puts back what was loaded.
fn finish<T: Bits>(
    file: &mut File<T>,
    slot: SlotId,
    target: Target<T>,
    scope: &Scope,
    keep: bool,
    blend: impl FnOnce(&mut [Chunk<T>], &[u32], &[Chunk<T>]),
) {
    if keep {
        file.put_masked(slot, target, scope.warps.clone(), &scope.mask, blend);
    } else {
        file.put(slot, target);
    }
}

/// One register of all lanes in reach, from offsets with a shape.
fn load_into<T: Bits + Word>(
    (file, slot, keep): (&mut File<T>, SlotId, bool),
    scope: &Scope,
    (region, offsets, ty): (&Region, &Affine<u64>, Type),
    blend: impl FnOnce(&mut [Chunk<T>], &[u32], &[Chunk<T>]),
) {
    let extent = file.extent();
    let reach = scope.warps.start * WARP_LANES..(scope.warps.end * WARP_LANES).min(extent.lanes());
    let mut target = file.take(slot, keep);
    let d = lanes_mut(&mut target.chunks);
    by_bytes!(ty.bytes(), |W| {
        read_rows::<W, T>((region, offsets), extent, reach, d, |value| {
            let value = value.widen();
            T::cut(if ty.is_signed() { sign_extend(value, ty.bits()) } else { value })
        });
    });
    finish(file, slot, target, scope, keep, blend);
}

/// One register of the mask's lanes, to offsets with a shape.
fn store_from<T: Bits + Word>(
    file: &mut File<T>,
    slot: SlotId,
    scope: &Scope,
    (region, offsets, bytes): (&Region, &Affine<u64>, u32),
) {
    file.spell(slot);
    let (view, extent) = (file.view(slot, 0), file.extent());
    by_bytes!(bytes, |W| {
        write_rows::<W, T>((region, offsets), extent, (&scope.mask, scope.whole), view, |value| {
            value.zero_extended() as W
        });
    });
}

/// One register of the mask's lanes, each from its own place; all places were checked.
fn gather<T: Bits>(
    chunks: &mut [Chunk<T>],
    scope: &Scope,
    (region, pointers, shift): (&Region, View<'_, u64>, u64),
    ty: Type,
) {
    by_bytes!(ty.bytes(), |W| for warp in scope.warps.clone() {
        let (word, pointers) = (scope.mask.0[warp], pointers.chunk(warp));
        let d = &mut chunks[warp].0;
        for lane in (0..WARP_LANES).filter(|lane| word >> lane & 1 == 1) {
            let value = region.load::<W>(pointers[lane].wrapping_add(shift)).widen();
            d[lane] = T::cut(if ty.is_signed() { sign_extend(value, ty.bits()) } else { value });
        }
    });
}

/// Whether no two lanes touch the same byte, judged from the steps alone.
fn disjoint(offsets: &Affine<u64>, extent: Extent, bytes: i64) -> bool {
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

/// Runs of lanes whose offsets go up by the same step: which lanes, and the first one's offset.
#[inline(always)]
fn runs(
    offsets: &Affine<u64>,
    extent: Extent,
    reach: Range<usize>,
    mut each: impl FnMut(Range<usize>, u64),
) {
    let [n0, n1, n2] = extent.0;
    let [step, row_step, plane_step] = offsets.step;
    let rows_join = n1 == 1 || row_step == step.wrapping_mul(n0.into());
    let planes_join = n2 == 1 || plane_step == step.wrapping_mul(u64::from(n0) * u64::from(n1));
    if rows_join && planes_join {
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

/// Reads one value for each lane in reach.
#[inline(always)]
fn read_rows<W: Word, T: Bits + Word>(
    (region, offsets): (&Region, &Affine<u64>),
    extent: Extent,
    reach: Range<usize>,
    d: &mut [T],
    extend: impl Fn(W) -> T,
) {
    let step = offsets.step[0];
    let bytes = size_of::<W>() as u64;
    runs(offsets, extent, reach, |run, at| {
        let d = &mut d[run];
        if step == 0 {
            fill(d, extend(region.load(at)));
        } else if step == bytes && size_of::<W>() == size_of::<T>() {
            load_row(region, at, d);
        } else if step == bytes {
            let mut piece = [W::default(); WARP_LANES];
            for (d, i) in d.chunks_mut(WARP_LANES).zip(0..) {
                let piece = &mut piece[..d.len()];
                region.load_row(at + i * bytes * WARP_LANES as u64, piece);
                d.iter_mut().zip(piece).for_each(|(d, value)| *d = extend(*value));
            }
        } else {
            for (d, i) in d.iter_mut().zip(0u64..) {
                *d = extend(region.load(at.wrapping_add(step.wrapping_mul(i))));
            }
        }
    });
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
    }
}

/// Writes one value for each lane of the mask.
fn write_rows<W: Word, T: Bits + Word>(
    (region, offsets): (&Region, &Affine<u64>),
    extent: Extent,
    (mask, whole): (&Mask, bool),
    view: View<'_, T>,
    cut: impl Fn(T) -> W,
) {
    let step = offsets.step[0];
    let bytes = size_of::<W>() as u64;
    if let Some(chunks) = view.chunks_of_each()
        && whole
        && step == bytes
        && size_of::<W>() == size_of::<T>()
    {
        let values = lanes(chunks);
        runs(offsets, extent, 0..extent.lanes(), |run, at| region.store_row(at, &values[run]));
        return;
    }
    for warp in mask.warps() {
        let word = mask.0[warp];
        let start = warp * WARP_LANES;
        let values = view.chunk(warp);
        let in_reach = start..(start + WARP_LANES).min(extent.lanes());
        let full = word.count_ones() as usize == in_reach.len();
        runs(offsets, extent, in_reach, |run, at| {
            let own = &values[run.start - start..run.end - start];
            if full && step == bytes && size_of::<W>() == size_of::<T>() {
                region.store_row(at, own);
                return;
            }
            for ((value, lane), i) in own.iter().zip(run.start - start..).zip(0u64..) {
                if word >> lane & 1 == 1 {
                    region.store(at.wrapping_add(step.wrapping_mul(i)), cut(*value));
                }
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
    fn rows_are_read_as_their_lanes_would_be() {
        let region = Region::zeroed(4096).expect("memory");
        (0..4096).for_each(|i| region.store(i, (i * 7 % 251) as u8));
        let extent = Extent([16, 4, 1]);
        for step in [[2u64, 32, 0], [0, 2, 0], [6, 200, 0], [2, 100, 0]] {
            let offsets = Affine { base: 10, step };
            let mut d = [0u32; 64];
            read_rows::<u16, u32>((&region, &offsets), extent, 0..64, &mut d, u32::from);
            for (lane, value) in d.iter().enumerate() {
                let at = offsets.at(extent.of(lane));
                assert_eq!(*value, u32::from(region.load::<u16>(at)), "{step:?} lane {lane}");
            }
        }
    }
}
