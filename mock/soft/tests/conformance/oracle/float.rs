//! Floating-point arithmetic, comparison and the approximate functions.

use super::exact::{self, F32, F64, Format};
use super::integer::{answer_as, joined, third};
use super::statement::{Statement, Type};
use super::{Form, Wanted};

/// The NaN that arithmetic gives; `f64` keeps a payload of its own choice.
pub(crate) fn nan(format: Format) -> Wanted {
    if format == F64 {
        Wanted::NotANumber(F64.into())
    } else {
        Wanted::Bits(format.infinity() | ((1 << format.fraction_bits) - 1))
    }
}

pub(crate) fn expected(s: &Statement, sources: &[u64]) -> Option<Vec<Wanted>> {
    let ty = *s.types().last()?;
    if matches!(&s.name[..], "slct") {
        return selected(s, sources);
    }
    let format = ty.format()?;
    match &s.name[..] {
        "setp" | "set" => return compared(s, ty, sources),
        "testp" => return Some(vec![Wanted::Bits(tested(s, sources[0], format)?.into())]),
        "selp" => return None,
        _ => {}
    }
    if ty.lanes == 1 {
        return lane(s, sources, format).map(|wanted| vec![wanted]);
    }
    let [low, high] = [0, 16].map(|at| {
        let halves: Vec<u64> = sources.iter().map(|source| source >> at & 0xffff).collect();
        lane(s, &halves, format)
    });
    Some(vec![Wanted::Halves(Box::new([low?, high?]))])
}

fn lane(s: &Statement, sources: &[u64], format: Format) -> Option<Wanted> {
    let flush = s.has("ftz");
    let sources: Vec<u64> =
        sources.iter().map(|bits| if flush { format.flush(*bits) } else { *bits }).collect();
    if s.has("approx") || s.has("full") {
        return approximate(s, &sources, format);
    }
    let direction = s.direction();
    let [a, b, c] = [0, 1, 2].map(|i| sources.get(i).copied().unwrap_or(0));
    let result = match &s.name[..] {
        "add" => exact::fused(a, format.one(), b, format, direction),
        "sub" => exact::fused(a, format.one(), format.opposite(b), format, direction),
        "mul" => exact::multiply(a, b, format, direction),
        "fma" | "mad" => exact::fused(a, b, c, format, direction),
        "div" => exact::divide(a, b, format, direction),
        "rcp" => exact::divide(format.one(), a, format, direction),
        "sqrt" => exact::root(a, format, direction),
        "min" | "max" => extreme(s, a, b, format),
        "abs" | "neg" if format.is_nan(a) => return Some(Wanted::NotANumber(format.into())),
        "abs" => Some(format.magnitude(a)),
        "neg" => Some(format.opposite(a)),
        "copysign" => {
            return Some(Wanted::Bits(
                format.with_sign(format.magnitude(b), format.is_negative(a)),
            ));
        }
        _ => return None,
    };
    Some(finished(s, result, format))
}

/// What `.sat`, `.relu` and `.ftz` make of a result.
pub(crate) fn finished(s: &Statement, result: Option<u64>, format: Format) -> Wanted {
    let Some(bits) = result else {
        return if s.has("sat") { Wanted::Bits(0) } else { nan(format) };
    };
    let bits = if s.has("ftz") { format.flush(bits) } else { bits };
    let low = (s.has("sat") || s.has("relu")) && (format.is_negative(bits));
    let bits = if low { 0 } else { bits };
    Wanted::Bits(if s.has("sat") { bits.min(format.one()) } else { bits })
}

fn extreme(s: &Statement, a: u64, b: u64, format: Format) -> Option<u64> {
    let signs = format.is_negative(a) != format.is_negative(b);
    let magnitudes = s.has("abs");
    let [x, y] = [a, b].map(|bits| if magnitudes { format.magnitude(bits) } else { bits });
    let result = match (format.is_nan(x), format.is_nan(y)) {
        (true, true) => return None,
        (true, _) | (_, true) if s.has("NaN") => return None,
        (true, false) => y,
        (false, true) => x,
        (false, false) => {
            // numbers in order, zero below zero by its sign
            let rank = |bits: u64| {
                let magnitude = i128::from(format.magnitude(bits));
                if format.is_negative(bits) { -1 - magnitude } else { magnitude }
            };
            if (rank(x) < rank(y)) == (s.name == "min") { x } else { y }
        }
    };
    Some(if magnitudes { format.with_sign(result, signs) } else { result })
}

/// A comparison: `None` where one of the two is no number.
fn order(a: u64, b: u64, format: Format) -> Option<std::cmp::Ordering> {
    exact::to_host(a, format).partial_cmp(&exact::to_host(b, format))
}

fn holds(s: &Statement, a: u64, b: u64, format: Format) -> Option<bool> {
    let [a, b] = [a, b].map(|bits| if s.has("ftz") { format.flush(bits) } else { bits });
    let order = order(a, b, format);
    s.words.iter().find_map(|word| {
        use std::cmp::Ordering::{Equal, Greater, Less};
        let (name, unordered) = match word.as_str() {
            "num" => return Some(order.is_some()),
            "nan" => return Some(order.is_none()),
            word => match word.strip_suffix('u') {
                Some(name) => (name, true),
                None => (word, false),
            },
        };
        let wanted: &[std::cmp::Ordering] = match name {
            "eq" => &[Equal],
            "ne" => &[Less, Greater],
            "lt" => &[Less],
            "le" => &[Less, Equal],
            "gt" => &[Greater],
            "ge" => &[Greater, Equal],
            _ => return None,
        };
        Some(order.map_or(unordered, |order| wanted.contains(&order)))
    })
}

fn compared(s: &Statement, ty: Type, sources: &[u64]) -> Option<Vec<Wanted>> {
    let format = ty.format()?;
    if ty.lanes == 1 {
        let answers = joined(s, holds(s, sources[0], sources[1], format)?, third(s, sources));
        return Some(if s.name == "setp" {
            answers.iter().map(|yes| Wanted::Bits((*yes).into())).collect()
        } else {
            vec![Wanted::Bits(answer_as(answers[0], *s.types().first()?))]
        });
    }
    let mut answers = [false; 2];
    for (answer, at) in answers.iter_mut().zip([0, 16]) {
        *answer = holds(s, sources[0] >> at & 0xffff, sources[1] >> at & 0xffff, format)?;
    }
    if s.name == "setp" {
        return Some(answers.iter().map(|yes| Wanted::Bits((*yes).into())).collect());
    }
    let to = Type { bits: 16, ..s.types().first()?.one_lane() };
    let [low, high] = answers.map(|yes| answer_as(yes, to));
    Some(vec![Wanted::Bits(low | high << 16)])
}

fn tested(s: &Statement, bits: u64, format: Format) -> Option<bool> {
    let magnitude = format.magnitude(bits);
    let nan = format.is_nan(bits);
    s.words.iter().find_map(|word| {
        Some(match word.as_str() {
            "finite" => magnitude < format.infinity(),
            "infinite" => magnitude == format.infinity(),
            "number" => !nan,
            "notanumber" => nan,
            // both zeros are normal numbers, the manual says
            "normal" => magnitude < format.infinity() && !format.is_subnormal(bits),
            "subnormal" => format.is_subnormal(bits),
            _ => return None,
        })
    })
}

fn selected(s: &Statement, sources: &[u64]) -> Option<Vec<Wanted>> {
    let by = *s.types().last()?;
    let format = by.format()?;
    let bits = if s.has("ftz") { format.flush(sources[2]) } else { sources[2] };
    let first = exact::to_host(bits, format) >= 0.0;
    Some(vec![Wanted::Bits(sources[usize::from(!first)])])
}

/// The approximate functions, within what NVIDIA states for them.
fn approximate(s: &Statement, sources: &[u64], format: Format) -> Option<Wanted> {
    let [a, b] = [0, 1].map(|i| sources.get(i).map_or(0.0, |bits| exact::to_host(*bits, format)));
    let form: Form = format.into();
    // what is below the normal numbers may be lost
    let least = exact::to_host(1 << format.fraction_bits, format);
    let half = format.exponent_bits == 5;
    let (value, relative, absolute) = match (&s.name[..], format) {
        ("rcp", F64) => (1.0 / upper(a), 2f64.powi(-19), least),
        ("rsqrt", F64) if s.has("ftz") => (root_of(upper(a)), 2f64.powi(-19), least),
        ("rcp", _) => (1.0 / a, 2f64.powi(-23), least),
        ("rsqrt", _) => (root_of(a), 2f64.powf(-22.9), least),
        ("sqrt", _) => (a.sqrt(), 2f64.powi(-22), least),
        ("div", F32) if s.has("full") || b.abs() <= 2f64.powi(126) => {
            (a / b, 2f64.powi(-22), least)
        }
        ("div", _) => return Some(Wanted::Anything),
        ("ex2", F32) => (a.exp2(), 2f64.powi(-22), least),
        ("ex2", _) => (a.exp2(), if half { 2f64.powf(-9.9) } else { 2f64.powi(-7) }, least),
        ("lg2", _) if a > 0.5 && a < 2.0 => (a.log2(), 0.0, 2f64.powi(-22)),
        ("lg2", _) => (a.log2(), 2f64.powi(-22), 0.0),
        ("sin" | "cos", _) if a.is_finite() && a.abs() > 100.0 * std::f64::consts::PI => {
            return Some(Wanted::Anything);
        }
        ("sin" | "cos", _) => {
            let bound =
                if a.abs() <= std::f64::consts::TAU { 2f64.powf(-20.5) } else { 2f64.powf(-14.7) };
            (if s.name == "sin" { a.sin() } else { a.cos() }, 0.0, bound)
        }
        ("tanh", F32) => (a.tanh(), 2f64.powi(-11), 0.0),
        ("tanh", _) => (a.tanh(), 0.0, if half { 2f64.powf(-10.987) } else { 2f64.powi(-8) }),
        _ => return None,
    };
    Some(Wanted::Near { form, value, relative, absolute })
}

/// `1 / √a`, infinite at both zeros with their sign.
fn root_of(a: f64) -> f64 {
    if a == 0.0 { 1.0 / a } else { 1.0 / a.sqrt() }
}

/// The flushing forms for `f64` look at the upper word alone.
fn upper(a: f64) -> f64 {
    f64::from_bits(a.to_bits() & !0xffff_ffff)
}
