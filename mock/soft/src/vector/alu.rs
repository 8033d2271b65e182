//! Steps that touch registers alone: on shapes where they suffice, by kernels where they do not.

use std::array;
use std::ops::Range;

use mock_ptx::ir::{Axis, Comparison, RegClass, SpecialRegister};

use super::code::{Combine, Compare, Logic, Step, Truth};
use super::file::{File, SlotId};
use super::interval::lanes_where;
use super::mask::Mask;
use super::rules;
use super::run::Scope;
use super::shape::{Affine, Bits, Extent};
use super::unit::{LaneFault, Unit};
use crate::eval::lanes::Lanes;
use crate::kernels::{Binary64, Chunk, Narrow, Numbers, View, Wide, Widen};
use crate::limits::WARP_LANES;
use crate::raw::Isa;

/// Writes the lanes whose bit is set.
type Blend<T> = fn(Isa, &mut [Chunk<T>], &[u32], &[Chunk<T>]);

/// `selp` by the bits of a mask.
type Choose<T> = fn(Isa, &mut [Chunk<T>], &[u32], View<'_, T>, View<'_, T>);

/// Runs a kernel into a slot of `to`; its sources have been spelled and are not in `to`, or `aside` says that they are.
fn write<T: Bits>(
    to: &mut File<T>,
    isa: Isa,
    scope: &Scope,
    (d, aside, keep): (SlotId, bool, bool),
    blend: Blend<T>,
    kernel: impl Fn(&File<T>, &mut [Chunk<T>], Range<usize>),
) {
    let mut target = to.take(d, aside || keep);
    for run in scope.warps.runs() {
        kernel(to, &mut target.chunks[run.clone()], run);
    }
    if keep {
        to.put_masked(d, target, scope.warps, &scope.mask, |d, masks, a| {
            blend(isa, d, masks, a);
        });
    } else {
        to.put(d, target);
    }
}

/// A step whose sources and result are in one file.
#[inline]
fn within<T: Bits, const N: usize>(
    file: &mut File<T>,
    (isa, scope): (Isa, &Scope),
    (d, keep): (SlotId, bool),
    sources: [SlotId; N],
    rule: impl FnOnce([Affine<T>; N], Extent) -> Option<Affine<T>>,
    blend: Blend<T>,
    kernel: impl Fn(&mut [Chunk<T>], [View<'_, T>; N]),
) {
    let aside = sources.contains(&d);
    if !keep && sources.iter().all(|s| file.is_known(*s)) {
        let zero = || Affine::uniform(T::default());
        let shapes: [_; N] = array::from_fn(|i| file.shape(sources[i]).unwrap_or_else(zero));
        if let Some(shape) = rule(shapes, file.extent()) {
            file.set_shape(d, shape);
            return;
        }
        if shapes.iter().all(Affine::is_uniform) {
            sources.iter().for_each(|s| file.spell(*s));
            let mut target = file.take(d, aside);
            kernel(&mut target.chunks[..1], array::from_fn(|i| file.view(sources[i], 0)));
            file.put_uniform(d, target);
            return;
        }
    }
    sources.iter().for_each(|s| file.spell(*s));
    write(file, isa, scope, (d, aside, keep), blend, |file, chunks, run| {
        kernel(chunks, array::from_fn(|i| file.view(sources[i], run.start)));
    });
}

/// A step from one file to another.
#[inline]
fn across<S: Bits, T: Bits, const N: usize>(
    (from, to): (&mut File<S>, &mut File<T>),
    (isa, scope): (Isa, &Scope),
    (d, keep): (SlotId, bool),
    sources: [SlotId; N],
    rule: impl FnOnce([Affine<S>; N], Extent) -> Option<Affine<T>>,
    blend: Blend<T>,
    kernel: impl Fn(&mut [Chunk<T>], [View<'_, S>; N]),
) {
    if !keep && sources.iter().all(|s| from.is_known(*s)) {
        let zero = || Affine::uniform(S::default());
        let shapes: [_; N] = array::from_fn(|i| from.shape(sources[i]).unwrap_or_else(zero));
        if let Some(shape) = rule(shapes, from.extent()) {
            to.set_shape(d, shape);
            return;
        }
        if shapes.iter().all(Affine::is_uniform) {
            sources.iter().for_each(|s| from.spell(*s));
            let mut target = to.take(d, false);
            kernel(&mut target.chunks[..1], array::from_fn(|i| from.view(sources[i], 0)));
            to.put_uniform(d, target);
            return;
        }
    }
    sources.iter().for_each(|s| from.spell(*s));
    write(to, isa, scope, (d, false, keep), blend, |_, chunks, run| {
        kernel(chunks, array::from_fn(|i| from.view(sources[i], run.start)));
    });
}

impl Unit<'_> {
    /// One step of the running path that needs nobody else.
    pub(super) fn step(&mut self, step: &Step, scope: &Scope) -> Result<(), LaneFault> {
        if !self.in_memory.is_empty() && self.fetching_step(step) {
            return Ok(());
        }
        let isa = self.isa;
        match *step {
            Step::Binary32 { op, d, a, b } => {
                let to = (d, self.keeps(scope, RegClass::B32, d));
                let rule = |[a, b]: [_; 2], extent| rules::binary32(op, &a, &b, extent);
                within(
                    &mut self.file32,
                    (isa, scope),
                    to,
                    [a, b],
                    rule,
                    Isa::blend32,
                    |d, [a, b]| {
                        isa.binary32(op, d, a, b);
                    },
                );
            }
            Step::Ternary32 { op, d, a, b, c } => {
                let to = (d, self.keeps(scope, RegClass::B32, d));
                let rule = |[a, b, c]: [_; 3], _| rules::ternary32(op, &a, &b, &c);
                let file = &mut self.file32;
                within(file, (isa, scope), to, [a, b, c], rule, Isa::blend32, |d, [a, b, c]| {
                    isa.ternary32(op, d, a, b, c);
                });
            }
            Step::Unary32 { op, d, a } => {
                let to = (d, self.keeps(scope, RegClass::B32, d));
                let rule = |[a]: [_; 1], extent| rules::unary32(op, &a, extent);
                within(&mut self.file32, (isa, scope), to, [a], rule, Isa::blend32, |d, [a]| {
                    isa.unary32(op, d, a);
                });
            }
            Step::Binary64 { op, d, a, b } => self.binary64(scope, op, d, a, b),
            Step::Ternary64 { op, d, a, b, c } => {
                let to = (d, self.keeps(scope, RegClass::B64, d));
                let rule = |[a, b, c]: [_; 3], _| rules::ternary64(op, &a, &b, &c);
                let file = &mut self.file64;
                within(file, (isa, scope), to, [a, b, c], rule, Isa::blend64, |d, [a, b, c]| {
                    isa.ternary64(op, d, a, b, c);
                });
            }
            Step::Unary64 { op, d, a } => {
                let to = (d, self.keeps(scope, RegClass::B64, d));
                let rule = |[a]: [_; 1], extent| rules::unary64(op, &a, extent);
                within(&mut self.file64, (isa, scope), to, [a], rule, Isa::blend64, |d, [a]| {
                    isa.unary64(op, d, a);
                });
            }
            Step::Copy16 { d, a } => {
                let to = (d, self.keeps(scope, RegClass::B16, d));
                let rule = |[a]: [_; 1], _| Some(a);
                within(&mut self.file16, (isa, scope), to, [a], rule, Isa::blend16, |d, [a]| {
                    isa.copy16(d, a);
                });
            }
            Step::Widen { op, d, a } => {
                let to = (d, self.keeps(scope, RegClass::B64, d));
                let files = (&mut self.file32, &mut self.file64);
                let rule = |[a]: [Affine<u32>; 1], extent| match op {
                    Widen::Signed => a.widened(extent, true),
                    Widen::Unsigned => a.widened(extent, false),
                    _ => None,
                };
                across(files, (isa, scope), to, [a], rule, Isa::blend64, |d, [a]| {
                    isa.widen(op, d, a)
                });
            }
            Step::Narrow { op, d, a } => self.narrow(scope, op, d, a),
            Step::Split { low, high, a } => {
                self.narrow(scope, Narrow::Low, low, a);
                self.narrow(scope, Narrow::High, high, a);
            }
            Step::Wide { op, d, a, b } => {
                let to = (d, self.keeps(scope, RegClass::B64, d));
                let files = (&mut self.file32, &mut self.file64);
                let rule = |[a, b]: [Affine<u32>; 2], extent| match op {
                    Wide::MulS => rules::wide_product(&a, &b, extent, true),
                    Wide::MulU => rules::wide_product(&a, &b, extent, false),
                    Wide::Join => None,
                };
                across(files, (isa, scope), to, [a, b], rule, Isa::blend64, |d, [a, b]| {
                    isa.wide(op, d, a, b);
                });
            }
            Step::Widen16 { op, d, a } => {
                let to = (d, self.keeps(scope, RegClass::B32, d));
                let files = (&mut self.file16, &mut self.file32);
                across(
                    files,
                    (isa, scope),
                    to,
                    [a],
                    |_, _| None,
                    Isa::blend32,
                    |d, [a]| {
                        isa.widen16(op, d, a);
                    },
                );
            }
            Step::Narrow16 { d, a } => {
                let to = (d, self.keeps(scope, RegClass::B16, d));
                let files = (&mut self.file32, &mut self.file16);
                let rule = |[a]: [Affine<u32>; 1], _| Some(a.narrowed());
                across(files, (isa, scope), to, [a], rule, Isa::blend16, |d, [a]| {
                    isa.narrow16(d, a)
                });
            }
            Step::Shift64 { op, d, a, b } => self.shift64(scope, op, d, a, b),
            Step::MadWide { signed, d, a, b, c } => self.mad_wide(scope, signed, d, [a, b, c]),
            Step::Compare(ref compare) => self.compare(scope, compare),
            Step::Choose16 { d, a, b, condition } => {
                let to = (d, self.keeps(scope, RegClass::B16, d));
                let when = self.holding(condition, &scope.mask);
                let file = &mut self.file16;
                choose(file, isa, scope, to, (&when, a, b), Isa::blend16, Isa::choose16);
            }
            Step::Choose32 { d, a, b, condition } => {
                let to = (d, self.keeps(scope, RegClass::B32, d));
                let when = self.holding(condition, &scope.mask);
                let file = &mut self.file32;
                choose(file, isa, scope, to, (&when, a, b), Isa::blend32, Isa::choose32);
            }
            Step::Choose64 { d, a, b, condition } => {
                let to = (d, self.keeps(scope, RegClass::B64, d));
                let when = self.holding(condition, &scope.mask);
                let file = &mut self.file64;
                choose(file, isa, scope, to, (&when, a, b), Isa::blend64, Isa::choose64);
            }
            Step::Logic { op, d, a, b } => self.logic(scope, op, d, a, b),
            Step::Special { d, class, register } => self.special_step(scope, d, class, register),
            Step::Frame { d, offset } => {
                let value = self.path.frame.wrapping_add(offset);
                self.set_uniform64(scope, d, value);
            }
            Step::Load(ref access) => return self.load_step(scope, access),
            Step::Store(ref access) => return self.store_step(scope, access),
            Step::Atomic(ref atomic) => return self.atomic_step(scope, atomic),
            Step::Nothing => {}
            Step::Single => return self.singly(scope),
            Step::Together | Step::Barrier | Step::Library => {
                debug_assert!(false, "the path's own loop does these");
            }
        }
        Ok(())
    }

    fn binary64(&mut self, scope: &Scope, op: Binary64, d: SlotId, a: SlotId, b: SlotId) {
        let isa = self.isa;
        let to = (d, self.keeps(scope, RegClass::B64, d));
        let rule = |[a, b]: [_; 2], extent| rules::binary64(op, &a, &b, extent);
        within(&mut self.file64, (isa, scope), to, [a, b], rule, Isa::blend64, |d, [a, b]| {
            isa.binary64(op, d, a, b);
        });
    }

    fn narrow(&mut self, scope: &Scope, op: Narrow, d: SlotId, a: SlotId) {
        let isa = self.isa;
        let to = (d, self.keeps(scope, RegClass::B32, d));
        let files = (&mut self.file64, &mut self.file32);
        let rule = |[a]: [Affine<u64>; 1], _| (op == Narrow::Low).then(|| a.narrowed());
        across(files, (isa, scope), to, [a], rule, Isa::blend32, |d, [a]| isa.narrow(op, d, a));
    }

    fn shift64(
        &mut self,
        scope: &Scope,
        op: crate::kernels::Shift64,
        d: SlotId,
        a: SlotId,
        b: SlotId,
    ) {
        let (isa, keep) = (self.isa, self.keeps(scope, RegClass::B64, d));
        let (from, to) = (&mut self.file32, &mut self.file64);
        let (value, by) = (to.shape(a), from.shape(b));
        if let (Some(value), Some(by)) = (value, by)
            && !keep
            && by.is_uniform()
        {
            if let Some(shape) = rules::shift64(op, &value, by.base) {
                to.set_shape(d, shape);
                return;
            }
            if value.is_uniform() {
                to.spell(a);
                from.spell(b);
                let mut target = to.take(d, d == a);
                isa.shift64(op, &mut target.chunks[..1], to.view(a, 0), from.view(b, 0));
                to.put_uniform(d, target);
                return;
            }
        }
        to.spell(a);
        from.spell(b);
        write(to, isa, scope, (d, d == a, keep), Isa::blend64, |to, chunks, run| {
            isa.shift64(op, chunks, to.view(a, run.start), from.view(b, run.start));
        });
    }

    fn mad_wide(&mut self, scope: &Scope, signed: bool, d: SlotId, [a, b, c]: [SlotId; 3]) {
        let (isa, keep) = (self.isa, self.keeps(scope, RegClass::B64, d));
        let (from, to) = (&mut self.file32, &mut self.file64);
        if let (Some(x), Some(y), Some(z)) = (from.shape(a), from.shape(b), to.shape(c))
            && !keep
            && let Some(product) = rules::wide_product(&x, &y, from.extent(), signed)
        {
            to.set_shape(d, product.plus(&z));
            return;
        }
        from.spell(a);
        from.spell(b);
        to.spell(c);
        write(to, isa, scope, (d, d == c, keep), Isa::blend64, |to, chunks, run| {
            let (a, b) = (from.view(a, run.start), from.view(b, run.start));
            isa.mad_wide(signed, chunks, a, b, to.view(c, run.start));
        });
    }

    fn compare(&mut self, scope: &Scope, compare: &Compare) {
        let Compare { comparison, numbers, class, a, b, .. } = *compare;
        let isa = self.isa;
        let extent = self.extent();
        let known = match class {
            RegClass::B32 => both(self.file32.shape(a), self.file32.shape(b))
                .and_then(|(a, b)| known(comparison, numbers, &a, &b, extent)),
            RegClass::B64 => both(self.file64.shape(a), self.file64.shape(b))
                .and_then(|(a, b)| known(comparison, numbers, &a, &b, extent)),
            RegClass::B16 | RegClass::Predicate => None,
        };
        let mut answers = Mask::EMPTY;
        if let Some(known) = known {
            answers = known.and(&scope.mask);
        } else {
            match class {
                RegClass::B64 => {
                    test(&mut self.file64, scope, &mut answers, [a, b], |d, a, b| {
                        isa.compare64(comparison, numbers, d, a, b);
                    });
                }
                RegClass::B32 => {
                    test(&mut self.file32, scope, &mut answers, [a, b], |d, a, b| {
                        isa.compare32(comparison, numbers, d, a, b);
                    });
                }
                RegClass::B16 | RegClass::Predicate => {
                    let signed = numbers == Numbers::Signed;
                    test(&mut self.file16, scope, &mut answers, [a, b], |d, a, b| {
                        isa.compare16(comparison, signed, d, a, b);
                    });
                }
            }
        }
        let yes = self.joined(compare.combine, &answers, &scope.mask);
        if let Some(complement) = compare.complement {
            let no = self.joined(compare.combine, &scope.mask.without(&answers), &scope.mask);
            self.set_predicate(compare.dst, &yes, &scope.mask);
            self.set_predicate(Some(complement), &no, &scope.mask);
        } else {
            self.set_predicate(compare.dst, &yes, &scope.mask);
        }
    }

    /// Answers joined with a third predicate.
    fn joined(&self, with: Combine, answers: &Mask, mask: &Mask) -> Mask {
        use mock_ptx::ir::BooleanOp;
        let Some((op, guard)) = with else { return *answers };
        let other = self.holding(guard, mask);
        match op {
            BooleanOp::And => answers.and(&other),
            BooleanOp::Or => answers.or(&other),
            BooleanOp::Xor => answers.or(&other).without(&answers.and(&other)),
        }
    }

    fn set_predicate(&mut self, predicate: Option<u32>, answers: &Mask, mask: &Mask) {
        if let Some(predicate) = predicate {
            let words = &mut self.predicates[predicate as usize];
            *words = words.without(mask).or(&answers.and(mask));
        }
    }

    fn logic(&mut self, scope: &Scope, op: Logic, d: u32, a: Truth, b: Truth) {
        let mask = scope.mask;
        let words = |truth| match truth {
            Truth::Register(p) => self.predicates[p as usize].and(&mask),
            Truth::Known(true) => mask,
            Truth::Known(false) => Mask::EMPTY,
        };
        let (a, b) = (words(a), words(b));
        let answers = match op {
            Logic::Copy => a,
            Logic::Not => mask.without(&a),
            Logic::And => a.and(&b),
            Logic::Or => a.or(&b),
            Logic::Xor => a.or(&b).without(&a.and(&b)),
        };
        self.set_predicate(Some(d), &answers, &mask);
    }

    fn special_step(
        &mut self,
        scope: &Scope,
        d: SlotId,
        class: RegClass,
        register: SpecialRegister,
    ) {
        let keep = self.keeps(scope, class, d);
        let shape = if keep { None } else { self.special_shape(register) };
        match (class, shape) {
            (RegClass::B64, Some(shape)) => self.file64.set_shape(d, shape),
            (_, Some(shape)) => self.file32.set_shape(d, shape.narrowed()),
            (_, None) => {
                let reg = mock_ptx::ir::Reg::new(class, d);
                for lane in scope.mask.lanes() {
                    let value = self.special(lane, register);
                    self.set_register(lane, reg, value);
                }
            }
        }
    }

    /// A special register as a shape, where it has one.
    fn special_shape(&self, register: SpecialRegister) -> Option<Affine<u64>> {
        use SpecialRegister as R;
        let joined = self.blocks > 1;
        let along = |axis: usize| {
            let mut step = [0; 3];
            step[axis] = 1;
            Some(Affine { base: 0, step })
        };
        match register {
            R::Tid(Axis::X) => along(0),
            R::Tid(Axis::Y) => along(1),
            R::Tid(Axis::Z) if !joined => along(2),
            R::Ctaid(Axis::X) | R::ClusterId(Axis::X) if joined => {
                Some(Affine { base: self.first[0].into(), step: [0, 0, 1] })
            }
            // blocks that lie side by side are flat
            R::Tid(Axis::Z) => Some(Affine::uniform(0)),
            R::LaneId if self.extent().0[0] == WARP_LANES as u32 => along(0),
            R::LaneId
            | R::WarpId
            | R::LanemaskEq
            | R::LanemaskGe
            | R::LanemaskGt
            | R::LanemaskLe
            | R::LanemaskLt => None,
            _ => Some(Affine::uniform(self.special(0, register))),
        }
    }

    /// Gives a 64-bit register one number in all lanes of the scope.
    fn set_uniform64(&mut self, scope: &Scope, d: SlotId, value: u64) {
        if !self.keeps(scope, RegClass::B64, d) {
            self.file64.set_shape(d, Affine::uniform(value));
            return;
        }
        for lane in scope.mask.lanes() {
            self.file64.set_lane(d, lane, value);
        }
    }
}

/// Compares lanes of a file.
fn test<T: Bits>(
    file: &mut File<T>,
    scope: &Scope,
    answers: &mut Mask,
    sources: [SlotId; 2],
    kernel: impl Fn(&mut [u32], View<'_, T>, View<'_, T>),
) {
    sources.iter().for_each(|s| file.spell(*s));
    for run in scope.warps.runs() {
        let [a, b] = sources.map(|s| file.view(s, run.start));
        kernel(&mut answers.0[run], a, b);
    }
}

/// The lanes for which a comparison of shapes holds, where they tell.
fn known<T: Bits>(
    comparison: Comparison,
    numbers: Numbers,
    a: &Affine<T>,
    b: &Affine<T>,
    extent: Extent,
) -> Option<Mask> {
    match rules::compare(comparison, numbers, a, b, extent) {
        Some(true) => Some(Mask::EVERY),
        Some(false) => Some(Mask::EMPTY),
        None => lanes_where(comparison, numbers, a, b, extent),
    }
}

const fn both<A: Copy, B: Copy>(a: Option<A>, b: Option<B>) -> Option<(A, B)> {
    match (a, b) {
        (Some(a), Some(b)) => Some((a, b)),
        _ => None,
    }
}

/// `selp`: a copy where the condition is the same in all lanes.
fn choose<T: Bits>(
    file: &mut File<T>,
    isa: Isa,
    scope: &Scope,
    (d, keep): (SlotId, bool),
    (when, a, b): (&Mask, SlotId, SlotId),
    blend: Blend<T>,
    kernel: Choose<T>,
) {
    if !keep {
        let chosen = if *when == scope.mask {
            file.shape(a)
        } else if when.is_empty() {
            file.shape(b)
        } else {
            None
        };
        if let Some(shape) = chosen {
            file.set_shape(d, shape);
            return;
        }
    }
    [a, b].into_iter().for_each(|s| file.spell(s));
    write(file, isa, scope, (d, d == a || d == b, keep), blend, |file, chunks, run| {
        let (a, b) = (file.view(a, run.start), file.view(b, run.start));
        kernel(isa, chunks, &when.0[run], a, b);
    });
}
