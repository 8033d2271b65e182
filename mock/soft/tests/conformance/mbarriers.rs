//! `mbarrier`: two phases of an object of each thread's own, arrivals and questions counted beside it.

use super::oracle::Wanted;
use super::story::Story;

const THREADS: usize = 40;
/// Arrivals of a phase.
const EXPECTED: u64 = 4;

/// The story of a form, if it is one of barrier objects.
pub(crate) fn story(form: &str) -> Option<Story> {
    if form.starts_with("cp.async.mbarrier.arrive") {
        return Some(arrival_of_copies(form));
    }
    if !form.starts_with("mbarrier.") {
        return None;
    }
    let mut script = Script::new(form);
    script.two_phases();
    Some(script.story)
}

/// The form where it fits, plain forms elsewhere.
struct Script<'a> {
    form: &'a str,
    story: Story,
}

impl<'a> Script<'a> {
    fn new(form: &'a str) -> Self {
        let mut story = Story::of(THREADS);
        story.line("mov.u64 %d10, shared; mul.wide.u32 %d11, %r31, 8; add.s64 %d10, %d10, %d11;");
        Self { form, story }
    }

    fn is(&self, name: &str) -> bool {
        self.form.starts_with(&format!("mbarrier.{name}"))
    }

    /// The address where the form wants it: generic where it names no space.
    fn line(&mut self, text: &str) {
        let address = if text.contains(".shared") { "mov.u64" } else { "cvta.shared.u64" };
        self.story.line(&format!("{address} %d0, %d10; {text};"));
    }

    fn init(&mut self, count: u64) {
        self.story.line(&format!("mov.u32 %r0, {count};"));
        let text = if self.is("init") { self.form } else { "mbarrier.init.shared.b64 [%d0], %r0" };
        self.line(text);
    }

    /// So many plain arrivals; the last one's state is in `%d2`.
    fn arrive(&mut self, times: u64) {
        for _ in 0..times {
            self.line("mbarrier.arrive.shared.b64 %d2, [%d0]");
        }
    }

    /// What `pending_count` says of the state in a register.
    fn pending(&mut self, state: &str, wanted: u64) {
        self.story.line(&format!("mov.b64 %d0, {state};"));
        self.story.line("mbarrier.pending_count.b64 %r0, %d0;");
        self.story.output("%r0", |_| Wanted::Bits(wanted));
    }

    /// Whether the phase of the state in `%d2` is over, and the one of this parity.
    fn ask(&mut self, over: bool, parity: u32) {
        let is_own = self.is("test_wait") || self.is("try_wait");
        let by_parity = self.form.contains(".parity");
        self.story.line("mov.b64 %d1, %d2;");
        let plain = "mbarrier.test_wait.shared.b64 %p0, [%d0], %d1";
        self.line(if is_own && !by_parity { self.form } else { plain });
        self.story.output("%p0", |_| Wanted::Bits(over.into()));
        for (asked, wanted) in [(parity, over), (1 - parity, !over)] {
            self.story.line(&format!("mov.u32 %r1, {asked};"));
            let plain = "mbarrier.test_wait.parity.shared.b64 %p0, [%d0], %r1";
            self.line(if is_own && by_parity { self.form } else { plain });
            self.story.output("%p0", |_| Wanted::Bits(wanted.into()));
        }
    }

    fn two_phases(&mut self) {
        let is_arrival = self.is("arrive");
        let arrivals = if self.form.ends_with(", 2") { 2 } else { 1 };
        let dropped = if self.is("arrive_drop") { arrivals } else { 0 };
        self.init(EXPECTED);
        if is_arrival {
            self.line(self.form);
            if self.form.contains("%d1") {
                self.pending("%d1", EXPECTED);
            }
        } else {
            self.arrive(arrivals);
        }
        self.arrive(1);
        self.pending("%d2", EXPECTED - arrivals);
        self.ask(false, 0);
        self.arrive(EXPECTED - arrivals - 1);
        self.ask(true, 0);
        // what was dropped is not expected again
        self.arrive(1);
        self.pending("%d2", EXPECTED - dropped);
        self.ask(false, 1);
        self.arrive(EXPECTED - dropped - 1);
        self.ask(true, 1);
        self.line(if self.is("inval") { self.form } else { "mbarrier.inval.shared.b64 [%d0]" });
        self.init(1);
        self.arrive(1);
        self.ask(true, 0);
    }
}

/// Copies that are done count as an arrival that was expected, or as one more.
fn arrival_of_copies(form: &str) -> Story {
    let mut script = Script::new(form);
    script.init(2);
    script.line(form);
    script.story.line("cp.async.wait_all;");
    script.arrive(1);
    let was_expected = form.contains(".noinc");
    script.pending("%d2", if was_expected { 1 } else { 2 });
    script.ask(was_expected, 0);
    script.story
}
