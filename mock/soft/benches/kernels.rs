//! Fixture kernels on the vector engine beside the same loops in native Rust, in one process and on one thread, so that the noise
//! of the machine cancels: what counts is the ratio. `cargo bench -p mock-soft`; figures in docs/BENCHMARKS.md, "Software GPU".
#![allow(clippy::cast_possible_truncation, reason = "sizes of benchmarks")]
#![allow(missing_docs, reason = "divan's own items have none")]

#[path = "../tests/device/mod.rs"]
mod device;

use std::hint::black_box;

use device::{Device, Noise, Parameters, fixture};
use divan::Bencher;
use mock_soft::{Engine, Options};

fn main() {
    divan::main();
}

fn load(name: &str) -> Device {
    let [(_, text), _] = fixture(name);
    Device::load(&text).with(Options {
        engine: Engine::Vector(None),
        workers: 1,
        ..Options::default()
    })
}

fn none() -> Parameters {
    Parameters::default()
}

mod vadd {
    use super::*;
    const N: usize = 4 << 20;

    #[divan::bench]
    fn soft(bencher: Bencher<'_, '_>) {
        let mut device = load("vadd");
        let (a, b) = (Noise(1).floats(N), Noise(2).floats(N));
        let (pa, pb, pc) = (device.buffer(&a), device.buffer(&b), device.zeros(4 * N));
        let parameters = none().with(pa).with(pb).with(pc).with(N as i32);
        bencher.bench_local(|| device.run("vadd", (N / 256) as u32, 256, parameters.clone()));
    }

    #[divan::bench]
    fn native(bencher: Bencher<'_, '_>) {
        let (a, b, mut c) = (Noise(1).floats(N), Noise(2).floats(N), vec![0f32; N]);
        bencher.bench_local(|| {
            for ((c, a), b) in c.iter_mut().zip(black_box(&a)).zip(black_box(&b)) {
                *c = a + b;
            }
            black_box(&mut c);
        });
    }
}

mod saxpy {
    use super::*;
    const N: usize = 4 << 20;

    #[divan::bench]
    fn soft(bencher: Bencher<'_, '_>) {
        let mut device = load("saxpy");
        let (x, y) = (Noise(1).floats(N), Noise(2).floats(N));
        let (px, py) = (device.buffer(&x), device.buffer(&y));
        let parameters = none().with(N as i32).with(0.5f32).with(px).with(py);
        bencher.bench_local(|| device.run("saxpy", 1024, 256, parameters.clone()));
    }

    #[divan::bench]
    fn native(bencher: Bencher<'_, '_>) {
        let (x, mut y) = (Noise(1).floats(N), Noise(2).floats(N));
        bencher.bench_local(|| {
            let a = black_box(0.5f32);
            for (y, x) in y.iter_mut().zip(black_box(&x)) {
                *y += a * x;
            }
            black_box(&mut y);
        });
    }
}

mod reduce {
    use super::*;
    const N: usize = 4 << 20;

    #[divan::bench]
    fn soft_sum(bencher: Bencher<'_, '_>) {
        let mut device = load("reduce");
        let input = Noise(1).floats(N);
        let (pin, pout) = (device.buffer(&input), device.zeros(4));
        let parameters = none().with(pin).with(pout).with(N as i32);
        bencher.bench_local(|| device.run("reduce_sum", 1024, 256, parameters.clone()));
    }

    #[divan::bench]
    fn soft_tree(bencher: Bencher<'_, '_>) {
        let mut device = load("reduce");
        let input: Vec<i32> = (0..N as i32).collect();
        let (pin, pout) = (device.buffer(&input), device.zeros(4 * N / 256));
        let parameters = none().with(pin).with(pout).with(N as i32);
        bencher
            .bench_local(|| device.run("reduce_tree", (N / 256) as u32, 256, parameters.clone()));
    }

    #[divan::bench]
    fn native_sum(bencher: Bencher<'_, '_>) {
        let input = Noise(1).floats(N);
        bencher.bench_local(|| black_box(&input).iter().sum::<f32>());
    }

    #[divan::bench]
    fn native_tree(bencher: Bencher<'_, '_>) {
        let input: Vec<i32> = (0..N as i32).collect();
        let mut sums = vec![0i32; N / 256];
        bencher.bench_local(|| {
            for (sum, part) in sums.iter_mut().zip(black_box(&input).chunks(256)) {
                *sum = part.iter().fold(0, |sum, value| sum.wrapping_add(*value));
            }
            black_box(&mut sums);
        });
    }
}

mod matmul {
    use super::*;
    const N: usize = 256;

    fn soft(bencher: Bencher<'_, '_>, kernel: &str) {
        let mut device = load("matmul_f32");
        let (a, b) = (Noise(1).floats(N * N), Noise(2).floats(N * N));
        let (pa, pb, pc) = (device.buffer(&a), device.buffer(&b), device.zeros(4 * N * N));
        let parameters = none().with(pa).with(pb).with(pc);
        let parameters = parameters.with(N as i32).with(N as i32).with(N as i32);
        let grid = [N as u32 / 16, N as u32 / 16, 1];
        bencher.bench_local(|| device.run3(kernel, grid, [16, 16, 1], 0, parameters.clone()));
    }

    #[divan::bench]
    fn soft_tiled(bencher: Bencher<'_, '_>) {
        soft(bencher, "matmul_tiled");
    }

    #[divan::bench]
    fn soft_naive(bencher: Bencher<'_, '_>) {
        soft(bencher, "matmul_naive");
    }

    #[divan::bench]
    fn native_rows(bencher: Bencher<'_, '_>) {
        let (a, b, mut c) = (Noise(1).floats(N * N), Noise(2).floats(N * N), vec![0f32; N * N]);
        bencher.bench_local(|| {
            let (a, b) = (black_box(&a), black_box(&b));
            for (c, a) in c.chunks_mut(N).zip(a.chunks(N)) {
                c.fill(0.0);
                for (a, b) in a.iter().zip(b.chunks(N)) {
                    c.iter_mut().zip(b).for_each(|(c, b)| *c += a * b);
                }
            }
            black_box(&mut c);
        });
    }

    #[divan::bench]
    fn native_scalar(bencher: Bencher<'_, '_>) {
        let (a, b, mut c) = (Noise(1).floats(N * N), Noise(2).floats(N * N), vec![0f32; N * N]);
        bencher.bench_local(|| {
            let (a, b) = (black_box(&a), black_box(&b));
            for i in 0..N * N {
                c[i] = (0..N).fold(0.0, |sum, k| sum + a[i / N * N + k] * b[k * N + i % N]);
            }
            black_box(&mut c);
        });
    }
}

mod histogram {
    use super::*;
    const N: usize = 4 << 20;

    fn data() -> Vec<u8> {
        let mut noise = Noise(3);
        (0..N).map(|_| (noise.next() >> 30) as u8).collect()
    }

    #[divan::bench]
    fn soft(bencher: Bencher<'_, '_>) {
        let mut device = load("histogram");
        let (pd, ph) = (device.buffer(&data()), device.zeros(1024));
        let parameters = none().with(pd).with(ph).with(N as i32);
        bencher.bench_local(|| device.run("histogram", 256, 256, parameters.clone()));
    }

    #[divan::bench]
    fn native(bencher: Bencher<'_, '_>) {
        let (data, mut counts) = (data(), [0u32; 256]);
        bencher.bench_local(|| {
            black_box(&data).iter().for_each(|byte| counts[usize::from(*byte)] += 1);
            black_box(&mut counts);
        });
    }
}

mod mandelbrot {
    use super::*;
    const N: usize = 512;

    #[divan::bench]
    fn soft(bencher: Bencher<'_, '_>) {
        let mut device = load("mandelbrot");
        let out = device.zeros(4 * N * N);
        let parameters = none().with(out).with(N as i32).with(N as i32);
        let parameters = parameters.with(-2f32).with(-1.25f32).with(2.5f32 / N as f32);
        let parameters = parameters.with(2.5f32 / N as f32).with(256i32);
        let grid = [N as u32 / 16, N as u32 / 16, 1];
        bencher.bench_local(|| device.run3("mandelbrot", grid, [16, 16, 1], 0, parameters.clone()));
    }

    #[divan::bench]
    fn native(bencher: Bencher<'_, '_>) {
        let mut out = vec![0u32; N * N];
        bencher.bench_local(|| {
            for (i, out) in out.iter_mut().enumerate() {
                let cx = -2.0 + (i % N) as f32 * (2.5 / N as f32);
                let cy = -1.25 + (i / N) as f32 * (2.5 / N as f32);
                let (mut x, mut y, mut count) = (0f32, 0f32, 0);
                while x * x + y * y < 4.0 && count < 256 {
                    (x, y) = (x * x - y * y + cx, 2.0 * x * y + cy);
                    count += 1;
                }
                *out = count;
            }
            black_box(&mut out);
        });
    }
}

mod transpose {
    use super::*;
    const N: usize = 2048;

    #[divan::bench]
    fn soft(bencher: Bencher<'_, '_>) {
        let mut device = load("transpose");
        let (pin, pout) = (device.buffer(&Noise(1).floats(N * N)), device.zeros(4 * N * N));
        let parameters = none().with(pin).with(pout).with(N as i32).with(N as i32);
        let grid = [N as u32 / 32, N as u32 / 32, 1];
        bencher.bench_local(|| device.run3("transpose", grid, [32, 8, 1], 0, parameters.clone()));
    }

    #[divan::bench]
    fn native(bencher: Bencher<'_, '_>) {
        let (input, mut out) = (Noise(1).floats(N * N), vec![0f32; N * N]);
        bencher.bench_local(|| {
            let input = black_box(&input);
            for (y, row) in out.chunks_mut(N).enumerate() {
                row.iter_mut().enumerate().for_each(|(x, out)| *out = input[x * N + y]);
            }
            black_box(&mut out);
        });
    }
}

mod stencil {
    use super::*;
    const N: usize = 4 << 20;
    const W: usize = 2048;

    #[divan::bench]
    fn soft_1d(bencher: Bencher<'_, '_>) {
        let mut device = load("stencil");
        let input: Vec<i32> = (0..N as i32).collect();
        let (pin, pout) = (device.buffer(&input), device.zeros(4 * N));
        let parameters = none().with(pin).with(pout).with(N as i32);
        bencher.bench_local(|| device.run("stencil1d", (N / 256) as u32, 256, parameters.clone()));
    }

    #[divan::bench]
    fn native_1d(bencher: Bencher<'_, '_>) {
        let (input, mut out): (Vec<i32>, _) = ((0..N as i32).collect(), vec![0i32; N]);
        bencher.bench_local(|| {
            for (out, seven) in out[3..].iter_mut().zip(black_box(&input).windows(7)) {
                *out = seven.iter().fold(0, |sum, value| sum.wrapping_add(*value));
            }
            black_box(&mut out);
        });
    }

    #[divan::bench]
    fn soft_jacobi(bencher: Bencher<'_, '_>) {
        let mut device = load("stencil");
        let (pa, pb) = (device.buffer(&Noise(1).floats(W * W)), device.zeros(4 * W * W));
        let parameters = none().with(pa).with(pb).with(W as i32).with(W as i32);
        let grid = [W as u32 / 32, W as u32 / 8, 1];
        bencher.bench_local(|| device.run3("jacobi2d", grid, [32, 8, 1], 0, parameters.clone()));
    }

    #[divan::bench]
    fn native_jacobi(bencher: Bencher<'_, '_>) {
        let (a, mut b) = (Noise(1).floats(W * W), vec![0f32; W * W]);
        bencher.bench_local(|| {
            let a = black_box(&a);
            for y in 1..W - 1 {
                for x in 1..W - 1 {
                    let i = y * W + x;
                    b[i] = 0.25 * (a[i - 1] + a[i + 1] + a[i - W] + a[i + W]);
                }
            }
            black_box(&mut b);
        });
    }
}

mod nbody {
    use super::*;
    const N: usize = 2048;

    #[divan::bench]
    fn soft(bencher: Bencher<'_, '_>) {
        let mut device = load("nbody");
        let (pin, pout) = (device.buffer(&Noise(1).floats(4 * N)), device.zeros(16 * N));
        let parameters = none().with(pin).with(pout).with(N as i32);
        bencher.bench_local(|| {
            device.run3("nbody", [N as u32 / 256, 1, 1], [256, 1, 1], 4096, parameters.clone())
        });
    }

    #[divan::bench]
    fn native(bencher: Bencher<'_, '_>) {
        let (bodies, mut out) = (Noise(1).floats(4 * N), vec![0f32; 4 * N]);
        bencher.bench_local(|| {
            let bodies = black_box(&bodies);
            for (me, out) in bodies.chunks(4).zip(out.chunks_mut(4)) {
                let mut sum = [0f32; 3];
                for other in bodies.chunks(4) {
                    let d = [other[0] - me[0], other[1] - me[1], other[2] - me[2]];
                    let inverse = 1.0 / (d[0] * d[0] + d[1] * d[1] + d[2] * d[2] + 1e-4).sqrt();
                    let s = other[3] * inverse * inverse * inverse;
                    (0..3).for_each(|i| sum[i] += d[i] * s);
                }
                out[..3].copy_from_slice(&sum);
            }
            black_box(&mut out);
        });
    }
}

mod launch {
    use super::*;

    #[divan::bench(args = [1, 10_000])]
    fn of_empty_blocks(bencher: Bencher<'_, '_>, blocks: u32) {
        let text = ".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry k() { ret; }\n";
        let options = Options { engine: Engine::Vector(None), workers: 1, ..Options::default() };
        let mut device = Device::load(text).with(options);
        bencher.bench_local(|| device.run("k", blocks, 256, none()));
    }

    #[divan::bench]
    fn compile_blackscholes(bencher: Bencher<'_, '_>) {
        let [(_, text), _] = fixture("blackscholes");
        bencher.bench_local(|| mock_ptx::compile(black_box(&text)));
    }
}
