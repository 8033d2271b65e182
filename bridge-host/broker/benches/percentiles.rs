//! The same decision, by percentiles: `cargo bench -p bridge-host-broker --bench percentiles`.

mod crowd;

use std::time::{Duration, Instant};

use crowd::{Crowd, LEASES};

const SAMPLES: usize = 50_000;

fn main() {
    println!(
        "submit, end of a job, launch of the next; {LEASES} leases; {SAMPLES} samples; microseconds"
    );
    println!("{:>10} {:>8} {:>8} {:>8} {:>8}", "waiting", "p50", "p99", "p99.9", "max");
    for jobs in [100, 1_000, 10_000, 100_000] {
        let mut samples = samples(&mut Crowd::new(jobs));
        samples.sort_unstable();
        let at = |per_mille: usize| micros(samples[(SAMPLES - 1) * per_mille / 1000]);
        let [p50, p99, p999, max] = [at(500), at(990), at(999), at(1000)];
        println!("{jobs:>10} {p50:>8.2} {p99:>8.2} {p999:>8.2} {max:>8.2}");
    }
}

fn samples(crowd: &mut Crowd) -> Vec<Duration> {
    let one = |_| {
        let start = Instant::now();
        crowd.submit();
        crowd.finish();
        start.elapsed()
    };
    (0..SAMPLES).map(one).collect()
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
