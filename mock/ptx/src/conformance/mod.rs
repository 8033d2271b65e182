//! Which instructions are done, form by form: the table behind `docs/PTX.md`.
//!
//! A form is written as a pattern: `{a,b}` is one of these, `{a,b}?` one of these or nothing. Tests lower every
//! form of every pattern, so that the page cannot promise more than is done.

mod page;
mod pattern;
mod table;

pub use page::page;
pub use pattern::{expand, kernel_around};
pub use table::{INSTRUCTIONS, REFUSED};

/// One instruction, and its forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instruction {
    /// The part of the manual it belongs to.
    pub group: Group,
    /// Its name.
    pub name: &'static str,
    /// Patterns of whole statements, without the semicolon.
    pub forms: &'static [&'static str],
    /// What is to be said about it.
    pub note: &'static str,
}

/// A form that is refused, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefusedForm {
    /// A whole statement, without the semicolon.
    pub statement: &'static str,
    /// What the error says.
    pub reason: &'static str,
}

/// Parts of the manual.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are the manual's")]
pub enum Group {
    Integer,
    ExtendedPrecision,
    Float,
    Half,
    Compare,
    Logic,
    Move,
    Memory,
    Convert,
    Control,
    Synchronise,
    Matrix,
    Video,
    Miscellaneous,
}

impl Group {
    /// All of them, in the manual's order.
    pub const ALL: [Self; 14] = [
        Self::Integer,
        Self::ExtendedPrecision,
        Self::Float,
        Self::Half,
        Self::Compare,
        Self::Logic,
        Self::Move,
        Self::Memory,
        Self::Convert,
        Self::Control,
        Self::Synchronise,
        Self::Matrix,
        Self::Video,
        Self::Miscellaneous,
    ];

    /// Its heading.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Integer => "Integer arithmetic",
            Self::ExtendedPrecision => "Carry chains",
            Self::Float => "Floating point",
            Self::Half => "Half precision",
            Self::Compare => "Comparison and selection",
            Self::Logic => "Logic and shifts",
            Self::Move => "Moves and addresses",
            Self::Memory => "Memory",
            Self::Convert => "Conversion",
            Self::Control => "Control flow",
            Self::Synchronise => "Synchronisation and communication",
            Self::Matrix => "Matrices",
            Self::Video => "Video",
            Self::Miscellaneous => "Miscellaneous",
        }
    }
}
