//! Video operations: arithmetic on bytes and halves of 32-bit registers.

use super::{Comparison, Operand, Reg, ShiftWrap};

/// The operation proper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VideoOp {
    /// a + b
    Add,
    /// a - b
    Sub,
    /// |a - b|
    AbsDiff,
    /// The smaller.
    Min,
    /// The larger.
    Max,
    /// a << b; scalar only.
    ShiftLeft(ShiftWrap),
    /// a >> b; scalar only.
    ShiftRight(ShiftWrap),
    /// 1 where the comparison holds, else 0.
    Set(Comparison),
    /// (a + b + 1) >> 1, rounding away from zero; SIMD only.
    Average,
}

/// Part of a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VideoPart {
    /// All 32 bits.
    Word,
    /// Half 0 or 1.
    Half(u8),
    /// Byte 0 to 3.
    Byte(u8),
}

/// A source of a scalar video operation: a part, extended to 33 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct VideoOperand {
    /// 32 bits.
    pub value: Operand,
    /// Which part of it.
    pub part: VideoPart,
    /// How it is extended.
    pub signed: bool,
}

/// What happens to the result of a scalar video operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SecondOp {
    /// Nothing.
    None,
    /// Added to `c`.
    Add(Operand),
    /// The smaller of it and `c`.
    Min(Operand),
    /// The larger of it and `c`.
    Max(Operand),
    /// Put into this part of `c`.
    Merge(VideoPart, Operand),
}

/// `vadd vsub vabsdiff vmin vmax vshl vshr vset`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ScalarVideo {
    /// The operation.
    pub op: VideoOp,
    /// 32 bits.
    pub dst: Reg,
    /// The result, and `c`, are signed.
    pub signed: bool,
    /// Clamp to the range of the result (of the merged part, where merged).
    pub saturate: bool,
    /// First source.
    pub a: VideoOperand,
    /// Second source.
    pub b: VideoOperand,
    /// What is done next.
    pub second: SecondOp,
}

/// `vmad`: ±(a·b) ± c, shifted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct VideoMultiply {
    /// 32 bits.
    pub dst: Reg,
    /// The result is signed.
    pub signed: bool,
    /// Clamp to 32 bits.
    pub saturate: bool,
    /// First source.
    pub a: VideoOperand,
    /// Second source.
    pub b: VideoOperand,
    /// 32 bits.
    pub c: Operand,
    /// Negate the product.
    pub negate_product: bool,
    /// Negate `c`.
    pub negate_c: bool,
    /// `.po`: a·b + c + 1.
    pub plus_one: bool,
    /// 0, 7 or 15.
    pub shift_right: u8,
}

/// `vadd2 … vset4`: two halves or four bytes at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SimdVideo {
    /// The operation.
    pub op: VideoOp,
    /// 2 or 4.
    pub parts: u8,
    /// 32 bits.
    pub dst: Reg,
    /// Results are signed.
    pub signed: bool,
    /// Parts of `a` are signed.
    pub a_signed: bool,
    /// Parts of `b` are signed.
    pub b_signed: bool,
    /// Clamp each part.
    pub saturate: bool,
    /// `.add`: sum of the parts chosen by `mask`, plus `c`, instead of merging.
    pub accumulate: bool,
    /// Which parts are computed: bit i for part i; the others come from `c`.
    pub mask: u8,
    /// 32 bits.
    pub a: Operand,
    /// Source of part i of the first operand: 0…3 in `a` (0…1 with halves), 4…7 (2…3) in `b`.
    pub a_select: [u8; 4],
    /// 32 bits.
    pub b: Operand,
    /// The same for the second operand.
    pub b_select: [u8; 4],
    /// 32 bits.
    pub c: Operand,
}
