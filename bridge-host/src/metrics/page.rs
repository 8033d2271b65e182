//! Prometheus' text format: families of samples, each with its help and type, in the order in which they were begun.
//!
//! A family without a sample leaves nothing: what a GPU cannot tell is not there, rather than a made-up number.

use std::fmt::{Display, Write};

use super::{family::Family, histogram::Histogram};

/// A page of metrics in the making.
#[derive(Debug, Default)]
pub(crate) struct Page(String);

/// A family that is being written.
#[derive(Debug)]
pub(crate) struct Samples<'a, const N: usize> {
    text: &'a mut String,
    family: &'a Family<N>,
    begun: bool,
}

impl Page {
    /// An empty page with room for so many bytes.
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self(String::with_capacity(bytes))
    }

    /// Begins a family.
    pub(crate) fn family<'a, const N: usize>(
        &'a mut self,
        family: &'a Family<N>,
    ) -> Samples<'a, N> {
        Samples { text: &mut self.0, family, begun: false }
    }

    /// A family of one sample without labels.
    pub(crate) fn single(&mut self, family: &Family<0>, value: impl Display) {
        self.family(family).put([], value);
    }

    /// The text.
    pub(crate) fn finish(self) -> String {
        self.0
    }
}

impl<const N: usize> Samples<'_, N> {
    /// One sample: a value for each label, and the value.
    pub(crate) fn put(&mut self, labels: [&str; N], value: impl Display) {
        self.begin();
        self.line("", labels, None, value);
    }

    /// One sample, if there is one.
    pub(crate) fn put_known(&mut self, labels: [&str; N], value: Option<impl Display>) {
        if let Some(value) = value {
            self.put(labels, value);
        }
    }

    /// The buckets, sum and count of one histogram, in seconds.
    pub(crate) fn put_histogram(&mut self, labels: [&str; N], histogram: &Histogram) {
        self.begin();
        for (bound_us, count) in histogram.cumulative() {
            self.line("_bucket", labels, Some(&seconds(bound_us).to_string()), count);
        }
        self.line("_bucket", labels, Some("+Inf"), histogram.count());
        self.line("_sum", labels, None, seconds(histogram.sum_us()));
        self.line("_count", labels, None, histogram.count());
    }

    fn begin(&mut self) {
        if !self.begun {
            let Family { name, kind, help, .. } = self.family;
            let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}"); // a string takes everything
            self.begun = true;
        }
    }

    fn line(&mut self, suffix: &str, labels: [&str; N], le: Option<&str>, value: impl Display) {
        let Self { text, family, .. } = self;
        text.push_str(family.name);
        text.push_str(suffix);
        let mut before = '{';
        for (name, value) in family.labels.into_iter().zip(labels).chain(le.map(|le| ("le", le))) {
            text.push(before);
            text.push_str(name);
            text.push_str("=\"");
            push_escaped(text, value);
            text.push('"');
            before = ',';
        }
        let end = if before == ',' { "}" } else { "" };
        let _ = writeln!(text, "{end} {value}"); // as above
    }
}

fn push_escaped(text: &mut String, value: &str) {
    for character in value.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            other => text.push(other),
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "exact below 2^53 µs, which is 285 years")]
fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::family::Kind;

    static THING: Family<2> = Family {
        name: "cohgpu_thing",
        kind: Kind::Gauge,
        labels: ["gpu", "name"],
        help: "A thing.",
    };
    static LONG: Family<1> = Family {
        name: "cohgpu_long_seconds",
        kind: Kind::Histogram,
        labels: ["gpu"],
        help: "How long.",
    };
    static UP: Family<0> =
        Family { name: "cohgpu_up", kind: Kind::Gauge, labels: [], help: "Whether." };

    /// Proves MET-1.
    #[test]
    fn a_page_reads_as_prometheus_wants_it() {
        let mut page = Page::default();
        page.family(&THING).put(["GPU-0", "a \"b\" \\ c\n"], 1);
        page.single(&UP, 0.5);
        assert_eq!(
            page.finish(),
            "# HELP cohgpu_thing A thing.\n# TYPE cohgpu_thing gauge\n\
             cohgpu_thing{gpu=\"GPU-0\",name=\"a \\\"b\\\" \\\\ c\\n\"} 1\n\
             # HELP cohgpu_up Whether.\n# TYPE cohgpu_up gauge\ncohgpu_up 0.5\n"
        );
    }

    #[test]
    fn what_is_not_known_leaves_no_trace() {
        let mut page = Page::default();
        page.family(&THING).put_known(["GPU-0", "x"], None::<u64>);
        assert_eq!(page.finish(), "");
    }

    /// Proves MET-4.
    #[test]
    fn a_histogram_is_written_in_seconds_with_sum_and_count() {
        let (mut page, mut histogram) = (Page::default(), Histogram::default());
        histogram.observe(75);
        histogram.observe(700_000_000);
        page.family(&LONG).put_histogram(["GPU-0"], &histogram);
        let text = page.finish();
        for line in [
            "# TYPE cohgpu_long_seconds histogram",
            "cohgpu_long_seconds_bucket{gpu=\"GPU-0\",le=\"0.00005\"} 0",
            "cohgpu_long_seconds_bucket{gpu=\"GPU-0\",le=\"0.0001\"} 1",
            "cohgpu_long_seconds_bucket{gpu=\"GPU-0\",le=\"600\"} 1",
            "cohgpu_long_seconds_bucket{gpu=\"GPU-0\",le=\"+Inf\"} 2",
            "cohgpu_long_seconds_sum{gpu=\"GPU-0\"} 700.000075",
            "cohgpu_long_seconds_count{gpu=\"GPU-0\"} 2",
        ] {
            assert!(text.lines().any(|seen| seen == line), "no {line} in {text}");
        }
    }
}
