//! Kernels whose threads compute for themselves: fractals, bodies, options, sorts, generators.

use mock_soft::Options;

use crate::case::{Call, Case, Native, load, none, numbers};
use crate::device::Noise;

pub(crate) fn mandelbrot(options: Options) -> Case {
    const N: usize = 512;
    let mut device = load("mandelbrot", options);
    let out = device.zeros(4 * N * N);
    let parameters = none().with(out).with(N as i32).with(N as i32);
    let parameters = parameters.with(-2f32).with(-1.25f32).with(2.5f32 / N as f32);
    let parameters = parameters.with(2.5f32 / N as f32).with(256i32);
    Case {
        device,
        calls: vec![Call {
            kernel: "mandelbrot",
            grid: [N as u32 / 16, N as u32 / 16, 1],
            block: [16, 16, 1],
            shared_bytes: 0,
            parameters,
        }],
        refresh: Vec::new(),
        seen: Box::new(move |device| {
            let counts = device.read::<u32>(out, N * N);
            vec![counts.into_iter().map(f64::from).sum()]
        }),
        twin: Box::new(Native {
            state: (vec![0u32; N * N], [0f64]),
            run: |(out, sum)| {
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
                sum[0] = out.iter().map(|count| f64::from(*count)).sum();
            },
            result: |(_, sum)| sum,
        }),
        // fused and unfused arithmetic part ways at the set's edge
        tolerance: 1e-2,
        work: ((N * N) as f64, "points"),
    }
}

pub(crate) fn nbody(options: Options) -> Case {
    const N: usize = 2048;
    let mut device = load("nbody", options);
    let bodies = Noise(1).floats(4 * N);
    let (pin, pout) = (device.buffer(&bodies), device.zeros(16 * N));
    Case {
        device,
        calls: vec![Call {
            kernel: "nbody",
            grid: [N as u32 / 256, 1, 1],
            block: [256, 1, 1],
            shared_bytes: 4096,
            parameters: none().with(pin).with(pout).with(N as i32),
        }],
        refresh: Vec::new(),
        seen: Box::new(move |device| {
            let forces = device.read::<f32>(pout, 4 * N);
            forces
                .chunks(4)
                .flat_map(|force| [force[0], force[1], force[2]])
                .map(f64::from)
                .collect()
        }),
        twin: Box::new(Native {
            state: (bodies, vec![0f32; 3 * N]),
            run: |(bodies, out)| {
                for (me, out) in bodies.chunks(4).zip(out.chunks_mut(3)) {
                    let mut sum = [0f32; 3];
                    for other in bodies.chunks(4) {
                        let d = [other[0] - me[0], other[1] - me[1], other[2] - me[2]];
                        let squares = d[0] * d[0] + d[1] * d[1] + d[2] * d[2];
                        let inverse = 1.0 / (squares + 1e-4).sqrt();
                        let s = other[3] * inverse * inverse * inverse;
                        (0..3).for_each(|i| sum[i] += d[i] * s);
                    }
                    out.copy_from_slice(&sum);
                }
            },
            result: |(_, out)| out,
        }),
        tolerance: 1e-2,
        work: ((N * N) as f64, "pairs"),
    }
}

/// The complementary error function, good to 1.2e-7 of its value: the rational approximation of Numerical Recipes.
fn complementary_error(x: f32) -> f32 {
    const TERMS: [f32; 9] = [
        0.170_872_77,
        -0.822_152_23,
        1.488_515_9,
        -1.135_204,
        0.278_868_07,
        -0.186_288_06,
        0.096_784_18,
        0.374_091_96,
        1.000_023_7,
    ];
    let t = 1.0 / (1.0 + 0.5 * x.abs());
    let polynomial = TERMS.iter().fold(0.0, |sum, term| sum * t + term) * t - 1.265_512_2;
    let tail = t * (polynomial - x * x).exp();
    if x >= 0.0 { tail } else { 2.0 - tail }
}

fn cumulative_normal(d: f32) -> f32 {
    0.5 * complementary_error(-d * std::f32::consts::FRAC_1_SQRT_2)
}

pub(crate) fn blackscholes(options: Options) -> Case {
    const N: usize = 256 << 10;
    const RATE: f32 = 0.02;
    const VOLATILITY: f32 = 0.3;
    let mut device = load("blackscholes", options);
    let mut noise = Noise(11);
    let mut between = |low: f32, high: f32| -> Vec<f32> {
        (0..N).map(|_| low + (high - low) * (noise.float() + 1.0) / 2.0).collect()
    };
    let (s, x, t) = (between(5.0, 30.0), between(1.0, 100.0), between(0.25, 10.0));
    let [ps, px, pt] = [&s, &x, &t].map(|values| device.buffer(values));
    let (call, put) = (device.zeros(4 * N), device.zeros(4 * N));
    let parameters = none().with(call).with(put).with(ps).with(px).with(pt);
    Case {
        device,
        calls: vec![Call {
            kernel: "blackscholes",
            grid: [(N / 256) as u32, 1, 1],
            block: [256, 1, 1],
            shared_bytes: 0,
            parameters: parameters.with(RATE).with(VOLATILITY).with(N as i32),
        }],
        refresh: Vec::new(),
        seen: numbers::<f32>(call, N),
        twin: Box::new(Native {
            state: (s, x, t, vec![0f32; N], vec![0f32; N]),
            run: |(s, x, t, calls, puts)| {
                for i in 0..N {
                    let root = t[i].sqrt();
                    let drift = (RATE + 0.5 * VOLATILITY * VOLATILITY) * t[i];
                    let d1 = ((s[i] / x[i]).ln() + drift) / (VOLATILITY * root);
                    let d2 = d1 - VOLATILITY * root;
                    let discounted = x[i] * (-RATE * t[i]).exp();
                    calls[i] = s[i] * cumulative_normal(d1) - discounted * cumulative_normal(d2);
                    puts[i] = discounted * cumulative_normal(-d2) - s[i] * cumulative_normal(-d1);
                }
            },
            result: |(_, _, _, calls, _)| calls,
        }),
        tolerance: 1e-3,
        work: (N as f64, "options"),
    }
}

pub(crate) fn localarr(options: Options) -> Case {
    const N: usize = 64 << 10;
    let mut device = load("local", options);
    let mut noise = Noise(7);
    let input: Vec<i32> = (0..16 * N).map(|_| (noise.next() >> 40) as i32).collect();
    let (pin, pout) = (device.buffer(&input), device.zeros(64 * N));
    Case {
        device,
        calls: vec![Call {
            kernel: "localarr",
            grid: [(N / 256) as u32, 1, 1],
            block: [256, 1, 1],
            shared_bytes: 0,
            parameters: none().with(pin).with(pout),
        }],
        refresh: Vec::new(),
        seen: numbers::<i32>(pout, 16 * N),
        twin: Box::new(Native {
            state: (input, vec![0i32; 16 * N]),
            run: |(input, out)| {
                for (input, out) in input.chunks(16).zip(out.chunks_mut(16)) {
                    out.copy_from_slice(input);
                    for j in 1..16 {
                        let (value, mut k) = (out[j], j);
                        while k > 0 && out[k - 1] > value {
                            out[k] = out[k - 1];
                            k -= 1;
                        }
                        out[k] = value;
                    }
                }
            },
            result: |(_, out)| out,
        }),
        tolerance: 0.0,
        work: (N as f64, "sorts"),
    }
}

pub(crate) fn collatz(options: Options) -> Case {
    const N: usize = 64 << 10;
    let mut device = load("numbers", options);
    let out = device.zeros(4 * N);
    Case {
        device,
        calls: vec![Call {
            kernel: "collatz",
            grid: [(N / 256) as u32, 1, 1],
            block: [256, 1, 1],
            shared_bytes: 0,
            parameters: none().with(out).with(N as i32),
        }],
        refresh: Vec::new(),
        seen: numbers::<i32>(out, N),
        twin: Box::new(Native {
            state: vec![0i32; N],
            run: |out| {
                for (i, out) in out.iter_mut().enumerate() {
                    let (mut value, mut steps) = (i as i64 + 1, 0);
                    while value != 1 {
                        value = if value & 1 == 1 { 3 * value + 1 } else { value / 2 };
                        steps += 1;
                    }
                    *out = steps;
                }
            },
            result: |out| out,
        }),
        tolerance: 0.0,
        work: (N as f64, "numbers"),
    }
}

pub(crate) fn xorshift_pi(options: Options) -> Case {
    const N: usize = 64 << 10;
    const ROUNDS: i32 = 64;
    let mut device = load("numbers", options);
    let out = device.zeros(4 * N);
    Case {
        device,
        calls: vec![Call {
            kernel: "xorshift_pi",
            grid: [(N / 256) as u32, 1, 1],
            block: [256, 1, 1],
            shared_bytes: 0,
            parameters: none().with(out).with(ROUNDS),
        }],
        refresh: Vec::new(),
        seen: numbers::<u32>(out, N),
        twin: Box::new(Native {
            state: vec![0u32; N],
            run: |out| {
                for (i, out) in out.iter_mut().enumerate() {
                    let (mut state, mut hits) = ((i as u32).wrapping_mul(2_654_435_761) + 1, 0);
                    let mut next = || {
                        state ^= state << 13;
                        state ^= state >> 17;
                        state ^= state << 5;
                        (state >> 8) as f32 * (1.0 / 16_777_216.0)
                    };
                    for _ in 0..std::hint::black_box(ROUNDS) {
                        let (x, y) = (next(), next());
                        hits += u32::from(x * x + y * y < 1.0);
                    }
                    *out = hits;
                }
            },
            result: |out| out,
        }),
        // a point on the edge may fall either way where products are fused
        tolerance: 0.1,
        work: (N as f64 * f64::from(ROUNDS), "points"),
    }
}
