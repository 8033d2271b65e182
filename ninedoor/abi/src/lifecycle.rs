//! The words that `/queen/lifecycle/ctl` takes; what they do to a node is the namespace's affair.

use alloc::string::String;
use core::{fmt, str::FromStr};

use crate::Refusal;

/// One word, alone on its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LifecycleWord {
    /// Take no new work; what runs goes on.
    Cordon,
    /// Take no new work and end what waits.
    Drain,
    /// Take work again.
    Resume,
    /// Be still: no work, no workers.
    Quiesce,
    /// Begin anew.
    Reset,
}

impl LifecycleWord {
    /// Every word.
    pub const ALL: [Self; 5] =
        [Self::Cordon, Self::Drain, Self::Resume, Self::Quiesce, Self::Reset];

    /// The word as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cordon => "cordon",
            Self::Drain => "drain",
            Self::Resume => "resume",
            Self::Quiesce => "quiesce",
            Self::Reset => "reset",
        }
    }
}

impl fmt::Display for LifecycleWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for LifecycleWord {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        Self::ALL.into_iter().find(|word| word.as_str() == text).ok_or_else(|| {
            let seen: String = text.chars().take(80).collect();
            Refusal::invalid(alloc::format!(
                "lifecycle word is {seen:?}, wanted cordon, drain, resume, quiesce or reset"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves CTL-7.
    #[test]
    fn only_the_five_words_are_read() {
        for word in LifecycleWord::ALL {
            assert_eq!(word.as_str().parse(), Ok(word));
        }
        let refusal = "DRAIN".parse::<LifecycleWord>().unwrap_err();
        assert_eq!(
            refusal.text,
            r#"lifecycle word is "DRAIN", wanted cordon, drain, resume, quiesce or reset"#
        );
    }
}
