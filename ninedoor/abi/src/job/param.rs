//! Kernel parameters as a descriptor gives them: one key each, in kernel order.

use alloc::{string::String, vec::Vec};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

use super::float16::{bf16_bits, f16_bits, is_infinite};
use crate::{
    PathName,
    json::{Fields, Json, Wrong},
    limits::{OUTPUT_BYTES_MAX, PARAM_BYTES_MAX},
};

/// One parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum Param {
    /// Pointer to a device copy of a staged artefact, read only.
    In(PathName),
    /// Pointer to so many zeroed bytes, written back to the path.
    Out {
        /// Where the bytes are read afterwards.
        path: PathName,
        /// How many.
        bytes: u64,
    },
    /// Pointer to a device copy of a staged artefact, written back to the path.
    InOut {
        /// Where the bytes are read afterwards.
        path: PathName,
        /// The artefact that they begin as.
        init: PathName,
    },
    /// A number.
    Scalar(Scalar),
    /// A struct by value.
    Bytes(Vec<u8>),
    /// The null pointer.
    Null,
}

/// A number with its type: what the kernel gets is its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scalar {
    /// The type as the descriptor names it: `u32`, `bf16`.
    pub kind: &'static str,
    bits: u64,
    width_bytes: u8,
}

impl Scalar {
    /// The bytes that the kernel gets, little endian.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.bits.to_le_bytes().into_iter().take(self.width_bytes.into()).collect()
    }
}

const WANTED: &str = "one of in, out and bytes, inout and init, i8, i16, i32, i64, u8, u16, u32, u64, f16, bf16, f32, f64, bytes_b64, null";

impl Param {
    pub(super) fn read(value: Json) -> Result<Self, Wrong> {
        let mut fields = value.object()?;
        let kind = kind_of(&fields).ok_or_else(|| unknown(&fields))?;
        let param = match kind {
            "in" => Self::In(fields.needed("in", Json::parsed)?),
            "out" => Self::Out {
                path: fields.needed("out", Json::parsed)?,
                bytes: fields.needed("bytes", |bytes| bytes.integer(1..=OUTPUT_BYTES_MAX))?,
            },
            "inout" => Self::InOut {
                path: fields.needed("inout", Json::parsed)?,
                init: fields.needed("init", Json::parsed)?,
            },
            "bytes_b64" => {
                Self::Bytes(fields.needed("bytes_b64", |text| base64(text, PARAM_BYTES_MAX))?)
            }
            "null" => fields.needed("null", null)?,
            scalar => Self::Scalar(fields.needed(scalar, |number| read_scalar(scalar, number))?),
        };
        fields.finish()?;
        Ok(param)
    }
}

const KINDS: [&str; 17] = [
    "in",
    "out",
    "inout",
    "bytes_b64",
    "null",
    "i8",
    "i16",
    "i32",
    "i64",
    "u8",
    "u16",
    "u32",
    "u64",
    "f16",
    "bf16",
    "f32",
    "f64",
];

fn kind_of(fields: &Fields) -> Option<&'static str> {
    KINDS.into_iter().find(|kind| fields.names().any(|name| name == *kind))
}

fn unknown(fields: &Fields) -> Wrong {
    let seen = fields.names().next().map_or_else(
        || "nothing".into(),
        |name| alloc::format!("{:?}", name.chars().take(80).collect::<String>()),
    );
    Wrong::new(alloc::format!("got {seen}, wanted {WANTED}"))
}

/// `{"null":true}`; `{"null":null}` means the same.
fn null(value: Json) -> Result<Param, Wrong> {
    match value {
        Json::Bool(true) | Json::Null => Ok(Param::Null),
        other => Err(other.refuse("true")),
    }
}

/// At most `bytes_max` bytes in base64, with padding, and at least one.
pub(super) fn base64(value: Json, bytes_max: usize) -> Result<Vec<u8>, Wrong> {
    let text = value.text()?;
    let bytes =
        BASE64.decode(&text).map_err(|error| Wrong::new(alloc::format!("not base64: {error}")))?;
    if bytes.is_empty() || bytes.len() > bytes_max {
        return Err(Wrong::new(alloc::format!(
            "got {} bytes, wanted 1 to {bytes_max}",
            bytes.len()
        )));
    }
    Ok(bytes)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the range was checked, and a scalar is the low bytes of its bits"
)]
#[expect(clippy::cast_sign_loss, reason = "two's complement is what the kernel gets")]
fn read_scalar(kind: &'static str, value: Json) -> Result<Scalar, Wrong> {
    let integer = |width_bytes: u8, min: i128, max: i128| {
        let number = read_integer(&value, min, max)?;
        Ok(Scalar { kind, bits: number as u64, width_bytes })
    };
    match kind {
        "i8" => integer(1, i8::MIN.into(), i8::MAX.into()),
        "i16" => integer(2, i16::MIN.into(), i16::MAX.into()),
        "i32" => integer(4, i32::MIN.into(), i32::MAX.into()),
        "i64" => integer(8, i64::MIN.into(), i64::MAX.into()),
        "u8" => integer(1, 0, u8::MAX.into()),
        "u16" => integer(2, 0, u16::MAX.into()),
        "u32" => integer(4, 0, u32::MAX.into()),
        "u64" => integer(8, 0, u64::MAX.into()),
        _ => read_float(kind, &value),
    }
}

/// An integer, or a string of one: decimal, or hex after `0x`; `_` is not taken.
fn read_integer(value: &Json, min: i128, max: i128) -> Result<i128, Wrong> {
    let number = match value {
        Json::Integer(number) => Some(*number),
        Json::Text(text) => integer_text(text),
        _ => None,
    };
    number
        .filter(|number| (min..=max).contains(number))
        .ok_or_else(|| value.refuse(format_args!("an integer from {min} to {max}")))
}

fn integer_text(text: &str) -> Option<i128> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let (radix, digits) = digits.strip_prefix("0x").map_or((10, digits), |digits| (16, digits));
    if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let magnitude = i128::from_str_radix(digits, radix).ok()?;
    Some(if negative { -magnitude } else { magnitude })
}

/// A number, or a string of one: decimal, `inf`, `-inf`, `nan`. A finite number that would become infinite is refused.
fn read_float(kind: &'static str, value: &Json) -> Result<Scalar, Wrong> {
    let decimal = |text: &str| {
        let word = matches!(text, "inf" | "-inf" | "nan");
        let number = text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
        word || number
    };
    let wide = match value {
        #[expect(clippy::cast_precision_loss, reason = "to nearest is what a float literal means")]
        Json::Integer(number) => Some(*number as f64),
        Json::Float(number) => Some(*number),
        Json::Text(text) if decimal(text) => text.parse().ok(),
        _ => None,
    };
    let refuse = |why: &str| {
        value.refuse(format_args!("a number that {kind} {why}, \"inf\", \"-inf\" or \"nan\""))
    };
    let wide: f64 = wide.ok_or_else(|| refuse("holds"))?;
    let (bits, width_bytes, infinite) = match kind {
        "f16" => narrow_bits(f16_bits(wide), 10),
        "bf16" => narrow_bits(bf16_bits(wide), 7),
        "f32" => {
            let narrow = f32_of(value, wide);
            (narrow.to_bits().into(), 4, narrow.is_infinite())
        }
        _ => (wide.to_bits(), 8, wide.is_infinite()),
    };
    let meant = matches!(value, Json::Text(text) if text.ends_with("inf"));
    if infinite && !meant {
        return Err(refuse("holds"));
    }
    Ok(Scalar { kind, bits, width_bytes })
}

fn narrow_bits(bits: u16, fraction_bits: u32) -> (u64, u8, bool) {
    (bits.into(), 2, is_infinite(bits, fraction_bits))
}

/// A string is rounded once, straight to `f32`.
#[expect(clippy::cast_possible_truncation, reason = "rounding to nearest is what is wanted")]
fn f32_of(value: &Json, wide: f64) -> f32 {
    match value {
        Json::Text(text) => text.parse().unwrap_or(wide as f32),
        _ => wide as f32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Refusal;
    use alloc::vec;

    fn read(text: &str) -> Result<Param, String> {
        Json::parse(text).and_then(Param::read).map_err(|wrong| Refusal::from(wrong).text)
    }

    fn bytes(text: &str) -> Vec<u8> {
        match read(text) {
            Ok(Param::Scalar(scalar)) => scalar.bytes(),
            Ok(Param::Bytes(bytes)) => bytes,
            other => panic!("{text} is {other:?}"),
        }
    }

    /// Proves JOBD-5.
    #[test]
    fn scalars_are_read_at_their_edges() {
        assert_eq!(bytes(r#"{"i8":-128}"#), [0x80]);
        assert_eq!(bytes(r#"{"u8":255}"#), [0xff]);
        assert_eq!(bytes(r#"{"i16":-2}"#), [0xfe, 0xff]);
        assert_eq!(bytes(r#"{"u16":"0xBEEF"}"#), [0xef, 0xbe]);
        assert_eq!(bytes(r#"{"i32":-2147483648}"#), [0, 0, 0, 0x80]);
        assert_eq!(bytes(r#"{"u32":4294967295}"#), [0xff; 4]);
        assert_eq!(bytes(r#"{"i64":"-9223372036854775808"}"#), [0, 0, 0, 0, 0, 0, 0, 0x80]);
        assert_eq!(bytes(r#"{"i64":"-0x1"}"#), [0xff; 8]);
        assert_eq!(bytes(r#"{"u64":18446744073709551615}"#), [0xff; 8]);
        assert_eq!(bytes(r#"{"u64":"18446744073709551615"}"#), [0xff; 8]);
        assert_eq!(bytes(r#"{"f32":1}"#), 1.0_f32.to_le_bytes());
        assert_eq!(bytes(r#"{"f32":"-inf"}"#), f32::NEG_INFINITY.to_le_bytes());
        assert_eq!(bytes(r#"{"f32":"0.1"}"#), 0.1_f32.to_le_bytes());
        assert_eq!(bytes(r#"{"f64":"nan"}"#), f64::NAN.to_le_bytes());
        assert_eq!(bytes(r#"{"f64":5e-324}"#), 5e-324_f64.to_le_bytes());
        assert_eq!(bytes(r#"{"f16":1.5}"#), [0x00, 0x3e]);
        assert_eq!(bytes(r#"{"bf16":-2}"#), [0x00, 0xc0]);
        assert_eq!(bytes(r#"{"f16":"inf"}"#), [0x00, 0x7c]);
        assert_eq!(bytes(r#"{"bytes_b64":"AQID"}"#), [1, 2, 3]);
        assert_eq!(read(r#"{"null":true}"#), Ok(Param::Null));
    }

    /// Proves JOBD-6.
    #[test]
    fn scalar_out_of_its_range_is_refused() {
        let text = |text: &str| read(text).unwrap_err();
        assert_eq!(
            text(r#"{"u32":4294967296}"#),
            "u32: got 4294967296, wanted an integer from 0 to 4294967295"
        );
        assert_eq!(text(r#"{"u8":-1}"#), "u8: got -1, wanted an integer from 0 to 255");
        assert_eq!(
            text(r#"{"i32":"0xffffffff"}"#),
            r#"i32: got "0xffffffff", wanted an integer from -2147483648 to 2147483647"#
        );
        assert_eq!(text(r#"{"u32":1.0}"#), "u32: got 1.0, wanted an integer from 0 to 4294967295");
        for text in [
            r#"{"u32":"1_0"}"#,
            r#"{"u32":"+1"}"#,
            r#"{"u32":""}"#,
            r#"{"u32":"0x"}"#,
            r#"{"u32":"--1"}"#,
            r#"{"u32":"0x-1"}"#,
            r#"{"u32":true}"#,
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        assert_eq!(
            text(r#"{"f32":1e39}"#),
            r#"f32: got 1e39, wanted a number that f32 holds, "inf", "-inf" or "nan""#
        );
        for text in [
            r#"{"f16":65520}"#,
            r#"{"bf16":3.4e38}"#,
            r#"{"f64":"1e400"}"#,
            r#"{"f32":"infinity"}"#,
            r#"{"f32":"1f"}"#,
            r#"{"f32":null}"#,
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn buffers_are_read_with_what_belongs_to_them() {
        assert_eq!(read(r#"{"in":"/bundles/a"}"#), Ok(Param::In("/bundles/a".parse().unwrap())));
        assert_eq!(
            read(r#"{"out":"/worker/j/r","bytes":16}"#),
            Ok(Param::Out { path: "/worker/j/r".parse().unwrap(), bytes: 16 })
        );
        assert_eq!(
            read(r#"{"inout":"/worker/j/r","init":"/bundles/a"}"#),
            Ok(Param::InOut {
                path: "/worker/j/r".parse().unwrap(),
                init: "/bundles/a".parse().unwrap()
            })
        );
        assert_eq!(read(r#"{"out":"/worker/j/r"}"#), Err("bytes: is missing".into()));
        assert_eq!(
            read(r#"{"in":"/bundles/a","bytes":16}"#),
            Err(r#"unknown key "bytes", wanted in"#.into())
        );
    }

    #[test]
    fn parameter_of_unknown_or_two_kinds_is_refused() {
        assert_eq!(read(r#"{"int":1}"#), Err(alloc::format!(r#"got "int", wanted {WANTED}"#)));
        assert_eq!(read("{}"), Err(alloc::format!("got nothing, wanted {WANTED}")));
        assert!(read(r#"{"u32":1,"i32":1}"#).is_err());
        assert_eq!(read(r#"{"null":false}"#), Err("null: got false, wanted true".into()));
        assert_eq!(
            read(r#"{"bytes_b64":""}"#),
            Err("bytes_b64: got 0 bytes, wanted 1 to 32764".into())
        );
        assert!(read(r#"{"bytes_b64":"AQI"}"#).unwrap_err().starts_with("bytes_b64: not base64"));
    }

    #[test]
    fn float_words_keep_their_width() {
        assert_eq!(bytes(r#"{"f16":"nan"}"#), vec![0x00, 0x7e]);
        assert_eq!(bytes(r#"{"f64":"-inf"}"#).len(), 8);
    }
}
