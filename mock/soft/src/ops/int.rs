//! Integer arithmetic: one trait, six types, every rule of the PTX manual that Rust's own operators do not have.
//!
//! Division by zero gives all ones (quotient and remainder), as NVIDIA's hardware does where the manual leaves it open; the most
//! negative number divided by -1 gives itself, remainder 0. A shift by the width or more shifts everything out.

/// A PTX integer type: `u16 s16 u32 s32 u64 s64`.
pub trait Integer: Copy + Ord {
    /// The type of twice the width.
    type Wide;
    /// `add`.
    fn add(self, other: Self) -> Self;
    /// `sub`.
    fn sub(self, other: Self) -> Self;
    /// `add.sat`: clamped to the type's range.
    fn add_sat(self, other: Self) -> Self;
    /// `sub.sat`.
    fn sub_sat(self, other: Self) -> Self;
    /// `mul.lo`.
    fn mul_lo(self, other: Self) -> Self;
    /// `mul.hi`.
    fn mul_hi(self, other: Self) -> Self;
    /// `mul.wide`.
    fn mul_wide(self, other: Self) -> Self::Wide;
    /// `div`.
    fn div(self, other: Self) -> Self;
    /// `rem`.
    fn rem(self, other: Self) -> Self;
    /// `abs`; the most negative number is its own.
    fn magnitude(self) -> Self;
    /// `neg`.
    fn neg(self) -> Self;
    /// `sad`: `c + |a - b|`.
    fn sad(self, other: Self, addend: Self) -> Self;
    /// `shl`, clamped.
    fn shl(self, by: u32) -> Self;
    /// `shr`, clamped; arithmetic for signed types.
    fn shr(self, by: u32) -> Self;
}

macro_rules! integer {
    ($($type:ty, $wide:ty, $unsigned:ty, $shifted_out:expr;)*) => {$(
        impl Integer for $type {
            type Wide = $wide;
            #[inline(always)]
            fn add(self, other: Self) -> Self { self.wrapping_add(other) }
            #[inline(always)]
            fn sub(self, other: Self) -> Self { self.wrapping_sub(other) }
            #[inline(always)]
            fn add_sat(self, other: Self) -> Self { self.saturating_add(other) }
            #[inline(always)]
            fn sub_sat(self, other: Self) -> Self { self.saturating_sub(other) }
            #[inline(always)]
            fn mul_lo(self, other: Self) -> Self { self.wrapping_mul(other) }
            #[inline(always)]
            fn mul_hi(self, other: Self) -> Self {
                ((<$wide>::from(self) * <$wide>::from(other)) >> Self::BITS) as Self
            }
            #[inline(always)]
            fn mul_wide(self, other: Self) -> $wide { <$wide>::from(self) * <$wide>::from(other) }
            #[inline(always)]
            fn div(self, other: Self) -> Self {
                if other == 0 { !0 } else { self.wrapping_div(other) }
            }
            #[inline(always)]
            fn rem(self, other: Self) -> Self {
                if other == 0 { !0 } else { self.wrapping_rem(other) }
            }
            #[inline(always)]
            fn magnitude(self) -> Self { if self < (0 as Self) { self.neg() } else { self } }
            #[inline(always)]
            fn neg(self) -> Self { (0 as Self).wrapping_sub(self) }
            #[inline(always)]
            fn sad(self, other: Self, addend: Self) -> Self {
                addend.wrapping_add(self.abs_diff(other) as Self)
            }
            #[inline(always)]
            fn shl(self, by: u32) -> Self {
                if by < Self::BITS { self << by } else { 0 }
            }
            #[inline(always)]
            fn shr(self, by: u32) -> Self {
                if by < Self::BITS { self >> by } else { $shifted_out(self) }
            }
        }
    )*};
}

integer! {
    u16, u32, u16, |_| 0;
    i16, i32, u16, |a: i16| a >> 15;
    u32, u64, u32, |_| 0;
    i32, i64, u32, |a: i32| a >> 31;
    u64, u128, u64, |_| 0;
    i64, i128, u64, |a: i64| a >> 63;
}

/// `mul24.lo.u32`: the low 32 bits of the product of the low 24 bits.
#[inline(always)]
#[must_use]
pub fn mul24_lo_u32(a: u32, b: u32) -> u32 {
    (a & 0xff_ffff).wrapping_mul(b & 0xff_ffff)
}

/// `mul24.hi.u32`: bits 16 to 47 of that 48-bit product.
#[inline(always)]
#[must_use]
pub fn mul24_hi_u32(a: u32, b: u32) -> u32 {
    ((u64::from(a & 0xff_ffff) * u64::from(b & 0xff_ffff)) >> 16) as u32
}

/// `mul24.lo.s32`.
#[inline(always)]
#[must_use]
pub fn mul24_lo_s32(a: i32, b: i32) -> i32 {
    low24(a).wrapping_mul(low24(b))
}

/// `mul24.hi.s32`.
#[inline(always)]
#[must_use]
pub fn mul24_hi_s32(a: i32, b: i32) -> i32 {
    ((i64::from(low24(a)) * i64::from(low24(b))) >> 16) as i32
}

const fn low24(a: i32) -> i32 {
    (a << 8) >> 8
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same operation in integers so wide that nothing can wrap, then cut to the width.
    macro_rules! against_wider_integers {
        ($name:ident, $type:ty, $wider:ty) => {
            #[test]
            fn $name() {
                let edges: Vec<$type> = {
                    let mut edges = vec![0, 1, 2, 3, 7, 100, <$type>::MIN, <$type>::MAX];
                    edges.extend([<$type>::MIN + 1, <$type>::MAX - 1, <$type>::MAX / 2, !0, !6]);
                    edges
                };
                let range = <$wider>::from(<$type>::MIN)..=<$wider>::from(<$type>::MAX);
                let clamp = |v: $wider| v.clamp(*range.start(), *range.end()) as $type;
                for &a in &edges {
                    for &b in &edges {
                        let (wa, wb) = (<$wider>::from(a), <$wider>::from(b));
                        assert_eq!(a.add(b), (wa + wb) as $type);
                        assert_eq!(a.sub(b), (wa - wb) as $type);
                        assert_eq!(a.add_sat(b), clamp(wa + wb));
                        assert_eq!(a.sub_sat(b), clamp(wa - wb));
                        assert_eq!(a.mul_lo(b), (wa.wrapping_mul(wb)) as $type);
                        assert_eq!(a.sad(b, 5), ((wa - wb).abs() + 5) as $type);
                        if b != 0 {
                            assert_eq!(a.div(b), (wa / wb) as $type, "{a} / {b}");
                            assert_eq!(a.rem(b), (wa % wb) as $type, "{a} % {b}");
                        }
                    }
                    assert_eq!(Integer::neg(a), (-<$wider>::from(a)) as $type);
                    assert_eq!(Integer::magnitude(a), <$wider>::from(a).unsigned_abs() as $type);
                    assert_eq!(a.div(0), !0);
                    assert_eq!(a.rem(0), !0);
                    for by in 0..=<$type>::BITS + 2 {
                        let shifted = if by >= 64 { 0 } else { <$wider>::from(a) << by };
                        assert_eq!(Integer::shl(a, by), shifted as $type, "{a} << {by}");
                        let shifted = <$wider>::from(a) >> by.min(100);
                        assert_eq!(Integer::shr(a, by), shifted as $type, "{a} >> {by}");
                    }
                    assert_eq!(Integer::shl(a, u32::MAX), 0);
                }
            }
        };
    }

    against_wider_integers!(u16_is_arithmetic_modulo_its_width, u16, i128);
    against_wider_integers!(s16_is_arithmetic_modulo_its_width, i16, i128);
    against_wider_integers!(u32_is_arithmetic_modulo_its_width, u32, i128);
    against_wider_integers!(s32_is_arithmetic_modulo_its_width, i32, i128);
    against_wider_integers!(u64_is_arithmetic_modulo_its_width, u64, i128);
    against_wider_integers!(s64_is_arithmetic_modulo_its_width, i64, i128);

    #[test]
    fn the_high_half_is_what_the_low_half_leaves() {
        assert_eq!(u64::MAX.mul_hi(u64::MAX), u64::MAX - 1);
        assert_eq!(i64::MIN.mul_hi(i64::MIN), 1 << 62);
        assert_eq!(i64::MIN.mul_hi(-1), 0);
        assert_eq!((-1i32).mul_hi(1), -1);
        assert_eq!(0x8000_0000u32.mul_hi(2), 1);
        assert_eq!((-300i16).mul_wide(300), -90_000);
        assert_eq!(u16::MAX.mul_hi(u16::MAX), 0xfffe);
    }

    #[test]
    fn division_of_the_most_negative_number_by_minus_one_is_itself() {
        assert_eq!((i32::MIN.div(-1), i32::MIN.rem(-1)), (i32::MIN, 0));
        assert_eq!((i64::MIN.div(-1), i64::MIN.rem(-1)), (i64::MIN, 0));
    }

    #[test]
    fn twenty_four_bit_products_ignore_the_upper_byte() {
        assert_eq!(mul24_lo_u32(0xabff_ffff, 0xcd00_0002), 0x1ff_fffe);
        assert_eq!(mul24_hi_u32(0xff_ffff, 0xff_ffff), 0xffff_fe00);
        assert_eq!(mul24_lo_s32(0x7fff_ffff, 3), -3);
        assert_eq!(mul24_hi_s32(0x80_0000, 0x80_0000), 0x4000_0000);
        assert_eq!(mul24_hi_s32(-1, 1), -1);
    }
}
