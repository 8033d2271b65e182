//! An opcode taken apart: its name, and modifiers that are taken one by one.
//!
//! What nobody takes is refused by [`Opcode::finish`]: an unknown modifier never changes a meaning unnoticed.

use crate::PtxError;
use crate::ir::Type;

/// More modifiers than any instruction has.
const MODIFIERS_MAX: usize = 24;

/// `ld.global.v2.f32`: the name `ld`, and `global`, `v2`, `f32`.
#[derive(Debug, Clone)]
pub(super) struct Opcode<'a> {
    pub(super) name: &'a str,
    pub(super) line: u32,
    modifiers: [&'a str; MODIFIERS_MAX],
    count: usize,
}

impl<'a> Opcode<'a> {
    pub(super) fn new(text: &'a str, line: u32) -> Result<Self, PtxError> {
        let mut parts = text.split('.');
        let name = parts.next().unwrap_or_default();
        let mut opcode = Self { name, line, modifiers: [""; MODIFIERS_MAX], count: 0 };
        for part in parts {
            let Some(slot) = opcode.modifiers.get_mut(opcode.count) else {
                let reason = format!("more than {MODIFIERS_MAX} modifiers");
                return Err(PtxError::too_large(line, reason));
            };
            *slot = part;
            opcode.count += 1;
        }
        Ok(opcode)
    }

    /// What nobody has taken yet.
    pub(super) fn left(&self) -> &[&'a str] {
        self.modifiers.get(..self.count).unwrap_or_default()
    }

    /// Takes the first modifier that `read` understands.
    pub(super) fn take<T>(&mut self, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        let (place, found) =
            self.left().iter().enumerate().find_map(|(place, part)| Some((place, read(part)?)))?;
        self.modifiers.copy_within(place + 1..self.count, place);
        self.count -= 1;
        Some(found)
    }

    /// Takes a modifier, if it is there.
    pub(super) fn has(&mut self, modifier: &str) -> bool {
        self.take(|part| (part == modifier).then_some(())).is_some()
    }

    /// Takes the one of several that is there.
    pub(super) fn choose<T: Copy>(&mut self, choices: &[(&str, T)]) -> Option<T> {
        self.take(|part| choices.iter().find(|(name, _)| *name == part).map(|(_, value)| *value))
    }

    /// Takes the one of several that must be there.
    pub(super) fn require<T: Copy>(&mut self, choices: &[(&str, T)]) -> Result<T, PtxError> {
        self.choose(choices).ok_or_else(|| {
            let wanted: Vec<String> = choices.iter().map(|(name, _)| format!(".{name}")).collect();
            let reason = format!("{} needs one of {}", self.name, wanted.join(" "));
            PtxError::malformed(self.line, reason)
        })
    }

    /// Takes the first type.
    pub(super) fn ty(&mut self) -> Result<Type, PtxError> {
        self.take(type_of).ok_or_else(|| {
            let reason = format!("{} needs a type such as .f32", self.name);
            PtxError::malformed(self.line, reason)
        })
    }

    /// Takes the first type, which must be one of these.
    pub(super) fn ty_of(&mut self, allowed: &[Type]) -> Result<Type, PtxError> {
        let ty = self.ty()?;
        if allowed.contains(&ty) { Ok(ty) } else { Err(self.bad_type(ty)) }
    }

    /// The error for a type that the instruction does not have.
    pub(super) fn bad_type(&self, ty: Type) -> PtxError {
        let reason = format!("{} has no form for .{}", self.name, name_of(ty));
        PtxError::malformed(self.line, reason)
    }

    /// The error for a form that is PTX, but not done here.
    pub(super) fn unsupported(&self, what: &str) -> PtxError {
        PtxError::unsupported(self.line, format!("{what} is not supported"))
    }

    /// Refuses what nobody took.
    pub(super) fn finish(&self) -> Result<(), PtxError> {
        match self.left().first() {
            None => Ok(()),
            Some(modifier) => Err(PtxError::unsupported(
                self.line,
                format!("modifier .{modifier} is not supported on {}", self.name),
            )),
        }
    }
}

/// Types by name.
const TYPES: [(&str, Type); 22] = [
    ("pred", Type::Pred),
    ("b8", Type::B8),
    ("b16", Type::B16),
    ("b32", Type::B32),
    ("b64", Type::B64),
    ("u8", Type::U8),
    ("u16", Type::U16),
    ("u32", Type::U32),
    ("u64", Type::U64),
    ("s8", Type::S8),
    ("s16", Type::S16),
    ("s32", Type::S32),
    ("s64", Type::S64),
    ("f16", Type::F16),
    ("f32", Type::F32),
    ("f64", Type::F64),
    ("bf16", Type::Bf16),
    ("u16x2", Type::U16x2),
    ("s16x2", Type::S16x2),
    ("f16x2", Type::F16x2),
    ("bf16x2", Type::Bf16x2),
    ("tf32", Type::Tf32),
];

/// The type of this name.
pub(super) fn type_of(name: &str) -> Option<Type> {
    TYPES.iter().find(|(known, _)| *known == name).map(|(_, ty)| *ty)
}

/// The name of this type.
pub(super) fn name_of(ty: Type) -> &'static str {
    TYPES.iter().find(|(_, known)| *known == ty).map_or("b32", |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modifiers_are_taken_in_any_order() {
        let mut opcode = Opcode::new("ld.global.nc.v2.f32", 3).unwrap();
        assert_eq!(opcode.name, "ld");
        assert_eq!(opcode.ty().unwrap(), Type::F32);
        assert!(opcode.has("nc"));
        assert!(!opcode.has("nc"));
        assert_eq!(opcode.choose(&[("v2", 2), ("v4", 4)]), Some(2));
        assert_eq!(opcode.left(), ["global"]);
    }

    #[test]
    fn what_nobody_takes_is_refused_by_name() {
        let opcode = Opcode::new("add.frob", 3).unwrap();
        let error = opcode.finish().unwrap_err();
        assert_eq!(error.to_string(), "line 3: modifier .frob is not supported on add");
    }

    #[test]
    fn a_missing_choice_lists_what_was_wanted() {
        let mut opcode = Opcode::new("mul.s32", 1).unwrap();
        let error = opcode.require(&[("lo", 0), ("hi", 1)]).unwrap_err();
        assert_eq!(error.to_string(), "line 1: mul needs one of .lo .hi");
    }
}
