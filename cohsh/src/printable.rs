//! Text of a peer, made safe for one line of a terminal.
//!
//! A server chooses names and error texts; an escape sequence in one of them must not reach the operator's terminal.

use std::borrow::Cow;

/// The same text, with control characters (line ends too) written as escapes.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for letter in text.chars() {
        if letter.is_control() {
            safe.extend(letter.escape_default());
        } else {
            safe.push(letter);
        }
    }
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_of_a_peer_become_text() {
        assert_eq!(printable("a\x1b[31m\nb\u{9b}"), r"a\u{1b}[31m\nb\u{9b}");
        assert!(matches!(printable("plain µs"), Cow::Borrowed(_)));
    }
}
