//! Loads, stores and atomics whose lanes go each their own way: every lane's place is worked out first, then all are checked, then all
//! are done. Where one lane may not, nothing has been done yet and the caller goes lane by lane, to find out which.

use std::marker::PhantomData;

use mock_ptx::ir::{RegClass, Space};

use super::code::{Access, At, Format, Pointer};
use super::file::SlotId;
use super::rows::{Extension, by_bytes};
use super::run::Scope;
use super::unit::Unit;
use super::width::{Width, finish};
use crate::kernels::chunk::map1;
use crate::kernels::{Chunk, View};
use crate::launch::job;
use crate::limits::WARP_LANES;
use crate::memory::{Access as Kind, Place};
use crate::raw::{Loop, Region, Spots, Word};

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
        (bytes, values): (u64, usize),
        kind: Kind,
    ) -> Option<Course<'a>> {
        let bytes = bytes * values as u64;
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
        let (warps, isa) = (scope.warps.span(), self.isa);
        let places = &mut self.places[warps.clone()];
        isa.run(Aim {
            pointers: match address {
                At::Pointer(Pointer { base, .. }) => {
                    Pointers::Wide(self.file64.view(base, warps.start), offset.wrapping_sub(origin))
                }
                At::Pointer32(Pointer { base, .. }) => {
                    Pointers::Narrow(self.file32.view(base, warps.start), offset as u32, origin)
                }
                At::Window(_) | At::Frame(_) => Pointers::One(offset.wrapping_sub(origin)),
            },
            places,
        });
        // of one value alone, that is seen where it is moved
        if values > 1 && !isa.run(Aligned { places, masks: &scope.mask.0[warps], bytes }) {
            return None;
        }
        if matches!(field, Field::Local) {
            self.interleave(scope, bytes);
        }
        Some(Course { field })
    }

    /// From addresses in local memory to places in it: the words of all lanes lie side by side. What is outside stays outside.
    fn interleave(&mut self, scope: &Scope, bytes: u64) {
        let warps = scope.warps.span();
        self.isa.run(Interleave {
            first: (warps.start * WARP_LANES) as u64,
            places: &mut self.places[warps],
            lanes: self.local_lanes as u64,
            limit: self.job.local_bytes,
            bytes,
        });
    }

    /// The lanes of one warp, and the memory they go to.
    #[inline(always)]
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
        let values = access.slots.len();
        let course = self.course(scope, (access.address, access.space), (bytes, values), kind)?;
        let torn = matches!(course.field, Field::Local) && bytes != 4 && bytes * values as u64 > 4;
        (!torn).then_some(course)
    }

    fn gather<T: Width>(
        &mut self,
        (scope, ty, course): (&Scope, Format, &Course<'_>),
        to: (SlotId, bool),
    ) -> bool {
        let mut target = T::file_mut(self).take(to.0, to.1);
        let (isa, d, extension) = (self.isa, &mut target.chunks[..], Extension::of(ty));
        let done = by_bytes!(ty.bytes(), |W| {
            isa.run(Gather::<W, T> { unit: self, scope, course, d, extension, word: PhantomData })
        });
        finish(T::file_mut(self), isa, scope, to, target);
        done
    }

    fn scatter<T: Width>(
        &mut self,
        (scope, ty, course): (&Scope, Format, &Course<'_>),
        slot: SlotId,
    ) -> bool {
        T::file_mut(self).spell(slot);
        let values = T::file(self).view(slot, 0);
        by_bytes!(ty.bytes(), |W| {
            self.isa.run(Scatter::<W, T> { unit: self, scope, course, values, word: PhantomData })
        })
    }

    /// Runs `each` for every warp that has lanes here, as long as it answers true.
    #[inline(always)]
    pub(super) fn each_warp(
        &self,
        scope: &Scope,
        course: &Course<'_>,
        mut each: impl FnMut(usize, &Spots<'_>) -> bool,
    ) -> bool {
        scope.warps.each().all(|warp| each(warp, &self.spots(course, (warp, scope.mask.0[warp]))))
    }

    /// The next value of each lane.
    fn advance(&mut self, scope: &Scope, course: &Course<'_>, bytes: u64) {
        // in local memory a lane's next word is a row further
        let step = match course.field {
            Field::Local if bytes == 4 => 4 * self.local_lanes as u64,
            _ => bytes,
        };
        for warp in scope.warps.each() {
            self.places[warp].0.iter_mut().for_each(|place| *place = place.wrapping_add(step));
        }
    }
}

/// What lanes hold that says where they go.
#[derive(Clone, Copy)]
enum Pointers<'p> {
    /// Pointers, and what is added.
    Wide(View<'p, u64>, u64),
    /// Pointers of 32 bits, what is added in 32 bits, and what is taken away then.
    Narrow(View<'p, u32>, u32, u64),
    /// The same for all.
    One(u64),
}

/// From pointers to places.
struct Aim<'p> {
    pointers: Pointers<'p>,
    places: &'p mut [Chunk<u64>],
}

impl Loop for Aim<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        match self.pointers {
            Pointers::Wide(pointers, shift) => {
                map1(self.places, pointers, |at: u64| at.wrapping_add(shift));
            }
            Pointers::Narrow(pointers, offset, origin) => map1(self.places, pointers, |at: u32| {
                u64::from(at.wrapping_add(offset)).wrapping_sub(origin)
            }),
            Pointers::One(place) => self.places.fill(Chunk([place; WARP_LANES])),
        }
    }
}

/// Whether the places of all lanes that go are multiples.
struct Aligned<'p> {
    places: &'p [Chunk<u64>],
    masks: &'p [u32],
    bytes: u64,
}

impl Loop for Aligned<'_> {
    type Output = bool;

    #[inline(always)]
    fn run(self) -> bool {
        self.places.iter().zip(self.masks).all(|(places, mask)| {
            let spots = Spots { start: 0, bytes: 0, offsets: &places.0, mask: *mask };
            spots.bits() & (self.bytes - 1) == 0
        })
    }
}

/// From a lane's own addresses to those of the words that lie interleaved.
struct Interleave<'p> {
    places: &'p mut [Chunk<u64>],
    /// The number of the first lane.
    first: u64,
    /// Words from one of a lane to its next.
    lanes: u64,
    limit: u64,
    bytes: u64,
}

impl Loop for Interleave<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { places, first, lanes, limit, bytes } = self;
        let Some(last) = limit.checked_sub(bytes) else {
            return places.fill(Chunk([u64::MAX; WARP_LANES]));
        };
        for (warp, places) in places.iter_mut().enumerate() {
            let first = first + (warp * WARP_LANES) as u64;
            let own = places.0;
            for (i, at) in own.into_iter().enumerate() {
                let inside = at.min(last);
                let there = (inside / 4 * lanes + first + i as u64) * 4 + inside % 4;
                places.0[i] = if at == inside { there } else { u64::MAX };
            }
        }
    }
}

/// A load of each lane's own.
struct Gather<'g, W, T> {
    unit: &'g Unit<'g>,
    scope: &'g Scope,
    course: &'g Course<'g>,
    d: &'g mut [Chunk<T>],
    extension: Extension,
    word: PhantomData<W>,
}

impl<W: Word, T: Width> Loop for Gather<'_, W, T> {
    type Output = bool;

    #[inline(always)]
    fn run(self) -> bool {
        let Self { unit, scope, course, d, extension, .. } = self;
        let region = unit.region_of(course);
        unit.each_warp(scope, course, |warp, spots| {
            let d = &mut d[warp].0;
            region.gather::<W>(spots, |lane, value| d[lane] = extension.apply(value))
        })
    }
}

/// A store of each lane's own.
struct Scatter<'s, W, T> {
    unit: &'s Unit<'s>,
    scope: &'s Scope,
    course: &'s Course<'s>,
    values: View<'s, T>,
    word: PhantomData<W>,
}

impl<W: Word, T: Width> Loop for Scatter<'_, W, T> {
    type Output = bool;

    #[inline(always)]
    fn run(self) -> bool {
        let Self { unit, scope, course, values, .. } = self;
        let region = unit.region_of(course);
        unit.each_warp(scope, course, |warp, spots| {
            let values = values.chunk(warp);
            region.scatter::<W>(spots, |lane| W::narrow(values[lane].zero_extended()))
        })
    }
}
