//! What a decision costs, by how many jobs wait: `cargo bench -p bridge-host-broker --bench dispatch`.

mod crowd;

use crowd::Crowd;
use divan::{Bencher, black_box};

fn main() {
    divan::main();
}

const WAITING: [u64; 4] = [100, 1_000, 10_000, 100_000];

/// A job is accepted, one ends, and the next is launched.
#[divan::bench(args = WAITING)]
fn submit_and_dispatch(bencher: Bencher<'_, '_>, jobs: u64) {
    let mut crowd = Crowd::new(jobs);
    bencher.bench_local(|| {
        crowd.submit();
        crowd.finish();
    });
}

/// A request past every bound is refused.
#[divan::bench]
fn refuse_too_much_memory(bencher: Bencher<'_, '_>) {
    let mut crowd = Crowd::new(10_000);
    bencher.bench_local(|| black_box(crowd.ask_too_much()));
}
