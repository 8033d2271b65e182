//! What names inside of a function mean: scopes of registers, variables and labels.

use std::collections::HashMap;

use crate::PtxError;
use crate::ir::{FunctionId, GlobalId, Reg, RegClass, RegisterCounts, Type};
use crate::limits::REGISTERS_MAX;
use crate::syntax::{Prototype, Targets, Variable};

use super::layout::element_type;

/// What a name stands for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place<'a> {
    /// One register.
    Register(Reg),
    /// Registers with indices one after the other: `.v4`, and `.b128` as two of 64 bits.
    Registers {
        first: Reg,
        count: u32,
        /// They are one 128-bit register.
        wide: bool,
    },
    /// A variable of the frame: `.local`, and `.param` of calls.
    Frame(FrameVariable),
    /// A parameter of the kernel.
    KernelParameter { offset: u32 },
    /// A variable in shared memory, an index into the module's.
    Shared(usize),
    /// A variable of module scope.
    Global(GlobalId),
    /// A device function.
    Function(FunctionId),
    /// A variable of another module.
    Undefined,
    /// A texture reference.
    Texture,
    /// The type of an indirect call.
    Prototype(&'a Prototype<'a>),
    /// Where an indexed branch may go.
    Targets(&'a Targets<'a>),
    /// A name that nothing can be done with: a kernel.
    Nothing,
}

/// A place in the frame, before the frame is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FrameVariable {
    /// Which variable of the frame.
    pub(super) index: u32,
    /// Bytes past its start.
    pub(super) offset: u32,
    /// Its size from there on.
    pub(super) bytes: u32,
}

/// One scope's names.
#[derive(Debug, Default)]
struct Scope<'a> {
    names: HashMap<&'a str, Place<'a>>,
    /// `%r<77>` by prefix: registers are made when they are first named.
    ranges: HashMap<&'a str, Range>,
    /// Its number within the body, for labels.
    id: u32,
}

#[derive(Debug, Clone, Copy)]
struct Range {
    count: u32,
    shape: Shape,
}

/// What one register name stands for.
#[derive(Debug, Clone, Copy)]
enum Shape {
    One(RegClass),
    Several { class: RegClass, count: u32, wide: bool },
}

impl Shape {
    fn of(variable: &Variable<'_>) -> Result<Self, PtxError> {
        if variable.ty == "b128" && variable.vector == 1 {
            return Ok(Self::Several { class: RegClass::B64, count: 2, wide: true });
        }
        let ty = element_type(variable).ok_or_else(|| {
            let reason = format!("registers of type .{} are not supported", variable.ty);
            PtxError::unsupported(variable.span.line, reason)
        })?;
        let class = ty.class();
        Ok(match variable.vector {
            1 => Self::One(class),
            count => Self::Several { class, count: count.into(), wide: false },
        })
    }
}

/// The scopes of one function body, innermost last.
#[derive(Debug, Default)]
pub(super) struct Names<'a> {
    scopes: Vec<Scope<'a>>,
    scopes_opened: u32,
}

impl<'a> Names<'a> {
    /// With the function's own scope open, for its parameters and body.
    pub(super) fn new() -> Self {
        Self { scopes: vec![Scope::default()], scopes_opened: 1 }
    }

    pub(super) fn open(&mut self) {
        self.scopes.push(Scope { id: self.scopes_opened, ..Scope::default() });
        self.scopes_opened += 1;
    }

    pub(super) fn close(&mut self) {
        self.scopes.pop();
    }

    /// The numbers of the open scopes, innermost first.
    pub(super) fn scope_ids(&self) -> impl Iterator<Item = u32> + '_ {
        self.scopes.iter().rev().map(|scope| scope.id)
    }

    /// Gives a name its meaning in the innermost scope.
    pub(super) fn bind(
        &mut self,
        name: &'a str,
        place: Place<'a>,
        line: u32,
    ) -> Result<(), PtxError> {
        let Some(scope) = self.scopes.last_mut() else { return Ok(()) };
        if scope.names.insert(name, place).is_some() {
            return Err(PtxError::malformed(line, format!("`{name}` is declared twice")));
        }
        Ok(())
    }

    /// Declares registers.
    pub(super) fn registers(
        &mut self,
        variable: &Variable<'a>,
        counts: &mut RegisterCounts,
    ) -> Result<(), PtxError> {
        let line = variable.span.line;
        if !variable.dimensions.is_empty() {
            let reason = format!("`{}`: arrays of registers are not supported", variable.name);
            return Err(PtxError::unsupported(line, reason));
        }
        let shape = Shape::of(variable)?;
        let Some(count) = variable.count else {
            let place = place(shape, counts, line)?;
            return self.bind(variable.name, place, line);
        };
        let Some(scope) = self.scopes.last_mut() else { return Ok(()) };
        if scope.ranges.insert(variable.name, Range { count, shape }).is_some() {
            let reason = format!("`{}<…>` is declared twice", variable.name);
            return Err(PtxError::malformed(line, reason));
        }
        Ok(())
    }

    /// What a name stands for in the innermost scope that knows it.
    #[inline]
    pub(super) fn find(
        &mut self,
        name: &'a str,
        counts: &mut RegisterCounts,
        line: u32,
    ) -> Result<Option<Place<'a>>, PtxError> {
        for scope in self.scopes.iter_mut().rev() {
            if let Some(place) = scope.names.get(name) {
                return Ok(Some(*place));
            }
            if let Some(shape) = scope.range(name) {
                let place = place(shape, counts, line)?;
                scope.names.insert(name, place);
                return Ok(Some(place));
            }
        }
        Ok(None)
    }
}

impl Scope<'_> {
    /// The range that `name` with its number belongs to.
    fn range(&self, name: &str) -> Option<Shape> {
        if self.ranges.is_empty() {
            return None;
        }
        let digits = name.bytes().rev().take_while(u8::is_ascii_digit).count().min(10);
        // a prefix may end in digits too: try the shortest number last
        (1..=digits).rev().find_map(|digits| {
            let (prefix, number) = name.split_at(name.len() - digits);
            if number.len() > 1 && number.starts_with('0') {
                return None;
            }
            let range = self.ranges.get(prefix)?;
            let number: u32 = number.parse().ok()?;
            (number < range.count).then_some(range.shape)
        })
    }
}

/// New registers of this shape.
fn place<'a>(shape: Shape, counts: &mut RegisterCounts, line: u32) -> Result<Place<'a>, PtxError> {
    Ok(match shape {
        Shape::One(class) => Place::Register(fresh(class, 1, counts, line)?),
        Shape::Several { class, count, wide } => {
            Place::Registers { first: fresh(class, count, counts, line)?, count, wide }
        }
    })
}

/// The first of `count` new registers.
pub(super) fn fresh(
    class: RegClass,
    count: u32,
    counts: &mut RegisterCounts,
    line: u32,
) -> Result<Reg, PtxError> {
    let next = counts.of_mut(class);
    let first = *next;
    *next += count;
    if *next as usize > REGISTERS_MAX {
        let reason = format!("more than {REGISTERS_MAX} registers of {} bits", class.bits());
        return Err(PtxError::too_large(line, reason));
    }
    Ok(Reg::new(class, first))
}

/// The class of registers of this type.
pub(super) fn class_name(class: RegClass) -> &'static str {
    match class {
        RegClass::Predicate => "predicate",
        RegClass::B16 => "16-bit register",
        RegClass::B32 => "32-bit register",
        RegClass::B64 => "64-bit register",
    }
}

/// What an operand of this type must be.
pub(super) fn wanted(ty: Type) -> &'static str {
    class_name(ty.class())
}
