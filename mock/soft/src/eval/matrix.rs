//! Matrix operations of a warp: `ldmatrix`, `stmatrix`, `movmatrix`, `mma.sync`, `mma.sp`, `wmma`.
//!
//! A lane's place in `mma` and `ldmatrix` fragments is the manual's (`group` = lane / 4, `member` = lane % 4). `wmma` fragments are
//! opaque; here lane `l` holds the elements from `l × count` on, counted along rows. Sums of floating-point products are made in
//! `f64`, where they lose nothing that matters, and rounded once; `f64` products are fused one after the other.

use mock_ptx::ir::{
    BitProduct, MatrixElement, MatrixLayout, MatrixMove, MatrixMultiply, MatrixShape, Op, Operand,
    Reg, Rounding, Sparsity, WmmaAccess, WmmaFragment,
};

use super::lanes::Lanes;
use super::sparse;
use crate::fault::Cause;
use crate::limits::WARP_LANES;
use crate::memory::Access;
use crate::ops::convert::sign_extend;
use crate::ops::half::{self, Bfloat16, Binary16, Half};
use crate::ops::{convert, float};

/// A fault in one lane.
type LaneFault = (usize, Cause);

/// Does `op` for the active lanes of the warp that begins at lane `first`; false where it is no operation of a matrix.
///
/// # Errors
/// When lanes of the warp are missing, or memory does not allow a lane's access; the lane, and why.
pub fn execute(
    op: &Op,
    first: usize,
    active: u32,
    lanes: &mut impl Lanes,
) -> Result<bool, LaneFault> {
    if !is_of_matrices(op) {
        return Ok(false);
    }
    if active != u32::MAX {
        let lane = first + active.trailing_zeros() as usize;
        return Err((lane, Cause::PartOfAWarp { lanes: active.count_ones() }));
    }
    match op {
        Op::MatrixMove(part) => move_rows(part, first, active, lanes)?,
        Op::MatrixTranspose { dst, src } => {
            let words = each_lane(|lane| lanes.read32(first + lane, *src));
            for lane in members(active) {
                let word = transposed(&words, lane);
                lanes.set_register(first + lane, *dst, u64::from(word));
            }
        }
        Op::MatrixMultiply(multiply) => {
            let place = |part: Part, lane: usize, register: usize, element: usize| {
                fragment_place(multiply, part, lane, register, element)
            };
            product(multiply, place, first, active, lanes);
        }
        Op::WmmaMultiply(multiply) => {
            let place = |part: Part, lane: usize, register: usize, element: usize| {
                let count = part.registers(multiply) * per_register(part.element(multiply));
                let element = register * per_register(part.element(multiply)) + element;
                opaque_place(part.extent(multiply.shape), lane * count + element)
            };
            product(multiply, place, first, active, lanes);
        }
        Op::WmmaAccess(access) => wmma_access(access, first, active, lanes)?,
        _ => {}
    }
    Ok(true)
}

const fn is_of_matrices(op: &Op) -> bool {
    matches!(
        op,
        Op::MatrixMove(_)
            | Op::MatrixTranspose { .. }
            | Op::MatrixMultiply(_)
            | Op::WmmaMultiply(_)
            | Op::WmmaAccess(_)
    )
}

fn each_lane<T>(value: impl Fn(usize) -> T) -> [T; WARP_LANES] {
    std::array::from_fn(value)
}

fn members(active: u32) -> impl Iterator<Item = usize> {
    (0..WARP_LANES).filter(move |lane| active >> lane & 1 == 1)
}

/// Half `i` of a word.
const fn half_of(word: u32, i: usize) -> u32 {
    (word >> (16 * i)) & 0xffff
}

/// What lane `lane` holds of the transpose of the 8×8 matrix of halves that the words are.
fn transposed(words: &[u32; WARP_LANES], lane: usize) -> u32 {
    let (row, column) = (lane / 4, 2 * (lane % 4));
    let element = |r: usize, c: usize| half_of(words[4 * r + c / 2], c % 2);
    element(column, row) | element(column + 1, row) << 16
}

fn move_rows(
    part: &MatrixMove,
    first: usize,
    active: u32,
    lanes: &mut impl Lanes,
) -> Result<(), LaneFault> {
    for (matrix, reg) in part.registers.iter().enumerate() {
        let mut rows = [0u64; 8];
        for (row, address) in rows.iter_mut().enumerate() {
            let giver = first + 8 * matrix + row;
            *address = lanes.address(giver, part.address);
            let kind = if part.store { Access::Store } else { Access::Load };
            lanes.check_vector(*address, 16, kind).map_err(|cause| (giver, cause))?;
        }
        let at =
            |lane: usize| (first + 8 * matrix + lane / 4, rows[lane / 4] + 4 * (lane % 4) as u64);
        if part.store {
            let words = each_lane(|lane| lanes.register(first + lane, *reg) as u32);
            for (lane, word) in words.iter().enumerate() {
                let word = if part.transposed { transposed(&words, lane) } else { *word };
                let (giver, address) = at(lane);
                let stored = lanes.store(giver, part.space, address, 4, u64::from(word));
                stored.map_err(|cause| (giver, cause))?;
            }
        } else {
            let mut words = [0; WARP_LANES];
            for (lane, word) in words.iter_mut().enumerate() {
                let (giver, address) = at(lane);
                let loaded = lanes.load(giver, part.space, address, 4);
                *word = loaded.map_err(|cause| (giver, cause))? as u32;
            }
            for lane in members(active) {
                let word = if part.transposed { transposed(&words, lane) } else { words[lane] };
                lanes.set_register(first + lane, *reg, u64::from(word));
            }
        }
    }
    Ok(())
}

/// One of the matrices of a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    A,
    B,
    C,
    D,
}

impl Part {
    const fn element(self, multiply: &MatrixMultiply) -> MatrixElement {
        match self {
            Self::A => multiply.a_element,
            Self::B => multiply.b_element,
            Self::C => multiply.c_element,
            Self::D => multiply.d_element,
        }
    }

    const fn registers(self, multiply: &MatrixMultiply) -> usize {
        match self {
            Self::A => multiply.a.len(),
            Self::B => multiply.b.len(),
            Self::C => multiply.c.len(),
            Self::D => multiply.d.len(),
        }
    }

    /// Rows and columns.
    const fn extent(self, shape: MatrixShape) -> (usize, usize) {
        let (m, n, k) = (shape.m as usize, shape.n as usize, shape.k as usize);
        match self {
            Self::A => (m, k),
            Self::B => (k, n),
            Self::C | Self::D => (m, n),
        }
    }
}

/// Elements in one register.
const fn per_register(element: MatrixElement) -> usize {
    match element.bits() {
        64 => 1,
        bits => 32 / bits as usize,
    }
}

/// Row and column of an element by its number along rows; fragments with more room than elements hold them again.
const fn opaque_place((rows, columns): (usize, usize), number: usize) -> Place {
    let number = number % (rows * columns);
    Place { row: number / columns, column: number % columns, matrix: 0 }
}

/// Where an element stands; `m8n8k4` of halves makes four products at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    row: usize,
    column: usize,
    matrix: usize,
}

/// The manual's layout of `mma` fragments.
fn fragment_place(
    multiply: &MatrixMultiply,
    part: Part,
    lane: usize,
    register: usize,
    element: usize,
) -> Place {
    if multiply.shape == (MatrixShape { m: 8, n: 8, k: 4 })
        && multiply.a_element == MatrixElement::F16
    {
        return quad_pair_place(multiply, part, lane, register, element);
    }
    let (group, member) = (lane / 4, lane % 4);
    let each = per_register(part.element(multiply));
    let (row, column) = match part {
        Part::A => {
            let (low, high) =
                if multiply.shape.m == 16 { (register & 1, register >> 1) } else { (0, register) };
            (group + 8 * low, member * each + element + high * 4 * each)
        }
        Part::B => (member * each + element + register * 4 * each, group),
        Part::C | Part::D if each == 2 => (group + 8 * register, 2 * member + element),
        Part::C | Part::D => (group + 8 * (register >> 1), 2 * member + (register & 1)),
    };
    Place { row, column, matrix: 0 }
}

/// `mma.m8n8k4.f16`: lanes 4q…4q+3 and 4q+16…4q+19 share one product.
fn quad_pair_place(
    multiply: &MatrixMultiply,
    part: Part,
    lane: usize,
    register: usize,
    element: usize,
) -> Place {
    let (matrix, inner, upper) = (lane % 16 / 4, lane % 4, if lane < 16 { 0 } else { 4 });
    let i = register * per_register(part.element(multiply)) + element;
    let (row, column) = match (part, multiply.a_layout, multiply.b_layout) {
        (Part::A, MatrixLayout::Row, _) => (inner + upper, i),
        (Part::A, MatrixLayout::Column, _) => (i + upper, inner),
        (Part::B, _, MatrixLayout::Row) => (inner, i + upper),
        (Part::B, _, MatrixLayout::Column) => (i, inner + upper),
        _ if part.element(multiply) == MatrixElement::F16 => (inner + upper, i),
        _ => ((lane & 1) + (i & 2) + upper, (i & 4) + (lane & 2) + (i & 1)),
    };
    Place { row, column, matrix }
}

/// An element as a number: integers exactly, bits as 0 or 1.
fn number(bits: u64, element: MatrixElement) -> f64 {
    match element {
        MatrixElement::F16 => f64::from(Binary16::widen(bits as u16)),
        MatrixElement::Bf16 => f64::from(Bfloat16::widen(bits as u16)),
        MatrixElement::Tf32 => f64::from(f32::from_bits(bits as u32 & !0x1fff)),
        MatrixElement::F32 => f64::from(f32::from_bits(bits as u32)),
        MatrixElement::F64 => f64::from_bits(bits),
        MatrixElement::S32 | MatrixElement::S8 | MatrixElement::S4 => {
            sign_extend(bits, element.bits()) as i64 as f64
        }
        MatrixElement::U8 | MatrixElement::U4 | MatrixElement::B1 => bits as f64,
    }
}

/// A sum as an element of the result.
fn element_of(sum: f64, element: MatrixElement, saturate: bool) -> u64 {
    match element {
        MatrixElement::F64 => sum.to_bits(),
        MatrixElement::F16 => u64::from(half::nearest::<Binary16>(sum)),
        MatrixElement::Bf16 => u64::from(half::nearest::<Bfloat16>(sum)),
        MatrixElement::F32 | MatrixElement::Tf32 => {
            u64::from(convert::narrow(sum, Rounding::NearestEven).to_bits())
        }
        // Integers of at most 32 bits and a few dozen products of bytes are exact in f64.
        _ if saturate => u64::from((sum as i32) as u32),
        _ => u64::from(sum as i64 as u32),
    }
}

/// Matrices of numbers, row by row; four of them where four products are made at once.
struct Numbers {
    values: Vec<f64>,
    columns: usize,
    size: usize,
}

impl Numbers {
    fn zeros((rows, columns): (usize, usize)) -> Self {
        Self { values: vec![0.0; 4 * rows * columns], columns, size: rows * columns }
    }

    const fn index(&self, place: Place) -> usize {
        place.matrix * self.size + place.row * self.columns + place.column
    }

    fn at(&self, matrix: usize, row: usize, column: usize) -> f64 {
        self.values[self.index(Place { row, column, matrix })]
    }
}

fn collect(
    multiply: &MatrixMultiply,
    part: Part,
    operands: &[Operand],
    place: &impl Fn(Part, usize, usize, usize) -> Place,
    (first, lanes): (usize, &impl Lanes),
) -> Numbers {
    let element = part.element(multiply);
    let bits = element.bits();
    let mut numbers = Numbers::zeros(part.extent(multiply.shape));
    // Backwards, so that the first of several copies of an element is the one that counts.
    for lane in (0..WARP_LANES).rev() {
        for (register, operand) in operands.iter().enumerate().rev() {
            let word = lanes.read(first + lane, *operand);
            for i in (0..per_register(element)).rev() {
                let value = (word >> (i as u32 * bits)) & (u64::MAX >> (64 - bits));
                let at = numbers.index(place(part, lane, register, i));
                numbers.values[at] = number(value, element);
            }
        }
    }
    numbers
}

/// A whole matrix A from the half of it that lanes hold.
fn spread(
    multiply: &MatrixMultiply,
    sparsity: Sparsity,
    held: &Numbers,
    (first, lanes): (usize, &impl Lanes),
) -> Numbers {
    let (rows, columns) = Part::A.extent(multiply.shape);
    let mut whole = Numbers::zeros((rows, columns));
    let metadata = |lane: usize| lanes.read32(first + lane, sparsity.metadata);
    for row in 0..rows {
        for i in 0..columns / 2 {
            let column = sparse::column(multiply, sparsity, (row, i), metadata);
            let at = whole.index(Place { row, column, matrix: 0 });
            whole.values[at] = held.at(0, row, i);
        }
    }
    whole
}

fn product(
    multiply: &MatrixMultiply,
    place: impl Fn(Part, usize, usize, usize) -> Place,
    first: usize,
    active: u32,
    lanes: &mut impl Lanes,
) {
    let from = (first, &*lanes);
    let held = collect(multiply, Part::A, &multiply.a, &place, from);
    let a = match multiply.sparsity {
        Some(sparsity) => spread(multiply, sparsity, &held, from),
        None => held,
    };
    let b = collect(multiply, Part::B, &multiply.b, &place, from);
    let c = collect(multiply, Part::C, &multiply.c, &place, from);
    let (d_element, bits) = (multiply.d_element, multiply.d_element.bits());
    for lane in members(active) {
        for (register, reg) in multiply.d.iter().enumerate() {
            let mut word = 0;
            for i in 0..per_register(d_element) {
                let Place { row, column, matrix } = place(Part::D, lane, register, i);
                let start = c.at(matrix, row, column);
                let sum = (0..usize::from(multiply.shape.k)).fold(start, |sum, k| {
                    let (a, b) = (a.at(matrix, row, k), b.at(matrix, k, column));
                    add_product(multiply, sum, a, b)
                });
                let value = element_of(sum, d_element, multiply.saturate);
                word |= value << (i as u32 * bits);
            }
            lanes.set_register(first + lane, *reg, word);
        }
    }
}

fn add_product(multiply: &MatrixMultiply, sum: f64, a: f64, b: f64) -> f64 {
    match multiply.bit_product {
        Some(BitProduct::XorPopulation) => sum + f64::from(a != b),
        Some(BitProduct::AndPopulation) => sum + a * b,
        None if multiply.d_element == MatrixElement::F64 => {
            float::fma(a, b, sum, Rounding::NearestEven)
        }
        None => a.mul_add(b, sum),
    }
}

fn wmma_access(
    access: &WmmaAccess,
    first: usize,
    active: u32,
    lanes: &mut impl Lanes,
) -> Result<(), LaneFault> {
    let part = match access.fragment {
        WmmaFragment::A => Part::A,
        WmmaFragment::B => Part::B,
        WmmaFragment::C => Part::C,
        WmmaFragment::D => Part::D,
    };
    let extent = part.extent(access.shape);
    let each = per_register(access.element);
    let count = access.registers.len() * each;
    for lane in members(active) {
        let base = lanes.address(first + lane, access.address);
        let stride = stride(access, extent, first + lane, lanes);
        for (register, reg) in access.registers.iter().enumerate() {
            let number = lane * count + register * each;
            let fault = |cause| (first + lane, cause);
            let at = |i: usize| element_place(access, opaque_place(extent, number + i), stride);
            if access.fragment == WmmaFragment::D {
                store_elements(access, *reg, base, at, (first + lane, lanes)).map_err(fault)?;
            } else {
                let word = load_elements(access, base, at, (first + lane, lanes)).map_err(fault)?;
                lanes.set_register(first + lane, *reg, word);
            }
        }
    }
    Ok(())
}

/// Elements from one row (column) to the next.
fn stride(
    access: &WmmaAccess,
    (rows, columns): (usize, usize),
    lane: usize,
    lanes: &impl Lanes,
) -> u64 {
    match (access.stride, access.layout) {
        (Some(stride), _) => lanes.read(lane, stride),
        (None, MatrixLayout::Row) => columns as u64,
        (None, MatrixLayout::Column) => rows as u64,
    }
}

/// How many bits past the matrix's start an element lies.
const fn element_place(access: &WmmaAccess, place: Place, stride: u64) -> u64 {
    let (major, minor) = match access.layout {
        MatrixLayout::Row => (place.row, place.column),
        MatrixLayout::Column => (place.column, place.row),
    };
    (major as u64 * stride + minor as u64) * access.element.bits() as u64
}

fn load_elements(
    access: &WmmaAccess,
    base: u64,
    at: impl Fn(usize) -> u64,
    (lane, lanes): (usize, &mut impl Lanes),
) -> Result<u64, Cause> {
    let bits = access.element.bits();
    let mut word = 0;
    for i in 0..per_register(access.element) {
        let place = at(i);
        let address = base.wrapping_add(place / 8);
        let value = lanes.load(lane, access.space, address, bits.div_ceil(8))?;
        let value = (value >> (place % 8)) & (u64::MAX >> (64 - bits));
        word |= value << (i as u32 * bits);
    }
    Ok(word)
}

fn store_elements(
    access: &WmmaAccess,
    reg: Reg,
    base: u64,
    at: impl Fn(usize) -> u64,
    (lane, lanes): (usize, &mut impl Lanes),
) -> Result<(), Cause> {
    let bits = access.element.bits();
    let word = lanes.register(lane, reg);
    for i in 0..per_register(access.element) {
        let address = base.wrapping_add(at(i) / 8);
        lanes.store(lane, access.space, address, bits / 8, word >> (i as u32 * bits))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn multiply(
        m: u16,
        n: u16,
        k: u16,
        element: MatrixElement,
        sum: MatrixElement,
    ) -> MatrixMultiply {
        let each = |rows: u16, columns: u16, element: MatrixElement| {
            let elements = usize::from(rows) * usize::from(columns) / WARP_LANES;
            vec![Operand::Immediate(0); (elements / per_register(element)).max(1)]
        };
        let d = each(m, n, sum).iter().map(|_| Reg::new(mock_ptx::ir::RegClass::B32, 0)).collect();
        MatrixMultiply {
            shape: MatrixShape { m, n, k },
            a_layout: MatrixLayout::Row,
            b_layout: MatrixLayout::Column,
            d_element: sum,
            a_element: element,
            b_element: element,
            c_element: sum,
            saturate: false,
            bit_product: None,
            sparsity: None,
            d,
            a: each(m, k, element).into(),
            b: each(k, n, element).into(),
            c: each(m, n, sum).into(),
        }
    }

    /// Every element of every matrix is held by exactly one lane, in every shape.
    #[test]
    fn fragments_cover_their_matrices_once() {
        use MatrixElement::{B1, Bf16, F16, F32, F64, S4, S8, S32, Tf32};
        for (m, n, k, element, sum) in [
            (16, 8, 16, F16, F32),
            (16, 8, 16, F16, F16),
            (16, 8, 8, Bf16, F32),
            (16, 8, 4, Tf32, F32),
            (16, 8, 8, Tf32, F32),
            (8, 8, 4, F64, F64),
            (16, 8, 16, S8, S32),
            (16, 8, 32, S8, S32),
            (8, 8, 16, S8, S32),
            (8, 8, 32, S4, S32),
            (16, 8, 64, S4, S32),
            (8, 8, 128, B1, S32),
            (16, 8, 256, B1, S32),
        ] {
            let multiply = multiply(m, n, k, element, sum);
            for part in [Part::A, Part::B, Part::C, Part::D] {
                let (rows, columns) = part.extent(multiply.shape);
                let mut held = vec![0; rows * columns];
                for lane in 0..WARP_LANES {
                    for register in 0..part.registers(&multiply) {
                        for i in 0..per_register(part.element(&multiply)) {
                            let place = fragment_place(&multiply, part, lane, register, i);
                            held[place.row * columns + place.column] += 1;
                        }
                    }
                }
                assert!(held.iter().all(|n| *n == 1), "m{m}n{n}k{k} {element:?} {part:?}");
            }
        }
    }

    /// From the manual's figures of `mma.m16n8k16`.
    #[test]
    fn sixteen_bit_fragments_stand_where_the_manual_draws_them() {
        let f = multiply(16, 8, 16, MatrixElement::F16, MatrixElement::F32);
        let at = |part, lane, register, i| {
            let place = fragment_place(&f, part, lane, register, i);
            (place.row, place.column)
        };
        assert_eq!(at(Part::A, 5, 0, 1), (1, 3));
        assert_eq!(at(Part::A, 5, 1, 0), (9, 2));
        assert_eq!(at(Part::A, 31, 2, 1), (7, 15));
        assert_eq!(at(Part::B, 6, 1, 1), (13, 1));
        assert_eq!(at(Part::D, 30, 3, 0), (15, 5));
    }

    #[test]
    fn quad_pairs_cover_four_products() {
        let mut f = multiply(8, 8, 4, MatrixElement::F16, MatrixElement::F32);
        let count = |f: &MatrixMultiply, part, registers, each| {
            let mut held = std::collections::BTreeMap::new();
            for lane in 0..WARP_LANES {
                for register in 0..registers {
                    for i in 0..each {
                        let place = fragment_place(f, part, lane, register, i);
                        *held.entry((place.matrix, place.row, place.column)).or_insert(0) += 1;
                    }
                }
            }
            (held.len(), held.values().all(|n| *n == 1))
        };
        for layout in [MatrixLayout::Row, MatrixLayout::Column] {
            (f.a_layout, f.b_layout) = (layout, layout);
            assert_eq!(count(&f, Part::A, 2, 2), (4 * 32, true));
            assert_eq!(count(&f, Part::B, 2, 2), (4 * 32, true));
        }
        assert_eq!(count(&f, Part::D, 8, 1), (4 * 64, true));
    }

    #[test]
    fn a_transpose_twice_is_the_matrix() {
        let words: [u32; WARP_LANES] = each_lane(|lane| (lane as u32) << 16 | (1000 + lane as u32));
        let once = each_lane(|lane| transposed(&words, lane));
        assert_eq!(each_lane(|lane| transposed(&once, lane)), words);
        assert_eq!(half_of(once[4], 0), half_of(words[0], 1), "row 1 of the transpose is column 1");
    }

    #[test]
    fn integer_sums_clamp_or_wrap() {
        let big = f64::from(i32::MAX) + 5.0;
        assert_eq!(element_of(big, MatrixElement::S32, true), 0x7fff_ffff);
        assert_eq!(element_of(big, MatrixElement::S32, false), 0x8000_0004);
        assert_eq!(element_of(-1.0, MatrixElement::S32, false), 0xffff_ffff);
    }
}
