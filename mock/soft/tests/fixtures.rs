//! Every fixture kernel, as both compilers wrote it, against plain Rust.
//!
//! Bit for bit where the operations are exact and their order is fixed; else within the bound that stands at the assertion.

mod device;

use device::{Device, Noise, Parameters, fixture};
use mock_soft::{Engine, Options};

/// Runs a test on each compiler's text with each engine.
fn each(name: &str, test: impl Fn(Device)) {
    for (compiler, text) in fixture(name) {
        for engine in [Engine::Scalar] {
            eprintln!("{name} by {compiler} on {engine:?}");
            test(Device::load(&text).with(Options { engine, ..Options::default() }));
        }
    }
}

fn none() -> Parameters {
    Parameters::default()
}

/// Whether two numbers are as near as `ulps` steps of the larger one.
fn near(seen: f32, wanted: f32, ulps: f32) -> bool {
    let step = seen.abs().max(wanted.abs()).max(f32::MIN_POSITIVE) * f32::EPSILON;
    (seen - wanted).abs() <= ulps * step || seen == wanted || (seen.is_nan() && wanted.is_nan())
}

#[test]
fn vadd_is_exact() {
    each("vadd", |mut device| {
        let mut noise = Noise(1);
        let n = 1000;
        let (a, b) = (noise.floats(n), noise.floats(n));
        let (pa, pb, pc) = (device.buffer(&a), device.buffer(&b), device.zeros(4 * n));
        let parameters = none().with(pa).with(pb).with(pc).with(n as i32);
        device.run("vadd", 8, 128, parameters);
        let wanted: Vec<f32> = a.iter().zip(&b).map(|(a, b)| a + b).collect();
        assert_eq!(device.read::<f32>(pc, n), wanted);
    });
}

#[test]
fn saxpy_is_exact() {
    each("saxpy", |mut device| {
        let mut noise = Noise(2);
        let n = 3000;
        let (x, y) = (noise.floats(n), noise.floats(n));
        let (px, py) = (device.buffer(&x), device.buffer(&y));
        let parameters = none().with(n as i32).with(1.5f32).with(px).with(py);
        device.run("saxpy", 4, 256, parameters);
        let wanted: Vec<f32> = x.iter().zip(&y).map(|(x, y)| 1.5f32.mul_add(*x, *y)).collect();
        assert_eq!(device.read::<f32>(py, n), wanted);
    });
}

/// The order in which the kernel sums: lanes stride over the input, then halves of warps, then warps, then blocks.
fn reduce_in_kernel_order(input: &[f32], blocks: usize, threads: usize) -> f32 {
    let tree = |mut lanes: Vec<f32>| {
        for distance in [16, 8, 4, 2, 1] {
            for i in 0..32 {
                let other = if i + distance < 32 { lanes[i + distance] } else { lanes[i] };
                lanes[i] += other;
            }
        }
        lanes[0]
    };
    let mut total = 0.0;
    for block in 0..blocks {
        let sums: Vec<f32> = (0..threads)
            .map(|thread| {
                let own = input.iter().skip(block * threads + thread).step_by(blocks * threads);
                own.fold(0.0, |sum, value| sum + value)
            })
            .collect();
        let mut warps: Vec<f32> = sums.chunks(32).map(|warp| tree(warp.to_vec())).collect();
        warps.resize(32, 0.0);
        total += tree(warps);
    }
    total
}

#[test]
fn reduce_sum_adds_in_its_own_order() {
    each("reduce", |mut device| {
        let input = Noise(3).floats(5000);
        let (pin, pout) = (device.buffer(&input), device.buffer(&[0f32]));
        let parameters = none().with(pin).with(pout).with(input.len() as i32);
        device.run("reduce_sum", 4, 256, parameters);
        assert_eq!(device.read::<f32>(pout, 1), [reduce_in_kernel_order(&input, 4, 256)]);
    });
}

#[test]
fn reduce_tree_is_exact() {
    each("reduce", |mut device| {
        let input: Vec<i32> = (0..1000).map(|i| i * i - 300_000).collect();
        let (pin, pout) = (device.buffer(&input), device.zeros(16));
        let parameters = none().with(pin).with(pout).with(input.len() as i32);
        device.run("reduce_tree", 4, 256, parameters);
        let wanted: Vec<i32> = input.chunks(256).map(|part| part.iter().sum()).collect();
        assert_eq!(device.read::<i32>(pout, 4), wanted);
    });
}

#[test]
fn matrix_products_are_exact_in_their_order() {
    each("matmul_f32", |mut device| {
        let (m, n, k) = (33usize, 47, 50);
        let mut noise = Noise(4);
        let (a, b) = (noise.floats(m * k), noise.floats(k * n));
        let (pa, pb) = (device.buffer(&a), device.buffer(&b));
        let wanted: Vec<f32> = (0..m * n)
            .map(|i| (0..k).fold(0.0, |sum, j| a[i / n * k + j].mul_add(b[j * n + i % n], sum)))
            .collect();
        for kernel in ["matmul_tiled", "matmul_naive"] {
            let pc = device.zeros(4 * m * n);
            let parameters = none().with(pa).with(pb).with(pc);
            let parameters = parameters.with(m as i32).with(n as i32).with(k as i32);
            device.run3(kernel, [3, 3, 1], [16, 16, 1], 0, parameters);
            assert_eq!(device.read::<f32>(pc, m * n), wanted, "{kernel}");
        }
    });
}

#[test]
fn histogram_counts_every_byte() {
    each("histogram", |mut device| {
        let mut noise = Noise(5);
        let data: Vec<u8> =
            (0..5000).map(|_| (noise.next() >> 20) as u8 & noise.next() as u8).collect();
        let (pd, ph) = (device.buffer(&data), device.zeros(4 * 256));
        device.run("histogram", 3, 128, none().with(pd).with(ph).with(data.len() as i32));
        let mut wanted = vec![0u32; 256];
        data.iter().for_each(|byte| wanted[usize::from(*byte)] += 1);
        assert_eq!(device.read::<u32>(ph, 256), wanted);
    });
}

#[test]
fn atomics_do_what_they_say() {
    each("histogram", |mut device| {
        let u = device.buffer(&[0u32, u32::MAX, 0, 0, 0, 0, 0, 50]);
        let s = device.buffer(&[i32::MAX]);
        let l = device.buffer(&[0u64; 3]);
        let (f, d) = (device.buffer(&[0f32]), device.buffer(&[0f64]));
        device.run("atomics_mix", 1, 64, none().with(u).with(s).with(l).with(f).with(d));
        let u = device.read::<u32>(u, 8);
        // max, and of complements, or, xor, the last exchange, the first swap that found 0, inc 64 times, dec 64 times from 50
        let and = (0..64u32).fold(u32::MAX, |and, t| and & !t);
        let xor = (0..64u32).fold(0, |xor, t| xor ^ t);
        // 0 is swapped for 0 by thread 0, then for 1 by thread 1; after that it is not 0 any more.
        let dec = (0..64).fold(50u32, |old, _| if old == 0 || old > 100 { 100 } else { old - 1 });
        assert_eq!(u, [63, and, 63, xor, 63, 1, 64, dec]);
        assert_eq!(device.read::<i32>(s, 1), [0]);
        assert_eq!(device.read::<u64>(l, 3), [2016, 63, 1]);
        assert_eq!(device.read::<f32>(f, 1), [64.0]);
        assert_eq!(device.read::<f64>(d, 1), [128.0]);
    });
}

#[test]
fn mandelbrot_counts_the_same_iterations() {
    each("mandelbrot", |mut device| {
        let (w, h, most) = (70usize, 40usize, 200);
        let (x0, y0, dx, dy) = (-2.0f32, -1.0f32, 3.0 / 70.0f32, 2.0 / 40.0f32);
        let out = device.zeros(4 * w * h);
        let parameters = none().with(out).with(w as i32).with(h as i32);
        let parameters = parameters.with(x0).with(y0).with(dx).with(dy).with(most);
        device.run3("mandelbrot", [5, 5, 1], [16, 8, 1], 0, parameters);
        let seen = device.read::<u32>(out, w * h);
        for (i, seen) in seen.iter().enumerate() {
            // Both compilers contract a product and a sum into one rounding, in these places.
            let cx = ((i % w) as f32).mul_add(dx, x0);
            let cy = ((i / w) as f32).mul_add(dy, y0);
            let (mut x, mut y, mut count) = (0f32, 0f32, 0);
            let exact = |x: f32, y: f32| x.mul_add(x, y * y);
            while exact(x, y) < 4.0 && count < most as u32 {
                let t = x.mul_add(x, -(y * y)) + cx;
                y = (x + x).mul_add(y, cy);
                x = t;
                count += 1;
            }
            assert!(seen.abs_diff(count) <= 1, "pixel {i}: {seen}, wanted {count}");
        }
    });
}
