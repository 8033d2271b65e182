//! `cp.async`: so many bytes from global into shared memory, zeros for what the source is short of, nothing beside it.

use super::oracle::Wanted;
use super::oracle::edges::Noise;
use super::oracle::statement::{Operand, Statement};
use super::story::Story;

const THREADS: usize = 64;
/// What the cell holds before.
const BEFORE: u64 = 0xaaaa_aaaa_aaaa_aaaa;

/// The story of a form, if it is one of such copies.
pub(crate) fn story(form: &str) -> Option<Story> {
    if !form.starts_with("cp.async") || form.contains("mbarrier") {
        return None;
    }
    let mut story = Story::of(THREADS);
    let mut noise = Noise::of(form);
    let statement = Statement::read(&form.replace(['[', ']'], ""));
    let copy = statement.filter(|statement| statement.sources.len() > 1);
    let bytes = copy.as_ref().map_or(16, |copy| match copy.sources[1] {
        Operand::Constant(bytes) => bytes as usize,
        _ => 0,
    });
    let source: Vec<u64> = (0..2 * THREADS).map(|_| noise.next() << 3).collect();
    let at = story.memory(&source);
    let sizes: Vec<u64> = (0..THREADS).map(|_| noise.next() % (bytes as u64 + 1)).collect();
    let ignored: Vec<bool> = (0..THREADS).map(|_| noise.next().is_multiple_of(2)).collect();
    story.line("mov.u32 %r28, shared; mad.lo.u32 %r28, %r31, 16, %r28;");
    story.line(&format!("mov.u64 %d12, {BEFORE:#x}; st.shared.v2.b64 [%r28], {{%d12, %d12}};"));
    story.line(&format!(
        "ld.param.u64 %d0, [in]; mul.wide.u32 %d12, %r31, 16; add.s64 %d0, %d0, %d12; add.s64 %d0, %d0, {at};"
    ));
    story.input("%r1", |thread| sizes[thread]);
    story.input("%p0", |thread| ignored[thread].into());
    story.line("mov.u32 %r0, %r28; cvt.u64.u32 %d1, %r28;");
    let plain = "cp.async.cg.shared.global [%r0], [%d0], 16";
    let own = if copy.is_some() { form } else { plain };
    story.line(&format!("{own};"));
    if form.contains("wait") {
        story.line(&format!("cp.async.commit_group; {form};"));
    } else if form.contains("commit") {
        story.line(&format!("{form}; cp.async.wait_group 0;"));
    }
    story.line("cp.async.wait_all;");
    let taken = |thread: usize| match copy.as_ref().and_then(|copy| copy.sources.get(2)) {
        Some(Operand::Register { name, .. }) if name == "%r1" => sizes[thread] as usize,
        Some(Operand::Register { name, negated, .. }) if name == "%p0" => {
            if ignored[thread] != *negated { 0 } else { bytes }
        }
        _ => bytes,
    };
    for part in 0..2 {
        story.line(&format!("ld.shared.b64 %d12, [%r28+{}];", 8 * part));
        story.output("%d12", |thread| {
            let byte = |i: usize| match 8 * part + i {
                at if at < taken(thread) => source[2 * thread + part] >> (8 * i) & 0xff,
                at if at < bytes => 0,
                _ => BEFORE & 0xff,
            };
            Wanted::Bits((0..8).fold(0, |word, i| word | byte(i) << (8 * i)))
        });
    }
    Some(story)
}
