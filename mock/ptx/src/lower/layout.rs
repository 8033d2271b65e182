//! How many bytes declared things take.

use crate::PtxError;
use crate::ir::Type;
use crate::limits::{ARGUMENT_ALIGN, FUNCTION_PARAMETER_BYTES_MAX, GLOBAL_BYTES_MAX};
use crate::syntax::{DeclaredSpace, Variable};

use crate::unit::align_up;

use super::opcode::type_of;

/// Size and alignment of a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) bytes: u64,
    pub(super) align: u32,
    /// Size of one element.
    pub(super) element_bytes: u32,
}

/// The type of a variable's elements; none for textures and the like.
pub(super) fn element_type(variable: &Variable<'_>) -> Option<Type> {
    type_of(variable.ty)
}

/// Bytes of one scalar of this declared type.
fn scalar_bytes(ty: &str) -> Option<u32> {
    if ty == "b128" {
        return Some(16);
    }
    type_of(ty).map(Type::bytes).filter(|bytes| *bytes > 0)
}

/// Size of a variable; `open_bytes` stands for a dimension that is left open.
pub(super) fn extent(variable: &Variable<'_>, open_elements: u64) -> Result<Extent, PtxError> {
    let line = variable.span.line;
    let scalar = scalar_bytes(variable.ty).ok_or_else(|| {
        let reason = format!("`{}` of type .{} is not supported", variable.name, variable.ty);
        PtxError::unsupported(line, reason)
    })?;
    let element_bytes = scalar * u32::from(variable.vector);
    let too_large = || {
        let reason = format!("`{}` is larger than {GLOBAL_BYTES_MAX} bytes", variable.name);
        PtxError::too_large(line, reason)
    };
    let mut bytes = u64::from(element_bytes);
    for (place, dimension) in variable.dimensions.iter().enumerate() {
        let elements = match dimension {
            Some(elements) => *elements,
            None if place == 0 => open_elements,
            None => {
                let reason = format!("only the first dimension of `{}` may be open", variable.name);
                return Err(PtxError::malformed(line, reason));
            }
        };
        bytes = bytes.checked_mul(elements).ok_or_else(too_large)?;
    }
    if bytes > GLOBAL_BYTES_MAX {
        return Err(too_large());
    }
    let align = variable.align.unwrap_or(0).max(element_bytes.min(16));
    Ok(Extent { bytes, align, element_bytes })
}

/// Where the arguments and results of a called function lie from its frame's base on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct CallLayout {
    pub(super) returns: Vec<ArgumentSlot>,
    pub(super) parameters: Vec<ArgumentSlot>,
    pub(super) bytes: u32,
}

/// One argument or result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ArgumentSlot {
    pub(super) offset: u32,
    pub(super) bytes: u32,
}

impl CallLayout {
    /// Results first, then parameters, each aligned alike, so that caller and callee agree on it
    /// from the types alone.
    pub(super) fn new(
        returns: &[Variable<'_>],
        parameters: &[Variable<'_>],
    ) -> Result<Self, PtxError> {
        let mut layout = Self::default();
        for variable in returns {
            let slot = layout.slot(variable)?;
            layout.returns.push(slot);
        }
        for variable in parameters {
            let slot = layout.slot(variable)?;
            layout.parameters.push(slot);
        }
        Ok(layout)
    }

    fn slot(&mut self, variable: &Variable<'_>) -> Result<ArgumentSlot, PtxError> {
        let line = variable.span.line;
        if variable.dimensions.contains(&None) {
            return Err(PtxError::unsupported(line, "variable arguments are not supported"));
        }
        let bytes = match (variable.space, element_type(variable)) {
            // a predicate travels as a word
            (DeclaredSpace::Register, Some(Type::Pred)) => 4,
            _ => extent(variable, 0)?.bytes,
        };
        let offset = align_up(u64::from(self.bytes), ARGUMENT_ALIGN);
        let end = offset.saturating_add(bytes);
        match (u32::try_from(offset), u32::try_from(bytes), u32::try_from(end)) {
            (Ok(offset), Ok(bytes), Ok(end)) if end <= FUNCTION_PARAMETER_BYTES_MAX => {
                self.bytes = end;
                Ok(ArgumentSlot { offset, bytes })
            }
            _ => Err(PtxError::too_large(
                line,
                format!("more than {FUNCTION_PARAMETER_BYTES_MAX} bytes of parameters"),
            )),
        }
    }

    /// Whether a call through this type fits a function of that one.
    pub(super) fn matches(&self, other: &Self) -> bool {
        let sizes = |slots: &[ArgumentSlot]| slots.iter().map(|s| s.bytes).collect::<Vec<_>>();
        sizes(&self.returns) == sizes(&other.returns)
            && sizes(&self.parameters) == sizes(&other.parameters)
    }
}
