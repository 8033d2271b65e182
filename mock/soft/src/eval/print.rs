//! The format language of `printf`, as CUDA's device side has it.

/// What a conversion takes from the argument buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An integer of 4 bytes, narrower ones promoted.
    Word,
    /// An integer of 8 bytes, or a pointer.
    Long,
    /// A `double`.
    Double,
    /// A pointer to text.
    Text,
}

impl Kind {
    /// Bytes in the buffer, and their alignment.
    #[must_use]
    pub const fn bytes(self) -> u32 {
        match self {
            Self::Word => 4,
            Self::Long | Self::Double | Self::Text => 8,
        }
    }
}

/// An argument as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Argument {
    /// Its bits, zero above.
    Bits(u64),
    /// What it points to.
    Text(Vec<u8>),
}

/// What one call prints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The text.
    pub text: Vec<u8>,
    /// How many arguments went into it.
    pub arguments: u32,
}

/// Fills and widths beyond this are cut: a flood is bounded by the launch's limit, not by one conversion.
const WIDTH_MAX: usize = 1024;

/// One `%…` of a format.
#[derive(Debug, Default)]
struct Conversion {
    left: bool,
    plus: bool,
    space: bool,
    alternate: bool,
    zero: bool,
    width: usize,
    precision: Option<usize>,
    long: bool,
    short_bits: u32,
}

/// Formats, asking `next` for each argument.
///
/// # Errors
/// What `next` fails with.
pub fn format<E>(
    format: &[u8],
    mut next: impl FnMut(Kind) -> Result<Argument, E>,
) -> Result<Line, E> {
    let mut line = Line { text: Vec::new(), arguments: 0 };
    let mut rest = format;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            line.text.push(byte);
            continue;
        }
        let mut take = |kind| {
            line.arguments += 1;
            next(kind)
        };
        let (conversion, letter, after) = read_conversion(rest, &mut take)?;
        rest = after;
        match letter {
            None => line.text.push(b'%'),
            Some(b'%') => line.text.push(b'%'),
            Some(letter) => {
                let kind = kind_of(letter, conversion.long);
                let Some(kind) = kind else {
                    line.text.extend([b'%', letter]);
                    continue;
                };
                let argument = take(kind)?;
                line.text.extend(conversion.render(letter, &argument));
            }
        }
    }
    Ok(line)
}

const fn kind_of(letter: u8, long: bool) -> Option<Kind> {
    match letter {
        b'd' | b'i' | b'u' | b'x' | b'X' | b'o' if long => Some(Kind::Long),
        b'd' | b'i' | b'u' | b'x' | b'X' | b'o' | b'c' => Some(Kind::Word),
        b'p' => Some(Kind::Long),
        b's' => Some(Kind::Text),
        b'f' | b'F' | b'e' | b'E' | b'g' | b'G' | b'a' | b'A' => Some(Kind::Double),
        _ => None,
    }
}

type Read<'a> = (Conversion, Option<u8>, &'a [u8]);

/// Reads flags, width, precision and length; the letter, where the format goes on so far; and the rest.
fn read_conversion<'a, E>(
    mut rest: &'a [u8],
    take: &mut impl FnMut(Kind) -> Result<Argument, E>,
) -> Result<Read<'a>, E> {
    let mut conversion = Conversion { short_bits: 32, ..Conversion::default() };
    while let Some((flag, after)) = rest.split_first() {
        match flag {
            b'-' => conversion.left = true,
            b'+' => conversion.plus = true,
            b' ' => conversion.space = true,
            b'#' => conversion.alternate = true,
            b'0' => conversion.zero = true,
            _ => break,
        }
        rest = after;
    }
    let width = read_number(&mut rest, take)?.unwrap_or(0);
    conversion.left |= width < 0;
    conversion.width = (width.unsigned_abs() as usize).min(WIDTH_MAX);
    if let Some((b'.', after)) = rest.split_first() {
        rest = after;
        let precision = read_number(&mut rest, take)?.unwrap_or(0);
        conversion.precision = usize::try_from(precision).ok().map(|digits| digits.min(WIDTH_MAX));
    }
    while let Some((length, after)) = rest.split_first() {
        match length {
            b'l' | b'j' | b'z' | b't' => conversion.long = true,
            b'h' => conversion.short_bits /= 2,
            _ => break,
        }
        rest = after;
    }
    conversion.short_bits = conversion.short_bits.max(8);
    Ok(match rest.split_first() {
        Some((letter, after)) => (conversion, Some(*letter), after),
        None => (conversion, None, rest),
    })
}

/// Digits, or `*` and an argument.
fn read_number<E>(
    rest: &mut &[u8],
    take: &mut impl FnMut(Kind) -> Result<Argument, E>,
) -> Result<Option<i64>, E> {
    if let Some((b'*', after)) = rest.split_first() {
        *rest = after;
        return Ok(match take(Kind::Word)? {
            Argument::Bits(bits) => Some(i64::from(bits as u32 as i32)),
            Argument::Text(_) => None,
        });
    }
    let mut number = None;
    while let Some((digit @ b'0'..=b'9', after)) = rest.split_first() {
        let value = number.unwrap_or(0i64).saturating_mul(10).min(1 << 40);
        number = Some(value + i64::from(digit - b'0'));
        *rest = after;
    }
    Ok(number)
}

impl Conversion {
    fn render(&self, letter: u8, argument: &Argument) -> Vec<u8> {
        match argument {
            Argument::Text(text) => {
                let shown = self.precision.map_or(text.len(), |most| most.min(text.len()));
                self.pad(Vec::new(), text.get(..shown).unwrap_or(text).to_vec(), false)
            }
            Argument::Bits(bits) => match letter {
                b'd' | b'i' => {
                    let value = self.signed(*bits);
                    self.integer(self.sign(value < 0), value.unsigned_abs().to_string())
                }
                b'u' => self.integer(Vec::new(), self.unsigned(*bits).to_string()),
                b'x' => self.based(*bits, b"0x", format!("{:x}", self.unsigned(*bits))),
                b'X' => self.based(*bits, b"0X", format!("{:X}", self.unsigned(*bits))),
                b'o' => self.based(*bits, b"0", format!("{:o}", self.unsigned(*bits))),
                b'c' => self.pad(Vec::new(), vec![*bits as u8], false),
                b'p' => self.pad(Vec::new(), format!("{bits:#x}").into_bytes(), false),
                _ => self.double(letter, f64::from_bits(*bits)),
            },
        }
    }

    fn signed(&self, bits: u64) -> i64 {
        let width = if self.long { 64 } else { self.short_bits };
        (bits << (64 - width)) as i64 >> (64 - width)
    }

    fn unsigned(&self, bits: u64) -> u64 {
        let width = if self.long { 64 } else { self.short_bits };
        bits << (64 - width) >> (64 - width)
    }

    fn sign(&self, negative: bool) -> Vec<u8> {
        match (negative, self.plus, self.space) {
            (true, ..) => b"-".to_vec(),
            (_, true, _) => b"+".to_vec(),
            (_, _, true) => b" ".to_vec(),
            _ => Vec::new(),
        }
    }

    fn based(&self, bits: u64, prefix: &[u8], digits: String) -> Vec<u8> {
        let shown = self.alternate && bits != 0;
        self.integer(if shown { prefix.to_vec() } else { Vec::new() }, digits)
    }

    fn integer(&self, prefix: Vec<u8>, digits: String) -> Vec<u8> {
        let digits = match self.precision {
            Some(least) => format!("{digits:0>least$}"),
            None => digits,
        };
        self.pad(prefix, digits.into_bytes(), self.precision.is_none())
    }

    fn double(&self, letter: u8, value: f64) -> Vec<u8> {
        let sign = self.sign(value.is_sign_negative() && !value.is_nan());
        let magnitude = value.abs();
        let upper = letter.is_ascii_uppercase();
        if !value.is_finite() {
            let word = if value.is_nan() { "nan" } else { "inf" };
            let word = if upper { word.to_uppercase() } else { word.to_owned() };
            return self.pad(sign, word.into_bytes(), false);
        }
        let precision = self.precision.unwrap_or(6);
        let text = match letter.to_ascii_lowercase() {
            b'f' => format!("{magnitude:.precision$}"),
            b'e' => scientific(magnitude, precision),
            b'a' => hexadecimal(magnitude),
            _ => self.shortest(magnitude, precision.max(1)),
        };
        let text = if upper { text.to_uppercase() } else { text };
        self.pad(sign, text.into_bytes(), true)
    }

    /// `%g`: scientific where the exponent is small or large, trailing zeros dropped.
    fn shortest(&self, magnitude: f64, precision: usize) -> String {
        let scientific = scientific(magnitude, precision - 1);
        let exponent: i64 =
            scientific.split_once('e').and_then(|(_, e)| e.parse().ok()).unwrap_or(0);
        let fixed = exponent >= -4 && exponent < precision as i64;
        if fixed {
            let digits = usize::try_from(precision as i64 - 1 - exponent).unwrap_or(0);
            return self.trimmed(format!("{magnitude:.digits$}"));
        }
        match scientific.split_once('e') {
            Some((digits, e)) => format!("{}e{e}", self.trimmed(digits.to_owned())),
            None => scientific,
        }
    }

    fn trimmed(&self, digits: String) -> String {
        if self.alternate || !digits.contains('.') {
            return digits;
        }
        digits.trim_end_matches('0').trim_end_matches('.').to_owned()
    }

    fn pad(&self, prefix: Vec<u8>, body: Vec<u8>, zeros_allowed: bool) -> Vec<u8> {
        let fill = self.width.saturating_sub(prefix.len() + body.len());
        let zeros = self.zero && zeros_allowed && !self.left;
        let mut text = Vec::with_capacity(self.width.max(prefix.len() + body.len()));
        if !self.left && !zeros {
            text.extend(std::iter::repeat_n(b' ', fill));
        }
        text.extend(prefix);
        if zeros {
            text.extend(std::iter::repeat_n(b'0', fill));
        }
        text.extend(body);
        if self.left {
            text.extend(std::iter::repeat_n(b' ', fill));
        }
        text
    }
}

/// `d.ddde±dd`.
fn scientific(magnitude: f64, precision: usize) -> String {
    let text = format!("{magnitude:.precision$e}");
    match text.split_once('e') {
        Some((digits, exponent)) => {
            let (sign, exponent) = match exponent.strip_prefix('-') {
                Some(rest) => ('-', rest),
                None => ('+', exponent),
            };
            format!("{digits}e{sign}{exponent:0>2}")
        }
        None => text,
    }
}

/// `0x1.8p+1`.
fn hexadecimal(magnitude: f64) -> String {
    let bits = magnitude.to_bits();
    let (biased, fraction) = ((bits >> 52) as i64, bits & ((1 << 52) - 1));
    let leading = u64::from(biased != 0);
    let exponent = if magnitude == 0.0 { 0 } else { biased.max(1) - 1023 };
    let digits = format!("{fraction:013x}");
    let digits = digits.trim_end_matches('0');
    let point = if digits.is_empty() { "" } else { "." };
    format!("0x{leading}{point}{digits}p{exponent:+}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(text: &str, arguments: &[Argument]) -> String {
        let mut left = arguments.iter().cloned();
        let line =
            format::<()>(text.as_bytes(), |_| left.next().ok_or(())).expect("enough arguments");
        String::from_utf8(line.text).expect("text")
    }

    fn int(value: i64) -> Argument {
        Argument::Bits(value as u64 & 0xffff_ffff)
    }

    fn long(value: i64) -> Argument {
        Argument::Bits(value as u64)
    }

    fn double(value: f64) -> Argument {
        Argument::Bits(value.to_bits())
    }

    #[test]
    fn integers_follow_flags_width_and_length() {
        assert_eq!(
            print("%d|%5d|%-5d|%05d|%+d", &[-7, 42, 42, 42, 42].map(int)),
            "-7|   42|42   |00042|+42"
        );
        assert_eq!(
            print("%u %x %X %#x %o", &[-1, 255, 255, 255, 8].map(int)),
            "4294967295 ff FF 0xff 10"
        );
        assert_eq!(print("%ld %llu", &[-5, -1].map(long)), "-5 18446744073709551615");
        assert_eq!(print("%hhd %hd", &[511, 65537].map(int)), "-1 1");
        assert_eq!(print("%.4d|%*d", &[int(7), int(4), int(9)]), "0007|   9");
        assert_eq!(print("%c%c%%", &[int(65), int(66)]), "AB%");
    }

    #[test]
    fn floats_look_as_in_c() {
        assert_eq!(
            print("%f %.2f %8.3f|", &[1.5, 2.345, -1.0].map(double)),
            "1.500000 2.35 -1.000|".replace(" -1", "   -1")
        );
        assert_eq!(print("%e %E", &[12345.678, 0.0].map(double)), "1.234568e+04 0.000000E+00");
        assert_eq!(
            print("%g %g %g %g", &[0.0001, 1e-5, 100000.0, 1e6].map(double)),
            "0.0001 1e-05 100000 1e+06"
        );
        assert_eq!(print("%f %F", &[f64::INFINITY, f64::NAN].map(double)), "inf NAN");
        assert_eq!(print("%a", &[double(3.0)]), "0x1.8p+1");
    }

    #[test]
    fn text_is_cut_and_padded() {
        let word = Argument::Text(b"warp".to_vec());
        assert_eq!(
            print("[%s] [%6s] [%-6s] [%.2s]", &[const { 0 }; 4].map(|_| word.clone())),
            "[warp] [  warp] [warp  ] [wa]"
        );
        assert_eq!(print("%p", &[long(0x7000_0000_0000)]), "0x700000000000");
    }

    #[test]
    fn what_is_not_understood_is_printed_as_it_stands() {
        assert_eq!(print("100%", &[]), "100%");
        assert_eq!(print("%y", &[]), "%y");
        let floods = print("%999999999d", &[int(1)]);
        assert_eq!(floods.len(), WIDTH_MAX);
    }
}
