//! A family of samples: its name, kind, label names and help. Knows no values, and nothing of what is counted.

use std::fmt;

/// What Prometheus may do with the samples of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A value that goes up and down.
    Gauge,
    /// A count that only grows, until the bridge starts again.
    Counter,
    /// Counts of observations up to each of some bounds, with their sum.
    Histogram,
}

impl Kind {
    /// The word after `# TYPE`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::Histogram => "histogram",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One row of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// As it is scraped.
    pub name: &'static str,
    /// What its samples are.
    pub kind: Kind,
    /// The names of its labels, in the order in which they are written.
    pub labels: &'static [&'static str],
    /// One sentence for people.
    pub help: &'static str,
}

/// A family with `N` labels: the number of values that a sample of it must bring.
#[derive(Debug)]
pub(crate) struct Family<const N: usize> {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) labels: [&'static str; N],
    pub(crate) help: &'static str,
}
