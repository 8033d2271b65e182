//! Loads, stores and atomics whose lanes go each their own way: every lane's place is worked out first, then all are checked, then all
//! are done. Where one lane may not, nothing has been done yet and the caller goes lane by lane, to find out which.

use mock_ptx::ir::{RegClass, Space};

use super::code::{Access, At, Format, Pointer};
use super::file::SlotId;
use super::rows::{Extension, by_bytes};
use super::run::Scope;
use super::unit::Unit;
use super::width::{Width, finish};
use crate::launch::job;
use crate::limits::WARP_LANES;
use crate::memory::{Access as Kind, Place};
use crate::raw::{Region, Spots};

/// The memory that lanes go to, all of them.
#[derive(Clone, Copy)]
pub(super) enum Field<'a> {
    /// The shared memory of each one's block.
    Shared,
    /// One allocation.
    Device(&'a Region),
    /// Each one's own local memory.
    Local,
}

/// Where lanes go: their offsets are in [`Unit::places`].
pub(super) struct Course<'a> {
    pub(super) field: Field<'a>,
}

impl<'a> Unit<'a> {
    /// Works out where the lanes of a scope go; none where that is not one memory, or no pointer leads there.
    pub(super) fn course(
        &mut self,
        scope: &Scope,
        (address, space): (At, Space),
        bytes: u64,
        kind: Kind,
    ) -> Option<Course<'a>> {
        let first = scope.mask.lowest()?;
        let (start, offset) = match address {
            At::Pointer(Pointer { base, offset }) => {
                self.file64.spell(base);
                (self.file64.lane(base, first).wrapping_add(offset), offset)
            }
            At::Pointer32(Pointer { base, offset }) => {
                self.file32.spell(base);
                let pointer = self.file32.lane(base, first).wrapping_add(offset as u32);
                (u64::from(pointer), offset)
            }
            At::Window(offset) => (offset, offset),
            At::Frame(offset) => {
                let start = self.path.frame.wrapping_add(offset);
                (start, start)
            }
        };
        let (real, at) = job::resolve(space, start);
        let (field, origin) = match real {
            Space::Shared => (Field::Shared, start - at),
            Space::Local => (Field::Local, start - at),
            Space::Global | Space::Constant => {
                let Place { region, offset } = self.job.map.range(at, bytes, kind).ok()?;
                (Field::Device(region), at - offset)
            }
            Space::Parameter | Space::Generic => return None,
        };
        let mut unaligned = 0;
        for warp in scope.warps.clone() {
            let places = &mut self.places[warp].0;
            match address {
                At::Pointer32(Pointer { base, .. }) => {
                    let pointers = self.file32.view(base, 0).chunk(warp);
                    for (place, pointer) in places.iter_mut().zip(pointers) {
                        let at = u64::from(pointer.wrapping_add(offset as u32));
                        *place = at.wrapping_sub(origin);
                    }
                }
                At::Pointer(Pointer { base, .. }) => {
                    let shift = offset.wrapping_sub(origin);
                    let pointers = self.file64.view(base, 0).chunk(warp);
                    for (place, pointer) in places.iter_mut().zip(pointers) {
                        *place = pointer.wrapping_add(shift);
                    }
                }
                At::Window(_) | At::Frame(_) => places.fill(offset.wrapping_sub(origin)),
            }
            let odd = places
                .iter()
                .zip(0..)
                .fold(0u32, |odd, (place, lane)| odd | u32::from(place & (bytes - 1) != 0) << lane);
            unaligned |= odd & scope.mask.0[warp];
        }
        if unaligned != 0 {
            return None;
        }
        if matches!(field, Field::Local) {
            self.interleave(scope, bytes);
        }
        Some(Course { field })
    }

    /// From addresses in local memory to places in it: the words of all lanes lie side by side. What is outside stays outside.
    fn interleave(&mut self, scope: &Scope, bytes: u64) {
        let (lanes, limit) = (self.local_lanes as u64, self.job.local_bytes);
        for warp in scope.warps.clone() {
            let first = (warp * WARP_LANES) as u64;
            for (place, lane) in self.places[warp].0.iter_mut().zip(first..) {
                let at = *place;
                let inside = at < limit && bytes <= limit - at;
                *place = if inside { (at / 4 * lanes + lane) * 4 + at % 4 } else { u64::MAX };
            }
        }
    }

    /// The lanes of one warp, and the memory they go to.
    fn spots(&self, course: &Course<'_>, (warp, mask): (usize, u32)) -> Spots<'_> {
        let offsets = &self.places[warp].0;
        let (start, bytes) = match course.field {
            Field::Shared => {
                let block = (warp * WARP_LANES / self.threads) as u64;
                (block * self.shared_stride, self.job.shared_bytes.into())
            }
            Field::Device(region) => (0, region.bytes()),
            Field::Local => (0, self.local.bytes()),
        };
        Spots { start, bytes, offsets, mask }
    }

    pub(super) const fn region_of<'r>(&'r self, course: &Course<'r>) -> &'r Region {
        match course.field {
            Field::Shared => &self.shared,
            Field::Device(region) => region,
            Field::Local => &self.local,
        }
    }

    /// Loads of lanes that go each their own way; false where they must be looked at one by one.
    pub(super) fn load_scattered(&mut self, scope: &Scope, access: &Access) -> bool {
        let Some(course) = self.course_of_values(scope, access, Kind::Load) else { return false };
        for ((class, slot), i) in access.slots.iter().zip(0u64..) {
            if i > 0 {
                self.advance(scope, &course, access.ty.bytes().into());
            }
            let to = (*slot, self.keeps(scope, *class, *slot));
            let what = (scope, access.ty, &course);
            let done = match class {
                RegClass::B16 | RegClass::Predicate => self.gather::<u16>(what, to),
                RegClass::B32 => self.gather::<u32>(what, to),
                RegClass::B64 => self.gather::<u64>(what, to),
            };
            if !done {
                return false;
            }
        }
        true
    }

    /// Stores of lanes that go each their own way; false where they must be looked at one by one.
    pub(super) fn store_scattered(&mut self, scope: &Scope, access: &Access) -> bool {
        let Some(course) = self.course_of_values(scope, access, Kind::Store) else { return false };
        for ((class, slot), i) in access.slots.iter().zip(0u64..) {
            if i > 0 {
                self.advance(scope, &course, access.ty.bytes().into());
            }
            let what = (scope, access.ty, &course);
            let done = match class {
                RegClass::B16 | RegClass::Predicate => self.scatter::<u16>(what, *slot),
                RegClass::B32 => self.scatter::<u32>(what, *slot),
                RegClass::B64 => self.scatter::<u64>(what, *slot),
            };
            if !done {
                return false;
            }
        }
        true
    }

    /// The course of one value or several; none where a value in local memory would be torn.
    fn course_of_values(
        &mut self,
        scope: &Scope,
        access: &Access,
        kind: Kind,
    ) -> Option<Course<'a>> {
        let bytes = u64::from(access.ty.bytes());
        let all_bytes = bytes * access.slots.len() as u64;
        let course = self.course(scope, (access.address, access.space), all_bytes, kind)?;
        let torn = matches!(course.field, Field::Local) && bytes != 4 && all_bytes > 4;
        (!torn).then_some(course)
    }

    fn gather<T: Width>(
        &mut self,
        (scope, ty, course): (&Scope, Format, &Course<'_>),
        to: (SlotId, bool),
    ) -> bool {
        let mut target = T::file_mut(self).take(to.0, to.1);
        let (region, extension) = (self.region_of(course), Extension::of(ty));
        let done = by_bytes!(ty.bytes(), |W| self.each_warp(scope, course, |warp, spots| {
            let d = &mut target.chunks[warp].0;
            region.gather::<W>(spots, |lane, value| d[lane] = extension.apply(value))
        }));
        let isa = self.isa;
        finish(T::file_mut(self), isa, scope, to, target);
        done
    }

    fn scatter<T: Width>(
        &mut self,
        (scope, ty, course): (&Scope, Format, &Course<'_>),
        slot: SlotId,
    ) -> bool {
        T::file_mut(self).spell(slot);
        let (region, values) = (self.region_of(course), T::file(self).view(slot, 0));
        by_bytes!(ty.bytes(), |W| self.each_warp(scope, course, |warp, spots| {
            let values = values.chunk(warp);
            region.scatter::<W>(spots, |lane| values[lane].zero_extended() as W)
        }))
    }

    /// Runs `each` for every warp that has lanes here, as long as it answers true.
    pub(super) fn each_warp(
        &self,
        scope: &Scope,
        course: &Course<'_>,
        mut each: impl FnMut(usize, &Spots<'_>) -> bool,
    ) -> bool {
        let mut warps = scope.warps.clone().filter(|warp| scope.mask.0[*warp] != 0);
        warps.all(|warp| each(warp, &self.spots(course, (warp, scope.mask.0[warp]))))
    }

    /// The next value of each lane.
    fn advance(&mut self, scope: &Scope, course: &Course<'_>, bytes: u64) {
        // in local memory a lane's next word is a row further
        let step = match course.field {
            Field::Local if bytes == 4 => 4 * self.local_lanes as u64,
            _ => bytes,
        };
        for warp in scope.warps.clone() {
            self.places[warp].0.iter_mut().for_each(|place| *place = place.wrapping_add(step));
        }
    }
}
