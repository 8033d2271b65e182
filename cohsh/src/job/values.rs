//! Bytes of an output as numbers: which type they are, and the first few of them.

use crate::limits::VALUES_SHOWN_MAX;

/// The type of every value in an output; all are little endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueType {
    /// Signed 8 bit.
    I8,
    /// Unsigned 8 bit.
    U8,
    /// Signed 16 bit.
    I16,
    /// Unsigned 16 bit.
    U16,
    /// Signed 32 bit.
    I32,
    /// Unsigned 32 bit.
    U32,
    /// Signed 64 bit.
    I64,
    /// Unsigned 64 bit.
    U64,
    /// Half precision.
    F16,
    /// Brain float.
    Bf16,
    /// Single precision.
    F32,
    /// Double precision.
    F64,
}

impl ValueType {
    /// Every type.
    pub const ALL: [Self; 12] = [
        Self::I8,
        Self::U8,
        Self::I16,
        Self::U16,
        Self::I32,
        Self::U32,
        Self::I64,
        Self::U64,
        Self::F16,
        Self::Bf16,
        Self::F32,
        Self::F64,
    ];

    /// The word, as in file suffixes, labels and job parameters.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::I8 => "i8",
            Self::U8 => "u8",
            Self::I16 => "i16",
            Self::U16 => "u16",
            Self::I32 => "i32",
            Self::U32 => "u32",
            Self::I64 => "i64",
            Self::U64 => "u64",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::F32 => "f32",
            Self::F64 => "f64",
        }
    }

    /// The type of that name.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// The type that a file's name ends with: `sum.f32`.
    #[must_use]
    pub fn of_file(name: &str) -> Option<Self> {
        Self::named(name.rsplit_once('.')?.1)
    }

    /// Bytes of one value.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 | Self::F16 | Self::Bf16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
        }
    }

    /// One value as text. `bytes` holds exactly one.
    fn text(self, bytes: &[u8]) -> String {
        match self {
            Self::I8 => i8::from_le_bytes(exactly(bytes)).to_string(),
            Self::U8 => u8::from_le_bytes(exactly(bytes)).to_string(),
            Self::I16 => i16::from_le_bytes(exactly(bytes)).to_string(),
            Self::U16 => u16::from_le_bytes(exactly(bytes)).to_string(),
            Self::I32 => i32::from_le_bytes(exactly(bytes)).to_string(),
            Self::U32 => u32::from_le_bytes(exactly(bytes)).to_string(),
            Self::I64 => i64::from_le_bytes(exactly(bytes)).to_string(),
            Self::U64 => u64::from_le_bytes(exactly(bytes)).to_string(),
            Self::F16 => f32_of_f16(u16::from_le_bytes(exactly(bytes))).to_string(),
            Self::Bf16 => f32_of_bf16(u16::from_le_bytes(exactly(bytes))).to_string(),
            Self::F32 => f32::from_le_bytes(exactly(bytes)).to_string(),
            Self::F64 => f64::from_le_bytes(exactly(bytes)).to_string(),
        }
    }

    /// One value as a number to draw with. `bytes` holds exactly one.
    #[must_use]
    pub fn magnitude(self, bytes: &[u8]) -> f64 {
        self.text(bytes).parse().unwrap_or(f64::NAN)
    }
}

/// The first values of an output of `total_bytes`: `0, 3, 6, 9, …`; without a type, its first bytes in hex.
#[must_use]
pub fn first_values(head: &[u8], total_bytes: u64, kind: Option<ValueType>) -> String {
    let width = kind.map_or(1, ValueType::bytes);
    let shown: Vec<String> = head
        .chunks_exact(width)
        .take(VALUES_SHOWN_MAX)
        .map(|bytes| kind.map_or_else(|| format!("{:02x}", bytes[0]), |kind| kind.text(bytes)))
        .collect();
    let all_bytes = (shown.len() * width) as u64;
    let separator = if kind.is_some() { ", " } else { " " };
    let more = if all_bytes < total_bytes { format!("{separator}…") } else { String::new() };
    shown.join(separator) + &more
}

fn exactly<const WIDTH: usize>(bytes: &[u8]) -> [u8; WIDTH] {
    bytes.try_into().expect("the caller cut the bytes to the width of the type")
}

const fn f32_of_bf16(bits: u16) -> f32 {
    f32::from_bits((bits as u32) << 16)
}

/// IEEE 754 binary16: 1 sign, 5 exponent (bias 15), 10 fraction bits. Every value is a single-precision value.
fn f32_of_f16(bits: u16) -> f32 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let exponent = i32::from(bits >> 10 & 0x1f);
    let fraction = f32::from(bits & 0x3ff) / 1024.0;
    match exponent {
        0 => sign * fraction * 2f32.powi(-14),
        31 if fraction == 0.0 => sign * f32::INFINITY,
        31 => f32::NAN,
        _ => sign * (1.0 + fraction) * 2f32.powi(exponent - 15),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes_of(values: &[f32]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    /// Proves SH-9.
    #[test]
    fn the_type_is_the_suffix_of_the_name() {
        assert_eq!(ValueType::of_file("sum.f32"), Some(ValueType::F32));
        assert_eq!(ValueType::of_file("a.b.u64"), Some(ValueType::U64));
        assert_eq!(ValueType::of_file("result"), None);
        assert_eq!(ValueType::of_file("k.ptx"), None);
        for kind in ValueType::ALL {
            assert_eq!(ValueType::named(kind.as_str()), Some(kind));
        }
    }

    /// Proves SH-9.
    #[test]
    fn a_few_values_are_shown_and_the_rest_is_hinted_at() {
        let values: Vec<f32> = (0u8..20).map(|i| f32::from(i) * 1.5).collect();
        let bytes = bytes_of(&values);
        assert_eq!(
            first_values(&bytes, 80, Some(ValueType::F32)),
            "0, 1.5, 3, 4.5, 6, 7.5, 9, 10.5, …"
        );
        assert_eq!(first_values(&bytes[..8], 8, Some(ValueType::F32)), "0, 1.5");
        assert_eq!(first_values(&[0xde, 0xad], 2, None), "de ad");
        assert_eq!(first_values(&[0xff; 16], 16, Some(ValueType::I64)), "-1, -1");
    }

    #[test]
    fn halves_are_read_exactly() {
        for (bits, value) in [
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x0001, 2f32.powi(-24)),
            (0x3555, 0.333_251_95),
        ] {
            assert_eq!(f32_of_f16(bits), value);
        }
        assert_eq!(f32_of_f16(0xfc00), f32::NEG_INFINITY);
        assert!(f32_of_f16(0x7e00).is_nan());
        assert_eq!(f32_of_bf16(0x3fc0), 1.5);
    }
}
