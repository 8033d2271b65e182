//! Barriers of blocks and warps, and fences: what others wrote before is read behind, by threads that came first.

use super::oracle::Wanted;
use super::oracle::edges::Noise;
use super::story::Story;

const WARP: usize = 32;
/// Four warps; where a barrier counts, only two of them come.
const THREADS: usize = 128;

/// Lets the second warp come late: it goes round a loop first.
const LATE: &str = "mov.u32 %r20, 0; setp.lt.u32 %p5, %r31, 32; @%p5 bra early;
late: add.u32 %r20, %r20, 1; setp.lt.u32 %p5, %r20, 50; @%p5 bra late;
early:";

/// The story of a form, if it is one of barriers or fences.
pub(crate) fn story(form: &str) -> Option<Story> {
    let words: Vec<&str> = form.split(['.', ' ']).collect();
    match words[0] {
        "membar" | "fence" => Some(told(form)),
        "bar" if words[1] == "warp" => Some(in_warp(form)),
        "bar" | "barrier" if words.contains(&"red") => Some(reduced(form)),
        "bar" | "barrier" if words.contains(&"arrive") => Some(arrived(form)),
        "bar" | "barrier" => Some(met(form)),
        _ => None,
    }
}

/// The operands: a barrier's number, and how many threads it waits for, if it says so.
fn counts(form: &str) -> bool {
    let operands = form.split_once(' ').map_or("", |(_, operands)| operands);
    let parts = operands.split(", ").filter(|part| !part.contains('p')).count();
    parts > if form.contains(".red.popc") { 2 } else { 1 }
}

fn registers(story: &mut Story, form: &str) {
    let count = if counts(form) { 64 } else { 5 };
    // in a register, the first is the barrier where there are two, the only one what is missing
    let (first, second) = if form.contains("%r1") { (5, 64) } else { (count, 64) };
    if form.contains(".red.") && form.contains("%r2") {
        story.line("mov.u32 %r1, 5; mov.u32 %r2, 64;");
    } else {
        story.line(&format!("mov.u32 %r0, {first}; mov.u32 %r1, {second};"));
    }
}

/// Whether a thread comes to the barrier.
fn comes(form: &str, thread: usize) -> bool {
    !counts(form) || thread < 2 * WARP
}

/// Writes a word of its own, which another warp reads.
fn write_own(story: &mut Story) {
    story.line("mov.u32 %r21, shared; mad.lo.u32 %r21, %r31, 4, %r21; add.u32 %r22, %r31, 1000;");
    story.line("st.shared.u32 [%r21], %r22;");
}

const READ_OTHER: &str = "xor.b32 %r23, %r31, 32; shl.b32 %r23, %r23, 2; mov.u32 %r24, shared; add.u32 %r23, %r23, %r24; ld.shared.u32 %r25, [%r23];";

fn met(form: &str) -> Story {
    let mut story = Story::of(THREADS);
    registers(&mut story, form);
    story.line("mov.u32 %r25, 0;");
    if counts(form) {
        story.line("setp.ge.u32 %p6, %r31, 64; @%p6 bra away;");
    }
    story.line(LATE);
    write_own(&mut story);
    story.line(&format!("{form};\n{READ_OTHER}\naway:"));
    story.output("%r25", |thread| {
        Wanted::Bits(if comes(form, thread) { (thread as u64 ^ 32) + 1000 } else { 0 })
    });
    story
}

/// The second warp writes, says so, and goes on; the first waits for it.
fn arrived(form: &str) -> Story {
    let mut story = Story::of(THREADS);
    let wait = if form.contains('%') { "barrier.sync %r0, %r1" } else { "bar.sync 1, 64" };
    registers(&mut story, form);
    story.line("mov.u32 %r25, 7; setp.ge.u32 %p6, %r31, 64; @%p6 bra away;");
    story.line(LATE);
    write_own(&mut story);
    story.line("setp.lt.u32 %p6, %r31, 32; @%p6 bra waits;");
    story.line(&format!("{form};\nbra away;\nwaits: {wait};\n{READ_OTHER}\naway:"));
    story.output("%r25", |thread| {
        Wanted::Bits(if thread < WARP { thread as u64 + 1032 } else { 7 })
    });
    story
}

fn reduced(form: &str) -> Story {
    let mut story = Story::of(THREADS);
    let mut noise = Noise::of(form);
    for round in 0..4u64 {
        let holds: Vec<bool> = (0..THREADS)
            .map(|_| match round {
                0 => true,
                1 => false,
                _ => noise.next().is_multiple_of(round),
            })
            .collect();
        registers(&mut story, form);
        story.input("%p0", |thread| holds[thread].into());
        story.line("setp.ne.u32 %p1, 0, 0;");
        if !form.contains("%r2") {
            story.line("mov.u32 %r0, 0;");
        }
        if counts(form) {
            story
                .line(&format!("mov.u32 %r0, 0; setp.ge.u32 %p6, %r31, 64; @%p6 bra away{round};"));
        }
        story.line(&format!("{form};\naway{round}:"));
        let negated = form.contains("!%p0");
        let asked = || (0..THREADS).filter(|thread| comes(form, *thread));
        let yes = asked().filter(|thread| holds[*thread] != negated).count();
        let result = match () {
            () if form.contains("popc") => yes as u64,
            () if form.contains(".and") => u64::from(yes == asked().count()),
            () => u64::from(yes > 0),
        };
        let register = if form.contains("popc") { "%r0" } else { "%p1" };
        story.output(register, |thread| Wanted::Bits(if comes(form, thread) { result } else { 0 }));
    }
    story
}

/// Every second lane goes another way, and both meet their own.
fn in_warp(form: &str) -> Story {
    let mut story = Story::of(THREADS);
    let by_mask = form.contains("%r0");
    let inside = |thread: usize| !by_mask || thread.is_multiple_of(2);
    story.input("%r0", |thread| if thread.is_multiple_of(2) { 0x5555_5555 } else { 0xaaaa_aaaa });
    story.input("%p6", |thread| inside(thread).into());
    let exchange = |label: &str| {
        format!(
            "mov.u32 %r21, shared; mad.lo.u32 %r21, %r31, 4, %r21; add.u32 %r22, %r31, 1000; st.shared.u32 [%r21], %r22;
            {form}; xor.b32 %r23, %r31, 2; shl.b32 %r23, %r23, 2; mov.u32 %r24, shared; add.u32 %r23, %r23, %r24;
            ld.shared.u32 %r25, [%r23];\n{label}:"
        )
    };
    story.line(&format!("@!%p6 bra other; {}", exchange("one")));
    story.line("bra.uni both;\nother:");
    story.line(&if by_mask { exchange("two") } else { String::new() });
    story.line("both:");
    story.output("%r25", |thread| Wanted::Bits((thread as u64 ^ 2) + 1000));
    story
}

/// A word, a fence, a flag: who sees the flag sees the word.
fn told(form: &str) -> Story {
    let mut story = Story::of(THREADS);
    let word = story.place(|thread| Wanted::Bits(thread as u64 * 3));
    story.line("mov.u32 %r25, 0; mov.u32 %r21, shared; setp.lt.u32 %p6, %r31, 32; @%p6 bra asks;");
    story.line("xor.b32 %r20, %r31, 32; mad.lo.u32 %r20, %r20, 4, %r21; mul.lo.u32 %r22, %r31, 3;");
    story.line(&format!("cvt.u64.u32 %d1, %r22; st.global.b64 [%d15+{word}], %d1;"));
    story.line(&format!("{form}; st.volatile.shared.u32 [%r20], 1; bra done;"));
    story.line(&format!(
        "asks: cvt.u64.u32 %d1, %r31; mul.lo.u64 %d1, %d1, 3; st.global.b64 [%d15+{word}], %d1;"
    ));
    story.line("mad.lo.u32 %r20, %r31, 4, %r21;\nagain: ld.volatile.shared.u32 %r22, [%r20]; setp.eq.u32 %p6, %r22, 0; @%p6 bra again;");
    story.line(&format!("{form}; ld.volatile.global.b32 %r25, [%d15+{}];\ndone:", word + 8 * WARP));
    story.output("%r25", |thread| {
        Wanted::Bits(if thread < WARP { (thread as u64 + 32) * 3 } else { 0 })
    });
    story
}
