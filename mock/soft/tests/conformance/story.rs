//! A kernel written line by line, with what it reads and what it must leave; it is told to both engines.

use std::fmt::Write;

use super::device::{Device, Parameters};
use super::oracle::Wanted;
use super::oracle::statement::register_bits;
use mock_soft::{Engine, Options};

/// Registers that a story keeps for itself: `%d14` and `%d15` the thread's place in input and output, `%r31` its number.
const HEAD: &str = ".version 8.7
.target sm_90
.address_size 64
.extern .func (.param .b32 r) vprintf (.param .b64 a, .param .b64 b);
.extern .func __assertfail (.param .b64 a, .param .b64 b, .param .b32 c, .param .b64 d, .param .b64 e);
.extern .func (.param .b64 r) malloc (.param .b64 a);
.extern .func free (.param .b64 a);
.shared .align 32 .b8 shared[8192];
.func (.param .b32 r) twice (.param .b32 a)
{ .reg .b32 %r<2>; ld.param.b32 %r0, [a]; add.s32 %r1, %r0, %r0; st.param.b32 [r], %r1; ret; }
";

const REGISTERS: &str = ".local .align 32 .b8 local[256];
.reg .pred %p<8>; .reg .b8 %b<8>; .reg .b16 %h<16>; .reg .b32 %r<32>; .reg .f32 %f<16>;
.reg .b64 %d<16>; .reg .f64 %fd<16>; .reg .b128 %q<4>; .reg .v4 .b32 %v;
.param .b32 word; .param .b32 result; .param .b64 first; .param .b64 second; .param .b64 pointer;
targets: .branchtargets back, forward;
prototype: .callprototype (.param .b32 _) _ (.param .b32 _);
ld.param.u64 %d14, [in]; ld.param.u64 %d15, [out]; mov.u32 %r31, %tid.x;
mul.wide.u32 %d13, %r31, 8; add.s64 %d14, %d14, %d13; add.s64 %d15, %d15, %d13;
";

/// One value for each thread.
type Column<T> = Vec<T>;

pub(crate) struct Story {
    threads: usize,
    body: String,
    inputs: Vec<Column<u64>>,
    wanted: Vec<Column<Wanted>>,
    end: End,
}

/// How the launch must end.
enum End {
    /// Well, with this printed.
    Well(String),
    /// With a fault that says this.
    Fault(&'static str),
}

impl Story {
    pub(crate) fn of(threads: usize) -> Self {
        Self {
            threads,
            body: String::new(),
            inputs: Vec::new(),
            wanted: Vec::new(),
            end: End::Well(String::new()),
        }
    }

    pub(crate) const fn threads(&self) -> usize {
        self.threads
    }

    pub(crate) fn prints(&mut self, text: &str) {
        self.end = End::Well(text.to_owned());
    }

    pub(crate) fn faults(&mut self, words: &'static str) {
        self.end = End::Fault(words);
    }

    pub(crate) fn line(&mut self, text: &str) {
        writeln!(self.body, "{text}").unwrap();
    }

    /// Values in memory, one for each thread: how far they lie from `%d14`.
    pub(crate) fn column(&mut self, value: impl FnMut(usize) -> u64) -> usize {
        self.inputs.push((0..self.threads).map(value).collect());
        8 * self.threads * (self.inputs.len() - 1)
    }

    /// A register that holds such a value.
    pub(crate) fn input(&mut self, register: &str, value: impl FnMut(usize) -> u64) {
        let at = self.column(value);
        let line = match register_bits(register) {
            1 => format!("ld.global.u16 %h15, [%d14+{at}]; setp.ne.u16 {register}, %h15, 0;"),
            bits => format!("ld.global.b{bits} {register}, [%d14+{at}];"),
        };
        self.line(&line);
    }

    /// What a register must hold.
    pub(crate) fn output(&mut self, register: &str, wanted: impl FnMut(usize) -> Wanted) {
        let at = self.place(wanted);
        let line = match register_bits(register) {
            1 => format!("selp.u16 %h15, 1, 0, {register}; st.global.b16 [%d15+{at}], %h15;"),
            bits => format!("st.global.b{bits} [%d15+{at}], {register};"),
        };
        self.line(&line);
    }

    /// Words in memory: how far they lie from the input's start.
    pub(crate) fn memory(&mut self, words: &[u64]) -> usize {
        let first = self.inputs.len();
        for words in words.chunks(self.threads) {
            self.column(|thread| words.get(thread).copied().unwrap_or(0));
        }
        8 * self.threads * first
    }

    /// Words that must be left: how far they lie from the output's start.
    pub(crate) fn kept(&mut self, words: &[u64]) -> usize {
        let first = self.wanted.len();
        for words in words.chunks(self.threads) {
            self.place(|thread| Wanted::Bits(words.get(thread).copied().unwrap_or(0)));
        }
        8 * self.threads * first
    }

    /// What must be in memory, one value for each thread: how far they lie from `%d15`.
    pub(crate) fn place(&mut self, wanted: impl FnMut(usize) -> Wanted) -> usize {
        self.wanted.push((0..self.threads).map(wanted).collect());
        8 * self.threads * (self.wanted.len() - 1)
    }

    /// A kernel with its own declarations around the body.
    fn text(&self) -> String {
        let bytes: Vec<String> = (0..256).map(|byte| byte.to_string()).collect();
        let bytes = bytes.join(",");
        format!(
            "{HEAD}.global .align 32 .b8 global[256] = {{{bytes}}};
.const .align 32 .b8 constant[256] = {{{bytes}}};
.visible .entry k(.param .u64 in, .param .u64 out, .param .align 32 .b8 parameter[256])
{{\n{REGISTERS}{}bra forward;\nback:\nmov.u16 %h14, 77; st.global.u16 [%d15], %h14;\nforward:\nret;\n}}\n",
            self.body
        )
    }

    /// What is not as it must be, on either engine.
    pub(crate) fn wrong(&self, form: &str) -> Vec<String> {
        let engines = [Engine::Vector(None), Engine::Scalar];
        engines.into_iter().flat_map(|engine| self.wrong_on(form, engine)).collect()
    }

    fn wrong_on(&self, form: &str, engine: Engine) -> Option<String> {
        let mut device = Device::load(&self.text()).with(Options { engine, ..Options::default() });
        let input = device.buffer(&self.inputs.concat());
        let count = self.threads * self.wanted.len();
        let output = device.zeros(8 * count.max(1));
        let mut parameters = Parameters::default().with(input).with(output);
        parameters.0.resize(32, 0);
        parameters.0.extend(0..=255u8);
        let block = [self.threads as u32, 1, 1];
        let ended = device.try_launch("k", [1; 3], block, 0, &parameters);
        match (&ended, &self.end) {
            (Ok(printed), End::Well(wanted)) if printed == wanted => {}
            (Err(error), End::Fault(words)) if error.to_string().contains(words) => {}
            _ => return Some(format!("{form} on {engine:?}: ended {ended:?}\n{}", self.body)),
        }
        let seen = device.read::<u64>(output, count);
        let wanted = self.wanted.iter().flatten();
        let (at, (seen, wanted)) = seen
            .iter()
            .zip(wanted)
            .enumerate()
            .find(|(_, (seen, wanted))| !wanted.holds(**seen))?;
        let (output, thread) = (at / self.threads, at % self.threads);
        Some(format!(
            "{form} on {engine:?}: output {output} of thread {thread} is {seen:#x}, wanted {wanted:x?}\n{}",
            self.body
        ))
    }
}
