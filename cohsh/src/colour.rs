//! Colour for words that say how something is. Used on a terminal only, and never when `NO_COLOR` is set.

/// A colour of the terminal's own palette.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// Done, healthy.
    Green,
    /// Waiting or at work.
    Yellow,
    /// Failed, lost.
    Red,
    /// Beside the point.
    Grey,
}

impl Colour {
    /// The colour of a state word, if it is one.
    #[must_use]
    pub fn of_state(word: &str) -> Option<Self> {
        match word {
            "OK" | "ok" | "ACTIVE" => Some(Self::Green),
            "QUEUED" | "RUNNING" | "degraded" => Some(Self::Yellow),
            "ERR" | "REVOKED" | "unusable" => Some(Self::Red),
            "RELEASED" | "EXPIRED" | "-" => Some(Self::Grey),
            _ => None,
        }
    }

    const fn code(self) -> u8 {
        match self {
            Self::Green => 32,
            Self::Yellow => 33,
            Self::Red => 31,
            Self::Grey => 90,
        }
    }
}

/// The text in that colour; as it is when there is none.
#[must_use]
pub fn painted(text: &str, colour: Option<Colour>) -> String {
    match colour {
        Some(colour) => format!("\x1b[{}m{text}\x1b[0m", colour.code()),
        None => text.to_owned(),
    }
}
