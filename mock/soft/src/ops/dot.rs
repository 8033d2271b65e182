//! Dot products of packed bytes: `dp4a`, `dp2a`.

/// Byte `i` of `word`, as a number.
#[inline(always)]
fn byte(word: u32, i: u32, signed: bool) -> i32 {
    let byte = (word >> (8 * i)) as u8;
    if signed { i32::from(byte as i8) } else { i32::from(byte) }
}

/// Half `i` of `word`, as a number.
#[inline(always)]
fn half(word: u32, i: u32, signed: bool) -> i32 {
    let half = (word >> (16 * i)) as u16;
    if signed { i32::from(half as i16) } else { i32::from(half) }
}

/// `dp4a`: four byte products and `c`, modulo 2³².
#[inline(always)]
#[must_use]
pub fn dp4a(a: u32, b: u32, c: u32, a_signed: bool, b_signed: bool) -> u32 {
    (0..4).fold(c, |sum, i| {
        sum.wrapping_add(byte(a, i, a_signed).wrapping_mul(byte(b, i, b_signed)) as u32)
    })
}

/// `dp2a`: the two halves of `a` by the low (or high) two bytes of `b`, and `c`.
#[inline(always)]
#[must_use]
pub fn dp2a(a: u32, b: u32, c: u32, a_signed: bool, b_signed: bool, high: bool) -> u32 {
    let first = if high { 2 } else { 0 };
    (0..2).fold(c, |sum, i| {
        sum.wrapping_add(half(a, i, a_signed).wrapping_mul(byte(b, first + i, b_signed)) as u32)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_signed_or_not_as_asked() {
        let (a, b) = (0x80ff_0102, 0x027f_8003);
        assert_eq!(dp4a(a, b, 10, true, true) as i32, 10 + 6 - 128 - 127 - 256);
        assert_eq!(dp4a(a, b, 10, false, false), 10 + 6 + 128 + 255 * 127 + 256);
        assert_eq!(dp4a(a, b, 0, true, false) as i32, 6 + 128 - 127 - 256);
        assert_eq!(dp4a(a, b, 0, false, true) as i32, 6 - 128 + 255 * 127 + 256);
        assert_eq!(dp4a(u32::MAX, u32::MAX, u32::MAX, true, true), 3);
    }

    #[test]
    fn halves_meet_the_low_or_the_high_bytes() {
        let (a, b) = (0xffff_0003, 0xfe05_8002);
        assert_eq!(dp2a(a, b, 1, true, true, false) as i32, 1 + 6 + 128);
        assert_eq!(dp2a(a, b, 1, true, true, true) as i32, 1 + 15 + 2);
        assert_eq!(dp2a(a, b, 0, false, false, true), 15 + 65535 * 254);
    }
}
