//! What an instruction gives, worked out from the PTX manual's text with integers of any size: nothing here is the engine's.
//!
//! ```text
//! statement ──▶ integer | float | convert | video ──▶ what each result must be
//!                            └─▶ exact
//! ```

mod convert;
pub(crate) mod edges;
pub(crate) mod exact;
mod float;
mod integer;
pub(crate) mod statement;
mod video;

use exact::Format;
use statement::{Operand, Statement};

/// What a result must be.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Wanted {
    /// These bits.
    Bits(u64),
    /// Any NaN of the format.
    NotANumber(Form),
    /// As near as this to the number; NaN for NaN.
    Near { form: Form, value: f64, relative: f64, absolute: f64 },
    /// Two halves of a register.
    Halves(Box<[Self; 2]>),
    /// The manual leaves it open.
    Anything,
}

/// A format, told apart by its sizes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Form(pub(crate) u32, pub(crate) u32);

impl From<Format> for Form {
    fn from(format: Format) -> Self {
        Self(format.exponent_bits, format.fraction_bits)
    }
}

impl Form {
    fn format(self) -> Format {
        Format { exponent_bits: self.0, fraction_bits: self.1 }
    }
}

impl Wanted {
    pub(crate) fn holds(&self, seen: u64) -> bool {
        match self {
            Self::Bits(bits) => *bits == seen,
            Self::NotANumber(form) => form.format().is_nan(seen),
            Self::Near { form, value, relative, absolute } => near(
                exact::to_host(seen, form.format()),
                *value,
                *relative,
                *absolute,
                form.format(),
            ),
            Self::Halves(halves) => halves[0].holds(seen & 0xffff) && halves[1].holds(seen >> 16),
            Self::Anything => true,
        }
    }
}

fn near(seen: f64, wanted: f64, relative: f64, absolute: f64, format: Format) -> bool {
    let largest = exact::to_host(format.infinity() - 1, format);
    if wanted.is_nan() || seen.is_nan() {
        return wanted.is_nan() && seen.is_nan();
    }
    if wanted.abs() >= largest * (1.0 - relative) && seen.is_infinite() {
        return seen.is_sign_negative() == wanted.is_sign_negative();
    }
    seen == wanted || (seen - wanted).abs() <= relative * wanted.abs() + absolute
}

/// The values of a statement's registers.
pub(crate) struct Inputs<'a> {
    names: &'a [String],
    values: &'a [u64],
}

impl<'a> Inputs<'a> {
    pub(crate) fn new(names: &'a [String], values: &'a [u64]) -> Self {
        Self { names, values }
    }

    /// What an operand carries, its part and its sign not yet looked at.
    fn raw(&self, operand: &Operand) -> Option<u64> {
        match operand {
            Operand::Register { name, .. } => {
                let place = self.names.iter().position(|known| known == name)?;
                self.values.get(place).copied()
            }
            Operand::Constant(value) => Some(value.cast_unsigned()),
            Operand::List(_) | Operand::Sink => None,
        }
    }
}

/// What the results must be, one for each result register and behind them the carry where one is left; nothing where the
/// manual's text was not put down here.
pub(crate) fn expected(
    statement: &Statement,
    inputs: &Inputs<'_>,
    carry: bool,
) -> Option<Vec<Wanted>> {
    let sources: Option<Vec<u64>> =
        statement.sources.iter().map(|source| inputs.raw(source)).collect();
    if statement.name == "mov" {
        return integer::moved(statement, inputs);
    }
    let sources = sources?;
    video::expected(statement, &sources)
        .or_else(|| convert::expected(statement, &sources))
        .or_else(|| float::expected(statement, &sources))
        .or_else(|| integer::expected(statement, &sources, carry))
}
