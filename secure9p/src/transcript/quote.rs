//! Bytes in quotes: readable where they are text, `\xNN` where they are not.

use alloc::{string::String, vec::Vec};
use core::fmt::Write as _;

/// Appends `'…'`.
pub(super) fn quote(bytes: &[u8], line: &mut String) {
    line.push('\'');
    for chunk in bytes.utf8_chunks() {
        chunk.valid().chars().for_each(|char| quote_char(char, line));
        for byte in chunk.invalid() {
            let _ = write!(line, "\\x{byte:02x}");
        }
    }
    line.push('\'');
}

fn quote_char(char: char, line: &mut String) {
    match char {
        '\'' | '\\' => line.extend(['\\', char]),
        '\n' => line.push_str("\\n"),
        '\t' => line.push_str("\\t"),
        '\r' => line.push_str("\\r"),
        _ if char.is_control() => {
            let mut utf8 = [0; 4];
            for byte in char.encode_utf8(&mut utf8).bytes() {
                let _ = write!(line, "\\x{byte:02x}");
            }
        }
        _ => line.push(char),
    }
}

/// What `'…'` at the front of `text` stands for, and what follows it.
pub(super) fn unquote(text: &str) -> Option<(Vec<u8>, &str)> {
    let mut bytes = Vec::new();
    let mut rest = text.strip_prefix('\'')?;
    loop {
        let mut chars = rest.chars();
        match chars.next()? {
            '\'' => return Some((bytes, chars.as_str())),
            '\\' => {
                let (byte, after) = unescape(chars.as_str())?;
                bytes.push(byte);
                rest = after;
            }
            char => {
                bytes.extend(char.encode_utf8(&mut [0; 4]).bytes());
                rest = chars.as_str();
            }
        }
    }
}

fn unescape(text: &str) -> Option<(u8, &str)> {
    let mut chars = text.chars();
    let byte = match chars.next()? {
        'n' => b'\n',
        't' => b'\t',
        'r' => b'\r',
        'x' => {
            let (digits, rest) = chars.as_str().split_at_checked(2)?;
            return Some((u8::from_str_radix(digits, 16).ok()?, rest));
        }
        char @ ('\'' | '\\') => char as u8,
        _ => return None,
    };
    Some((byte, chars.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_readable_and_everything_comes_back() {
        for (bytes, quoted) in [
            (&b"GPU-0"[..], "'GPU-0'"),
            (b"it's\n", r"'it\'s\n'"),
            ("größe".as_bytes(), "'größe'"),
            (b"\x00\xff\\", r"'\x00\xff\\'"),
        ] {
            let mut line = String::new();
            quote(bytes, &mut line);
            assert_eq!(line, quoted);
            assert_eq!(unquote(&line), Some((bytes.to_vec(), "")));
        }
    }
}
