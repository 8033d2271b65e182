//! Random typed PTX programs: the vector engine must give what the reference engine gives, bit for bit, at every width of block
//! and every level of vector instructions. It is what stands behind every rule on shapes and every kernel.

#![allow(
    clippy::cast_possible_truncation,
    clippy::panic,
    reason = "sizes of small tests, and a story told on failure"
)]

mod device;

use std::fmt::Write;

use device::{Device, Noise, Parameters};
use mock_soft::{Engine, Level, Options};

/// Registers of each width that a program works on.
const WORDS: u64 = 10;
const LONGS: u64 = 6;
const HALVES: u64 = 4;
const PREDICATES: u64 = 5;

/// Instructions of 32, 64, 16 bits and mixed, operands by letter: `w` 32 bits, `l` 64, `h` 16, `p` predicate; `#` an immediate.
const FORMS: &[&str] = &[
    "add.s32 w, w, w",
    "sub.u32 w, w, w",
    "add.sat.s32 w, w, w",
    "mul.lo.s32 w, w, w",
    "mul.hi.s32 w, w, w",
    "mul.hi.u32 w, w, w",
    "mul24.lo.u32 w, w, w",
    "mad.lo.s32 w, w, #, w",
    "mad.lo.s32 w, w, w, w",
    "mad.hi.u32 w, w, w, w",
    "div.s32 w, w, w",
    "div.u32 w, w, w",
    "rem.s32 w, w, w",
    "rem.u32 w, w, #",
    "min.s32 w, w, w",
    "max.s32 w, w, #",
    "min.u32 w, w, w",
    "max.u32 w, w, w",
    "and.b32 w, w, w",
    "and.b32 w, w, 31",
    "and.b32 w, w, 1023",
    "or.b32 w, w, w",
    "or.b32 w, w, 3",
    "xor.b32 w, w, w",
    "not.b32 w, w",
    "neg.s32 w, w",
    "abs.s32 w, w",
    "shl.b32 w, w, 4",
    "shl.b32 w, w, w",
    "shr.s32 w, w, w",
    "shr.u32 w, w, 3",
    "popc.b32 w, w",
    "clz.b32 w, w",
    "brev.b32 w, w",
    "bfe.u32 w, w, w, w",
    "bfe.s32 w, w, 4, 9",
    "bfi.b32 w, w, w, w, w",
    "lop3.b32 w, w, w, w, 0x96",
    "prmt.b32 w, w, w, w",
    "shf.l.wrap.b32 w, w, w, w",
    "shf.r.clamp.b32 w, w, w, w",
    "sad.s32 w, w, w, w",
    "dp4a.s32.u32 w, w, w, w",
    "mov.b32 w, w",
    "mov.b32 w, #",
    "mov.u32 w, %tid.x",
    "mov.u32 w, %ctaid.x",
    "mov.u32 w, %laneid",
    "selp.b32 w, w, w, p",
    "selp.b32 w, #, w, p",
    "slct.s32.s32 w, w, w, w",
    "add.f32 w, w, w",
    "sub.ftz.f32 w, w, w",
    "mul.rn.f32 w, w, w",
    "mul.rz.f32 w, w, w",
    "fma.rn.f32 w, w, w, w",
    "fma.rn.ftz.f32 w, w, w, w",
    "fma.rm.f32 w, w, w, w",
    "add.sat.f32 w, w, w",
    "div.rn.f32 w, w, w",
    "div.approx.f32 w, w, w",
    "min.f32 w, w, w",
    "max.NaN.f32 w, w, w",
    "neg.f32 w, w",
    "abs.f32 w, w",
    "sqrt.rn.f32 w, w",
    "rcp.approx.ftz.f32 w, w",
    "rsqrt.approx.f32 w, w",
    "ex2.approx.f32 w, w",
    "lg2.approx.f32 w, w",
    "sin.approx.f32 w, w",
    "cvt.rn.f32.s32 w, w",
    "cvt.rn.f32.u32 w, w",
    "cvt.rzi.s32.f32 w, w",
    "cvt.rni.u32.f32 w, w",
    "cvt.rmi.f32.f32 w, w",
    "cvt.s32.s8 w, w",
    "cvt.u32.u16 w, h",
    "cvt.s32.s16 w, h",
    "cvt.u16.u32 h, w",
    "cvt.s64.s32 l, w",
    "cvt.u64.u32 l, w",
    "cvt.u32.u64 w, l",
    "cvt.f64.f32 l, w",
    "cvt.rn.f64.s32 l, w",
    "cvt.rn.f32.f64 w, l",
    "cvt.rzi.s64.f64 l, l",
    "cvt.rn.f32.s64 w, l",
    "cvt.rn.f16.f32 h, w",
    "cvt.f32.f16 w, h",
    "mul.wide.s32 l, w, w",
    "mul.wide.u32 l, w, #",
    "mad.wide.s32 l, w, w, l",
    "mad.wide.u32 l, w, 8, l",
    "add.s64 l, l, l",
    "sub.s64 l, l, l",
    "mul.lo.s64 l, l, l",
    "mul.hi.u64 l, l, l",
    "mad.lo.s64 l, l, l, l",
    "min.s64 l, l, l",
    "max.u64 l, l, l",
    "and.b64 l, l, l",
    "or.b64 l, l, l",
    "xor.b64 l, l, l",
    "shl.b64 l, l, 3",
    "shl.b64 l, l, w",
    "shr.s64 l, l, w",
    "neg.s64 l, l",
    "selp.b64 l, l, l, p",
    "mov.b64 l, l",
    "mov.b64 l, {w, w}",
    "mov.b64 {w, w}, l",
    "div.s64 l, l, l",
    "rem.u64 l, l, l",
    "add.f64 l, l, l",
    "mul.f64 l, l, l",
    "fma.rn.f64 l, l, l, l",
    "div.rn.f64 l, l, l",
    "sqrt.rn.f64 l, l",
    "popc.b64 w, l",
    "add.s16 h, h, h",
    "mul.lo.s16 h, h, h",
    "max.s16 h, h, h",
    "shl.b16 h, h, w",
    "mov.b16 h, h",
    "add.f16 h, h, h",
    "fma.rn.f16x2 w, w, w, w",
    "add.bf16x2 w, w, w",
    "setp.lt.s32 p, w, w",
    "setp.ge.u32 p, w, #",
    "setp.eq.s32 p, w, w",
    "setp.ne.s32 p, w, 0",
    "setp.lt.s64 p, l, l",
    "setp.gtu.f32 p, w, w",
    "setp.le.ftz.f32 p, w, w",
    "setp.lt.f64 p, l, l",
    "setp.lt.and.s32 p|p, w, w, p",
    "setp.gt.s16 p, h, h",
    "set.le.u32.f32 w, w, w",
    "and.pred p, p, p",
    "xor.pred p, p, p",
    "not.pred p, p",
    "vadd4.u32.u32.u32 w, w, w, w",
    "vabsdiff.s32.s32.s32 w, w.b1, w.h0",
];

/// A program being written.
struct Writer {
    noise: Noise,
    text: String,
    labels: u32,
    left: u32,
}

impl Writer {
    fn below(&mut self, n: u64) -> u64 {
        (self.noise.next() >> 11) % n
    }

    fn register(&mut self, letter: char) -> String {
        match letter {
            'w' => format!("%r{}", self.below(WORDS)),
            'l' => format!("%d{}", self.below(LONGS)),
            'h' => format!("%h{}", self.below(HALVES)),
            'p' => format!("%p{}", self.below(PREDICATES)),
            _ => {
                let immediates = [0u64, 1, 2, 7, 31, 255, 4096, 0x7fff_ffff];
                immediates[self.below(8) as usize].to_string()
            }
        }
    }

    /// An instruction of any form.
    fn instruction(&mut self) {
        let form = FORMS[self.below(FORMS.len() as u64) as usize];
        self.instruction_of(form);
    }

    /// An instruction of a form, its operands chosen.
    fn instruction_of(&mut self, form: &str) {
        let (name, operands) = form.split_once(' ').expect("a name and operands");
        let mut line = String::new();
        if self.below(8) == 0 {
            let predicate = self.register('p');
            let negated = if self.below(2) == 0 { "!" } else { "" };
            write!(line, "@{negated}{predicate} ").expect("text");
        }
        line.push_str(name);
        line.push(' ');
        let mut chosen: Vec<String> = Vec::new();
        let mut before = ' ';
        for (i, letter) in operands.char_indices() {
            let alone = !before.is_ascii_alphanumeric() && before != '%' && before != '.';
            let after = operands[i + 1..].chars().next().unwrap_or(' ');
            let is_operand = alone && !after.is_ascii_alphanumeric();
            if is_operand && matches!(letter, 'w' | 'l' | 'h' | 'p' | '#') {
                let mut register = self.register(letter);
                // Two results of one instruction must differ.
                while line.contains(['{', '|']) && chosen.contains(&register) {
                    register = self.register(letter);
                }
                line.push_str(&register);
                chosen.push(register);
            } else {
                line.push(letter);
            }
            before = letter;
        }
        writeln!(self.text, "  {line};").expect("text");
    }

    fn label(&mut self) -> String {
        self.labels += 1;
        format!("$L{}", self.labels)
    }

    /// Statements at some depth of branches; `uniform` where all lanes are here.
    fn statements(&mut self, depth: u32, uniform: bool) {
        let count = 2 + self.below(6);
        for _ in 0..count {
            if self.left == 0 {
                return;
            }
            self.left -= 1;
            match self.below(24) {
                0 | 1 if depth > 0 => self.branch(depth),
                2 if depth > 0 => self.repeat(depth),
                3 if uniform => self.exchange(),
                4 if uniform => self.shuffle(),
                5 => self.local(),
                7 => self.atomic(),
                6 => self.global(),
                _ => self.instruction(),
            }
        }
    }

    fn branch(&mut self, depth: u32) {
        let (other, end) = (self.label(), self.label());
        let predicate = self.register('p');
        writeln!(self.text, "  @{predicate} bra {other};").expect("text");
        self.statements(depth - 1, false);
        writeln!(self.text, "  bra {end};\n{other}:").expect("text");
        if self.below(3) > 0 {
            self.statements(depth - 1, false);
        }
        writeln!(self.text, "{end}:").expect("text");
    }

    /// A loop whose lanes go round differently often.
    fn repeat(&mut self, depth: u32) {
        let (start, source) = (self.label(), self.register('w'));
        let counter = format!("%c{}", depth);
        writeln!(self.text, "  and.b32 {counter}, {source}, 5;\n{start}:").expect("text");
        self.statements(depth - 1, false);
        writeln!(
            self.text,
            "  sub.s32 {counter}, {counter}, 1;\n  setp.ge.s32 %q, {counter}, 0;\n  @%q bra {start};"
        )
        .expect("text");
    }

    /// Lanes read what others wrote into shared memory.
    fn exchange(&mut self) {
        let (source, target) = (self.register('w'), self.register('w'));
        let turn = self.below(63) + 1;
        write!(
            self.text,
            "  bar.sync 0;\n  st.shared.u32 [%own], {source};\n  bar.sync 0;\n  add.s32 %t, %tid, {turn};\n  \
             rem.u32 %t, %t, %n;\n  shl.b32 %t, %t, 2;\n  add.s32 %t, %t, %sh;\n  ld.shared.u32 {target}, [%t];\n"
        )
        .expect("text");
    }

    fn shuffle(&mut self) {
        let kinds = ["up", "down", "bfly", "idx"];
        let kind = kinds[self.below(4) as usize];
        let clamp = if kind == "up" { 0 } else { 31 };
        let (d, a, b, p) =
            (self.register('w'), self.register('w'), self.register('w'), self.register('p'));
        match self.below(4) {
            0 => writeln!(self.text, "  vote.sync.ballot.b32 {d}, {p}, -1;"),
            1 => writeln!(self.text, "  redux.sync.add.s32 {d}, {a}, -1;"),
            2 => writeln!(self.text, "  shfl.sync.{kind}.b32 {d}|{p}, {a}, {b}, {clamp}, -1;"),
            _ => writeln!(self.text, "  shfl.sync.{kind}.b32 {d}, {a}, 3, {clamp}, -1;"),
        }
        .expect("text");
    }

    /// An atomic on a cell that is the lane's own, so that its old value does not depend on who comes first.
    fn atomic(&mut self) {
        let (old, value, other) = (self.register('w'), self.register('w'), self.register('w'));
        let (long, more) = (self.register('l'), self.register('l'));
        match self.below(8) {
            0 => writeln!(self.text, "  atom.shared.add.u32 {old}, [%own+4096], {value};"),
            1 => writeln!(self.text, "  atom.shared.min.s32 {old}, [%own+4096], {value};"),
            2 => writeln!(self.text, "  atom.shared.exch.b32 {old}, [%own+4096], {value};"),
            3 => writeln!(self.text, "  atom.shared.cas.b32 {old}, [%own+4096], {value}, {other};"),
            4 => writeln!(self.text, "  red.shared.inc.u32 [%own+4096], {value};"),
            5 => writeln!(self.text, "  atom.shared.add.f32 {old}, [%own+4096], {value};"),
            6 => writeln!(self.text, "  atom.global.add.u64 {long}, [%out], {more};"),
            _ => writeln!(self.text, "  atom.global.xor.b32 {old}, [%out+8], {value};"),
        }
        .expect("text");
    }

    /// An array in local memory, at an index that lanes share or do not.
    fn local(&mut self) {
        let (index, value, target) = (self.register('w'), self.register('w'), self.register('w'));
        let long = self.register('l');
        write!(
            self.text,
            "  and.b32 %t, {index}, 7;\n  cvt.u64.u32 %a, %t;\n  shl.b64 %a, %a, 3;\n  add.s64 %a, %a, %frame;\n"
        )
        .expect("text");
        match self.below(3) {
            0 => write!(self.text, "  st.local.u32 [%a], {value};\n  ld.local.u32 {target}, [%a+4];\n"),
            1 => write!(self.text, "  st.local.u64 [%a], {long};\n  ld.local.u16 %t, [%a+2];\n  mov.b32 {target}, %t;\n"),
            _ => write!(self.text, "  st.local.u32 [%frame+8], {value};\n  ld.local.v2.u32 {{{target}, %t}}, [%frame+8];\n"),
        }
        .expect("text");
    }

    /// The input at an index of the lane's own making.
    fn global(&mut self) {
        let (index, word, long) = (self.register('w'), self.register('w'), self.register('l'));
        write!(
            self.text,
            "  and.b32 %t, {index}, 62;\n  mul.wide.u32 %a, %t, 4;\n  add.s64 %a, %a, %in;\n"
        )
        .expect("text");
        match self.below(4) {
            0 => writeln!(self.text, "  ld.global.u32 {word}, [%a];"),
            1 => writeln!(self.text, "  ld.global.s8 {word}, [%a+1];"),
            2 => writeln!(self.text, "  ld.global.u64 {long}, [%a];"),
            _ => writeln!(self.text, "  ld.global.nc.s16 {long}, [%a+2];"),
        }
        .expect("text");
    }
}

/// Bytes that one lane leaves.
const LANE_BYTES: u64 = (4 * WORDS + 8 * LONGS + 4 * HALVES + 4 * PREDICATES).next_multiple_of(8);

/// A whole program of `length` statements from a seed.
fn program(seed: u64, length: u32) -> String {
    program_of(seed, |writer| {
        writer.left = length;
        while writer.left > 0 {
            writer.statements(3, true);
        }
    })
}

/// A program whose registers are set, used by `body`, and written out.
fn program_of(seed: u64, body: impl FnOnce(&mut Writer)) -> String {
    let noise = Noise(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut writer = Writer { noise, text: String::new(), labels: 0, left: 0 };
    for _ in 0..20 {
        writer.noise.next();
    }
    for register in 0..WORDS {
        let line = match register % 5 {
            0 => "mov.u32 W, %tid",
            1 => "mad.lo.s32 W, %ctaid.x, %n, %tid",
            2 => "ld.global.u32 W, [%in+R]",
            3 => "mov.u32 W, %tid.y",
            _ => "mov.b32 W, 0x3fc00000",
        };
        let line =
            line.replace('W', &format!("%r{register}")).replace('R', &(4 * register).to_string());
        writeln!(writer.text, "  {line};").expect("text");
    }
    for register in 0..LONGS {
        writeln!(writer.text, "  mul.wide.s32 %d{register}, %r{register}, {};", 3 + register)
            .expect("text");
    }
    for register in 0..HALVES {
        writeln!(writer.text, "  cvt.u16.u32 %h{register}, %r{register};").expect("text");
    }
    for register in 0..PREDICATES {
        writeln!(writer.text, "  setp.lt.s32 %p{register}, %r{register}, {};", 9 * register)
            .expect("text");
    }
    body(&mut writer);
    let mut at = 0;
    let mut results = String::new();
    for register in 0..LONGS {
        writeln!(results, "  st.global.u64 [%out+{at}], %d{register};").expect("text");
        at += 8;
    }
    for register in 0..WORDS {
        writeln!(results, "  st.global.u32 [%out+{at}], %r{register};").expect("text");
        at += 4;
    }
    for register in 0..HALVES {
        writeln!(results, "  cvt.u32.u16 %t, %h{register};\n  st.global.u32 [%out+{at}], %t;")
            .expect("text");
        at += 4;
    }
    for register in 0..PREDICATES {
        writeln!(results, "  selp.u32 %t, 1, 0, %p{register};\n  st.global.u32 [%out+{at}], %t;")
            .expect("text");
        at += 4;
    }
    format!(
        ".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry k(.param .u64 out, .param .u64 in)\n{{\n\
         .reg .b32 %r<{WORDS}>;\n.reg .b64 %d<{LONGS}>;\n.reg .b16 %h<{HALVES}>;\n.reg .pred %p<{PREDICATES}>;\n\
         .reg .b32 %c<4>;\n.reg .pred %q;\n.reg .b32 %t, %tid, %n, %sh, %own;\n.reg .b64 %a, %in, %out, %frame;\n\
         .shared .align 4 .b8 box[8192];\n.local .align 8 .b8 own[64];\n\
         ld.param.u64 %out, [out];\n  ld.param.u64 %in, [in];\n\
         mov.u32 %t, %tid.y;\n  mov.u32 %tid, %ntid.x;\n  mov.u32 %n, %tid.x;\n  mad.lo.s32 %tid, %t, %tid, %n;\n\
         mov.u32 %n, %ntid.x;\n  mov.u32 %t, %ntid.y;\n  mul.lo.s32 %n, %n, %t;\n\
         mov.u32 %sh, box;\n  shl.b32 %own, %tid, 2;\n  add.s32 %own, %own, %sh;\n  mov.u64 %frame, own;\n\
         mov.u32 %t, %ctaid.x;\n  mad.lo.s32 %t, %t, %n, %tid;\n  mul.wide.u32 %a, %t, {LANE_BYTES};\n  \
         add.s64 %out, %out, %a;\n{}{results}  ret;\n}}\n",
        writer.text
    )
}

/// Blocks of programs, and how many of them: enough of the small ones that several lie side by side in one unit.
const SIZES: [([u32; 3], u32); 5] =
    [([32, 1, 1], 13), ([16, 4, 1], 9), ([100, 1, 1], 3), ([16, 16, 1], 3), ([256, 1, 1], 3)];

fn run(text: &str, engine: Engine, (block, blocks): ([u32; 3], u32)) -> Vec<u8> {
    let mut device = Device::load(text).with(Options { engine, workers: 2, ..Options::default() });
    let mut noise = Noise(77);
    let input: Vec<u64> = (0..40).map(|_| noise.next()).collect();
    let lanes = u64::from(blocks * block[0] * block[1]);
    let (pin, pout) = (device.buffer(&input), device.zeros((lanes * LANE_BYTES) as usize));
    let parameters = Parameters::default().with(pout).with(pin);
    device.run3("k", [blocks, 1, 1], block, 0, parameters);
    device.read(pout, (lanes * LANE_BYTES) as usize)
}

/// Where the engines differ on a program, if they do.
fn difference(text: &str) -> Option<String> {
    for block in SIZES {
        let wanted = run(text, Engine::Scalar, block);
        for level in [None, Some(Level::Avx2), Some(Level::Baseline)] {
            let seen = run(text, Engine::Vector(level), block);
            if let Some(at) = seen.iter().zip(&wanted).position(|(seen, wanted)| seen != wanted) {
                let (lane, place) = (at as u64 / LANE_BYTES, at as u64 % LANE_BYTES);
                let words = |bytes: &[u8]| -> Vec<u32> {
                    let start = (lane * LANE_BYTES) as usize;
                    let lane = &bytes[start..start + LANE_BYTES as usize];
                    lane.chunks(4)
                        .map(|word| u32::from_le_bytes(word.try_into().expect("4")))
                        .collect()
                };
                let (seen, wanted) = (words(&seen), words(&wanted));
                return Some(format!(
                    "{block:?} {level:?}: lane {lane} at byte {place}:\nseen   {seen:x?}\nwanted {wanted:x?}\nthey"
                ));
            }
        }
    }
    None
}

/// Fails with the shortest program of the seed on which the engines differ.
fn compare(seeds: std::ops::Range<u64>) {
    for seed in seeds {
        if difference(&program(seed, 60)).is_none() {
            continue;
        }
        let shortest = (0..=60).find_map(|length| {
            let text = program(seed, length);
            difference(&text).map(|place| (text, place))
        });
        let (text, place) = shortest.expect("the longest differs");
        panic!("seed {seed}, {place} differ:\n{text}");
    }
}

/// Proves SOFT-7.
#[test]
fn random_programs_agree_between_the_engines() {
    compare(0..40);
}

/// Proves SOFT-7.
#[test]
fn more_random_programs_agree_between_the_engines() {
    compare(40..80);
}

/// Proves SOFT-7.
#[test]
fn every_form_agrees_by_itself() {
    for (form, seed) in FORMS.iter().zip(1000..) {
        let text = program_of(seed, |writer| (0..12).for_each(|_| writer.instruction_of(form)));
        if let Some(place) = difference(&text) {
            panic!("{form}: {place} differ:\n{text}");
        }
    }
}
