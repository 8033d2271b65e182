//! Atomics of a whole unit: lane after lane, in order, as the reference engine does them.

use mock_ptx::ir::{AtomicOp, RegClass, Space, Type};

use super::code::{At, Atomic};
use super::file::File;
use super::run::Scope;
use super::shape::{Affine, Bits};
use super::unit::{LaneFault, Unit};
use crate::eval::atomic::{commutes, new_value};
use crate::kernels::View;
use crate::launch::job::{self, Job};
use crate::limits::WARP_LANES;
use crate::memory::{Access, AccessError, Place};
use crate::raw::{Region, Word};

/// Where each lane's address comes from.
enum Pointers<'f> {
    Shape(Affine<u64>),
    Lanes(View<'f, u64>, u64),
}

impl Pointers<'_> {
    fn at(&self, lane: usize, coordinates: impl FnOnce() -> [u32; 3]) -> u64 {
        match self {
            Self::Shape(shape) if shape.is_uniform() => shape.base,
            Self::Shape(shape) => shape.at(coordinates()),
            Self::Lanes(view, offset) => {
                view.chunk(lane / WARP_LANES)[lane % WARP_LANES].wrapping_add(*offset)
            }
        }
    }
}

/// The unit's own memory, and the device's with the place that was last found in it.
struct Memory<'u, 'a> {
    job: &'u Job<'a>,
    shared: &'u Region,
    space: Space,
    last: Option<(u64, &'u Region)>,
}

impl Memory<'_, '_> {
    /// Replaces the value at an address by a function of it.
    #[inline]
    fn update<T: Bits + Word>(
        &mut self,
        address: u64,
        new: impl Fn(T) -> T,
    ) -> Result<T, AccessError> {
        let bytes = size_of::<T>() as u64;
        let (space, address) = job::resolve(self.space, address);
        if space == Space::Shared {
            let size = self.shared.bytes();
            job::check("shared", size, address, bytes, Access::Atomic)?;
            let old: T = self.shared.load(address);
            self.shared.store(address, new(old));
            return Ok(old);
        }
        if let Some((start, region)) = self.last {
            let offset = address.wrapping_sub(start);
            if address.is_multiple_of(bytes)
                && offset < region.bytes()
                && bytes <= region.bytes() - offset
            {
                return Ok(region.update(offset, new));
            }
        }
        let Place { region, offset } = self.job.map.place(address, bytes, Access::Atomic)?;
        self.last = Some((address - offset, region));
        Ok(region.update(offset, new))
    }
}

impl Unit<'_> {
    /// An atomic of the running path; false where an address lies in local memory or cannot be followed here.
    pub(super) fn atomic_step(&mut self, scope: &Scope, atomic: &Atomic) -> Result<(), LaneFault> {
        if self.is_elsewhere(scope, atomic) {
            return self.singly(scope);
        }
        if atomic.ty.bits() == 64 {
            self.atomic64(scope, atomic)
        } else {
            self.atomic32(scope, atomic)
        }
    }

    /// Whether any lane's address is outside of shared and global memory.
    fn is_elsewhere(&mut self, scope: &Scope, atomic: &Atomic) -> bool {
        let here = |space: Space| matches!(space, Space::Shared | Space::Global | Space::Constant);
        if atomic.space != Space::Generic {
            return !here(atomic.space);
        }
        let extent = self.extent();
        let (space, pointers) = (atomic.space, self.pointers(atomic));
        scope
            .mask
            .lanes()
            .any(|lane| !here(job::resolve(space, pointers.at(lane, || extent.of(lane))).0))
    }

    fn pointers(&self, atomic: &Atomic) -> Pointers<'_> {
        match atomic.address {
            At::Window(offset) => Pointers::Shape(Affine::uniform(offset)),
            At::Frame(offset) => {
                Pointers::Shape(Affine::uniform(self.path.frame.wrapping_add(offset)))
            }
            At::Pointer(pointer) | At::Pointer32(pointer) => {
                match self.file64.shape(pointer.base) {
                    Some(shape) => Pointers::Shape(shape.plus(&Affine::uniform(pointer.offset))),
                    None => Pointers::Lanes(self.file64.view(pointer.base, 0), pointer.offset),
                }
            }
        }
    }

    fn atomic32(&mut self, scope: &Scope, atomic: &Atomic) -> Result<(), LaneFault> {
        [Some(atomic.value), atomic.compare]
            .into_iter()
            .flatten()
            .for_each(|s| self.file32.spell(s));
        let keep = atomic.dst.is_some_and(|d| self.keeps(scope, RegClass::B32, d));
        let aside =
            keep || atomic.dst.is_some_and(|d| d == atomic.value || Some(d) == atomic.compare);
        let mut target = atomic.dst.map(|d| self.file32.take(d, aside));
        let extent = self.extent();
        let pointers = self.pointers(atomic);
        let one_place = matches!(&pointers, Pointers::Shape(shape) if shape.is_uniform());
        let at = |lane: usize| pointers.at(lane, || extent.of(lane));
        let mut memory =
            Memory { job: self.job, shared: &self.shared, space: atomic.space, last: None };
        let outcome =
            run(&self.file32, scope, (atomic, one_place), at, &mut memory, |lane, old| {
                if let Some(target) = &mut target {
                    target.chunks[lane / WARP_LANES].0[lane % WARP_LANES] = old;
                }
            });
        if let (Some(d), Some(target)) = (atomic.dst, target) {
            let isa = self.isa;
            if keep {
                let warps = scope.warps.clone();
                self.file32
                    .put_masked(d, target, warps, &scope.mask, |d, m, a| isa.blend32(d, m, a));
            } else {
                self.file32.put(d, target);
            }
        }
        outcome
    }

    fn atomic64(&mut self, scope: &Scope, atomic: &Atomic) -> Result<(), LaneFault> {
        [Some(atomic.value), atomic.compare]
            .into_iter()
            .flatten()
            .for_each(|s| self.file64.spell(s));
        let mut olds = Vec::new();
        let extent = self.extent();
        let pointers = self.pointers(atomic);
        let one_place = matches!(&pointers, Pointers::Shape(shape) if shape.is_uniform());
        let at = |lane: usize| pointers.at(lane, || extent.of(lane));
        let mut memory =
            Memory { job: self.job, shared: &self.shared, space: atomic.space, last: None };
        let outcome =
            run(&self.file64, scope, (atomic, one_place), at, &mut memory, |lane, old| {
                olds.push((lane, old));
            });
        if let Some(d) = atomic.dst {
            olds.into_iter().for_each(|(lane, old)| self.file64.set_lane(d, lane, old));
        }
        outcome
    }
}

/// Each lane's update, in order; `keep` gets the old values.
fn run<T: Bits + Word>(
    file: &File<T>,
    scope: &Scope,
    (atomic, one_place): (&Atomic, bool),
    at: impl Fn(usize) -> u64,
    memory: &mut Memory<'_, '_>,
    mut keep: impl FnMut(usize, T),
) -> Result<(), LaneFault> {
    let values = file.view(atomic.value, 0);
    let value = |lane: usize| values.chunk(lane / WARP_LANES)[lane % WARP_LANES];
    let (op, ty) = (atomic.op, atomic.ty);
    if one_place && atomic.dst.is_none() && commutes(op, ty) {
        // All lanes meet at one place, and nobody asks what was there: they agree first.
        let first = scope.mask.lowest().unwrap_or(0);
        let join = |a: T, b: T| T::cut(new_value(op, ty, a.zero_extended(), b.zero_extended(), 0));
        if let Some(all) = scope.mask.lanes().map(value).reduce(join) {
            let updated = memory.update(at(first), |old: T| join(old, all));
            updated.map_err(|error| (first, error.into()))?;
        }
        return Ok(());
    }
    let plain_add = op == AtomicOp::Add && !ty.is_float();
    for lane in scope.mask.lanes() {
        let own = value(lane);
        let compare = atomic.compare.map_or_else(T::default, |s| {
            file.view(s, 0).chunk(lane / WARP_LANES)[lane % WARP_LANES]
        });
        let old = if plain_add {
            memory.update(at(lane), |old: T| old.plus(own))
        } else {
            memory.update(at(lane), |old: T| new_of(op, ty, old, own, compare))
        };
        keep(lane, old.map_err(|error| (lane, error.into()))?);
    }
    Ok(())
}

fn new_of<T: Bits>(op: AtomicOp, ty: Type, old: T, value: T, compare: T) -> T {
    let [old, value, compare] = [old, value, compare].map(T::zero_extended);
    T::cut(new_value(op, ty, old, value, compare))
}
