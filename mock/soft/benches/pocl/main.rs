//! Six kernels on the software GPU beside their twins in OpenCL on PoCL, in one process and on one thread.
//!
//! `apt-get install pocl-opencl-icd ocl-icd-libopencl1`, then
//! `POCL_DEVICES=basic cargo bench -p mock-soft --features pocl --bench pocl`; figures in docs/BENCHMARKS.md. PoCL's `basic` device runs
//! kernels on the thread that asks, so that both sides' time is the CPU time of this thread. `--rounds N`: 7 where not said.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    clippy::print_stdout,
    clippy::panic,
    dead_code,
    reason = "sizes and the output of benchmarks, and cases that have no twin here"
)]

#[path = "../kernels/case.rs"]
mod case;
#[path = "../../tests/device/mod.rs"]
mod device;
#[path = "../kernels/matrices.rs"]
mod matrices;
mod opencl;
#[path = "../kernels/streams.rs"]
mod streams;
#[path = "../kernels/threads.rs"]
mod threads;

use std::time::Duration;

use case::{Case, thread_time};
use mock_soft::Options;
use opencl::{Argument, OpenCl};

/// A case, what its pointers point to in bytes, and which of these is the result.
struct Pair {
    name: &'static str,
    case: Case,
    buffers: &'static [usize],
    result: usize,
}

const MEBI: usize = 1 << 20;

fn pairs() -> Vec<Pair> {
    let one = Options::default;
    let pair = |name, case, buffers, result| Pair { name, case, buffers, result };
    vec![
        pair("vadd 4 Mi", streams::vadd(one(), 4 * MEBI), &[16 * MEBI; 3], 2),
        pair("saxpy 4 Mi", streams::saxpy(one()), &[16 * MEBI; 2], 1),
        pair("reduce_tree 4 Mi", streams::reduce_tree(one()), &[16 * MEBI, 64 << 10], 1),
        pair("matmul_tiled 256³", matrices::matmul_tiled(one()), &[256 << 10; 3], 2),
        pair("histogram 4 Mi", streams::histogram(one()), &[4 * MEBI, 1024], 1),
        pair("mandelbrot 512²", threads::mandelbrot(one()), &[MEBI], 0),
    ]
}

impl Pair {
    /// The launch's parameters, as C lays them out: eight bytes that read as a device address are a pointer.
    fn arguments(&self, opencl: &OpenCl) -> Vec<Argument> {
        let bytes = &self.case.calls[0].parameters.0;
        let (mut at, mut buffers) = (0, self.buffers.iter());
        let mut arguments = Vec::new();
        while at < bytes.len() {
            let word = |at: usize, size: usize| {
                let mut value = [0; 8];
                value[..size].copy_from_slice(&bytes[at..at + size]);
                u64::from_le_bytes(value)
            };
            let is_pair = at % 8 == 0 && at + 8 <= bytes.len();
            let address = if is_pair { word(at, 8) } else { 0 };
            if address >> 40 == 0x70 {
                let size =
                    *buffers.next().unwrap_or_else(|| panic!("{}: one more pointer", self.name));
                let mut content = vec![0; size];
                self.case.device.memory.read(address, &mut content).expect("the buffer's size");
                arguments.push(opencl.buffer(&content));
                at += 8;
            } else {
                arguments.push(Argument::Word(word(at, 4) as u32));
                at += 4;
            }
        }
        arguments
    }
}

fn rounds() -> usize {
    let mut words = std::env::args().skip_while(|word| word != "--rounds").skip(1);
    words.next().map_or(7, |count| count.parse().expect("--rounds takes a number"))
}

/// The farthest that two results lie apart, as numbers of 32 bits, of the larger of 1 and the number itself.
fn apart(name: &str, seen: &[u8], wanted: &[u8]) -> f64 {
    let whole = ["histogram", "mandelbrot", "reduce"].iter().any(|start| name.starts_with(start));
    let number = |bytes: &[u8]| {
        let bits = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        if whole { f64::from(bits) } else { f64::from(f32::from_bits(bits)) }
    };
    if name.starts_with("mandelbrot") {
        // chaos: a pixel at the edge ends elsewhere after one other rounding, all together do not
        let [seen, wanted] = [seen, wanted].map(|side| side.chunks(4).map(number).sum::<f64>());
        return (seen - wanted).abs() / wanted / 1e3;
    }
    let each = seen.chunks(4).zip(wanted.chunks(4)).map(|(a, b)| (number(a), number(b)));
    each.map(|(a, b)| (a - b).abs() / b.abs().max(1.0)).fold(0.0, f64::max)
}

fn main() {
    let opencl = OpenCl::open(include_str!("twins.cl"));
    println!("{}", opencl.name());
    println!("| kernel | soft ms | PoCL ms | ratio |");
    println!("| --- | --- | --- | --- |");
    let mut logarithms = Vec::new();
    for mut pair in pairs() {
        pair.case.prepare();
        let arguments = pair.arguments(&opencl);
        let call = &pair.case.calls[0];
        let (kernel, grid, block) = (call.kernel, call.grid, call.block);
        let twin = opencl.kernel(kernel, &arguments);
        pair.case.soft();
        twin.run(grid, block);
        let seen = pair.arguments(&opencl);
        let buffers =
            |list: &[Argument]| list.iter().filter(|a| matches!(a, Argument::Buffer(..))).count();
        assert_eq!(buffers(&seen), pair.buffers.len());
        let (ours, theirs) =
            (opencl.read(&seen, pair.result), opencl.read(&arguments, pair.result));
        let apart = apart(pair.name, &ours, &theirs);
        assert!(apart < 1e-5, "{}: results lie {apart} apart", pair.name);

        let (mut soft, mut pocl) = (Duration::MAX, Duration::MAX);
        for _ in 0..rounds() {
            pair.case.prepare();
            let start = thread_time();
            pair.case.soft();
            let middle = thread_time();
            twin.run(grid, block);
            let end = thread_time();
            soft = soft.min(middle - start);
            pocl = pocl.min(end - middle);
        }
        let ratio = soft.as_secs_f64() / pocl.as_secs_f64();
        logarithms.push(ratio.ln());
        let [soft, pocl] = [soft, pocl].map(|time| time.as_secs_f64() * 1e3);
        println!("| {} | {soft:.2} | {pocl:.2} | {ratio:.2} |", pair.name);
    }
    let mean = (logarithms.iter().sum::<f64>() / logarithms.len() as f64).exp();
    println!("| geometric mean | | | {mean:.2} |");
}
