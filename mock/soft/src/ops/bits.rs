//! Bit operations: fields, permutations, counts, masks, funnel shifts.
//!
//! Written as the manual's loops are meant, without the loops where that is exact.

use mock_ptx::ir::{PermuteMode, ShiftWrap};

/// `shf.l`: the upper word of `high:low` shifted left.
#[inline(always)]
#[must_use]
pub fn funnel_left(low: u32, high: u32, by: u32, wrap: ShiftWrap) -> u32 {
    let by = funnel_distance(by, wrap);
    ((((u64::from(high) << 32) | u64::from(low)) << by) >> 32) as u32
}

/// `shf.r`: the lower word of `high:low` shifted right.
#[inline(always)]
#[must_use]
pub fn funnel_right(low: u32, high: u32, by: u32, wrap: ShiftWrap) -> u32 {
    let by = funnel_distance(by, wrap);
    (((u64::from(high) << 32) | u64::from(low)) >> by) as u32
}

#[inline(always)]
fn funnel_distance(by: u32, wrap: ShiftWrap) -> u32 {
    match wrap {
        ShiftWrap::Clamp => by.min(32),
        ShiftWrap::Wrap => by & 31,
    }
}

/// The low `len` bits, `len` from 0 to any.
#[inline(always)]
const fn low_ones(len: u32) -> u64 {
    if len >= 64 { !0 } else { (1 << len) - 1 }
}

/// `bfe.u32` and `bfe.u64`: `bits` is the register's width.
#[inline(always)]
#[must_use]
pub fn extract_unsigned(a: u64, start: u32, len: u32, bits: u32) -> u64 {
    let (start, len) = (start & 0xff, len & 0xff);
    if start >= bits { 0 } else { (a >> start) & low_ones(len) & low_ones(bits) }
}

/// `bfe.s32` and `bfe.s64`: the field's last bit inside the register fills the rest.
#[inline(always)]
#[must_use]
pub fn extract_signed(a: u64, start: u32, len: u32, bits: u32) -> u64 {
    let (start, len) = (start & 0xff, len & 0xff);
    if len == 0 {
        return 0;
    }
    let sign_at = (start + len - 1).min(bits - 1);
    let fill = if (a >> sign_at) & 1 == 1 { !0 } else { 0 };
    let kept = len.min(bits.saturating_sub(start));
    let field = if start >= bits { 0 } else { a >> start };
    ((field & low_ones(kept)) | (fill & !low_ones(kept))) & low_ones(bits)
}

/// `bfi.b32` and `bfi.b64`: the low `len` bits of `a` into `b` at `start`.
#[inline(always)]
#[must_use]
pub fn insert(a: u64, b: u64, start: u32, len: u32, bits: u32) -> u64 {
    let (start, len) = (start & 0xff, len & 0xff);
    if start >= bits {
        return b;
    }
    let mask = (low_ones(len) << start) & low_ones(bits);
    (b & !mask) | ((a << start) & mask)
}

/// `bfind` of an unsigned number: where its highest one is, all ones where there is none.
#[inline(always)]
#[must_use]
pub fn find_unsigned(a: u64, bits: u32, shift_amount: bool) -> u32 {
    if a == 0 {
        return u32::MAX;
    }
    let at = 63 - a.leading_zeros();
    if shift_amount { bits - 1 - at } else { at }
}

/// `bfind` of a signed number, sign-extended to 64 bits: the highest bit unlike the sign.
#[inline(always)]
#[must_use]
pub fn find_signed(a: i64, bits: u32, shift_amount: bool) -> u32 {
    find_unsigned((a ^ (a >> 63)) as u64, bits, shift_amount)
}

/// `fns.b32`: the position of the `offset`-th one from `base`, upwards or downwards.
#[must_use]
pub fn find_nth_set(mask: u32, base: u32, offset: i32) -> u32 {
    if offset == 0 {
        return if base < 32 && (mask >> base) & 1 == 1 { base } else { u32::MAX };
    }
    let mut left = offset.unsigned_abs();
    let mut at = i64::from(base);
    while (0..32).contains(&at) {
        left -= (mask >> at) & 1;
        if left == 0 {
            return at as u32;
        }
        at += i64::from(offset.signum());
    }
    u32::MAX
}

/// `prmt.b32`.
#[inline(always)]
#[must_use]
pub fn permute(a: u32, b: u32, selector: u32, mode: PermuteMode) -> u32 {
    let bytes = (u64::from(b) << 32) | u64::from(a);
    let pick = |nibble: u32| -> u32 {
        let byte = (bytes >> ((nibble & 7) * 8)) as u8;
        u32::from(if nibble & 8 == 0 { byte } else { ((byte as i8) >> 7) as u8 })
    };
    let selector = match mode {
        PermuteMode::Generic => selector,
        _ => named_selector(mode, selector & 3),
    };
    pick(selector & 15)
        | (pick((selector >> 4) & 15) << 8)
        | (pick((selector >> 8) & 15) << 16)
        | (pick((selector >> 12) & 15) << 24)
}

/// The nibbles, lowest byte last, that a named mode stands for.
const fn named_selector(mode: PermuteMode, n: u32) -> u32 {
    let table: [u32; 4] = match mode {
        PermuteMode::Generic | PermuteMode::Forward4 => [0x3210, 0x4321, 0x5432, 0x6543],
        PermuteMode::Backward4 => [0x5670, 0x6701, 0x7012, 0x0123],
        PermuteMode::Replicate8 => [0x0000, 0x1111, 0x2222, 0x3333],
        PermuteMode::EdgeLeft => [0x3210, 0x3211, 0x3222, 0x3333],
        PermuteMode::EdgeRight => [0x0000, 0x1110, 0x2210, 0x3210],
        PermuteMode::Replicate16 => [0x1010, 0x3232, 0x1010, 0x3232],
    };
    table[n as usize]
}

/// `lop3.b32`: any function of three bits, as its truth table.
#[inline(always)]
#[must_use]
pub fn logic3(a: u32, b: u32, c: u32, table: u8) -> u32 {
    let row = |bit: u8, a: u32, b: u32, c: u32| if table >> bit & 1 == 1 { a & b & c } else { 0 };
    row(0, !a, !b, !c)
        | row(1, !a, !b, c)
        | row(2, !a, b, !c)
        | row(3, !a, b, c)
        | row(4, a, !b, !c)
        | row(5, a, !b, c)
        | row(6, a, b, !c)
        | row(7, a, b, c)
}

/// `bmsk`: `width` ones from `start` up.
#[inline(always)]
#[must_use]
pub fn mask(start: u32, width: u32, wrap: ShiftWrap) -> u32 {
    let clamp = wrap == ShiftWrap::Clamp;
    if clamp && start >= 32 {
        return 0;
    }
    let width = if clamp { width.min(32) } else { width & 31 };
    (low_ones(width) << (start & 31)) as u32
}

/// `szext`: the low `width` bits of `a`, extended by zeros or by their sign.
#[inline(always)]
#[must_use]
pub fn extend(a: u32, width: u32, signed: bool, wrap: ShiftWrap) -> u32 {
    if wrap == ShiftWrap::Clamp && width >= 32 {
        return a;
    }
    let width = width & 31;
    if width == 0 {
        return 0;
    }
    let up = 32 - width;
    if signed { (((a << up) as i32) >> up) as u32 } else { (a << up) >> up }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: [u32; 8] =
        [0, 1, 0x8000_0000, u32::MAX, 0x1234_5678, 0xdead_beef, 0x0f0f_0f0f, 0x7fff_ffff];
    const COUNTS: [u32; 12] = [0, 1, 4, 8, 15, 31, 32, 33, 63, 64, 255, 256];

    fn bit(a: u64, i: u32) -> u64 {
        (a >> i) & 1
    }

    /// The manual's own loop for `bfe`.
    fn manual_extract(a: u64, b: u32, c: u32, bits: u32, signed: bool) -> u64 {
        let (msb, pos, len) = (bits - 1, b & 0xff, c & 0xff);
        let sbit = if !signed || len == 0 { 0 } else { bit(a, (pos + len - 1).min(msb)) };
        (0..=msb).fold(0, |d, i| {
            d | (if i < len && pos + i <= msb { bit(a, pos + i) } else { sbit } << i)
        })
    }

    #[test]
    fn field_extraction_is_the_manuals_loop() {
        for a in WORDS {
            let a = u64::from(a) << 32 | u64::from(a);
            for start in COUNTS {
                for len in COUNTS {
                    for bits in [32, 64] {
                        let a = if bits == 32 { a & 0xffff_ffff } else { a };
                        let seen = extract_unsigned(a, start, len, bits);
                        assert_eq!(seen, manual_extract(a, start, len, bits, false));
                        let seen = extract_signed(a, start, len, bits);
                        let wanted = manual_extract(a, start, len, bits, true);
                        assert_eq!(seen, wanted, "bfe.s{bits} {a:#x} {start} {len}");
                    }
                }
            }
        }
    }

    #[test]
    fn field_insertion_is_the_manuals_loop() {
        for a in WORDS {
            for b in WORDS {
                for start in COUNTS {
                    for len in COUNTS {
                        for bits in [32u32, 64] {
                            let (a, b) = (u64::from(a), u64::from(b));
                            let (pos, n) = (start & 0xff, len & 0xff);
                            let mut wanted = b;
                            for i in 0..n {
                                if pos + i < bits {
                                    wanted &= !(1 << (pos + i));
                                    wanted |= if i < 64 { bit(a, i) } else { 0 } << (pos + i);
                                }
                            }
                            assert_eq!(insert(a, b, start, len, bits), wanted);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn find_gives_the_highest_bit_unlike_the_sign() {
        assert_eq!(find_unsigned(0, 32, false), u32::MAX);
        assert_eq!(find_unsigned(1, 32, true), 31);
        assert_eq!(find_unsigned(0x8000_0000, 32, true), 0);
        assert_eq!(find_unsigned(1 << 63, 64, false), 63);
        assert_eq!(find_signed(-1, 32, false), u32::MAX);
        assert_eq!(find_signed(-2, 32, false), 0);
        assert_eq!(find_signed(i64::from(i32::MIN), 32, false), 30);
        assert_eq!(find_signed(5, 64, true), 61);
    }

    #[test]
    fn nth_set_counts_from_the_base_either_way() {
        assert_eq!(find_nth_set(0b1011_0100, 0, 1), 2);
        assert_eq!(find_nth_set(0b1011_0100, 2, 1), 2);
        assert_eq!(find_nth_set(0b1011_0100, 0, 3), 5);
        assert_eq!(find_nth_set(0b1011_0100, 7, -2), 5);
        assert_eq!(find_nth_set(0b1011_0100, 4, 0), 4);
        assert_eq!(find_nth_set(0b1011_0100, 3, 0), u32::MAX);
        assert_eq!(find_nth_set(u32::MAX, 0, 33), u32::MAX);
        assert_eq!(find_nth_set(u32::MAX, 40, i32::MIN), u32::MAX);
    }

    #[test]
    fn funnels_take_their_bits_from_both_words() {
        for low in WORDS {
            for high in WORDS {
                for by in COUNTS {
                    let n = by.min(32);
                    let left = if n == 0 {
                        high
                    } else if n == 32 {
                        low
                    } else {
                        (high << n) | (low >> (32 - n))
                    };
                    assert_eq!(funnel_left(low, high, by, ShiftWrap::Clamp), left);
                    let n = by & 31;
                    let right = if n == 0 { low } else { (low >> n) | (high << (32 - n)) };
                    assert_eq!(funnel_right(low, high, by, ShiftWrap::Wrap), right);
                }
            }
        }
        assert_eq!(funnel_right(1, 2, 99, ShiftWrap::Clamp), 2);
        assert_eq!(funnel_left(1, 2, 32, ShiftWrap::Wrap), 2);
    }

    #[test]
    fn permute_picks_bytes_and_signs() {
        let (a, b) = (0x8421_0f80, 0x7665_5443);
        assert_eq!(permute(a, b, 0x3210, PermuteMode::Generic), a);
        assert_eq!(permute(a, b, 0x7654, PermuteMode::Generic), b);
        assert_eq!(permute(a, b, 0x4b80, PermuteMode::Generic), 0x43ff_ff80);
        assert_eq!(permute(a, b, 0xffff_fd00 | 1, PermuteMode::Forward4), 0x4384_210f);
        assert_eq!(permute(a, b, 0, PermuteMode::Backward4), 0x5465_7680);
        assert_eq!(permute(a, b, 2, PermuteMode::Replicate8), 0x2121_2121);
        assert_eq!(permute(a, b, 1, PermuteMode::EdgeLeft), 0x8421_0f0f);
        assert_eq!(permute(a, b, 1, PermuteMode::EdgeRight), 0x0f0f_0f80);
        assert_eq!(permute(a, b, 1, PermuteMode::Replicate16), 0x8421_8421);
    }

    #[test]
    fn logic3_is_its_truth_table() {
        for table in 0..=255u8 {
            let (a, b, c) = (0xf0f0_f0f0u32, 0xcccc_cccc, 0xaaaa_aaaa);
            let seen = logic3(a, b, c, table);
            assert_eq!(seen & 0xff, u32::from(table), "lop3 {table:#x}");
        }
        assert_eq!(logic3(5, 6, 12, 0x96), 5 ^ 6 ^ 12);
        assert_eq!(logic3(5, 6, 12, 0xe8), (5 & 6) | (6 & 12) | (5 & 12));
    }

    /// The manual's text for `bmsk`, step by step.
    fn manual_mask(a: u32, b: u32, clamp: bool) -> u32 {
        let (a1, b1) = (a & 31, b & 31);
        let sum = a1 + b1;
        let mut mask0 = u32::MAX << a1;
        let mut mask1 = if sum >= 32 { 0 } else { u32::MAX << sum };
        let mut over = sum >= 32;
        if clamp {
            if a >= 32 {
                over = true;
                mask0 = 0;
            }
            over |= b >= 32;
        }
        if over {
            mask1 = 0;
        } else if b1 == 0 {
            mask1 = u32::MAX;
        }
        mask0 & !mask1
    }

    #[test]
    fn masks_are_the_manuals_steps() {
        for start in COUNTS {
            for width in COUNTS {
                assert_eq!(mask(start, width, ShiftWrap::Clamp), manual_mask(start, width, true));
                if width & 31 != 0 {
                    assert_eq!(
                        mask(start, width, ShiftWrap::Wrap),
                        manual_mask(start, width, false)
                    );
                }
                assert_eq!(mask(start, 0, ShiftWrap::Wrap), 0);
            }
        }
    }

    #[test]
    fn extension_keeps_the_low_bits_and_their_sign() {
        assert_eq!(extend(0xff, 8, true, ShiftWrap::Clamp), u32::MAX);
        assert_eq!(extend(0xff, 8, false, ShiftWrap::Clamp), 0xff);
        assert_eq!(extend(0x1234, 0, true, ShiftWrap::Clamp), 0);
        assert_eq!(extend(0x8000_1234, 32, true, ShiftWrap::Clamp), 0x8000_1234);
        assert_eq!(extend(0x8000_1234, 32, true, ShiftWrap::Wrap), 0);
        assert_eq!(extend(0x0000_1b34, 45, true, ShiftWrap::Wrap), 0xffff_fb34);
    }
}
