//! Loads that wait for the one step that reads them, which then takes its operand straight from memory.
//!
//! ```text
//!   lowering:  load d ── only steps that write no memory and wait for nobody ──▶ the one reader of d
//!   running:   places are checked, and kept ───────────────────────────────────▶ an operand is what lies there
//! ```
//! A load whose places have no shape, or that not all lanes take part in, is done at once as any other; its reader finds a register.
//! Loads that other blocks' writes are ordered against never wait: volatile, relaxed and acquiring ones, and those before a fence.

use mock_ptx::ir::{Coherence, Kernel, Op, Ordering, Reg, RegClass, Role, Space};

use super::access::{Owner, Rows};
use super::code::{Access, Guarded, Step};
use super::file::SlotId;
use super::live::{Live, Side};
use super::rows::expect_behind;
use super::shape::Affine;
use super::unit::Unit;
use crate::raw::{HALF_LANES, Place, Walks, lanes, lanes_mut};

/// A register whose lanes are still in memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct InMemory<'a> {
    slot: SlotId,
    of: Owner<'a>,
    offsets: Affine<u64>,
}

/// Steps from a load to its reader, at most.
const STEPS_MAX: usize = 64;

/// Marks the loads of a block that may wait.
pub(super) fn mark(kernel: &Kernel, block: usize, live: &Live, steps: &mut [Guarded]) {
    if !steps.iter().any(|guarded| loads(&guarded.step).is_some()) {
        return;
    }
    let touched = touched(kernel, block, live);
    for place in 0..steps.len() {
        let Some(slot) = loads(&steps[place].step) else { continue };
        if !is_weak(&kernel.blocks[block].instructions[place].op) {
            continue;
        }
        let mut rest = steps.iter().zip(&touched).skip(place + 1).take(STEPS_MAX);
        let first_use = rest.find_map(|(guarded, touched)| {
            match touched.iter().find(|touched| touched.slot == slot) {
                Some(touched) => Some(touched.is_last_read && fetches(guarded)),
                None => (!lets_pass(&guarded.step)).then_some(false),
            }
        });
        let waits = first_use.unwrap_or(false);
        if let Step::Load(access) = &mut steps[place].step {
            access.waits = waits;
        }
    }
}

/// A 32-bit register that an instruction reads or writes.
struct Touched {
    slot: SlotId,
    /// It is read, and nobody wants the value any more.
    is_last_read: bool,
}

/// What each instruction of a block reads and writes, the former first.
fn touched(kernel: &Kernel, block: usize, live: &Live) -> Vec<Vec<Touched>> {
    let instructions = &kernel.blocks[block].instructions;
    let mut all: Vec<_> = instructions.iter().map(|_| Vec::new()).collect();
    live.walk(kernel, block, |place, side, behind| {
        if side == Side::Before {
            return;
        }
        let (mut read, mut written) = (Vec::new(), Vec::new());
        instructions[place].clone().for_each_register(|reg: &mut Reg, role| {
            if reg.class() == RegClass::B32 {
                let slots = if role == Role::Read { &mut read } else { &mut written };
                slots.push(reg.index() as SlotId);
            }
        });
        let wanted = |slot: SlotId| behind.has(live.numbering().of(RegClass::B32, slot as usize));
        let reads = read.iter().map(|slot| Touched {
            slot: *slot,
            is_last_read: written.contains(slot) || !wanted(*slot),
        });
        let writes = written.iter().map(|slot| Touched { slot: *slot, is_last_read: false });
        all[place] = reads.chain(writes).collect();
    });
    all
}

/// The register of a load that could wait.
fn loads(step: &Step) -> Option<SlotId> {
    let Step::Load(access) = step else { return None };
    match *access.slots {
        [(RegClass::B32, slot)] if access.ty.bytes() == 4 && access.space != Space::Local => {
            Some(slot)
        }
        _ => None,
    }
}

/// Whether nobody counts on when a load is done.
const fn is_weak(op: &Op) -> bool {
    matches!(op, Op::Load { coherence: Coherence { ordering: Ordering::Weak, .. }, .. })
}

/// Whether a step can take operands from memory.
const fn fetches(guarded: &Guarded) -> bool {
    let fetches = match guarded.step {
        Step::Binary32 { op, .. } => op.fetches(),
        Step::Ternary32 { op, .. } => op.fetches(),
        _ => false,
    };
    fetches && guarded.guard.is_none()
}

/// Whether a load may be done behind a step as well as before it.
const fn lets_pass(step: &Step) -> bool {
    !matches!(
        step,
        Step::Store(_)
            | Step::Atomic(_)
            | Step::Together
            | Step::Barrier
            | Step::Library
            | Step::Nothing
            | Step::Single
    )
}

impl<'a> Unit<'a> {
    /// Leaves a load to its reader; false where what it loads does not lie in halves of warps.
    pub(super) fn leave_in_memory(&mut self, access: &Access, rows: &Rows<'a>) -> bool {
        let &[(_, slot)] = &*access.slots else { return false };
        let extent = self.extent();
        let in_halves = extent.0[0].is_multiple_of(HALF_LANES as u32);
        let fits = match rows.offsets.step[0] {
            4 => true,
            // a kernel takes one operand of this kind
            0 => self.in_memory.iter().all(|waiting| waiting.offsets.step[0] != 0),
            _ => false,
        };
        if !in_halves || !fits {
            return false;
        }
        expect_behind(rows.of.region(&self.shared), &rows.offsets, extent);
        self.in_memory.push(InMemory { slot, of: rows.of, offsets: rows.offsets });
        true
    }

    /// Does a step whose operands, or some of them, are still in memory; false where none is.
    pub(super) fn fetching_step(&mut self, step: &Step) -> bool {
        let isa = self.isa;
        match *step {
            Step::Binary32 { op, d, a, b } => {
                self.fetch(d, [a, b], |walks| isa.fetch_binary32(op, walks))
            }
            Step::Ternary32 { op, d, a, b, c } => {
                self.fetch(d, [a, b, c], |walks| isa.fetch_ternary32(op, walks))
            }
            _ => false,
        }
    }

    fn fetch<const N: usize>(
        &mut self,
        d: SlotId,
        sources: [SlotId; N],
        kernel: impl FnOnce(Walks<'_>),
    ) -> bool {
        let extent = self.extent();
        let Self { file32: file, shared, in_memory, .. } = self;
        let place = |slot| in_memory.iter().find(|waiting| waiting.slot == slot);
        if sources.iter().all(|slot| place(*slot).is_none()) {
            return false;
        }
        let registers = sources.iter().copied().filter(|slot| place(*slot).is_none());
        let aside = registers.fold(false, |aside, slot| {
            file.spell(slot);
            aside || slot == d
        });
        let mut target = file.take(d, aside);
        let d_lanes = &mut lanes_mut(&mut target.chunks)[..extent.lanes()];
        let mut walks = Walks::to_register(extent.0, d_lanes);
        for (i, slot) in sources.iter().enumerate() {
            match place(*slot) {
                Some(InMemory { of, offsets: Affine { base, step }, .. }) => {
                    let region = of.region(shared);
                    walks.read_memory(i, &Place { region, start: *base, steps: *step });
                }
                None => {
                    let view = file.view(*slot, 0);
                    match view.chunks_of_each() {
                        Some(chunks) => walks.read_register(i, &lanes(chunks)[..extent.lanes()]),
                        None => walks.read_same(i, view.chunk(0)),
                    }
                }
            }
        }
        kernel(walks);
        file.put(d, target);
        in_memory.retain(|waiting| !sources.contains(&waiting.slot));
        true
    }
}

#[cfg(test)]
mod tests {
    use crate::vector::code::Step;
    use crate::vector::lower;

    /// Which loads of a straight line wait for their reader.
    fn waits(body: &str) -> Vec<bool> {
        let text = format!(
            ".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry k(.param .u64 p) {{\n\
             .reg .b64 %rd<4>; .reg .f32 %f<9>;\n ld.param.u64 %rd1, [p];\n{body}\n ret;\n}}\n"
        );
        let module = mock_ptx::compile(&text).unwrap_or_else(|error| panic!("{error}"));
        let code = lower(&module.kernels[0], &[]);
        let steps = code.blocks.iter().flat_map(|line| &line.steps);
        let loads = steps.filter_map(|guarded| match &guarded.step {
            Step::Load(access) => Some(access.waits),
            _ => None,
        });
        loads.skip(1).collect()
    }

    const LOADS: &str = "ld.global.f32 %f1, [%rd1]; ld.global.f32 %f2, [%rd1+64];";

    #[test]
    fn loads_wait_for_their_only_reader() {
        let seen = waits(&format!("{LOADS} add.f32 %f3, %f1, %f2; st.global.f32 [%rd1], %f3;"));
        assert_eq!(seen, [true, true]);
        let twice = "mul.f32 %f3, %f1, %f2; add.f32 %f4, %f3, %f2; st.global.f32 [%rd1], %f4;";
        assert_eq!(waits(&format!("{LOADS} {twice}")), [true, false]);
    }

    #[test]
    fn loads_whose_moment_counts_do_not_wait() {
        let add = "add.f32 %f3, %f1, %f2; st.global.f32 [%rd1], %f3;";
        for load in
            ["ld.volatile.global.f32", "ld.acquire.gpu.global.f32", "ld.relaxed.gpu.global.f32"]
        {
            let loads = format!("{load} %f1, [%rd1]; ld.global.f32 %f2, [%rd1+64];");
            assert_eq!(waits(&format!("{loads} {add}")), [false, true], "{load}");
        }
    }

    #[test]
    fn loads_do_not_pass_what_writes_memory_or_cannot_fetch() {
        let store =
            "st.global.f32 [%rd1+8], %f1; add.f32 %f3, %f2, %f2; st.global.f32 [%rd1], %f3;";
        assert_eq!(waits(&format!("{LOADS} {store}")), [false, false]);
        let fence = "membar.gl; add.f32 %f3, %f1, %f2; st.global.f32 [%rd1], %f3;";
        assert_eq!(waits(&format!("{LOADS} {fence}")), [false, false]);
        let maximum = "max.f32 %f3, %f1, %f2; st.global.f32 [%rd1], %f3;";
        assert_eq!(waits(&format!("{LOADS} {maximum}")), [false, false]);
    }
}
