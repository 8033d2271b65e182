//! Which registers hold something that will still be read, at every place of a kernel where lanes may wait.
//!
//! A lane that waits keeps its registers. Where a register is wanted by no waiting lane, the running ones may overwrite all of it:
//! that is what lets shapes live on under divergence.

use std::collections::{BTreeMap, BTreeSet};

use mock_ptx::ir::{BlockId, Kernel, Op, Reg, RegClass, RegisterCounts, Role};

/// A set of registers of all classes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Registers(Vec<u64>);

impl Registers {
    /// No register, of a file of `count`.
    #[must_use]
    pub fn empty(count: usize) -> Self {
        Self(vec![0; count.div_ceil(64)])
    }

    /// Whether it has one.
    #[inline]
    #[must_use]
    pub fn has(&self, register: usize) -> bool {
        self.0[register / 64] >> (register % 64) & 1 == 1
    }

    fn add(&mut self, register: usize) {
        self.0[register / 64] |= 1 << (register % 64);
    }

    fn remove(&mut self, register: usize) {
        self.0[register / 64] &= !(1 << (register % 64));
    }

    /// Adds all of another; whether that changed anything.
    pub fn join(&mut self, other: &Self) -> bool {
        let mut changed = false;
        for (word, more) in self.0.iter_mut().zip(&other.0) {
            changed |= *more & !*word != 0;
            *word |= more;
        }
        changed
    }

    /// Takes all out.
    pub fn clear(&mut self) {
        self.0.fill(0);
    }
}

/// Where each class begins when all registers are numbered through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbering {
    starts: [usize; 4],
    count: usize,
}

impl Numbering {
    /// Of a kernel's file.
    #[must_use]
    pub fn new(counts: RegisterCounts) -> Self {
        let mut starts = [0; 4];
        let mut count = 0;
        for class in RegClass::ALL {
            starts[class as usize] = count;
            count += counts.of(class) as usize;
        }
        Self { starts, count }
    }

    /// A register's number.
    #[inline]
    #[must_use]
    pub const fn of(&self, class: RegClass, index: usize) -> usize {
        self.starts[class as usize] + index
    }

    /// How many there are.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.count
    }

    fn reg(&self, reg: Reg) -> usize {
        self.of(reg.class(), reg.index())
    }
}

/// One side of an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Before,
    Behind,
}

/// Liveness of a kernel.
#[derive(Debug)]
pub struct Live {
    numbering: Numbering,
    at_start: Vec<Registers>,
    inside: BTreeMap<(u32, u32), Registers>,
}

impl Live {
    /// Finds it, backwards, until nothing changes.
    #[must_use]
    pub fn of(kernel: &Kernel, waits: impl Fn(u32, usize) -> bool) -> Self {
        let numbering = Numbering::new(kernel.registers);
        let empty = Registers::empty(numbering.count());
        let mut live =
            Self { numbering, at_start: vec![empty; kernel.blocks.len()], inside: BTreeMap::new() };
        let mut changed = true;
        while changed {
            changed = false;
            for block in (0..kernel.blocks.len()).rev() {
                let start = live.walk(kernel, block, |_, _, _| {});
                changed |= live.at_start[block].join(&start);
            }
        }
        let mut inside = BTreeMap::new();
        for block in 0..kernel.blocks.len() {
            live.walk(kernel, block, |place, side, registers| {
                // behind the last instruction of a block too: lanes that were let go there wait for their turn
                let place = place + usize::from(side == Side::Behind);
                if waits(block as u32, place) {
                    inside.insert((block as u32, place as u32), registers.clone());
                }
            });
        }
        live.inside = inside;
        live
    }

    /// What is live at a block's start; `visit` sees what is live on both sides of each of its instructions.
    pub(super) fn walk(
        &self,
        kernel: &Kernel,
        block: usize,
        mut visit: impl FnMut(usize, Side, &Registers),
    ) -> Registers {
        let code = &kernel.blocks[block];
        let mut live = Registers::empty(self.numbering.count());
        code.terminator.for_each_successor(|next| {
            if let Some(start) = self.at_start.get(next.index()) {
                live.join(start);
            }
        });
        code.terminator
            .clone()
            .for_each_register(&mut |reg: &mut Reg, _| live.add(self.numbering.reg(*reg)));
        for (place, instruction) in code.instructions.iter().enumerate().rev() {
            visit(place, Side::Behind, &live);
            let mut instruction = instruction.clone();
            let guarded = instruction.guard.is_some();
            let (mut read, mut written) = (Vec::new(), Vec::new());
            instruction.for_each_register(&mut |reg: &mut Reg, role| match role {
                Role::Read => read.push(self.numbering.reg(*reg)),
                Role::Write if guarded => {}
                Role::Write => written.push(self.numbering.reg(*reg)),
            });
            written.into_iter().for_each(|reg| live.remove(reg));
            read.into_iter().for_each(|reg| live.add(reg));
            visit(place, Side::Before, &live);
        }
        live
    }

    /// How registers are numbered here.
    #[must_use]
    pub const fn numbering(&self) -> Numbering {
        self.numbering
    }

    /// What is live at a block's start.
    #[inline]
    #[must_use]
    pub fn at_start(&self, block: BlockId) -> &Registers {
        &self.at_start[block.index()]
    }

    /// The instructions of which no result is read by anybody, of those that `asked` names.
    #[must_use]
    pub fn unread(kernel: &Kernel, asked: impl Fn(&Op) -> bool) -> BTreeSet<(usize, usize)> {
        let mut unread = BTreeSet::new();
        let any = kernel.blocks.iter().flat_map(|block| &block.instructions);
        if !any.map(|instruction| &instruction.op).any(&asked) {
            return unread;
        }
        let live = Self::of(kernel, |_, _| false);
        for (block, code) in kernel.blocks.iter().enumerate() {
            live.walk(kernel, block, |place, side, registers| {
                let instruction = &code.instructions[place];
                if side == Side::Behind && asked(&instruction.op) {
                    let mut read = false;
                    instruction.clone().for_each_register(&mut |reg: &mut Reg, role| {
                        read |= role == Role::Write && registers.has(live.numbering.reg(*reg));
                    });
                    if !read {
                        unread.insert((block, place));
                    }
                }
            });
        }
        unread
    }

    /// Adds what a lane that waits before `place` of `block` still wants.
    pub fn join_at(&self, block: u32, place: u32, wanted: &mut Registers) {
        let registers = match place {
            0 => self.at_start.get(block as usize),
            _ => self.inside.get(&(block, place)),
        };
        if let Some(registers) = registers {
            wanted.join(registers);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mock_ptx::ir::{
        Block, Guard, Instruction, LaunchBounds, Operand, SharedLayout, Terminator,
    };

    fn set(dst: u32, src: Option<u32>) -> Instruction {
        let src = src.map_or(Operand::Immediate(1), |index| {
            Operand::Register(Reg::new(RegClass::B32, index))
        });
        Instruction {
            guard: None,
            op: Op::Move { dst: Reg::new(RegClass::B32, dst), src },
            line: 1,
        }
    }

    fn block(instructions: Vec<Instruction>, terminator: Terminator) -> Block {
        Block { instructions, terminator, terminator_line: 1, reconvergence: None }
    }

    /// r0 is set before the loop and read in it; r1 is set and read within one turn; r2 is written under a guard.
    fn kernel() -> Kernel {
        let guard = Guard { predicate: Reg::new(RegClass::Predicate, 0), negated: false };
        let guarded = Instruction { guard: Some(guard), ..set(2, Some(1)) };
        let back = Terminator::Branch {
            condition: guard,
            taken: BlockId(1),
            otherwise: BlockId(2),
            uniform: false,
        };
        Kernel {
            name: "k".into(),
            line: 1,
            parameters: Vec::new(),
            parameter_bytes: 0,
            shared: SharedLayout::default(),
            frame_bytes: 0,
            frame_bytes_max: 0,
            functions: Vec::new(),
            bounds: LaunchBounds::default(),
            registers: RegisterCounts { predicates: 1, b16: 0, b32: 3, b64: 0 },
            blocks: vec![
                block(vec![set(0, None), set(2, None)], Terminator::Jump(BlockId(1))),
                block(vec![set(1, Some(0)), guarded], back),
                block(vec![set(1, Some(2))], Terminator::Exit),
            ],
        }
    }

    #[test]
    fn a_register_is_live_until_its_last_read() {
        let live = Live::of(&kernel(), |_, place| place == 1);
        let wanted = |block, place| {
            let mut registers = Registers::empty(live.numbering().count());
            live.join_at(block, place, &mut registers);
            (0..4).map(|register| registers.has(register)).collect::<Vec<_>>()
        };
        assert_eq!(wanted(1, 0), [true, true, false, true], "p0 r0 r2 go round the loop");
        assert_eq!(wanted(1, 1), [true, true, true, true], "r1 is wanted by the next instruction");
        let behind = Live::of(&kernel(), |_, place| place == 2);
        let mut registers = Registers::empty(4);
        behind.join_at(1, 2, &mut registers);
        assert!(registers.has(0) && registers.has(1) && registers.has(3), "before the branch");
        assert_eq!(wanted(2, 0), [false, false, false, true]);
        assert_eq!(wanted(0, 1), [true, true, false, false], "r2 is about to be written");
    }
}
