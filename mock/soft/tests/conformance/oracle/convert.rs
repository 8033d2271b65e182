//! Conversion.

use num_bigint::BigInt;

use super::Wanted;
use super::exact::{self, BF16, F16, F32, F64, Format, Number, TF32};
use super::float::{finished, nan};
use super::integer::{clamped, number, wrapped};
use super::statement::{Kind, Statement, Type, register_bits};

pub(crate) fn expected(s: &Statement, sources: &[u64]) -> Option<Vec<Wanted>> {
    if s.name != "cvt" {
        return None;
    }
    let types = s.types();
    if s.has("pack") {
        return packed(&types, sources).map(|bits| vec![Wanted::Bits(bits)]);
    }
    let [to, from] = types[..] else { return None };
    let width = register_bits(s.results[0].registers().first().copied().flatten()?);
    if to.lanes == 2 {
        // the first operand goes on top
        let [high, low] = [0, 1].map(|i| to_float(s, to.one_lane(), from, sources[i]));
        return Some(vec![Wanted::Halves(Box::new([low?, high?]))]);
    }
    let wanted = match (to.format(), from.format()) {
        (None, None) => Wanted::Bits(between_integers(s, to, from, sources[0], width)),
        (None, Some(format)) => Wanted::Bits(to_integer(s, to, format, sources[0], width)),
        (Some(_), _) => to_float(s, to, from, sources[0])?,
    };
    Some(vec![wanted])
}

fn between_integers(s: &Statement, to: Type, from: Type, raw: u64, width: u32) -> u64 {
    let value = BigInt::from(number(raw, from.bits, from.signed()));
    let value = if s.has("sat") { clamped(value, to.bits, to.signed()) } else { value };
    extended(&value, to, width)
}

/// Cut to the type, then extended to the register as the type says.
fn extended(value: &BigInt, to: Type, width: u32) -> u64 {
    let cut = number(wrapped(value, to.bits), to.bits, to.signed());
    wrapped(&BigInt::from(cut), width)
}

fn to_integer(s: &Statement, to: Type, format: Format, raw: u64, width: u32) -> u64 {
    let raw = if s.has("ftz") { format.flush(raw) } else { raw };
    let far: BigInt = BigInt::from(1) << 80u32;
    let value = match exact::decode(raw, format) {
        Number::Nan if format == F64 || to.bits == 64 => {
            return extended(&(BigInt::from(1) << (to.bits - 1)), to, width);
        }
        Number::Nan => BigInt::ZERO,
        Number::Infinite { negative: true } => -far,
        Number::Infinite { .. } => far,
        Number::Finite { value, exponent, .. } => {
            exact::to_integer(&value, exponent, s.direction())
        }
    };
    extended(&clamped(value, to.bits, to.signed()), to, width)
}

fn to_float(s: &Statement, to: Type, from: Type, raw: u64) -> Option<Wanted> {
    let format = to.format()?;
    let Some(source) = from.format() else {
        let value = BigInt::from(number(raw, from.bits, from.signed()));
        return Some(finished(s, Some(exact::from_integer(&value, format, s.direction())), format));
    };
    let flush = s.has("ftz") && (source == F32 || (source == F16 && format == F16));
    let raw = if flush { source.flush(raw) } else { raw };
    if s.words.iter().any(|word| matches!(word.as_str(), "rni" | "rzi" | "rmi" | "rpi")) {
        return Some(finished(s, whole(s, raw, format), format));
    }
    if format == source {
        if format.is_nan(raw) && !s.has("sat") {
            return Some(Wanted::NotANumber(format.into()));
        }
        return Some(finished(s, (!format.is_nan(raw)).then_some(raw), format));
    }
    if to.kind == Kind::Tensor {
        let bits = exact::convert(raw, F32, TF32, s.direction());
        let bits = match bits {
            None => return Some(nan(F32)),
            Some(bits) if s.has("relu") && TF32.is_negative(bits) => 0,
            Some(bits) => bits,
        };
        return Some(Wanted::Bits(bits << 13));
    }
    let bits = exact::convert(raw, source, format, s.direction());
    let narrows = [F16, BF16].contains(&format);
    // `.ftz` speaks of single precision alone
    let kept = if narrows { Statement { words: without_ftz(s), ..s.clone() } } else { s.clone() };
    Some(finished(&kept, bits, format))
}

fn without_ftz(s: &Statement) -> Vec<String> {
    s.words.iter().filter(|word| *word != "ftz").cloned().collect()
}

/// A number rounded to a whole one, its sign kept also where it comes to zero.
fn whole(s: &Statement, raw: u64, format: Format) -> Option<u64> {
    match exact::decode(raw, format) {
        Number::Nan => None,
        Number::Infinite { .. } => Some(raw),
        Number::Finite { value, exponent, negative } => {
            let rounded = exact::to_integer(&value, exponent, s.direction());
            let bits = exact::from_integer(&rounded, format, s.direction());
            Some(format.with_sign(format.magnitude(bits), negative))
        }
    }
}

fn packed(types: &[Type], sources: &[u64]) -> Option<u64> {
    let to = *types.first()?;
    let part = |raw: u64| {
        wrapped(&clamped(BigInt::from(number(raw, 32, true)), to.bits, to.signed()), to.bits)
    };
    let low = part(sources[0]) << to.bits | part(sources[1]);
    Some(if to.bits == 16 { low } else { (sources[2] << 16 & 0xffff_0000) | low })
}
