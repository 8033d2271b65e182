//! What every kernel promises to an engine, checked: for tests, and for engines' own assertions.

use super::{
    Address, Base, BlockId, Instruction, Kernel, Op, Operand, Reg, RegClass, Role, Terminator, Type,
};

impl Kernel {
    /// Checks that blocks, functions and registers named are there, and that operands have the class that their
    /// operation and type want.
    ///
    /// # Errors
    /// The first promise that is broken, in words.
    pub fn check(&self) -> Result<(), String> {
        if self.blocks.is_empty() {
            return Err("no entry block".into());
        }
        for pair in self.functions.windows(2) {
            if let [first, second] = pair
                && first.id >= second.id
            {
                return Err(format!("functions out of order: {:?}, {:?}", first.id, second.id));
            }
        }
        for entry in &self.functions {
            self.check_block(entry.entry)?;
        }
        for (index, block) in self.blocks.iter().enumerate() {
            for instruction in &block.instructions {
                self.check_instruction(instruction).map_err(|broken| {
                    format!("block {index}, line {}: {broken}: {instruction:?}", instruction.line)
                })?;
            }
            self.check_terminator(&block.terminator)
                .map_err(|broken| format!("block {index}, at its end: {broken}"))?;
            if let Some(meets) = block.reconvergence {
                self.check_block(meets)?;
            }
        }
        Ok(())
    }

    fn check_block(&self, block: BlockId) -> Result<(), String> {
        match self.block(block) {
            Some(_) => Ok(()),
            None => Err(format!("there is no {block:?}")),
        }
    }

    fn check_terminator(&self, terminator: &Terminator) -> Result<(), String> {
        let mut outcome = Ok(());
        terminator.for_each_successor(|to| {
            if outcome.is_ok() {
                outcome = self.check_block(to);
            }
        });
        terminator.clone().for_each_register(|reg, _| self.check_index(*reg, &mut outcome));
        outcome?;
        match terminator {
            Terminator::Branch { condition, .. } => class(condition.predicate, RegClass::Predicate),
            Terminator::Switch { index, .. } => operand(*index, Type::U32),
            Terminator::CallIndirect { address, .. } => operand(*address, Type::U64),
            Terminator::Call { callee, .. } if self.function(*callee).is_none() => {
                Err(format!("there is no {callee:?}"))
            }
            _ => Ok(()),
        }
    }

    fn check_index(&self, reg: Reg, outcome: &mut Result<(), String>) {
        let count = self.registers.of(reg.class()) as usize;
        if reg.index() >= count && outcome.is_ok() {
            *outcome = Err(format!("{reg:?} of {count} registers"));
        }
    }

    fn check_instruction(&self, instruction: &Instruction) -> Result<(), String> {
        if instruction.line == 0 {
            return Err("no line".into());
        }
        let mut outcome = Ok(());
        let mut results = Vec::new();
        instruction.clone().for_each_register(|reg, role| {
            self.check_index(*reg, &mut outcome);
            if role == Role::Write {
                results.push(*reg);
            }
        });
        outcome?;
        for (index, result) in results.iter().enumerate() {
            if results.iter().skip(index + 1).any(|other| other == result) {
                return Err(format!("two results in {result:?}"));
            }
        }
        if let Some(guard) = instruction.guard {
            class(guard.predicate, RegClass::Predicate)?;
        }
        op(&instruction.op)
    }
}

fn class(reg: Reg, wanted: RegClass) -> Result<(), String> {
    if reg.class() == wanted { Ok(()) } else { Err(format!("{reg:?} is not of {wanted:?}")) }
}

fn result(reg: Reg, ty: Type) -> Result<(), String> {
    class(reg, ty.class())
}

fn at_least(reg: Reg, ty: Type) -> Result<(), String> {
    if reg.class() >= ty.class() {
        Ok(())
    } else {
        Err(format!("{reg:?} is too narrow for {ty:?}"))
    }
}

fn operand(operand: Operand, ty: Type) -> Result<(), String> {
    match operand {
        Operand::Register(reg) => result(reg, ty),
        Operand::Immediate(bits) => immediate(bits, ty.bits()),
    }
}

fn wide_operand(operand: Operand, ty: Type) -> Result<(), String> {
    match operand {
        Operand::Register(reg) => at_least(reg, ty),
        Operand::Immediate(bits) => immediate(bits, ty.bits()),
    }
}

fn immediate(bits: u64, width: u32) -> Result<(), String> {
    if width >= 64 || bits >> width == 0 {
        Ok(())
    } else {
        Err(format!("{bits:#x} has more than {width} bits"))
    }
}

fn address(address: &Address) -> Result<(), String> {
    match address.base {
        Base::Register(reg) => class(reg, RegClass::B64),
        Base::Register32(reg) => class(reg, RegClass::B32),
        Base::Window | Base::Symbol(_) | Base::Frame => Ok(()),
    }
}

/// Operands of the operations that most programs are made of.
fn op(op: &Op) -> Result<(), String> {
    match op {
        Op::Move { dst, src } => match src {
            Operand::Register(src) => class(*src, dst.class()),
            Operand::Immediate(bits) => immediate(*bits, dst.class().bits()),
        },
        Op::Select { dst, a, b, condition } => {
            class(condition.predicate, RegClass::Predicate)?;
            [a, b]
                .into_iter()
                .filter_map(|src| src.register())
                .try_for_each(|r| class(r, dst.class()))
        }
        Op::IntegerUnary { ty, a, .. }
        | Op::FloatUnary { ty, a, .. }
        | Op::TestFloat { ty, a, .. } => operand(*a, *ty),
        Op::IntegerBinary { ty, a, .. } => operand(*a, *ty),
        Op::IntegerTernary { ty, a, .. } => operand(*a, *ty),
        Op::FloatBinary { ty, dst, a, b, .. } => {
            result(*dst, *ty)?;
            operand(*a, *ty)?;
            operand(*b, *ty)
        }
        Op::FloatTernary { ty, dst, a, b, c, .. } => {
            result(*dst, *ty)?;
            [a, b, c].into_iter().try_for_each(|src| operand(*src, *ty))
        }
        Op::Carry { ty, dst, a, b, c, carry_in, carry_out, .. } => {
            result(*dst, *ty)?;
            [a, b, c].into_iter().try_for_each(|src| operand(*src, *ty))?;
            let carries = carry_in.iter().chain(carry_out);
            carries.copied().try_for_each(|carry| class(carry, RegClass::Predicate))
        }
        Op::Convert { conversion, dst, src } => {
            at_least(*dst, conversion.to)?;
            wide_operand(*src, conversion.from)
        }
        Op::Compare { ty, a, b, dst, complement, .. } => {
            let results = dst.iter().chain(complement);
            results.copied().try_for_each(|p| class(p, RegClass::Predicate))?;
            operand(*a, *ty)?;
            operand(*b, *ty)
        }
        Op::Load { ty, dst, address: at, .. } => {
            at_least(*dst, *ty)?;
            address(at)
        }
        Op::LoadVector { ty, dsts, address: at, .. } => {
            dsts.iter().try_for_each(|dst| at_least(*dst, *ty))?;
            address(at)
        }
        Op::Store { ty, src, address: at, .. } => {
            wide_operand(*src, *ty)?;
            address(at)
        }
        Op::StoreVector { ty, srcs, address: at, .. } => {
            srcs.iter().try_for_each(|src| wide_operand(*src, *ty))?;
            address(at)
        }
        Op::Atomic { ty, dst, address: at, value, compare, .. } => {
            dst.map_or(Ok(()), |dst| result(dst, *ty))?;
            operand(*value, *ty)?;
            compare.map_or(Ok(()), |compare| operand(compare, *ty))?;
            address(at)
        }
        Op::Pack { dst, parts, part_bits } => {
            let width = u32::from(*part_bits) * u32::try_from(parts.len()).unwrap_or(0);
            if width == dst.class().bits() { Ok(()) } else { Err(format!("{width} bits packed")) }
        }
        Op::Unpack { parts, src, part_bits } => {
            let width = u32::from(*part_bits) * u32::try_from(parts.len()).unwrap_or(0);
            match src {
                Operand::Register(reg) if reg.class().bits() != width => {
                    Err(format!("{width} bits unpacked"))
                }
                _ => Ok(()),
            }
        }
        _ => Ok(()),
    }
}
