//! What instructions are tried on: the values where they go wrong, and noise between.

use super::statement::{Kind, Statement, register_bits};

const INTEGERS: [u64; 36] = [
    0,
    1,
    2,
    3,
    4,
    5,
    7,
    8,
    9,
    15,
    16,
    17,
    23,
    24,
    31,
    32,
    33,
    48,
    63,
    64,
    65,
    127,
    128,
    255,
    256,
    0x7fff,
    0x8000,
    0xffff,
    0x1_0000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    0x5555_5555_5555_5555,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
];

const F16_EDGES: [u64; 26] = [
    0, 0x8000, 1, 0x8001, 0x03ff, 0x0400, 0x8400, 0x0401, 0x3c00, 0xbc00, 0x3bff, 0x3c01, 0x3800,
    0x3e00, 0x4100, 0x7bff, 0xfbff, 0x7c00, 0xfc00, 0x7c01, 0x7e00, 0xfe55, 0x7fff, 0x1400, 0x5bff,
    0x6400,
];

const BF16_EDGES: [u64; 24] = [
    0, 0x8000, 1, 0x8001, 0x007f, 0x0080, 0x8080, 0x3f80, 0xbf80, 0x3f7f, 0x3f81, 0x3f00, 0x3fc0,
    0x4020, 0x7f7f, 0xff7f, 0x7f80, 0xff80, 0x7f81, 0x7fc0, 0xffd5, 0x7fff, 0x4b00, 0x3400,
];

const F32_EDGES: [u64; 46] = [
    0,
    0x8000_0000,
    1,
    0x8000_0001,
    0x007f_ffff,
    0x0080_0000,
    0x8080_0000,
    0x0080_0001,
    0x3f80_0000,
    0xbf80_0000,
    0x3f7f_ffff,
    0x3f80_0001,
    0x3f00_0000,
    0x3f00_0001,
    0x3fc0_0000,
    0x4020_0000,
    0xc020_0000,
    0x7f7f_ffff,
    0xff7f_ffff,
    0x7f80_0000,
    0xff80_0000,
    0x7f80_0001,
    0x7fc0_0000,
    0xffc1_2345,
    0x7fff_ffff,
    0x4f00_0000,
    0xcf00_0000,
    0x4eff_ffff,
    0x4f80_0000,
    0x5f00_0000,
    0xdf00_0000,
    0x5f80_0000,
    0x437f_8000,
    0x4380_0000,
    0x477f_e000,
    0x477f_f000,
    0x4780_0000,
    0x3380_0000,
    0x3300_0000,
    0x4b7f_ffff,
    0x4b00_0001,
    0x3f80_1000,
    0x3f80_3000,
    0x42c8_0000,
    0xc2c8_0000,
    0x4048_f5c3,
];

const F64_EDGES: [u64; 34] = [
    0,
    1 << 63,
    1,
    0x8000_0000_0000_0001,
    0x000f_ffff_ffff_ffff,
    0x0010_0000_0000_0000,
    0x3ff0_0000_0000_0000,
    0xbff0_0000_0000_0000,
    0x3fef_ffff_ffff_ffff,
    0x3ff0_0000_0000_0001,
    0x3fe0_0000_0000_0000,
    0x3ff8_0000_0000_0000,
    0x4004_0000_0000_0000,
    0xc004_0000_0000_0000,
    0x7fef_ffff_ffff_ffff,
    0xffef_ffff_ffff_ffff,
    0x7ff0_0000_0000_0000,
    0xfff0_0000_0000_0000,
    0x7ff0_0000_0000_0001,
    0x7ff8_0000_0000_0000,
    0xfff8_1234_5678_9abc,
    0x41df_ffff_ffc0_0000,
    0x41e0_0000_0000_0000,
    0xc1e0_0000_0020_0000,
    0x41ef_ffff_fff0_0000,
    0x43e0_0000_0000_0000,
    0xc3e0_0000_0000_0000,
    0x43f0_0000_0000_0000,
    0x47ef_ffff_f000_0000,
    0x3810_0000_0000_0000,
    0x36a0_0000_0000_0000,
    0x3ff0_0000_1000_0000,
    0x40ef_ffe0_0000_0000,
    0x3e70_0000_0000_0000,
];

/// Numbers from a seed.
pub(crate) struct Noise(u64);

impl Noise {
    /// From a text, so that a form meets the same values wherever it stands.
    pub(crate) fn of(text: &str) -> Self {
        Self(
            text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
            }) | 1,
        )
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 3
    }

    fn pick(&mut self, from: &[u64]) -> u64 {
        from[(self.next() % from.len() as u64) as usize]
    }

    fn integer(&mut self) -> u64 {
        let edge = self.pick(&INTEGERS);
        match self.next() % 8 {
            0 => edge.wrapping_neg(),
            1 => !edge,
            2 | 3 => self.next() ^ (self.next() << 32),
            _ => edge,
        }
    }

    /// A number near the others in size, so that sums meet.
    fn middling(&mut self, fraction_bits: u32, bias: u64) -> u64 {
        let sign = self.next() & 1;
        let exponent = bias - 12 + self.next() % 24;
        let fraction = self.next() & ((1 << fraction_bits) - 1);
        let top = if bias == 15 {
            5
        } else if bias == 127 {
            8
        } else {
            11
        };
        (sign << (fraction_bits + top)) | (exponent << fraction_bits) | fraction
    }

    fn half(&mut self, brain: bool) -> u64 {
        match (self.next() % 4, brain) {
            (0, _) => self.next() & 0xffff,
            (1, true) => self.middling(7, 127),
            (1, false) => self.middling(10, 15),
            (_, true) => self.pick(&BF16_EDGES),
            (_, false) => self.pick(&F16_EDGES),
        }
    }

    fn single(&mut self) -> u64 {
        match self.next() % 4 {
            0 => self.middling(23, 127),
            1 => self.next() & 0xffff_ffff,
            _ => self.pick(&F32_EDGES),
        }
    }

    fn double(&mut self) -> u64 {
        match self.next() % 4 {
            0 => self.middling(52, 1023),
            1 => self.next() ^ (self.next() << 32),
            _ => self.pick(&F64_EDGES),
        }
    }

    /// A value for this register of the statement.
    pub(crate) fn value(&mut self, statement: &Statement, register: &str) -> u64 {
        let bits = register_bits(register);
        let types = statement.types();
        let float = types.iter().any(|ty| matches!(ty.kind, Kind::Float) && ty.bits == bits);
        let packed = types.iter().any(|ty| ty.lanes == 2 && ty.format().is_some());
        let brain = types.iter().any(|ty| ty.kind == Kind::Brain);
        let halves = brain || types.iter().any(|ty| ty.kind == Kind::Float && ty.bits == 16);
        let value = match bits {
            16 if halves => self.half(brain),
            32 if packed && !float => (self.half(brain) << 16) | self.half(brain),
            32 if float => self.single(),
            64 if float => self.double(),
            _ => self.integer(),
        };
        if bits == 64 { value } else { value & ((1 << bits) - 1) }
    }
}
