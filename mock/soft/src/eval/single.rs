//! Every operation that one lane does by itself.

use mock_ptx::ir::{AtomicOp, BooleanOp, Guard, Op, Operand, Reg, Space, Type};

use super::lanes::Lanes;
use super::{atomic, compare, convert, float, integer, mbarrier};
use crate::fault::Cause;
use crate::memory::{Access, window};
use crate::ops::convert::sign_extend;
use crate::ops::float::Float;
use crate::ops::video;

/// Does `op` for one lane; false where it is an operation of several lanes, or of the system.
///
/// # Errors
/// When memory does not allow an access.
pub fn execute(op: &Op, lane: usize, lanes: &mut impl Lanes) -> Result<bool, Cause> {
    if compute(op, lane, lanes) {
        return Ok(true);
    }
    match op {
        Op::Load { ty, space, dst, address, .. } => {
            let address = lanes.address(lane, *address);
            load(lane, lanes, *ty, *space, *dst, address)?;
        }
        Op::LoadVector { ty, space, dsts, address, .. } => {
            let start = lanes.address(lane, *address);
            let step = u64::from(ty.bytes());
            lanes.check_vector(start, step * dsts.len() as u64, Access::Load)?;
            for (dst, place) in dsts.iter().zip(0..) {
                load(lane, lanes, *ty, *space, *dst, start.wrapping_add(place * step))?;
            }
        }
        Op::Store { ty, space, src, address, .. } => {
            let (address, value) = (lanes.address(lane, *address), lanes.read(lane, *src));
            lanes.store(lane, *space, address, ty.bytes(), value)?;
        }
        Op::StoreVector { ty, space, srcs, address, .. } => {
            let start = lanes.address(lane, *address);
            let step = u64::from(ty.bytes());
            lanes.check_vector(start, step * srcs.len() as u64, Access::Store)?;
            for (src, place) in srcs.iter().zip(0..) {
                let value = lanes.read(lane, *src);
                lanes.store(lane, *space, start.wrapping_add(place * step), ty.bytes(), value)?;
            }
        }
        Op::Atomic { op, ty, space, dst, address, value, compare, .. } => {
            let address = lanes.address(lane, *address);
            let operands = (*value, *compare);
            let old = update(lane, lanes, (*op, *ty), *space, address, operands)?;
            if let Some(dst) = dst {
                lanes.set_register(lane, *dst, old);
            }
        }
        Op::AsyncCopy(copy) => {
            let (to, from) = (lanes.address(lane, copy.to), lanes.address(lane, copy.from));
            let ignored = copy.ignore_source.is_some_and(|guard| lanes.holds(lane, guard));
            let wanted = copy.source_bytes.map_or(copy.bytes, |n| lanes.read32(lane, n));
            let read = if ignored { 0 } else { wanted.min(copy.bytes) };
            async_copy(lane, lanes, to, from, copy.bytes, read)?;
        }
        Op::Mbarrier { op, space, address, .. } => {
            let address = lanes.address(lane, *address);
            mbarrier::execute(op, *space, address, lane, lanes)?;
        }
        Op::MbarrierPendingCount { dst, state } => {
            let missing = mbarrier::pending_count(lanes.read(lane, *state));
            lanes.set_register(lane, *dst, missing);
        }
        Op::Fence { .. } | Op::AsyncCommit | Op::AsyncWait { .. } | Op::Sleep { .. } => {}
        _ => return Ok(false),
    }
    Ok(true)
}

fn load(
    lane: usize,
    lanes: &mut impl Lanes,
    ty: Type,
    space: Space,
    dst: Reg,
    address: u64,
) -> Result<(), Cause> {
    let value = lanes.load(lane, space, address, ty.bytes())?;
    let value = if ty.is_signed() { sign_extend(value, ty.bits()) } else { value };
    lanes.set_register(lane, dst, value);
    Ok(())
}

fn update(
    lane: usize,
    lanes: &mut impl Lanes,
    (op, ty): (AtomicOp, Type),
    space: Space,
    address: u64,
    (value, compare): (Operand, Option<Operand>),
) -> Result<u64, Cause> {
    let value = lanes.read(lane, value);
    let compare = compare.map_or(0, |operand| lanes.read(lane, operand));
    let in_global = match space {
        Space::Generic => window::resolve(address).0 == Space::Global,
        space => space == Space::Global,
    };
    let new = if in_global { atomic::new_value_in_global } else { atomic::new_value };
    lanes.update(lane, space, address, ty.bytes(), &mut |old| new(op, ty, old, value, compare))
}

/// Copies at once what `cp.async` may copy any time until its wait; the rest is zeros.
fn async_copy(
    lane: usize,
    lanes: &mut impl Lanes,
    to: u64,
    from: u64,
    bytes: u32,
    read: u32,
) -> Result<(), Cause> {
    lanes.check_vector(to, u64::from(bytes), Access::Store)?;
    lanes.check_vector(from, u64::from(bytes), Access::Load)?;
    for place in (0..bytes).step_by(4) {
        let mut value = 0;
        for byte in 0..read.saturating_sub(place).min(4) {
            let at = from.wrapping_add(u64::from(place + byte));
            value |= lanes.load(lane, Space::Global, at, 1)? << (8 * byte);
        }
        lanes.store(lane, Space::Shared, to.wrapping_add(u64::from(place)), 4, value)?;
    }
    Ok(())
}

/// Does `op` if it touches registers alone; false otherwise.
pub fn compute(op: &Op, lane: usize, lanes: &mut impl Lanes) -> bool {
    let (dst, value) = match op {
        Op::Move { dst, src } => (*dst, lanes.read(lane, *src)),
        Op::ReadSpecial { dst, register } => (*dst, lanes.special(lane, *register)),
        Op::SymbolAddress { dst, symbol, offset } => {
            (*dst, lanes.symbol(*symbol).wrapping_add_signed(*offset))
        }
        Op::FrameAddress { dst, offset } => (*dst, lanes.frame(lane).wrapping_add_signed(*offset)),
        Op::Pack { dst, parts, part_bits } => {
            let bits = u32::from(*part_bits);
            let join = |sum, part: &Operand| {
                (sum << bits) | (lanes.read(lane, *part) & (u64::MAX >> (64 - bits)))
            };
            (*dst, parts.iter().rev().fold(0, join))
        }
        Op::Unpack { parts, src, part_bits } => {
            let (bits, whole) = (u32::from(*part_bits), lanes.read(lane, *src));
            for (part, shift) in parts.iter().zip((0..).step_by(bits as usize)) {
                let value = (whole >> shift) & (u64::MAX >> (64 - bits));
                lanes.set_register(lane, *part, value);
            }
            return true;
        }
        Op::Select { dst, a, b, condition } => {
            let chosen = if lanes.holds(lane, *condition) { a } else { b };
            (*dst, lanes.read(lane, *chosen))
        }
        Op::SelectBySign { dst, a, b, c, sign_of, flush_subnormals } => {
            let sign = lanes.read32(lane, *c);
            let first = at_least_zero(sign, *sign_of, *flush_subnormals);
            (*dst, lanes.read(lane, if first { *a } else { *b }))
        }
        Op::IntegerUnary { op, ty, dst, a } => {
            (*dst, integer::unary(*op, *ty, lanes.read(lane, *a)))
        }
        Op::IntegerBinary { op, ty, dst, a, b } => {
            (*dst, integer::binary(*op, *ty, lanes.read(lane, *a), lanes.read(lane, *b)))
        }
        Op::IntegerTernary { op, ty, dst, a, b, c } => {
            let [a, b, c] = [a, b, c].map(|operand| lanes.read(lane, *operand));
            (*dst, integer::ternary(*op, *ty, a, b, c))
        }
        Op::BitFieldInsert { ty, dst, field, base, position, length } => {
            let [field, base, position, length] =
                [field, base, position, length].map(|operand| lanes.read(lane, *operand));
            (*dst, integer::insert(*ty, field, base, position, length))
        }
        Op::Carry { op, ty, dst, a, b, c, carry_in, carry_out } => {
            let operands = [a, b, c].map(|operand| lanes.read(lane, *operand));
            let carry = carry_in.is_some_and(|reg| lanes.register(lane, reg) != 0);
            let (value, carry) = integer::with_carry(*op, *ty, operands, carry);
            if let Some(out) = carry_out {
                lanes.set_register(lane, *out, u64::from(carry));
            }
            (*dst, value)
        }
        Op::ScalarVideo(v) => {
            use mock_ptx::ir::SecondOp;
            let c = match v.second {
                SecondOp::None => Operand::Immediate(0),
                SecondOp::Add(c) | SecondOp::Min(c) | SecondOp::Max(c) | SecondOp::Merge(_, c) => c,
            };
            let [a, b, c] = [v.a.value, v.b.value, c].map(|operand| lanes.read32(lane, operand));
            (v.dst, u64::from(video::scalar(v, a, b, c)))
        }
        Op::VideoMultiply(v) => {
            let [a, b, c] = [v.a.value, v.b.value, v.c].map(|operand| lanes.read32(lane, operand));
            (v.dst, u64::from(video::multiply_add(v, a, b, c)))
        }
        Op::SimdVideo(v) => {
            let [a, b, c] = [v.a, v.b, v.c].map(|operand| lanes.read32(lane, operand));
            (v.dst, u64::from(video::packed(v, a, b, c)))
        }
        Op::FloatUnary { op, ty, mode, dst, a } => {
            (*dst, float::unary(*op, *ty, *mode, lanes.read(lane, *a)))
        }
        Op::FloatBinary { op, ty, mode, dst, a, b } => {
            (*dst, float::binary(*op, *ty, *mode, lanes.read(lane, *a), lanes.read(lane, *b)))
        }
        Op::FloatTernary { ty, mode, dst, a, b, c, .. } => {
            let [a, b, c] = [a, b, c].map(|operand| lanes.read(lane, *operand));
            (*dst, float::fma(*ty, *mode, a, b, c))
        }
        Op::TestFloat { class, ty, dst, a } => {
            (*dst, u64::from(float::test(*class, *ty, lanes.read(lane, *a))))
        }
        Op::Convert { conversion, dst, src } => {
            let bits = dst.class().bits();
            (*dst, convert::convert(*conversion, bits, lanes.read(lane, *src)))
        }
        Op::ConvertPacked { conversion, dst, a, b, c } => {
            let c = c.map_or(0, |operand| lanes.read(lane, operand));
            (*dst, convert::packed(*conversion, lanes.read(lane, *a), lanes.read(lane, *b), c))
        }
        Op::ConvertAddress { space, to_space, dst, src } => {
            let (src, start) = (lanes.read(lane, *src), window::start(*space));
            (*dst, if *to_space { src.wrapping_sub(start) } else { src.wrapping_add(start) })
        }
        Op::IsSpace { space, dst, src } => {
            (*dst, u64::from(window::is_in(*space, lanes.read(lane, *src))))
        }
        _ => return answer(op, lane, lanes),
    };
    lanes.set_register(lane, dst, value);
    true
}

/// The comparisons.
fn answer(op: &Op, lane: usize, lanes: &mut impl Lanes) -> bool {
    match op {
        Op::Compare { comparison, ty, flush_subnormals, dst, complement, a, b, combine } => {
            let (a, b) = (lanes.read(lane, *a), lanes.read(lane, *b));
            let answer = compare::compare(*comparison, *ty, *flush_subnormals, a, b);
            let [yes, no] = [answer, !answer].map(|answer| joined(*combine, answer, lane, lanes));
            for (reg, answer) in [(dst, yes), (complement, no)] {
                if let Some(reg) = reg {
                    lanes.set_register(lane, *reg, u64::from(answer));
                }
            }
        }
        Op::ComparePacked { comparison, ty, flush_subnormals, low, high, a, b, combine } => {
            let (a, b) = (lanes.read(lane, *a), lanes.read(lane, *b));
            let answers = [0, 16].map(|shift| {
                compare::compare(*comparison, *ty, *flush_subnormals, a >> shift, b >> shift)
            });
            let answers = answers.map(|answer| joined(*combine, answer, lane, lanes));
            for (reg, answer) in [low, high].into_iter().zip(answers) {
                if let Some(reg) = reg {
                    lanes.set_register(lane, *reg, u64::from(answer));
                }
            }
        }
        Op::Set { comparison, ty, to, flush_subnormals, dst, a, b, combine } => {
            let (a, b) = (lanes.read(lane, *a), lanes.read(lane, *b));
            let ask = |shift: u32| {
                let answer =
                    compare::compare(*comparison, *ty, *flush_subnormals, a >> shift, b >> shift);
                joined(*combine, answer, lane, lanes)
            };
            let value = if ty.is_packed() {
                compare::as_pair(ask(0), ask(16), *to)
            } else {
                compare::as_number(ask(0), *to)
            };
            lanes.set_register(lane, *dst, value);
        }
        _ => return false,
    }
    true
}

fn joined(with: Option<(BooleanOp, Guard)>, answer: bool, lane: usize, lanes: &impl Lanes) -> bool {
    with.map_or(answer, |(op, guard)| compare::combine(op, answer, lanes.holds(lane, guard)))
}

/// What `slct` asks.
fn at_least_zero(bits: u32, ty: Type, flush: bool) -> bool {
    if ty == Type::F32 {
        let value = f32::from_bits(bits);
        (if flush { value.flush() } else { value }) >= 0.0
    } else {
        bits.cast_signed() >= 0
    }
}
