//! An output as a picture: the label `"picture.<output>": "u32 768x512 log"` makes a PNG of it.
//!
//! The least value is deep blue, the greatest black, with white and amber between: made for escape times, good for any
//! field of numbers.

use std::io::Write;

use super::values::ValueType;
use crate::limits::PICTURE_PIXELS_MAX;

/// What an output looks like as a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Picture {
    kind: ValueType,
    width: u32,
    height: u32,
    scale: Scale,
}

/// How values become brightness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scale {
    Linear,
    Logarithmic,
}

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// The label is not understood.
    #[error(
        "picture is {label:?}, wanted <type> <width>x<height> [linear|log], as in \"u32 768x512 log\""
    )]
    Label {
        /// The label's value.
        label: String,
    },
    /// The output has another size.
    #[error("a picture of {width}x{height} {kind} takes {wanted} bytes, the output has {seen}")]
    Bytes {
        /// Pixels in a row.
        width: u32,
        /// Rows.
        height: u32,
        /// The type of a pixel.
        kind: &'static str,
        /// What they come to.
        wanted: u64,
        /// What is there.
        seen: usize,
    },
    /// Writing it failed.
    #[error("write picture: {0}")]
    Write(#[from] png::EncodingError),
}

impl Picture {
    /// Reads a label's value.
    ///
    /// # Errors
    /// When it is none, or asks for too many pixels.
    pub fn parse(label: &str) -> Result<Self, PictureError> {
        let words: Vec<&str> = label.split_whitespace().collect();
        let (kind, size, scale) = match words[..] {
            [kind, size] => (kind, size, Some(Scale::Linear)),
            [kind, size, scale] => (kind, size, Scale::named(scale)),
            _ => ("", "", None),
        };
        let picture = || {
            let (width, height) = size.split_once('x')?;
            let (width, height) = (width.parse().ok()?, height.parse().ok()?);
            Some(Self { kind: ValueType::named(kind)?, width, height, scale: scale? })
        };
        picture()
            .filter(|picture| (1..=PICTURE_PIXELS_MAX).contains(&picture.pixels()))
            .ok_or_else(|| PictureError::Label { label: label.to_owned() })
    }

    /// The type of its values.
    #[must_use]
    pub const fn value_type(&self) -> ValueType {
        self.kind
    }

    fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    /// Writes the output's bytes as a PNG.
    ///
    /// # Errors
    /// When the bytes are not as many as the pixels need, or cannot be written.
    pub fn write_png(&self, bytes: &[u8], file: impl Write) -> Result<(), PictureError> {
        let wanted = self.pixels() * self.kind.bytes() as u64;
        if bytes.len() as u64 != wanted {
            let (width, height, kind) = (self.width, self.height, self.kind.as_str());
            return Err(PictureError::Bytes { width, height, kind, wanted, seen: bytes.len() });
        }
        let mut encoder = png::Encoder::new(file, self.width, self.height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&self.pixels_of(bytes))?;
        Ok(writer.finish()?)
    }

    fn pixels_of(&self, bytes: &[u8]) -> Vec<u8> {
        let values: Vec<f64> = bytes
            .chunks_exact(self.kind.bytes())
            .map(|value| self.scale.apply(self.kind.magnitude(value)))
            .collect();
        let finite = || values.iter().copied().filter(|value| value.is_finite());
        let least = finite().fold(f64::INFINITY, f64::min);
        let greatest = finite().fold(f64::NEG_INFINITY, f64::max);
        let range = if greatest > least { greatest - least } else { 1.0 };
        values.iter().flat_map(|value| colour_at((value - least) / range)).collect()
    }
}

impl Scale {
    fn named(word: &str) -> Option<Self> {
        match word {
            "linear" => Some(Self::Linear),
            "log" => Some(Self::Logarithmic),
            _ => None,
        }
    }

    fn apply(self, value: f64) -> f64 {
        match self {
            Self::Linear => value,
            Self::Logarithmic => value.max(0.0).ln_1p(),
        }
    }
}

/// Where the gradient has which colour.
const GRADIENT: [(f64, [f64; 3]); 6] = [
    (0.0, [0.0, 7.0, 100.0]),
    (0.16, [32.0, 107.0, 203.0]),
    (0.42, [237.0, 255.0, 255.0]),
    (0.6425, [255.0, 170.0, 0.0]),
    (0.8575, [0.0, 2.0, 0.0]),
    (1.0, [0.0, 0.0, 0.0]),
];

/// The colour at `place` (0 to 1) of the gradient; what is no number is black.
fn colour_at(place: f64) -> [u8; 3] {
    let place = if place.is_nan() { 1.0 } else { place.clamp(0.0, 1.0) };
    let above = GRADIENT.iter().position(|(stop, _)| place <= *stop).unwrap_or(GRADIENT.len() - 1);
    let (high, to) = GRADIENT[above];
    let (low, from) = GRADIENT[above.saturating_sub(1)];
    let share = if high > low { (place - low) / (high - low) } else { 0.0 };
    std::array::from_fn(|channel| channel_level(from[channel], to[channel], share))
}

fn channel_level(from: f64, to: f64, share: f64) -> u8 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "both ends of the gradient are within 0 to 255, and so is what lies between"
    )]
    let level = (from + (to - from) * share).round() as u8;
    level
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png_of(label: &str, values: &[u32]) -> (png::OutputInfo, Vec<u8>) {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let mut file = Vec::new();
        Picture::parse(label).unwrap().write_png(&bytes, &mut file).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        (info, pixels)
    }

    /// Proves SH-10.
    #[test]
    fn a_label_makes_a_png_of_its_size() {
        let (info, pixels) = png_of("u32 3x2 log", &[0, 1, 2, 4, 8, 256]);
        assert_eq!((info.width, info.height), (3, 2));
        assert_eq!(pixels[..3], [0, 7, 100], "the least value is deep blue");
        assert_eq!(pixels[15..], [0, 0, 0], "the greatest is black");
    }

    #[test]
    fn one_colour_fills_a_picture_of_one_value() {
        let (_, pixels) = png_of("u32 2x1", &[7, 7]);
        assert_eq!(pixels, [0, 7, 100, 0, 7, 100]);
    }

    /// Proves SH-10.
    #[test]
    fn a_label_or_an_output_that_does_not_fit_is_refused() {
        for label in ["", "u32", "u32 3", "u32 3x2 cubic", "u33 3x2", "u32 0x2", "u32 99999x99999"]
        {
            let error = Picture::parse(label).unwrap_err().to_string();
            assert!(error.starts_with(&format!("picture is {label:?}, wanted <type>")), "{error}");
        }
        let picture = Picture::parse("f32 2x2").unwrap();
        let error = picture.write_png(&[0; 15], Vec::new()).unwrap_err();
        assert_eq!(error.to_string(), "a picture of 2x2 f32 takes 16 bytes, the output has 15");
    }
}
