//! Walks a function's statements and emits a flow graph.

use std::collections::{HashMap, HashSet};

use crate::ir::{
    Block, BlockId, FunctionId, Guard, Instruction, Op, Operand, Reg, RegClass, Terminator,
};
use crate::limits::{KERNEL_INSTRUCTIONS_MAX, MODULE_INSTRUCTIONS_MAX};
use crate::syntax::{self, Body, DeclaredSpace, Statement, Variable};
use crate::{Fault, PtxError};

use super::dispatch;
use super::layout::{CallLayout, extent};
use super::names::{FrameVariable, Names, Place};
use super::plan::Inlining;
use super::symbols::{Symbol, Symbols};
use super::usage::{SharedPlan, Usage};
use crate::unit::Unit;

/// What all units of one kernel share.
#[derive(Debug)]
pub(super) struct KernelContext<'a, 'k> {
    pub(super) symbols: &'a Symbols<'a>,
    pub(super) usage: &'k Usage,
    pub(super) inlining: &'k Inlining,
    pub(super) shared: SharedPlan,
    /// Functions that are really called, in the order in which calls were seen.
    pub(super) called: Vec<FunctionId>,
    known_as_called: HashSet<FunctionId>,
    /// The types of calls through addresses so far.
    pub(super) indirect_types: Vec<CallLayout>,
    /// Instructions that this kernel may still have.
    instructions_left: usize,
    module: &'k mut ModuleBudget,
}

/// What all kernels of a module may take together.
#[derive(Debug)]
pub(super) struct ModuleBudget {
    instructions_left: usize,
}

impl ModuleBudget {
    pub(super) const fn new() -> Self {
        Self { instructions_left: MODULE_INSTRUCTIONS_MAX }
    }
}

impl<'a, 'k> KernelContext<'a, 'k> {
    pub(super) fn new(
        symbols: &'a Symbols<'a>,
        usage: &'k Usage,
        inlining: &'k Inlining,
        shared: SharedPlan,
        module: &'k mut ModuleBudget,
    ) -> Self {
        Self {
            symbols,
            usage,
            inlining,
            shared,
            called: Vec::new(),
            known_as_called: HashSet::new(),
            indirect_types: Vec::new(),
            instructions_left: KERNEL_INSTRUCTIONS_MAX,
            module,
        }
    }

    /// Counts instructions, or what costs as much.
    pub(super) fn spend(&mut self, count: usize, line: u32) -> Result<(), PtxError> {
        let too_many = |max, what| {
            let reason = format!("more than {max} instructions in a {what}, inlined calls counted");
            PtxError::too_large(line, reason)
        };
        let module = &mut self.module.instructions_left;
        *module =
            module.checked_sub(count).ok_or_else(|| too_many(MODULE_INSTRUCTIONS_MAX, "module"))?;
        self.instructions_left = self
            .instructions_left
            .checked_sub(count)
            .ok_or_else(|| too_many(KERNEL_INSTRUCTIONS_MAX, "kernel"))?;
        Ok(())
    }

    /// Says that a function is really called.
    pub(super) fn call(&mut self, function: FunctionId) {
        if self.known_as_called.insert(function) {
            self.called.push(function);
        }
    }
}

/// What `ret` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReturnTo {
    /// The lane ends: a kernel.
    Exit,
    /// The caller's frame comes back: a called function.
    Caller,
    /// The code behind the call goes on: an inlined function.
    Block(BlockId),
}

/// One function body being walked: the kernel's, or that of something inlined into it.
#[derive(Debug)]
pub(super) struct Instance<'a> {
    pub(super) body: &'a Body<'a>,
    pub(super) names: Names<'a>,
    labels: HashMap<(u32, &'a str), BlockId>,
    pub(super) return_to: ReturnTo,
}

/// Emits one unit.
#[derive(Debug)]
pub(super) struct Builder<'a, 'k, 'c> {
    pub(super) context: &'c mut KernelContext<'a, 'k>,
    pub(super) unit: Unit,
    /// Where instructions go.
    current: BlockId,
    /// Innermost last.
    pub(super) instances: Vec<Instance<'a>>,
    /// Of the statement being lowered.
    pub(super) line: u32,
    /// Of the statement being lowered.
    pub(super) guard: Option<Guard>,
}

impl<'a, 'k, 'c> Builder<'a, 'k, 'c> {
    pub(super) fn new(context: &'c mut KernelContext<'a, 'k>, unit: Unit) -> Self {
        Self { context, unit, current: BlockId(0), instances: Vec::new(), line: 0, guard: None }
    }

    /// Walks a body with the names that its parameters have.
    pub(super) fn body(
        &mut self,
        body: &'a Body<'a>,
        names: Names<'a>,
        return_to: ReturnTo,
    ) -> Result<(), PtxError> {
        let labels = self.labels(body);
        self.instances.push(Instance { body, names, labels, return_to });
        let outer = (self.line, self.guard);
        for statement in &body.statements {
            self.statement(statement)?;
        }
        // running off the end is a return
        self.line = body.end_line;
        self.guard = None;
        self.return_from_function();
        (self.line, self.guard) = outer;
        self.instances.pop();
        Ok(())
    }

    /// A block for every label of a body, so that jumps may go forward.
    fn labels(&mut self, body: &'a Body<'a>) -> HashMap<(u32, &'a str), BlockId> {
        let mut labels = HashMap::new();
        let (mut open, mut opened) = (vec![0], 1);
        for statement in &body.statements {
            match statement {
                Statement::Open => {
                    open.push(opened);
                    opened += 1;
                }
                Statement::Close => drop(open.pop()),
                Statement::Label { name, .. } => {
                    let scope = open.last().copied().unwrap_or(0);
                    labels.entry((scope, *name)).or_insert_with(|| self.unit.block());
                }
                _ => {}
            }
        }
        labels
    }

    fn statement(&mut self, statement: &'a Statement<'a>) -> Result<(), PtxError> {
        match statement {
            Statement::Open => self.names(Names::open),
            Statement::Close => self.names(Names::close),
            Statement::Label { name, line } => {
                self.line = *line;
                let block = self.label(name)?;
                self.unit.place(block);
                self.jump(block);
                self.current = block;
            }
            Statement::Variable(variable) => {
                self.line = variable.span.line;
                self.variable(variable).map_err(|e| self.shown(e, variable.span))?;
            }
            Statement::Prototype(prototype) => {
                self.bind(prototype.name, Place::Prototype(prototype), prototype.line)?;
            }
            Statement::Targets(targets) => {
                self.bind(targets.name, Place::Targets(targets), targets.line)?;
            }
            Statement::Instruction(instruction) => {
                self.line = instruction.span.line;
                self.context.spend(1, self.line)?;
                self.instruction(instruction).map_err(|e| self.shown(e, instruction.span))?;
            }
        }
        Ok(())
    }

    /// An error with the statement's own text.
    fn shown(&self, error: PtxError, span: syntax::Span) -> PtxError {
        error.within(span.text(self.context.symbols.text))
    }

    fn instruction(&mut self, instruction: &'a syntax::Instruction<'a>) -> Result<(), PtxError> {
        self.guard = match instruction.guard {
            Some(guard) => {
                Some(Guard { predicate: self.predicate(guard.name)?, negated: guard.negated })
            }
            None => None,
        };
        let operands = self.body_operands(instruction.operands);
        dispatch::instruction(self, instruction.opcode, operands)
    }

    /// The operands of a list of the body being walked.
    pub(super) fn body_operands(&self, list: syntax::List) -> &'a [syntax::Operand<'a>] {
        self.instances.last().map_or(&[], |instance| instance.body.list(list))
    }

    fn names(&mut self, act: impl FnOnce(&mut Names<'a>)) {
        if let Some(instance) = self.instances.last_mut() {
            act(&mut instance.names);
        }
    }

    pub(super) fn bind(
        &mut self,
        name: &'a str,
        place: Place<'a>,
        line: u32,
    ) -> Result<(), PtxError> {
        match self.instances.last_mut() {
            Some(instance) => instance.names.bind(name, place, line),
            None => Ok(()),
        }
    }

    /// A declaration inside of a body.
    fn variable(&mut self, variable: &'a Variable<'a>) -> Result<(), PtxError> {
        match variable.space {
            DeclaredSpace::Register => {
                let Some(instance) = self.instances.last_mut() else { return Ok(()) };
                instance.names.registers(variable, &mut self.unit.counts)
            }
            DeclaredSpace::Local | DeclaredSpace::Parameter => {
                if variable.initialiser.is_some() {
                    let reason =
                        format!("`{}`: local memory holds nothing at the start", variable.name);
                    return Err(PtxError::malformed(self.line, reason));
                }
                let place = self.frame_place(variable)?;
                self.bind(variable.name, place, self.line)
            }
            DeclaredSpace::Global | DeclaredSpace::Constant | DeclaredSpace::Shared => {
                let symbol = self.context.symbols.find_static(variable);
                let place = symbol.map_or(Place::Nothing, place_of);
                self.bind(variable.name, place, self.line)
            }
            DeclaredSpace::SpecialRegister | DeclaredSpace::Texture => {
                Err(self.unsupported("a variable of this space inside of a function is"))
            }
        }
    }

    /// A new variable of the frame for this declaration.
    pub(super) fn frame_place(&mut self, variable: &Variable<'a>) -> Result<Place<'a>, PtxError> {
        let extent = extent(variable, 0)?;
        let index = self.unit.frame_variable(extent.bytes, extent.align, self.line)?;
        let bytes = u32::try_from(extent.bytes).unwrap_or(u32::MAX);
        Ok(Place::Frame(FrameVariable { index, offset: 0, bytes }))
    }

    /// What a name stands for, here or in the module.
    #[inline]
    pub(super) fn find(&mut self, name: &'a str) -> Result<Option<Place<'a>>, PtxError> {
        if let Some(instance) = self.instances.last_mut() {
            let counts = &mut self.unit.counts;
            if let Some(place) = instance.names.find(name, counts, self.line)? {
                return Ok(Some(place));
            }
        }
        Ok(self.context.symbols.find(name).map(place_of))
    }

    /// The block of a label that can be seen from here.
    pub(super) fn label(&self, name: &'a str) -> Result<BlockId, PtxError> {
        let found = self.instances.last().and_then(|instance| {
            instance.names.scope_ids().find_map(|scope| instance.labels.get(&(scope, name)))
        });
        found.copied().ok_or_else(|| self.malformed(format!("label `{name}` is not in reach")))
    }

    // ---- emitting ----

    /// Emits an operation under the statement's guard.
    pub(super) fn emit(&mut self, op: Op) {
        self.emit_guarded(self.guard, op);
    }

    /// Emits an operation that every lane does; for values that only the guarded one reads.
    pub(super) fn emit_always(&mut self, op: Op) {
        self.emit_guarded(None, op);
    }

    fn emit_guarded(&mut self, guard: Option<Guard>, op: Op) {
        let line = self.line;
        if let Some(block) = self.current_block() {
            block.instructions.push(Instruction { guard, op, line });
        }
    }

    fn current_block(&mut self) -> Option<&mut Block> {
        self.unit.blocks.get_mut(self.current.index())
    }

    /// A new register for a value in between.
    pub(super) fn temporary(&mut self, class: RegClass) -> Reg {
        self.unit.register(class)
    }

    /// The first of so many new registers, one after the other.
    pub(super) fn temporaries(&mut self, class: RegClass, count: u32) -> Reg {
        let first = self.unit.register(class);
        for _ in 1..count {
            self.unit.register(class);
        }
        first
    }

    /// The register of a value, moved into one where it is a constant.
    pub(super) fn in_register(&mut self, value: Operand, class: RegClass) -> Reg {
        if let Operand::Register(reg) = value {
            return reg;
        }
        let dst = self.temporary(class);
        self.emit_always(Op::Move { dst, src: value });
        dst
    }

    // ---- ending blocks ----

    fn jump(&mut self, to: BlockId) {
        self.terminate(Terminator::Jump(to));
    }

    fn terminate(&mut self, terminator: Terminator) {
        let line = self.line;
        if let Some(block) = self.current_block() {
            block.terminator = terminator;
            block.terminator_line = line;
        }
    }

    /// Ends the block so; what follows is reached only through a label.
    pub(super) fn end(&mut self, terminator: Terminator) {
        self.terminate(terminator);
        self.current = self.new_block();
    }

    /// Ends the block so where the statement's guard holds; goes on where it does not.
    pub(super) fn end_guarded(&mut self, terminator: Terminator) {
        let Some(condition) = self.guard else { return self.end(terminator) };
        let (taken, otherwise) = (self.new_block(), self.new_block());
        self.terminate(Terminator::Branch { condition, taken, otherwise, uniform: false });
        self.current = taken;
        self.terminate(terminator);
        self.current = otherwise;
    }

    /// Goes to `to` where the statement's guard holds; goes on where it does not.
    pub(super) fn branch(&mut self, to: BlockId, uniform: bool) {
        let Some(condition) = self.guard else { return self.end(Terminator::Jump(to)) };
        let otherwise = self.new_block();
        self.terminate(Terminator::Branch { condition, taken: to, otherwise, uniform });
        self.current = otherwise;
    }

    /// Ends the block with something that goes on at a new one.
    pub(super) fn end_into(&mut self, terminator: impl FnOnce(BlockId) -> Terminator) {
        let next = self.new_block();
        self.terminate(terminator(next));
        self.current = next;
    }

    /// Where the guard holds, does `act`, unguarded; then goes on.
    pub(super) fn under_guard(
        &mut self,
        act: impl FnOnce(&mut Self) -> Result<(), PtxError>,
    ) -> Result<(), PtxError> {
        let Some(condition) = self.guard.take() else { return act(self) };
        let (taken, after) = (self.new_block(), self.unit.block());
        let otherwise = after;
        self.terminate(Terminator::Branch { condition, taken, otherwise, uniform: false });
        self.current = taken;
        act(self)?;
        self.go_on_at(after);
        Ok(())
    }

    /// Jumps to a block made before, and goes on there.
    pub(super) fn go_on_at(&mut self, block: BlockId) {
        self.jump(block);
        self.unit.place(block);
        self.current = block;
    }

    fn new_block(&mut self) -> BlockId {
        let block = self.unit.block();
        self.unit.place(block);
        block
    }

    /// `ret`
    pub(super) fn return_from_function(&mut self) {
        let return_to = self.instances.last().map_or(ReturnTo::Exit, |i| i.return_to);
        match return_to {
            ReturnTo::Exit => self.end_guarded(Terminator::Exit),
            ReturnTo::Caller => self.end_guarded(Terminator::Return),
            ReturnTo::Block(block) => self.branch(block, false),
        }
    }

    // ---- errors ----

    pub(super) fn malformed(&self, reason: impl Into<Box<str>>) -> PtxError {
        PtxError::new(Fault::Malformed, self.line, reason)
    }

    /// `what` with its verb: "textures are".
    pub(super) fn unsupported(&self, what: &str) -> PtxError {
        PtxError::unsupported(self.line, format!("{what} not supported"))
    }
}

/// What a name of module scope stands for.
fn place_of<'a>(symbol: Symbol) -> Place<'a> {
    match symbol {
        Symbol::Global(id) => Place::Global(id),
        Symbol::Shared(index) => Place::Shared(index),
        Symbol::Function(id) => Place::Function(id),
        Symbol::Undefined => Place::Undefined,
        Symbol::Texture => Place::Texture,
        Symbol::Kernel => Place::Nothing,
    }
}
