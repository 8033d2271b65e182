//! Compilers' kernels on the vector engine beside the same loops in native Rust, in one process and on one thread: what counts is
//! the ratio. `cargo bench -p mock-soft --bench kernels`; figures in docs/BENCHMARKS.md, "Software GPU".
//!
//! ```text
//!   --only TEXT    cases whose name has it      --level LEVEL    baseline, avx2 or avx512
//!   --rounds N     7 where not said             --scaling        two threads against one, by the clock on the wall
//!   --profile N    N runs of the soft side alone --lanes N        blocks side by side up to so many lanes
//!   --order        two threads: atomics in the order of blocks against atomics as they come
//! ```
//! In every round each side of each case runs once, one after the other; a side's time is its least thread CPU time of all rounds.
//! Before that both sides' results are compared. What is compiled from where: `benches/ptx` and its sources beside it.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    clippy::print_stdout,
    clippy::panic,
    reason = "sizes and the output of benchmarks"
)]

mod case;
#[path = "../../tests/device/mod.rs"]
mod device;
mod matrices;
mod order;
mod streams;
mod threads;

use std::time::{Duration, Instant};

use case::{Case, none, options, thread_time};
use mock_soft::{Level, Options};

/// Makes a case.
type Make = fn(Options) -> Case;

/// The cases of docs/BENCHMARKS.md, in its order.
const CASES: &[(&str, Make)] = &[
    ("vadd 4 Mi", |options| streams::vadd(options, 4 << 20)),
    ("vadd 16 Ki", |options| streams::vadd(options, 16 << 10)),
    ("saxpy 4 Mi", streams::saxpy),
    ("reduce_sum 4 Mi", streams::reduce_sum),
    ("reduce_tree 4 Mi", streams::reduce_tree),
    ("matmul_tiled 256³", matrices::matmul_tiled),
    ("matmul_naive 256³", matrices::matmul_naive),
    ("matmul_f64 256³", matrices::matmul_f64),
    ("histogram 4 Mi", streams::histogram),
    ("jacobi2d 2048²", matrices::jacobi2d),
    ("stencil1d 4 Mi", streams::stencil1d),
    ("scan 4 Mi", streams::scan),
    ("scan_warp 4 Mi", streams::scan_warp),
    ("transpose 2048²", matrices::transpose),
    ("bitonic 256 Ki", streams::bitonic),
    ("mandelbrot 512²", threads::mandelbrot),
    ("nbody 2048²", threads::nbody),
    ("Black-Scholes 256 Ki", threads::blackscholes),
    ("localarr 64 Ki × 16", threads::localarr),
    ("collatz 64 Ki", threads::collatz),
    ("xorshift_pi 64 Ki × 64", threads::xorshift_pi),
    ("triton add 4 Mi", streams::triton_add),
    ("triton softmax 4096×1000", matrices::triton_softmax),
];

/// Beside the table, with natives that are the kernels themselves line by line.
const AS_WRITTEN: &[(&str, Make)] =
    &[("matmul_tiled 256³, as written", matrices::matmul_tiled_as_written)];

/// What is asked on the command line.
struct Asked {
    only: String,
    rounds: usize,
    level: Option<Level>,
    lanes: u32,
    scaling: bool,
    order: bool,
    profile: usize,
}

impl Asked {
    fn parse() -> Self {
        let mut asked = Self {
            only: String::new(),
            rounds: 7,
            level: None,
            lanes: Options::default().unit_lanes,
            scaling: false,
            order: false,
            profile: 0,
        };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().unwrap_or_else(|| panic!("{word} takes a value"));
            match word.as_str() {
                "--bench" => {}
                "--only" => asked.only = value(),
                "--rounds" => asked.rounds = value().parse().expect("--rounds takes a number"),
                "--lanes" => asked.lanes = value().parse().expect("--lanes takes a number"),
                "--profile" => asked.profile = value().parse().expect("--profile takes a number"),
                "--scaling" => asked.scaling = true,
                "--order" => asked.order = true,
                "--level" => {
                    asked.level = Some(match value().as_str() {
                        "baseline" => Level::Baseline,
                        "avx2" => Level::Avx2,
                        "avx512" => Level::Avx512,
                        other => panic!("--level {other}: baseline, avx2 or avx512"),
                    });
                }
                other => {
                    panic!(
                        "{other}: --only, --rounds, --level, --lanes, --scaling, --order or --profile"
                    )
                }
            }
        }
        asked
    }

    fn cases(&self, workers: usize) -> Vec<(&'static str, Case)> {
        self.of(CASES, workers)
    }

    fn of(&self, cases: &'static [(&str, Make)], workers: usize) -> Vec<(&'static str, Case)> {
        let wanted = cases.iter().filter(|(name, _)| name.contains(&self.only));
        wanted.map(|(name, make)| (*name, make(options(self.level, self.lanes, workers)))).collect()
    }
}

fn main() {
    let asked = Asked::parse();
    if asked.profile > 0 {
        for (_, mut case) in asked.cases(1) {
            (0..asked.profile).for_each(|_| case.soft());
        }
    } else if asked.scaling {
        scaling(&asked);
    } else if asked.order {
        order::order(asked.rounds, options(asked.level, asked.lanes, 2));
    } else {
        ratios(&asked, asked.cases(1));
        ratios(&asked, asked.of(AS_WRITTEN, 1));
        launches(&asked);
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// The table of ratios.
fn ratios(asked: &Asked, mut cases: Vec<(&str, Case)>) {
    if cases.is_empty() {
        return;
    }
    for (name, case) in &mut cases {
        if let Some(difference) = case.difference() {
            panic!("{name}: {difference}");
        }
    }
    let mut best = vec![(Duration::MAX, Duration::MAX); cases.len()];
    for _ in 0..asked.rounds {
        for ((_, case), (soft, native)) in cases.iter_mut().zip(&mut best) {
            case.prepare();
            let start = thread_time();
            case.soft();
            let middle = thread_time();
            case.twin.run();
            let end = thread_time();
            *soft = (*soft).min(middle - start);
            *native = (*native).min(end - middle);
        }
    }
    println!("| kernel | soft ms | native ms | ratio | soft rate |");
    println!("| --- | --- | --- | --- | --- |");
    let (mut logarithms, mut worst) = (0.0, 0f64);
    for ((name, case), (soft, native)) in cases.iter().zip(&best) {
        let ratio = soft.as_secs_f64() / native.as_secs_f64();
        let (amount, unit) = case.work;
        println!(
            "| {name} | {:.3} | {:.3} | {ratio:.2} | {:.2} G{unit}/s |",
            milliseconds(*soft),
            milliseconds(*native),
            amount / soft.as_secs_f64() / 1e9
        );
        logarithms += ratio.ln();
        worst = worst.max(ratio);
    }
    let count = cases.len();
    println!(
        "{count} kernels, {} rounds: geometric mean {:.2}, worst {worst:.1}",
        asked.rounds,
        (logarithms / count.max(1) as f64).exp()
    );
}

/// What a launch costs by itself, and the front end.
fn launches(asked: &Asked) {
    const EMPTY: &str =
        ".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry k() { ret; }\n";
    let mut device = device::Device::load(EMPTY).with(options(asked.level, asked.lanes, 1));
    for blocks in [1, 10_000] {
        let time = least(asked.rounds.max(1) * 10, || {
            device.run("k", blocks, 256, none());
        });
        println!("launch of {blocks} empty blocks of 256: {:.2} µs", milliseconds(time) * 1e3);
    }
    // With a barrier no blocks can be joined by looking at the code alone.
    let meeting = EMPTY.replace("ret;", "bar.sync 0; ret;");
    let mut device = device::Device::load(&meeting).with(options(asked.level, asked.lanes, 1));
    let time = least(asked.rounds.max(1) * 10, || {
        device.run("k", 10_000, 256, none());
    });
    println!("the same with a barrier: {:.2} µs", milliseconds(time) * 1e3);
}

fn least(rounds: usize, mut run: impl FnMut()) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..rounds {
        let start = thread_time();
        run();
        best = best.min(thread_time() - start);
    }
    best
}

/// Two threads against one, on the cases whose grids are large.
fn scaling(asked: &Asked) {
    let (mut one, mut two) = (asked.cases(1), asked.cases(2));
    println!("| kernel | one thread ms | two threads ms | speed-up |");
    println!("| --- | --- | --- | --- |");
    for ((name, one), (_, two)) in one.iter_mut().zip(&mut two) {
        let mut best = [Duration::MAX; 2];
        for _ in 0..asked.rounds {
            for (case, best) in [&mut *one, &mut *two].into_iter().zip(&mut best) {
                case.prepare();
                let start = Instant::now();
                case.soft();
                *best = (*best).min(start.elapsed());
            }
        }
        let [alone, shared] = best;
        println!(
            "| {name} | {:.3} | {:.3} | {:.2} |",
            milliseconds(alone),
            milliseconds(shared),
            alone.as_secs_f64() / shared.as_secs_f64()
        );
    }
}
