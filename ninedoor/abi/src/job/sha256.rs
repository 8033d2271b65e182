//! A SHA-256 as it is written. Computing one is the work of whoever holds the bytes.

use alloc::string::String;
use core::{
    fmt::{self, Write as _},
    str::FromStr,
};

use crate::Refusal;

/// 32 bytes, written `sha256:` and 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256(pub [u8; 32]);

impl Sha256 {
    /// The 64 hex digits alone, lower case.
    #[must_use]
    pub fn hex(&self) -> String {
        self.0.iter().fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// Out of 64 hex digits.
    ///
    /// # Errors
    /// Anything else.
    pub fn of_hex(text: &str) -> Result<Self, Refusal> {
        let mut bytes = [0; 32];
        let digits = text.as_bytes();
        let mut pairs = digits.chunks_exact(2);
        let well_formed = digits.len() == 64
            && bytes.iter_mut().zip(&mut pairs).all(|(byte, pair)| {
                let value = core::str::from_utf8(pair)
                    .ok()
                    .and_then(|pair| u8::from_str_radix(pair, 16).ok());
                value.is_some_and(|value| {
                    *byte = value;
                    !pair.contains(&b'+')
                })
            });
        if well_formed {
            return Ok(Self(bytes));
        }
        let seen: String = text.chars().take(80).collect();
        Err(Refusal::invalid(alloc::format!("hash is {seen:?}, wanted sha256: and 64 hex digits")))
    }
}

impl FromStr for Sha256 {
    type Err = Refusal;

    /// With or without the leading `sha256:`.
    fn from_str(text: &str) -> Result<Self, Refusal> {
        Self::of_hex(text.strip_prefix("sha256:").unwrap_or(text))
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn hash_is_read_with_and_without_its_name() {
        let hash = Sha256([0x5a; 32]);
        assert_eq!(hash.to_string().parse(), Ok(hash));
        assert_eq!("5A".repeat(32).parse(), Ok(hash));
    }

    #[test]
    fn text_that_is_no_hash_is_refused() {
        for text in [
            "",
            "sha256:",
            "sha512:00",
            &"5".repeat(63),
            &"g".repeat(64),
            &"+5".repeat(32),
            &"é".repeat(32),
        ] {
            assert!(text.parse::<Sha256>().is_err(), "{text:?}");
        }
        let refusal = "sha256:12".parse::<Sha256>().unwrap_err();
        assert_eq!(refusal.text, r#"hash is "12", wanted sha256: and 64 hex digits"#);
    }
}
