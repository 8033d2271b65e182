//! `docs/METRICS.md`, made from the catalogue.

use std::fmt::Write;

use super::catalogue::sections;

const HEAD: &str = "\
# Metrics

*Made from `bridge-host/src/metrics/catalogue.rs` and `dcgm.rs` beside it by `COHESIX_BLESS=1 cargo test -p bridge-host --test metrics`;
a test keeps the two equal.*

`gpu-bridge-host --metrics 127.0.0.1:9464` serves `/metrics`: Prometheus' text format, made anew every second and served as it is, so
that a scrape asks no driver and waits for nobody. `/metrics/native` and `/metrics/dcgm` are its halves. A figure that a GPU cannot
tell is left out, never made up. Labels have bounded values: `gpu` is a GPU's directory under `/gpu`, everything else a word of a
fixed list; none names a job, a lease, a worker or a peer. Counters begin at zero when the bridge starts.

A scrape configuration and alert rules are in `docs/ops/prometheus`, a dashboard in `docs/ops/grafana`.
";

/// The page.
#[must_use]
pub fn document() -> String {
    let mut text = HEAD.to_owned();
    for section in sections() {
        // A string takes everything.
        let _ = write!(
            text,
            "\n## {}\n\n| name | type | labels | what |\n| --- | --- | --- | --- |\n",
            section.title
        );
        for family in section.families {
            let labels: Vec<String> =
                family.labels.iter().map(|label| format!("`{label}`")).collect();
            let _ = writeln!(
                text,
                "| `{}` | {} | {} | {} |",
                family.name,
                family.kind,
                labels.join(", "),
                family.help
            );
        }
    }
    text
}
