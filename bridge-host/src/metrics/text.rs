//! Prometheus' text format: families of samples, each with its help, in the order in which they were begun.

use std::fmt::{Display, Write};

/// A page of metrics in the making.
#[derive(Debug, Default)]
pub(crate) struct Page(String);

impl Page {
    /// Begins a family: `kind` is `gauge` or `counter`.
    pub(crate) fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}"); // a string takes everything
    }

    /// One sample of a family.
    pub(crate) fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let pairs: Vec<_> =
            labels.iter().map(|(key, value)| format!("{key}=\"{}\"", escaped(value))).collect();
        let braces =
            if pairs.is_empty() { String::new() } else { format!("{{{}}}", pairs.join(",")) };
        let _ = writeln!(self.0, "{name}{braces} {value}"); // as above
    }

    /// The text.
    pub(crate) fn finish(self) -> String {
        self.0
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_reads_as_prometheus_wants_it() {
        let mut page = Page::default();
        page.family("cohgpu_info", "gauge", "A GPU.");
        page.sample("cohgpu_info", &[("gpu", "GPU-0"), ("name", "a \"b\" \\ c")], 1);
        page.sample("up", &[], 0.5);
        assert_eq!(
            page.finish(),
            "# HELP cohgpu_info A GPU.\n# TYPE cohgpu_info gauge\n\
             cohgpu_info{gpu=\"GPU-0\",name=\"a \\\"b\\\" \\\\ c\"} 1\nup 0.5\n"
        );
    }
}
