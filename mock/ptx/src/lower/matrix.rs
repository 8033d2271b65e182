//! `ldmatrix`, `mma.sync`, `mma.sp`, `wmma`: matrix operations of a warp.

use crate::PtxError;
use crate::ir::{
    BitProduct, MatrixElement, MatrixLayout, MatrixMove, MatrixMultiply, MatrixShape, Op, Operand,
    Reg, Space, Sparsity, Type, WmmaAccess, WmmaFragment,
};
use crate::syntax;

use super::builder::Builder;
use super::opcode::Opcode;
use super::operands::{ACCESS_SPACES, AccessSpace};

type Operands<'a> = &'a [syntax::Operand<'a>];

const LAYOUTS: [(&str, MatrixLayout); 2] =
    [("row", MatrixLayout::Row), ("col", MatrixLayout::Column)];

const ELEMENTS: [(&str, MatrixElement); 11] = [
    ("f16", MatrixElement::F16),
    ("bf16", MatrixElement::Bf16),
    ("tf32", MatrixElement::Tf32),
    ("f32", MatrixElement::F32),
    ("f64", MatrixElement::F64),
    ("s32", MatrixElement::S32),
    ("s8", MatrixElement::S8),
    ("u8", MatrixElement::U8),
    ("s4", MatrixElement::S4),
    ("u4", MatrixElement::U4),
    ("b1", MatrixElement::B1),
];

/// `m16n8k16`
fn shape_of(part: &str) -> Option<MatrixShape> {
    let (m, rest) = part.strip_prefix('m')?.split_once('n')?;
    let (n, k) = rest.split_once('k')?;
    Some(MatrixShape { m: m.parse().ok()?, n: n.parse().ok()?, k: k.parse().ok()? })
}

fn shape(b: &Builder<'_, '_, '_>, opcode: &mut Opcode<'_>) -> Result<MatrixShape, PtxError> {
    opcode
        .take(shape_of)
        .ok_or_else(|| b.malformed(format!("{} needs a shape such as .m16n8k16", opcode.name)))
}

fn element(b: &Builder<'_, '_, '_>, opcode: &mut Opcode<'_>) -> Result<MatrixElement, PtxError> {
    opcode.choose(&ELEMENTS).ok_or_else(|| match opcode.left().first() {
        Some(other) => b.unsupported(&format!("{} of .{other} is", opcode.name)),
        None => b.malformed(format!("{} needs more types", opcode.name)),
    })
}

/// The type of registers that hold parts of such a matrix.
const fn register_type(element: MatrixElement) -> Type {
    match element {
        MatrixElement::F64 => Type::F64,
        _ => Type::B32,
    }
}

/// `ldmatrix`, `stmatrix`
pub(super) fn matrix_move<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let store = opcode.name == "stmatrix";
    opcode.require(&[("sync", ())])?;
    opcode.require(&[("aligned", ())])?;
    if !opcode.has("m8n8") {
        return Err(opcode.unsupported("a shape other than m8n8"));
    }
    let count = opcode.require(&[("x1", 1), ("x2", 2), ("x4", 4)])?;
    let transposed = opcode.has("trans");
    let space = opcode.choose(&ACCESS_SPACES).unwrap_or(AccessSpace::Generic);
    if !opcode.has("b16") {
        return Err(opcode.unsupported("a matrix of other than 16-bit elements"));
    }
    opcode.finish()?;
    let [first, second] = b.exactly(operands)?;
    let (registers, address) = if store { (second, first) } else { (first, second) };
    let registers = b.dst_parts(registers, Type::B32)?;
    check_count(b, &registers, count)?;
    let (space, address) = b.address(address, space)?;
    if !matches!(space, Space::Generic | Space::Shared) {
        return Err(b.malformed("matrices are moved from and to shared memory"));
    }
    let part = MatrixMove { store, transposed, registers, address, space };
    b.emit(Op::MatrixMove(Box::new(part)));
    Ok(())
}

fn check_count<T>(b: &Builder<'_, '_, '_>, parts: &[T], wanted: usize) -> Result<(), PtxError> {
    if parts.len() == wanted {
        return Ok(());
    }
    Err(b.malformed(format!("{wanted} registers for this fragment, got {}", parts.len())))
}

/// `movmatrix`
pub(super) fn transpose<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let [d, a] = b.exactly(operands)?;
    for part in ["sync", "aligned", "m8n8", "trans", "b16"] {
        opcode.require(&[(part, ())])?;
    }
    opcode.finish()?;
    let (dst, src) = (b.dst(d, Type::B32)?, b.src(a, Type::B32)?);
    b.emit(Op::MatrixTranspose { dst, src });
    Ok(())
}

/// Shapes of `mma.sync` by the elements of A.
fn mma_exists(a: MatrixElement, MatrixShape { m, n, k }: MatrixShape) -> bool {
    let shape = (m, n, k);
    match a {
        MatrixElement::F16 => matches!(shape, (8, 8, 4) | (16, 8, 8 | 16)),
        MatrixElement::Bf16 => matches!(shape, (16, 8, 8 | 16)),
        MatrixElement::Tf32 => matches!(shape, (16, 8, 4 | 8)),
        MatrixElement::F64 => matches!(shape, (8, 8, 4) | (16, 8, 4 | 8 | 16)),
        MatrixElement::S8 | MatrixElement::U8 => matches!(shape, (8, 8, 16) | (16, 8, 16 | 32)),
        MatrixElement::S4 | MatrixElement::U4 => matches!(shape, (8, 8, 32) | (16, 8, 32 | 64)),
        MatrixElement::B1 => matches!(shape, (8, 8, 128) | (16, 8, 128 | 256)),
        MatrixElement::F32 | MatrixElement::S32 => false,
    }
}

/// Shapes of `mma.sp` by the elements of A.
fn sparse_exists(a: MatrixElement, MatrixShape { m, n, k }: MatrixShape) -> bool {
    let deep = match a {
        MatrixElement::F16 | MatrixElement::Bf16 => 16,
        MatrixElement::Tf32 => 8,
        MatrixElement::S8 | MatrixElement::U8 => 32,
        MatrixElement::S4 | MatrixElement::U4 => 64,
        _ => return false,
    };
    (m, n) == (16, 8) && (k == deep || k == 2 * deep)
}

/// Whether sums of such products have these elements.
fn accumulates(a: MatrixElement, b: MatrixElement, c: MatrixElement, d: MatrixElement) -> bool {
    use MatrixElement::{B1, Bf16, F16, F32, F64, S4, S8, S32, Tf32, U4, U8};
    match (a, b) {
        (F16, F16) => matches!(c, F16 | F32) && matches!(d, F16 | F32),
        (Bf16, Bf16) | (Tf32, Tf32) => (c, d) == (F32, F32),
        (F64, F64) => (c, d) == (F64, F64),
        (S8 | U8, S8 | U8) | (S4 | U4, S4 | U4) | (B1, B1) => (c, d) == (S32, S32),
        _ => false,
    }
}

/// Registers of one lane for a fragment of `rows` × `columns` elements.
fn mma_registers(shape: MatrixShape, element: MatrixElement, rows: u16, columns: u16) -> usize {
    if (shape.m, shape.n, shape.k) == (8, 8, 4) && element != MatrixElement::F64 {
        // four products at once, by quads of lanes
        return match (element, columns) {
            (MatrixElement::F32, _) => 8,
            (_, 8) if rows == 8 => 4,
            _ => 2,
        };
    }
    let register_bits = if element == MatrixElement::F64 { 64 } else { 32 };
    let bits = u32::from(rows) * u32::from(columns) * element.bits();
    (bits / 32).div_ceil(register_bits) as usize
}

/// The metadata and selector behind the matrices of `mma.sp`.
fn sparsity<'a>(
    b: &mut Builder<'a, '_, '_>,
    a_element: MatrixElement,
    shape: MatrixShape,
    metadata: &syntax::Operand<'a>,
    selector: &syntax::Operand<'a>,
) -> Result<Sparsity, PtxError> {
    let metadata = b.src(metadata, Type::B32)?;
    let value = b.constant(selector)?;
    let choices = u64::from(4 / Sparsity::givers(a_element, shape));
    match u8::try_from(value) {
        Ok(selector) if value < choices => Ok(Sparsity { metadata, selector }),
        _ => Err(b.malformed(format!("a sparsity selector below {choices}, got {value}"))),
    }
}

/// `mma.sync`, `mma.sp`
pub(super) fn mma<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    // what is said of the order of indices holds for those in any order
    let sparse = opcode.has("sp") || opcode.has("sp::ordered_metadata");
    opcode.require(&[("sync", ())])?;
    opcode.require(&[("aligned", ())])?;
    let shape = shape(b, opcode)?;
    let (a_layout, b_layout) = (opcode.require(&LAYOUTS)?, opcode.require(&LAYOUTS)?);
    let saturate = opcode.has("satfinite");
    let bit_product = bit_product(opcode);
    // doubles may name their rounding, which is this one
    opcode.has("rn");
    let d_element = element(b, opcode)?;
    let a_element = element(b, opcode)?;
    let b_element = element(b, opcode)?;
    let c_element = element(b, opcode)?;
    opcode.finish()?;
    let exists = if sparse { sparse_exists } else { mma_exists }(a_element, shape)
        && accumulates(a_element, b_element, c_element, d_element)
        && (bit_product.is_some() == (a_element == MatrixElement::B1))
        && (!saturate || c_element == MatrixElement::S32);
    if !exists {
        return Err(b.unsupported("this combination of shape and types is"));
    }
    let quads = (shape.m, shape.n, shape.k) == (8, 8, 4) && a_element == MatrixElement::F16;
    if !quads && (a_layout, b_layout) != (MatrixLayout::Row, MatrixLayout::Column) {
        return Err(b.malformed("this shape is .row.col"));
    }
    let MatrixShape { m, n, k } = shape;
    let (matrices, sparsity) = match operands {
        [matrices @ .., metadata, selector] if sparse => {
            (matrices, Some(sparsity(b, a_element, shape, metadata, selector)?))
        }
        _ => (operands, None),
    };
    let [d_list, a_list, b_list, c_list] = b.exactly(matrices)?;
    let (d, a, y, c) = (
        b.dst_parts(d_list, register_type(d_element))?,
        b.src_parts(a_list, register_type(a_element))?,
        b.src_parts(b_list, register_type(b_element))?,
        b.src_parts(c_list, register_type(c_element))?,
    );
    check_count(b, &d, mma_registers(shape, d_element, m, n))?;
    let held = if sparse { k / 2 } else { k };
    check_count(b, &a, mma_registers(shape, a_element, m, held))?;
    check_count(b, &y, mma_registers(shape, b_element, k, n))?;
    check_count(b, &c, mma_registers(shape, c_element, m, n))?;
    b.emit(Op::MatrixMultiply(Box::new(MatrixMultiply {
        shape,
        a_layout,
        b_layout,
        d_element,
        a_element,
        b_element,
        c_element,
        saturate,
        bit_product,
        sparsity,
        d,
        a,
        b: y,
        c,
    })));
    Ok(())
}

/// `.xor.popc`, `.and.popc`
fn bit_product(opcode: &mut Opcode<'_>) -> Option<BitProduct> {
    let product =
        opcode.choose(&[("xor", BitProduct::XorPopulation), ("and", BitProduct::AndPopulation)]);
    if product.is_some() {
        opcode.has("popc");
    }
    product
}

/// Shapes of `wmma` by the elements of A.
fn wmma_exists(a: MatrixElement, MatrixShape { m, n, k }: MatrixShape) -> bool {
    let shape = (m, n, k);
    match a {
        MatrixElement::F16 | MatrixElement::Bf16 | MatrixElement::S8 | MatrixElement::U8 => {
            matches!(shape, (16, 16, 16) | (8, 32, 16) | (32, 8, 16))
        }
        MatrixElement::Tf32 => shape == (16, 16, 8),
        MatrixElement::F64 => shape == (8, 8, 4),
        MatrixElement::S4 | MatrixElement::U4 => shape == (8, 8, 32),
        MatrixElement::B1 => shape == (8, 8, 128),
        MatrixElement::F32 | MatrixElement::S32 => false,
    }
}

/// Registers of one lane for a `wmma` fragment.
fn wmma_registers(fragment: WmmaFragment, element: MatrixElement, shape: MatrixShape) -> usize {
    let MatrixShape { m, n, k } = shape;
    let (rows, columns) = match fragment {
        WmmaFragment::A => (m, k),
        WmmaFragment::B => (k, n),
        WmmaFragment::C | WmmaFragment::D => (m, n),
    };
    if element == MatrixElement::F16 && matches!(fragment, WmmaFragment::A | WmmaFragment::B) {
        // every element is there twice
        return 8;
    }
    let register_bits = if element == MatrixElement::F64 { 64 } else { 32 };
    (u32::from(rows) * u32::from(columns) * element.bits() / 32).div_ceil(register_bits) as usize
}

/// `wmma…`
pub(super) fn wmma<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    if opcode.has("load") {
        let fragment = opcode.require(&[
            ("a", WmmaFragment::A),
            ("b", WmmaFragment::B),
            ("c", WmmaFragment::C),
        ])?;
        return wmma_access(b, opcode, operands, fragment);
    }
    if opcode.has("store") {
        opcode.require(&[("d", ())])?;
        return wmma_access(b, opcode, operands, WmmaFragment::D);
    }
    opcode.require(&[("mma", ())])?;
    wmma_multiply(b, opcode, operands)
}

fn wmma_access<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
    fragment: WmmaFragment,
) -> Result<(), PtxError> {
    opcode.require(&[("sync", ())])?;
    opcode.require(&[("aligned", ())])?;
    let layout = opcode.require(&LAYOUTS)?;
    let shape = shape(b, opcode)?;
    let space = opcode.choose(&ACCESS_SPACES).unwrap_or(AccessSpace::Generic);
    let element = element(b, opcode)?;
    opcode.finish()?;
    let (first, second, stride) = match operands {
        [first, second] => (first, second, None),
        [first, second, stride] => (first, second, Some(stride)),
        _ => return Err(b.malformed(format!("{} operands do not fit", operands.len()))),
    };
    let is_store = fragment == WmmaFragment::D;
    let (registers, address) = if is_store { (second, first) } else { (first, second) };
    let registers = b.dst_parts(registers, register_type(element))?;
    check_count(b, &registers, wmma_registers(fragment, element, shape))?;
    let (space, address) = b.address(address, space)?;
    let stride = stride.map_or(Ok(None), |s| b.src(s, Type::U32).map(Some))?;
    let access = WmmaAccess { fragment, shape, layout, element, registers, space, address, stride };
    b.emit(Op::WmmaAccess(Box::new(access)));
    Ok(())
}

fn wmma_multiply<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let bit_product = bit_product(opcode);
    opcode.require(&[("sync", ())])?;
    opcode.require(&[("aligned", ())])?;
    let (a_layout, b_layout) = (opcode.require(&LAYOUTS)?, opcode.require(&LAYOUTS)?);
    let shape = shape(b, opcode)?;
    opcode.has("rn");
    let saturate = opcode.has("satfinite");
    let first = element(b, opcode)?;
    let second = element(b, opcode)?;
    let (d_element, a_element, b_element, c_element) = match opcode.choose(&ELEMENTS) {
        // of halves only D and C are named
        None => (first, MatrixElement::F16, MatrixElement::F16, second),
        Some(third) => (first, second, third, element(b, opcode)?),
    };
    opcode.finish()?;
    let exists = wmma_exists(a_element, shape)
        && accumulates(a_element, b_element, c_element, d_element)
        && (bit_product.is_some() == (a_element == MatrixElement::B1));
    if !exists {
        return Err(b.unsupported("this combination of shape and types is"));
    }
    let [d_list, a_list, b_list, c_list] = b.exactly(operands)?;
    let d: Box<[Reg]> = b.dst_parts(d_list, register_type(d_element))?;
    let mut sources = |list, fragment, element| -> Result<Box<[Operand]>, PtxError> {
        let parts = b.src_parts(list, register_type(element))?;
        check_count(b, &parts, wmma_registers(fragment, element, shape))?;
        Ok(parts)
    };
    let a = sources(a_list, WmmaFragment::A, a_element)?;
    let y = sources(b_list, WmmaFragment::B, b_element)?;
    let c = sources(c_list, WmmaFragment::C, c_element)?;
    check_count(b, &d, wmma_registers(WmmaFragment::D, d_element, shape))?;
    b.emit(Op::WmmaMultiply(Box::new(MatrixMultiply {
        shape,
        a_layout,
        b_layout,
        d_element,
        a_element,
        b_element,
        c_element,
        saturate,
        bit_product,
        sparsity: None,
        d,
        a,
        b: y,
        c,
    })));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fragments_have_as_many_registers_as_the_manual_says() {
        let shape = |m, n, k| MatrixShape { m, n, k };
        // m16n8k16.f16: A 4, B 2, C 2 (f16) or 4 (f32)
        assert_eq!(mma_registers(shape(16, 8, 16), MatrixElement::F16, 16, 16), 4);
        assert_eq!(mma_registers(shape(16, 8, 16), MatrixElement::F16, 16, 8), 2);
        assert_eq!(mma_registers(shape(16, 8, 16), MatrixElement::F32, 16, 8), 4);
        // m8n8k4.f64: A 1, B 1, C 2
        assert_eq!(mma_registers(shape(8, 8, 4), MatrixElement::F64, 8, 4), 1);
        assert_eq!(mma_registers(shape(8, 8, 4), MatrixElement::F64, 8, 8), 2);
        // m8n8k4.f16: A 2, B 2, C 4 or 8
        assert_eq!(mma_registers(shape(8, 8, 4), MatrixElement::F16, 8, 4), 2);
        assert_eq!(mma_registers(shape(8, 8, 4), MatrixElement::F16, 8, 8), 4);
        assert_eq!(mma_registers(shape(8, 8, 4), MatrixElement::F32, 8, 8), 8);
        // m16n8k32.s8: A 4, B 2, C 4
        assert_eq!(mma_registers(shape(16, 8, 32), MatrixElement::S8, 16, 32), 4);
        assert_eq!(mma_registers(shape(16, 8, 32), MatrixElement::S8, 32, 8), 2);
        assert_eq!(mma_registers(shape(16, 8, 32), MatrixElement::S32, 16, 8), 4);
        // wmma m32n8k16.u8: A 4, B 1
        let registers = |fragment, element| wmma_registers(fragment, element, shape(32, 8, 16));
        assert_eq!(registers(WmmaFragment::A, MatrixElement::U8), 4);
        assert_eq!(registers(WmmaFragment::B, MatrixElement::U8), 1);
        assert_eq!(registers(WmmaFragment::A, MatrixElement::F16), 8);
        assert_eq!(registers(WmmaFragment::C, MatrixElement::F16), 4);
        assert_eq!(registers(WmmaFragment::B, MatrixElement::Bf16), 2);
    }
}
