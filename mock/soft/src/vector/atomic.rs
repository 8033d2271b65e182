//! Atomics of a whole unit: lane after lane, in order, as the reference engine does them.

use std::marker::PhantomData;

use mock_ptx::ir::{AtomicOp, RegClass, Type};

use super::code::{At, Atomic};
use super::mask::Mask;
use super::run::Scope;
use super::scattered::{Course, Field};
use super::shape::Bits;
use super::unit::{LaneFault, Unit};
use super::width::{Width, finish};
use crate::eval::atomic::{commutes, new_value, new_value_in_global};
use crate::kernels::View;
use crate::limits::WARP_LANES;
use crate::memory::Access;
use crate::raw::Loop;

impl Unit<'_> {
    /// An atomic of the running path.
    pub(super) fn atomic_step(&mut self, scope: &Scope, atomic: &Atomic) -> Result<(), LaneFault> {
        let bytes = atomic.ty.bytes().into();
        let at = (atomic.address, atomic.space);
        let course = self.course(scope, at, (bytes, 1), Access::Atomic);
        let done = course.is_some_and(|course| match atomic.ty.bits() {
            64 => self.atomic_of::<u64>(scope, atomic, &course, RegClass::B64),
            _ => self.atomic_of::<u32>(scope, atomic, &course, RegClass::B32),
        });
        if done { Ok(()) } else { self.singly(scope) }
    }

    /// Does it, where all lanes may; false, and nothing done, where one may not.
    fn atomic_of<T: Width>(
        &mut self,
        scope: &Scope,
        atomic: &Atomic,
        course: &Course<'_>,
        class: RegClass,
    ) -> bool {
        let allowed = self.isa.run(Allowed::<T> { unit: self, scope, course, word: PhantomData });
        if !allowed || matches!(course.field, Field::Local) {
            return false;
        }
        [Some(atomic.value), atomic.compare]
            .into_iter()
            .flatten()
            .for_each(|slot| T::file_mut(self).spell(slot));
        match atomic.dst {
            None if self.is_one_place(atomic) && commutes(atomic.op, atomic.ty) => {
                self.agree::<T>(scope, atomic, course);
            }
            None => self.amend::<T>(scope, atomic, course, |_, _, _| {}),
            Some(d) => {
                let keep = self.keeps(scope, class, d);
                let aside = keep || d == atomic.value || Some(d) == atomic.compare;
                let mut target = T::file_mut(self).take(d, aside);
                self.amend::<T>(scope, atomic, course, |warp, lane, old| {
                    target.chunks[warp].0[lane] = old;
                });
                let isa = self.isa;
                finish(T::file_mut(self), isa, scope, (d, keep), target);
            }
        }
        true
    }

    /// Whether all lanes of a block go to the same place.
    fn is_one_place(&self, atomic: &Atomic) -> bool {
        match atomic.address {
            At::Window(_) | At::Frame(_) => true,
            At::Pointer(pointer) => {
                self.file64.shape(pointer.base).is_some_and(|shape| shape.is_uniform())
            }
            At::Pointer32(pointer) => {
                self.file32.shape(pointer.base).is_some_and(|shape| shape.is_uniform())
            }
        }
    }

    /// All lanes meet at one place, and nobody asks what was there: those of a block agree first.
    fn agree<T: Width>(&self, scope: &Scope, atomic: &Atomic, course: &Course<'_>) {
        let (op, ty) = (atomic.op, atomic.ty);
        let join = |a: T, b: T| T::cut(new_value(op, ty, a.zero_extended(), b.zero_extended(), 0));
        for block in 0..self.blocks {
            let lanes = scope.mask.and(&self.lanes_of(block));
            let values = T::file(self).view(atomic.value, 0);
            let own = |lane: usize| values.chunk(lane / WARP_LANES)[lane % WARP_LANES];
            let Some(first) = lanes.lowest() else { continue };
            let Some(all) = lanes.lanes().map(own).reduce(join) else { continue };
            let mut one = Mask::EMPTY;
            one.add(first);
            let alone = self.scope(one, scope.keep);
            let region = self.region_of(course);
            self.each_warp(&alone, course, |_, spots| {
                region.amend(spots, |_, old: T| join(old, all))
            });
        }
    }

    /// Each lane's update, in order; `keep` gets the old values.
    fn amend<T: Width>(
        &self,
        scope: &Scope,
        atomic: &Atomic,
        course: &Course<'_>,
        mut keep: impl FnMut(usize, usize, T),
    ) {
        let (op, ty) = (atomic.op, atomic.ty);
        let values = T::file(self).view(atomic.value, 0);
        let compares = atomic.compare.map(|slot| T::file(self).view(slot, 0));
        let own = matches!(course.field, Field::Shared);
        let region = self.region_of(course);
        if own && op == AtomicOp::Add && !ty.is_float() {
            self.isa.run(Sums { unit: self, scope, course, values, keep });
            return;
        }
        self.each_warp(scope, course, |warp, spots| {
            let value = values.chunk(warp);
            let compare = compares.as_ref().map(|view| view.chunk(warp));
            let mut new = |lane: usize, old: T| {
                let compare = compare.map_or_else(T::default, |compare| compare[lane]);
                keep(warp, lane, old);
                new_of(own, (op, ty), old, value[lane], compare)
            };
            if own { region.revise(spots, new) } else { region.amend(spots, &mut new) }
        });
    }
}

/// Whether every lane may.
struct Allowed<'a, T> {
    unit: &'a Unit<'a>,
    scope: &'a Scope,
    course: &'a Course<'a>,
    word: PhantomData<T>,
}

impl<T: Width> Loop for Allowed<'_, T> {
    type Output = bool;

    #[inline(always)]
    fn run(self) -> bool {
        let region = self.unit.region_of(self.course);
        self.unit.each_warp(self.scope, self.course, |_, spots| region.takes::<T>(spots))
    }
}

/// Sums in shared memory: nobody else reaches what is this unit's own.
struct Sums<'s, T, K> {
    unit: &'s Unit<'s>,
    scope: &'s Scope,
    course: &'s Course<'s>,
    values: View<'s, T>,
    /// Gets the old values.
    keep: K,
}

impl<T: Width, K: FnMut(usize, usize, T)> Loop for Sums<'_, T, K> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { unit, scope, course, values, mut keep } = self;
        let region = unit.region_of(course);
        unit.each_warp(scope, course, |warp, spots| {
            let value = values.chunk(warp);
            region.revise(spots, |lane, old: T| {
                keep(warp, lane, old);
                old.plus(value[lane])
            })
        });
    }
}

/// The new value, in the unit's own memory or in the device's.
fn new_of<T: Bits>(own: bool, (op, ty): (AtomicOp, Type), old: T, value: T, compare: T) -> T {
    let [old, value, compare] = [old, value, compare].map(T::zero_extended);
    let new = if own { new_value } else { new_value_in_global };
    T::cut(new(op, ty, old, value, compare))
}
