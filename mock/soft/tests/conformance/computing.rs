//! Every form of `docs/PTX.md` that computes, on values where such things go wrong, against an oracle that knows the manual and
//! not the engine.

use std::fmt::Write;

use super::device::{Device, Parameters};
use super::oracle::edges::Noise;
use super::oracle::statement::{Statement, register_bits};
use super::oracle::{self, Inputs, Wanted};
use mock_ptx::conformance::{Group, INSTRUCTIONS, Instruction, expand};
use mock_soft::{Engine, Options};

/// Threads of a launch: as many tries of each form.
const TRIES: usize = 160;

/// One form: how it reads, what goes in, what comes out.
struct Form {
    text: String,
    statement: Statement,
    inputs: Vec<String>,
    results: Vec<String>,
    /// Where its values start in the buffer, counted in values.
    start: usize,
    chained: bool,
}

impl Form {
    fn new(text: String, start: usize) -> Option<Self> {
        let statement = Statement::read(&text)?;
        let chained =
            statement.has("cc") || matches!(&statement.name[..], "addc" | "subc" | "madc");
        let inputs = statement.inputs();
        let results = statement.results.iter().flat_map(|result| result.registers()).flatten();
        let results = results.map(str::to_owned).collect();
        let form = Self { text, statement, inputs, results, start, chained };
        let zeros = vec![0; form.inputs.len()];
        oracle::expected(&form.statement, &Inputs::new(&form.inputs, &zeros), false)?;
        Some(form)
    }

    /// The carry in and the carry out are one value more each.
    fn values(&self) -> usize {
        (self.inputs.len() + self.results.len() + 2) * TRIES
    }

    fn offset(&self, value: usize) -> usize {
        8 * (self.start + value * TRIES)
    }

    /// What the values are before the launch.
    fn fill(&self, buffer: &mut [u64]) {
        let mut noise = Noise::of(&self.text);
        for thread in 0..TRIES {
            for (i, name) in self.inputs.iter().enumerate() {
                buffer[self.start + i * TRIES + thread] = noise.value(&self.statement, name);
            }
            buffer[self.start + self.inputs.len() * TRIES + thread] = noise.next() & 1;
        }
    }

    fn write(&self, text: &mut String) {
        for (i, name) in self.inputs.iter().enumerate() {
            let at = self.offset(i);
            match register_bits(name) {
                1 => {
                    writeln!(text, "ld.global.u16 %h15, [%d15+{at}]; setp.ne.u16 {name}, %h15, 0;")
                }
                bits => writeln!(text, "ld.global.b{bits} {name}, [%d15+{at}];"),
            }
            .unwrap();
        }
        let first = self.inputs.len();
        if self.chained {
            let at = self.offset(first);
            writeln!(text, "ld.global.b32 %r30, [%d15+{at}]; add.cc.u32 %r30, %r30, -1;").unwrap();
        }
        writeln!(text, "{};", self.text).unwrap();
        if self.statement.has("cc") {
            let at = self.offset(first + 1 + self.results.len());
            writeln!(text, "addc.u32 %r30, 0, 0; st.global.b32 [%d15+{at}], %r30;").unwrap();
        }
        for (i, name) in self.results.iter().enumerate() {
            let at = self.offset(first + 1 + i);
            match register_bits(name) {
                1 => {
                    writeln!(text, "selp.u16 %h15, 1, 0, {name}; st.global.b16 [%d15+{at}], %h15;")
                }
                bits => writeln!(text, "st.global.b{bits} [%d15+{at}], {name};"),
            }
            .unwrap();
        }
    }

    /// The first few results that are not what they must be.
    fn wrong(&self, buffer: &[u64]) -> Vec<String> {
        let mut wrong = Vec::new();
        for thread in 0..TRIES {
            let at = |value: usize| buffer[self.start + value * TRIES + thread];
            let values: Vec<u64> = (0..self.inputs.len()).map(at).collect();
            let inputs = Inputs::new(&self.inputs, &values);
            let carry = at(self.inputs.len()) == 1;
            let wanted = oracle::expected(&self.statement, &inputs, carry).unwrap_or_default();
            let results = self.results.len() + usize::from(self.statement.has("cc"));
            for (i, wanted) in wanted.iter().enumerate().take(results) {
                let seen = at(self.inputs.len() + 1 + i);
                if !wanted.holds(seen) && wrong.len() < 3 {
                    let story = shown(&values, seen, wanted);
                    wrong.push(format!("{} (carry {carry}): {story}", self.text));
                }
            }
        }
        wrong
    }
}

fn shown(values: &[u64], seen: u64, wanted: &Wanted) -> String {
    let values: Vec<String> = values.iter().map(|value| format!("{value:#x}")).collect();
    let wanted = match wanted {
        Wanted::Bits(bits) => format!("{bits:#x}"),
        other => format!("{other:?}"),
    };
    format!("of {} came {seen:#x}, wanted {wanted}", values.join(", "))
}

const HEAD: &str = ".version 8.7
.target sm_90
.address_size 64
.visible .entry k(.param .u64 p)
{
.reg .pred %p<8>; .reg .b8 %b<8>; .reg .b16 %h<16>; .reg .b32 %r<32>; .reg .f32 %f<16>; .reg .b64 %d<16>; .reg .f64 %fd<16>;
ld.param.u64 %d15, [p]; mov.u32 %r31, %tid.x; mul.wide.u32 %d14, %r31, 8; add.s64 %d15, %d15, %d14;
";

const GROUPS: [Group; 9] = [
    Group::Integer,
    Group::ExtendedPrecision,
    Group::Logic,
    Group::Move,
    Group::Float,
    Group::Half,
    Group::Compare,
    Group::Convert,
    Group::Video,
];

/// Whether this form is tried here.
pub(crate) fn knows(group: Group, form: &str) -> bool {
    GROUPS.contains(&group) && Form::new(form.to_owned(), 0).is_some()
}

/// Those forms of an instruction that the oracle knows.
fn known_forms(instruction: &Instruction) -> Vec<Form> {
    let mut known = Vec::<Form>::new();
    for text in instruction.forms.iter().flat_map(|form| expand(form)) {
        let start = known.last().map_or(0, |last| last.start + last.values());
        known.extend(Form::new(text, start));
    }
    known
}

fn try_on(engine: Engine, forms: &[Form]) -> Vec<String> {
    let Some(last) = forms.last() else { return Vec::new() };
    let mut text = HEAD.to_owned();
    forms.iter().for_each(|form| form.write(&mut text));
    text.push_str("ret;\n}\n");
    let mut device = Device::load(&text).with(Options { engine, ..Options::default() });
    let mut buffer = vec![0u64; last.start + last.values()];
    forms.iter().for_each(|form| form.fill(&mut buffer));
    let address = device.buffer(&buffer);
    device.run("k", 1, TRIES as u32, Parameters::default().with(address));
    let buffer = device.read::<u64>(address, buffer.len());
    forms.iter().flat_map(|form| form.wrong(&buffer)).collect()
}

fn check(groups: &[Group]) {
    let mut wrong = Vec::new();
    for instruction in INSTRUCTIONS.iter().filter(|instruction| groups.contains(&instruction.group))
    {
        let forms = known_forms(instruction);
        for engine in [Engine::Vector(None), Engine::Scalar] {
            wrong.extend(try_on(engine, &forms));
        }
    }
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// Proves NUM-6.
#[test]
fn integers_and_bits_are_what_the_manual_says() {
    check(&[Group::Integer, Group::ExtendedPrecision, Group::Logic, Group::Move]);
}

/// Proves NUM-1, NUM-2, NUM-5, NUM-6.
#[test]
fn single_and_double_precision_are_what_the_manual_says() {
    check(&[Group::Float]);
}

/// Proves NUM-3, NUM-6.
#[test]
fn half_precision_is_what_the_manual_says() {
    check(&[Group::Half]);
}

/// Proves NUM-6.
#[test]
fn comparisons_and_selections_are_what_the_manual_says() {
    check(&[Group::Compare]);
}

/// Proves NUM-4, NUM-6.
#[test]
fn conversions_are_what_the_manual_says() {
    check(&[Group::Convert]);
}

/// Proves NUM-6.
#[test]
fn video_is_what_the_manual_says() {
    check(&[Group::Video]);
}
