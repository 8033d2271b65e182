//! The types operations are made over.

use super::RegClass;

/// What an operation takes the bits of its operands to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are PTX's own")]
pub enum Type {
    Pred,
    B8,
    B16,
    B32,
    B64,
    U8,
    U16,
    U32,
    U64,
    S8,
    S16,
    S32,
    S64,
    F16,
    F32,
    F64,
    Bf16,
    /// Two halves in 32 bits, the first in the low half.
    U16x2,
    /// Two halves in 32 bits, the first in the low half.
    S16x2,
    /// Two halves in 32 bits, the first in the low half.
    F16x2,
    /// Two halves in 32 bits, the first in the low half.
    Bf16x2,
    /// An f32 whose low 13 bits are zero; only converted to, and multiplied by matrix operations.
    Tf32,
}

impl Type {
    /// Width in bits; a predicate has 1.
    #[must_use]
    pub const fn bits(self) -> u32 {
        match self {
            Self::Pred => 1,
            Self::B8 | Self::U8 | Self::S8 => 8,
            Self::B16 | Self::U16 | Self::S16 | Self::F16 | Self::Bf16 => 16,
            Self::B32 | Self::U32 | Self::S32 | Self::F32 | Self::Tf32 => 32,
            Self::U16x2 | Self::S16x2 | Self::F16x2 | Self::Bf16x2 => 32,
            Self::B64 | Self::U64 | Self::S64 | Self::F64 => 64,
        }
    }

    /// Bytes in memory; a predicate has none, it never lies there.
    #[must_use]
    pub const fn bytes(self) -> u32 {
        self.bits() / 8
    }

    /// The class of registers that hold it; 8-bit values live in 16-bit registers.
    #[must_use]
    pub const fn class(self) -> RegClass {
        match self.bits() {
            1 => RegClass::Predicate,
            8 | 16 => RegClass::B16,
            32 => RegClass::B32,
            _ => RegClass::B64,
        }
    }

    /// Signed integers.
    #[must_use]
    pub const fn is_signed(self) -> bool {
        matches!(self, Self::S8 | Self::S16 | Self::S32 | Self::S64 | Self::S16x2)
    }

    /// Signed or unsigned integers.
    #[must_use]
    pub const fn is_integer(self) -> bool {
        self.is_signed()
            || matches!(self, Self::U8 | Self::U16 | Self::U32 | Self::U64 | Self::U16x2)
    }

    /// Floating point, of any width, packed ones too.
    #[must_use]
    pub const fn is_float(self) -> bool {
        matches!(
            self,
            Self::F16
                | Self::F32
                | Self::F64
                | Self::Bf16
                | Self::F16x2
                | Self::Bf16x2
                | Self::Tf32
        )
    }

    /// Untyped bits.
    #[must_use]
    pub const fn is_bits(self) -> bool {
        matches!(self, Self::B8 | Self::B16 | Self::B32 | Self::B64)
    }

    /// Two values in one register.
    #[must_use]
    pub const fn is_packed(self) -> bool {
        matches!(self, Self::U16x2 | Self::S16x2 | Self::F16x2 | Self::Bf16x2)
    }

    /// The type of one of the two values of a packed type; itself where it is not packed.
    #[must_use]
    pub const fn element(self) -> Self {
        match self {
            Self::U16x2 => Self::U16,
            Self::S16x2 => Self::S16,
            Self::F16x2 => Self::F16,
            Self::Bf16x2 => Self::Bf16,
            other => other,
        }
    }
}
