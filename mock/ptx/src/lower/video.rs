//! Video instructions.

use crate::PtxError;
use crate::ir::{
    Comparison, Op, ScalarVideo, SecondOp, ShiftWrap, SimdVideo, Type, VideoMultiply, VideoOp,
    VideoOperand, VideoPart,
};
use crate::syntax;

use super::builder::Builder;
use super::opcode::Opcode;

type Operands<'a> = &'a [syntax::Operand<'a>];

const SIGNS: [(&str, bool); 2] = [("s32", true), ("u32", false)];

const COMPARISONS: [(&str, Comparison); 6] = [
    ("eq", Comparison::Eq),
    ("ne", Comparison::Ne),
    ("lt", Comparison::Lt),
    ("le", Comparison::Le),
    ("gt", Comparison::Gt),
    ("ge", Comparison::Ge),
];

/// `b0`…`b3`, `h0`, `h1`
fn part_of(name: &str) -> Option<VideoPart> {
    Some(match name {
        "b0" => VideoPart::Byte(0),
        "b1" => VideoPart::Byte(1),
        "b2" => VideoPart::Byte(2),
        "b3" => VideoPart::Byte(3),
        "h0" => VideoPart::Half(0),
        "h1" => VideoPart::Half(1),
        _ => return None,
    })
}

/// `%r1.b2` and the like: the register, and which part of it.
fn split(name: &str) -> (&str, VideoPart) {
    match name.rsplit_once('.') {
        Some((whole, part)) => match part_of(part) {
            Some(part) => (whole, part),
            None => (name, VideoPart::Word),
        },
        None => (name, VideoPart::Word),
    }
}

fn source<'a>(
    b: &mut Builder<'a, '_, '_>,
    operand: &syntax::Operand<'a>,
    signed: bool,
) -> Result<VideoOperand, PtxError> {
    let (value, part) = match operand {
        syntax::Operand::Name(name) | syntax::Operand::Minus(name) => {
            let (whole, part) = split(name);
            (b.src(&syntax::Operand::Name(whole), Type::B32)?, part)
        }
        operand => (b.src(operand, Type::B32)?, VideoPart::Word),
    };
    Ok(VideoOperand { value, part, signed })
}

const WRAPS: [(&str, ShiftWrap); 2] = [("clamp", ShiftWrap::Clamp), ("wrap", ShiftWrap::Wrap)];

/// `vadd`, `vset`, … on one value.
pub(super) fn scalar<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let is_set = opcode.name == "vset";
    let signed = if is_set { false } else { opcode.require(&SIGNS)? };
    let (a_signed, b_signed) = (opcode.require(&SIGNS)?, opcode.require(&SIGNS)?);
    let op = match opcode.name {
        "vadd" => VideoOp::Add,
        "vsub" => VideoOp::Sub,
        "vabsdiff" => VideoOp::AbsDiff,
        "vmin" => VideoOp::Min,
        "vmax" => VideoOp::Max,
        "vset" => VideoOp::Set(opcode.require(&COMPARISONS)?),
        "vshl" => VideoOp::ShiftLeft(opcode.require(&WRAPS)?),
        _ => VideoOp::ShiftRight(opcode.require(&WRAPS)?),
    };
    let saturate = opcode.has("sat");
    let second = opcode.take(|part| {
        matches!(part, "add" | "min" | "max").then_some(match part {
            "add" => SecondOp::Add as fn(_) -> _,
            "min" => SecondOp::Min,
            _ => SecondOp::Max,
        })
    });
    opcode.finish()?;
    let (d, x, y, c) = match operands {
        [d, x, y] => (d, x, y, None),
        [d, x, y, c] => (d, x, y, Some(c)),
        _ => return Err(b.malformed(format!("{} operands do not fit", operands.len()))),
    };
    let syntax::Operand::Name(d) = d else {
        return Err(b.malformed("the result goes to a register"));
    };
    let (d, merged) = split(d);
    let dst = b.dst(&syntax::Operand::Name(d), Type::B32)?;
    let (x, y) = (source(b, x, a_signed)?, source(b, y, b_signed)?);
    let c = c.map_or(Ok(None), |c| b.src(c, Type::B32).map(Some))?;
    let second = match (second, merged, c) {
        (None, VideoPart::Word, None) => SecondOp::None,
        (Some(second), VideoPart::Word, Some(c)) => second(c),
        (None, part, Some(c)) if part != VideoPart::Word => SecondOp::Merge(part, c),
        _ => return Err(b.malformed("a second operation needs a third source, and only one")),
    };
    let video = ScalarVideo { op, dst, signed, saturate, a: x, b: y, second };
    b.emit(Op::ScalarVideo(Box::new(video)));
    Ok(())
}

/// `vmad`
pub(super) fn multiply<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let [d, x, y, c] = b.exactly(operands)?;
    let signed = opcode.require(&SIGNS)?;
    let (a_signed, b_signed) = (opcode.require(&SIGNS)?, opcode.require(&SIGNS)?);
    let plus_one = opcode.has("po");
    let saturate = opcode.has("sat");
    let shift_right = opcode.choose(&[("shr7", 7), ("shr15", 15)]).unwrap_or(0);
    opcode.finish()?;
    let is_minus = |operand: &syntax::Operand<'_>| matches!(operand, syntax::Operand::Minus(_));
    let negate_product = is_minus(x) != is_minus(y);
    let negate_c = is_minus(c);
    if plus_one && (negate_product || negate_c) {
        return Err(b.malformed(".po negates nothing"));
    }
    let dst = b.dst(d, Type::B32)?;
    let (x, y) = (source(b, x, a_signed)?, source(b, y, b_signed)?);
    let c = source(b, c, signed)?.value;
    b.emit(Op::VideoMultiply(Box::new(VideoMultiply {
        dst,
        signed,
        saturate,
        a: x,
        b: y,
        c,
        negate_product,
        negate_c,
        plus_one,
        shift_right,
    })));
    Ok(())
}

/// `vadd2`, …, `vset4`: two halves or four bytes at a time.
pub(super) fn simd<'a>(
    b: &mut Builder<'a, '_, '_>,
    opcode: &mut Opcode<'a>,
    operands: Operands<'a>,
) -> Result<(), PtxError> {
    let parts: u8 = if opcode.name.ends_with('2') { 2 } else { 4 };
    let family = opcode.name.trim_end_matches(['2', '4']);
    let is_set = family == "vset";
    let signed = if is_set { false } else { opcode.require(&SIGNS)? };
    let (a_signed, b_signed) = (opcode.require(&SIGNS)?, opcode.require(&SIGNS)?);
    let op = match family {
        "vadd" => VideoOp::Add,
        "vsub" => VideoOp::Sub,
        "vabsdiff" => VideoOp::AbsDiff,
        "vmin" => VideoOp::Min,
        "vmax" => VideoOp::Max,
        "vavrg" => VideoOp::Average,
        _ => VideoOp::Set(opcode.require(&COMPARISONS)?),
    };
    let saturate = opcode.has("sat");
    let accumulate = opcode.has("add");
    opcode.finish()?;
    let [d, x, y, c] = b.exactly(operands)?;
    let (d, mask) = selected(b, d, parts, mask_of)?;
    let (x, a_select) = selected(b, x, parts, selection_of)?;
    let (y, b_select) = selected(b, y, parts, selection_of)?;
    let dst = b.dst(&d, Type::B32)?;
    let (x, y, c) = (b.src(&x, Type::B32)?, b.src(&y, Type::B32)?, b.src(c, Type::B32)?);
    b.emit(Op::SimdVideo(Box::new(SimdVideo {
        op,
        parts,
        dst,
        signed,
        a_signed,
        b_signed,
        saturate,
        accumulate,
        mask: mask.unwrap_or((1 << parts) - 1),
        a: x,
        a_select: a_select.unwrap_or([0, 1, 2, 3]),
        b: y,
        b_select: b_select.unwrap_or([parts, parts + 1, parts + 2, parts + 3]),
        c,
    })));
    Ok(())
}

/// `%r1.h10`, `%r2.b7654`: the register, and what its selection means.
fn selected<'a, T>(
    b: &Builder<'a, '_, '_>,
    operand: &syntax::Operand<'a>,
    parts: u8,
    read: impl Fn(&str, u8) -> Option<T>,
) -> Result<(syntax::Operand<'a>, Option<T>), PtxError> {
    let syntax::Operand::Name(name) = operand else { return Ok((*operand, None)) };
    let Some((whole, part)) = name.rsplit_once('.') else { return Ok((*operand, None)) };
    match read(part, parts) {
        Some(selection) => Ok((syntax::Operand::Name(whole), Some(selection))),
        None => Err(b.malformed(format!("`.{part}` selects no parts"))),
    }
}

/// `h10`, `b31`: the parts that are written.
fn mask_of(part: &str, parts: u8) -> Option<u8> {
    let digits = part.strip_prefix(if parts == 2 { 'h' } else { 'b' })?;
    digits.chars().try_fold(0, |mask, digit| {
        let index = u8::try_from(digit.to_digit(10)?).ok()?;
        (index < parts).then_some(mask | 1 << index)
    })
}

/// `h32`, `b7610`: where each part comes from, the highest part first.
fn selection_of(part: &str, parts: u8) -> Option<[u8; 4]> {
    let digits = part.strip_prefix(if parts == 2 { 'h' } else { 'b' })?;
    if digits.len() != usize::from(parts) {
        return None;
    }
    let mut selection = [0; 4];
    for (slot, digit) in selection.iter_mut().zip(digits.chars().rev()) {
        let index = u8::try_from(digit.to_digit(10)?).ok()?;
        if index >= 2 * parts {
            return None;
        }
        *slot = index;
    }
    Some(selection)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selections_are_read_from_the_highest_part_down() {
        assert_eq!(selection_of("b7610", 4), Some([0, 1, 6, 7]));
        assert_eq!(selection_of("h32", 2), Some([2, 3, 0, 0]));
        assert_eq!(selection_of("b8000", 4), None);
        assert_eq!(selection_of("b10", 4), None);
        assert_eq!(mask_of("b31", 4), Some(0b1010));
        assert_eq!(mask_of("h2", 2), None);
    }
}
