//! Integers, carries, bits, selection and moves.

use num_bigint::BigInt;

use super::statement::{Kind, Operand, Statement, Type, register_bits};
use super::{Inputs, Wanted};

/// The number in a register's low bits.
pub(crate) fn number(raw: u64, bits: u32, signed: bool) -> i128 {
    let cut = if bits == 64 { i128::from(raw) } else { i128::from(raw & ((1 << bits) - 1)) };
    if signed && cut >> (bits - 1) & 1 == 1 { cut - (1 << bits) } else { cut }
}

/// A number modulo two to the width.
pub(crate) fn wrapped(value: &BigInt, bits: u32) -> u64 {
    let mask: BigInt = (BigInt::from(1) << bits) - 1;
    let low: BigInt = value & mask;
    low.iter_u64_digits().next().unwrap_or(0)
}

pub(crate) fn clamped(value: BigInt, bits: u32, signed: bool) -> BigInt {
    let one = BigInt::from(1);
    let (least, most) = if signed {
        (-(&one << (bits - 1)), (&one << (bits - 1)) - 1)
    } else {
        (BigInt::ZERO, (&one << bits) - 1)
    };
    value.clamp(least, most)
}

pub(crate) fn expected(s: &Statement, sources: &[u64], carry: bool) -> Option<Vec<Wanted>> {
    if s.words.iter().any(|word| word == "cc")
        || s.name == "addc"
        || s.name == "subc"
        || s.name == "madc"
    {
        return carried(s, sources, carry);
    }
    let types = s.types();
    let ty = *types.last()?;
    let bits = match &s.name[..] {
        "selp" | "slct" | "setp" | "set" => return chosen(s, sources),
        "lop3" => return Some(logic3(s, sources)),
        "dp4a" | "dp2a" => return dot(s, sources),
        "prmt" => return permuted(s, sources),
        _ if ty.lanes == 2 => {
            let halves = [0, 16].map(|at| {
                let lane: Vec<u64> = sources.iter().map(|source| source >> at & 0xffff).collect();
                arithmetic(s, ty.one_lane(), &lane)
            });
            let [low, high] = halves;
            return Some(vec![Wanted::Bits(low? | high? << 16)]);
        }
        _ => arithmetic(s, ty, sources).or_else(|| bitwise(s, ty, sources))?,
    };
    Some(vec![Wanted::Bits(bits)])
}

fn arithmetic(s: &Statement, ty: Type, sources: &[u64]) -> Option<u64> {
    let signed = ty.signed();
    let value =
        |i: usize, bits: u32| sources.get(i).map(|raw| BigInt::from(number(*raw, bits, signed)));
    let of = |i| value(i, ty.bits);
    let narrow = ty.bits;
    let result = match &s.name[..] {
        "add" => of(0)? + of(1)?,
        "sub" => of(0)? - of(1)?,
        "mul" | "mad" if s.has("wide") => {
            let addend = if s.name == "mad" { value(2, 2 * narrow)? } else { BigInt::ZERO };
            return Some(wrapped(&(of(0)? * of(1)? + addend), 2 * narrow));
        }
        "mul" | "mad" => {
            let product = of(0)? * of(1)?;
            let part = if s.has("hi") { product >> narrow } else { product };
            if s.name == "mad" { part + of(2)? } else { part }
        }
        "mul24" | "mad24" => {
            let product = value(0, 24)? * value(1, 24)?;
            let part =
                if s.has("hi") { product >> 16 } else { BigInt::from(wrapped(&product, 32)) };
            let part = BigInt::from(number(wrapped(&part, 32), 32, signed));
            if s.name == "mad24" { part + of(2)? } else { part }
        }
        "sad" => of(2)? + BigInt::from((of(0)? - of(1)?).magnitude().clone()),
        "div" | "rem" if sources.get(1).is_some_and(|raw| number(*raw, narrow, false) == 0) => {
            BigInt::from(-1)
        }
        "div" => of(0)? / of(1)?,
        "rem" => of(0)? % of(1)?,
        "abs" => of(0)?.magnitude().clone().into(),
        "neg" => -of(0)?,
        "min" => of(0)?.min(of(1)?),
        "max" => of(0)?.max(of(1)?),
        "dp4a" => return None,
        _ => return None,
    };
    let result = if s.has("relu") { result.max(BigInt::ZERO) } else { result };
    let result = if s.has("sat") { clamped(result, narrow, signed) } else { result };
    Some(wrapped(&result, narrow))
}

fn bitwise(s: &Statement, ty: Type, sources: &[u64]) -> Option<u64> {
    let bits = ty.bits;
    let mask = if bits == 64 { u64::MAX } else { (1 << bits) - 1 };
    let low = |i: usize| sources.get(i).map(|raw| raw & mask);
    let word = |i: usize| sources.get(i).map(|raw| raw & 0xffff_ffff);
    let a = low(0)?;
    Some(match &s.name[..] {
        "and" => a & low(1)?,
        "or" => a | low(1)?,
        "xor" => a ^ low(1)?,
        "not" => !a & mask,
        "cnot" => u64::from(a == 0),
        "popc" => (0..bits).map(|i| a >> i & 1).sum(),
        "clz" => (0..bits).rev().take_while(|i| a >> i & 1 == 0).count() as u64,
        "brev" => (0..bits).map(|i| (a >> i & 1) << (bits - 1 - i)).fold(0, |all, bit| all | bit),
        "shl" => (BigInt::from(a) << word(1)?.min(64)).iter_u64_digits().next().unwrap_or(0) & mask,
        "shr" => wrapped(&(BigInt::from(number(a, bits, ty.signed())) >> word(1)?.min(64)), bits),
        "shf" => funnel(s, a, low(1)?, low(2)?),
        "bfind" => found(s, number(a, bits, ty.signed()), bits),
        "fns" => return nth_set(a as u32, word(1)? as u32, word(2)? as u32 as i32).map(u64::from),
        "bfe" => field(a, word(1)? & 0xff, word(2)? & 0xff, ty),
        "bfi" => inserted(a, low(1)?, word(2)? & 0xff, word(3)? & 0xff, bits),
        "szext" => extended(s, a as u32, low(1)? as u32, ty.signed()).into(),
        "bmsk" => mask_of(s.has("clamp"), a as u32, low(1)? as u32).into(),
        _ => return None,
    })
}

fn funnel(s: &Statement, low: u64, high: u64, by: u64) -> u64 {
    let by = if s.has("clamp") { by.min(32) } else { by & 31 };
    let both = u128::from(low) | u128::from(high) << 32;
    let moved = if s.has("l") { both << by >> 32 } else { both >> by };
    (moved & 0xffff_ffff) as u64
}

fn found(s: &Statement, value: i128, bits: u32) -> u64 {
    let value = if value < 0 { !value } else { value };
    match (0..bits).rev().find(|i| value >> i & 1 == 1) {
        None => 0xffff_ffff,
        Some(place) if s.has("shiftamt") => u64::from(bits - 1 - place),
        Some(place) => u64::from(place),
    }
}

/// The manual's loop; nothing where it reads past the mask.
fn nth_set(mask: u32, base: u32, offset: i32) -> Option<u32> {
    if offset == 0 {
        return if base > 31 {
            None
        } else {
            Some(if mask >> base & 1 == 1 { base } else { u32::MAX })
        };
    }
    let step = i64::from(offset.signum());
    let (mut place, mut left) = (i64::from(base), i64::from(offset).abs() - 1);
    while (0..32).contains(&place) {
        if mask >> place & 1 == 1 {
            if left == 0 {
                return u32::try_from(place).ok();
            }
            left -= 1;
        }
        place += step;
    }
    Some(u32::MAX)
}

fn field(a: u64, position: u64, length: u64, ty: Type) -> u64 {
    let top = u64::from(ty.bits) - 1;
    let sign =
        if ty.signed() && length != 0 { a >> (position + length - 1).min(top) & 1 } else { 0 };
    let bit = |i| if i < length && position + i <= top { a >> (position + i) & 1 } else { sign };
    (0..=top).map(|i| bit(i) << i).sum()
}

fn inserted(a: u64, into: u64, position: u64, length: u64, bits: u32) -> u64 {
    let top = u64::from(bits) - 1;
    (0..length).filter(|i| position + i <= top).fold(into, |all, i| {
        let place = position + i;
        (all & !(1 << place)) | ((a >> i & 1) << place)
    })
}

fn extended(s: &Statement, a: u32, b: u32, signed: bool) -> u32 {
    let width = b & 31;
    let too_large = b >= 32 && s.has("clamp");
    let mask = if too_large { 0 } else { u32::MAX << width };
    let sign = width != 0 && !too_large && signed && a >> (width - 1) & 1 == 1;
    (a & !mask) | if sign { mask } else { 0 }
}

fn mask_of(clamp: bool, a: u32, b: u32) -> u32 {
    let (start, width) = (a & 31, b & 31);
    let first = if clamp && a >= 32 { 0 } else { u32::MAX << start };
    let past = start + width >= 32 || (clamp && (a >= 32 || b >= 32));
    let second = if past {
        0
    } else if width == 0 {
        u32::MAX
    } else {
        u32::MAX << (start + width)
    };
    // A width of zero behind the start gives nothing, as `second` then covers what `first` has.
    first & !second
}

fn logic3(s: &Statement, sources: &[u64]) -> Vec<Wanted> {
    let table = sources[3];
    let result = (0..32).fold(0, |all, i| {
        let at = (sources[0] >> i & 1) << 2 | (sources[1] >> i & 1) << 1 | (sources[2] >> i & 1);
        all | (table >> at & 1) << i
    });
    let mut wanted = vec![Wanted::Bits(result)];
    if let Some(with) = sources.get(4) {
        let with = *with == 1;
        let met = if s.has("or") { (result != 0) | with } else { (result != 0) & with };
        wanted.push(Wanted::Bits(met.into()));
    }
    wanted
}

fn dot(s: &Statement, sources: &[u64]) -> Option<Vec<Wanted>> {
    let [a_type, b_type] = s.types()[..] else { return None };
    let part = |raw: u64, i: u32, bits: u32, ty: Type| number(raw >> (i * bits), bits, ty.signed());
    let sum: i128 = if s.name == "dp4a" {
        (0..4).map(|i| part(sources[0], i, 8, a_type) * part(sources[1], i, 8, b_type)).sum()
    } else {
        let from = if s.has("hi") { 2 } else { 0 };
        (0..2)
            .map(|i| part(sources[0], i, 16, a_type) * part(sources[1], from + i, 8, b_type))
            .sum()
    };
    Some(vec![Wanted::Bits(wrapped(&BigInt::from(sum + number(sources[2], 32, true)), 32))])
}

/// Which bytes each mode takes, the highest first, by the low two bits of the selector.
const MODES: [(&str, [[u64; 4]; 4]); 6] = [
    ("f4e", [[3, 2, 1, 0], [4, 3, 2, 1], [5, 4, 3, 2], [6, 5, 4, 3]]),
    ("b4e", [[5, 6, 7, 0], [6, 7, 0, 1], [7, 0, 1, 2], [0, 1, 2, 3]]),
    ("rc8", [[0, 0, 0, 0], [1, 1, 1, 1], [2, 2, 2, 2], [3, 3, 3, 3]]),
    ("ecl", [[3, 2, 1, 0], [3, 2, 1, 1], [3, 2, 2, 2], [3, 3, 3, 3]]),
    ("ecr", [[0, 0, 0, 0], [1, 1, 1, 0], [2, 2, 1, 0], [3, 2, 1, 0]]),
    ("rc16", [[1, 0, 1, 0], [3, 2, 3, 2], [1, 0, 1, 0], [3, 2, 3, 2]]),
];

fn permuted(s: &Statement, sources: &[u64]) -> Option<Vec<Wanted>> {
    let [a, b, control] = *sources else { return None };
    let both = a | b << 32;
    let byte = |select: u64| {
        let value = both >> (8 * (select & 7)) & 0xff;
        if select & 8 == 0 { value } else { 0xff * (value >> 7) }
    };
    let selects = match MODES.iter().find(|(mode, _)| s.has(mode)) {
        Some((_, table)) => {
            let [d3, d2, d1, d0] = table[(control & 3) as usize];
            [d0, d1, d2, d3]
        }
        None => [0, 4, 8, 12].map(|at| control >> at & 15),
    };
    let result = selects.iter().rev().fold(0, |all, select| all << 8 | byte(*select));
    Some(vec![Wanted::Bits(result)])
}

/// Whether a comparison of integers holds.
pub(crate) fn holds(words: &[String], left: i128, right: i128) -> Option<bool> {
    words.iter().find_map(|word| {
        Some(match word.as_str() {
            "eq" => left == right,
            "ne" => left != right,
            "lt" | "lo" => left < right,
            "le" | "ls" => left <= right,
            "gt" | "hi" => left > right,
            "ge" | "hs" => left >= right,
            _ => return None,
        })
    })
}

/// A comparison joined with a predicate, and the opposite joined likewise.
pub(crate) fn joined(s: &Statement, answer: bool, with: Option<bool>) -> [bool; 2] {
    [answer, !answer].map(|answer| match with {
        Some(with) if s.has("and") => answer & with,
        Some(with) if s.has("or") => answer | with,
        Some(with) if s.has("xor") => answer ^ with,
        _ => answer,
    })
}

/// The third operand of a comparison.
pub(crate) fn third(s: &Statement, sources: &[u64]) -> Option<bool> {
    let value = *sources.get(2)? == 1;
    Some(value != matches!(s.sources.get(2), Some(Operand::Register { negated: true, .. })))
}

fn chosen(s: &Statement, sources: &[u64]) -> Option<Vec<Wanted>> {
    let types = s.types();
    let ty = *types.last()?;
    let result = match &s.name[..] {
        "selp" => sources[if sources[2] == 1 { 0 } else { 1 }],
        "slct" if ty.kind == Kind::Signed => sources[usize::from(number(sources[2], 32, true) < 0)],
        "setp" | "set" => {
            let [left, right] = [0, 1].map(|i| number(sources[i], ty.bits, ty.signed()));
            let answers = joined(s, holds(&s.words, left, right)?, third(s, sources));
            if s.name == "setp" {
                return Some(answers.iter().map(|yes| Wanted::Bits((*yes).into())).collect());
            }
            answer_as(answers[0], *types.first()?)
        }
        _ => return None,
    };
    Some(vec![Wanted::Bits(result)])
}

/// Yes as a number: one, or all ones.
pub(crate) fn answer_as(answer: bool, ty: Type) -> u64 {
    match (answer, ty.format()) {
        (false, _) => 0,
        (true, Some(format)) => format.one(),
        (true, None) => (1 << ty.bits) - 1,
    }
}

/// Sums of words with a carry in and a carry out; a subtraction adds the complement.
fn carried(s: &Statement, sources: &[u64], carry: bool) -> Option<Vec<Wanted>> {
    let ty = *s.types().last()?;
    let mask = if ty.bits == 64 { u64::MAX } else { (1 << ty.bits) - 1 };
    let low = |i: usize| sources[i] & mask;
    let (left, right, with) = match &s.name[..] {
        "add" => (low(0), low(1), false),
        "addc" => (low(0), low(1), carry),
        "sub" => (low(0), !low(1) & mask, true),
        "subc" => (low(0), !low(1) & mask, carry),
        "mad" | "madc" => {
            let [a, b] = [0, 1].map(|i| BigInt::from(number(sources[i], ty.bits, ty.signed())));
            let product = a * b;
            let part = if s.has("hi") { product >> ty.bits } else { product };
            (wrapped(&part, ty.bits), low(2), s.name == "madc" && carry)
        }
        _ => return None,
    };
    let sum = u128::from(left) + u128::from(right) + u128::from(with);
    let mut wanted = vec![Wanted::Bits(sum as u64 & mask)];
    if s.has("cc") {
        wanted.push(Wanted::Bits((sum >> ty.bits) as u64));
    }
    Some(wanted)
}

/// A register, a constant, or parts put together or taken apart.
pub(crate) fn moved(s: &Statement, inputs: &Inputs<'_>) -> Option<Vec<Wanted>> {
    let [source] = &s.sources[..] else { return None };
    let [result] = &s.results[..] else { return None };
    if s.has("b128") {
        return None;
    }
    let whole = match source {
        Operand::List(parts) => {
            let mut at = 0;
            let mut whole = 0;
            for part in parts {
                let Operand::Register { name, .. } = part else { return None };
                whole |= inputs.raw(part)? << at;
                at += register_bits(name);
            }
            whole
        }
        other => inputs.raw(other)?,
    };
    match result {
        Operand::List(parts) => {
            let bits = s.types().last()?.bits / u32::try_from(parts.len()).ok()?;
            let each = parts.iter().enumerate().filter(|(_, part)| **part != Operand::Sink);
            Some(
                each.map(|(i, _)| Wanted::Bits(whole >> (i as u32 * bits) & ((1 << bits) - 1)))
                    .collect(),
            )
        }
        _ => Some(vec![Wanted::Bits(whole)]),
    }
}
