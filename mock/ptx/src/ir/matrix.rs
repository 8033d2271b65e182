//! Matrix operations of a whole warp: `ldmatrix`, `mma.sync`, `wmma`.
//!
//! Which lane holds which element of `ldmatrix` and `mma` fragments is fixed by the PTX manual. The fragments of `wmma` are
//! opaque: an engine chooses, as long as load, multiply and store agree.

use super::{Address, Operand, Reg, Space};

/// What a matrix is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are PTX's own")]
pub enum MatrixElement {
    F16,
    Bf16,
    Tf32,
    F32,
    F64,
    S32,
    S8,
    U8,
    S4,
    U4,
    B1,
}

impl MatrixElement {
    /// Width in bits; Tf32 lies in 32.
    #[must_use]
    pub const fn bits(self) -> u32 {
        match self {
            Self::F16 | Self::Bf16 => 16,
            Self::Tf32 | Self::F32 | Self::S32 => 32,
            Self::F64 => 64,
            Self::S8 | Self::U8 => 8,
            Self::S4 | Self::U4 => 4,
            Self::B1 => 1,
        }
    }

    /// Bits that tell where the held elements of a sparse row of so many columns stand: 2 for an element of every two in
    /// four, 4 for one of two in a row of Tf32, 2 for a pair of those of 4 bits.
    #[must_use]
    pub const fn metadata_bits(self, columns: u16) -> u16 {
        match self {
            Self::Tf32 => 2 * columns,
            Self::S4 | Self::U4 => columns / 2,
            _ => columns,
        }
    }
}

/// How a matrix lies in memory, or in the lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MatrixLayout {
    /// Rows are contiguous.
    Row,
    /// Columns are contiguous.
    Column,
}

/// D (m×n) = A (m×k) · B (k×n) + C (m×n).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are PTX's own")]
pub struct MatrixShape {
    pub m: u16,
    pub n: u16,
    pub k: u16,
}

/// `ldmatrix` and `stmatrix`: 8×8 matrices of 16-bit elements between shared memory and the warp.
#[derive(Debug, Clone, PartialEq)]
pub struct MatrixMove {
    /// From the warp to memory (`stmatrix`).
    pub store: bool,
    /// `.trans`.
    pub transposed: bool,
    /// 1, 2 or 4 registers of 32 bits: one per matrix. Written by loads, read by stores.
    pub registers: Box<[Reg]>,
    /// Row addresses: lanes 8i…8i+7 give those of matrix i.
    pub address: Address,
    /// Shared or generic.
    pub space: Space,
}

/// What `mma` does with the bits of single-bit matrices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BitProduct {
    /// `.xor.popc`.
    XorPopulation,
    /// `.and.popc`.
    AndPopulation,
}

/// How `mma.sp` tells where the elements of A that are not zero stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sparsity {
    /// The lane's word of metadata.
    pub metadata: Operand,
    /// Which lanes of every four give metadata: the first of so many as a product needs.
    pub selector: u8,
}

impl Sparsity {
    /// How many lanes of every four give metadata: with 32 bits each, for a row and the row eight below it.
    #[must_use]
    pub const fn givers(element: MatrixElement, shape: MatrixShape) -> u16 {
        element.metadata_bits(shape.k) / 16
    }
}

/// `mma.sync`, `mma.sp` and `wmma.mma`.
#[derive(Debug, Clone, PartialEq)]
pub struct MatrixMultiply {
    /// m, n and k.
    pub shape: MatrixShape,
    /// Of A; `Row` in all shapes but m8n8k4 of F16.
    pub a_layout: MatrixLayout,
    /// Of B; `Column` in all shapes but m8n8k4 of F16.
    pub b_layout: MatrixLayout,
    /// Elements of D.
    pub d_element: MatrixElement,
    /// Elements of A.
    pub a_element: MatrixElement,
    /// Elements of B.
    pub b_element: MatrixElement,
    /// Elements of C.
    pub c_element: MatrixElement,
    /// `.satfinite`: integer sums clamp.
    pub saturate: bool,
    /// With B1 elements.
    pub bit_product: Option<BitProduct>,
    /// Half of A is zeros that no lane holds.
    pub sparsity: Option<Sparsity>,
    /// The lane's part of D.
    pub d: Box<[Reg]>,
    /// The lane's part of A.
    pub a: Box<[Operand]>,
    /// The lane's part of B.
    pub b: Box<[Operand]>,
    /// The lane's part of C.
    pub c: Box<[Operand]>,
}

/// Which matrix a `wmma` fragment belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are PTX's own")]
pub enum WmmaFragment {
    A,
    B,
    C,
    D,
}

/// `wmma.load` (A, B, C) and `wmma.store` (D).
#[derive(Debug, Clone, PartialEq)]
pub struct WmmaAccess {
    /// Which matrix; `D` is a store.
    pub fragment: WmmaFragment,
    /// Of the whole multiplication.
    pub shape: MatrixShape,
    /// In memory.
    pub layout: MatrixLayout,
    /// Elements.
    pub element: MatrixElement,
    /// The lane's part: written by loads, read by stores.
    pub registers: Box<[Reg]>,
    /// Generic, global or shared.
    pub space: Space,
    /// The same for all lanes.
    pub address: Address,
    /// Elements between rows (columns); the width of a row (column) where absent. 32 bits.
    pub stride: Option<Operand>,
}
