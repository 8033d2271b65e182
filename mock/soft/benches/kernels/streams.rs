//! Kernels that go through memory once: sums, stencils, histograms.

use mock_soft::Options;

use crate::case::{Call, Case, Native, bytes, load, none, numbers};
use crate::device::Noise;

const N: usize = 4 << 20;

pub(crate) fn vadd(options: Options, n: usize) -> Case {
    let mut device = load("vadd", options);
    let (a, b) = (Noise(1).floats(n), Noise(2).floats(n));
    let (pa, pb, pc) = (device.buffer(&a), device.buffer(&b), device.zeros(4 * n));
    let parameters = none().with(pa).with(pb).with(pc).with(n as i32);
    Case {
        device,
        calls: vec![Call {
            kernel: "vadd",
            grid: [(n / 256) as u32, 1, 1],
            block: [256, 1, 1],
            shared_bytes: 0,
            parameters,
        }],
        refresh: Vec::new(),
        seen: numbers::<f32>(pc, n),
        twin: add_twin(a, b),
        tolerance: 0.0,
        work: (12.0 * n as f64, "B"),
    }
}

fn add_twin(a: Vec<f32>, b: Vec<f32>) -> Box<dyn crate::case::Twin> {
    let c = vec![0f32; a.len()];
    Box::new(Native {
        state: (a, b, c),
        run: |(a, b, c)| {
            for ((c, a), b) in c.iter_mut().zip(&*a).zip(&*b) {
                *c = a + b;
            }
        },
        result: |(_, _, c)| c,
    })
}

pub(crate) fn triton_add(options: Options) -> Case {
    let mut device = load("triton_add", options);
    let (a, b) = (Noise(1).floats(N), Noise(2).floats(N));
    let (pa, pb, pc) = (device.buffer(&a), device.buffer(&b), device.zeros(4 * N));
    let parameters = none().with(pa).with(pb).with(pc).with(N as i32).with(0u64).with(0u64);
    Case {
        device,
        calls: vec![Call {
            kernel: "triton_add",
            grid: [(N / 1024) as u32, 1, 1],
            block: [128, 1, 1],
            shared_bytes: 0,
            parameters,
        }],
        refresh: Vec::new(),
        seen: numbers::<f32>(pc, N),
        twin: add_twin(a, b),
        tolerance: 0.0,
        work: (12.0 * N as f64, "B"),
    }
}

pub(crate) fn saxpy(options: Options) -> Case {
    let mut device = load("saxpy", options);
    let (x, y) = (Noise(1).floats(N), Noise(2).floats(N));
    let (px, py) = (device.buffer(&x), device.buffer(&y));
    Case {
        device,
        calls: vec![Call {
            kernel: "saxpy",
            grid: [1024, 1, 1],
            block: [256, 1, 1],
            shared_bytes: 0,
            parameters: none().with(N as i32).with(0.5f32).with(px).with(py),
        }],
        refresh: Vec::new(),
        seen: numbers::<f32>(py, N),
        twin: Box::new(Native {
            state: (0.5f32, x, y),
            run: |(a, x, y)| {
                for (y, x) in y.iter_mut().zip(&*x) {
                    *y += *a * x;
                }
            },
            result: |(_, _, y)| y,
        }),
        tolerance: 1e-6,
        work: (12.0 * N as f64, "B"),
    }
}

pub(crate) fn reduce_sum(options: Options) -> Case {
    let mut device = load("reduce", options);
    let input = Noise(1).floats(N);
    let (pin, pout) = (device.buffer(&input), device.zeros(4));
    Case {
        device,
        calls: vec![Call {
            kernel: "reduce_sum",
            grid: [1024, 1, 1],
            block: [256, 1, 1],
            shared_bytes: 0,
            parameters: none().with(pin).with(pout).with(N as i32),
        }],
        refresh: vec![(pout, vec![0; 4])],
        seen: numbers::<f32>(pout, 1),
        twin: Box::new(Native {
            state: (input, [0f32]),
            run: |(input, sum)| sum[0] = input.iter().sum(),
            result: |(_, sum)| sum,
        }),
        tolerance: 1e-2,
        work: (4.0 * N as f64, "B"),
    }
}

pub(crate) fn reduce_tree(options: Options) -> Case {
    let mut device = load("reduce", options);
    let input: Vec<i32> = (0..N as i32).collect();
    let (pin, pout) = (device.buffer(&input), device.zeros(4 * N / 256));
    Case {
        device,
        calls: vec![Call {
            kernel: "reduce_tree",
            grid: [(N / 256) as u32, 1, 1],
            block: [256, 1, 1],
            shared_bytes: 0,
            parameters: none().with(pin).with(pout).with(N as i32),
        }],
        refresh: Vec::new(),
        seen: numbers::<i32>(pout, N / 256),
        twin: Box::new(Native {
            state: (input, vec![0i32; N / 256]),
            run: |(input, sums)| {
                for (sum, part) in sums.iter_mut().zip(input.chunks(256)) {
                    *sum = part.iter().fold(0, |sum, value| sum.wrapping_add(*value));
                }
            },
            result: |(_, sums)| sums,
        }),
        tolerance: 0.0,
        work: (4.0 * N as f64, "B"),
    }
}

pub(crate) fn histogram(options: Options) -> Case {
    let mut device = load("histogram", options);
    let mut noise = Noise(3);
    let data: Vec<u8> = (0..N).map(|_| (noise.next() >> 30) as u8).collect();
    let (pd, ph) = (device.buffer(&data), device.zeros(1024));
    Case {
        device,
        calls: vec![Call {
            kernel: "histogram",
            grid: [256, 1, 1],
            block: [256, 1, 1],
            shared_bytes: 0,
            parameters: none().with(pd).with(ph).with(N as i32),
        }],
        refresh: vec![(ph, vec![0; 1024])],
        seen: numbers::<u32>(ph, 256),
        twin: Box::new(Native {
            state: (data, vec![0u32; 256]),
            run: |(data, counts)| {
                counts.fill(0);
                data.iter().for_each(|byte| counts[usize::from(*byte)] += 1);
            },
            result: |(_, counts)| counts,
        }),
        tolerance: 0.0,
        work: (N as f64, "B"),
    }
}

pub(crate) fn stencil1d(options: Options) -> Case {
    let mut device = load("stencil", options);
    let input: Vec<i32> = (0..N as i32).collect();
    let (pin, pout) = (device.buffer(&input), device.zeros(4 * N));
    Case {
        device,
        calls: vec![Call {
            kernel: "stencil1d",
            grid: [(N / 256) as u32, 1, 1],
            block: [256, 1, 1],
            shared_bytes: 0,
            parameters: none().with(pin).with(pout).with(N as i32),
        }],
        refresh: Vec::new(),
        seen: numbers::<i32>(pout, N),
        twin: Box::new(Native {
            state: (input, vec![0i32; N]),
            run: |(input, out)| {
                for (out, seven) in out[3..].iter_mut().zip(input.windows(7)) {
                    *out = seven.iter().fold(0, |sum, value| sum.wrapping_add(*value));
                }
                for i in (0..3).chain(N - 3..N) {
                    let near = &input[i.saturating_sub(3)..(i + 4).min(N)];
                    out[i] = near.iter().fold(0, |sum, value| sum.wrapping_add(*value));
                }
            },
            result: |(_, out)| out,
        }),
        tolerance: 0.0,
        work: (8.0 * N as f64, "B"),
    }
}

pub(crate) fn scan(options: Options) -> Case {
    let mut device = load("scan", options);
    let input: Vec<i32> = (0..N as i32).collect();
    let (pin, pout) = (device.buffer(&input), device.zeros(4 * N));
    let totals = device.zeros(4 * N / 512);
    Case {
        device,
        calls: vec![Call {
            kernel: "scan",
            grid: [(N / 512) as u32, 1, 1],
            block: [256, 1, 1],
            shared_bytes: 0,
            parameters: none().with(pin).with(pout).with(totals),
        }],
        refresh: Vec::new(),
        seen: numbers::<i32>(pout, N),
        twin: Box::new(Native {
            state: (input, vec![0i32; N], vec![0i32; N / 512]),
            run: |(input, out, totals)| {
                let parts = input.chunks(512).zip(out.chunks_mut(512)).zip(totals);
                for ((input, out), total) in parts {
                    *total = 0;
                    for (input, out) in input.iter().zip(out) {
                        *out = *total;
                        *total = total.wrapping_add(*input);
                    }
                }
            },
            result: |(_, out, _)| out,
        }),
        tolerance: 0.0,
        work: (8.0 * N as f64, "B"),
    }
}

pub(crate) fn scan_warp(options: Options) -> Case {
    let mut device = load("scan", options);
    let input: Vec<i32> = (0..N as i32).collect();
    let (pin, pout) = (device.buffer(&input), device.zeros(4 * N));
    Case {
        device,
        calls: vec![Call {
            kernel: "scan_warp",
            grid: [(N / 256) as u32, 1, 1],
            block: [256, 1, 1],
            shared_bytes: 0,
            parameters: none().with(pin).with(pout),
        }],
        refresh: Vec::new(),
        seen: numbers::<i32>(pout, N),
        twin: Box::new(Native {
            state: (input, vec![0i32; N]),
            run: |(input, out)| {
                for (input, out) in input.chunks(256).zip(out.chunks_mut(256)) {
                    let mut sum = 0i32;
                    for (input, out) in input.iter().zip(out) {
                        sum = sum.wrapping_add(*input);
                        *out = sum;
                    }
                }
            },
            result: |(_, out)| out,
        }),
        tolerance: 0.0,
        work: (8.0 * N as f64, "B"),
    }
}

pub(crate) fn bitonic(options: Options) -> Case {
    const N: usize = 256 << 10;
    let mut device = load("bitonic", options);
    let mut noise = Noise(5);
    let input: Vec<u32> = (0..N).map(|_| (noise.next() >> 32) as u32).collect();
    let data = device.buffer(&input);
    let mut calls = Vec::new();
    for k in (1..=N.ilog2()).map(|k| 1u32 << k) {
        for j in (0..k.ilog2()).rev().map(|j| 1u32 << j) {
            calls.push(Call {
                kernel: "bitonic",
                grid: [(N / 256) as u32, 1, 1],
                block: [256, 1, 1],
                shared_bytes: 0,
                parameters: none().with(data).with(j).with(k),
            });
        }
    }
    let passes = calls.len();
    Case {
        device,
        calls,
        refresh: vec![(data, bytes(&input))],
        seen: numbers::<u32>(data, N),
        twin: Box::new(Native {
            state: (input.clone(), input),
            run: |(input, data)| {
                data.copy_from_slice(input);
                let mut k = 2;
                while k <= N {
                    let mut j = k / 2;
                    while j > 0 {
                        for i in 0..N {
                            let p = i ^ j;
                            if p > i && ((i & k == 0) == (data[i] > data[p])) {
                                data.swap(i, p);
                            }
                        }
                        j /= 2;
                    }
                    k *= 2;
                }
            },
            result: |(_, data)| data,
        }),
        tolerance: 0.0,
        work: ((passes * N / 2) as f64, "exchanges"),
    }
}
