//! Spaces and names: addresses of variables, constant memory and parameters, 128 bits, generic addresses and back.

use super::oracle::Wanted;
use super::oracle::edges::Noise;
use super::oracle::statement::{Kind, Operand, Statement, register_bits};
use super::story::Story;

const THREADS: usize = 45;

/// The variables of a story: `global`, `constant` and `parameter` hold the bytes 0, 1, 2 and so on.
const SPACES: [(&str, &str); 5] = [
    ("global", "global"),
    ("const", "constant"),
    ("param", "parameter"),
    ("shared", "shared"),
    ("local", "local"),
];

/// The story of a form, if it is one of these.
pub(crate) fn story(form: &str) -> Option<Story> {
    let story = Story::of(THREADS);
    let (name, _) = form.split_once(['.', ' '])?;
    match name {
        "cvta" => Some(converted(story, form)),
        "isspacep" => Some(told_apart(story, form)),
        "mov" if form.contains("%q0") => Some(moved_wide(story, form)),
        "mov" => address(story, form),
        "ld" | "st" if form.contains(".b128") => Some(wide(story, form)),
        "ld" if form.contains("[%d") => read_only(story, form),
        "ld" | "st" | "atom" => named(story, form),
        _ => None,
    }
}

/// Four bytes of a variable from there on.
fn word(at: u64) -> u64 {
    (0..4).fold(0, |word, i| word | ((at + i) & 0xff) << (8 * i))
}

/// `ld.const` and `ld.param` through a register, at places that threads do not share.
fn read_only(mut story: Story, form: &str) -> Option<Story> {
    let (before, rest) = form.split_once('[')?;
    let (place, _) = rest.split_once(']')?;
    let (register, offset) = place.split_once('+').unwrap_or((place, "0"));
    let offset: i64 = offset.parse().ok()?;
    let statement = Statement::read(&format!("{}, 0", before.trim_end().trim_end_matches(',')))?;
    let space = ["const", "param"].into_iter().find(|space| statement.has(space))?;
    let variable = if space == "const" { "constant" } else { "parameter" };
    let start = |thread: usize| 64 + 16 * (thread as u64 % 4);
    story.input("%d12", start);
    story.line(&format!(
        "mov.u64 {register}, {variable}; add.s64 {register}, {register}, %d12; {form};"
    ));
    let ty = *statement.types().first()?;
    for (i, name) in statement.results.iter().flat_map(Operand::registers).enumerate() {
        let Some(name) = name else { continue };
        let width = register_bits(name);
        let bytes = u64::from(ty.bits / 8);
        story.output(name, |thread| {
            let at = start(thread).wrapping_add_signed(offset) + i as u64 * bytes;
            let raw = (0..bytes).fold(0, |word, i| word | ((at + i) & 0xff) << (8 * i));
            let up = 64 - ty.bits;
            let value = match ty.kind {
                Kind::Signed => ((raw << up).cast_signed() >> up).cast_unsigned(),
                _ => raw,
            };
            Wanted::Bits(value & (u64::MAX >> (64 - width)))
        });
    }
    Some(story)
}

fn halves(story: &Story, form: &str) -> (Vec<u64>, Vec<u64>) {
    let mut noise = Noise::of(form);
    let mut column = || (0..story.threads()).map(|_| noise.next() << 3).collect();
    (column(), column())
}

/// 128 bits to memory and back, one of the two by the form.
fn wide(mut story: Story, form: &str) -> Story {
    let (low, high) = halves(&story, form);
    let zeros = |_| Wanted::Anything;
    let space = if form.contains(".shared") { "shared" } else { "global" };
    let place = story.place(zeros);
    story.place(zeros);
    story.input("%d2", |thread| low[thread]);
    story.input("%d3", |thread| high[thread]);
    story.line(&if space == "shared" {
        "mov.u64 %d1, shared; mul.wide.u32 %d12, %r31, 16; add.s64 %d1, %d1, %d12;".to_owned()
    } else {
        // two columns of the output, taken as sixteen bytes for each thread
        format!("mul.wide.u32 %d12, %r31, 8; add.s64 %d1, %d15, %d12; add.s64 %d1, %d1, {place};")
    });
    if form.starts_with("st") {
        story.line(&format!(
            "mov.b128 %q0, {{%d2, %d3}}; {form}; ld.{space}.v2.b64 {{%d4, %d5}}, [%d1];"
        ));
    } else {
        story.line(&format!(
            "st.{space}.v2.b64 [%d1], {{%d2, %d3}}; {form}; mov.b128 {{%d4, %d5}}, %q0;"
        ));
    }
    story.output("%d4", |thread| Wanted::Bits(low[thread]));
    story.output("%d5", |thread| Wanted::Bits(high[thread]));
    story
}

fn moved_wide(mut story: Story, form: &str) -> Story {
    let (low, high) = halves(&story, form);
    story.input("%d0", |thread| low[thread]);
    story.input("%d1", |thread| high[thread]);
    story.line(&if form.starts_with("mov.b128 %q0") {
        format!("{form}; mov.b128 {{%d2, %d3}}, %q0;")
    } else {
        format!("mov.b128 %q0, {{%d0, %d1}}; mov.u64 %d0, 0; {form}; mov.b64 %d2, %d0; mov.b64 %d3, %d1;")
    });
    story.output("%d2", |thread| Wanted::Bits(low[thread]));
    story.output("%d3", |thread| Wanted::Bits(high[thread]));
    story
}

/// The address of a variable is where its bytes are; a function's is where it can be called.
fn address(mut story: Story, form: &str) -> Option<Story> {
    let (_, name) = form.split_once(", ")?;
    let register = if form.starts_with("mov.u64") { "%d0" } else { "%r0" };
    if name == "twice" {
        story.line(&format!("{form}; st.param.b32 [word], %r31; call (result), %d0, (word), prototype; ld.param.b32 %r5, [result];"));
        story.output("%r5", |thread| Wanted::Bits(2 * thread as u64));
        return Some(story);
    }
    let (variable, offset) = match name {
        "global+16" | "global[16]" => ("global", 16),
        name => (name, 0),
    };
    let (space, _) = SPACES.into_iter().find(|(_, known)| *known == variable)?;
    let is_written = ["shared", "local"].contains(&space);
    if is_written {
        story.line(&format!("st.{space}.u32 [{variable}], {};", word(0)));
    }
    story.line(&format!("{form}; ld.{space}.u32 %r5, [{register}];"));
    story.output("%r5", |_| Wanted::Bits(word(offset)));
    Some(story)
}

/// Accesses that name their variable.
fn named(mut story: Story, form: &str) -> Option<Story> {
    let plain = |story: &mut Story, register: &str, at: u64| {
        story.line(&format!("{form};"));
        story.output(register, |_| Wanted::Bits(word(at)));
    };
    match form {
        "ld.global.u32 %r0, [global+16]" | "ld.global.f32 %r0, [global+16]" => {
            plain(&mut story, "%r0", 16);
        }
        "ld.const.f32 %f0, [constant]" => plain(&mut story, "%f0", 0),
        "ld.const.f32 %f0, constant[4]" => plain(&mut story, "%f0", 4),
        "ld.param.u32 %r0, [parameter+4]" => plain(&mut story, "%r0", 4),
        "ld.param.u32 %r0, [word]" => {
            story.line(&format!("st.param.b32 [word], %r31; {form};"));
            story.output("%r0", |thread| Wanted::Bits(thread as u64));
        }
        "st.param.b32 [word], %r0" => {
            story.line(&format!("mov.b32 %r0, %r31; {form}; ld.param.b32 %r1, [word];"));
            story.output("%r1", |thread| Wanted::Bits(thread as u64));
        }
        "atom.shared.add.u32 _, [%r0+4], 1" => {
            story.line(
                "mov.u32 %r0, shared; mov.u32 %r1, 5; st.shared.u32 [%r0+4], %r1; bar.sync 0;",
            );
            story.line(&format!("{form}; bar.sync 0; ld.shared.u32 %r1, [shared+4];"));
            story.output("%r1", |_| Wanted::Bits(5 + THREADS as u64));
        }
        _ => {
            let (before, rest) = form.split_once('[')?;
            let (place, _) = rest.split_once(']')?;
            let at = match place {
                "shared+4" => 4,
                "%r1" => 0,
                "%r1+8" => 8,
                _ => return None,
            };
            story.line("mov.u32 %r1, shared; mov.b32 %f0, 0x3fc00000;");
            if before.starts_with("ld") {
                story
                    .line(&format!("st.shared.u32 [shared+{at}], 0x40200000; bar.sync 0; {form};"));
                story.output("%f0", |_| Wanted::Bits(0x4020_0000));
            } else {
                story.line(&format!("{form}; bar.sync 0; ld.shared.u32 %r2, [shared+{at}];"));
                story.output("%r2", |_| Wanted::Bits(0x3fc0_0000));
            }
        }
    }
    Some(story)
}

/// The variable of the space that a form names.
fn variable_of(form: &str) -> (&'static str, &'static str) {
    let words: Vec<&str> = form.split(['.', ' ', ':']).collect();
    SPACES.into_iter().find(|(space, _)| words.contains(space)).unwrap()
}

/// A generic address reads what the space's own does, and the other way round.
fn converted(mut story: Story, form: &str) -> Story {
    let (space, variable) = variable_of(form);
    if ["shared", "local"].contains(&space) {
        story.line(&format!("st.{space}.u32 [{variable}+8], {}; bar.sync 0;", word(8)));
    }
    let back = form.contains(".to.");
    if back {
        story.line(&format!("mov.u64 %d2, {variable}; cvta.{space}.u64 %d1, %d2; {form}; ld.{space}.u32 %r5, [%d0+8];"));
    } else {
        story.line(&format!("mov.u64 %d1, {variable}; {form}; ld.u32 %r5, [%d0+8];"));
    }
    story.output("%r5", |_| Wanted::Bits(word(8)));
    story
}

fn told_apart(mut story: Story, form: &str) -> Story {
    let (space, _) = variable_of(form);
    for (other, variable) in SPACES {
        story.line(&format!("mov.u64 %d1, {variable}; cvta.{other}.u64 %d0, %d1; {form};"));
        story.output("%p0", |_| Wanted::Bits((other == space).into()));
    }
    story
}
