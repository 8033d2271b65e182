//! What the lanes of one warp do together.
//!
//! The engine decides who takes part (`active`, bit i for lane `first + i`); member masks have already been met.

use mock_ptx::ir::{
    FloatBinary, FloatMode, IntegerBinary, MatchKind, Op, RedOp, ShuffleKind, Type, VoteKind,
};

use super::lanes::Lanes;
use super::{float, integer};
use crate::limits::WARP_LANES;

/// Does `op` for the active lanes of the warp that begins at lane `first`; false where it is no operation of a warp.
pub fn execute(op: &Op, first: usize, active: u32, lanes: &mut impl Lanes) -> bool {
    let members = || (0..WARP_LANES).filter(move |i| active >> i & 1 == 1);
    match op {
        Op::Shuffle { kind, dst, in_range, src, lane, clamp, .. } => {
            let mut results = [(0, false); WARP_LANES];
            for i in members() {
                let distance = lanes.read32(first + i, *lane);
                let (from, valid) =
                    shuffle_source(*kind, i, distance, lanes.read32(first + i, *clamp));
                let from = if active >> from & 1 == 1 { from } else { i };
                results[i] = (lanes.read(first + from, *src), valid);
            }
            for i in members() {
                let (value, valid) = results[i];
                lanes.set_register(first + i, *dst, value);
                if let Some(reg) = in_range {
                    lanes.set_register(first + i, *reg, u64::from(valid));
                }
            }
        }
        Op::Vote { kind, dst, predicate, .. } => {
            let holding = members().filter(|i| lanes.holds(first + i, *predicate));
            let ballot = holding.fold(0u32, |mask, i| mask | 1 << i);
            let result = match kind {
                VoteKind::All => u64::from(ballot == active),
                VoteKind::Any => u64::from(ballot != 0),
                VoteKind::Uniform => u64::from(ballot == active || ballot == 0),
                VoteKind::Ballot => u64::from(ballot),
            };
            members().for_each(|i| lanes.set_register(first + i, *dst, result));
        }
        Op::Match { kind, dst, all_equal, src, .. } => {
            let values: [u64; WARP_LANES] = std::array::from_fn(|i| {
                if active >> i & 1 == 1 { lanes.read(first + i, *src) } else { 0 }
            });
            for i in members() {
                let equal = members()
                    .filter(|j| values[*j] == values[i])
                    .fold(0u32, |mask, j| mask | 1 << j);
                let all = equal == active;
                let mask = if *kind == MatchKind::Any || all { equal } else { 0 };
                lanes.set_register(first + i, *dst, u64::from(mask));
                if let Some(reg) = all_equal {
                    lanes.set_register(first + i, *reg, u64::from(all));
                }
            }
        }
        Op::Reduce { op, ty, absolute, propagate_nan, dst, src, .. } => {
            let value = |i: usize| {
                let value = lanes.read(first + i, *src);
                if *absolute { value & 0x7fff_ffff } else { value }
            };
            let join = |a, b| reduce(*op, *ty, *propagate_nan, a, b);
            let result = members().map(value).reduce(join).unwrap_or(0);
            members().for_each(|i| lanes.set_register(first + i, *dst, result));
        }
        Op::ActiveMask { dst } => {
            members().for_each(|i| lanes.set_register(first + i, *dst, u64::from(active)));
        }
        Op::Elect { leader, elected, .. } => {
            let first_member = active.trailing_zeros() as usize;
            for i in members() {
                lanes.set_register(first + i, *elected, u64::from(i == first_member));
                if let Some(reg) = leader {
                    lanes.set_register(first + i, *reg, first_member as u64);
                }
            }
        }
        Op::WarpBarrier { .. } => {}
        _ => return false,
    }
    true
}

/// The lane that lane `lane` reads from, and whether it was in range.
#[inline]
#[must_use]
pub fn shuffle_source(kind: ShuffleKind, lane: usize, operand: u32, clamp: u32) -> (usize, bool) {
    let lane = lane as u32;
    let (distance, bound, segment) = (operand & 31, clamp & 31, (clamp >> 8) & 31);
    let last = (lane & segment) | (bound & !segment);
    let (source, valid) = match kind {
        ShuffleKind::Up => {
            let source = lane as i32 - distance as i32;
            (source as u32, source >= last as i32)
        }
        ShuffleKind::Down => (lane + distance, lane + distance <= last),
        ShuffleKind::Butterfly => (lane ^ distance, lane ^ distance <= last),
        ShuffleKind::Index => {
            let source = (lane & segment) | (distance & !segment);
            (source, source <= last)
        }
    };
    (if valid { source } else { lane } as usize, valid)
}

fn reduce(op: RedOp, ty: Type, propagate_nan: bool, a: u64, b: u64) -> u64 {
    let float = |op| float::binary(op, ty, FloatMode::DEFAULT, a, b);
    match op {
        RedOp::Min if ty.is_float() => float(FloatBinary::Min { propagate_nan, xor_sign: false }),
        RedOp::Max if ty.is_float() => float(FloatBinary::Max { propagate_nan, xor_sign: false }),
        RedOp::Add => integer::binary(IntegerBinary::Add, ty, a, b),
        RedOp::Min => integer::binary(IntegerBinary::Min, ty, a, b),
        RedOp::Max => integer::binary(IntegerBinary::Max, ty, a, b),
        RedOp::And => a & b,
        RedOp::Or => a | b,
        RedOp::Xor => a ^ b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shuffles_stay_in_their_segment() {
        use ShuffleKind::{Butterfly, Down, Index, Up};
        assert_eq!(shuffle_source(Down, 3, 4, 31), (7, true));
        assert_eq!(shuffle_source(Down, 30, 4, 31), (30, false));
        assert_eq!(shuffle_source(Up, 3, 4, 0), (3, false));
        assert_eq!(shuffle_source(Up, 5, 4, 0), (1, true));
        assert_eq!(shuffle_source(Butterfly, 5, 1, 31), (4, true));
        assert_eq!(shuffle_source(Index, 20, 9, 31), (9, true));
        // width 8: clamp 7, segment mask 24
        let clamp = 0x1807;
        assert_eq!(shuffle_source(Index, 20, 9, clamp), (17, true));
        assert_eq!(shuffle_source(Down, 22, 2, clamp), (22, false));
        assert_eq!(shuffle_source(Down, 21, 2, clamp), (23, true));
        assert_eq!(shuffle_source(Up, 17, 2, 0x1800), (17, false));
    }

    #[test]
    fn reductions_follow_their_type() {
        assert_eq!(reduce(RedOp::Min, Type::S32, false, 0xffff_ffff, 1), 0xffff_ffff);
        assert_eq!(reduce(RedOp::Min, Type::U32, false, 0xffff_ffff, 1), 1);
        assert_eq!(reduce(RedOp::Add, Type::U32, false, 0xffff_ffff, 2), 1);
        let nan = u64::from(f32::NAN.to_bits());
        assert_eq!(reduce(RedOp::Max, Type::F32, true, nan, 0), 0x7fff_ffff);
        assert_eq!(reduce(RedOp::Max, Type::F32, false, nan, 0), 0);
    }
}
