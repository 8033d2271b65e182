//! What each body uses: functions it calls, functions whose address it takes, shared variables.

use std::cell::Cell;
use std::collections::{BTreeSet, HashMap};

use crate::PtxError;
use crate::ir::{FunctionId, SharedLayout};
use crate::limits::{SHARED_SEARCH_STEPS_MAX, STATIC_SHARED_BYTES_MAX};
use crate::syntax::{Ast, Body, DeclaredSpace, Initialiser, Operand, Statement, Variable};

use super::symbols::{Symbol, Symbols};
use crate::unit::align_up;

/// What one body uses itself.
#[derive(Debug, Default)]
pub(super) struct BodyUsage {
    /// Functions it calls by name, once per call.
    pub(super) callees: Vec<FunctionId>,
    /// It calls through addresses.
    pub(super) calls_indirectly: bool,
    /// Shared variables.
    shared: BTreeSet<usize>,
}

/// What all bodies of a module use.
#[derive(Debug, Default)]
pub(super) struct Usage {
    /// By function id; functions without body use nothing.
    pub(super) functions: Vec<BodyUsage>,
    /// In the order of the module's kernels.
    pub(super) kernels: Vec<BodyUsage>,
    /// Functions that a pointer may name, in ascending order.
    pub(super) address_taken: BTreeSet<FunctionId>,
    /// Steps of the search for shared variables so far.
    steps: Cell<usize>,
}

impl Usage {
    pub(super) fn new(symbols: &Symbols<'_>, ast: &Ast<'_>) -> Self {
        let mut usage = Self::default();
        for variable in &ast.variables {
            addresses_in_variable(symbols, variable, &mut usage.address_taken);
        }
        for symbol in &symbols.functions {
            let used = symbol.function.body.as_ref().map(|body| usage.body(symbols, body));
            usage.functions.push(used.unwrap_or_default());
        }
        for kernel in &symbols.kernels {
            let used = kernel.body.as_ref().map(|body| usage.body(symbols, body));
            usage.kernels.push(used.unwrap_or_default());
        }
        usage
    }

    fn body(&mut self, symbols: &Symbols<'_>, body: &Body<'_>) -> BodyUsage {
        let mut used = BodyUsage::default();
        if symbols.shared.is_empty() && symbols.functions.is_empty() {
            return used;
        }
        let mut own = HashMap::new();
        let mut mentions: HashMap<FunctionId, usize> = HashMap::new();
        for statement in &body.statements {
            match statement {
                Statement::Instruction(instruction) if instruction.opcode.starts_with("call") => {
                    match target(symbols, body.list(instruction.operands)) {
                        Some(callee) => used.callees.push(callee),
                        None => used.calls_indirectly = true,
                    }
                }
                Statement::Variable(variable) if variable.space == DeclaredSpace::Shared => {
                    own.insert(variable.name, symbols.find_static(variable));
                }
                Statement::Variable(variable) => {
                    addresses_in_variable(symbols, variable, &mut self.address_taken);
                }
                _ => {}
            }
        }
        for name in body.operands.iter().filter_map(symbol_name) {
            match own.get(name).copied().flatten().or_else(|| symbols.find(name)) {
                Some(Symbol::Shared(index)) => drop(used.shared.insert(index)),
                Some(Symbol::Function(id)) => *mentions.entry(id).or_default() += 1,
                _ => {}
            }
        }
        for callee in &used.callees {
            if let Some(count) = mentions.get_mut(callee) {
                *count -= 1;
            }
        }
        self.address_taken
            .extend(mentions.into_iter().filter(|(_, count)| *count > 0).map(|(id, _)| id));
        used
    }

    /// Where the shared variables that a kernel may touch lie: in the order of their declaration.
    pub(super) fn shared_of_kernel(
        &self,
        symbols: &Symbols<'_>,
        kernel: usize,
    ) -> Result<SharedPlan, PtxError> {
        let mut plan = SharedPlan::default();
        plan.layout.align = 1;
        if symbols.shared.is_empty() {
            return Ok(plan);
        }
        let line = symbols.kernels.get(kernel).map_or(1, |kernel| kernel.span.line);
        for index in self.shared_reached(kernel, line)? {
            plan.add(symbols, index, line)?;
        }
        plan.finish();
        Ok(plan)
    }

    /// Shared variables of a kernel and of everything that it may call.
    fn shared_reached(&self, kernel: usize, line: u32) -> Result<BTreeSet<usize>, PtxError> {
        let mut shared = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut open: Vec<&BodyUsage> = self.kernels.get(kernel).into_iter().collect();
        while let Some(body) = open.pop() {
            shared.extend(&body.shared);
            let indirect = body.calls_indirectly.then_some(&self.address_taken);
            let callees = body.callees.len() + indirect.map_or(0, BTreeSet::len);
            self.steps.set(self.steps.get().saturating_add(1 + body.shared.len() + callees));
            if self.steps.get() > SHARED_SEARCH_STEPS_MAX {
                return Err(PtxError::too_large(
                    line,
                    "too many kernels, functions and shared variables to say which touches which",
                ));
            }
            for callee in body.callees.iter().chain(indirect.into_iter().flatten()) {
                if seen.insert(*callee) {
                    open.extend(self.functions.get(callee.0 as usize));
                }
            }
        }
        Ok(shared)
    }
}

/// Where a kernel's shared variables lie.
#[derive(Debug, Default, Clone)]
pub(super) struct SharedPlan {
    /// Static ones by index, and dynamic ones, which all begin where those end.
    offsets: HashMap<usize, Option<u32>>,
    dynamic_align: u32,
    pub(super) layout: SharedLayout,
}

impl SharedPlan {
    fn add(&mut self, symbols: &Symbols<'_>, index: usize, line: u32) -> Result<(), PtxError> {
        let Some(variable) = symbols.shared.get(index) else { return Ok(()) };
        self.layout.align = self.layout.align.max(variable.align);
        if variable.dynamic {
            self.dynamic_align = self.dynamic_align.max(variable.align);
            self.offsets.insert(index, None);
            return Ok(());
        }
        let offset = align_up(u64::from(self.layout.static_bytes), variable.align);
        let end = offset.saturating_add(variable.bytes);
        match (u32::try_from(offset), u32::try_from(end)) {
            (Ok(offset), Ok(end)) if end <= STATIC_SHARED_BYTES_MAX => {
                self.layout.static_bytes = end;
                self.offsets.insert(index, Some(offset));
                Ok(())
            }
            _ => Err(PtxError::too_large(
                line,
                format!(
                    "{end} bytes of static shared memory, at most {STATIC_SHARED_BYTES_MAX} are taken"
                ),
            )),
        }
    }

    fn finish(&mut self) {
        let end = u64::from(self.layout.static_bytes);
        let dynamic = align_up(end, self.dynamic_align.max(1));
        self.layout.dynamic_offset = u32::try_from(dynamic).unwrap_or(u32::MAX);
    }

    /// Where a shared variable begins.
    pub(super) fn offset(&self, index: usize) -> u32 {
        self.offsets.get(&index).copied().flatten().unwrap_or(self.layout.dynamic_offset)
    }
}

/// The function a call names, if it names one.
fn target(symbols: &Symbols<'_>, operands: &[Operand<'_>]) -> Option<FunctionId> {
    let ([Operand::Group(_), Operand::Name(name), ..] | [Operand::Name(name), ..]) = operands
    else {
        return None;
    };
    match symbols.find(name) {
        Some(Symbol::Function(id)) => Some(id),
        _ => None,
    }
}

/// The name in an operand, unless it looks like a register's.
fn symbol_name<'a>(operand: &Operand<'a>) -> Option<&'a str> {
    let name = match operand {
        Operand::Name(name) | Operand::Offset(name, _) | Operand::Element(name, _) => name,
        Operand::Address(address) => address.name?,
        _ => return None,
    };
    (!name.starts_with('%')).then_some(name)
}

fn addresses_in_variable(
    symbols: &Symbols<'_>,
    variable: &Variable<'_>,
    taken: &mut BTreeSet<FunctionId>,
) {
    let mut open: Vec<_> = variable.initialiser.iter().collect();
    while let Some(value) = open.pop() {
        match value {
            Initialiser::List(list) => open.extend(list),
            Initialiser::Symbol(symbol) => {
                if let Some(Symbol::Function(id)) = symbols.find(symbol.name) {
                    taken.insert(id);
                }
            }
            Initialiser::Constant(_) => {}
        }
    }
}
