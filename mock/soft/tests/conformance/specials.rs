//! Special registers, constants in instructions, and what only hints: nothing else may change.

use super::oracle::Wanted;
use super::story::Story;

const THREADS: usize = 45;
const WARP: u64 = 32;
/// What a story declares.
const SHARED_BYTES: u64 = 8192;

/// The story of a form, if it is one of these.
pub(crate) fn story(form: &str) -> Option<Story> {
    let mut story = Story::of(THREADS);
    if let Some((_, name)) = form.split_once(", %").filter(|_| form.starts_with("mov.")) {
        return special(&mut story, form, name).then_some(story);
    }
    match form {
        "mov.f32 %f0, 0f3F800000" => return Some(constant(story, form, "%f0", 0x3f80_0000)),
        "mov.f64 %fd0, 0d3FF0000000000000" => {
            return Some(constant(story, form, "%fd0", 0x3ff0_0000_0000_0000));
        }
        _ => {}
    }
    let hints = [
        "prefetch",
        "prefetchu",
        "discard",
        "applypriority",
        "createpolicy",
        "nanosleep",
        "griddepcontrol",
        "pmevent",
    ];
    hints.contains(&form.split(['.', ' ']).next()?).then(|| hinted(story, form))
}

fn constant(mut story: Story, form: &str, register: &str, bits: u64) -> Story {
    story.line(&format!("{form};"));
    story.output(register, |_| Wanted::Bits(bits));
    story
}

/// A place of the thread's own is as it was, and all others go on.
fn hinted(mut story: Story, form: &str) -> Story {
    let at = story.column(|thread| thread as u64 + 7);
    let local = if form.contains(".local") { "mov.u64 %d0, local;" } else { "" };
    story.line(&format!(
        "add.s64 %d0, %d14, {at}; mov.b64 %d1, %d0; mov.u32 %r0, 8; mov.u32 %r1, 8; {local} {form};"
    ));
    story.line(&format!("ld.global.b64 %d2, [%d14+{at}];"));
    story.output("%d2", |thread| Wanted::Bits(thread as u64 + 7));
    story
}

/// Whether there is such a register, and its story.
fn special(story: &mut Story, form: &str, name: &str) -> bool {
    let destination = form.split([' ', ',']).nth(1).unwrap_or("");
    let threads = THREADS as u64;
    let lane = |thread: usize| thread as u64 % WARP;
    let word = |bits: u64| Wanted::Bits(bits & 0xffff_ffff);
    if name.starts_with("clock") || name.starts_with("globaltimer") {
        // time does not run backwards
        let [first, class] = if destination == "%d0" { ["%d1", "u64"] } else { ["%r1", "u32"] };
        story.line(&format!("{}; {form};", form.replace(destination, first)));
        story.line(&format!("setp.ge.{class} %p1, {destination}, {first};"));
        story.output("%p1", |_| Wanted::Bits(1));
        return true;
    }
    let wanted: Box<dyn Fn(usize) -> Wanted> = match name {
        "tid.x" => Box::new(|thread| Wanted::Bits(thread as u64)),
        "laneid" => Box::new(move |thread| Wanted::Bits(lane(thread))),
        "warpid" => Box::new(|thread| Wanted::Bits(thread as u64 / WARP)),
        "nwarpid" => Box::new(move |_| Wanted::Bits(threads.div_ceil(WARP))),
        "ntid.x" => Box::new(move |_| Wanted::Bits(threads)),
        "nctaid.x" | "nclusterid.x" | "cluster_nctaid.x" | "cluster_nctarank" => {
            Box::new(|_| Wanted::Bits(1))
        }
        "lanemask_eq" => Box::new(move |thread| word(1 << lane(thread))),
        "lanemask_le" => Box::new(move |thread| word((2 << lane(thread)) - 1)),
        "lanemask_lt" => Box::new(move |thread| word((1 << lane(thread)) - 1)),
        "lanemask_ge" => Box::new(move |thread| word(!((1 << lane(thread)) - 1))),
        "lanemask_gt" => Box::new(move |thread| word(!((2 << lane(thread)) - 1))),
        "total_smem_size" | "aggr_smem_size" => {
            // what nobody names is not there
            story.line("mov.u32 %r1, shared;");
            Box::new(|_| Wanted::Bits(SHARED_BYTES))
        }
        // which number the launch has is nobody's business, but it has one
        "gridid" => {
            story.line("mov.u64 %d0, %gridid; mov.u64 %d1, %gridid; setp.eq.u64 %p1, %d0, %d1;");
            story.output("%p1", |_| Wanted::Bits(1));
            return true;
        }
        // which multiprocessor is nobody's business, but there is one
        "smid" => {
            story.line("mov.u32 %r0, %smid; mov.u32 %r1, %nsmid; setp.lt.u32 %p1, %r0, %r1;");
            story.output("%p1", |_| Wanted::Bits(1));
            return true;
        }
        "nsmid" => {
            story.line("mov.u32 %r0, %nsmid; setp.ge.u32 %p1, %r0, 1;");
            story.output("%p1", |_| Wanted::Bits(1));
            return true;
        }
        // one grid, one block, no cluster, no counters, nothing reserved, nothing dynamic
        "tid.y"
        | "tid.z"
        | "ctaid.x"
        | "clusterid.x"
        | "cluster_ctaid.x"
        | "cluster_ctarank"
        | "envreg2"
        | "pm0"
        | "pm0_64"
        | "dynamic_smem_size"
        | "current_graph_exec"
        | "is_explicit_cluster" => Box::new(|_| Wanted::Bits(0)),
        name if name.starts_with("reserved_smem_offset_") => Box::new(|_| Wanted::Bits(0)),
        _ => return false,
    };
    story.line(&format!("{form};"));
    story.output(destination, wanted);
    true
}
