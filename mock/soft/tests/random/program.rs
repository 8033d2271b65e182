//! A random program: instructions, accesses, calls, branches, loops, and what lanes do together, always by those who are there.
//!
//! Every way through it keeps in a register who of the warp goes it, so that member masks are right under any divergence. What depends
//! on who comes first is left out: old values only of cells of a lane's own, common cells only by operations that commute.

use std::fmt::Write;

use super::device::Noise;
use super::forms::{FORMS, of_the_manual};

/// Registers of each width that a program works on.
const WORDS: u64 = 10;
const LONGS: u64 = 6;
const HALVES: u64 = 4;
const PREDICATES: u64 = 5;

/// What a lane leaves: its registers, and a place for its own stores behind them.
const REGISTER_BYTES: u64 =
    (4 * WORDS + 8 * LONGS + 4 * HALVES + 4 * PREDICATES).next_multiple_of(16);
pub(crate) const LANE_BYTES: u64 = REGISTER_BYTES + 32;

/// Cells that all lanes of all blocks change: sixteen for each kind of change.
pub(crate) const COMMON_BYTES: u64 = 6 * 64;

/// Branches and loops inside of each other.
const DEPTH: u32 = 3;

/// Functions that are inlined, called, and called through their address.
const FUNCTIONS: &str = "
.func (.param .b32 r) deep(.param .b32 n, .param .b32 x);
.func (.param .b32 r) deep(.param .b32 n, .param .b32 x)
{
  .reg .b32 %r<4>; .reg .pred %p; .param .b32 an; .param .b32 ax; .param .b32 ar;
  ld.param.b32 %r0, [n]; ld.param.b32 %r1, [x]; setp.eq.u32 %p, %r0, 0; @%p bra out;
  sub.u32 %r2, %r0, 1; mad.lo.u32 %r3, %r1, 3, %r0; st.param.b32 [an], %r2; st.param.b32 [ax], %r3;
  call (ar), deep, (an, ax); ld.param.b32 %r1, [ar]; add.u32 %r1, %r1, %r0;
out: st.param.b32 [r], %r1; ret;
}
.func (.param .b32 r) mix(.param .b32 a, .param .b32 b)
{
  .local .align 4 .b8 cells[16]; .reg .b32 %r<5>; .reg .b64 %a<2>; .reg .pred %p;
  ld.param.b32 %r0, [a]; ld.param.b32 %r1, [b]; st.local.u32 [cells], %r0; st.local.u32 [cells+4], %r1;
  and.b32 %r2, %r1, 4; mov.u64 %a0, cells; cvt.u64.u32 %a1, %r2; add.s64 %a0, %a0, %a1; ld.local.u32 %r3, [%a0];
  setp.lt.s32 %p, %r3, %r1; @%p bra less; xor.b32 %r3, %r3, %r0; less: st.param.b32 [r], %r3; ret;
}
.func (.param .b32 r) sum(.param .b32 a, .param .b32 b)
{ .reg .b32 %r<2>; ld.param.b32 %r0, [a]; ld.param.b32 %r1, [b]; add.u32 %r0, %r0, %r1; st.param.b32 [r], %r0; ret; }
";

/// A program being written.
pub(crate) struct Writer {
    noise: Noise,
    manual: Vec<String>,
    text: String,
    labels: u32,
    left: u32,
}

/// Where a statement stands.
#[derive(Clone, Copy)]
struct Way {
    depth: u32,
    /// All lanes of the block are here.
    uniform: bool,
}

impl Way {
    fn inside(self, uniform: bool) -> Self {
        Self { depth: self.depth - 1, uniform: self.uniform && uniform }
    }

    /// The register that says who of the warp is here.
    fn members(self) -> String {
        format!("%m{}", self.depth)
    }
}

impl Writer {
    fn below(&mut self, n: u64) -> u64 {
        (self.noise.next() >> 11) % n
    }

    fn one_of<'t>(&mut self, choices: &[&'t str]) -> &'t str {
        choices[self.below(choices.len() as u64) as usize]
    }

    fn line(&mut self, text: &str) {
        writeln!(self.text, "  {text}").expect("text");
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

    /// Now and then a condition.
    fn guard(&mut self) -> String {
        if self.below(6) > 0 {
            return String::new();
        }
        let negated = if self.below(2) == 0 { "!" } else { "" };
        format!("@{negated}{} ", self.register('p'))
    }

    /// An instruction of any form.
    fn instruction(&mut self) {
        if self.below(3) > 0 {
            let form = FORMS[self.below(FORMS.len() as u64) as usize];
            return self.instruction_of(form);
        }
        let which = self.below(self.manual.len() as u64) as usize;
        let form = self.manual[which].clone();
        self.instruction_of(&form);
    }

    /// An instruction of a form, its operands chosen.
    pub(crate) fn instruction_of(&mut self, form: &str) {
        let (name, operands) = form.split_once(' ').expect("a name and operands");
        let mut line = format!("{}{name} ", self.guard());
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
        self.line(&format!("{line};"));
    }

    fn label(&mut self) -> String {
        self.labels += 1;
        format!("$L{}", self.labels)
    }

    fn statements(&mut self, way: Way) {
        let count = 2 + self.below(6);
        for _ in 0..count {
            if self.left == 0 {
                return;
            }
            self.left -= 1;
            match self.below(32) {
                0 | 1 if way.depth > 0 => self.branch(way),
                2 if way.depth > 0 => self.repeat(way),
                3 if way.depth > 0 => self.switch(way),
                4 if way.depth > 0 => self.repeat_together(way),
                5 if way.uniform => self.exchange(),
                6 if way.uniform => self.barrier(),
                7..=9 => self.warp(way),
                10 | 11 => self.local(),
                12 => self.global(),
                13 => self.own_place(),
                14 => self.own_cell(),
                15 => self.common_cell(),
                16 => self.call(),
                17 if self.below(8) == 0 => self.leave(),
                _ => self.instruction(),
            }
        }
    }

    // ---- ways ----

    /// Who of those that are here has the predicate; the others, behind `other`.
    fn part(&mut self, way: Way, predicate: &str) -> (String, String) {
        let (here, inside) = (way.members(), way.inside(false).members());
        self.line(&format!("vote.sync.ballot.b32 {inside}, {predicate}, {here};"));
        let others = format!("not.b32 {inside}, {inside}; and.b32 {inside}, {inside}, {here};");
        (inside, others)
    }

    fn branch(&mut self, way: Way) {
        let (other, end) = (self.label(), self.label());
        let predicate = self.register('p');
        // the predicate may change on the way, its mask must not
        let (_, others) = self.part(way, &predicate);
        self.line(&format!("@!{predicate} bra {other};"));
        self.statements(way.inside(false));
        self.line(&format!("bra {end};\n{other}: {others}"));
        if self.below(3) > 0 {
            self.statements(way.inside(false));
        }
        self.line(&format!("\n{end}:"));
    }

    /// A loop whose lanes go round differently often.
    fn repeat(&mut self, way: Way) {
        let (start, source) = (self.label(), self.register('w'));
        let (counter, members) = (format!("%c{}", way.depth), way.inside(false).members());
        self.line(&format!(
            "and.b32 {counter}, {source}, 5; mov.b32 {members}, {};",
            way.members()
        ));
        self.line(&format!("\n{start}:"));
        self.statements(way.inside(false));
        self.line(&format!("sub.s32 {counter}, {counter}, 1; setp.ge.s32 %q, {counter}, 0;"));
        self.line(&format!("vote.sync.ballot.b32 {members}, %q, {members}; @%q bra {start};"));
    }

    /// A loop that all who are here go round together.
    fn repeat_together(&mut self, way: Way) {
        let start = self.label();
        let (counter, members) = (format!("%c{}", way.depth), way.inside(true).members());
        let times = 1 + self.below(4);
        self.line(&format!("mov.u32 {counter}, {times}; mov.b32 {members}, {};", way.members()));
        self.line(&format!("\n{start}:"));
        self.statements(way.inside(true));
        self.line(&format!(
            "sub.s32 {counter}, {counter}, 1; setp.gt.s32 %q, {counter}, 0; @%q bra {start};"
        ));
    }

    /// Three ways at once.
    fn switch(&mut self, way: Way) {
        let labels = [self.label(), self.label(), self.label()];
        let (list, end, index) = (self.label(), self.label(), self.register('w'));
        let [first, second, third] = &labels;
        let members = way.inside(false).members();
        self.line(&format!("{list}: .branchtargets {first}, {second}, {third}, {first};"));
        self.line(&format!(
            "and.b32 %s, {index}, 3; setp.eq.u32 %q, %s, 3; selp.u32 %t, 0, %s, %q;"
        ));
        self.line(&format!(
            "match.any.sync.b32 {members}, %t, {}; brx.idx %s, {list};",
            way.members()
        ));
        for label in &labels {
            self.line(&format!("\n{label}:"));
            self.statements(way.inside(false));
            self.line(&format!("bra {end};"));
        }
        self.line(&format!("\n{end}:"));
    }

    /// Some lanes end here.
    fn leave(&mut self) {
        let (predicate, value) = (self.register('p'), self.register('w'));
        let how = self.one_of(&["exit", "ret"]);
        self.line(&format!("@{predicate} st.global.u32 [%out], {value};"));
        self.line(&format!("@{predicate} {how};"));
    }

    // ---- together ----

    /// Lanes read what others wrote into shared memory.
    fn exchange(&mut self) {
        let (source, target) = (self.register('w'), self.register('w'));
        let (turn, barrier) = (self.below(63) + 1, self.below(3));
        self.line(&format!(
            "bar.sync {barrier}; st.shared.u32 [%own], {source}; bar.sync {barrier};"
        ));
        self.line(&format!(
            "add.s32 %t, %tid, {turn}; rem.u32 %t, %t, %n; shl.b32 %t, %t, 2; add.s32 %t, %t, %sh;"
        ));
        let guard = self.guard();
        self.line(&format!("{guard}ld.shared.u32 {target}, [%t];"));
    }

    fn barrier(&mut self) {
        let (word, yes, answer) = (self.register('w'), self.register('p'), self.register('p'));
        let line = match self.below(4) {
            0 => format!("bar.red.popc.u32 {word}, 0, {yes};"),
            1 => format!("bar.red.and.pred {answer}, 1, !{yes};"),
            2 => format!("barrier.red.or.pred {answer}, 2, {yes};"),
            // what others left in common cells
            _ => format!(
                "bar.sync 0; ld.shared.u32 {word}, [%sh+{}]; bar.sync 0;",
                8192 + 4 * self.below(96)
            ),
        };
        self.line(&line);
    }

    fn warp(&mut self, way: Way) {
        let m = way.members();
        let (d, a, b, p) =
            (self.register('w'), self.register('w'), self.register('w'), self.register('p'));
        let (long, q) = (self.register('l'), self.register('p'));
        let kind = self.one_of(&["up", "down", "bfly", "idx"]);
        let clamp = match (kind, self.below(3)) {
            ("up", 0) => 0x1800,
            ("up", _) => 0,
            (_, 0) => 0x1807,
            (_, 1) => 0x101f,
            _ => 31,
        };
        let line = match self.below(14) {
            0 => format!("vote.sync.ballot.b32 {d}, {p}, {m};"),
            1 => format!("vote.sync.{}.pred {q}, {p}, {m};", self.one_of(&["all", "any", "uni"])),
            2 => format!(
                "redux.sync.{} {d}, {a}, {m};",
                self.one_of(&[
                    "add.s32", "min.s32", "max.u32", "min.u32", "max.s32", "and.b32", "or.b32",
                    "xor.b32"
                ])
            ),
            3 => format!("match.any.sync.b32 {d}, {a}, {m};"),
            4 => format!("match.all.sync.b64 {d}|{p}, {long}, {m};"),
            5 => format!("elect.sync {d}|{p}, {m};"),
            6 => format!("bar.warp.sync {m};"),
            7 => format!("shfl.sync.{kind}.b32 {d}|{p}, {a}, {b}, {clamp}, {m};"),
            8 if way.uniform => format!("bar.warp.sync {m}; activemask.b32 {d};"),
            9 if way.uniform => format!("bar.warp.sync {m}; shfl.{kind}.b32 {d}, {a}, 5, {clamp};"),
            10 if way.uniform => format!("bar.warp.sync {m}; vote.ballot.b32 {d}, {p};"),
            _ => {
                let distance = [1, 2, 3, 4, 8, 16, 21][self.below(7) as usize];
                format!("shfl.sync.{kind}.b32 {d}, {a}, {distance}, {clamp}, {m};")
            }
        };
        self.line(&line);
    }

    // ---- memory ----

    /// An atomic on a cell that is the lane's own, so that its old value does not depend on who comes first.
    fn own_cell(&mut self) {
        let (old, value, other) = (self.register('w'), self.register('w'), self.register('w'));
        let (long, more, guard) = (self.register('l'), self.register('l'), self.guard());
        let line = match self.below(9) {
            0 => format!("atom.shared.add.u32 {old}, [%own+4096], {value};"),
            1 => format!("atom.shared.min.s32 {old}, [%own+4096], {value};"),
            2 => format!("atom.shared.exch.b32 {old}, [%own+4096], {value};"),
            3 => format!("atom.shared.cas.b32 {old}, [%own+4096], {value}, {other};"),
            4 => format!("red.shared.inc.u32 [%own+4096], {value};"),
            5 => format!("atom.shared.add.f32 {old}, [%own+4096], {value};"),
            6 => format!("atom.global.add.u64 {long}, [%out], {more};"),
            7 => format!("atom.global.add.noftz.f16x2 {old}, [%out+8], {value};"),
            _ => format!("atom.global.xor.b32 {old}, [%out+8], {value};"),
        };
        self.line(&format!("{guard}{line}"));
    }

    /// A change of cells that all lanes change, in a way that does not care who comes first.
    fn common_cell(&mut self) {
        let (value, index, guard) = (self.register('w'), self.register('w'), self.guard());
        let kinds = ["add.u32", "min.s32", "max.u32", "and.b32", "or.b32", "xor.b32"];
        let kind = self.below(6);
        let name = kinds[kind as usize];
        let at = 64 * kind;
        let constant = self.below(2) == 0;
        self.line(&if constant {
            "mov.u32 %t, 4;".into()
        } else {
            format!("and.b32 %t, {index}, 60;")
        });
        let line = match self.below(2) {
            0 => format!(
                "add.s32 %t, %t, %sh; {guard}red.shared.{name} [%t+{}], {value};",
                8192 + at
            ),
            _ => format!(
                "cvt.u64.u32 %a, %t; add.s64 %a, %a, %common; {guard}red.global.{name} [%a+{at}], {value};"
            ),
        };
        self.line(&line);
    }

    /// An array in local memory, at an index that lanes share or do not.
    fn local(&mut self) {
        let (index, value, target) = (self.register('w'), self.register('w'), self.register('w'));
        let (long, guard) = (self.register('l'), self.guard());
        self.line(&format!(
            "and.b32 %t, {index}, 7; cvt.u64.u32 %a, %t; shl.b64 %a, %a, 3; add.s64 %a, %a, %frame;"
        ));
        let line = match self.below(6) {
            0 => format!("{guard}st.local.u32 [%a], {value}; ld.local.u32 {target}, [%a+4];"),
            1 => format!("st.local.u64 [%a], {long}; {guard}ld.local.u16 {target}, [%a+2];"),
            2 => format!(
                "{guard}st.local.u32 [%frame+8], {value}; ld.local.v2.u32 {{{target}, %t}}, [%frame+8];"
            ),
            3 => format!(
                "and.b64 %a, %a, -16; {guard}st.local.v4.u32 [%a], {{{value}, %tid, {index}, 9}}; ld.local.s8 {target}, [%a+5];"
            ),
            4 => format!(
                "cvta.local.u64 %a, %a; {guard}st.u32 [%a+4], {value}; ld.u32 {target}, [%a];"
            ),
            _ => format!("{guard}st.local.u8 [%a+3], {value}; {guard}ld.local.u64 {long}, [%a];"),
        };
        self.line(&line);
    }

    /// The input at an index of the lane's own making.
    fn global(&mut self) {
        let (index, word, long) = (self.register('w'), self.register('w'), self.register('l'));
        let (other, more) = (format!("%r{}", self.below(WORDS)), self.register('l'));
        let guard = self.guard();
        self.line(&format!(
            "and.b32 %t, {index}, 60; mul.wide.u32 %a, %t, 4; add.s64 %a, %a, %in;"
        ));
        let line = match self.below(8) {
            0 => format!("ld.global.u32 {word}, [%a];"),
            1 => format!("ld.global.s8 {word}, [%a+1];"),
            2 => format!("ld.global.u64 {long}, [%a];"),
            3 if word != other => format!("ld.global.v2.u32 {{{word}, {other}}}, [%a+8];"),
            4 if word != other => format!("ld.global.v4.f32 {{{word}, _, {other}, _}}, [%a];"),
            5 if long != more => format!("ld.global.nc.v2.u64 {{{long}, {more}}}, [%a];"),
            6 => format!("ld.global.u32 {word}, [%in+{}];", 4 * self.below(60)),
            _ => format!("ld.global.nc.s16 {long}, [%a+2];"),
        };
        self.line(&format!("{guard}{line}"));
    }

    /// A place of the lane's own behind its results.
    fn own_place(&mut self) {
        let (word, long, half) = (self.register('w'), self.register('l'), self.register('h'));
        let (other, guard) = (self.register('w'), self.guard());
        let line = match self.below(6) {
            0 => format!("st.global.v4.u32 [%place], {{{word}, {other}, 5, {word}}};"),
            1 => format!("st.global.v2.b64 [%place+16], {{{long}, {long}}};"),
            2 => format!("st.global.u8 [%place+{}], {word};", self.below(32)),
            3 => format!("st.global.u16 [%place+{}], {half};", 2 * self.below(16)),
            4 => format!("ld.global.u32 {word}, [%place+{}];", 4 * self.below(8)),
            _ => format!("st.global.f64 [%place+8], {long};"),
        };
        self.line(&format!("{guard}{line}"));
    }

    fn call(&mut self) {
        let (a, b, d) = (self.register('w'), self.register('w'), self.register('w'));
        let (p, guard) = (self.register('p'), self.guard());
        let line = match self.below(3) {
            0 => format!("and.b32 %t, {a}, 3; st.param.b32 [pa], %t; st.param.b32 [pb], {b}; call (pr), deep, (pa, pb);"),
            1 => format!("st.param.b32 [pa], {a}; st.param.b32 [pb], {b}; call (pr), mix, (pa, pb);"),
            _ => format!(
                "mov.u64 %a, mix; mov.u64 %e, sum; selp.b64 %a, %a, %e, {p}; st.param.b32 [pa], {a}; st.param.b32 [pb], {b};
  call (pr), %a, (pa, pb), proto;"
            ),
        };
        self.line(&format!("{line} {guard}ld.param.b32 {d}, [pr];"));
    }
}

/// A whole program of `length` statements from a seed.
pub(crate) fn program(seed: u64, length: u32) -> String {
    program_of(seed, |writer| {
        writer.left = length;
        while writer.left > 0 {
            writer.statements(Way { depth: DEPTH, uniform: true });
        }
    })
}

/// A program whose registers are set, used by `body`, and written out.
pub(crate) fn program_of(seed: u64, body: impl FnOnce(&mut Writer)) -> String {
    let noise = Noise(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let manual = of_the_manual();
    let mut writer = Writer { noise, manual, text: String::new(), labels: 0, left: 0 };
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
        writer.line(&format!("{line};"));
    }
    for register in 0..LONGS {
        writer.line(&format!("mul.wide.s32 %d{register}, %r{register}, {};", 3 + register));
    }
    for register in 0..HALVES {
        writer.line(&format!("cvt.u16.u32 %h{register}, %r{register};"));
    }
    for register in 0..PREDICATES {
        writer.line(&format!("setp.lt.s32 %p{register}, %r{register}, {};", 9 * register));
    }
    body(&mut writer);
    format!(
        ".version 8.7\n.target sm_80\n.address_size 64\n{FUNCTIONS}
.visible .entry k(.param .u64 out, .param .u64 in, .param .u64 common)
{{
  .reg .b32 %r<{WORDS}>; .reg .b64 %d<{LONGS}>; .reg .b16 %h<{HALVES}>; .reg .pred %p<{PREDICATES}>;
  .reg .b32 %c<4>; .reg .b32 %m<4>; .reg .pred %q; .reg .b32 %t, %s, %tid, %n, %sh, %own;
  .reg .b64 %a, %e, %in, %out, %place, %frame, %common;
  .shared .align 16 .b8 box[{}]; .local .align 16 .b8 own[80];
  .param .b32 pa; .param .b32 pb; .param .b32 pr;
proto: .callprototype (.param .b32 _) _ (.param .b32 _, .param .b32 _);
  ld.param.u64 %out, [out]; ld.param.u64 %in, [in]; ld.param.u64 %common, [common];
  mov.u32 %t, %tid.z; mov.u32 %tid, %ntid.y; mov.u32 %n, %tid.y; mad.lo.s32 %t, %t, %tid, %n;
  mov.u32 %tid, %ntid.x; mov.u32 %n, %tid.x; mad.lo.s32 %tid, %t, %tid, %n;
  mov.u32 %n, %ntid.x; mov.u32 %t, %ntid.y; mul.lo.s32 %n, %n, %t; mov.u32 %t, %ntid.z; mul.lo.s32 %n, %n, %t;
  mov.u32 %sh, box; shl.b32 %own, %tid, 2; add.s32 %own, %own, %sh; mov.u64 %frame, own; mov.b32 %m3, -1;
  mov.u32 %t, %ctaid.x; mad.lo.s32 %t, %t, %n, %tid; mul.wide.u32 %a, %t, {LANE_BYTES};
  add.s64 %out, %out, %a; add.s64 %place, %out, {REGISTER_BYTES};
{}{}  ret;\n}}\n",
        8192 + COMMON_BYTES,
        writer.text,
        results()
    )
}

/// All registers, written out.
fn results() -> String {
    let mut at = 0;
    let mut text = String::new();
    for register in 0..LONGS {
        writeln!(text, "  st.global.u64 [%out+{at}], %d{register};").expect("text");
        at += 8;
    }
    for register in 0..WORDS {
        writeln!(text, "  st.global.u32 [%out+{at}], %r{register};").expect("text");
        at += 4;
    }
    for register in 0..HALVES {
        writeln!(text, "  cvt.u32.u16 %t, %h{register}; st.global.u32 [%out+{at}], %t;")
            .expect("text");
        at += 4;
    }
    for register in 0..PREDICATES {
        writeln!(text, "  selp.u32 %t, 1, 0, %p{register}; st.global.u32 [%out+{at}], %t;")
            .expect("text");
        at += 4;
    }
    text
}
