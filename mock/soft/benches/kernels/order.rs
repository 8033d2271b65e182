//! What it costs that blocks come in order to atomics that show their order: two threads, by the clock on the wall.

use std::time::{Duration, Instant};

use mock_soft::{Atomics, Options};

use crate::case::{load, none};
use crate::device::{Device, Noise, Parameters};

const HEAD: &str = ".version 8.0\n.target sm_80\n.address_size 64\n";

/// Every thread adds its number to one sum.
const SUM: &str = r".visible .entry k(.param .u64 in, .param .u64 sum) {
  .reg .b32 %r<5>; .reg .f32 %f<3>; .reg .b64 %d<5>;
  ld.param.u64 %d1, [in]; ld.param.u64 %d2, [sum];
  mov.u32 %r1, %tid.x; mov.u32 %r2, %ctaid.x; mov.u32 %r3, %ntid.x; mad.lo.s32 %r4, %r2, %r3, %r1;
  mul.wide.u32 %d3, %r4, 4; add.s64 %d4, %d1, %d3; ld.global.f32 %f1, [%d4];
  atom.global.add.f32 %f2, [%d2], %f1; ret;
}";

/// Every thread counts in one of 1024 places, and keeps what it found there: its place among its like, as sorting by digits wants it.
const RANKS: &str = r".visible .entry k(.param .u64 in, .param .u64 counts) {
  .reg .b32 %r<8>; .reg .b64 %d<7>;
  ld.param.u64 %d1, [in]; ld.param.u64 %d2, [counts];
  mov.u32 %r1, %tid.x; mov.u32 %r2, %ctaid.x; mov.u32 %r3, %ntid.x; mad.lo.s32 %r4, %r2, %r3, %r1;
  mul.wide.u32 %d3, %r4, 4; add.s64 %d4, %d1, %d3; ld.global.u32 %r5, [%d4];
  and.b32 %r6, %r5, 1023; mul.wide.u32 %d5, %r6, 4; add.s64 %d6, %d2, %d5;
  atom.global.add.u32 %r7, [%d6], 1; st.global.u32 [%d4], %r7; ret;
}";

const THREADS: usize = 1 << 20;

struct Race {
    device: Device,
    kernel: &'static str,
    grid: u32,
    parameters: Parameters,
}

impl Race {
    fn of(text: &str, options: Options) -> Self {
        let mut device = Device::load(&format!("{HEAD}{text}")).with(options);
        let (input, counts) = (device.buffer(&Noise(5).floats(THREADS)), device.zeros(4096));
        let parameters = none().with(input).with(counts);
        Self { device, kernel: "k", grid: (THREADS / 256) as u32, parameters }
    }

    /// One atomic for each block, after a sum within the block.
    fn reduce_sum(options: Options) -> Self {
        let mut device = load("reduce", options);
        let (input, sum) = (device.buffer(&Noise(5).floats(THREADS)), device.zeros(4));
        let parameters = none().with(input).with(sum).with(THREADS as i32);
        Self { device, kernel: "reduce_sum", grid: 520, parameters }
    }

    fn run(&mut self) -> Duration {
        let start = Instant::now();
        self.device.run(self.kernel, self.grid, 256, self.parameters.clone());
        start.elapsed()
    }
}

/// A race, run with such options.
type Make = fn(Options) -> Race;

/// The table, by the least time of all rounds.
pub(crate) fn order(rounds: usize, options: Options) {
    println!("| kernel, {} threads | in order ms | as they come ms | gain |", options.workers);
    println!("| --- | --- | --- | --- |");
    let cases: [(&str, Make); 3] = [
        ("an f32 sum of 1 Mi, an atomic a thread", |options| Race::of(SUM, options)),
        ("ranks of 1 Mi in 1024 places", |options| Race::of(RANKS, options)),
        ("reduce_sum 1 Mi, an atomic a block", Race::reduce_sum),
    ];
    for (name, make) in cases {
        let mut races = [Atomics::InOrder, Atomics::AsTheyCome]
            .map(|atomics| make(Options { atomics, ..options }));
        let mut best = [Duration::MAX; 2];
        for _ in 0..rounds {
            for (race, best) in races.iter_mut().zip(&mut best) {
                *best = (*best).min(race.run());
            }
        }
        let [ordered, free] = best.map(|time| time.as_secs_f64() * 1e3);
        println!("| {name} | {ordered:.2} | {free:.2} | {:.2} |", ordered / free);
    }
}
