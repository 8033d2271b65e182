//! Every form of `ld`, `st`, `atom` and `red` with an address in a register, in every space it takes, on a cell of each thread's own: what
//! the register gets and what the memory keeps, against the manual's text.

use std::fmt::Write;

use super::device::{Device, Parameters};
use super::oracle::edges::Noise;
use super::oracle::exact::{self, Direction, F32, F64};
use super::oracle::statement::{Kind, Operand, Statement, Type, register_bits};
use mock_ptx::conformance::{INSTRUCTIONS, expand};
use mock_soft::{Engine, Options};

/// Threads of a launch, each with a cell.
const TRIES: usize = 48;
/// Words of a cell. An access lies in the middle, so that what it should leave alone is seen on both sides.
const CELL_WORDS: usize = 8;
/// Where in the cell the address register points to.
const MIDDLE: usize = 32;

/// A form, its address taken out of it.
struct Form {
    text: String,
    statement: Statement,
    address: String,
    offset: i64,
    space: &'static str,
    inputs: Vec<String>,
    results: Vec<String>,
}

impl Form {
    fn new(text: String) -> Option<Self> {
        let (before, rest) = text.split_once('[')?;
        let (place, after) = rest.split_once(']')?;
        let (address, offset) = match place.split_once('+') {
            Some((register, offset)) => (register, offset.parse().ok()?),
            None => (place, 0),
        };
        if !address.starts_with("%d") {
            return None;
        }
        // Read as if the results came first: `red` and `st` have none.
        let (mnemonic, results) = before.split_once(' ')?;
        let results = results.trim().trim_end_matches(',');
        let results = if results.is_empty() { "_" } else { results };
        let statement = Statement::read(&format!("{mnemonic} {results}{after}"))
            .or_else(|| Statement::read(&format!("{mnemonic} {results}, _{after}")))?;
        let spaces = ["shared", "local", "const", "param"];
        let space = spaces.into_iter().find(|space| statement.has(space)).unwrap_or("global");
        if ["const", "param"].contains(&space) || statement.has("b128") {
            return None;
        }
        let inputs = statement.inputs();
        let results = statement.results.iter().flat_map(Operand::registers).flatten();
        let results = results.map(str::to_owned).collect();
        let address = address.to_owned();
        Some(Self { text, statement, address, offset, space, inputs, results })
    }

    /// Values of one thread: the cell before, the cell after, inputs, results.
    fn values(&self) -> usize {
        2 * CELL_WORDS + self.inputs.len() + self.results.len()
    }

    fn write(&self, text: &mut String, start: usize) {
        let at = |value: usize| 8 * (start + value * TRIES);
        let Self { space, address, .. } = self;
        let own = match *space {
            "shared" => {
                "mov.u64 %d12, tile; mul.wide.u32 %d11, %r31, 64; add.s64 %d12, %d12, %d11;"
                    .to_owned()
            }
            "local" => "mov.u64 %d12, own;".to_owned(),
            // the form's own part of the buffer: the cell after
            _ => format!(
                "mul.wide.u32 %d11, %r31, 56; add.s64 %d12, %d15, %d11; add.s64 %d12, %d12, {};",
                at(CELL_WORDS)
            ),
        };
        writeln!(text, "{own}").unwrap();
        for word in 0..CELL_WORDS {
            let (from, to) = (at(word), 8 * word);
            writeln!(text, "ld.global.b64 %d13, [%d15+{from}]; st.{space}.b64 [%d12+{to}], %d13;")
                .unwrap();
        }
        for (i, name) in self.inputs.iter().enumerate() {
            let bits = register_bits(name);
            writeln!(text, "ld.global.b{bits} {name}, [%d15+{}];", at(2 * CELL_WORDS + i)).unwrap();
        }
        writeln!(text, "add.s64 {address}, %d12, {MIDDLE};\n{};", self.text).unwrap();
        for (i, name) in self.results.iter().enumerate() {
            let bits = register_bits(name);
            let place = at(2 * CELL_WORDS + self.inputs.len() + i);
            writeln!(text, "st.global.b{bits} [%d15+{place}], {name};").unwrap();
        }
        if *space != "global" {
            for word in 0..CELL_WORDS {
                writeln!(text, "ld.{space}.b64 %d13, [%d12+{}];", 8 * word).unwrap();
                writeln!(text, "mul.wide.u32 %d11, %r31, 56; add.s64 %d11, %d15, %d11;").unwrap();
                writeln!(text, "st.global.b64 [%d11+{}], %d13;", at(CELL_WORDS) + 8 * word)
                    .unwrap();
            }
        }
    }

    fn ty(&self) -> Type {
        *self.statement.types().last().expect("every access has a type")
    }

    fn elements(&self) -> usize {
        if self.statement.has("v4") {
            4
        } else if self.statement.has("v2") {
            2
        } else {
            1
        }
    }

    /// The results, and the cell behind it.
    fn wanted(&self, cell: &[u8], inputs: &[u64]) -> (Vec<u64>, Vec<u8>) {
        let ty = self.ty();
        let size = (ty.bits * ty.lanes / 8) as usize;
        let start = (MIDDLE as i64 + self.offset) as usize;
        let mut after = cell.to_vec();
        let mut olds = Vec::new();
        for element in 0..self.elements() {
            let place = start + element * size..start + (element + 1) * size;
            let mut bytes = [0; 8];
            bytes[..size].copy_from_slice(&cell[place.clone()]);
            let old = u64::from_le_bytes(bytes);
            olds.push(old);
            if !self.statement.name.starts_with("ld") {
                let new = self.changed(old, element, inputs);
                after[place].copy_from_slice(&new.to_le_bytes()[..size]);
            }
        }
        let destinations = self.statement.results.iter().flat_map(Operand::registers);
        let registers = olds.iter().zip(destinations).filter_map(|(old, name)| {
            let width = register_bits(name?);
            Some(widened(*old, ty, width))
        });
        (registers.collect(), after)
    }

    /// What an element becomes.
    fn changed(&self, old: u64, element: usize, inputs: &[u64]) -> u64 {
        let operands: Vec<Vec<u64>> =
            self.statement.sources.iter().map(|source| self.values_of(source, inputs)).collect();
        let operand = |i: usize| operands[i].get(element).copied().unwrap_or(operands[i][0]);
        let s = &self.statement;
        match &s.name[..] {
            "st" => operand(0),
            _ if s.has("cas") => {
                let mask = u64::MAX >> (64 - self.ty().bits);
                if old == operand(0) & mask { operand(1) } else { old }
            }
            _ => self.combined(old, operand(0)),
        }
    }

    fn values_of(&self, operand: &Operand, inputs: &[u64]) -> Vec<u64> {
        match operand {
            Operand::List(list) => {
                list.iter().flat_map(|one| self.values_of(one, inputs)).collect()
            }
            Operand::Constant(value) => vec![value.cast_unsigned()],
            Operand::Register { name, .. } => {
                let place = self.inputs.iter().position(|known| known == name).unwrap();
                vec![inputs[place]]
            }
            Operand::Sink => vec![0],
        }
    }

    fn combined(&self, old: u64, with: u64) -> u64 {
        let ty = self.ty();
        if ty.lanes == 2 {
            let [low, high] =
                [0, 16].map(|at| self.lane(ty.one_lane(), old >> at & 0xffff, with >> at & 0xffff));
            return low | high << 16;
        }
        self.lane(ty, old, with & (u64::MAX >> (64 - ty.bits)))
    }

    fn lane(&self, ty: Type, old: u64, with: u64) -> u64 {
        let s = &self.statement;
        if let Some(format) = ty.format() {
            let nan = format.infinity() | ((1 << format.fraction_bits) - 1);
            if s.has("min") || s.has("max") {
                return extreme(s.has("min"), old, with, format).unwrap_or(nan);
            }
            if s.has("exch") {
                return with;
            }
            // the manual's word on `add.f32` in global memory
            let flushes = format == F32 && self.space == "global";
            let settled = |bits: u64| if flushes { format.flush(bits) } else { bits };
            let (old, with) = (settled(old), settled(with));
            let sum = exact::fused(old, format.one(), with, format, Direction::Even);
            return sum.map_or(nan, settled);
        }
        let mask = u64::MAX >> (64 - ty.bits);
        let signed = |bits: u64| (bits << (64 - ty.bits)).cast_signed() >> (64 - ty.bits);
        let below = if ty.kind == Kind::Signed { signed(old) < signed(with) } else { old < with };
        let word = |name: &str| s.has(name);
        if word("add") {
            old.wrapping_add(with) & mask
        } else if word("and") {
            old & with
        } else if word("or") {
            old | with
        } else if word("xor") {
            old ^ with
        } else if word("exch") {
            with
        } else if word("inc") {
            if old >= with { 0 } else { old + 1 }
        } else if word("dec") {
            if old == 0 || old > with { with } else { old - 1 }
        } else if word("min") == below {
            old
        } else {
            with
        }
    }

    /// The memory with one NaN for all of `f64`, whose payload the manual leaves open.
    fn settled(&self, mut memory: Vec<u8>) -> Vec<u8> {
        let start = (MIDDLE as i64 + self.offset) as usize;
        let is_double = self.ty().format().is_some_and(|format| format == F64);
        if is_double && self.statement.has("add") {
            let bytes: [u8; 8] = memory[start..start + 8].try_into().expect("eight bytes");
            if F64.is_nan(u64::from_le_bytes(bytes)) {
                memory[start..start + 8].fill(0xff);
            }
        }
        memory
    }
}

fn extreme(least: bool, a: u64, b: u64, format: exact::Format) -> Option<u64> {
    match (format.is_nan(a), format.is_nan(b)) {
        (true, true) => None,
        (true, false) => Some(b),
        (false, true) => Some(a),
        (false, false) => {
            let rank = |bits: u64| {
                let magnitude = i128::from(format.magnitude(bits));
                if format.is_negative(bits) { -1 - magnitude } else { magnitude }
            };
            Some(if (rank(a) < rank(b)) == least { a } else { b })
        }
    }
}

/// A value of the type in a register of this many bits.
fn widened(raw: u64, ty: Type, width: u32) -> u64 {
    let bits = ty.bits * ty.lanes;
    if ty.kind != Kind::Signed || bits >= width {
        return raw;
    }
    let up = 64 - bits;
    ((raw << up).cast_signed() >> up).cast_unsigned() & (u64::MAX >> (64 - width))
}

/// Whether this form is tried here.
pub(crate) fn knows(form: &str) -> bool {
    let name = form.split(['.', ' ']).next();
    name.is_some_and(|name| ["ld", "ldu", "st", "atom", "red"].contains(&name))
        && Form::new(form.to_owned()).is_some()
}

fn forms() -> Vec<Form> {
    let texts = INSTRUCTIONS.iter().flat_map(|row| row.forms).flat_map(|form| expand(form));
    texts.filter(|form| knows(form)).filter_map(Form::new).collect()
}

fn try_on(engine: Engine, forms: &[Form]) -> Vec<String> {
    let mut text = ".version 8.7\n.target sm_90\n.address_size 64\n.shared .align 16 .b8 tile[3072];
        .visible .entry k(.param .u64 p)\n{\n.local .align 16 .b8 own[64];
        .reg .pred %p<8>; .reg .b16 %h<16>; .reg .b32 %r<32>; .reg .f32 %f<16>; .reg .b64 %d<16>; .reg .f64 %fd<16>;
        ld.param.u64 %d15, [p]; mov.u32 %r31, %tid.x; mul.wide.u32 %d14, %r31, 8; add.s64 %d15, %d15, %d14;\n"
        .to_owned();
    let starts: Vec<usize> = forms
        .iter()
        .scan(0, |next, form| {
            let start = *next;
            *next += form.values() * TRIES;
            Some(start)
        })
        .collect();
    let total: usize = forms.iter().map(|form| form.values() * TRIES).sum();
    let mut buffer = vec![0u64; total];
    for (form, start) in forms.iter().zip(&starts) {
        form.write(&mut text, *start);
        let mut noise = Noise::of(&form.text);
        for thread in 0..TRIES {
            for word in 0..CELL_WORDS {
                buffer[start + word * TRIES + thread] = noise.next() ^ (noise.next() << 32);
            }
            for (i, name) in form.inputs.iter().enumerate() {
                let place = start + (2 * CELL_WORDS + i) * TRIES + thread;
                buffer[place] = noise.value(&form.statement, name);
            }
            // half of the time the numbers that meet are alike, so that they meet at all
            if thread % 2 == 0 && !form.inputs.is_empty() {
                let value = buffer[start + 2 * CELL_WORDS * TRIES + thread];
                let ty = form.ty();
                let bits = ty.bits * ty.lanes;
                let value = if bits == 64 {
                    value
                } else {
                    (value & ((1 << bits) - 1)) * (u64::MAX / ((1 << bits) - 1))
                };
                buffer[start + MIDDLE / 8 * TRIES + thread] =
                    value.wrapping_add((thread % 4 / 2) as u64);
            }
        }
    }
    text.push_str("ret;\n}\n");
    let before = buffer.clone();
    let mut device = Device::load(&text).with(Options { engine, ..Options::default() });
    let address = device.buffer(&buffer);
    device.run("k", 1, TRIES as u32, Parameters::default().with(address));
    let after = device.read::<u64>(address, buffer.len());
    let mut wrong = Vec::new();
    for (form, start) in forms.iter().zip(&starts) {
        for thread in 0..TRIES {
            let at = |value: usize| start + value * TRIES + thread;
            let cell: Vec<u8> =
                (0..CELL_WORDS).flat_map(|word| before[at(word)].to_le_bytes()).collect();
            let inputs: Vec<u64> =
                (0..form.inputs.len()).map(|i| before[at(2 * CELL_WORDS + i)]).collect();
            let (registers, memory) = form.wanted(&cell, &inputs);
            let first = 2 * CELL_WORDS + form.inputs.len();
            let seen: Vec<u64> = (0..registers.len()).map(|i| after[at(first + i)]).collect();
            let place = start + CELL_WORDS * TRIES + thread * CELL_WORDS;
            let kept: Vec<u8> =
                (0..CELL_WORDS).flat_map(|word| after[place + word].to_le_bytes()).collect();
            let (kept, memory) = (form.settled(kept), form.settled(memory));
            if seen != registers || kept != memory {
                wrong.push(format!(
                    "{} on {engine:?}: inputs {inputs:x?}, cell {:x?}: registers {seen:x?}, wanted {registers:x?}; memory {:x?}, wanted {:x?}",
                    form.text, &cell[24..48], &kept[24..48], &memory[24..48]
                ));
                break;
            }
        }
    }
    wrong
}

/// Proves NUM-6.
#[test]
fn loads_stores_and_atomics_are_what_the_manual_says() {
    let forms = forms();
    assert!(forms.len() > 900, "{} forms", forms.len());
    let mut wrong = Vec::new();
    for part in forms.chunks(150) {
        for engine in [Engine::Vector(None), Engine::Scalar] {
            wrong.extend(try_on(engine, part));
        }
    }
    assert!(wrong.is_empty(), "{} wrong of {}:\n{}", wrong.len(), forms.len(), wrong.join("\n"));
}
