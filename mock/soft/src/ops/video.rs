//! The video instructions: one scalar from any byte or half of a register, or two halves or four bytes side by side.

use mock_ptx::ir::{
    ScalarVideo, SecondOp, ShiftWrap, SimdVideo, VideoMultiply, VideoOp, VideoPart,
};

use super::compare;

/// The number in a part of a register.
#[inline(always)]
fn select(word: u32, part: VideoPart, signed: bool) -> i64 {
    let (value, bits) = match part {
        VideoPart::Word => (word, 32),
        VideoPart::Byte(i) => (word >> (8 * u32::from(i & 3)) & 0xff, 8),
        VideoPart::Half(i) => (word >> (16 * u32::from(i & 1)) & 0xffff, 16),
    };
    if signed { i64::from(value) << (64 - bits) >> (64 - bits) } else { i64::from(value) }
}

/// In numbers wide enough for a shift by 32, so that saturation sees what would overflow.
fn operate(operation: VideoOp, a: i64, b: i64) -> i128 {
    let [a, b] = [a, b].map(i128::from);
    let distance = |wrap: ShiftWrap| match wrap {
        ShiftWrap::Wrap => b & 31,
        ShiftWrap::Clamp => (b & 0xffff_ffff).min(32),
    };
    match operation {
        VideoOp::Add => a + b,
        VideoOp::Sub => a - b,
        VideoOp::AbsDiff => (a - b).abs(),
        VideoOp::Min => a.min(b),
        VideoOp::Max => a.max(b),
        VideoOp::Average => {
            let sum = a + b;
            (sum + i128::from(sum >= 0)) >> 1
        }
        VideoOp::ShiftLeft(wrap) => a << distance(wrap),
        VideoOp::ShiftRight(wrap) => a >> distance(wrap),
        VideoOp::Set(comparison) => i128::from(compare::holds(comparison, a, b)),
    }
}

const fn width(part: VideoPart) -> u32 {
    match part {
        VideoPart::Word => 32,
        VideoPart::Byte(_) => 8,
        VideoPart::Half(_) => 16,
    }
}

fn clamp(value: i128, bits: u32, signed: bool) -> i128 {
    if signed {
        value.clamp(-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
    } else {
        value.clamp(0, (1 << bits) - 1)
    }
}

/// `vadd vsub vabsdiff vmin vmax vshl vshr vset`, on the values of its operands.
#[must_use]
pub fn scalar(video: &ScalarVideo, a: u32, b: u32, c: u32) -> u32 {
    let left = select(a, video.a.part, video.a.signed);
    let right = select(b, video.b.part, video.b.signed);
    let value = operate(video.op, left, right);
    let target = match video.second {
        SecondOp::Merge(part, _) => part,
        _ => VideoPart::Word,
    };
    let value = if video.saturate { clamp(value, width(target), video.signed) } else { value };
    let value = value as u32;
    let below = if video.signed { (value as i32) < c as i32 } else { value < c };
    match video.second {
        SecondOp::None => value,
        SecondOp::Merge(part, _) => merge(value, c, part),
        SecondOp::Add(_) => value.wrapping_add(c),
        SecondOp::Min(_) => {
            if below {
                value
            } else {
                c
            }
        }
        SecondOp::Max(_) => {
            if below {
                c
            } else {
                value
            }
        }
    }
}

fn merge(value: u32, into: u32, part: VideoPart) -> u32 {
    let (mask, at) = match part {
        VideoPart::Word => (u32::MAX, 0),
        VideoPart::Byte(i) => (0xff, 8 * u32::from(i & 3)),
        VideoPart::Half(i) => (0xffff, 16 * u32::from(i & 1)),
    };
    (into & !(mask << at)) | ((value & mask) << at)
}

/// `vmad`: `± a × b ± c (+ 1)`, shifted right.
#[must_use]
pub fn multiply_add(video: &VideoMultiply, a: u32, b: u32, c: u32) -> u32 {
    let a = i128::from(select(a, video.a.part, video.a.signed));
    let product = a * i128::from(select(b, video.b.part, video.b.signed));
    let product = if video.negate_product { -product } else { product };
    let addend = if video.signed { i128::from(c as i32) } else { i128::from(c) };
    let addend = if video.negate_c { -addend } else { addend };
    let sum = (product + addend + i128::from(video.plus_one)) >> video.shift_right;
    (if video.saturate { clamp(sum, 32, video.signed) } else { sum }) as u32
}

/// `vadd2`, `vabsdiff4` and their like.
#[must_use]
pub fn packed(video: &SimdVideo, a: u32, b: u32, c: u32) -> u32 {
    let bits = 32 / u32::from(video.parts);
    let pair = (u64::from(b) << 32) | u64::from(a);
    let part = |from: u8, signed: bool| -> i64 {
        let value = (pair >> (u32::from(from) * bits)) as i64;
        let up = 64 - bits;
        if signed { value << up >> up } else { ((value as u64) << up >> up) as i64 }
    };
    let mut result = c;
    for i in (0..video.parts).filter(|i| video.mask >> i & 1 == 1) {
        let at = usize::from(i);
        let left = part(video.a_select[at], video.a_signed);
        let value = operate(video.op, left, part(video.b_select[at], video.b_signed));
        let value = if video.saturate { clamp(value, bits, video.signed) } else { value };
        if video.accumulate {
            result = result.wrapping_add(value as u32);
        } else {
            let part = if bits == 8 { VideoPart::Byte(i) } else { VideoPart::Half(i) };
            result = merge(value as u32, result, part);
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use mock_ptx::ir::{Operand, Reg, RegClass, VideoOperand};

    const ZERO: Operand = Operand::Immediate(0);
    const DST: Reg = Reg::new(RegClass::B32, 0);

    const fn operand(part: VideoPart, signed: bool) -> VideoOperand {
        VideoOperand { value: ZERO, part, signed }
    }

    const PLAIN: ScalarVideo = ScalarVideo {
        op: VideoOp::Add,
        dst: DST,
        signed: true,
        saturate: false,
        a: operand(VideoPart::Word, true),
        b: operand(VideoPart::Word, true),
        second: SecondOp::None,
    };

    #[test]
    fn scalar_operands_are_parts_extended_by_their_sign() {
        let a = operand(VideoPart::Byte(3), true);
        let b = operand(VideoPart::Half(1), false);
        let seen = scalar(&ScalarVideo { a, b, ..PLAIN }, 0x8000_0000, 0xffff_0000, 0);
        assert_eq!(seen as i32, -128 + 65535);
        assert_eq!(scalar(&ScalarVideo { op: VideoOp::AbsDiff, ..PLAIN }, 5, 9, 0), 4);
    }

    #[test]
    fn scalar_results_saturate_to_where_they_go() {
        let second = SecondOp::Merge(VideoPart::Byte(1), ZERO);
        let into_byte = ScalarVideo { saturate: true, second, ..PLAIN };
        assert_eq!(scalar(&into_byte, 100, 100, 0xaabb_ccdd), 0xaabb_7fdd);
        let word = ScalarVideo { saturate: true, ..PLAIN };
        assert_eq!(scalar(&word, i32::MAX as u32, 1, 0), i32::MAX as u32);
        assert_eq!(scalar(&PLAIN, i32::MAX as u32, 1, 0), i32::MIN as u32);
    }

    #[test]
    fn the_second_operation_meets_the_third_operand() {
        let with = |second| ScalarVideo { second, ..PLAIN };
        assert_eq!(scalar(&with(SecondOp::Add(ZERO)), 2, 3, 10), 15);
        assert_eq!(scalar(&with(SecondOp::Min(ZERO)), 2, 3, u32::MAX), u32::MAX);
        assert_eq!(scalar(&with(SecondOp::Max(ZERO)), 2, 3, u32::MAX), 5);
    }

    #[test]
    fn shifts_clamp_or_wrap() {
        let word = operand(VideoPart::Word, false);
        let shift = |op| ScalarVideo { op, a: word, b: word, ..PLAIN };
        assert_eq!(scalar(&shift(VideoOp::ShiftLeft(ShiftWrap::Wrap)), 1, 33, 0), 2);
        assert_eq!(scalar(&shift(VideoOp::ShiftLeft(ShiftWrap::Clamp)), 1, 33, 0), 0);
        assert_eq!(scalar(&shift(VideoOp::ShiftRight(ShiftWrap::Clamp)), u32::MAX, 40, 0), 0);
    }

    #[test]
    fn multiply_add_shifts_and_saturates() {
        let plain = VideoMultiply {
            dst: DST,
            signed: true,
            saturate: false,
            a: operand(VideoPart::Word, true),
            b: operand(VideoPart::Word, true),
            c: ZERO,
            negate_product: false,
            negate_c: false,
            plus_one: false,
            shift_right: 0,
        };
        assert_eq!(multiply_add(&plain, 3, 4, 5), 17);
        assert_eq!(multiply_add(&VideoMultiply { plus_one: true, ..plain }, 3, 4, 5), 18);
        let negated = VideoMultiply { negate_product: true, ..plain };
        assert_eq!(multiply_add(&negated, 3, 4, 5) as i32, -7);
        let big = VideoMultiply { saturate: true, ..plain };
        assert_eq!(multiply_add(&big, 1 << 20, 1 << 20, 0), i32::MAX as u32);
        let shifted = VideoMultiply { shift_right: 15, ..plain };
        assert_eq!(multiply_add(&shifted, 1 << 20, 1 << 20, 0), 1 << 25);
    }

    #[test]
    fn packed_parts_do_not_touch_each_other() {
        let bytes = SimdVideo {
            op: VideoOp::Add,
            parts: 4,
            dst: DST,
            signed: false,
            a_signed: false,
            b_signed: false,
            saturate: false,
            accumulate: false,
            mask: 0xf,
            a: ZERO,
            a_select: [0, 1, 2, 3],
            b: ZERO,
            b_select: [4, 5, 6, 7],
            c: ZERO,
        };
        assert_eq!(packed(&bytes, 0xff01_ff01, 0x0101_0101, 0), 0x0002_0002);
        let full = SimdVideo { saturate: true, ..bytes };
        assert_eq!(packed(&full, 0xff01_ff01, 0x0101_0101, 0), 0xff02_ff02);
        let sum = SimdVideo { op: VideoOp::AbsDiff, accumulate: true, ..bytes };
        assert_eq!(packed(&sum, 0x0102_0304, 0x0403_0201, 100), 100 + 3 + 1 + 1 + 3);
        let masked = SimdVideo { mask: 0b0101, ..bytes };
        assert_eq!(packed(&masked, 0x1111_1111, 0x2222_2222, 0xaabb_ccdd), 0xaa33_cc33);
        let (op, a_select, b_select) = (VideoOp::Average, [0, 1, 0, 0], [2, 3, 0, 0]);
        let halves = SimdVideo { op, parts: 2, a_select, b_select, mask: 3, ..bytes };
        assert_eq!(packed(&halves, 0x0003_0002, 0x0004_0002, 0), 0x0004_0002);
    }
}
