//! Where lanes go: branches, indexed branches, calls, returns, ends; and the functions that a text may leave undefined.

use super::oracle::Wanted;
use super::story::Story;

const THREADS: usize = 45;

/// Which threads have the predicate.
fn holds(thread: usize) -> bool {
    thread % 3 == 1
}

/// The story of a form, if it is one of control.
pub(crate) fn story(form: &str) -> Option<Story> {
    let guarded = form.starts_with('@');
    let bare = form.split_once(' ').map_or("", |(_, rest)| rest);
    let bare = if guarded { bare } else { form };
    let mut story = Story::of(THREADS);
    story.input("%p0", |thread| holds(thread).into());
    let negated = form.starts_with("@!");
    let goes = |thread: usize| !guarded || holds(thread) != negated;
    match bare.split(['.', ' ']).next()? {
        "bra" | "ret" | "exit" => gone(&mut story, form, goes),
        "brx" => by_index(&mut story, form),
        "call" if form.contains("twice") || form.contains("%d0") => called(&mut story, form, goes),
        "call" => library(&mut story, form),
        "trap" | "brkpt" => {
            story.line(&format!("{form};"));
            story.faults(if form == "trap" { "trap" } else { "breakpoint" });
        }
        _ => return None,
    }
    Some(story)
}

/// What stands behind it is done by those who stay.
fn gone(story: &mut Story, form: &str, goes: impl Fn(usize) -> bool) {
    story.line("mov.u32 %r1, 1; mov.u32 %r2, 2;");
    story.output("%r1", |thread| Wanted::Bits(if goes(thread) { 1 } else { 2 }));
    story.line(&format!("{form}; st.global.u32 [%d15], %r2;"));
}

/// Two ways: one leaves 77, the other what was there.
fn by_index(story: &mut Story, form: &str) {
    story.line("mov.u32 %r1, 1;");
    story.output("%r1", |thread| Wanted::Bits(if holds(thread) { 1 } else { 77 }));
    story.line(&format!("selp.u32 %r0, 1, 0, %p0; {form}; st.global.u32 [%d15], %r31;"));
}

fn called(story: &mut Story, form: &str, goes: impl Fn(usize) -> bool) {
    story.input("%r1", |thread| thread as u64 + 0x8000_0000);
    story.line(
        "mov.u32 %r2, 5; st.param.b32 [result], %r2; st.param.b32 [word], %r1; mov.u64 %d0, twice;",
    );
    story.line(&format!("{form}; ld.param.b32 %r0, [result];"));
    story.output("%r0", |thread| Wanted::Bits(if goes(thread) { 2 * thread as u64 } else { 5 }));
}

fn library(story: &mut Story, form: &str) {
    // "%d" and a line's end, and what it is to print
    story.line("st.local.u32 [local], 0x000a6425; st.local.u32 [local+8], %r31; mov.u64 %d1, local; cvta.local.u64 %d1, %d1;");
    if form.contains("malloc") || form.contains("free") {
        story.line("st.param.b64 [first], 16; call (pointer), malloc, (first); ld.param.b64 %d2, [pointer];");
        story.line("st.u32 [%d2+12], %r31; ld.u32 %r0, [%d2+12];");
        story.output("%r0", |thread| Wanted::Bits(thread as u64));
        if form.contains("malloc") {
            story.line(&format!(
                "{form}; ld.param.b64 %d3, [pointer]; st.u32 [%d3+12], 9; ld.u32 %r0, [%d2+12];"
            ));
            story.output("%r0", |thread| Wanted::Bits(thread as u64));
        } else {
            story.line(&format!("{form};"));
        }
        return;
    }
    story.line("add.s64 %d2, %d1, 8; st.param.b64 [first], %d1; st.param.b64 [second], %d2; st.param.b64 [pointer], %d1; st.param.b32 [word], 12;");
    story.line("setp.ne.u32 %p1, %r31, 41; @%p1 bra quiet;");
    story.line(&format!("{form};\nquiet:"));
    if form.contains("vprintf") {
        story.prints("41\n");
    } else {
        story.faults("thread (41,0,0) PTX line");
    }
}
