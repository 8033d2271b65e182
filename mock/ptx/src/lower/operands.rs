//! Operands as written become operands, registers and addresses of the IR.

use crate::PtxError;
use crate::ir::{Address, Base, Guard, IntegerBinary, Op, Operand, Reg, RegClass, Space, Type};
use crate::syntax::{self, AddressOperand};

use super::builder::Builder;
use super::constant::bits_of;
use super::names::{FrameVariable, Place, class_name, wanted};
use super::special;
use crate::unit::frame_offset;

/// What every constant operand knows by name.
const WARP_LANES: u64 = 32;

impl<'a> Builder<'a, '_, '_> {
    /// The operands of an instruction that takes exactly `N`.
    pub(super) fn exactly<const N: usize>(
        &self,
        operands: &'a [syntax::Operand<'a>],
    ) -> Result<&'a [syntax::Operand<'a>; N], PtxError> {
        operands
            .try_into()
            .map_err(|_| self.malformed(format!("takes {N} operands, got {}", operands.len())))
    }

    /// `{a}` is `a`.
    fn single(&self, operand: &syntax::Operand<'a>) -> syntax::Operand<'a> {
        if let syntax::Operand::Vector(list) = operand
            && let [only] = self.body_operands(*list)
        {
            return *only;
        }
        *operand
    }

    // ---- registers ----

    /// What a name stands for, which must be known.
    pub(super) fn place(&mut self, name: &'a str) -> Result<Place<'a>, PtxError> {
        if let Some(place) = self.find(name)? {
            return Ok(place);
        }
        if let Some((whole, part)) = name.rsplit_once('.') {
            return self.component(whole, part, name);
        }
        Err(self.malformed(format!("`{name}` is not declared")))
    }

    /// `%v.x` of a vector register.
    fn component(&mut self, whole: &'a str, part: &str, name: &str) -> Result<Place<'a>, PtxError> {
        let index = match part {
            "x" | "r" => 0,
            "y" | "g" => 1,
            "z" | "b" => 2,
            "w" | "a" => 3,
            _ => return Err(self.malformed(format!("`{name}` is not declared"))),
        };
        match self.find(whole)? {
            Some(Place::Registers { first, count, wide: false }) if index < count => {
                Ok(Place::Register(nth(first, index)))
            }
            _ => Err(self.malformed(format!("`{name}` is not declared"))),
        }
    }

    /// The register of this name, of any class.
    pub(super) fn register(&mut self, name: &'a str) -> Result<Reg, PtxError> {
        match self.place(name)? {
            Place::Register(reg) => Ok(reg),
            _ => Err(self.malformed(format!("`{name}` is no register"))),
        }
    }

    pub(super) fn predicate(&mut self, name: &'a str) -> Result<Reg, PtxError> {
        let reg = self.register(name)?;
        self.check_class(reg, RegClass::Predicate, name)?;
        Ok(reg)
    }

    fn check_class(&self, reg: Reg, class: RegClass, name: &str) -> Result<(), PtxError> {
        if reg.class() == class {
            return Ok(());
        }
        let (is, wanted) = (class_name(reg.class()), class_name(class));
        Err(self.malformed(format!("`{name}` is a {is}, wanted a {wanted}")))
    }

    // ---- destinations ----

    /// Where a result of type `ty` goes.
    #[inline]
    pub(super) fn dst(&mut self, operand: &syntax::Operand<'a>, ty: Type) -> Result<Reg, PtxError> {
        self.dst_class(operand, ty.class())
    }

    /// Where a result of this class goes; `_` is a register that nobody reads.
    pub(super) fn dst_class(
        &mut self,
        operand: &syntax::Operand<'a>,
        class: RegClass,
    ) -> Result<Reg, PtxError> {
        match self.single(operand) {
            syntax::Operand::Name("_") => Ok(self.temporary(class)),
            syntax::Operand::Name(name) => {
                let reg = self.register(name)?;
                self.check_class(reg, class, name)?;
                Ok(reg)
            }
            _ => Err(self.malformed("the result goes to a register")),
        }
    }

    /// Where a result of at least `ty`'s width goes, as loads and conversions have it.
    pub(super) fn dst_wide(
        &mut self,
        operand: &syntax::Operand<'a>,
        ty: Type,
    ) -> Result<Reg, PtxError> {
        match self.single(operand) {
            syntax::Operand::Name("_") => Ok(self.temporary(ty.class())),
            syntax::Operand::Name(name) => {
                let reg = self.register(name)?;
                self.check_at_least(reg, ty, name)?;
                Ok(reg)
            }
            _ => Err(self.malformed("the result goes to a register")),
        }
    }

    fn check_at_least(&self, reg: Reg, ty: Type, name: &str) -> Result<(), PtxError> {
        let fits =
            reg.class() >= ty.class() && (reg.class() == RegClass::Predicate) == (ty == Type::Pred);
        if fits {
            return Ok(());
        }
        let (is, wanted) = (class_name(reg.class()), wanted(ty));
        Err(self.malformed(format!("`{name}` is a {is}, wanted at least a {wanted}")))
    }

    /// A result that may be left out: none for `_`.
    pub(super) fn dst_wanted(
        &mut self,
        operand: &syntax::Operand<'a>,
        class: RegClass,
    ) -> Result<Option<Reg>, PtxError> {
        match operand {
            syntax::Operand::Name("_") => Ok(None),
            operand => self.dst_class(operand, class).map(Some),
        }
    }

    /// `d` or `d|p`: the operand itself, and what stands behind the bar.
    pub(super) fn pair(
        &self,
        operand: &'a syntax::Operand<'a>,
    ) -> Result<(&'a syntax::Operand<'a>, Option<&'a syntax::Operand<'a>>), PtxError> {
        let syntax::Operand::Pair(list) = operand else { return Ok((operand, None)) };
        match self.body_operands(*list) {
            [first, second] => Ok((first, Some(second))),
            _ => Err(self.malformed("a pair has two parts")),
        }
    }

    // ---- sources ----

    /// A source of type `ty`.
    #[inline]
    pub(super) fn src(
        &mut self,
        operand: &syntax::Operand<'a>,
        ty: Type,
    ) -> Result<Operand, PtxError> {
        match self.single(operand) {
            syntax::Operand::Name(name) => self.named_src(name, ty),
            syntax::Operand::Constant(constant) => {
                let bits = bits_of(constant, ty).map_err(|reason| self.malformed(reason))?;
                Ok(Operand::Immediate(bits))
            }
            syntax::Operand::Offset(name, addend) if ty.bits() > 8 && !ty.is_float() => {
                self.sum(name, addend, ty)
            }
            syntax::Operand::Not(name) if ty == Type::Pred => {
                let a = Operand::Register(self.predicate(name)?);
                let dst = self.temporary(RegClass::Predicate);
                let op = crate::ir::IntegerUnary::Not;
                self.emit_always(Op::IntegerUnary { op, ty: Type::Pred, dst, a });
                Ok(Operand::Register(dst))
            }
            _ => Err(self.malformed(format!("wanted a {} or a constant", wanted(ty)))),
        }
    }

    /// `register+constant`, which is an operand wherever a register is.
    fn sum(&mut self, name: &'a str, addend: i64, ty: Type) -> Result<Operand, PtxError> {
        let (class, op) = (ty.class(), IntegerBinary::Add);
        let ty = match class {
            RegClass::B64 => Type::U64,
            RegClass::B32 => Type::U32,
            _ => Type::U16,
        };
        let (a, addend) = (self.named_src(name, ty)?, addend.cast_unsigned());
        let b = Operand::Immediate(addend & (u64::MAX >> (64 - ty.bits())));
        let dst = self.temporary(class);
        self.emit_always(Op::IntegerBinary { op, ty, dst, a, b });
        Ok(Operand::Register(dst))
    }

    fn named_src(&mut self, name: &'a str, ty: Type) -> Result<Operand, PtxError> {
        match self.find(name)? {
            Some(Place::Register(reg)) => {
                self.check_class(reg, ty.class(), name)?;
                Ok(Operand::Register(reg))
            }
            Some(_) => Err(self.malformed(format!("`{name}` is no {} or constant", wanted(ty)))),
            None => self.unnamed_src(name, ty),
        }
    }

    /// Names that nobody declared: special registers, components, constants.
    fn unnamed_src(&mut self, name: &'a str, ty: Type) -> Result<Operand, PtxError> {
        if let Some(register) = special::register(name) {
            let dst = self.temporary(ty.class());
            self.emit_always(Op::ReadSpecial { dst, register });
            return Ok(Operand::Register(dst));
        }
        if name == "WARP_SZ" {
            return Ok(Operand::Immediate(WARP_LANES));
        }
        match self.place(name)? {
            Place::Register(reg) => {
                self.check_class(reg, ty.class(), name)?;
                Ok(Operand::Register(reg))
            }
            _ => Err(self.malformed(format!("`{name}` is no register"))),
        }
    }

    /// A source whose register may be wider than `ty`: stores and conversions.
    pub(super) fn src_wide(
        &mut self,
        operand: &syntax::Operand<'a>,
        ty: Type,
    ) -> Result<Operand, PtxError> {
        if let syntax::Operand::Name(name) = self.single(operand)
            && let Some(Place::Register(reg)) = self.find(name)?
        {
            self.check_at_least(reg, ty, name)?;
            return Ok(Operand::Register(reg));
        }
        self.src(operand, ty)
    }

    /// A predicate source as a condition: `p` or `!p`.
    pub(super) fn condition(&mut self, operand: &syntax::Operand<'a>) -> Result<Guard, PtxError> {
        match operand {
            syntax::Operand::Name(name) => {
                Ok(Guard { predicate: self.predicate(name)?, negated: false })
            }
            syntax::Operand::Not(name) => {
                Ok(Guard { predicate: self.predicate(name)?, negated: true })
            }
            operand => {
                let value = self.src(operand, Type::Pred)?;
                let predicate = self.in_register(value, RegClass::Predicate);
                Ok(Guard { predicate, negated: false })
            }
        }
    }

    /// A constant that must be known now.
    pub(super) fn constant(&self, operand: &syntax::Operand<'a>) -> Result<u64, PtxError> {
        match operand {
            syntax::Operand::Constant(constant) => {
                constant.integer().ok_or_else(|| self.malformed("wanted an integer constant"))
            }
            _ => Err(self.malformed("wanted a constant")),
        }
    }

    // ---- vectors ----

    /// The parts of `{a, b}`, or of a vector register.
    pub(super) fn parts(
        &mut self,
        operand: &'a syntax::Operand<'a>,
    ) -> Result<Parts<'a>, PtxError> {
        match operand {
            syntax::Operand::Vector(list) => Ok(Parts::Listed(self.body_operands(*list))),
            syntax::Operand::Name(name) => match self.find(name)? {
                Some(Place::Registers { first, count, .. }) => Ok(Parts::Registers(first, count)),
                _ => Ok(Parts::Listed(core::slice::from_ref(operand))),
            },
            operand => Ok(Parts::Listed(core::slice::from_ref(operand))),
        }
    }

    /// Where the parts of a vector of type `ty` go; registers may be wider.
    pub(super) fn dst_parts(
        &mut self,
        operand: &'a syntax::Operand<'a>,
        ty: Type,
    ) -> Result<Box<[Reg]>, PtxError> {
        match self.parts(operand)? {
            Parts::Listed(list) => list.iter().map(|part| self.dst_wide(part, ty)).collect(),
            Parts::Registers(first, count) => Ok((0..count).map(|i| nth(first, i)).collect()),
        }
    }

    /// The parts of a vector of type `ty`; registers may be wider.
    pub(super) fn src_parts(
        &mut self,
        operand: &'a syntax::Operand<'a>,
        ty: Type,
    ) -> Result<Box<[Operand]>, PtxError> {
        match self.parts(operand)? {
            Parts::Listed(list) => list.iter().map(|part| self.src_wide(part, ty)).collect(),
            Parts::Registers(first, count) => {
                Ok((0..count).map(|i| Operand::Register(nth(first, i))).collect())
            }
        }
    }

    // ---- addresses ----

    /// What stands in square brackets, for an access to `space`; and the space that is meant,
    /// which a variable may know better than a generic access.
    pub(super) fn address(
        &mut self,
        operand: &syntax::Operand<'a>,
        space: AccessSpace,
    ) -> Result<(Space, Address), PtxError> {
        let AddressOperand { name, offset, rest } = match operand {
            syntax::Operand::Address(address) => *address,
            syntax::Operand::Element(name, index) => {
                let offset = self.element_offset(name, *index)?;
                AddressOperand { name: Some(name), offset, rest: syntax::List::default() }
            }
            _ => return Err(self.malformed("wanted an address in square brackets")),
        };
        if rest.count > 0 {
            return Err(self.unsupported("an address with coordinates is"));
        }
        let Some(name) = name else {
            let space = space.of_register(self.in_kernel());
            return Ok((space, Address { base: Base::Window, offset }));
        };
        match self.place(name)? {
            Place::Register(reg) => {
                let space = space.of_register(self.in_kernel());
                let base = match (reg.class(), space) {
                    (RegClass::B64, _) => Base::Register(reg),
                    (RegClass::B32, Space::Generic | Space::Global) | (_, Space::Constant) => {
                        let reason = format!("`{name}` is too narrow for an address");
                        return Err(self.malformed(reason));
                    }
                    (RegClass::B32, _) => Base::Register32(reg),
                    (class, _) => {
                        let reason = format!("`{name}` is a {}, no address", class_name(class));
                        return Err(self.malformed(reason));
                    }
                };
                Ok((space, Address { base, offset }))
            }
            place => {
                let (found, address) = self.symbol_address(name, place, offset)?;
                space.admits(found).then_some((found, address)).ok_or_else(|| {
                    let (is, wanted) = (space_name(found), space.name());
                    self.malformed(format!("`{name}` lies in {is}, the access is to {wanted}"))
                })
            }
        }
    }

    /// How far into an array an element starts.
    pub(super) fn element_offset(&self, array: &str, index: i64) -> Result<i64, PtxError> {
        let bytes = self.context.symbols.element_bytes(array);
        let offset = bytes.and_then(|bytes| index.checked_mul(bytes.into()));
        offset.ok_or_else(|| self.malformed(format!("`{array}` is no array of known elements")))
    }

    /// Where a variable lies.
    pub(super) fn symbol_address(
        &mut self,
        name: &str,
        place: Place<'a>,
        offset: i64,
    ) -> Result<(Space, Address), PtxError> {
        let window = |space, start: u32| {
            let offset = offset.wrapping_add(start.into());
            Ok((space, Address { base: Base::Window, offset }))
        };
        match place {
            Place::Global(id) => {
                let is_constant = self.context.symbols.is_constant(id);
                let space = if is_constant { Space::Constant } else { Space::Global };
                Ok((space, Address { base: Base::Symbol(id), offset }))
            }
            Place::Shared(index) => window(Space::Shared, self.context.shared.offset(index)),
            Place::KernelParameter { offset: start } => window(Space::Parameter, start),
            Place::Frame(variable) => Ok((Space::Local, self.frame_address(variable, offset)?)),
            Place::Undefined => {
                Err(self.unsupported(&format!("`{name}`, which another module defines, is")))
            }
            Place::Texture => Err(self.unsupported("textures and surfaces are")),
            Place::Function(_)
            | Place::Prototype(_)
            | Place::Targets(_)
            | Place::Nothing
            | Place::Register(_)
            | Place::Registers { .. } => Err(self.malformed(format!("`{name}` is no variable"))),
        }
    }

    /// A place in a variable of the frame.
    pub(super) fn frame_address(
        &self,
        variable: FrameVariable,
        offset: i64,
    ) -> Result<Address, PtxError> {
        let FrameVariable { index, offset: start, .. } = variable;
        let offset = offset.checked_add(start.into());
        offset
            .and_then(|offset| frame_offset::encode(index, offset))
            .map(|offset| Address { base: Base::Frame, offset })
            .ok_or_else(|| self.malformed("an offset too far from its variable"))
    }

    /// Whether the body being walked is the kernel's own.
    pub(super) fn in_kernel(&self) -> bool {
        self.instances.len() == 1 && self.unit.is_kernel
    }
}

/// The parts of a vector operand.
#[derive(Debug, Clone, Copy)]
pub(super) enum Parts<'a> {
    /// One by one.
    Listed(&'a [syntax::Operand<'a>]),
    /// Registers with indices one after the other.
    Registers(Reg, u32),
}

/// The register `index` places after `first`.
pub(super) fn nth(first: Reg, index: u32) -> Reg {
    Reg::new(first.class(), u32::try_from(first.index()).unwrap_or(u32::MAX) + index)
}

/// The space an access names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AccessSpace {
    /// None: generic.
    Generic,
    Global,
    Constant,
    Shared,
    Local,
    /// `.param`: the kernel's parameters in a kernel, a frame's variables in a function.
    Parameter,
}

/// Spaces by the names that opcodes have for them.
pub(super) const ACCESS_SPACES: [(&str, AccessSpace); 10] = [
    ("global", AccessSpace::Global),
    ("shared", AccessSpace::Shared),
    ("shared::cta", AccessSpace::Shared),
    // a cluster is one block
    ("shared::cluster", AccessSpace::Shared),
    ("const", AccessSpace::Constant),
    ("local", AccessSpace::Local),
    ("param", AccessSpace::Parameter),
    ("param::entry", AccessSpace::Parameter),
    ("param::func", AccessSpace::Parameter),
    ("generic", AccessSpace::Generic),
];

impl AccessSpace {
    /// The space of an address in a register.
    const fn of_register(self, in_kernel: bool) -> Space {
        match self {
            Self::Generic => Space::Generic,
            Self::Global => Space::Global,
            Self::Constant => Space::Constant,
            Self::Shared => Space::Shared,
            Self::Local => Space::Local,
            Self::Parameter if in_kernel => Space::Parameter,
            Self::Parameter => Space::Local,
        }
    }

    /// Whether such an access may name a variable of that space.
    const fn admits(self, space: Space) -> bool {
        match self {
            Self::Generic => true,
            Self::Global => matches!(space, Space::Global),
            Self::Constant => matches!(space, Space::Constant),
            Self::Shared => matches!(space, Space::Shared),
            Self::Local => matches!(space, Space::Local),
            // parameters of functions and calls lie in the frame
            Self::Parameter => matches!(space, Space::Parameter | Space::Local),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Generic => "any space",
            Self::Global => ".global",
            Self::Constant => ".const",
            Self::Shared => ".shared",
            Self::Local => ".local",
            Self::Parameter => ".param",
        }
    }
}

const fn space_name(space: Space) -> &'static str {
    match space {
        Space::Generic => "any space",
        Space::Global => ".global",
        Space::Constant => ".const",
        Space::Shared => ".shared",
        Space::Local => ".local",
        Space::Parameter => ".param",
    }
}
