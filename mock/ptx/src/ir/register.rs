//! Registers and operands.

use core::fmt;

/// The four widths registers come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RegClass {
    /// One bit.
    Predicate,
    /// 16 bits; 8-bit values live here too, extended as the load or conversion says.
    B16,
    /// 32 bits.
    B32,
    /// 64 bits.
    B64,
}

impl RegClass {
    /// All of them, narrow to wide.
    pub const ALL: [Self; 4] = [Self::Predicate, Self::B16, Self::B32, Self::B64];

    /// Width in bits.
    #[must_use]
    pub const fn bits(self) -> u32 {
        match self {
            Self::Predicate => 1,
            Self::B16 => 16,
            Self::B32 => 32,
            Self::B64 => 64,
        }
    }
}

/// One register of a lane: a class, and an index within it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reg(u32);

impl Reg {
    /// Indices are below this.
    pub const INDEX_LIMIT: u32 = 1 << 30;

    /// The register of `class` at `index`.
    ///
    /// # Panics
    /// If `index` is not below [`Reg::INDEX_LIMIT`].
    #[must_use]
    pub const fn new(class: RegClass, index: u32) -> Self {
        assert!(index < Self::INDEX_LIMIT, "limits.rs keeps register counts below this");
        Self((class as u32) << 30 | index)
    }

    /// Its class.
    #[must_use]
    pub const fn class(self) -> RegClass {
        RegClass::ALL[(self.0 >> 30) as usize]
    }

    /// Its index among the registers of its class.
    #[must_use]
    pub const fn index(self) -> usize {
        (self.0 & (Self::INDEX_LIMIT - 1)) as usize
    }
}

impl fmt::Debug for Reg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = match self.class() {
            RegClass::Predicate => "p",
            RegClass::B16 => "h",
            RegClass::B32 => "r",
            RegClass::B64 => "d",
        };
        write!(f, "{prefix}{}", self.index())
    }
}

/// What an operation reads.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operand {
    /// A register.
    Register(Reg),
    /// Bits of the operand's width, zero above.
    Immediate(u64),
}

impl Operand {
    /// The register, if it is one.
    #[must_use]
    pub const fn register(self) -> Option<Reg> {
        match self {
            Self::Register(reg) => Some(reg),
            Self::Immediate(_) => None,
        }
    }

    /// The bits, if they are known now.
    #[must_use]
    pub const fn immediate(self) -> Option<u64> {
        match self {
            Self::Immediate(bits) => Some(bits),
            Self::Register(_) => None,
        }
    }
}

impl fmt::Debug for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Register(reg) => write!(f, "{reg:?}"),
            Self::Immediate(bits) => write!(f, "{bits:#x}"),
        }
    }
}

/// How many registers of each class a lane of a kernel has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RegisterCounts {
    /// One-bit registers.
    pub predicates: u32,
    /// 16-bit registers.
    pub b16: u32,
    /// 32-bit registers.
    pub b32: u32,
    /// 64-bit registers.
    pub b64: u32,
}

impl RegisterCounts {
    /// Those of one class.
    #[must_use]
    pub const fn of(&self, class: RegClass) -> u32 {
        match class {
            RegClass::Predicate => self.predicates,
            RegClass::B16 => self.b16,
            RegClass::B32 => self.b32,
            RegClass::B64 => self.b64,
        }
    }

    /// Those of one class, to change.
    pub const fn of_mut(&mut self, class: RegClass) -> &mut u32 {
        match class {
            RegClass::Predicate => &mut self.predicates,
            RegClass::B16 => &mut self.b16,
            RegClass::B32 => &mut self.b32,
            RegClass::B64 => &mut self.b64,
        }
    }
}
