//! The carry chain: `add.cc addc sub.cc subc mad.cc madc`, with the flag as a value.
//!
//! As in the manual: after a subtraction the flag means borrow.

/// `a + b + carry`, and the carry out.
#[inline(always)]
#[must_use]
pub fn add_u32(a: u32, b: u32, carry: bool) -> (u32, bool) {
    let sum = u64::from(a) + u64::from(b) + u64::from(carry);
    (sum as u32, sum >> 32 != 0)
}

/// `a - b - borrow`, and the borrow out.
#[inline(always)]
#[must_use]
pub fn sub_u32(a: u32, b: u32, borrow: bool) -> (u32, bool) {
    let difference = i64::from(a) - i64::from(b) - i64::from(borrow);
    (difference as u32, difference < 0)
}

/// `a + b + carry` in 64 bits, and the carry out.
#[inline(always)]
#[must_use]
pub fn add_u64(a: u64, b: u64, carry: bool) -> (u64, bool) {
    let (sum, first) = a.overflowing_add(b);
    let (sum, second) = sum.overflowing_add(u64::from(carry));
    (sum, first | second)
}

/// `a - b - borrow` in 64 bits, and the borrow out.
#[inline(always)]
#[must_use]
pub fn sub_u64(a: u64, b: u64, borrow: bool) -> (u64, bool) {
    let (difference, first) = a.overflowing_sub(b);
    let (difference, second) = difference.overflowing_sub(u64::from(borrow));
    (difference, first | second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_of_words_is_one_long_number() {
        let numbers = [0u128, 1, u128::MAX, 1 << 64, (1 << 96) - 1, 0xdead_beef << 50];
        for a in numbers {
            for b in numbers {
                let word = |n: u128, i: u32| (n >> (32 * i)) as u32;
                let (mut sum, mut difference, mut carry, mut borrow) = (0u128, 0u128, false, false);
                for i in 0..4 {
                    let (s, c) = add_u32(word(a, i), word(b, i), carry);
                    let (d, w) = sub_u32(word(a, i), word(b, i), borrow);
                    sum |= u128::from(s) << (32 * i);
                    difference |= u128::from(d) << (32 * i);
                    (carry, borrow) = (c, w);
                }
                assert_eq!((sum, carry), a.overflowing_add(b));
                assert_eq!((difference, borrow), a.overflowing_sub(b));
                let (low, carry) = add_u64(a as u64, b as u64, false);
                let (high, carry) = add_u64((a >> 64) as u64, (b >> 64) as u64, carry);
                let long = u128::from(high) << 64 | u128::from(low);
                assert_eq!((long, carry), a.overflowing_add(b));
                let (low, borrow) = sub_u64(a as u64, b as u64, false);
                let (high, borrow) = sub_u64((a >> 64) as u64, (b >> 64) as u64, borrow);
                let long = u128::from(high) << 64 | u128::from(low);
                assert_eq!((long, borrow), a.overflowing_sub(b));
            }
        }
    }
}
