//! What names of module scope mean, and variables inside of functions that live as long as the module.

use std::collections::HashMap;

use crate::PtxError;
use crate::ir::{FunctionId, Global, GlobalId, GlobalSpace};
use crate::limits::{CONSTANT_BYTES_MAX, GLOBAL_BYTES_MAX};
use crate::syntax::{Ast, DeclaredSpace, Function, Initialiser, Linkage, Statement, Variable};

use super::image::Images;
use super::layout::{CallLayout, Extent, extent};

/// What a name of module scope is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Symbol {
    /// A variable in global or constant memory.
    Global(GlobalId),
    /// A variable in shared memory; an index into [`Symbols::shared`].
    Shared(usize),
    /// A device function.
    Function(FunctionId),
    /// A kernel; nothing can be done with its name.
    Kernel,
    /// A variable that another module defines.
    Undefined,
    /// A texture, sampler or surface reference.
    Texture,
}

/// A variable in shared memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SharedVariable {
    pub(super) bytes: u64,
    pub(super) align: u32,
    /// It starts where the dynamic part starts.
    pub(super) dynamic: bool,
}

/// A device function: its definition, or a declaration where there is none.
#[derive(Debug)]
pub(super) struct FunctionSymbol<'a> {
    pub(super) function: &'a Function<'a>,
    pub(super) layout: CallLayout,
}

/// All names of a text.
#[derive(Debug)]
pub(super) struct Symbols<'a> {
    pub(super) text: &'a str,
    names: HashMap<&'a str, Symbol>,
    /// Variables inside of functions that live as long as the module, by place and name.
    statics: HashMap<(u32, &'a str), Symbol>,
    /// Bytes of one element of the arrays of this name; none where two of them differ.
    elements: HashMap<&'a str, Option<u32>>,
    pub(super) globals: Vec<Global>,
    pub(super) shared: Vec<SharedVariable>,
    pub(super) functions: Vec<FunctionSymbol<'a>>,
    /// Kernels, in the text's order.
    pub(super) kernels: Vec<&'a Function<'a>>,
}

impl<'a> Symbols<'a> {
    pub(super) fn new(text: &'a str, ast: &'a Ast<'a>) -> Result<Self, PtxError> {
        let mut symbols = Self {
            text,
            names: HashMap::new(),
            statics: HashMap::new(),
            elements: HashMap::new(),
            globals: Vec::new(),
            shared: Vec::new(),
            functions: Vec::new(),
            kernels: Vec::new(),
        };
        symbols.functions(ast)?;
        let initialised = symbols.variables(ast)?;
        symbols.check_totals()?;
        let mut images = Images::new(&symbols.names);
        let mut filled = Vec::with_capacity(initialised.len());
        for (id, variable, initialiser) in initialised {
            let place = symbols.globals.get(id.index()).map_or(0, |global| global.bytes);
            let image = images
                .fill(variable, initialiser, place)
                .map_err(|error| error.within(variable.span.text(text)))?;
            filled.push((id, image));
        }
        for (id, (image, relocations)) in filled {
            if let Some(global) = symbols.globals.get_mut(id.index()) {
                global.image = image;
                global.relocations = relocations;
            }
        }
        Ok(symbols)
    }

    /// What a name of module scope is.
    pub(super) fn find(&self, name: &str) -> Option<Symbol> {
        self.names.get(name).copied()
    }

    /// What a variable declared inside of a function is, if it outlives the call.
    pub(super) fn find_static(&self, variable: &Variable<'a>) -> Option<Symbol> {
        self.statics.get(&(variable.span.start, variable.name)).copied()
    }

    /// Bytes of one element of an array, if all arrays of this name agree.
    pub(super) fn element_bytes(&self, array: &str) -> Option<u32> {
        self.elements.get(array).copied().flatten()
    }

    /// Whether a variable lies in constant memory.
    pub(super) fn is_constant(&self, id: GlobalId) -> bool {
        self.globals.get(id.index()).is_some_and(|global| global.space == GlobalSpace::Constant)
    }

    /// A device function by id.
    pub(super) fn function(&self, id: FunctionId) -> Option<&FunctionSymbol<'a>> {
        self.functions.get(id.0 as usize)
    }

    fn functions(&mut self, ast: &'a Ast<'a>) -> Result<(), PtxError> {
        for function in &ast.functions {
            let line = function.span.line;
            if function.is_entry {
                if function.body.is_none() {
                    continue;
                }
                let before = self.names.insert(function.name, Symbol::Kernel);
                if before.is_some() {
                    return Err(defined_twice(function.name, line));
                }
                self.kernels.push(function);
                continue;
            }
            match self.names.get(function.name) {
                None => {
                    let id = FunctionId(u32::try_from(self.functions.len()).unwrap_or(u32::MAX));
                    self.names.insert(function.name, Symbol::Function(id));
                    let layout = CallLayout::new(&function.returns, &function.parameters)
                        .or_else(|error| undefined_layout(function, error))?;
                    self.functions.push(FunctionSymbol { function, layout });
                }
                Some(Symbol::Function(id)) => self.again(*id, function)?,
                Some(_) => return Err(defined_twice(function.name, line)),
            }
        }
        for alias in &ast.aliases {
            match self.names.get(alias.of) {
                Some(symbol @ Symbol::Function(_)) => {
                    self.alias(alias.name, *symbol);
                }
                _ => {
                    let reason = format!("`{}` is no function to give another name", alias.of);
                    return Err(PtxError::malformed(alias.line, reason));
                }
            }
        }
        Ok(())
    }

    /// An alias replaces the declaration that came before it.
    fn alias(&mut self, name: &'a str, symbol: Symbol) {
        self.names.insert(name, symbol);
    }

    /// A second declaration or the definition of a function.
    fn again(&mut self, id: FunctionId, function: &'a Function<'a>) -> Result<(), PtxError> {
        let Some(known) = self.functions.get_mut(id.0 as usize) else { return Ok(()) };
        if function.body.is_none() {
            return Ok(());
        }
        if known.function.body.is_some() {
            return Err(defined_twice(function.name, function.span.line));
        }
        let layout = CallLayout::new(&function.returns, &function.parameters)?;
        *known = FunctionSymbol { function, layout };
        Ok(())
    }

    /// Places all variables; returns those that are not all zero at the start.
    fn variables(
        &mut self,
        ast: &'a Ast<'a>,
    ) -> Result<Vec<(GlobalId, &'a Variable<'a>, &'a Initialiser<'a>)>, PtxError> {
        let mut initialised = Vec::new();
        for variable in &ast.variables {
            let symbol = self
                .variable(variable, &mut initialised)
                .map_err(|error| error.within(variable.span.text(self.text)))?;
            self.declare(variable, symbol)?;
            self.array(variable);
        }
        for function in ast.functions.iter().filter_map(|function| function.body.as_ref()) {
            for statement in &function.statements {
                let Statement::Variable(variable) = statement else { continue };
                self.array(variable);
                if !matches!(
                    variable.space,
                    DeclaredSpace::Global | DeclaredSpace::Constant | DeclaredSpace::Shared
                ) {
                    continue;
                }
                let symbol = self
                    .variable(variable, &mut initialised)
                    .map_err(|error| error.within(variable.span.text(self.text)))?;
                self.statics.insert((variable.span.start, variable.name), symbol);
            }
        }
        Ok(initialised)
    }

    /// Notes how large the elements of an array are.
    fn array(&mut self, variable: &Variable<'a>) {
        if variable.dimensions.is_empty() {
            return;
        }
        let bytes = extent(variable, 0).ok().map(|extent| extent.element_bytes);
        let known = self.elements.entry(variable.name).or_insert(bytes);
        *known = known.filter(|known| Some(*known) == bytes);
    }

    /// A name may be declared often and defined once.
    fn declare(&mut self, variable: &Variable<'a>, symbol: Symbol) -> Result<(), PtxError> {
        match self.names.get(variable.name) {
            None | Some(Symbol::Undefined) => {
                self.names.insert(variable.name, symbol);
            }
            Some(_) if variable.linkage == Linkage::Extern => {}
            Some(Symbol::Shared(index))
                if self.shared.get(*index).is_some_and(|shared| shared.dynamic) =>
            {
                self.names.insert(variable.name, symbol);
            }
            Some(_) => return Err(defined_twice(variable.name, variable.span.line)),
        }
        Ok(())
    }

    fn variable(
        &mut self,
        variable: &'a Variable<'a>,
        initialised: &mut Vec<(GlobalId, &'a Variable<'a>, &'a Initialiser<'a>)>,
    ) -> Result<Symbol, PtxError> {
        let line = variable.span.line;
        if variable.count.is_some() {
            let reason = format!("`{}<…>`: only registers are numbered", variable.name);
            return Err(PtxError::malformed(line, reason));
        }
        let is_extern = variable.linkage == Linkage::Extern;
        match variable.space {
            _ if is_opaque(variable.ty) => Ok(Symbol::Texture),
            DeclaredSpace::Texture => Ok(Symbol::Texture),
            DeclaredSpace::Shared => self.shared(variable, is_extern),
            DeclaredSpace::Global | DeclaredSpace::Constant if is_extern => Ok(Symbol::Undefined),
            DeclaredSpace::Global => self.global(variable, GlobalSpace::Global, initialised),
            DeclaredSpace::Constant => self.global(variable, GlobalSpace::Constant, initialised),
            space => {
                let reason = format!("{space:?} variables live in functions").to_lowercase();
                Err(PtxError::malformed(line, reason))
            }
        }
    }

    fn shared(&mut self, variable: &Variable<'a>, is_extern: bool) -> Result<Symbol, PtxError> {
        if variable.initialiser.is_some() {
            let reason = format!("`{}`: shared memory holds nothing at the start", variable.name);
            return Err(PtxError::malformed(variable.span.line, reason));
        }
        let Extent { bytes, align, .. } = extent(variable, 0)?;
        let dynamic = variable.dimensions.contains(&None) || (is_extern && bytes == 0);
        self.shared.push(SharedVariable { bytes, align, dynamic });
        Ok(Symbol::Shared(self.shared.len() - 1))
    }

    fn global(
        &mut self,
        variable: &'a Variable<'a>,
        space: GlobalSpace,
        initialised: &mut Vec<(GlobalId, &'a Variable<'a>, &'a Initialiser<'a>)>,
    ) -> Result<Symbol, PtxError> {
        let open = match &variable.initialiser {
            Some(Initialiser::List(list)) => list.len() as u64,
            _ => 0,
        };
        let Extent { bytes, align, .. } = extent(variable, open)?;
        let id = GlobalId(u32::try_from(self.globals.len()).unwrap_or(u32::MAX));
        self.globals.push(Global {
            name: variable.name.into(),
            space,
            bytes,
            align,
            image: Vec::new(),
            relocations: Vec::new(),
        });
        if let Some(initialiser) = &variable.initialiser {
            initialised.push((id, variable, initialiser));
        }
        Ok(Symbol::Global(id))
    }

    fn check_totals(&self) -> Result<(), PtxError> {
        let total = |space| {
            let of_space = self.globals.iter().filter(move |global| global.space == space);
            of_space.fold(0_u64, |sum, global| sum.saturating_add(global.bytes))
        };
        for (space, bytes_max, name) in [
            (GlobalSpace::Global, GLOBAL_BYTES_MAX, "global"),
            (GlobalSpace::Constant, CONSTANT_BYTES_MAX, "constant"),
        ] {
            let bytes = total(space);
            if bytes > bytes_max {
                let reason =
                    format!("{bytes} bytes of {name} variables, at most {bytes_max} are taken");
                return Err(PtxError::too_large(1, reason));
            }
        }
        Ok(())
    }
}

/// References to textures, samplers and surfaces.
fn is_opaque(ty: &str) -> bool {
    matches!(ty, "texref" | "samplerref" | "surfref")
}

fn defined_twice(name: &str, line: u32) -> PtxError {
    PtxError::malformed(line, format!("`{name}` is defined twice"))
}

/// A declaration that nobody can call is no error until someone does.
fn undefined_layout(function: &Function<'_>, error: PtxError) -> Result<CallLayout, PtxError> {
    if function.body.is_some() { Err(error) } else { Ok(CallLayout::default()) }
}
