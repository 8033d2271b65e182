//! A statement of `docs/PTX.md`, read just enough to know what it asks for.

use super::exact::{BF16, Direction, F16, F32, F64, Format, TF32};

/// One operand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Operand {
    /// A register, perhaps a part of it, perhaps negated.
    Register { name: String, part: Option<String>, negated: bool },
    /// A constant.
    Constant(i64),
    /// Several in braces.
    List(Vec<Self>),
    /// `_`
    Sink,
}

impl Operand {
    fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Some(inside) = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            return inside.split(',').map(Self::read).collect::<Option<_>>().map(Self::List);
        }
        if text == "_" {
            return Some(Self::Sink);
        }
        let (negated, text) = match text.strip_prefix(['!', '-']) {
            Some(rest) if rest.starts_with('%') => (true, rest),
            _ => (false, text),
        };
        if text.starts_with('%') {
            let (name, part) = match text.split_once('.') {
                Some((name, part)) => (name, Some(part.to_owned())),
                None => (text, None),
            };
            let is_plain = name[1..].trim_start_matches(['p', 'b', 'h', 'r', 'f', 'd', 'q']);
            let is_plain =
                !is_plain.is_empty() && is_plain.bytes().all(|byte| byte.is_ascii_digit());
            return is_plain.then(|| Self::Register { name: name.into(), part, negated });
        }
        let number = match text.strip_prefix("0x") {
            Some(hex) => i64::from_str_radix(hex, 16).ok()?,
            None => text.parse().ok()?,
        };
        Some(Self::Constant(number))
    }

    /// The registers in it, each on its own; a sink counts where it stands.
    pub(crate) fn registers(&self) -> Vec<Option<&str>> {
        match self {
            Self::Register { name, .. } => vec![Some(name)],
            Self::Constant(_) => Vec::new(),
            Self::List(list) => list.iter().flat_map(Self::registers).collect(),
            Self::Sink => vec![None],
        }
    }
}

/// A type that a modifier names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Type {
    pub(crate) kind: Kind,
    /// Of one lane.
    pub(crate) bits: u32,
    pub(crate) lanes: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Unsigned,
    Signed,
    Bits,
    Float,
    Brain,
    Tensor,
    Predicate,
}

impl Type {
    fn read(word: &str) -> Option<Self> {
        let of = |kind, bits, lanes| Some(Self { kind, bits, lanes });
        match word {
            "pred" => return of(Kind::Predicate, 1, 1),
            "tf32" => return of(Kind::Tensor, 32, 1),
            _ => {}
        }
        let (kind, rest) = [
            ("bf", Kind::Brain),
            ("b", Kind::Bits),
            ("u", Kind::Unsigned),
            ("s", Kind::Signed),
            ("f", Kind::Float),
        ]
        .iter()
        .find_map(|(start, kind)| Some((*kind, word.strip_prefix(start)?)))?;
        let (bits, lanes) = rest.strip_suffix("x2").map_or((rest, 1), |bits| (bits, 2));
        of(kind, bits.parse().ok().filter(|bits| [8, 16, 32, 64].contains(bits))?, lanes)
    }

    pub(crate) fn format(self) -> Option<Format> {
        match (self.kind, self.bits) {
            (Kind::Float, 16) => Some(F16),
            (Kind::Float, 32) => Some(F32),
            (Kind::Float, _) => Some(F64),
            (Kind::Brain, _) => Some(BF16),
            (Kind::Tensor, _) => Some(TF32),
            _ => None,
        }
    }

    pub(crate) fn signed(self) -> bool {
        self.kind == Kind::Signed
    }

    pub(crate) fn one_lane(self) -> Self {
        Self { lanes: 1, ..self }
    }
}

/// Name, modifiers, results, sources.
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    pub(crate) name: String,
    pub(crate) words: Vec<String>,
    pub(crate) results: Vec<Operand>,
    pub(crate) sources: Vec<Operand>,
}

impl Statement {
    /// Nothing where it has operands of another kind: addresses, labels, names.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let (mnemonic, operands) = text.split_once(' ')?;
        let mut words = mnemonic.split('.').map(str::to_owned);
        let name = words.next()?;
        let mut parts = Vec::new();
        let (mut depth, mut start) = (0, 0);
        for (i, c) in operands.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    parts.push(&operands[start..i]);
                    start = i + 1;
                }
                _ => {}
            }
        }
        parts.push(&operands[start..]);
        let results = parts[0].split('|').map(Operand::read).collect::<Option<Vec<_>>>()?;
        let sources =
            parts[1..].iter().map(|part| Operand::read(part)).collect::<Option<Vec<_>>>()?;
        Some(Self { name, words: words.collect(), results, sources })
    }

    pub(crate) fn has(&self, word: &str) -> bool {
        self.words.iter().any(|other| other == word)
    }

    /// The types it names, in order.
    pub(crate) fn types(&self) -> Vec<Type> {
        self.words.iter().filter_map(|word| Type::read(word)).collect()
    }

    /// The rounding it names, or to the nearest.
    pub(crate) fn direction(&self) -> Direction {
        for word in &self.words {
            match word.as_str() {
                "rn" | "rni" => return Direction::Even,
                "rna" => return Direction::Away,
                "rz" | "rzi" => return Direction::Zero,
                "rm" | "rmi" => return Direction::Down,
                "rp" | "rpi" => return Direction::Up,
                _ => {}
            }
        }
        Direction::Even
    }

    /// Every register it reads, once, in order.
    pub(crate) fn inputs(&self) -> Vec<String> {
        let mut inputs = Vec::new();
        for name in self.sources.iter().flat_map(Operand::registers).flatten() {
            if !inputs.iter().any(|known| known == name) {
                inputs.push(name.to_owned());
            }
        }
        inputs
    }
}

/// Bits of a register, by its name.
pub(crate) fn register_bits(name: &str) -> u32 {
    match name.as_bytes().get(1..3) {
        Some([b'p', _]) => 1,
        Some([b'b', _]) => 8,
        Some([b'h', _]) => 16,
        Some([b'f', b'd'] | [b'd', _]) => 64,
        _ => 32,
    }
}
