//! Numbers: times of single operations, rates, and medians of rounds.

use std::time::Duration;

/// The times that one measurement took, operation by operation.
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn new(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    /// In microseconds; `share` 0.5 is the median.
    pub(crate) fn percentile_us(&self, share: f64) -> f64 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an index into what is there"
        )]
        let index = ((self.0.len() as f64 - 1.0) * share) as usize;
        self.0.get(index).map_or(f64::NAN, |time| time.as_secs_f64() * 1e6)
    }
}

/// The median of what the rounds brought.
pub(crate) fn median(mut of: Vec<f64>) -> f64 {
    of.sort_unstable_by(f64::total_cmp);
    of.get(of.len() / 2).copied().unwrap_or(f64::NAN)
}

/// As a person reads it: three figures that mean something, thousands as `k`.
pub(crate) fn readable(number: f64) -> String {
    match number {
        n if n.is_nan() => "–".to_owned(),
        n if n >= 1e6 => format!("{:.2} M", n / 1e6),
        n if n >= 1e4 => format!("{:.1} k", n / 1e3),
        n if n >= 100.0 => format!("{n:.0}"),
        n => format!("{n:.1}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_percentiles_are_those_of_the_sorted_numbers() {
        let times = Times::new((1..=100).rev().map(Duration::from_micros).collect());
        assert_eq!(times.percentile_us(0.5).round(), 50.0);
        assert_eq!(times.percentile_us(0.99).round(), 99.0);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert!(median(Vec::new()).is_nan());
    }

    #[test]
    fn numbers_read_as_people_write_them() {
        let read: Vec<_> = [13.72, 213.4, 84_900.0, 2_070_000.0, f64::NAN].map(readable).into();
        assert_eq!(read, ["13.7", "213", "84.9 k", "2.07 M", "–"]);
    }
}
