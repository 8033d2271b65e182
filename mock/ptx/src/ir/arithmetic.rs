//! Integer, logic and comparison operations.

/// `d = op(a)` on integers and bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IntegerUnary {
    /// S16, S32, S64; wraps.
    Neg,
    /// S16, S32, S64; the most negative value stays itself.
    Abs,
    /// Pred, B16, B32, B64.
    Not,
    /// B16, B32, B64: 1 where `a` is 0, else 0.
    Cnot,
    /// B32, B64: set bits. The result is 32 bits wide.
    Popc,
    /// B32, B64: leading zeros; the width where `a` is 0. The result is 32 bits wide.
    Clz,
    /// B32, B64: bits in reverse.
    Brev,
    /// U32, S32, U64, S64: position of the highest bit that is not a sign copy (unsigned: the highest set bit);
    /// all ones where there is none. The result is 32 bits wide.
    Bfind,
    /// As `Bfind`, but how far to shift left to bring that bit to the top.
    BfindShift,
}

/// `d = op(a, b)` on integers and bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IntegerBinary {
    /// 16, 32, 64 bits and x2; wraps.
    Add,
    /// S32: clamps.
    AddSat,
    /// 16, 32, 64 bits; wraps.
    Sub,
    /// S32: clamps.
    SubSat,
    /// 16, 32, 64 bits: the low half of the product.
    MulLo,
    /// 16, 32, 64 bits: the high half of the product.
    MulHi,
    /// 16, 32 bits: all of the product, in a register twice as wide.
    MulWide,
    /// U32, S32: low 32 bits of the 48-bit product of the low 24 bits.
    Mul24Lo,
    /// U32, S32: high 32 bits of that product.
    Mul24Hi,
    /// 16, 32, 64 bits, toward zero. By zero: all ones (32 and 64 bits as NVIDIA's division does), never a fault.
    /// The most negative value by -1 is itself.
    Div,
    /// 16, 32, 64 bits, sign of `a`. By zero: `a`. The most negative value by -1: 0.
    Rem,
    /// 16, 32, 64 bits and x2.
    Min,
    /// 16, 32, 64 bits and x2.
    Max,
    /// S32, S16x2: minimum, then no less than 0.
    MinRelu,
    /// S32, S16x2: maximum, then no less than 0.
    MaxRelu,
    /// Pred, B16, B32, B64.
    And,
    /// Pred, B16, B32, B64.
    Or,
    /// Pred, B16, B32, B64.
    Xor,
    /// B16, B32, B64. `b` is 32 bits, unsigned; at or past the width: 0.
    Shl,
    /// 16, 32, 64 bits, arithmetic where signed. `b` is 32 bits, unsigned, clamped to the width.
    Shr,
    /// B32: a mask of `b` bits from bit `a`; both clamped to 32 or both taken modulo 32.
    BitMask(ShiftWrap),
    /// U32, S32: keeps the low `b` bits of `a` and extends them; `b` clamped to 32 or modulo 32.
    /// U32: no bits gives 0. S32: no bits gives 0.
    SignOrZeroExtend(ShiftWrap),
}

/// `d = op(a, b, c)` on integers and bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IntegerTernary {
    /// 16, 32, 64 bits: low half of `a*b`, plus `c`; wraps.
    MadLo,
    /// 16, 32, 64 bits: high half of `a*b`, plus `c`; wraps.
    MadHi,
    /// S32: high half of `a*b`, plus `c`; clamps.
    MadHiSat,
    /// 16, 32 bits: `a*b + c` where `c` and `d` are twice as wide; wraps.
    MadWide,
    /// U32, S32: low 32 bits of the 48-bit product of the low 24 bits, plus `c`.
    Mad24Lo,
    /// U32, S32: high 32 bits of that product, plus `c`.
    Mad24Hi,
    /// S32: as `Mad24Hi`; clamps.
    Mad24HiSat,
    /// 16, 32, 64 bits: `c + |a - b|`.
    Sad,
    /// 32, 64 bits: the field of `a` at position `b` (32 bits wide, low 8 bits count) of length `c` (same), extended as signed types are.
    BitFieldExtract,
    /// B32: the 64 bits `b:a` shifted left by `c`, high 32 bits.
    FunnelLeft(ShiftWrap),
    /// B32: the 64 bits `b:a` shifted right by `c`, low 32 bits.
    FunnelRight(ShiftWrap),
    /// B32: bit i of the result is bit `4·aᵢ + 2·bᵢ + cᵢ` of the table.
    Lop3(u8),
    /// B32: bytes of `b:a` chosen by `c`.
    Permute(PermuteMode),
    /// B32: position of the `c`-th (32-bit, signed) set bit of `a` from bit `b`; all ones where there is none.
    FindNthSet,
    /// U32 or S32 accumulator `c`, plus the dot product of four bytes.
    Dp4a {
        /// Bytes of `a` are signed.
        a_signed: bool,
        /// Bytes of `b` are signed.
        b_signed: bool,
    },
    /// U32 or S32 accumulator `c`, plus two 16-bit values of `a` times two bytes of `b`.
    Dp2a {
        /// Halves of `a` are signed.
        a_signed: bool,
        /// Bytes of `b` are signed.
        b_signed: bool,
        /// The upper two bytes of `b`, not the lower.
        high: bool,
    },
}

/// What a count past the width means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ShiftWrap {
    /// As large as the width.
    Clamp,
    /// Modulo the width.
    Wrap,
}

/// How `prmt` chooses bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PermuteMode {
    /// Four selectors of four bits; the top bit copies the sign.
    Generic,
    /// Four bytes forward.
    Forward4,
    /// Four bytes backward.
    Backward4,
    /// One byte four times.
    Replicate8,
    /// Edge clamp left.
    EdgeLeft,
    /// Edge clamp right.
    EdgeRight,
    /// One half twice.
    Replicate16,
}

/// Operations of a carry chain; the carry is a predicate register of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CarryOp {
    /// `a + b + carry`. Carry out: the sum overflowed as unsigned.
    Add,
    /// `a - (b + borrow)`. Carry out: it borrowed.
    Sub,
    /// `lo(a*b) + c + carry`. Carry out: the sum overflowed as unsigned.
    MadLo,
    /// `hi(a*b) + c + carry`. Carry out: the sum overflowed as unsigned.
    MadHi,
}

/// Comparisons of `setp`, `set` and video operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// Equal; ordered on floats.
    Eq,
    /// Not equal; ordered on floats (false where either is NaN).
    Ne,
    /// Less; ordered on floats.
    Lt,
    /// Less or equal; ordered on floats.
    Le,
    /// Greater; ordered on floats.
    Gt,
    /// Greater or equal; ordered on floats.
    Ge,
    /// Floats: equal, or either is NaN.
    Equ,
    /// Floats: not equal, or either is NaN.
    Neu,
    /// Floats: less, or either is NaN.
    Ltu,
    /// Floats: less or equal, or either is NaN.
    Leu,
    /// Floats: greater, or either is NaN.
    Gtu,
    /// Floats: greater or equal, or either is NaN.
    Geu,
    /// Floats: neither is NaN.
    Num,
    /// Floats: either is NaN.
    Nan,
}

/// How a comparison's outcome meets a third predicate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BooleanOp {
    /// Both.
    And,
    /// Either.
    Or,
    /// One, not both.
    Xor,
}
