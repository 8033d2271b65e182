//! Kernels over two coordinates: products, transposition, a stencil, rows of a softmax.

use mock_soft::Options;

use crate::case::{Call, Case, Native, Twin, load, none, numbers};
use crate::device::{Noise, Parameters};

const N: usize = 256;

fn product(options: Options, kernel: &'static str, twin: fn(&mut Product)) -> Case {
    let mut device = load("matmul_f32", options);
    let (a, b) = (Noise(1).floats(N * N), Noise(2).floats(N * N));
    let (pa, pb, pc) = (device.buffer(&a), device.buffer(&b), device.zeros(4 * N * N));
    let parameters = none().with(pa).with(pb).with(pc);
    let parameters = parameters.with(N as i32).with(N as i32).with(N as i32);
    let twin: Box<dyn Twin> =
        Box::new(Native { state: (a, b, vec![0f32; N * N]), run: twin, result: |(_, _, c)| c });
    Case {
        calls: vec![tiles(kernel, parameters)],
        device,
        refresh: Vec::new(),
        seen: numbers::<f32>(pc, N * N),
        twin,
        tolerance: 1e-4,
        work: (2.0 * (N * N * N) as f64, "FLOP"),
    }
}

fn tiles(kernel: &'static str, parameters: Parameters) -> Call {
    let grid = [N as u32 / 16, N as u32 / 16, 1];
    Call { kernel, grid, block: [16, 16, 1], shared_bytes: 0, parameters }
}

/// Two factors and their product.
type Product = (Vec<f32>, Vec<f32>, Vec<f32>);

/// Row by row, which the compiler vectorises.
pub(crate) fn matmul_tiled(options: Options) -> Case {
    product(options, "matmul_tiled", |(a, b, c)| {
        for (c, a) in c.chunks_mut(N).zip(a.chunks(N)) {
            c.fill(0.0);
            for (a, b) in a.iter().zip(b.chunks(N)) {
                c.iter_mut().zip(b).for_each(|(c, b)| *c += a * b);
            }
        }
    })
}

/// The kernel itself, line by line, one thread after the other between its barriers: what a compiler makes of it without a GPU.
pub(crate) fn matmul_tiled_as_written(options: Options) -> Case {
    const TILE: usize = 16;
    product(options, "matmul_tiled", |(a, b, c)| {
        for (block_y, block_x) in (0..N / TILE).flat_map(|y| (0..N / TILE).map(move |x| (y, x))) {
            let mut sums = [[0f32; TILE]; TILE];
            for tile in (0..N).step_by(TILE) {
                let (mut a_tile, mut b_tile) = ([[0f32; TILE]; TILE], [[0f32; TILE]; TILE]);
                for y in 0..TILE {
                    for x in 0..TILE {
                        a_tile[y][x] = a[(block_y * TILE + y) * N + tile + x];
                        b_tile[y][x] = b[(tile + y) * N + block_x * TILE + x];
                    }
                }
                for y in 0..TILE {
                    for x in 0..TILE {
                        for k in 0..TILE {
                            sums[y][x] += a_tile[y][k] * b_tile[k][x];
                        }
                    }
                }
            }
            for y in 0..TILE {
                for x in 0..TILE {
                    c[(block_y * TILE + y) * N + block_x * TILE + x] = sums[y][x];
                }
            }
        }
    })
}

/// Element by element, as the kernel is written.
pub(crate) fn matmul_naive(options: Options) -> Case {
    product(options, "matmul_naive", |(a, b, c)| {
        for i in 0..N * N {
            c[i] = (0..N).fold(0.0, |sum, k| sum + a[i / N * N + k] * b[k * N + i % N]);
        }
    })
}

pub(crate) fn matmul_f64(options: Options) -> Case {
    let mut device = load("matmul_f64", options);
    let wide =
        |seed| -> Vec<f64> { Noise(seed).floats(N * N).into_iter().map(f64::from).collect() };
    let (a, b) = (wide(1), wide(2));
    let (pa, pb, pc) = (device.buffer(&a), device.buffer(&b), device.zeros(8 * N * N));
    let parameters = none().with(pa).with(pb).with(pc).with(N as i32);
    Case {
        calls: vec![tiles("matmul_f64", parameters)],
        device,
        refresh: Vec::new(),
        seen: numbers::<f64>(pc, N * N),
        twin: Box::new(Native {
            state: (a, b, vec![0f64; N * N]),
            run: |(a, b, c)| {
                for i in 0..N * N {
                    c[i] = (0..N).fold(0.0, |sum, k| sum + a[i / N * N + k] * b[k * N + i % N]);
                }
            },
            result: |(_, _, c)| c,
        }),
        tolerance: 1e-9,
        work: (2.0 * (N * N * N) as f64, "FLOP"),
    }
}

pub(crate) fn transpose(options: Options) -> Case {
    const N: usize = 2048;
    let mut device = load("transpose", options);
    let input = Noise(1).floats(N * N);
    let (pin, pout) = (device.buffer(&input), device.zeros(4 * N * N));
    Case {
        device,
        calls: vec![Call {
            kernel: "transpose",
            grid: [N as u32 / 32, N as u32 / 32, 1],
            block: [32, 8, 1],
            shared_bytes: 0,
            parameters: none().with(pin).with(pout).with(N as i32).with(N as i32),
        }],
        refresh: Vec::new(),
        seen: numbers::<f32>(pout, N * N),
        twin: Box::new(Native {
            state: (input, vec![0f32; N * N]),
            run: |(input, out)| {
                for (y, row) in out.chunks_mut(N).enumerate() {
                    row.iter_mut().enumerate().for_each(|(x, out)| *out = input[x * N + y]);
                }
            },
            result: |(_, out)| out,
        }),
        tolerance: 0.0,
        work: (8.0 * (N * N) as f64, "B"),
    }
}

pub(crate) fn jacobi2d(options: Options) -> Case {
    const W: usize = 2048;
    let mut device = load("stencil", options);
    let input = Noise(1).floats(W * W);
    let (pa, pb) = (device.buffer(&input), device.zeros(4 * W * W));
    Case {
        device,
        calls: vec![Call {
            kernel: "jacobi2d",
            grid: [W as u32 / 32, W as u32 / 8, 1],
            block: [32, 8, 1],
            shared_bytes: 0,
            parameters: none().with(pa).with(pb).with(W as i32).with(W as i32),
        }],
        refresh: Vec::new(),
        seen: numbers::<f32>(pb, W * W),
        twin: Box::new(Native {
            state: (input, vec![0f32; W * W]),
            run: |(a, b)| {
                for y in 1..W - 1 {
                    for x in 1..W - 1 {
                        let i = y * W + x;
                        b[i] = 0.25 * (a[i - 1] + a[i + 1] + a[i - W] + a[i + W]);
                    }
                }
            },
            result: |(_, b)| b,
        }),
        tolerance: 1e-6,
        work: (8.0 * (W * W) as f64, "B"),
    }
}

pub(crate) fn triton_softmax(options: Options) -> Case {
    const ROWS: usize = 4096;
    const COLUMNS: usize = 1000;
    let mut device = load("triton_softmax", options);
    let input = Noise(1).floats(ROWS * COLUMNS);
    let (pin, pout) = (device.buffer(&input), device.zeros(4 * ROWS * COLUMNS));
    let parameters = none().with(pout).with(pin).with(COLUMNS as i32).with(0u64).with(0u64);
    Case {
        device,
        calls: vec![Call {
            kernel: "triton_softmax",
            grid: [ROWS as u32, 1, 1],
            block: [128, 1, 1],
            shared_bytes: 64,
            parameters,
        }],
        refresh: Vec::new(),
        seen: numbers::<f32>(pout, ROWS * COLUMNS),
        twin: Box::new(Native {
            state: (input, vec![0f32; ROWS * COLUMNS]),
            run: |(input, out)| {
                for (row, out) in input.chunks(COLUMNS).zip(out.chunks_mut(COLUMNS)) {
                    let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                    let mut sum = 0.0;
                    for (value, out) in row.iter().zip(&mut *out) {
                        *out = (value - most).exp();
                        sum += *out;
                    }
                    out.iter_mut().for_each(|out| *out /= sum);
                }
            },
            result: |(_, out)| out,
        }),
        tolerance: 1e-5,
        work: (8.0 * (ROWS * COLUMNS) as f64, "B"),
    }
}
