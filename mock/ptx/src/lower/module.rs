//! A text becomes a module, kernel by kernel.

use crate::ir::{FunctionEntry, FunctionId, Kernel, Module};
use crate::syntax::{Ast, Function};
use crate::{PtxError, Refused, flow};

use super::builder::{Builder, KernelContext, ModuleBudget, ReturnTo};
use super::call::bind_formals;
use super::names::{Names, Place};
use super::plan::Plan;
use super::signature::{ParameterBlock, launch_bounds, parameters, target};
use super::symbols::Symbols;
use super::usage::Usage;
use crate::unit::Unit;

/// All kernels, or the first refusal.
pub(crate) fn compile(text: &str, ast: &Ast<'_>) -> Result<Module, PtxError> {
    lower(text, ast, |refused| Err(refused.error))
}

/// The kernels that can be run, and why the others cannot.
pub(crate) fn compile_each(text: &str, ast: &Ast<'_>) -> Result<(Module, Vec<Refused>), PtxError> {
    let mut refused = Vec::new();
    let module = lower(text, ast, |kernel| {
        refused.push(kernel);
        Ok(())
    })?;
    Ok((module, refused))
}

fn lower(
    text: &str,
    ast: &Ast<'_>,
    mut refuse: impl FnMut(Refused) -> Result<(), PtxError>,
) -> Result<Module, PtxError> {
    let target = target(ast)?;
    let symbols = Symbols::new(text, ast)?;
    let usage = Usage::new(&symbols, ast);
    let plan = Plan::new(&symbols, &usage);
    let mut budget = ModuleBudget::new();
    let mut kernels = Vec::with_capacity(symbols.kernels.len());
    for (index, function) in symbols.kernels.iter().enumerate() {
        let block = parameters(function, target);
        let lowered =
            block.and_then(|block| kernel(&symbols, &usage, &plan, &mut budget, (index, block)));
        match lowered {
            Ok(kernel) => kernels.push(kernel),
            Err(error) => {
                let error = error.within(function.span.text(text));
                refuse(Refused { kernel: function.name.into(), error })?;
            }
        }
    }
    Ok(Module { target, globals: symbols.globals, kernels })
}

fn kernel<'a>(
    symbols: &'a Symbols<'a>,
    usage: &Usage,
    plan: &Plan,
    budget: &mut ModuleBudget,
    (index, block): (usize, ParameterBlock),
) -> Result<Kernel, PtxError> {
    let function: &'a Function<'a> = match symbols.kernels.get(index) {
        Some(function) => function,
        None => return Err(PtxError::malformed(1, "a kernel that is not there")),
    };
    let line = function.span.line;
    let bounds = launch_bounds(&function.tuning)?;
    let own = function.body.as_ref().map_or(0, |body| body.instruction_count);
    let callees = usage.kernels.get(index).map_or(&[][..], |body| &body.callees);
    let inlining = plan.for_kernel(own, callees, line)?;
    let shared = usage.shared_of_kernel(symbols, index)?;
    let mut context = KernelContext::new(symbols, usage, inlining, shared, budget);

    let mut names = Names::new();
    for (variable, place) in function.parameters.iter().zip(&block.parameters) {
        let place = Place::KernelParameter { offset: place.offset };
        names.bind(variable.name, place, variable.span.line)?;
    }
    let mut builder = Builder::new(&mut context, Unit::new(true, 0));
    if let Some(body) = &function.body {
        builder.body(body, names, ReturnTo::Exit)?;
    }
    let mut units = vec![flow::finish(builder.unit, line)?];

    // functions are found by lowering others
    let mut lowered: Vec<FunctionId> = Vec::new();
    while let Some(id) = context.called.get(lowered.len()).copied() {
        units.push(called_function(&mut context, id)?);
        lowered.push(id);
    }

    let assembled = flow::assemble(units, line)?;
    let mut functions: Vec<FunctionEntry> = lowered
        .into_iter()
        .zip(assembled.entries)
        .map(|(id, (entry, frame_bytes))| FunctionEntry { id, entry, frame_bytes })
        .collect();
    functions.sort_unstable_by_key(|entry| entry.id);
    Ok(Kernel {
        name: function.name.into(),
        line,
        parameters: block.parameters,
        parameter_bytes: block.bytes,
        shared: context.shared.layout,
        frame_bytes: assembled.frame_bytes,
        frame_bytes_max: assembled.frame_bytes_max,
        functions,
        bounds,
        registers: assembled.registers,
        blocks: assembled.blocks,
    })
}

fn called_function(
    context: &mut KernelContext<'_, '_>,
    id: FunctionId,
) -> Result<flow::FinishedUnit, PtxError> {
    let symbols = context.symbols;
    let missing = || PtxError::malformed(1, "a function that is not there");
    let symbol = symbols.function(id).ok_or_else(missing)?;
    let body = symbol.function.body.as_ref().ok_or_else(missing)?;
    let line = symbol.function.span.line;
    let mut builder = Builder::new(context, Unit::new(false, symbol.layout.bytes));
    builder.line = line;
    let names = bind_formals(&mut builder, symbol)?;
    builder.body(body, names, ReturnTo::Caller)?;
    flow::finish(builder.unit, line)
}
