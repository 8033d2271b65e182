//! Loads and stores of a whole unit.
//!
//! Where the address has a shape, one check of the corners of the box of lanes stands for all of them, and rows of lanes are copied
//! at once. Everything else goes by each lane's own place (`scattered`), and what is refused there lane by lane, which is also how a
//! fault finds its lane.

use mock_ptx::ir::{RegClass, Space};

use super::code::{Access, At, Pointer};
use super::file::SlotId;
use super::part::Part;
use super::rows::{Reach, by_bytes, disjoint, load_into, store_from};
use super::run::Scope;
use super::shape::Affine;
use super::unit::{LaneFault, Unit};
use super::width::finish;
use crate::launch::job;
use crate::limits::WARP_LANES;
use crate::memory::{Access as Kind, Place};
use crate::ops::convert::sign_extend;
use crate::raw::{Region, Word, lanes_mut};

/// A place in memory for every lane: a region, and offsets with a shape.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows<'a> {
    pub(super) of: Owner<'a>,
    pub(super) offsets: Affine<u64>,
    /// The lanes for which it is one.
    part: Part,
}

/// Whose region it is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Owner<'a> {
    /// The unit's shared memory.
    Shared,
    /// The device's memory, or the launch's parameters.
    Device(&'a Region),
}

impl<'a> Owner<'a> {
    pub(super) const fn region<'r>(self, shared: &'r Region) -> &'r Region
    where
        'a: 'r,
    {
        match self {
            Self::Shared => shared,
            Self::Device(region) => region,
        }
    }
}

impl<'a> Unit<'a> {
    /// A load of the running path.
    pub(super) fn load_step(&mut self, scope: &Scope, access: &Access) -> Result<(), LaneFault> {
        let done = match self.address_shape(access) {
            Some((space, shape)) if is_local_row(space, &shape) => {
                self.load_local_rows(scope, access, &shape)
            }
            Some((space, shape))
                if shape.is_uniform() && self.load_same(scope, access, (space, shape.base)) =>
            {
                true
            }
            Some((space, shape)) => self.load_rows(scope, access, (space, &shape)),
            None => false,
        };
        if done || self.load_scattered(scope, access) { Ok(()) } else { self.singly(scope) }
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
        if done || self.store_scattered(scope, access) { Ok(()) } else { self.singly(scope) }
    }

    /// The shape of an address, and the space it is in.
    #[inline(always)]
    fn address_shape(&self, access: &Access) -> Option<(Space, Affine<u64>)> {
        let shape = match access.address {
            At::Window(offset) => Affine::uniform(offset),
            At::Frame(offset) => Affine::uniform(self.path.frame.wrapping_add(offset)),
            At::Pointer(Pointer { base, offset }) => self.file64.shape(base)?.shifted(offset),
            At::Pointer32(Pointer { base, offset }) => {
                // a 32-bit pointer and its offset wrap at 32 bits
                let shape: Affine<u32> = self.file32.shape(base)?.shifted(offset as u32);
                shape.widened(self.extent(), false)?
            }
        };
        Some((access.space, shape))
    }

    /// A load of the same place by all lanes; false where lanes that do not take part keep their registers, or where each block has
    /// a place of its own.
    fn load_same(
        &mut self,
        scope: &Scope,
        access: &Access,
        (space, address): (Space, u64),
    ) -> bool {
        let (real, at) = job::resolve(space, address);
        let ty = access.ty;
        let bytes = u64::from(ty.bytes()) * access.slots.len() as u64;
        let kept = || access.slots.iter().any(|(class, slot)| self.keeps(scope, *class, *slot));
        if !at.is_multiple_of(bytes) || kept() {
            return false;
        }
        let place = match real {
            Space::Shared if self.blocks == 1 => within(self.job.shared_bytes.into(), at, bytes)
                .map(|offset| (Owner::Shared, offset)),
            Space::Parameter => {
                let parameters = &self.job.parameters;
                within(parameters.bytes(), at, bytes)
                    .map(|offset| (Owner::Device(parameters), offset))
            }
            Space::Global | Space::Constant => {
                let place = self.job.map.range(at, bytes, Kind::Load).ok();
                place.map(|Place { region, offset }| (Owner::Device(region), offset))
            }
            _ => None,
        };
        let Some((of, offset)) = place else { return false };
        for ((class, slot), i) in access.slots.iter().zip(0u64..) {
            let (region, at) = (of.region(&self.shared), offset + i * u64::from(ty.bytes()));
            let value = by_bytes!(ty.bytes(), |W| region.load::<W>(at).number());
            let value = if ty.is_signed() { sign_extend(value, ty.bits()) } else { value };
            self.set_uniform(*class, *slot, value);
        }
        true
    }

    /// Where the lanes of the scope's box would access, if all of them may.
    #[inline(always)]
    fn rows(
        &self,
        (scope, access): (&Scope, &Access),
        (space, shape): (Space, &Affine<u64>),
        kind: Kind,
    ) -> Option<Rows<'a>> {
        let extent = self.extent();
        let part = *scope.part(extent);
        let (low, high) = part.seen_from_here(shape).range(part.extent, false)?;
        let (real, first) = job::resolve(space, low as u64);
        let (end, last) = job::resolve(space, high as u64);
        let bytes = u64::from(access.ty.bytes()) * access.slots.len() as u64;
        let aligned = shape.low_zeros() >= bytes.trailing_zeros();
        if real != end || !aligned {
            return None;
        }
        let span = last - first + bytes;
        let mut step = shape.step;
        let (of, offset) = match real {
            Space::Shared => {
                // each block's own lies behind that of the one before it
                if self.blocks > 1 {
                    step[2] = step[2].wrapping_add(self.shared_stride);
                }
                (Owner::Shared, within(self.job.shared_bytes.into(), first, span)?)
            }
            Space::Parameter if kind == Kind::Load => {
                let parameters = &self.job.parameters;
                (Owner::Device(parameters), within(parameters.bytes(), first, span)?)
            }
            Space::Parameter | Space::Local => return None,
            _ => {
                let Place { region, offset } = self.job.map.range(first, span, kind).ok()?;
                (Owner::Device(region), offset)
            }
        };
        let base = shape.base.wrapping_sub(low as u64).wrapping_add(offset);
        Some(Rows { of, offsets: Affine { base, step }, part })
    }

    fn load_rows(
        &mut self,
        scope: &Scope,
        access: &Access,
        address: (Space, &Affine<u64>),
    ) -> bool {
        let Some(rows) = self.rows((scope, access), address, Kind::Load) else { return false };
        let (ty, isa) = (access.ty, self.isa);
        if access.waits && scope.whole && self.leave_in_memory(access, &rows) {
            return true;
        }
        for ((class, slot), i) in access.slots.iter().zip(0u64..) {
            let offsets = rows.offsets.shifted(i * u64::from(ty.bytes()));
            let keep = self.keeps(scope, *class, *slot);
            let region = rows.of.region(&self.shared);
            if offsets.is_uniform() && !keep {
                let value = by_bytes!(ty.bytes(), |W| region.load::<W>(offsets.base).number());
                let value = if ty.is_signed() { sign_extend(value, ty.bits()) } else { value };
                self.set_uniform(*class, *slot, value);
                continue;
            }
            let (from, to) = ((region, &offsets, ty), (*slot, keep));
            let reach = Reach { isa, scope, part: &rows.part };
            match class {
                RegClass::B16 | RegClass::Predicate => load_into(&mut self.file16, to, reach, from),
                RegClass::B32 => load_into(&mut self.file32, to, reach, from),
                RegClass::B64 => load_into(&mut self.file64, to, reach, from),
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
        let (isa, bytes) = (self.isa, access.ty.bytes());
        let Some(rows) = self.rows((scope, access), address, Kind::Store) else { return false };
        // Lanes that share a place must come in order, each with all its values.
        let total = i64::from(bytes) * access.slots.len() as i64;
        if !disjoint(&rows.offsets, rows.part.extent, total) {
            return false;
        }
        for ((class, slot), i) in access.slots.iter().zip(0u64..) {
            let offsets = rows.offsets.shifted(i * u64::from(bytes));
            let to = (rows.of.region(&self.shared), &offsets, access.ty);
            let reach = Reach { isa, scope, part: &rows.part };
            match class {
                RegClass::B16 | RegClass::Predicate => {
                    store_from(&mut self.file16, *slot, reach, to);
                }
                RegClass::B32 => store_from(&mut self.file32, *slot, reach, to),
                RegClass::B64 => store_from(&mut self.file64, *slot, reach, to),
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
        let warps = scope.warps.span();
        let reach = warps.start * WARP_LANES..warps.end * WARP_LANES;
        for ((class, slot), i) in access.slots.iter().zip(0..) {
            let keep = self.keeps(scope, *class, *slot);
            let mut target = self.file32.take(*slot, keep);
            let from = start + i * row + 4 * reach.start as u64;
            self.local.load_row(from, &mut lanes_mut(&mut target.chunks)[reach.clone()]);
            finish(&mut self.file32, isa, scope, (*slot, keep), target);
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
            for warp in scope.warps.each() {
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

/// Whether an address is the same place of every lane's local memory.
#[inline]
fn is_local_row(space: Space, shape: &Affine<u64>) -> bool {
    matches!(space, Space::Local | Space::Generic)
        && shape.is_uniform()
        && job::resolve(space, shape.base).0 == Space::Local
}

/// Where a span begins, if it ends within so many bytes.
fn within(bytes: u64, first: u64, span: u64) -> Option<u64> {
    (first.checked_add(span)? <= bytes).then_some(first)
}
