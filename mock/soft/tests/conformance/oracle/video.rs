//! Video: one scalar out of any part of a register, or two or four side by side.

use num_bigint::BigInt;

use super::Wanted;
use super::integer::{clamped, holds, number, wrapped};
use super::statement::{Operand, Statement};

pub(crate) fn expected(s: &Statement, sources: &[u64]) -> Option<Vec<Wanted>> {
    let name = s.name.strip_prefix('v')?;
    let result = match name.strip_suffix(['2', '4']) {
        Some(operation) => packed(s, operation, if name.ends_with('2') { 2 } else { 4 }, sources)?,
        None if name == "mad" => multiplied(s, sources)?,
        None => scalar(s, name, sources)?,
    };
    Some(vec![Wanted::Bits(result)])
}

/// What the video operation makes of two numbers.
fn operate(s: &Statement, name: &str, a: i128, b: i128) -> Option<i128> {
    let by = if s.has("wrap") { b & 31 } else { b.min(32) };
    Some(match name {
        "add" => a + b,
        "sub" => a - b,
        "absdiff" => (a - b).abs(),
        "min" => a.min(b),
        "max" => a.max(b),
        "shl" => a << by,
        "shr" => a >> by,
        "set" => i128::from(holds(&s.words, a, b)?),
        // to the nearest, halves away from zero
        "avrg" => (a + b + i128::from(a + b >= 0)) >> 1,
        _ => return None,
    })
}

/// Width and place of a part.
fn place(part: Option<&str>) -> (u32, u32) {
    match part {
        Some(part) if part.starts_with('b') => (8, 8 * part[1..].parse().unwrap_or(0)),
        Some(part) => (16, 16 * part[1..].parse().unwrap_or(0)),
        None => (32, 0),
    }
}

const fn part_of(operand: &Operand) -> Option<&str> {
    match operand {
        Operand::Register { part: Some(part), .. } => Some(part.as_str()),
        _ => None,
    }
}

/// A source, its part taken and extended.
fn source(s: &Statement, sources: &[u64], i: usize, signed: bool) -> i128 {
    let (bits, at) = place(part_of(&s.sources[i]));
    number(sources[i] >> at, bits, signed)
}

fn saturated(s: &Statement, value: i128, bits: u32, signed: bool) -> u64 {
    let value = BigInt::from(value);
    wrapped(&if s.has("sat") { clamped(value, bits, signed) } else { value }, 32)
}

fn scalar(s: &Statement, name: &str, sources: &[u64]) -> Option<u64> {
    let types = s.types();
    // `vset` names no type of its result: it is the second operation's
    let (to, a_type, b_type) = match types[..] {
        [to, a, b] => (to.signed(), a.signed(), b.signed()),
        [a, b] => (false, a.signed(), b.signed()),
        _ => return None,
    };
    let value = operate(s, name, source(s, sources, 0, a_type), source(s, sources, 1, b_type))?;
    let (bits, at) = place(part_of(&s.results[0]));
    let value = saturated(s, value, bits, to);
    let Some(c) = sources.get(2).copied() else { return Some(value) };
    let [left, right] = [value, c].map(|bits| number(bits, 32, to));
    Some(if s.has("add") {
        (value + c) & 0xffff_ffff
    } else if s.has("min") {
        if left < right { value } else { c }
    } else if s.has("max") {
        if left < right { c } else { value }
    } else {
        let mask = ((1 << bits) - 1) << at;
        (c & !mask) | (value << at & mask)
    })
}

fn multiplied(s: &Statement, sources: &[u64]) -> Option<u64> {
    let [to, a_type, b_type] = s.types()[..] else { return None };
    let negated = |i: usize| matches!(s.sources[i], Operand::Register { negated: true, .. });
    let product = source(s, sources, 0, a_type.signed()) * source(s, sources, 1, b_type.signed());
    let product = if negated(0) != negated(1) { -product } else { product };
    let c = number(sources[2], 32, to.signed());
    let c = if negated(2) { -c } else { c };
    let shift = if s.has("shr7") {
        7
    } else if s.has("shr15") {
        15
    } else {
        0
    };
    Some(saturated(s, (product + c + i128::from(s.has("po"))) >> shift, 32, to.signed()))
}

/// Which parts of the two registers an operand selects, the lowest first.
fn selection(operand: &Operand, parts: usize, second: bool) -> Vec<u32> {
    match part_of(operand) {
        Some(part) => part[1..].bytes().rev().map(|digit| u32::from(digit - b'0')).collect(),
        None => (0..parts as u32).map(|i| if second { i + parts as u32 } else { i }).collect(),
    }
}

fn packed(s: &Statement, name: &str, parts: usize, sources: &[u64]) -> Option<u64> {
    let types = s.types();
    let (to, a_type, b_type) = match types[..] {
        [to, a, b] => (to.signed(), a.signed(), b.signed()),
        [a, b] => (false, a.signed(), b.signed()),
        _ => return None,
    };
    let bits = 32 / parts as u32;
    let both = sources[0] | sources[1] << 32;
    let [from_a, from_b] = [0, 1].map(|i| selection(&s.sources[i], parts, i == 1));
    let lanes: Vec<u32> = match part_of(&s.results[0]) {
        Some(mask) => mask[1..].bytes().map(|digit| u32::from(digit - b'0')).collect(),
        None => (0..parts as u32).collect(),
    };
    let mut result = sources[2];
    for lane in lanes {
        let [a, b] = [(&from_a, a_type), (&from_b, b_type)].map(|(from, signed)| {
            number(both >> (from.get(lane as usize).copied().unwrap_or(lane) * bits), bits, signed)
        });
        let value = saturated(s, operate(s, name, a, b)?, bits, to);
        if s.has("add") {
            result = (result + value) & 0xffff_ffff;
        } else {
            let mask = ((1 << bits) - 1) << (lane * bits);
            result = (result & !mask) | (value << (lane * bits) & mask);
        }
    }
    Some(result)
}
